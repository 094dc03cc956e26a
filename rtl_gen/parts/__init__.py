"""The parts of a chip that can be generated alone, and the files of each: a core, the network on chip, a tile, all."""

from pathlib import Path

from mho.hw.chip.map import ChipParts, tile_blocks, tiles_of
from mho.hw.chip.tops import top_name
from mho.hw.config import Chip
from mho.hw.host.registers import AddressMap
from mho.hw.kinds import core_blocks
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.node import Mesh
from mho.hw.noc.registers.map import node_map
from mho.hw.noc.registers.packet import NODE_BITS
from mho.hw.tile.config import tile_number
from mho.macro_models.errors import InputError
from mho.rtl_gen.emit import emit_block, module_texts
from mho.rtl_gen.macro.pin_check import check_shared_pins
from mho.rtl_gen.parts.assembly import (
    contract_texts,
    macro_design,
    macro_texts,
    model_files,
    port_bits,
    register_texts,
    rtl_texts,
    tapeout_texts,
    with_readme,
)
from mho.rtl_gen.parts.chip_bench import chip_bench_files
from mho.rtl_gen.registers import TILES_HEADER, c_driver, tile_driver
from mho.rtl_gen.tapeout_files import Design
from mho.rtl_gen.testbench import bench_files

__all__ = ["PARTS", "default_part", "part_texts", "part_top", "part_wrap", "which_tile"]


def chip_texts(chip: Chip, output: Path, wrap: str, name: str, prefix: str) -> dict[str, str]:
    """Texts of all files of a chip by path."""
    for problem in check_shared_pins(chip):
        raise InputError(problem)
    parts = ChipParts.from_chip(chip)
    modules = module_texts(chip, wrap, part="chip", top=name, prefix=prefix)
    mesh = parts.mesh
    within = "" if wrap == "none" else "chip.tiles."
    places = (mesh.position(node) for node in range(mesh.nodes))
    design, rtl = macro_design(
        chip, modules, name, prefix,
        what=f"Compute-in-memory chip {chip.name}, {_tiles(mesh)}",
        cores=tuple(f"{within}tile_{column}_{row}.core." for column, row in places), simulated=wrap != "uart",
        bench=("program.py",),
    )
    texts = rtl | macro_texts(design, rtl) | register_texts(parts.address_map, name)
    texts |= contract_texts(chip, modules, name, prefix)
    if wrap != "none":
        texts[f"regs/{TILES_HEADER}"] = tile_driver()
    # Behind a serial line a host of Python is at the other end, and no bench.
    bench = {} if wrap == "uart" else chip_bench_files(design, parts, wrap, model_files(chip, output))
    return with_readme(design, texts | {f"tb/{path}": text for path, text in bench.items()})


def _tiles(mesh: MeshConfig) -> str:
    return "one programmable tile" if mesh.alone else f"{mesh.columns} x {mesh.rows} programmable tiles"


def which_tile(chip: Chip, tile: str) -> tuple[int, str]:
    """Number of the tile ``"column,row"`` of a chip, and the word for its kind in names of modules.

    Raises
    ------
    InputError
        If the chip has no such tile.
    """
    number = tile_number(chip, tile)
    return number, tiles_of(chip)[number].verilog_word


def tile_texts(chip: Chip, output: Path, name: str, prefix: str, tile: int = 0) -> dict[str, str]:
    """Texts of all files of a tile by path: what is hardened once for each kind, and placed for each position."""
    parts = ChipParts.from_chip(chip)
    modules = module_texts(chip, "none", part="tile", top=name, prefix=prefix, tile=tile)
    design, rtl = macro_design(
        chip, modules, name, prefix, what=f"Tile of the compute-in-memory chip {chip.name}", cores=("core.",),
        simulated=False,
    )
    map = AddressMap(
        name="tile", address_width=NODE_BITS, blocks=tile_blocks(parts.mesh, parts.tiles[tile], parts.registers),
        doc="A tile: its program and memories, its core, its node. What is not here answers with an error.",
    )
    texts = rtl | macro_texts(design, rtl) | register_texts(map, name)
    return with_readme(design, texts | contract_texts(chip, modules, name, prefix))


def noc_texts(chip: Chip, name: str, prefix: str) -> dict[str, str]:
    """Texts of all files by path."""
    cfg = MeshConfig.of_network(chip)
    modules = emit_block(chip, Mesh(cfg), name, prefix)
    rtl = rtl_texts(modules, name, prefix)
    what = f"Network on chip of {chip.name}, {chip.mesh.columns} x {chip.mesh.rows} nodes"
    registers = register_texts(node_map(cfg), f"{prefix}node")
    inputs, outputs = port_bits(modules[name], name)
    design = Design(chip=chip, what=what, top=name, rtl=tuple(rtl), inputs=inputs, outputs=outputs)
    return with_readme(design, rtl | registers | tapeout_texts(design, rtl))


def core_texts(chip: Chip, output: Path, wrap: str, name: str, prefix: str) -> dict[str, str]:
    """Texts of all files by path."""
    modules = module_texts(chip, wrap, top=name, prefix=prefix)
    design, rtl = macro_design(
        chip, modules, name, prefix, what=f"Compute-in-memory core {chip.name}",
        cores=("" if wrap == "none" else "core.",), simulated=wrap != "uart",
    )
    texts = rtl | macro_texts(design, rtl)
    if wrap != "none":
        registers = core_blocks(chip).registers
        texts |= register_texts(registers, name)
        texts[f"regs/{name}_driver.h"] = c_driver(chip, name)
    texts |= contract_texts(chip, modules, name, prefix)
    if wrap != "uart":
        texts |= {f"tb/{path}": text for path, text in bench_files(design, wrap, model_files(chip, output)).items()}
    return with_readme(design, texts)


PARTS = ("core", "noc", "tile", "chip")
"""What there is."""

_BARE = {
    "noc": "wrap must be none for part noc, whose nodes and host have streams, not",
    "tile": "wrap must be none for part tile, which its neighbours reach, not",
}
"""Parts without a bus, and what to say to somebody who asks for one."""

_TOPS = {"noc": "noc", "tile": "core_tile"}


def default_part(chip: Chip) -> str:
    """What is generated of a chip where nobody says: all of it."""
    return "chip" if chip.tiled else "core"


def part_wrap(part: str, wrap: str | None) -> str:
    """The bus around a part, which is Wishbone for a core and a chip unless another is asked for.

    Raises
    ------
    InputError
        If there is no such part, or it has no bus.
    """
    if part not in PARTS:
        raise InputError(f"part must be one of {', '.join(PARTS)}, not {part!r}")
    if part in _BARE and wrap not in (None, "none"):
        raise InputError(f"{_BARE[part]} {wrap!r}")
    return wrap or ("none" if part in _BARE else "wishbone")


def part_top(part: str, wrap: str, word: str = "") -> str:
    """Name of the top module of a part without the prefix; with the ``word`` of its kind, if it has one."""
    return "_".join(filter(None, (_TOPS[part], word))) if part in _TOPS else top_name(wrap, part)


def part_texts(
    part: str, chip: Chip, output: Path, wrap: str, name: str, prefix: str, tile: int = 0
) -> dict[str, str]:
    """Texts of all files of a part, by path in the folder ``output``.

    Raises
    ------
    InputError
        If the chip has no such part, or the name of the top is that of another module.
    """
    if part == "noc":
        return noc_texts(chip, name, prefix)
    if part == "tile":
        return tile_texts(chip, output, name, prefix, tile)
    return (chip_texts if part == "chip" else core_texts)(chip, output, wrap, name, prefix)

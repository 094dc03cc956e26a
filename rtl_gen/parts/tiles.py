"""A whole chip of tiles, and one of its tiles."""

from pathlib import Path

from mho.hw.chip import ChipParts
from mho.hw.chip.config import tiles_of
from mho.hw.chip.map import tile_blocks
from mho.hw.config import Chip
from mho.hw.host.address_map import AddressMap
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.registers.packet import NODE_BITS
from mho.hw.tile.config import tile_number
from mho.macro_models.errors import InputError
from mho.rtl_gen.emit import module_texts
from mho.rtl_gen.macro.pin_check import check_shared_pins
from mho.rtl_gen.parts.assembly import (
    contract_texts,
    macro_design,
    macro_texts,
    model_files,
    register_texts,
    with_readme,
)
from mho.rtl_gen.parts.chip_bench import chip_bench_files
from mho.rtl_gen.tile_driver import TILES_HEADER, tile_driver

__all__ = ["chip_texts", "tile_texts", "which_tile"]


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

"""The parts of a chip that can be generated alone, and the files of each: a core, the network on chip, a tile, all."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mho.hw.chip.map import ChipParts, tile_blocks, tiles_of
from mho.hw.chip.tops import top_name
from mho.hw.config import Chip
from mho.hw.host.registers import AddressMap, RegisterMap
from mho.hw.kinds import core_blocks
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.node import Mesh
from mho.hw.noc.registers.map import node_map
from mho.hw.noc.registers.packet import NODE_BITS
from mho.hw.tile.config import tile_number
from mho.macro_models.errors import InputError
from mho.macro_models.files import read_text
from mho.macro_models.files.scripts import plain_file
from mho.rtl_gen.emit import boundary, emit_block, file_name, module_texts
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.macro.adapter import module_name, write_stub
from mho.rtl_gen.macro.outline import write_lef, write_outline
from mho.rtl_gen.macro.pin_check import check_shared_pins, macro_map
from mho.rtl_gen.macro.port_map import VERILOG, macro_files, read_module, rtl_files
from mho.rtl_gen.macro.views import write_liberty, write_upf
from mho.rtl_gen.registers import TILES_HEADER, c_driver, c_header, markdown, system_rdl, tile_driver
from mho.rtl_gen.tapeout_files import Design, file_list, fusesoc_core, librelane_config, sdc, waivers, write_readme
from mho.rtl_gen.templates import template
from mho.rtl_gen.testbench import bench_files, chip_bench_files
from mho.rtl_gen.verilog.ports import module_ports

_MACRO_INSTANCE = "macro.macro"
"""Instance of the adapter within the core, and of the macro within the adapter."""
_RINGED_MACRO = "macro.adapter.macro"
"""The same with the ring that tests have."""

_WRAPPER = "rtl/macro"
"""Where copies of the user's own Verilog around the macro are."""


def rtl_texts(modules: Mapping[str, str], name: str, prefix: str, *reserved: str) -> dict[str, str]:
    """A file for each module, the top first; ``others`` are modules that must have other names."""
    rtl = {f"rtl/{file_name(module, prefix)}": text for module, text in modules.items()}
    if any(name_reserved in modules for name_reserved in reserved) or len(rtl) < len(modules):
        raise InputError(f"top must not be the name of an inner module or of its file, not {name!r}")
    return rtl


def register_texts(map: RegisterMap | AddressMap, name: str) -> dict[str, str]:
    """Documents of registers."""
    return {
        f"regs/{name}.rdl": system_rdl(map, name),
        f"regs/{name}.md": f"# Registers of {name}\n\n{markdown(map)}",
        f"regs/{name}.h": c_header(map, name),
    }


def tapeout_texts(design: Design, verilog: Mapping[str, str]) -> dict[str, str]:
    """What tools take the Verilog by, which is given by the paths of its files."""
    return {
        f"{design.top}.f": file_list(design),
        f"{design.top}.vlt": waivers(verilog),
        f"{design.top}.core": fusesoc_core(design),
        "synth.tcl": template("synth.tcl"),
        f"{design.top}.sdc": sdc(design),
        "librelane/config.json": librelane_config(design),
    }


def with_readme(design: Design, texts: dict[str, str]) -> dict[str, str]:
    """The files and a page about them."""
    return texts | {"README.md": write_readme(design, texts)}


def port_bits(text: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Inputs and outputs of a top, but for its clock and its supplies."""
    ports = [port for port in (module_ports(text, name) or {}).values() if not port.guarded and port.name != "clk"]
    bits = {port.name: f"{port.name}[*]" if port.limits else port.name for port in ports}
    inputs, outputs = ([bits[p.name] for p in ports if p.direction == way] for way in ("input", "output"))
    return tuple(inputs), tuple(outputs)


def macro_design(
    chip: Chip, modules: Mapping[str, str], name: str, prefix: str, *, what: str, cores: Sequence[str],
    simulated: bool = True, bench: tuple[str, ...] = (),
) -> tuple[Design, dict[str, str]]:
    """The design of a top with macros, and the files of its Verilog.

    Parameters
    ----------
    modules
        Its modules, the top ``name`` first.
    what
        The design in words.
    cores
        Where the cores are, from the top down, each with a dot behind it.
    simulated
        Whether there will be a bench; ``bench`` are files that it takes.
    """
    macro, ports = module_name(chip), macro_map(chip)
    rtl = rtl_texts(modules, name, prefix, macro) | _wrapper_texts(chip)
    inputs, outputs = port_bits(modules[name], name)
    place = _RINGED_MACRO if chip.verilog.test else _MACRO_INSTANCE
    return Design(
        chip=chip, what=what, top=name, rtl=tuple(rtl), stubs=(f"stubs/{macro}.v",), macro=macro,
        macro_instances=tuple(f"{core}{place}{_within_wrapper(chip)}" for core in cores), inputs=inputs,
        outputs=outputs, simulated=simulated and chip.macro is None, bench=bench,
        clocks=tuple((ports.extra[pin], rate) for pin, rate in (chip.macro.clocks if chip.macro else {}).items()),
        unclocked=("programming_enable",) if core_blocks(chip).programs else (),
    ), rtl


def macro_texts(design: Design, rtl: Mapping[str, str]) -> dict[str, str]:
    """Black box and templates of the views of the macro, and what tools take the Verilog by."""
    chip, macro, ports = design.chip, design.macro, macro_map(design.chip)
    views = {
        f"librelane/{macro}.lef": write_lef(chip, ports), f"librelane/{macro}.lib": write_liberty(chip, ports),
        f"librelane/{macro}.md": write_outline(chip, ports),
        f"{design.top}.upf": write_upf(chip, design.top, design.macro_instances),
    }
    stubs = {design.stubs[0]: write_stub(chip, ports)}
    return views | stubs | tapeout_texts(design, {**rtl, **stubs})


def contract_texts(chip: Chip, modules: Mapping[str, str], name: str, prefix: str) -> dict[str, str]:
    """The contract of the macro's pins, which binds to the core."""
    adapter, contract = boundary(chip, prefix), f"{name}_macro_contract"
    core = next(module for module, text in modules.items() if re.search(rf"^  {adapter} \w+ \($", text, re.MULTILINE))
    return {f"tb/{contract}.sv": macro_texts_of(chip).contract(chip, core, modules[core], adapter, contract)}


def model_files(chip: Chip, output: Path) -> tuple[str, ...]:
    """Models of the user's own macro, relative to the folder of the bench."""
    return tuple(os.path.relpath(path.resolve(), output.resolve() / "tb") for path in macro_files(chip))


def _wrapper_texts(chip: Chip) -> dict[str, str]:
    """The user's own wrapper around the macro, which is synthesised with the core."""
    texts: dict[str, str] = {}
    for path in rtl_files(chip):
        name = f"{_WRAPPER}/{plain_file(path.name)}"
        if name in texts:
            raise InputError(f"macro.rtl must not have two files of one name, as {path.name}")
        texts[name] = read_text(path, VERILOG)
    return texts


def _within_wrapper(chip: Chip) -> str:
    """Where the macro is within its wrapper, as far as the wrapper's file tells."""
    macro = chip.macro
    if macro is None or not macro.wrapper:
        return ""
    text, _ = read_module(rtl_files(chip), macro.wrapper)
    instance = re.search(rf"\b{re.escape(macro.module)}\s+(?:#\s*\([^;]*?\)\s*)?(\w+)\s*\(", text or "")
    return f".{instance[1]}" if instance else ""


def chip_texts(chip: Chip, output: Path, wrap: str, name: str, prefix: str) -> dict[str, str]:
    """Texts of all files of a chip by path."""
    for problem in check_shared_pins(chip):
        raise InputError(problem)
    parts = ChipParts.from_chip(chip)
    modules = module_texts(chip, wrap, part="chip", top=name, prefix=prefix)
    mesh = parts.mesh
    within = "" if wrap == "none" else "chip.tiles."
    places = (mesh.position(node) for node in range(mesh.nodes))
    tiles = "one programmable tile" if mesh.alone else f"{mesh.columns} x {mesh.rows} programmable tiles"
    design, rtl = macro_design(
        chip, modules, name, prefix,
        what=f"Compute-in-memory chip {chip.name}, {tiles}",
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


def which_tile(chip: Chip, tile: str) -> tuple[int, str]:
    """Number of the tile ``"column,row"`` of a chip, and the word for its kind in names of modules.

    Raises InputError if the chip has no such tile.
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

    Raises InputError if there is no such part, or it has no bus.
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

    Raises InputError if the chip has no such part, or the name of the top is that of another module.
    """
    if part == "noc":
        return noc_texts(chip, name, prefix)
    if part == "tile":
        return tile_texts(chip, output, name, prefix, tile)
    return (chip_texts if part == "chip" else core_texts)(chip, output, wrap, name, prefix)

"""The parts of a chip that can be generated alone, and the files of each."""

import os
import re
from pathlib import Path

from hw.chip import top_name
from hw.config import Chip, PulseChip
from hw.host.registers import RegisterMap
from hw.kinds import core_blocks
from hw.noc.config import MeshConfig
from hw.noc.mesh import Mesh
from hw.noc.registers.map import node_map
from macro_models.errors import InputError
from macro_models.files import read_text
from rtl_gen.c_driver import c_driver
from rtl_gen.emit import ADAPTER, emit_block, file_name, module_texts
from rtl_gen.ip_xact import ip_xact
from rtl_gen.macro.adapter import module_name, write_stub
from rtl_gen.macro.contract import write_contract
from rtl_gen.macro.own_files import VERILOG, macro_files, read_module, rtl_files
from rtl_gen.macro.pin_check import macro_map
from rtl_gen.macro.views import write_lef, write_liberty, write_upf
from rtl_gen.readme import write_readme
from rtl_gen.registers import c_header, markdown, system_rdl
from rtl_gen.tapeout_files import Design, file_list, fusesoc_core, librelane_config, sdc, synthesis_script, waivers
from rtl_gen.testbench import bench_files
from rtl_gen.verilog.ports import module_ports

__all__ = ["PARTS", "part_texts", "part_top", "part_wrap"]

PARTS = ("core", "noc")
"""What there is."""

_MACRO_INSTANCE = "macro.macro"
"""Instance of the adapter within the core, and of the macro within the adapter."""


def part_wrap(part: str, wrap: str | None) -> str:
    """The bus around a part, which is Wishbone for a core unless another is asked for.

    Raises
    ------
    InputError
        If there is no such part, or it has no bus.
    """
    if part not in PARTS:
        raise InputError(f"part must be one of {', '.join(PARTS)}, not {part!r}")
    if part == "noc" and wrap not in (None, "none"):
        raise InputError(f"wrap must be none for part noc, whose nodes and host have streams, not {wrap!r}")
    return wrap or ("none" if part == "noc" else "wishbone")


def part_top(part: str, wrap: str) -> str:
    """Name of the top module of a part without the prefix."""
    return part if part == "noc" else top_name(wrap)


def part_texts(part: str, chip: Chip, output: Path, wrap: str, name: str, prefix: str) -> dict[str, str]:
    """Texts of all files of a part, by path in the folder ``output``.

    Raises
    ------
    InputError
        If the chip has no such part, or the name of the top is that of another module.
    """
    if part == "noc":
        return _noc_texts(chip, name, prefix)
    return _core_texts(chip, output, wrap, name, prefix)


def _noc_texts(chip: Chip, name: str, prefix: str) -> dict[str, str]:
    cfg = MeshConfig.from_chip(chip)
    modules = emit_block(chip, Mesh(cfg), name, prefix)
    rtl = _rtl(modules, name, prefix)
    what = f"Network on chip of {chip.name}, {chip.mesh.columns} x {chip.mesh.rows} nodes"
    registers = _register_texts(node_map(cfg), f"{prefix}node")
    inputs, outputs = _port_bits(modules[name], name)
    design = Design(chip=chip, what=what, top=name, rtl=tuple(rtl), inputs=inputs, outputs=outputs)
    return _with_readme(design, rtl | registers | _tapeout_texts(design))


def _with_readme(design: Design, texts: dict[str, str]) -> dict[str, str]:
    return texts | {"README.md": write_readme(design, texts)}


def _port_bits(text: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Inputs and outputs of a top, but for its clock and its supplies."""
    ports = [port for port in (module_ports(text, name) or {}).values() if not port.guarded and port.name != "clk"]
    bits = {port.name: f"{port.name}[*]" if port.limits else port.name for port in ports}
    inputs, outputs = ([bits[p.name] for p in ports if p.direction == way] for way in ("input", "output"))
    return tuple(inputs), tuple(outputs)


def _core_texts(chip: Chip, output: Path, wrap: str, name: str, prefix: str) -> dict[str, str]:
    modules = module_texts(chip, wrap, top=name, prefix=prefix)
    macro, ports = module_name(chip.macro), macro_map(chip)
    rtl = _rtl(modules, name, prefix, macro) | _wrapper_texts(chip)
    instance = ("" if wrap == "none" else "core.") + _MACRO_INSTANCE + _within_wrapper(chip)
    stub = f"stubs/{macro}.v"
    inputs, outputs = _port_bits(modules[name], name)
    design = Design(
        chip=chip, what=f"Compute-in-memory core {chip.name}", top=name, rtl=tuple(rtl), stubs=(stub,), macro=macro,
        macro_instance=instance, inputs=inputs, outputs=outputs, simulated=chip.macro is None,
        ascending=any(port.limits and port.limits[0] < port.limits[1] for port in ports.ports.values()),
        unclocked=("programming_enable",) if PulseChip.of(chip).programming.engine else (),
    )
    views = {
        f"librelane/{macro}.lef": write_lef(chip, ports), f"librelane/{macro}.lib": write_liberty(chip, ports),
        f"{name}.upf": write_upf(chip, name, instance),
    }
    texts = rtl | views | {stub: write_stub(chip, ports)} | _tapeout_texts(design)
    if wrap != "none":
        registers = core_blocks(chip).registers
        texts |= _register_texts(registers, name)
        texts[f"regs/{name}_driver.h"] = c_driver(registers, chip.lines, name)
    adapter, contract = f"{prefix}{ADAPTER}", f"{name}_macro_contract"
    core = next(module for module, text in modules.items() if re.search(rf"^  {adapter} \w+ \($", text, re.MULTILINE))
    texts[f"tb/{contract}.sv"] = write_contract(chip, core, modules[core], adapter, contract)
    models = tuple(os.path.relpath(path.resolve(), output.resolve() / "tb") for path in macro_files(chip))
    texts |= {f"tb/{path}": text for path, text in bench_files(design, wrap, models).items()}
    return _with_readme(design, texts)


_WRAPPER = "rtl/macro"
"""Where copies of the user's own Verilog around the macro are."""


def _wrapper_texts(chip: Chip) -> dict[str, str]:
    """The user's own wrapper around the macro, which is synthesised with the core."""
    texts: dict[str, str] = {}
    for path in rtl_files(chip):
        if f"{_WRAPPER}/{path.name}" in texts:
            raise InputError(f"macro.rtl must not have two files of one name, as {path.name}")
        texts[f"{_WRAPPER}/{path.name}"] = read_text(path, VERILOG)
    return texts


def _within_wrapper(chip: Chip) -> str:
    """Where the macro is within its wrapper, as far as the wrapper's file tells."""
    macro = chip.macro
    if macro is None or not macro.wrapper:
        return ""
    text, _ = read_module(rtl_files(chip), macro.wrapper)
    found = re.search(rf"\b{re.escape(macro.module)}\s+(?:#\s*\([^;]*?\)\s*)?(\w+)\s*\(", text or "")
    return f".{found[1]}" if found else ""


def _register_texts(map: RegisterMap, name: str) -> dict[str, str]:
    return {
        f"regs/{name}.rdl": system_rdl(map, name),
        f"regs/{name}.md": f"# Registers of {name}\n\n{markdown(map)}",
        f"regs/{name}.h": c_header(map, name),
        f"regs/{name}.xml": ip_xact(map, name),
    }


def _rtl(modules: dict[str, str], name: str, prefix: str, *others: str) -> dict[str, str]:
    """A file for each module, the top first; ``others`` are modules that must have other names."""
    rtl = {f"rtl/{file_name(module, prefix)}": text for module, text in modules.items()}
    if any(other in modules for other in others) or len(rtl) < len(modules):
        raise InputError(f"top must not be the name of an inner module or of its file, not {name!r}")
    return rtl


def _tapeout_texts(design: Design) -> dict[str, str]:
    return {
        f"{design.top}.f": file_list(design),
        f"{design.top}.vlt": waivers(ascending=design.ascending),
        f"{design.top}.core": fusesoc_core(design),
        "synth.tcl": synthesis_script(),
        f"{design.top}.sdc": sdc(design),
        "librelane/config.json": librelane_config(design),
    }

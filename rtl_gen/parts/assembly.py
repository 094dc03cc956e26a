"""What the files of every part are put together from."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mho.hw.config import Chip
from mho.hw.host.registers import AddressMap, RegisterMap
from mho.hw.kinds import core_blocks
from mho.macro_models.errors import InputError
from mho.macro_models.files import read_text
from mho.macro_models.files.scripts import plain_file
from mho.rtl_gen.emit import boundary, file_name
from mho.rtl_gen.ip_xact import ip_xact
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.macro.adapter import module_name, write_stub
from mho.rtl_gen.macro.outline import write_lef, write_outline
from mho.rtl_gen.macro.own_files import VERILOG, macro_files, read_module, rtl_files
from mho.rtl_gen.macro.pin_check import macro_map
from mho.rtl_gen.macro.views import write_liberty, write_upf
from mho.rtl_gen.registers import c_header, markdown, system_rdl
from mho.rtl_gen.tapeout_files import Design, file_list, fusesoc_core, librelane_config, sdc, waivers, write_readme
from mho.rtl_gen.templates import template
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
        f"regs/{name}.xml": ip_xact(map, name),
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

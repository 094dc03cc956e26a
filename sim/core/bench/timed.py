"""A netlist with the delays of its SDF, in a module that keeps the times outside of it as a layout's constraints do."""

import re
from pathlib import Path

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.files import FileKind, read_text
from mho.macro_models.files.scripts import is_plain
from mho.rtl_gen.macro.contract import contract_signals
from mho.rtl_gen.verilog.ports import Port, module_ports

_SDF, _NETLIST = FileKind("SDF file", 1 << 29), FileKind("netlist", 1 << 29)

_INPUT_ps = 300
"""From the clock to the inputs, which come from flip-flops: more than the 200 ps of a module's constraints."""

_MACRO_ps = 1000
"""From the clock to the outputs of the macro, as in the template of its Liberty file."""


def timed_netlist(chip: Chip, netlist: Path, sdf: Path, folder: Path) -> Path:
    """Write a netlist of the chip's core with its delays into ``folder``; its top is that of the core.

    Raises InputError if a file is missing, the netlist has no such top or macro, or the macro is the user's own. Raises
    ToolError if the path of the folder cannot stand in Verilog.
    """
    pins = core_blocks(chip).pins
    top, timed = f"{chip.verilog.prefix}core", f"{pins.module}_timed"
    if chip.macro is not None:
        raise InputError(f"{sdf}: delays are for a core behind the pins of the contract, not behind {chip.macro.outer}")
    for path in (netlist, sdf):
        if not path.is_file():
            raise InputError(f"{path}: must be a file, and is none")
    delays = folder / "delays.sdf"
    if not is_plain(delays):
        raise ToolError(f"{folder}: must be a path without blanks and signs but . _ + -; set TMPDIR to one")
    text = read_text(netlist, _NETLIST)
    ports = [port for port in (module_ports(text, top) or {}).values() if not port.guarded]
    text, count = re.subn(rf"^(\s*){pins.module}(?=\s+[\\\w])", rf"\1{timed}", text, flags=re.MULTILINE)
    if not ports or count != 1:
        raise InputError(f"{netlist}: must have the module {top} and in it {pins.module} once")
    text = re.sub(rf"\bmodule\s+{top}\b", f"module {top}_untimed", text)
    # Icarus reads neither escaped names in SDF nor its words as pins, as hold of the macro, and stops there silently.
    text = re.sub(r"\\(\S+)(?=\s)", lambda name: re.sub(r"\W", "_", name[1]), text)
    times = _delays_of(sdf, top).replace(f'(CELLTYPE "{top}")', f'(CELLTYPE "{top}_untimed")')
    times = re.sub(rf'^ \(CELL\n  \(CELLTYPE "{pins.module}"\)\n.*?^ \)\n', "", times, flags=re.MULTILINE | re.DOTALL)
    times = re.sub(r"^.*\(INTERCONNECT .*\bhold\b.*\n", "", times, flags=re.MULTILINE)
    delays.write_text(re.sub(r"\\.", "_", times))
    sides = [Port(name=name, direction="output" if driven else "input", limits=(width - 1, 0) if width > 1 else None)
             for name, (width, driven) in contract_signals(pins).items()]
    outer = _delayed(top, f"{top}_untimed", ports, "input", _INPUT_ps, f'$sdf_annotate("{delays}", inner);')
    written = folder / netlist.name
    written.write_text("\n".join([
        "`timescale 1ps/1ps", outer, _delayed(timed, pins.module, sides, "output", _MACRO_ps, ""), text]))
    return written


def _delays_of(sdf: Path, top: str) -> str:
    """The text of a file with delays. Icarus goes on without any where it is damaged, and without those of others."""
    text = read_text(sdf, _SDF)
    bare = re.sub(r'"[^"]*"', "", text)
    if not re.match(r"\s*\(\s*DELAYFILE\b", bare) or "(CELL" not in bare or bare.count("(") != bare.count(")"):
        raise InputError(f"{sdf}: must be a whole SDF file with cells, (DELAYFILE .. (CELL ..))")
    design = re.search(r'\(\s*DESIGN\s+"([^"]*)"', text)
    if design is not None and design[1] != top:
        raise InputError(f"{sdf}: must have the delays of {top}, not of {design[1]!r}")
    return text


def _delayed(name: str, inner: str, ports: list[Port], way: str, delay_ps: int, begin: str) -> str:
    """A module around another one whose ports of one direction, but for the clock, are late."""
    late = [port for port in ports if port.direction == way and port.name != "clk"]
    pins = ", ".join(f".{port.name}({port.name}{'_inner' if port in late else ''})" for port in ports)
    lines = [f"module {name} (", ",\n".join(f"  {port.direction} {port.bits}{port.name}" for port in ports), ");"]
    for port in late:
        ends = (f"{port.name}_inner", port.name) if way == "input" else (port.name, f"{port.name}_inner")
        lines += [f"  wire {port.bits}{port.name}_inner;", f"  assign #{delay_ps} {ends[0]} = {ends[1]};"]
    return "\n".join([*lines, f"  {inner} inner ({pins});", *([f"  initial {begin}"] if begin else []), "endmodule"])

"""Synthesis of a design module by module, so that the hierarchy stays and what did not change is not built again.

Area is given twice: mapped alone, without buffers, and buffered and sized by ABC, which is the netlist that is timed.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

from mho.macro_models.errors import ToolError
from mho.macro_models.files.scripts import plain_folder
from mho.macro_models.workspace import Workspace
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.testable import TEST_MODE
from mho.rtl_gen.verilog.module.gating import CLOCK_GATE
from mho.sim.build.children import run_tool
from mho.sim.build.toolchain import cache_folder, cached_build, require_tool, tool_version
from mho.sim.silicon.liberty.library import Library


def without_comments(texts: dict[str, str]) -> dict[str, str]:
    """The same modules: comments change no netlist."""
    return {name: re.sub(r" *//.*", "", text) for name, text in texts.items()}


def black_box(text: str) -> str:
    """A module's ports alone."""
    head = re.search(r"^module .*?\);", text, re.MULTILINE | re.DOTALL)
    return f"(* blackbox *)\n{head[0] if head else ''}\nendmodule\n"


def instances(text: str, modules: dict[str, str]) -> list[str]:
    """Modules that a module instantiates, as often as it does."""
    return [name for name in re.findall(r"^  (\w+) (?:#\(.*\) )?\w+ \($", text, re.MULTILINE) if name in modules]


def macro_stub(adapter: str) -> str:
    """The macro as the adapter uses it, a black box whose ports have no direction that matters here."""
    name, body = re.findall(r"^  (\w+) (?:#\(.*\) )?\w+ \((.*?)\);", adapter, re.MULTILINE | re.DOTALL)[-1]
    widths = {n: w for w, n in re.findall(r"^\s*(?:input|output)\s+wire\s+(\[\d+:0\])?\s*(\w+)", adapter, re.MULTILINE)}
    outputs = re.findall(r"^\s*output\s+wire\s+(?:\[\d+:0\])?\s*(\w+)", adapter, re.MULTILINE)
    ports = [
        f"{'output' if wire in outputs else 'input'} {widths.get(wire, '') or ''} {port}"
        for port, wire in re.findall(r"\.(\w+)\((\w*)\)", body)
    ]
    return f"(* blackbox *)\nmodule {name} ({', '.join(ports)});\nendmodule\n"


def gating(cell: str, enable: str, clock: str, gated: str) -> str:
    """Commands of Yosys that give flip-flops with one enable a gated clock, by a cell and its pins.

    Resets become a part of enables first. Logic without them shows its reset values in simulation alone where registers
    begin with values that are known.
    """
    return (f"dfflegalize {_KINDS} -cell $_SDFF_PP?_ 01 -cell $_SDFFCE_PP?P_ 01\ndfflegalize {_KINDS}\n"
            "opt_merge\nopt_clean\n"
            f"clockgate -pos {cell} {enable}:{clock}:{gated} -min_net_size {LEAST_GATED}\nopt_clean\n")


def gate_module(text: str, cell: str, enable: str, clock: str, gated: str) -> str:
    """A module of clock gates with a cell of the library in place of its body, and that cell as a black box."""
    head = text[text.index("\nmodule ") + 1 : text.index(");") + 2]
    opened = f"enable | {TEST_MODE}" if TEST_MODE in head else "enable"
    module = f"{head}\n  {cell} gate (.{clock}(clk), .{enable}({opened}), .{gated}(gated));\nendmodule\n"
    return module + f"(* blackbox *) module {cell} (input {clock}, input {enable}, output {gated});\nendmodule\n"


def counted(modules: dict[str, str], top: str) -> dict[str, int]:
    """How often each module is in the design."""
    result: dict[str, int] = {}

    def visit(name: str) -> None:
        result[name] = result.get(name, 0) + 1
        for child in instances(modules[name], modules):
            visit(child)

    visit(top)
    return result


def memory_bits(modules: dict[str, str], number: dict[str, int], prefix: str) -> dict[str, int]:
    """Bits of each memory wrapper, all its instances."""
    shapes = {name: re.match(rf"{prefix}mem_(\d+)x(\d+)", name) for name in number}
    return {name: int(m[1]) * int(m[2]) * number[name] for name, m in shapes.items() if m}


def parts_of(modules: dict[str, str], top: str) -> list[str]:
    """Parts of a tile that have modules: its own logic, its node, its core, the registers of that."""
    return [name for name in dict.fromkeys(instances(modules[top], modules)) if instances(modules[name], modules)]


@dataclass(frozen=True, kw_only=True)
class SlowPath:
    """The slowest path from flip-flop to flip-flop."""

    slack_ns: float
    fmax_MHz: float
    start: str
    end: str


def slowest(timed: Library, netlists: list[Path], top: str) -> SlowPath:
    """The worst path of the buffered netlist, by OpenSTA."""
    files = {f"{number}.v": path for number, path in enumerate(netlists)} | {"timed.lib": timed.path}
    reads = "\n".join(f"read_verilog {number}.v" for number in range(len(netlists)))
    with Workspace("timing", plain_folder(cache_folder())) as work:
        for name, path in files.items():
            (work / name).symlink_to(path.absolute())
        (work / "time.tcl").write_text(f"""read_liberty timed.lib
{reads}
link_design {top}
create_clock -name clk -period {PERIOD_PS / 1000} [get_ports clk]
set_false_path -from [all_inputs]
set_false_path -to [all_outputs]
set resets [get_pins -quiet -hierarchical *soft_reset]
if {{[llength $resets]}} {{set_false_path -through $resets}}
report_checks -path_delay max -format full -fields {{fanout slew}} -digits 3
exit
""")
        text = tool_text(["sta", "-no_splash", "-exit", "time.tcl"], work)
    if failed := re.search(r"^Error.*", text, re.MULTILINE):
        raise ToolError(f"sta failed: {failed[0]}")
    slack = re.search(r"^\s*(-?[\d.]+)\s+slack", text, re.MULTILINE)
    ends = re.findall(r"^(?:Startpoint|Endpoint): (\S+)", text, re.MULTILINE)
    if slack is None or len(ends) < 2:
        raise ToolError(f"sta found no path: {text[-300:].strip()}")
    nets = re.findall(r"([\w/.\[\]]+)/[A-Z]\w* \(", text)
    delay = PERIOD_PS / 1000 - float(slack[1])
    start, end = (nets[0], nets[-1]) if nets else ends[:2]
    return SlowPath(slack_ns=float(slack[1]), fmax_MHz=1000 / delay, start=start, end=end)


def tool_text(command: list[str], folder: Path) -> str:
    """What a command prints in ``folder``.

    Raises ToolError if the tool is missing, or fails: with the last thing that it said.
    """
    require_tool(command[0])
    log = folder / f"{command[0]}.log"
    status = run_tool(command, folder, log)
    text = log.read_text(errors="replace")
    if status:
        said = next((line for line in reversed(text.splitlines()) if line.strip()), f"status {status}")
        raise ToolError(f"{command[0]} failed: {said.strip()[:300]}")
    return text


PERIOD_PS = 10_000
FANOUT = 12
"""Most loads of a gate in the netlist that is timed."""

LEAST_GATED = 4
"""Fewest flip-flops of an enable that have a gate for their clock."""

_KINDS = ("-cell $_DFF_P_ 01 -cell $_DFFE_PP_ 01 -cell $_DFF_PN?_ 01 -cell $_DFFE_PN?P_ 01 "
          "-cell $_DLATCH_?_ x -cell $_DLATCH_?N?_ x")
"""Flip-flops before their clocks are gated. A reset that goes before an enable becomes a part of it first."""


class Synthesis:
    """Synthesises modules one at a time, those that the cache does not have.

    Parameters
    ----------
    modules
        Texts of all modules by name.
    timed, plain
        Library of the buffered netlist, and of the area without buffers.
    """

    def __init__(self, modules: dict[str, str], timed: Library, plain: Library) -> None:
        self.modules, self.timed, self.plain = modules, timed, plain

    def block(self, name: str) -> tuple[dict[str, Any], Path]:
        """Counts of a module, and its netlist."""
        inner = sorted(set(instances(self.modules[name], self.modules)))
        stubs = "".join(black_box(self.modules[child]) for child in inner)
        if "macro_adapter" in name:
            stubs += macro_stub(self.modules[name])
        text, gate = self.modules[name], self._gate()
        if name.endswith(CLOCK_GATE) and gate is not None:
            text = gate_module(text, *gate)
        source = text + stubs

        def build(folder: Path) -> None:
            with Workspace("silicon", plain_folder(folder)) as work:
                for kind, library in (("plain", self.plain), ("timed", self.timed)):
                    (work / f"{kind}.lib").symlink_to(library.path.absolute())
                (work / "source.v").write_text(source)
                (work / "script.ys").write_text(self._script(name))
                (work / "drive").write_text(f"set_driving_cell {self.timed.driver}\nset_load 0.02 [all_outputs]\n")
                try:
                    tool_text(["yosys", "-q", "script.ys"], work)
                    by_kind = {kind: self._counts(work / kind, name) for kind in ("plain", "timed")}
                except (ToolError, ValueError, LookupError) as error:
                    names = dict.fromkeys(f"{library.name}.lib" for library in (self.plain, self.timed))
                    raise ToolError(f"{' and '.join(names)}: {error}; {name} cannot be made of its cells") from None
                copyfile(work / "netlist.v", folder / "netlist.v")
            (folder / "counts.json").write_text(json.dumps(by_kind))

        key = [source, self._script(name), self.plain.hash, self.timed.hash, tool_version("yosys")]
        folder = cached_build("cells", key, build, what="")
        return json.loads((folder / "counts.json").read_text()), folder / "netlist.v"

    def _script(self, name: str) -> str:
        """Yosys' script: one synthesis, mapped twice. Files are those of the folder where it runs."""
        unused = {lib: " ".join(f"-dont_use {cell}" for cell in lib.unused) for lib in (self.timed, self.plain)}
        sized = f"+strash;ifraig;dc2;dch,-f;map,-B,0.9,-D,{PERIOD_PS // 2};topo;"
        sized += f"buffer,-p,-N,{FANOUT};topo;upsize,-D,{PERIOD_PS // 2};dnsize,-D,{PERIOD_PS // 2}"
        return fill(template("silicon.ys"), {
            "NAME": name, "GATING": gating(*gate) if (gate := self._gate()) else "", "PLAIN": unused[self.plain],
            "TIMED": unused[self.timed], "SIZED": sized,
        })

    def _gate(self) -> tuple[str, str, str, str] | None:
        """The cell that gates clocks, if both libraries have the same."""
        return self.timed.clock_gate if self.timed.clock_gate == self.plain.clock_gate else None

    def _counts(self, file: Path, name: str) -> dict[str, float]:
        text = file.read_text()
        modules = json.loads(text[text.index("{") :])["modules"][f"\\{name}"]
        flops = sum(n for cell, n in modules["num_cells_by_type"].items() if "df" in cell)
        return {"area": modules.get("area", 0.0), "flip_flops": flops}

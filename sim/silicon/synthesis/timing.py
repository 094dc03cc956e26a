"""The slowest path of a buffered netlist, by OpenSTA: with an ideal clock and without wires."""

import re
from dataclasses import dataclass
from pathlib import Path

from mho.macro_models.errors import ToolError
from mho.macro_models.files.scripts import plain_folder
from mho.macro_models.workspace import Workspace
from mho.sim.silicon.liberty.library import Library
from mho.sim.silicon.synthesis.blocks import PERIOD_PS
from mho.sim.silicon.synthesis.tools import tool_text

__all__ = ["SlowPath", "slowest"]


@dataclass(frozen=True, kw_only=True)
class SlowPath:
    """The slowest path from flip-flop to flip-flop."""

    slack_ns: float
    fmax_MHz: float
    start: str
    end: str


def slowest(timed: Library, netlists: list[Path], top: str, folder: Path) -> SlowPath:
    """The worst path of the buffered netlist, by OpenSTA."""
    files = {f"{number}.v": path for number, path in enumerate(netlists)} | {"timed.lib": timed.path}
    reads = "\n".join(f"read_verilog {number}.v" for number in range(len(netlists)))
    with Workspace("timing", plain_folder(folder)) as work:
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
    (folder / "slowest.txt").write_text(text)
    nets = re.findall(r"([\w/.\[\]]+)/[A-Z]\w* \(", text)
    delay = PERIOD_PS / 1000 - float(slack[1])
    start, end = (nets[0], nets[-1]) if nets else ends[:2]
    return SlowPath(slack_ns=float(slack[1]), fmax_MHz=1000 / delay, start=start, end=end)

"""Energy of a core's logic, from its switching activity, in a library of standard cells, by OpenSTA.

Named nets have the activity that the co-simulation saw; OpenSTA carries it through the logic between them. Energy is
what cells take inside and at their loads, and leakage. Wires, memories, macro and the tree of the clock are left out.
"""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hw.config import Chip
from macro_models.errors import InputError, ToolError
from rtl_gen.emit import ADAPTER, module_texts
from sim.build.toolchain import cache_folder
from sim.silicon.activity import Activity, read_activity
from sim.silicon.area import Netlist, synthesise
from sim.silicon.library import Library
from sim.silicon.modules import without_comments
from sim.silicon.tools import tool_text

__all__ = ["AVERAGE_ACTIVITY", "chip_energy", "instance_paths"]

AVERAGE_ACTIVITY = 0.1
"""Changes of a net in a cycle, where nothing is known of it."""

_LEFT_OUT = "Memories, the macro, wires and the tree of the clock are left out."


def chip_energy(
    chip: Chip, liberty: Path, trace: Path, images: int, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """For JSON: energy of the logic of a core for one of ``images`` inputs, all of which are in ``trace``, by block.

    ``image_pJ`` is with the activity of the trace, ``average_pJ`` with an average one, ``still_pJ`` with that of the
    clock alone.

    Raises
    ------
    InputError
        If the chip has several cores, or library or trace are none of this chip.
    ToolError
        If a tool is missing or fails.
    """
    if chip.cores > 1:
        raise InputError(f"{chip.name}: energy from activity is for chips of one core, not of {chip.cores}")
    folder = cache_folder() / "silicon"
    folder.mkdir(parents=True, exist_ok=True)
    prefix, library = chip.verilog.prefix, Library(liberty, folder)
    made = synthesise(
        without_comments(module_texts(chip, "none")), prefix, library, library, folder, progress=progress
    )
    activity = read_activity(trace)
    places = instance_paths(made)
    scope = activity.below([
        path for path, module in places.items() if path and "/" not in path and not module.endswith(ADAPTER)
    ])
    cycles = _cycles(activity, scope)
    period_ns = 1000.0 / chip.clock.f_clk_MHz
    seen = "\n".join(_annotations(made, places, activity, scope, cycles))
    average, still = (f"set_power_activity -global -activity {one} -duty 0.5" for one in (AVERAGE_ACTIVITY, 0.0))
    powers = [_powers(made, library, period_ns, text) for text in (seen, average, still)]
    took = cycles * period_ns / images  # ns; watts times it are nanojoules
    blocks = [
        {"block": made_of.removeprefix(prefix), "image_pJ": 1000 * one * took, "average_pJ": 1000 * other * took}
        for made_of, one, other in _by_module(places, *powers[:2])
    ]
    return {
        "image_pJ": sum(one["image_pJ"] for one in blocks), "average_pJ": sum(one["average_pJ"] for one in blocks),
        "still_pJ": 1000 * took * sum(power for path, power in powers[2].items() if path not in places),
        "average_activity": AVERAGE_ACTIVITY, "cycles": cycles / images, "blocks": blocks, "left_out": _LEFT_OUT,
        "named_nets": len(re.findall("^seen ", seen, re.MULTILINE)),
    }


def instance_paths(made: Netlist) -> dict[str, str]:
    """Module of each instance of a module, by its path with slashes; the top's path is empty."""
    found = {"": made.top}

    def visit(path: str, module: str) -> None:
        for child, name in re.findall(r"^  (\w+) (?:#\(.*\) )?(\w+) \($", made.modules[module], re.MULTILINE):
            if child in made.modules:
                inner = f"{path}/{name}" if path else name
                found[inner] = child
                visit(inner, child)

    visit("", made.top)
    return found


def _cycles(activity: Activity, scope: str) -> int:
    clock = activity.changes.get(f"{scope}.clk")
    if not clock or clock[0] < 2:
        raise InputError(f"the trace must have the clock {scope}.clk, and cycles of it")
    return clock[0] // 2


def _annotations(
    made: Netlist, places: dict[str, str], activity: Activity, scope: str, cycles: int
) -> list[str]:
    """Commands that give nets their activity: those whose names Yosys kept."""
    lines = [
        # What nobody names rests, where OpenSTA would take a tenth of a change in a cycle.
        "set_power_activity -input -activity 0.0 -duty 0.5",
        # set_power_activity -pins of OpenSTA 2.0 calls what there is not; this is what it would call.
        "proc seen {name changes} {", "  set net [get_nets -quiet $name]", "  if {![llength $net]} {return}",
        "  foreach pin [get_pins -quiet -of_objects $net] {sta::set_power_pin_activity $pin $changes 0.5}", "}",
    ]
    names = {module: _wires(path.read_text()) for module, path in made.netlists.items()}
    for place, module in places.items():
        dotted = scope + "".join(f".{part}" for part in place.split("/") if part)
        for name, width in names.get(module, ()):
            changes = activity.changes.get(f"{dotted}.{name}")
            if changes is None or len(changes) != width or name == "clk":
                continue
            base = f"{place}/{name}" if place else name
            bits = [base] if width == 1 else [f"{base}[{k}]" for k in range(width)]
            lines += [f"seen {{{bit}}} {count / cycles:.5g}" for bit, count in zip(bits, changes, strict=True)]
    return lines


def _wires(netlist: str) -> list[tuple[str, int]]:
    """Named wires of a netlist and their widths."""
    found = re.findall(r"^  wire (?:\[(\d+):0\] )?(\w+);$", netlist, re.MULTILINE)
    return [(name, int(high) + 1 if high else 1) for high, name in found if not name.startswith("_")]


def _powers(made: Netlist, library: Library, period_ns: float, activities: str) -> dict[str, float]:
    """Power of each cell in watts, by its path."""
    reads = "\n".join(f"read_verilog {path}" for path in made.netlists.values())
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        (work / "power.tcl").write_text(f"""read_liberty {library.path}
{reads}
link_design {made.top}
create_clock -name clk -period {period_ns} [get_ports clk]
{activities}
report_power -instances [get_cells -hierarchical *] -digits 6 > power.txt
exit
""")
        text = tool_text(["sta", "-no_splash", "-exit", "power.tcl"], work)
        if failed := re.search(r"^Error.*", text, re.MULTILINE):
            raise ToolError(f"sta failed: {failed[0]}")
        report = (work / "power.txt").read_text()
    rows = re.findall(r"^\s*[\d.]\S+\s+\S+\s+\S+\s+([\d.]\S+)\s+(\S+)\s*$", report, re.MULTILINE)
    if "nan" in report or not rows:
        raise ToolError("sta found no power of some cells of the netlist")
    return {path: float(total) for total, path in rows}


def _by_module(
    places: dict[str, str], one: dict[str, float], other: dict[str, float]
) -> list[tuple[str, float, float]]:
    """Sums over the cells of each module, most first; instances of modules are no cells."""
    sums: dict[str, list[float]] = {}
    for number, powers in enumerate((one, other)):
        for path, power in powers.items():
            if path not in places:
                sums.setdefault(places[path.rpartition("/")[0]], [0.0, 0.0])[number] += power
    return sorted(((module, first, second) for module, (first, second) in sums.items()), key=lambda row: -row[1])

"""Energy of what a routed block did in a simulation of its netlist: by its cells' pins, with extracted wires."""

import re
from dataclasses import dataclass
from pathlib import Path

from mho.macro_models.errors import InputError, ToolError
from mho.sim.layout.stages import Stage, Stages
from mho.sim.silicon.power.activity import Activity, read_activity

_STAGE = Stage(
    name="energy", does="energy by activity", command=("python", "flow/energy.py"), writes="energy.rpt",
    reads=("flow/read.tcl",))
_CELL = re.compile(r"^ (\w+) (\\\S+|\w+) +\((.*?)\);$", re.MULTILINE | re.DOTALL)
_PIN = re.compile(r"\.(\w+)\(")


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Of the digital part of a block, at the typical corner."""

    product_pJ: float
    """Of a product, what lies between products included."""
    power_mW: float
    cycles: float
    """Of a product."""


def layout_energy(stages: Stages, top: str, trace: Path, products: int, period_ns: float) -> Energy:
    """Energy of each of ``products`` in a trace of the block's netlist, ``TOP.v``.

    Raises InputError if the trace has not the cells of the netlist. Raises ToolError if OpenROAD fails.
    """
    folder = stages.folder
    cells = {name.removeprefix("\\"): _PIN.findall(pins)
             for _, name, pins in _CELL.findall((folder / f"{top}.v").read_text())}
    activity = read_activity(trace)
    plain = [name for name in cells if re.fullmatch(r"_\d+_", name)]
    scope = activity.below(plain[:3])
    text = _saif(top, scope, cells, activity, round(1000 * period_ns))
    (folder / "activity.saif").write_text(text)
    stages.run([_STAGE], ["activity.saif", "finish.odb", f"{top}.spef"])
    total = re.search(r"^Total(?: +\S+){3} +(\S+)", (folder / "energy.rpt").read_text(), re.MULTILINE)
    if total is None:
        raise ToolError(f"{folder / 'energy.rpt'}: OpenROAD reported no power")
    cycles, watts = activity.cycles / products, float(total[1])
    return Energy(product_pJ=1e3 * watts * cycles * period_ns, power_mW=1e3 * watts, cycles=cycles)


def _saif(top: str, scope: str, cells: dict[str, list[str]], activity: Activity, period_ps: int) -> str:
    """What the pins of cells did, as SAIF."""
    span = activity.cycles * period_ps
    lines, count = [], 0
    for name, pins in cells.items():
        nets = []
        for pin in pins:
            path = f"{scope}.{name}.{pin}"
            if path in activity.changes:
                high = activity.ones[path][0] * period_ps
                nets.append(f"({pin} (T0 {span - high}) (T1 {high}) (TX 0) (TC {activity.changes[path][0]}) (IG 0))")
        if nets:
            count += 1
            escaped = re.sub(r"(\W)", r"\\\1", name)
            lines.append(f"(INSTANCE {escaped} (NET {' '.join(nets)}))")
    if count < len(cells) / 2:
        raise InputError(f"the trace must be of this netlist: it has {count} of its {len(cells)} cells")
    head = f'(SAIFILE (SAIFVERSION "2.0") (DIRECTION "backward") (DIVIDER /) (TIMESCALE 1 ps) (DURATION {span})'
    return "\n".join([head, f"(INSTANCE {top}", *lines, "))"]) + "\n"

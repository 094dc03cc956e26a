"""What tools say of a layout, read from what they wrote: KLayout's exit code is 0 whatever it found."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.files import parse_json, reading
from mho.sim.layout.plan import LAYOUT
from mho.sim.layout.stages import Stage, Stages
from mho.sim.silicon.power.activity import Activity, read_activity

_STAGE = Stage(
    name="energy", does="energy by activity", command=("python", "flow/energy.py", "{stage}"), writes="energy.rpt",
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


def layout_energy(
    stages: Stages, top: str, trace: Path, products: int, period_ns: float, *, stage: str = "finish"
) -> Energy:
    """Energy of each of ``products`` in a trace of the block's netlist, ``TOP.v``; with ``stage`` clock, ``clock.v``.

    Raises InputError if the trace has not the cells of the netlist. Raises ToolError if OpenROAD fails.
    """
    folder, netlist = stages.folder, f"{top}.v" if stage == "finish" else "clock.v"
    stages.words["stage"] = stage
    cells = {name.removeprefix("\\"): _PIN.findall(pins)
             for _, name, pins in _CELL.findall((folder / netlist).read_text())}
    activity = read_activity(trace)
    plain = [name for name in cells if re.fullmatch(r"_\d+_", name)]
    scope = activity.below(plain[:3])
    text = _saif(top, scope, cells, activity, round(1000 * period_ns))
    (folder / "activity.saif").write_text(text)
    stages.run([_STAGE], ["activity.saif", f"{stage}.odb", *([f"{top}.spef"] if stage == "finish" else [])])
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


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A block's layout."""

    top: str
    process: str
    stage: str
    """Module; name of the process; the last stage that says what it is like, of ``FIGURES``."""
    cells: int
    """Of the synthesis."""
    width_um: float
    height_um: float
    utilisation: float
    """Outline; share of the rows that cells fill, without fillers."""
    period_ns: float
    slow_ns: float
    fast_ns: float
    """Of the clock; worst slack with wires (before ``finish`` as placement estimates them): setup in the slow corner,
    hold in the fast one, which is nothing before there is a clock tree."""
    limits: int
    """Pins beyond limits of slew and load."""
    power_mW: float | None = None
    """At the typical corner with extracted wires, where every signal changes in a tenth of the cycles."""
    routing: int | None = None
    antennas: int | None = None
    """Violations that the router says; nets with antennas. None for a layout that is not as far, as in what follows."""
    rules: dict[str, int] | None = None
    """Places that the deck of design rules reports, by rule."""
    matches: bool | None = None
    """Whether the layout is the netlist down to transistors."""
    wrong_ports: tuple[str, ...] | None = None
    """Pins that are not where the netlist has them; empty if all are."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage."""
    energy: Energy | None = None
    """By the activity of a simulation, where one was given."""

    @property
    def clean(self) -> bool:
        """Nothing of what was looked at is left to mend, timing included; a floorplan has no wires yet."""
        if self.stage == "floorplan":
            return True
        hold = 0.0 if self.stage == "place" else self.fast_ns
        return self.matches is not False and min(self.slow_ns, hold) >= 0 and not (
            self.wrong_ports or self.rules or self.routing or self.antennas or self.limits)


def read_layout(
    folder: Path, top: str, process: str, outline: tuple[int, float, float, float], seconds: dict[str, float], *,
    until: str = "",
) -> Layout:
    """Read the reports in the folder of a layout. ``outline``: cells, width and height in um, clock period in ns.

    ``until``: the stage that it is done to, of those that have figures; else all of it is done.
    """
    cells, width, height, period = outline
    stage = until or "finish"
    with reading(folder, LAYOUT):
        area = re.search(r"^Design area .* (\d+)% utilization", (folder / f"{stage}.log").read_text(), re.MULTILINE)
        layout = Layout(
            top=top, process=process, stage=stage, cells=cells, width_um=width, height_um=height, period_ns=period,
            utilisation=int(area[1]) / 100 if area else 0.0, seconds=seconds,
            slow_ns=_slack(folder / f"{stage}.slow.max.rpt"), fast_ns=_slack(folder / f"{stage}.fast.min.rpt"),
            limits=(folder / f"{stage}.limits.rpt").read_text().count("(VIOLATED)"),
        )
        if stage == "finish":
            power = re.search(r"^Total(?: +\S+){3} +(\S+)", (folder / "power.rpt").read_text(), re.MULTILINE)
            layout = replace(
                layout, power_mW=float(power[1]) * 1e3 if power else 0.0,
                routing=(folder / "route.drc").read_text().count("violation type"),
                antennas=int((folder / "antennas.txt").read_text()))
        if until:
            return layout
        ports = parse_json((folder / "ports.json").read_text())
        return replace(
            layout, rules=_rules(folder / "drc.lyrdb"), matches=_matches(folder / "lvs.log"),
            wrong_ports=tuple(ports["lost"]) or (() if ports["match"] else ("not paired by name",)))


def _slack(report: Path) -> float:
    slacks = re.findall(r"^\s*(-?[\d.]+)\s+slack", report.read_text(), re.MULTILINE)
    if not slacks:
        raise ToolError(f"{report}: OpenROAD found no path")
    return min(map(float, slacks))


def _rules(report: Path) -> dict[str, int]:
    """Places by rule in a report database of KLayout."""
    text = report.read_text(errors="replace")
    if "</report-database>" not in text:
        raise ToolError(f"{report}: KLayout wrote no whole report")
    places = re.findall(r"<item>.*?<category>'?(.*?)'?</category>", text, re.DOTALL)
    return {rule: places.count(rule) for rule in sorted(set(places))}


def _matches(log: Path) -> bool:
    """What the deck says in words."""
    text = log.read_text(errors="replace").lower()
    if "match" not in text:
        raise ToolError(f"{log}: the deck did not say whether the netlists match")
    return "don't match" not in text and "do not match" not in text and "mismatch" not in text

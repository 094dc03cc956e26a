"""Standard cells of a Liberty file, as far as their power needs them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mho.macro_models.files import reading
from mho.sim.silicon.liberty.boolean import Truth, truth
from mho.sim.silicon.liberty.library import (
    CLOCK_PIN,
    ENABLE_PIN,
    LIBERTY,
    Group,
    Lookup,
    Units,
    liberty_text,
    parse_liberty,
)

MOVES = "moves"
"""In conditions: the state of a flip-flop changes at the next edge."""


@dataclass(frozen=True, kw_only=True)
class CellPower:
    """Energy of a change of ``pin``, by rise and fall: while ``when`` is true, and by a change of ``related``.

    Without ``when`` it is for what no other of the same pins covers.
    """

    pin: str
    related: str | None
    when: Truth | None
    tables: tuple[Lookup, ...]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A standard cell."""

    name: str
    inputs: dict[str, float]
    """Capacitance of each in F."""
    outputs: dict[str, Truth | None]
    """Function of each, of inputs and the state ``IQ``; None where the file gives none."""
    transitions: dict[str, tuple[tuple[str, Lookup], ...]]
    """Tables of the transition of each output by what drives it."""
    powers: tuple[CellPower, ...]
    """Energies in units of the library; their conditions are of inputs, the state ``IQ``, and ``MOVES``."""
    leakage: float
    leakages: tuple[tuple[Truth, float], ...]
    """Leakage in W, by default and while something is true."""
    clocks: frozenset[str]
    data: Truth | None
    """Pins of a clock; what the state becomes, None for cells without one."""
    gates_clock: bool
    """It gates a clock: its output is a clock while its enable, held from before the edge, is 1."""

    @property
    def pins(self) -> list[str]:
        """Inputs, then outputs."""
        return [*self.inputs, *self.outputs]


class Cells:
    """The cells of a Liberty file by their names, each read when it is asked for.

    Raises InputError if the file is none.
    """

    def __init__(self, path: Path) -> None:
        library = parse_liberty(liberty_text(path), str(path))
        with reading(path, LIBERTY):
            self.units = Units.of(library)
        self.path = path
        self._groups = {group.name: group for group in library.all("cell")}
        self._templates = {group.name: group for group in library.all("lu_table_template", "power_lut_template")}
        self.cell = cache(self._cell)

    def __contains__(self, name: str) -> bool:
        return name in self._groups

    def least_flip_flop(self) -> float:
        """Area of the smallest flip-flop in um2; 0 without one."""
        flops = [group for group in self._groups.values() if group.first("ff") is not None]
        with reading(self.path, LIBERTY):
            return min((float(group.values.get("area", 0)) for group in flops), default=0.0)

    def _cell(self, name: str) -> Cell:
        group = self._groups[name]
        with reading(self.path, LIBERTY):
            return self._read(group)

    def _read(self, group: Group) -> Cell:
        pins = {pin.name: pin for pin in group.all("pin")}
        state = next(group.all("ff", "latch"), None)
        inputs = {name: pin for name, pin in pins.items() if pin.values.get("direction") == "input"}
        named = {} if state is None else {state.names[0]: _STATE, **dict.fromkeys(state.names[1:2], _OTHER)}
        gates = "clock_gating_integrated_cell" in group.values
        if gates:
            named = _held(pins)
        written = {name: pin.values.get("function", pin.values.get("state_function")) for name, pin in pins.items()
                   if pin.values.get("direction") == "output"}
        functions = {name: None if text is None else truth(text).replaced(named) for name, text in written.items()}
        functions_of = named | {name: function for name, function in functions.items() if function is not None}
        clocked = "" if state is None else state.values.get("clocked_on", state.values.get("enable", ""))
        data = None if state is None else state.values.get("next_state", state.values.get("data_in"))
        if data in inputs and state is not None and state.kind == "ff":
            functions_of[data] = _NEXT
        leakages = [leak for leak in group.all("leakage_power") if "when" in leak.values]
        unit = self.units.watt
        return Cell(
            name=group.name,
            inputs={n: float(pin.values.get("capacitance", 0)) * self.units.farad for n, pin in inputs.items()},
            outputs=functions,
            transitions={name: tuple(self._transitions(pins[name])) for name in functions},
            powers=tuple(power for pin in pins.values() for power in self._powers(pin, functions_of)),
            leakage=float(group.values.get("cell_leakage_power", 0)) * unit,
            leakages=tuple(
                (truth(leak.values["when"]).replaced(functions_of), float(leak.values["value"]) * unit)
                for leak in leakages
            ),
            clocks=frozenset(
                name for name, pin in inputs.items()
                if "true" in (pin.values.get("clock"), pin.values.get(CLOCK_PIN))
                or (state is not None and name in truth(clocked).names)
            ),
            data=None if data is None else truth(data).replaced(named), gates_clock=gates,
        )

    def _transitions(self, pin: Group) -> "list[tuple[str, Lookup]]":
        return [
            (timing.values["related_pin"], Lookup(table, self._templates, self.units.farad))
            for timing in pin.all("timing") if "related_pin" in timing.values
            for table in timing.all("rise_transition", "fall_transition")
        ]

    def _powers(self, pin: Group, functions: dict[str, Truth]) -> "list[CellPower]":
        powers = []
        for power in pin.all("internal_power"):
            rows = power.all("rise_power", "fall_power", "power")
            tables = tuple(Lookup(row, self._templates, self.units.farad) for row in rows)
            when = power.values.get("when")
            powers.append(CellPower(
                pin=pin.name, related=power.values.get("related_pin"),
                when=None if when is None else truth(when).replaced(functions), tables=tables,
            ))
        return powers


def _held(pins: dict[str, Group]) -> dict[str, Truth]:
    """The node within a cell that gates a clock, which holds its enable."""
    enables = [name for name, pin in pins.items() if pin.values.get(ENABLE_PIN) == "true"]
    inner = [name for name, pin in pins.items() if pin.values.get("direction") == "internal"]
    return {name: truth(enable) for name, enable in zip(inner, enables[:1], strict=False)}


_NEXT = Truth(("IQ", MOVES), (False, True, True, False))
"""What is at the input of a flip-flop: its state, unless it is about to change."""

_STATE = Truth(("IQ",), (False, True))
_OTHER = Truth(("IQ",), (True, False))

"""Power of a flat design of standard cells from the activity of its nets.

A change of an output takes what its load holds, C V^2 / 2, and the internal energy of its cell; a change of an input
the internal energy of the library for it; cells leak. Loads are inputs of cells; transitions are worked out from the
clock's on, which has the least transition of the tables. Nets whose activity is not known get it from the inputs of
their cells, each of which is taken to know nothing of the others, and change once a cycle at most: glitches are left
out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.sim.silicon.liberty.boolean import Truth
from mho.sim.silicon.liberty.cell import MOVES, Cell, CellPower, Cells
from mho.sim.silicon.power.flat import ONE, OPEN, Flat

Floats = NDArray[np.float64]


def through(
    cell: Cell, pin: str, related: str | None, whens: "Sequence[Truth | None]", duty: dict[str, Floats], count: int
) -> list[Floats]:
    """How often a change of ``related`` changes an output while each condition is true."""
    function = cell.outputs[pin]
    if cell.data is not None or function is None or related is None:
        return parts(whens, duty, count)
    passes = function.by(related)
    both = [None if when is None else when.both(passes) for when in whens]
    return parts(both, duty, count, passes.probability(duty, count))


def parts(
    whens: "Sequence[Truth | None]", duty: dict[str, Floats], count: int, base: "Floats | float" = 1.0
) -> list[Floats]:
    """How often each condition is true; what has none is for the rest of ``base``."""
    shares = [None if when is None else when.probability(duty, count) for when in whens]
    covered = np.sum([np.zeros(count), *(share for share in shares if share is not None)], axis=0)
    rest = np.maximum(base - covered, 0.0)
    return [rest if share is None else share for share in shares]


def leakage(cell: Cell, duty: dict[str, Floats], count: int) -> Floats:
    """Leakage of cells in W."""
    often = parts([*(when for when, _ in cell.leakages), None], duty, count)
    watts = [*(watt for _, watt in cell.leakages), cell.leakage]
    return np.sum([part * watt for part, watt in zip(often, watts, strict=True)], axis=0)


_MOST_LEVELS = 5000
_ROUNDS = 3
"""How often activity goes round through flip-flops of which nothing is known."""

@dataclass(kw_only=True)
class Activities:
    """Of each net the changes in a cycle, the part of the time in which it is 1, and whether that is known."""

    changes: Floats
    duty: Floats
    known: NDArray[np.bool_]

    @classmethod
    def none(cls, nets: int) -> "Activities":
        """Nothing is known but the constants."""
        activities = cls(changes=np.zeros(nets), duty=np.full(nets, 0.5), known=np.zeros(nets, bool))
        activities.set(np.arange(OPEN), np.zeros(OPEN), np.array([0.0, 1.0]))
        return activities

    def set(self, nets: NDArray[np.int64], changes: "Floats | float", duty: "Floats | float") -> None:
        """What is known of some nets; constants stay."""
        self.changes[nets], self.duty[nets], self.known[nets] = changes, duty, True
        self.changes[: ONE + 1], self.duty[: ONE + 1], self.known[: ONE + 1] = 0.0, (0.0, 1.0), True


@dataclass(frozen=True, kw_only=True)
class Power:
    """Energy of a cycle in J by place: what changes take, and what the clock takes; and leakage in W."""

    changes: Floats
    clock: Floats
    leakage: Floats


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """All cells of a kind: their places, their nets by pin, energies in J of a change by the powers of the cell."""

    cell: Cell
    place: NDArray[np.int64]
    nets: dict[str, NDArray[np.int64]]
    energies: list[Floats]


class PowerModel:
    """Loads, transitions and energies of a design, which do not depend on activity."""

    def __init__(self, flat: Flat, cells: Cells) -> None:
        self.flat, self._volt = flat, cells.units.volt
        self._kinds = {
            name: _Kind(cell=cells.cell(name), place=place, energies=[],
                        nets={pin: nets[:, k] for k, pin in enumerate(cells.cell(name).pins)})
            for name, (place, nets) in flat.cells.items()
        }
        self.loads = self._loads()
        self.clocks = self._clocks()
        gates = [kind.nets[pin] for kind in self._kinds.values() if kind.cell.gates_clock for pin in kind.cell.outputs]
        self.gated = np.concatenate(gates) if gates else np.zeros(0, np.int64)
        self._order = self._by_level()
        self._joule = cells.units.joule
        slews = self._slews()
        for kind in self._kinds.values():
            for power in kind.cell.powers:
                kind.energies.append(self._energy(kind, power, slews))

    def _loads(self) -> Floats:
        loads = np.zeros(self.flat.nets)
        for kind in self._kinds.values():
            for pin, farad in kind.cell.inputs.items():
                np.add.at(loads, kind.nets[pin], farad)
        loads[: OPEN + 1] = 0.0
        return loads

    def _clocks(self) -> NDArray[np.int64]:
        """Nets at the clocks of cells."""
        clock_nets = [kind.nets[pin] for kind in self._kinds.values() for pin in kind.cell.clocks]
        nets = np.unique(np.concatenate(clock_nets)) if clock_nets else np.zeros(0, np.int64)
        return nets[nets > OPEN]

    def _by_level(self) -> list[tuple[_Kind, NDArray[np.int64]]]:
        """Cells without a state, those of a level after those of the levels below: kinds and which of them."""
        level = np.zeros(self.flat.nets, np.int64)
        logic = [kind for kind in self._kinds.values() if kind.cell.data is None and kind.cell.inputs]
        for _ in range(_MOST_LEVELS):
            before = level.copy()
            for kind in logic:
                above = np.max([level[kind.nets[pin]] for pin in kind.cell.inputs], axis=0) + 1
                for pin in kind.cell.outputs:
                    np.maximum.at(level, kind.nets[pin], above)
            level[: OPEN + 1] = 0
            if np.array_equal(level, before):
                break
        levels = []
        for kind in logic:
            at = np.max([level[kind.nets[pin]] for pin in kind.cell.inputs], axis=0)
            levels += [(int(level), kind, np.flatnonzero(at == level)) for level in np.unique(at)]
        return [(kind, which) for _, kind, which in sorted(levels, key=lambda row: row[0])]

    def _slews(self) -> Floats:
        """Transition of each net, the mean of rise and fall, by the slowest input; 0 is the least of a table."""
        slews = np.zeros(self.flat.nets)
        kinds = self._kinds.values()
        gates = [kind for kind in kinds if kind.cell.gates_clock]
        for kind in gates + [kind for kind in kinds if kind.cell.data is not None]:
            self._drive(kind, np.arange(len(kind.place)), slews)
        for kind, which in self._order:
            self._drive(kind, which, slews)
        return slews

    def _drive(self, kind: _Kind, which: NDArray[np.int64], slews: Floats) -> None:
        for pin, tables in kind.cell.transitions.items():
            nets, worst = kind.nets[pin][which], np.zeros(len(which))
            for related in dict.fromkeys(name for name, _ in tables):
                if related in kind.nets:
                    slew = slews[kind.nets[related][which]]
                    energies = [table.at(slew, self.loads[nets]) for name, table in tables if name == related]
                    worst = np.maximum(worst, np.mean(energies, axis=0))
            slews[nets] = np.maximum(slews[nets], worst)
        slews[: OPEN + 1] = 0.0

    def _energy(self, kind: _Kind, power: CellPower, slews: Floats) -> Floats:
        """J of a change, the mean of rise and fall."""
        at = kind.nets.get(power.related or power.pin)
        if at is None or not power.tables:
            return np.zeros(len(kind.place))
        load = self.loads[kind.nets[power.pin]] if power.pin in kind.cell.outputs else np.zeros(len(kind.place))
        return np.mean([table.at(slews[at], load) for table in power.tables], axis=0) * self._joule

    def states(self, activities: Activities) -> tuple[int, int]:
        """Flip-flops whose activity is known, and all of them."""
        measured = every = 0
        for kind in self._kinds.values():
            if kind.cell.data is not None:
                traced = [activities.known[kind.nets[pin]] & (kind.nets[pin] != OPEN) for pin in kind.cell.outputs]
                measured, every = measured + int(np.any(traced, axis=0).sum()), every + len(kind.place)
        return measured, every

    def carry(self, activities: Activities) -> None:
        """Give nets of which nothing is known what follows from the inputs of their cells."""
        measured = activities.known.copy()
        states = [
            kind for kind in self._kinds.values()
            if kind.cell.data is not None and not all(measured[kind.nets[pin]].all() for pin in kind.cell.outputs)
        ]
        for _ in range(_ROUNDS if states else 1):
            for kind in states:
                self._state(kind, activities, measured)
            for kind, which in self._order:
                self._logic(kind, which, activities, measured)

    def _logic(
        self, kind: _Kind, which: NDArray[np.int64], activities: Activities, measured: NDArray[np.bool_]
    ) -> None:
        for pin, function in kind.cell.outputs.items():
            nets = kind.nets[pin][which]
            unmeasured = which[~measured[nets] & (nets != OPEN)]
            if function is None or not len(unmeasured):
                continue
            duty = {name: activities.duty[kind.nets[name][unmeasured]] for name in function.names}
            duty_out = function.probability(duty, len(unmeasured))
            changes = np.zeros(len(unmeasured))
            for name in function.names:
                by = function.by(name).probability(duty, len(unmeasured))
                changes += activities.changes[kind.nets[name][unmeasured]] * by
            if kind.cell.gates_clock:
                # Between edges it is 0, as every clock.
                nets = kind.nets[pin][unmeasured]
                activities.changes[nets], activities.duty[nets] = changes, 0.0
            else:
                self._put(activities, kind.nets[pin][unmeasured], changes, duty_out)

    def _state(self, kind: _Kind, activities: Activities, measured: NDArray[np.bool_]) -> None:
        """A flip-flop of which nothing is known takes over what is at its input."""
        data, count = kind.cell.data, len(kind.place)
        assert data is not None
        duty = {name: activities.duty[kind.nets[name]] for name in data.names if name in kind.nets}
        duty["IQ"] = self._state_duty(kind, activities)
        duty_out, changes = data.probability(duty, count), np.zeros(count)
        for name in data.names:
            if name in kind.nets:
                changes += activities.changes[kind.nets[name]] * data.by(name).probability(duty, count)
        # At an edge of its clock, which may be gated.
        edges = np.max([activities.changes[kind.nets[pin]] for pin in kind.cell.clocks], axis=0) / 2
        changes = np.minimum(changes, edges)
        for pin, function in kind.cell.outputs.items():
            if function is not None:
                unmeasured = ~measured[kind.nets[pin]] & (kind.nets[pin] != OPEN)
                value = function.probability({"IQ": duty_out}, count)
                self._put(activities, kind.nets[pin][unmeasured], changes[unmeasured], value[unmeasured])

    @staticmethod
    def _put(activities: Activities, nets: NDArray[np.int64], changes: Floats, duty: Floats) -> None:
        duty = np.clip(duty, 0.0, 1.0)
        activities.duty[nets] = duty
        activities.changes[nets] = np.minimum(changes, 2.0 * np.minimum(duty, 1.0 - duty))

    @staticmethod
    def _state_duty(kind: _Kind, activities: Activities) -> Floats:
        """How often the state of cells is 1, from the first of their outputs that is at something."""
        result = np.full(len(kind.place), 0.5)
        for pin, function in reversed(kind.cell.outputs.items()):
            if function is not None and function.names == ("IQ",):
                nets = kind.nets[pin]
                value = activities.duty[nets] if function.table[1] else 1.0 - activities.duty[nets]
                result = np.where(nets == OPEN, result, value)
        return result

    def power(self, activities: Activities) -> Power:
        """What a cycle takes with some activities, those of all nets."""
        places = len(self.flat.places)
        result = Power(changes=np.zeros(places), clock=np.zeros(places), leakage=np.zeros(places))
        is_clock = np.zeros(self.flat.nets, bool)
        is_clock[self.clocks] = True
        for kind in self._kinds.values():
            count = len(kind.place)
            duty = {pin: activities.duty[nets] for pin, nets in kind.nets.items()}
            duty["IQ"] = self._state_duty(kind, activities)
            changes = {pin: activities.changes[nets] for pin, nets in kind.nets.items()}
            self._fill(kind, changes)
            if kind.cell.data is not None:
                duty[MOVES] = np.minimum(np.max([changes[pin] for pin in kind.cell.outputs], axis=0), 1.0)
            for pin, nets in kind.nets.items():
                energy = self._internal(kind, pin, changes, duty)
                if pin in kind.cell.outputs:
                    energy = energy + 0.5 * self.loads[nets] * self._volt**2 * changes[pin]
                clock = is_clock[nets]
                result.clock[:] += np.bincount(kind.place, np.where(clock, energy, 0.0), places)
                result.changes[:] += np.bincount(kind.place, np.where(clock, 0.0, energy), places)
            result.leakage[:] += np.bincount(kind.place, leakage(kind.cell, duty, count), places)
        return result

    @staticmethod
    def _fill(kind: _Kind, changes: dict[str, Floats]) -> None:
        """An output of a state that is at nothing changes as the other one."""
        if kind.cell.data is None:
            return
        largest = np.max([changes[pin] for pin in kind.cell.outputs], axis=0)
        for pin in kind.cell.outputs:
            changes[pin] = np.where(kind.nets[pin] == OPEN, largest, changes[pin])

    @staticmethod
    def _internal(kind: _Kind, pin: str, changes: dict[str, Floats], duty: dict[str, Floats]) -> Floats:
        """Internal energy of the changes of a pin in a cycle."""
        rows = [(power, energy) for power, energy in zip(kind.cell.powers, kind.energies, strict=True)
                if power.pin == pin]
        count = len(kind.place)
        if not rows:
            return np.zeros(count)
        if pin not in kind.cell.outputs:
            shares = parts([power.when for power, _ in rows], duty, count)
            return changes[pin] * sum(part * energy for part, (_, energy) in zip(shares, rows, strict=True))
        weights, energies = [], []
        for related in dict.fromkeys(power.related for power, _ in rows):
            conditional = [(power.when, energy) for power, energy in rows if power.related == related]
            often = through(kind.cell, pin, related, [when for when, _ in conditional], duty, count)
            weights += [part * (changes[related] if related in changes else 0.0) for part in often]
            energies += [energy for _, energy in conditional]
        total = np.sum(weights, axis=0)
        mixed = np.sum([weight * energy for weight, energy in zip(weights, energies, strict=True)], axis=0)
        even = np.mean(energies, axis=0)
        return changes[pin] * np.where(total > 0, mixed / np.where(total > 0, total, 1.0), even)

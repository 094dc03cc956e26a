"""What the host does of a program that runs on tiles.

The operators of ONNX that no table holds are the host's, and so is what has no form on tiles. Stages before the first
layer and behind the last one are done before an image goes in and when its results have come. Between two layers the
host is one more actor: when all that it takes of an image has come, it sends what it makes of it, while tiles are at
work on other images.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mho.compiler.network.tiles import TileCode
from mho.compiler.program import Call, Host, Program
from mho.compiler.types import Lanes
from mho.macro_models.errors import InputError
from mho.macro_models.integer.vector import Select


@dataclass(frozen=True, kw_only=True)
class Between:
    """What the host does on the way: ``stages`` in order, from the values ``takes`` of tiles to those it ``gives``."""

    stages: tuple[int, ...]
    takes: tuple[int, ...]
    gives: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Split:
    """How a program is divided."""

    program: Program
    before: tuple[int, ...] = ()
    between: tuple[int, ...] = ()
    behind: tuple[int, ...] = ()
    """Stages of the host, in order: before the tiles, between two layers on them, and behind."""

    @classmethod
    def of(cls, program: Program, code: TileCode) -> "Split":
        """How a program is divided whose tiles have been programmed.

        Raises InputError if the host is not sent what it takes, or does not send what tiles take.
        """
        host = (*code.before, *code.between, *code.behind)
        if any(k >= len(program.stages) or isinstance(program.stages[k].operation, Call) for k in host):
            raise InputError("the stages of the host must be stages of the network that are no layers")
        split = cls(program=program, before=tuple(code.before), between=tuple(code.between), behind=tuple(code.behind))
        if not (set(split.entries) == set(code.inputs) and set(split.results) <= set(code.values)):
            raise InputError("the host must send the values that tiles take, and get those that it takes itself")
        return split

    @cached_property
    def inside(self) -> tuple[int, ...]:
        """Stages of the tiles."""
        on_host = {*self.before, *self.between, *self.behind}
        return tuple(k for k in range(len(self.program.stages)) if k not in on_host)

    @cached_property
    def entries(self) -> tuple[int, ...]:
        """Values that the host has or makes and tiles take."""
        inputs = {v for k in self.inside for v in self.program.stages[k].inputs}
        return tuple(sorted({0, *(k + 1 for k in (*self.before, *self.between))} & inputs))

    @cached_property
    def results(self) -> tuple[int, ...]:
        """Values that tiles make and the host takes, and the last one if tiles make it."""
        stages = self.program.stages
        needed = {v for k in (*self.between, *self.behind) for v in stages[k].inputs} | {len(stages)}
        return tuple(sorted({k + 1 for k in self.inside} & needed))

    @cached_property
    def steps(self) -> tuple[Between, ...]:
        """What the host does on the way; what waits for the same values is one."""
        grouped: dict[tuple[int, ...], tuple[set[int], list[int]]] = {}
        for value in self.entries:
            stages = self._on_the_way(value)
            if stages:
                takes = {v for k in stages for v in self.program.stages[k].inputs} & set(self.results)
                numbers, gives = grouped.setdefault(tuple(sorted(takes)), (set(), []))
                numbers |= stages
                gives.append(value)
        return tuple(Between(stages=tuple(sorted(stages)), takes=takes, gives=tuple(gives))
                     for takes, (stages, gives) in grouped.items())

    @cached_property
    def waits(self) -> dict[int, tuple[int, ...]]:
        """Values of tiles that the host waits for before it sends one, where there are any."""
        return {value: step.takes for step in self.steps for value in step.gives}

    @property
    def awaited(self) -> frozenset[int]:
        """Values of tiles of which the host makes something on the way."""
        return frozenset(value for step in self.steps for value in step.takes)

    def enter(self, lanes: Lanes) -> dict[int, Lanes]:
        """The values that the host makes or has, by their numbers, from those of the input, (images, elements)."""
        values = {0: lanes}
        self.run(self.before, values)
        return values

    def finish(self, values: Mapping[int, Lanes]) -> Lanes:
        """The last value, from those that the tiles gave and that the host has."""
        known_values = dict(values)
        self.run(sorted({*self.between, *self.behind}), known_values)
        return known_values[len(self.program.stages)]

    def run(self, stages: Iterable[int], values: dict[int, Lanes]) -> None:
        """Add what some stages of the host make."""
        for k in stages:
            stage = self.program.stages[k]
            op, parts = stage.operation, [values[v] for v in stage.inputs]
            assert not isinstance(op, Call)
            values[k + 1] = op.compute(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))

    def _on_the_way(self, value: int) -> set[int]:
        """Stages of the host between layers that a value is made by, without tiles between them."""
        if value - 1 not in self.between:
            return set()
        return {value - 1}.union(*(self._on_the_way(v) for v in self.program.stages[value - 1].inputs))


class HostRun:
    """What the host makes of some images while values of tiles come.

    Parameters
    ----------
    split
        What it does.
    lanes
        The network's input, (images, elements).
    """

    def __init__(self, split: Split, lanes: Lanes) -> None:
        self._split = split
        self._there = split.enter(lanes)
        self._done = [0] * len(split.steps)

    def begin(self) -> dict[int, Lanes]:
        """What it sends without waiting."""
        return {v: self._there[v] for v in self._split.entries if v in self._there}

    def answer(self, arrived: Mapping[int, Lanes]) -> dict[int, Lanes]:
        """What it sends now: the next images of some entries. ``arrived`` is all that has come so far."""
        answers: dict[int, Lanes] = {}
        for n, step in enumerate(self._split.steps):
            first, end = self._done[n], min(len(arrived[v]) for v in step.takes)
            if end > first:
                values = {v: lanes[first:end] for v, lanes in (*self._there.items(), *arrived.items())}
                self._split.run(step.stages, values)
                answers |= {v: values[v] for v in step.gives}
                self._done[n] = end
        return answers

    def finish(self, arrived: Mapping[int, Lanes]) -> Lanes:
        """The last value, from all that tiles gave."""
        return self._split.finish({**self._there, **arrived})


def split_of(program: Program, moved: Iterable[int] = ()) -> Split:
    """How a program is divided; ``moved`` are stages that have no form on tiles, which the host does, too."""
    stages = program.stages
    after, leads = _after(program), _leads(program)
    several = program.input.before is not None and len(program.input.before.values) > 1
    host, to_host = set[int](), set(moved)
    for k, stage in enumerate(stages):
        op = stage.operation
        chosen = not after[k + 1] and several and isinstance(op, Select) and stage.inputs == (0,)
        if chosen or isinstance(op, Host) or k in to_host:
            host.add(k)
    _close(program, host, after, leads)
    return Split(
        program=program,
        before=tuple(k for k in sorted(host) if not after[k + 1]),
        between=tuple(k for k in sorted(host) if after[k + 1] and leads[k + 1]),
        behind=tuple(k for k in sorted(host) if after[k + 1] and not leads[k + 1]),
    )


def _close(program: Program, host: set[int], after: list[bool], leads: list[bool]) -> None:
    """With what serves the host alone.

    What stages before the layers take is made before, what takes stages behind them is behind, and what nobody takes
    but the host, from values that it has, stays there.
    """
    stages = program.stages
    for k in reversed(range(len(stages))):
        if k in host and not after[k + 1]:
            host |= {v - 1 for v in stages[k].inputs if v}
    for k, stage in enumerate(stages):
        if any(v - 1 in host and not leads[v] and after[v] for v in stage.inputs):
            host.add(k)
    takers: dict[int, list[int]] = {}
    for k, stage in enumerate(stages):
        for v in stage.inputs:
            takers.setdefault(v, []).append(k)
    inside = True
    while inside:
        inside = {k for k, stage in enumerate(stages) if k not in host and not isinstance(stage.operation, Call)
                and all(v - 1 in host for v in stage.inputs) and all(j in host for j in takers.get(k + 1, [k]))}
        host |= inside


def _after(program: Program) -> list[bool]:
    """Whether each value is behind a layer."""
    behind = [False]
    for stage in program.stages:
        behind.append(isinstance(stage.operation, Call) or any(behind[v] for v in stage.inputs))
    return behind


def _leads(program: Program) -> list[bool]:
    """Whether a layer is behind each value."""
    leads = [False] * (len(program.stages) + 1)
    for k in reversed(range(len(program.stages))):
        stage = program.stages[k]
        if isinstance(stage.operation, Call) or leads[k + 1]:
            for v in stage.inputs:
                leads[v] = True
    return leads


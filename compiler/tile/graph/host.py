"""What the host does of a program that runs on tiles: stages before the first layer and behind the last one.

The operators of ONNX that no table holds are the host's, and what only serves them; so is what has no form on tiles
where no layer comes before or behind it. Between two layers there is no way over the host.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.network.tiles import TileCode
from compiler.program import Call, Host, Program
from macro_models.errors import InputError
from macro_models.exact.vector import Select

__all__ = ["Split", "split_of"]

Lanes = NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Stages ``before`` and ``behind`` the tiles, in order; the values that they get and those that they give."""

    program: Program
    before: tuple[int, ...]
    behind: tuple[int, ...]
    entries: tuple[int, ...]
    results: tuple[int, ...]

    @classmethod
    def of(cls, program: Program, code: TileCode) -> "Split":
        """How a program is divided whose tiles have been programmed."""
        return cls(program=program, before=tuple(code.before), behind=tuple(code.behind),
                   entries=tuple(code.inputs), results=tuple(code.values))

    @property
    def inside(self) -> tuple[int, ...]:
        """Stages of the tiles."""
        others = {*self.before, *self.behind}
        return tuple(k for k in range(len(self.program.stages)) if k not in others)

    @property
    def operators(self) -> str:
        """What the host does, as it is named."""
        return " ".join(_name(self.program.stages[k].operation) for k in (*self.before, *self.behind))

    def enter(self, lanes: Lanes) -> dict[int, Lanes]:
        """The values that the host makes or has, by their numbers, from those of the input, (images, elements)."""
        values = {0: lanes}
        self._run(self.before, values)
        return values

    def finish(self, values: Mapping[int, Lanes]) -> Lanes:
        """The last value, from those that the tiles gave and that the host has."""
        made = dict(values)
        self._run(self.behind, made)
        return made[len(self.program.stages)]

    def _run(self, stages: Iterable[int], values: dict[int, Lanes]) -> None:
        for k in stages:
            stage = self.program.stages[k]
            op, taken = stage.operation, [values[v] for v in stage.inputs]
            assert not isinstance(op, Call)
            values[k + 1] = op.compute(taken[0] if len(taken) == 1 else np.concatenate(taken, axis=1))


def split_of(program: Program, moved: Iterable[int] = ()) -> Split:
    """How a program is divided; ``moved`` are stages without a layer before or behind them that the host does, too.

    Raises
    ------
    InputError
        If the host would have to work between two layers.
    """
    stages = program.stages
    after, leads = _after(program), _leads(program)
    several = program.input.before is not None and len(program.input.before.values) > 1
    before, behind, wanted = set[int](), set[int](), set(moved)
    for k, stage in enumerate(stages):
        op = stage.operation
        if not after[k + 1] and several and isinstance(op, Select) and stage.inputs == (0,):
            before.add(k)
        if not (isinstance(op, Host) or k in wanted):
            continue
        if after[k + 1] and leads[k + 1]:
            names = [program.layers[s.operation.layer].name for s in stages[:k] if isinstance(s.operation, Call)]
            raise InputError(f"layer {names[-1]!r} must be followed by what tiles can do where another layer takes it, "
                             f"not {_name(op)[:60]}, which the host does")
        (behind if after[k + 1] else before).add(k)
    _close(program, before, behind)
    inside = [k for k in range(len(stages)) if k not in before | behind]
    mine = {0, *(k + 1 for k in before)}
    taken = {v for k in inside for v in stages[k].inputs}
    made = {k + 1 for k in inside}
    given = {v for k in behind for v in stages[k].inputs} | {len(stages)}
    return Split(program=program, before=tuple(sorted(before)), behind=tuple(sorted(behind)),
                 entries=tuple(sorted(mine & taken)), results=tuple(sorted(made & given)))


def _close(program: Program, before: set[int], behind: set[int]) -> None:
    """What stages before take is made before, what takes stages behind is behind."""
    for k in reversed(range(len(program.stages))):
        if k in before:
            before |= {v - 1 for v in program.stages[k].inputs if v}
    for k, stage in enumerate(program.stages):
        if any(v - 1 in behind for v in stage.inputs):
            behind.add(k)


def _after(program: Program) -> list[bool]:
    """Whether each value is behind a layer."""
    found = [False]
    for stage in program.stages:
        found.append(isinstance(stage.operation, Call) or any(found[v] for v in stage.inputs))
    return found


def _leads(program: Program) -> list[bool]:
    """Whether a layer is behind each value."""
    found = [False] * (len(program.stages) + 1)
    for k in reversed(range(len(program.stages))):
        stage = program.stages[k]
        if isinstance(stage.operation, Call) or found[k + 1]:
            for v in stage.inputs:
                found[v] = True
    return found


def _name(op: object) -> str:
    return " ".join(op.step.operators) if isinstance(op, Host) else type(op).__name__.lower()

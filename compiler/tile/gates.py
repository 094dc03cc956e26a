"""Gates of recurrent cells looked up together: one vector operation on tiles where each would be one of its own."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mho.compiler.program import Program, Stage
from mho.macro_models.integer.vector import Select, Table
from mho.macro_models.types import Indices


def join_tables(program: Program) -> Program:
    """The program in which slices of a value that have one table and one unit are looked up in one stage.

    They must be side by side and be taken by their tables alone; what takes a gate then takes a slice of the result.
    """
    stages, groups = program.stages, _groups(program.stages)
    made, number, parts = list[Stage](), {0: 0}, dict[int, Stage]()
    dropped = {stages[j].inputs[0] for group in groups.values() for j in group}
    for k, stage in enumerate(stages):
        if k in groups:
            slices, op = [_taken(stages, j) for j in groups[k]], stage.operation
            assert isinstance(op, Table)
            first, count = min(int(index[0]) for index in slices), sum(map(len, slices))
            made.append(Stage(operation=_slice(first, count), inputs=(number[_source(stages, k)],)))
            made.append(Stage(operation=replace(op, multiplier=np.repeat(op.multiplier[:1], count)),
                              inputs=(len(made),)))
            parts |= {j: Stage(operation=_slice(int(index[0]) - first, len(index)), inputs=(len(made),))
                      for j, index in zip(groups[k], slices, strict=True)}
        if k + 1 not in dropped:
            made.append(parts.get(k) or replace(stage, inputs=tuple(number[v] for v in stage.inputs)))
            number[k + 1] = len(made)
    return replace(program, stages=tuple(made)) if groups else program


def _groups(stages: Sequence[Stage]) -> dict[int, list[int]]:
    """Numbers of the tables that are one, by the first of them in the program."""
    takers = np.bincount([value for stage in stages for value in stage.inputs], minlength=len(stages) + 1)
    alike: dict[tuple[object, ...], list[int]] = {}
    for k, stage in enumerate(stages):
        op, value = stage.operation, stage.inputs[0]
        if isinstance(op, Table) and value and takers[value] == 1 and (op.multiplier == op.multiplier[0]).all():
            before = stages[value - 1]
            if isinstance(before.operation, Select) and len(before.inputs) == 1 and before.operation.index.ndim == 1:
                key = before.inputs[0], op.shift, int(op.multiplier[0]), op.entries.tobytes()
                alike.setdefault(key, []).append(k)
    groups: dict[int, list[int]] = {}
    for group in alike.values():
        index = np.concatenate(sorted((_taken(stages, k) for k in group), key=lambda places: int(places[0])))
        if len(group) > 1 and index[0] >= 0 and (np.diff(index) == 1).all():
            groups[group[0]] = group
    return groups


def _source(stages: Sequence[Stage], k: int) -> int:
    """The value of a slice of which a table takes."""
    return stages[stages[k].inputs[0] - 1].inputs[0]


def _taken(stages: Sequence[Stage], k: int) -> Indices:
    """What a table takes, by its places in that value."""
    operation = stages[stages[k].inputs[0] - 1].operation
    assert isinstance(operation, Select)
    return operation.index


def _slice(first: int, count: int) -> Select:
    """Elements side by side."""
    return Select(index=np.arange(first, first + count, dtype=np.int32), fill=np.zeros(count, np.int16))

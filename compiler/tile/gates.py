"""Gates of recurrent cells looked up together: one vector operation on tiles where each would be one of its own."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.compiler.program import Program, Stage
from mho.compiler.program.program import Operation
from mho.macro_models.integer.vector import Select, Table


def join_tables(program: Program) -> Program:
    """The program in which slices of a value that have one table and one unit are looked up in one stage.

    They must be side by side and be taken by their tables alone; what takes a gate then takes a slice of the result.
    """
    stages = program.stages
    joined = {group[0]: group for group in _groups(stages)}
    made, number, parts = list[Stage](), {0: 0}, dict[int, Stage]()

    def add(operation: Operation, inputs: tuple[int, ...]) -> int:
        made.append(Stage(operation=operation, inputs=inputs))
        return len(made)

    dropped = {stages[k].inputs[0] - 1 for group in joined.values() for k in group}
    for k, stage in enumerate(stages):
        op = stage.operation
        if k in joined:
            slices = [_taken(stages, j) for j in joined[k]]
            assert isinstance(op, Table)
            first, count = min(int(index[0]) for index in slices), sum(map(len, slices))
            source = number[stages[stage.inputs[0] - 1].inputs[0]]
            value = add(_slice(first, count), (source,))
            value = add(replace(op, multiplier=np.repeat(op.multiplier[:1], count)), (value,))
            parts |= {j: Stage(operation=_slice(int(index[0]) - first, len(index)), inputs=(value,))
                      for j, index in zip(joined[k], slices, strict=True)}
        if k in parts:
            number[k + 1] = add(parts[k].operation, parts[k].inputs)
        elif k not in dropped:
            number[k + 1] = add(op, tuple(number[v] for v in stage.inputs))
    return replace(program, stages=tuple(made)) if joined else program


def _groups(stages: Sequence[Stage]) -> list[list[int]]:
    """Numbers of the tables that are one, the first of the program first, by the places of what they take."""
    takers = [0] * (len(stages) + 1)
    for stage in stages:
        for value in stage.inputs:
            takers[value] += 1
    alike: dict[tuple[object, ...], list[int]] = {}
    for k, stage in enumerate(stages):
        op, value = stage.operation, stage.inputs[0]
        if isinstance(op, Table) and value and takers[value] == 1 and (op.multiplier == op.multiplier[0]).all():
            before = stages[value - 1]
            if isinstance(before.operation, Select) and len(before.inputs) == 1 and before.operation.index.ndim == 1:
                key = before.inputs[0], op.shift, int(op.multiplier[0]), op.entries.tobytes()
                alike.setdefault(key, []).append(k)
    groups = list[list[int]]()
    for group in alike.values():
        index = np.concatenate([_taken(stages, k) for k in sorted(group, key=lambda k: int(_taken(stages, k)[0]))])
        if len(group) > 1 and index[0] >= 0 and (np.diff(index) == 1).all():
            groups.append(group)
    return groups


def _taken(stages: Sequence[Stage], k: int) -> NDArray[np.int32]:
    """What is looked up, by its places in the value of which it is a slice."""
    operation = stages[stages[k].inputs[0] - 1].operation
    assert isinstance(operation, Select)
    return operation.index


def _slice(first: int, count: int) -> Select:
    """Elements side by side."""
    return Select(index=np.arange(first, first + count, dtype=np.int32), fill=np.zeros(count, np.int16))

"""Permutations of values side by side, done where these are put together: their pixels come one after the other."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.compiler.program import Program, Stage
from mho.compiler.tile.graph.images import FEWEST
from mho.macro_models.integer.vector import Encode, Limit, Select, Table

__all__ = ["hoist_moves"]

_ARRAYS: dict[type, tuple[str, ...]] = {
    Encode: ("offset", "multiplier"), Limit: ("low", "high"), Table: ("multiplier",),
}
"""What stages that are done element by element hold for each element."""


def hoist_moves(program: Program) -> Program:
    """The program in which a choice of elements takes several values in the order that a later one would put them in.

    States of all steps are put side by side, encoded, and moved so that a layer has a pixel for each: the same elements
    in another order, moved before they are encoded.
    """
    stages = list(program.stages)
    takers = [0] * (len(stages) + 1)
    for stage in stages:
        for value in stage.inputs:
            takers[value] += 1
    for k, stage in enumerate(program.stages):
        op = stage.operation
        if isinstance(op, Select) and (chain := _chain(stages, takers, k)):
            index = op.index
            for at in chain:
                stages[at] = replace(stages[at], operation=_moved(stages[at].operation, index))
            stages[k] = replace(stage, operation=replace(op, index=np.arange(len(index), dtype=np.int32)))
    return replace(program, stages=tuple(stages))


def _chain(stages: Sequence[Stage], takers: Sequence[int], k: int) -> list[int]:
    """Stages before a permutation that may have their elements in its order, down to one that takes several values."""
    op, chain, at = stages[k].operation, list[int](), k
    if not isinstance(op, Select) or len(stages[k].inputs) != 1 or op.index.ndim != 1:
        return []
    if not np.array_equal(np.sort(op.index), np.arange(len(op.index))):
        return []
    while (value := stages[at].inputs[0]) and takers[value] == 1:
        at = value - 1
        chain.append(at)
        before = stages[at].operation
        if isinstance(before, Select):
            count = len(stages[at].inputs)
            if count < FEWEST or len(chain) == 1 or len(before.index) != len(op.index) or len(op.index) % count:
                return []
            # Then each value is a pixel.
            pixels = np.arange(len(op.index)).reshape(count, -1).T.ravel()
            return chain if np.array_equal(before.index[op.index], pixels) else []
        if type(before) not in _ARRAYS or len(stages[at].inputs) != 1:
            return []
    return []


def _moved(op: object, index: NDArray[np.int32]) -> object:
    names = ("index", "fill") if isinstance(op, Select) else _ARRAYS[type(op)]
    return replace(op, **{name: getattr(op, name)[index] for name in names})  # type: ignore[type-var]

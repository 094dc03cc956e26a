"""Layers of one position that several tiles compute, each for every so many images.

Copy ``t`` of ``n`` makes what the layer makes of image ``i`` where ``i`` is ``t`` modulo ``n``, and 0 of others
(:class:`~compiler.program.Call`): the sum of all copies is the layer. On tiles nothing is added: what takes the sum
takes the values in turn, one of an image.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from compiler.program import Call
from macro_models.exact.vector import WeightedSum

__all__ = ["Doing", "dealt_values", "sum_of_dealt"]


class Doing(Protocol):
    """A step of a model, or a stage of a program."""

    @property
    def operation(self) -> object: ...

    @property
    def inputs(self) -> tuple[int, ...]: ...


def sum_of_dealt(copies: int, elements: int) -> WeightedSum:
    """What makes a layer's value of those of its copies, each of so many elements."""
    index = np.arange(copies * elements, dtype=np.int32).reshape(copies, elements).T
    return WeightedSum(index=index, multiplier=np.ones_like(index), shift=0, offset=np.zeros(elements, np.int32))


def dealt_values(parts: Sequence[Doing], number: int) -> tuple[int, ...]:
    """The values of copies of which stage ``number`` is the sum, in the order of their turns; none if it is no such."""
    op, inputs = parts[number].operation, parts[number].inputs
    if not isinstance(op, WeightedSum) or not all(inputs):
        return ()
    calls = [parts[v - 1].operation for v in inputs]
    turns = [(one.turn, one.turns) for one in calls if isinstance(one, Call)]
    count = len(inputs)
    if count < 2 or turns != [(turn, count) for turn in range(count)]:
        return ()
    wanted = sum_of_dealt(count, len(op.index))
    same = np.array_equal(op.index, wanted.index) and np.array_equal(op.multiplier, wanted.multiplier)
    return inputs if same and not op.shift and not op.offset.any() else ()

"""Layers of one position that several tiles compute, each for every so many images.

Copy ``t`` of ``n`` makes what the layer makes of image ``i`` where ``i`` is ``t`` modulo ``n``, and 0 of others
(:class:`~mho.compiler.program.Call`): the sum of all copies is the layer. On tiles nothing is added: what takes the sum
takes the values in turn, one of an image. All copies take one value, which a stage of its own makes by leaving it as
it is: on tiles that sends each image to the copy that has it.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mho.compiler.program import Call
from mho.macro_models.integer.vector import Select, WeightedSum


class Doing(Protocol):
    """A step of a model, or a stage of a program."""

    @property
    def operation(self) -> object: ...

    @property
    def inputs(self) -> tuple[int, ...]: ...


def sum_of_interleaved(copies: int, elements: int) -> WeightedSum:
    """What makes a layer's value of those of its copies, each of so many elements."""
    index = np.arange(copies * elements, dtype=np.int32).reshape(copies, elements).T
    return WeightedSum(index=index, multiplier=np.ones_like(index), shift=0, offset=np.zeros(elements, np.int32))


def interleaved_values(parts: Sequence[Doing], number: int) -> tuple[int, ...]:
    """The values of copies of which stage ``number`` is the sum, in the order of their turns; none if it is no such."""
    op, inputs = parts[number].operation, parts[number].inputs
    if not isinstance(op, WeightedSum) or not all(inputs):
        return ()
    calls = [parts[v - 1].operation for v in inputs]
    turns = [(call.turn, call.turns) for call in calls if isinstance(call, Call)]
    count = len(inputs)
    if count < 2 or turns != [(turn, count) for turn in range(count)]:
        return ()
    expected = sum_of_interleaved(count, len(op.index))
    same = np.array_equal(op.index, expected.index) and np.array_equal(op.multiplier, expected.multiplier)
    return inputs if same and not op.shift and not op.offset.any() else ()


def deal(elements: int) -> Select:
    """What deals images of so many elements."""
    return Select(index=np.arange(elements, dtype=np.int32), fill=np.zeros(elements, np.int16))


def interleaved_turns(parts: Sequence[Doing], number: int) -> int:
    """How many copies stage ``number`` deals images; 0 if it does not."""
    op, inputs = parts[number].operation, parts[number].inputs
    if not isinstance(op, Select) or len(inputs) != 1 or op.index.ndim != 1:
        return 0
    taking = [part.operation for part in parts if number + 1 in part.inputs]
    turns = [(call.turn, call.turns) for call in taking if isinstance(call, Call)]
    count = len(taking)
    if count < 2 or turns != [(turn, count) for turn in range(count)]:
        return 0
    return count if np.array_equal(op.index, np.arange(len(op.index))) else 0

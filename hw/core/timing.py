"""How long operations of a core take, whatever its kind: from the times of their conversions."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.integer.operation import MvmOperation

OVERHEAD_CYCLES = 1
"""Cycles of each conversion beyond its operations at the pins: the result moves to its bank, the next operation takes
its place."""

_ROOM = 4
_DURATION_BITS = 16


def duration_bits(cycles: int) -> int:
    """Bits of the register of a duration: it reaches four times the duration of the description, at most 65535."""
    return min((_ROOM * cycles - 1).bit_length(), _DURATION_BITS)


@dataclass(frozen=True)
class Drain:
    """How a result leaves a core while the next conversion runs."""

    latency: int
    """Cycles from the end of the last conversion to the first word at the output."""
    row_words: int
    """Words of a result that leave the counters in a cycle."""
    rows: int
    """Cycles in which all do."""
    settle: int = 0
    """Cycles beyond those until the counters may take the next result."""


class Timing(ABC):
    """Cycles of operations, which are conversions one behind the other; ``steps`` are the decrements that were made."""

    overhead_cycles: ClassVar[int] = OVERHEAD_CYCLES
    """:data:`OVERHEAD_CYCLES`, unless a kind has others."""

    @abstractmethod
    def conversion_cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles at the pins of each conversion, (..., conversions), for ``steps`` of shape (..., segments)."""

    def worst_steps(self, op: MvmOperation) -> NDArray[np.int64]:
        """The most decrements that an operation can make, of shape (segments,): none where nothing is decremented."""
        return np.zeros(op.segments, dtype=np.int64)

    def worst_cycles(self, op: MvmOperation) -> int:
        """The most that :meth:`cycles` can be."""
        return int(self.cycles(op, self.worst_steps(op)))

    @abstractmethod
    def most_steps(self, op: MvmOperation, codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], bool]:
        """Decrements that follow from the output codes of an operation, and whether they are exactly those.

        ``codes`` of shape (vectors, columns) are in half steps; the steps are of shape (vectors, segments). Else they
        are at least as many as were made.
        """

    def analog_cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles of the operations at the pins, for ``steps`` of shape (..., segments); of shape (...)."""
        return self.conversion_cycles(op, steps).sum(axis=-1)

    def cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles from the start of an operation to the earliest start of the next, of the same shape.

        This is what a core's own counter grows by, unless the macro holds or the last result is still being read.
        """
        return (self.conversion_cycles(op, steps) + self.overhead_cycles).sum(axis=-1)

    def whole_cycles(self, op: MvmOperation, analog: NDArray[np.int64]) -> NDArray[np.int64]:
        """:meth:`cycles` where those at the pins are counted already, in ``analog`` of any shape."""
        conversions = self.conversion_cycles(op, np.zeros(op.segments, dtype=np.int64)).shape[-1]
        return analog + self.overhead_cycles * conversions


class FixedTiming(Timing):
    """Of a core whose operations are one conversion each, and take as long whatever the data."""

    @abstractmethod
    def product_cycles(self, op: MvmOperation) -> int:
        """Cycles of the operations at the pins of one product."""

    def conversion_cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles of the operations at the pins of the one conversion that there is, of shape (..., 1)."""
        return np.full((*np.shape(steps)[:-1], 1), self.product_cycles(op), dtype=np.int64)

    def most_steps(self, op: MvmOperation, codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], bool]:
        """Nothing is decremented: zeros of shape (vectors, segments), exactly."""
        return np.zeros((len(codes), op.segments), dtype=np.int64), True

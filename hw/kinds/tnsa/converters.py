"""How lines are converted: decrements one by one, or by binary search; what the rest of the core asks of either.

The arithmetic is that of :func:`mho.macro_models.integer.tnsa.converter.convert`, the Verilog the sequencer's and that
of :class:`mho.hw.kinds.tnsa.results.LineCounters`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.operation import LSB_SEGMENT_BITS
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation


class LineConverter(ABC):
    """One way to convert; a decrement is followed by a compare."""

    latches: bool
    """Whether each compare is the direction of the decrements that follow, and not the first alone."""

    @abstractmethod
    def most(self, op: TnsaOperation) -> int:
        """The most decrements of one conversion."""

    @abstractmethod
    def scale(self, decrements: int, k: int) -> int:
        """Binary weight of decrement ``k`` of so many."""

    @abstractmethod
    def from_codes(self, op: TnsaOperation, codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], bool]:
        """See :meth:`mho.hw.core.shape.Timing.most_steps`."""

    def always(self, op: TnsaOperation, vectors: int) -> tuple[NDArray[np.int64], bool]:
        """The same of an operation that makes all its decrements."""
        return np.full((vectors, op.segments), self.most(op), dtype=np.int64), True


class CountingConverter(LineConverter):
    """One decrement at a time until the sign flips, or all have flipped that count."""

    latches = False

    def most(self, op: TnsaOperation) -> int:
        """The largest count."""
        return op.max_steps

    def scale(self, decrements: int, k: int) -> int:
        """All have the same."""
        return 0

    def from_codes(self, op: TnsaOperation, codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], bool]:
        """A code +-(2 n + 1) of one segment is of a line that flipped at decrement n + 1.

        Of two segments, 16 hi + lo, it bounds the high one.
        """
        if not op.early_stop:
            return self.always(op, len(codes))
        largest, most = np.abs(codes.astype(np.int64)).max(axis=1, initial=0), op.max_steps
        if op.segments == 1:
            return np.minimum((largest[:, None] + 1) // 2, most), True
        high = ((largest + 2 * most + 1 >> LSB_SEGMENT_BITS) + 1) // 2
        return np.column_stack([np.minimum(high, most), np.full(len(codes), most)]), False


class BinarySearch(LineConverter):
    """A decrement for each bit of the magnitude, halved from one to the next."""

    latches = True

    def most(self, op: TnsaOperation) -> int:
        """One for each bit of the magnitude."""
        return op.out_bits - 1

    def scale(self, decrements: int, k: int) -> int:
        """From the highest bit down."""
        return decrements - 1 - k

    def from_codes(self, op: TnsaOperation, codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], bool]:
        """It makes always as many."""
        return self.always(op, len(codes))


CONVERTERS: Mapping[Converter, LineConverter] = MappingProxyType({
    Converter.COUNT: CountingConverter(), Converter.BINARY: BinarySearch(),
})
"""The converters that an operation can ask for."""

"""What products give, and products that are bound to a core: computed for batch after batch.

What does not change from batch to batch is done when one is bound: which rows take which input, which columns are
converted, what the constant input of a dithered row adds.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, MvmOperation
from mho.macro_models.types import Array, Integers


@dataclass(frozen=True, eq=False)
class MvmResult:
    """What a batch of operations gives."""

    codes: NDArray[np.int16]
    """Output codes in half steps, of shape (batch, lines)."""
    steps: Integers
    """Decrements that the converter made, of shape (batch, segments)."""
    clipped: Integers | None = None
    """Outputs of each vector that the converter clipped before there was a code (:meth:`MacroConfig.limit`), of shape
    (batch,); None: no converter of the kind does."""


class BoundProduct(Protocol):
    """One operation of one core on given rows and columns."""

    def compute(self, x: Array, op_id: NDArray[np.uint64]) -> MvmResult:
        """Codes of the columns, (batch, columns), and decrements, (batch, segments).

        ``x`` holds integers within ``op.input_range``, of shape (batch, inputs), in any type; its last column is
        :func:`constant_input`. ``op_id`` numbers the first conversion of each vector.
        """
        ...


def constant_input(op: MvmOperation) -> int:
    """Input of a row that takes a constant: 1 in each segment."""
    return 1 if op.segments == 1 else (1 << LSB_SEGMENT_BITS) + 1

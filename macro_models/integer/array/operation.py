"""One matrix-vector operation of a core whose columns share converters, and the steps in which it drives its rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.operation import MOST_OUT_BITS, MvmOperation
from mho.macro_models.types import Array

MOST_BITS = 10
"""Most bits of a converter."""


@dataclass(frozen=True, kw_only=True)
class ArrayOperation(MvmOperation):
    """Static parameters of one product; see :class:`MvmOperation`.

    An output is the sum of the codes of its conversions, shifted as bits of the input are, in half steps: even numbers,
    or odd ones of converters of one bit. Beyond ``-(2**out_bits - 1) .. 2**out_bits - 1`` it saturates. Products go
    forward, and their duration does not depend on data. Raises InputError if a value is out of range.
    """

    most_out_bits = MOST_OUT_BITS


@dataclass(frozen=True, kw_only=True)
class Steps:
    """In which steps rows are driven: a digit of all inputs after the other, the highest first, by groups of rows.

    Steps are numbered downwards, so that the last is 0: digit times groups plus group.
    """

    digit_bits: int = 1
    """Bits of an input that a row drives at a time, 1, 2, 4 or 8."""
    row_groups: int = 1
    """Groups into which the rows are divided, 1, 2, 4 or 8; of each step one is driven."""

    def count(self, op: MvmOperation) -> int:
        """Steps of a product."""
        return -(-op.planes // self.digit_bits) * self.row_groups

    def weight(self, step: int) -> int:
        """What the digit of a step counts."""
        return 1 << self.digit_bits * (step // self.row_groups)

    def chopped(self, step: int, op: MvmOperation) -> bool:
        """Whether a step of a chopped product is driven the other way: one of two groups, else all but the first.

        What converters add to each code then counts nothing, or as the lowest bit of an input.
        """
        return bool(step % 2) if self.row_groups > 1 else step != self.count(op) - 1


def driven(steps: Steps, x: Array, step: int) -> NDArray[np.int16]:
    """What rows drive in a step of inputs ``x``, of shape (..., rows), whole numbers in any type, up to 255."""
    codes = x.astype(np.int16)
    digit = np.abs(codes) >> steps.digit_bits * (step // steps.row_groups) & (1 << steps.digit_bits) - 1
    if steps.row_groups > 1:
        digit *= np.arange(x.shape[-1]) * steps.row_groups // x.shape[-1] == step % steps.row_groups
    return np.where(codes < 0, -digit, digit)

"""One matrix-vector operation of a core whose weights are bits, and how its sums become codes."""

from dataclasses import dataclass

import numpy as np

from mho.macro_models.integer.operation import MOST_OUT_BITS, MvmOperation
from mho.macro_models.types import Array, Integers

MOST_SHIFT = 15
"""Bits by which a sum is shifted down at most: of the largest step code that is a power of two."""


@dataclass(frozen=True, kw_only=True)
class SramOperation(MvmOperation):
    """Static parameters of one product; see :class:`MvmOperation`.

    An output is the exact sum of inputs times weights in steps of a power of two, to the nearest half step: the step
    code counts as its highest bit. Beyond ``-(2**out_bits - 1) .. 2**out_bits - 1`` it saturates. Products go forward,
    and their duration does not depend on data. Raises InputError if a value is out of range.
    """

    most_out_bits = MOST_OUT_BITS


def significances(bits: int) -> Integers:
    """What the bits of a weight count, the lowest first: two's complement; a single one is -1 or 1, by steps of 2."""
    weights = 1 << np.arange(bits, dtype=np.int64)
    weights[-1] = 2 if bits == 1 else -weights[-1]
    return weights


def rescaled(sums: Array, step_code: int) -> Integers:
    """Sums in half steps of ``step_code``'s highest bit: ``2 S / 2**k`` to the nearest whole number, halves up."""
    shift = step_code.bit_length() - 1
    return (2 * np.asarray(sums).astype(np.int64) + (1 << shift >> 1)) >> shift

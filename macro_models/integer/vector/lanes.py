"""Lanes of 16 bits, their limits, and the formula that ends every operation on them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["LANE_MAX", "MULTIPLIER_MAX", "SHIFT_MAX", "SUM_MAX", "Lanes", "finish", "round_shift"]

Lanes = NDArray[np.int16]

LANE_MAX = 2**15 - 1
"""Largest magnitude of a 16-bit lane that the compiler uses."""
MULTIPLIER_MAX = 2**15 - 1
SHIFT_MAX = 31
SUM_MAX = 2**16 - 1
"""Largest sum of the magnitudes of the multipliers of one element: 32 bits then hold its sum of products."""


def finish(
    total: NDArray[np.signedinteger], shift: int, low: int, high: int, add: NDArray[np.integer] | int = 0
) -> Lanes:
    """``clip(floor(total / 2**shift + 1/2) + add, low, high)``: the vector formula from its sum of products on."""
    return np.clip(round_shift(total, shift) + add, low, high).astype(np.int16)


def round_shift(value: NDArray[np.signedinteger], shift: int) -> NDArray[np.signedinteger]:
    """``floor(value / 2**shift + 1/2)``."""
    return (value + ((1 << shift) >> 1)) >> shift

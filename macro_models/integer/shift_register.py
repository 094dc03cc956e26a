"""Noise of a shift register: what a small circuit next to a converter can draw, in integers.

A register of 32 bits with linear feedback is seeded anew for each conversion and steps once from line to line. A step
is a xorshift (Marsaglia, J. Stat. Software 8 (14), 2003), which is what several steps of an LFSR do at once: linear, of
period 2**32 - 1, none of its outputs is an input alone, so that the counts of ones before and after a step are not
correlated. The deviate of a line is a sum of the bits of the register: the number of ones among 24 of them, less its
mean, and between two such numbers evenly what the other 8 say. It is bell-shaped and symmetric, with an excess of the
fourth moment of -0.08, and ends at 5.1 standard deviations.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.errors import InputError
from mho.macro_models.integer.random import Purpose, philox4x32, philox_key
from mho.macro_models.types import Array, Integers

ROUND_CONSTANT = 0x9E3779B9
"""2**32 by the golden ratio: an addition that keeps a hash of xorshifts from being linear."""

SHIFTS = (13, -17, 5)
"""Of the xorshift: to the left, to the right, to the left."""

ROUNDS = 6
"""Rounds of the hash for each half of the number of a conversion."""

LOW_BITS = 8
"""Bits of the register that lie between two counts of the others."""

_HALF = 12  # of the bits that are counted
_STEP = 2 ** (LOW_BITS + 1)

DEVIATE_ONE = float(np.sqrt(_HALF / 2 * _STEP**2 + (_STEP**2 - 4) / 12))
"""Standard deviation of a deviate: 1262.8."""

DEVIATE_TOP = _HALF * _STEP + _STEP // 2 - 1
"""No deviate is larger."""

STEP_BITS, ROOT_BITS = 16, 12
"""Of the deviation of a cell, and of the root of the sum of the squared inputs, which has four more bits below 1."""

AMPLITUDE_SHIFT, NOISE_SHIFT = 12, 22
"""By which the amplitude is scaled down, and the noise, the latter less the bits of a cell."""

_STEP_ONE = 2.0**30 / DEVIATE_ONE


def mix(x: Any) -> Any:
    """One round of a hash of 32 bits, of an integer or integers of 64 bits: a xorshift, then an addition."""
    return xorshift(x) + ROUND_CONSTANT & 0xFFFFFFFF


def xorshift(x: Any) -> Any:
    """One step of the register."""
    for shift in SHIFTS:
        x = x ^ (x << shift & 0xFFFFFFFF if shift > 0 else x >> -shift)
    return x


def seeds(key: int, op_id: ArrayLike) -> Integers:
    """Registers at line 0 of conversions, of the shape of ``op_id``; never 0."""
    ids = np.asarray(op_id, dtype=np.uint64)
    low, high = ((ids >> np.uint64(shift) & np.uint64(0xFFFFFFFF)).astype(np.int64) for shift in (0, 32))
    # One number costs less as an integer than as an array.
    x = _seed(key, int(low), int(high)) if ids.ndim == 0 else _seed(key, low, high)
    return np.where(x == 0, ROUND_CONSTANT, x)


def _seed(key: int, *halves: Any) -> Any:
    x: Any = key
    for half in halves:
        x = x ^ half
        for _ in range(ROUNDS):
            x = mix(x)
    return x


@lru_cache(maxsize=8)
def _leaps(items: int) -> NDArray[np.uint32]:
    """What each byte of a register adds to those of all lines: shape (4, 256, items), as steps are linear."""
    state = np.arange(256, dtype=np.int64) << np.array([[0], [8], [16], [24]])
    table = np.empty((4, 256, items), dtype=np.uint32)
    for line in range(items):
        table[..., line] = state
        state = xorshift(state)
    return table


def deviates(state: Integers, items: int) -> NDArray[np.int16]:
    """Deviates of ``items`` lines from registers of shape (...): odd, of shape (..., items)."""
    low, *higher = (part[state >> 8 * byte & 0xFF] for byte, part in enumerate(_leaps(items)))
    for part in higher:
        low = low ^ part
    count = np.bitwise_count(low >> np.uint32(LOW_BITS)).astype(np.int16)
    return (count - _HALF) * np.int16(_STEP) + (low % 2**LOW_BITS * 2).astype(np.int16) - np.int16(_STEP // 2 - 1)


@dataclass(frozen=True)
class ShiftRegister:
    """Noise of all converters of a core, proportional to the root of the sum of the squared inputs.

    That is the read noise in current mode of an array whose cells all fluctuate alike.
    """

    key: int
    """Seed of the core, 32 bits."""
    step: int
    """Deviation of a cell, in units that :meth:`of` knows, 0..65535."""
    g_bits: int
    """Bits of the code of a cell."""

    @classmethod
    def of(cls, sigma: float, *, g_bits: int, seed: int, core: int) -> "ShiftRegister":
        """From the deviation of a cell in codes, and the core of a chip.

        Raises InputError if the deviation is more than 7 % of the range of a cell.
        """
        step = round(sigma / 2**g_bits * _STEP_ONE)
        if not 0 <= step < 2**STEP_BITS:
            top = (2**STEP_BITS - 1) / _STEP_ONE
            raise InputError(
                f"read_noise.sigma_uS must be at most {top:.3f} of the range of a cell where a shift register makes "
                f"the noise, not {sigma / 2**g_bits:.3f}"
            )
        word = philox4x32((0, 0, 0, 0), philox_key(Purpose.SHIFT_REGISTER, seed, core))[0]
        return cls(int(word), step, g_bits)

    def draws(self, op_id: ArrayLike, items: int) -> NDArray[np.int16]:
        """Deviates of conversions, of shape ``np.shape(op_id) + (items,)``."""
        return deviates(seeds(self.key, op_id), items)

    def amplitude(self, square: Array) -> Integers:
        """What multiplies the deviates of a conversion, from the sum of its squared inputs, at most 2**16 - 1."""
        # The root of an integer below 2**52 is exact where it is whole, and never rounded up to the next one.
        root = np.sqrt(np.asarray(square, dtype=np.float64) * 2.0**8).astype(np.int64)
        return self.step * root >> AMPLITUDE_SHIFT

    def noise(self, square: Array, deviate: NDArray[np.int16]) -> Integers:
        """Noise in units of the accumulator; the arguments broadcast."""
        shift = NOISE_SHIFT - self.g_bits
        return self.amplitude(square) * deviate + (1 << shift - 1) >> shift

    def bound(self, square: float) -> float:
        """No noise exceeds this magnitude where the sum of the squared inputs is at most ``square``."""
        return float(self.amplitude(np.array(square)) * DEVIATE_TOP >> NOISE_SHIFT - self.g_bits) + 1.0

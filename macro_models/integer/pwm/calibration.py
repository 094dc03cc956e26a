"""Calibration of the converters, run by the chip itself with reference currents: what its command does, in integers.

All columns are calibrated at a time. Every search is a binary one from the highest bit down, so that a comparator a
column is all that it takes. A *set* is :data:`READS` conversions of the same reference currents, whose counts are
summed.

1. Trim of the gain: the largest code at which a set at a quarter of the highest frequency counts at most its nominal.
2. Trim of the curvature: the same at three quarters.
3. Trim of the gain again, since a quarter is a little curved, too.
4. Digital gain: the code nearest to the nominal, of the difference of two sets at three quarters, one of each polarity.
5. Digital offset: what a set without current gives, negative.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.pwm.converter import (
    CURVE_TRIMS,
    GAIN_BITS,
    GAIN_TRIMS,
    LEVEL_BITS,
    OFFSET_RANGE,
    PRODUCT_BITS,
    DigitalUnits,
    Trim,
)

__all__ = ["READS", "SETS", "Calibration", "ReadReference", "calibrate"]

READS = 16
"""Conversions of a set."""
SETS = 21
"""Sets of a calibration: 7, 4 and 7 for the trims, 2 for the gain, 1 for the offset."""

RANGE_BITS = 15
"""Fraction bits of the range register."""

ReadReference = Callable[[Trim, int, int, int], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""``(trim, u of the positive oscillators, u of the negative ones, number of the first conversion)`` to the counts of a
set, summed, of both, each of shape (columns,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """Everything that corrects the converters of a core: registers that a program of the host reads and writes.

    ``range_code`` multiplies the step codes of all operations, in 2**-15: the mirrors of all columns are set to it.
    """

    trim: Trim
    digital: DigitalUnits
    range_code: int = 1 << RANGE_BITS

    @classmethod
    def reset(cls, columns: int, gain: int) -> "Calibration":
        """After reset: nothing is corrected, ``gain`` is the nominal digital gain."""
        return cls(trim=Trim.reset(columns), digital=DigitalUnits.reset(columns, gain))

    def step_code(self, step_code: int) -> int:
        """The step code at the macro's pins for that of an operation, 1..65535."""
        scaled = step_code * self.range_code + (1 << RANGE_BITS - 1) >> RANGE_BITS
        return min(max(scaled, 1), 2**16 - 1)


def calibrate(read: ReadReference, *, columns: int, top: int, windows: int, gain: int) -> Calibration:
    """Calibrate the converters of a core.

    Parameters
    ----------
    read
        Makes a set.
    columns
        Columns of the core.
    top
        Counts of a window at the highest frequency.
    windows
        Windows of each oscillator in a conversion, 1 or 2.
    gain
        Nominal digital gain, in 1/128.
    """
    low = (top << LEVEL_BITS) // 4
    levels, number = (low, 3 * low), 0

    def search(at: int, codes: range, make: Callable[[NDArray[np.int32]], Trim]) -> NDArray[np.int32]:
        nonlocal number
        target_counts = READS * windows * at >> LEVEL_BITS
        code = np.full((2, columns), codes.start, dtype=np.int32)
        bit = len(codes) // 2
        while bit:
            counted = np.stack(read(make(code + bit), at, at, number))
            number += READS
            code = np.where(counted <= target_counts, code + bit, code).astype(np.int32)
            bit //= 2
        return code

    reset = Trim.reset(columns)
    first = search(levels[0], GAIN_TRIMS, lambda code: Trim(gain=code, curve=reset.curve))
    curve = search(levels[1], CURVE_TRIMS, lambda code: Trim(gain=first, curve=code))
    trim = Trim(gain=search(levels[0], GAIN_TRIMS, lambda code: Trim(gain=code, curve=curve)), curve=curve)
    high = [read(trim, levels[1], 0, number), read(trim, 0, levels[1], number + READS)]
    zero = read(trim, 0, 0, number + 2 * READS)
    spans = [positive - negative for positive, negative in (*high, zero)]
    digital = _gains(spans[0] - spans[1], 2 * (READS * windows * levels[1] >> LEVEL_BITS), gain)
    bits = PRODUCT_BITS + READS.bit_length() - 1
    offset = -((spans[2] * digital + (1 << bits - 1)) >> bits)
    return Calibration(
        trim=trim, digital=DigitalUnits(gain=digital, offset=np.clip(offset, *OFFSET_RANGE).astype(np.int32))
    )


def _gains(span: NDArray[np.int64], nominal: int, gain: int) -> NDArray[np.int32]:
    """Largest code with ``span (2 code - 1) <= 2 nominal gain``: that nearest to the nominal, from the bits down."""
    gains = np.zeros(len(span), dtype=np.int32)
    for bit in range(GAIN_BITS, -1, -1):
        trial = gains + (1 << bit)
        gains = np.where(span * (2 * trial - 1) <= 2 * nominal * gain, trial, gains)
    return gains.astype(np.int32)

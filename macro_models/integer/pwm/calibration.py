"""Calibration of the converters, run by the chip itself with reference currents: what its command does, in integers.

All columns are calibrated at a time. Every search is a binary one from the highest bit down, so that a comparator a
column is all that it takes. A *set* is :data:`REFERENCE_READS` conversions of the same reference currents, whose
counts are summed.

1. Trim of the gain: the largest code at which a set at a quarter of the highest frequency counts at most its nominal.
2. Trim of the curvature: the same at three quarters.
3. Trim of the gain again, since a quarter is a little curved, too.
4. Digital gain: the code nearest to the nominal, of the difference of two sets at three quarters, one of each polarity.
5. Digital offset: what a set without current gives, negative.

Drift compensation, run by the chip itself: what its commands do, in integers.

After programming the chip multiplies stored vectors and keeps, for each, the difference of the two counters of every
column, read :data:`PRODUCT_READS` times and summed. Later it reads the same vectors again. Three commands bring
products back to what they were:

* ``global``: one factor for all columns, the sum of the magnitudes of the stored differences over that of the new ones.
  It goes to the range register, so that the mirrors of all columns take it and no counts are lost.
* ``column``: then a digital gain for each column, the least-squares factor from new to stored differences.
* ``affine``: the same, but gain and offset of each column by the least-squares line, and stored are what the vectors
  should give: the host has computed it from the weights. So what calibration and programming left is corrected, too.

Nothing is divided: each register is the largest code whose product with one sum is at most another, found by a binary
search from the highest bit down. Sums have 64 bits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.pwm.converter import (
    CURVE_TRIMS,
    GAIN_BITS,
    GAIN_MOST,
    GAIN_TRIMS,
    LEVEL_BITS,
    OFFSET_RANGE,
    PRODUCT_BITS,
    DigitalUnits,
    Trim,
)
from mho.macro_models.integer.random import Purpose, bits16
from mho.macro_models.types import Indices, Integers, Integral

REFERENCE_READS = 16
"""Conversions of a set."""
SETS = 21
"""Sets of a calibration: 7, 4 and 7 for the trims, 2 for the gain, 1 for the offset."""

RANGE_BITS = 15
"""Fraction bits of the range register."""

REGISTERS = {
    "trim_gain": ((2,), GAIN_TRIMS[0], GAIN_TRIMS[-1]), "trim_curve": ((2,), CURVE_TRIMS[0], CURVE_TRIMS[-1]),
    "gain": ((), 0, GAIN_MOST), "offset": ((), *OFFSET_RANGE),
}
"""Registers by name: dimensions before that of the columns, least and largest."""

ReadReference = Callable[[Trim, int, int, int], tuple[Integers, Integers]]
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

    @property
    def registers(self) -> dict[str, Indices]:
        """The trims of both oscillators, digital gains and offsets, by name."""
        return {
            "trim_gain": self.trim.gain, "trim_curve": self.trim.curve, "gain": self.digital.gain,
            "offset": self.digital.offset,
        }

    @classmethod
    def of(cls, registers: Mapping[str, Indices], range_code: int = 1 << RANGE_BITS) -> "Calibration":
        """Inverse of :attr:`registers`."""
        trim = Trim(gain=registers["trim_gain"], curve=registers["trim_curve"])
        digital = DigitalUnits(gain=registers["gain"], offset=registers["offset"])
        return cls(trim=trim, digital=digital, range_code=range_code)

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

    def search(at: int, codes: range, make: Callable[[Indices], Trim]) -> Indices:
        nonlocal number
        target_counts = REFERENCE_READS * windows * at >> LEVEL_BITS
        code = np.full((2, columns), codes.start, dtype=np.int32)
        bit = len(codes) // 2
        while bit:
            counted = np.stack(read(make(code + bit), at, at, number))
            number += REFERENCE_READS
            code = np.where(counted <= target_counts, code + bit, code).astype(np.int32)
            bit //= 2
        return code

    reset = Trim.reset(columns)
    first = search(levels[0], GAIN_TRIMS, lambda code: Trim(gain=code, curve=reset.curve))
    curve = search(levels[1], CURVE_TRIMS, lambda code: Trim(gain=first, curve=code))
    trim = Trim(gain=search(levels[0], GAIN_TRIMS, lambda code: Trim(gain=code, curve=curve)), curve=curve)
    high = [read(trim, levels[1], 0, number), read(trim, 0, levels[1], number + REFERENCE_READS)]
    zero = read(trim, 0, 0, number + 2 * REFERENCE_READS)
    spans = [positive - negative for positive, negative in (*high, zero)]
    digital = _gains(spans[0] - spans[1], 2 * (REFERENCE_READS * windows * levels[1] >> LEVEL_BITS), gain)
    bits = PRODUCT_BITS + REFERENCE_READS.bit_length() - 1
    offset = -((spans[2] * digital + (1 << bits - 1)) >> bits)
    return Calibration(
        trim=trim, digital=DigitalUnits(gain=digital, offset=np.clip(offset, *OFFSET_RANGE).astype(np.int32))
    )


def _gains(span: Integers, nominal: int, gain: int) -> Indices:
    """Largest code with ``span (2 code - 1) <= 2 nominal gain``: that nearest to the nominal, from the bits down."""
    gains = np.zeros(len(span), dtype=np.int32)
    for bit in range(GAIN_BITS, -1, -1):
        trial = gains + (1 << bit)
        gains = np.where(span * (2 * trial - 1) <= 2 * nominal * gain, trial, gains)
    return gains.astype(np.int32)

COMPENSATIONS = ("none", "global", "column", "affine")
"""What can be asked for, each more than the one before it."""

VECTORS = 64
"""Stored vectors."""
PRODUCT_READS = 4
"""Conversions of each."""

ReadVectors = Callable[[Calibration], Integers]
"""Differences of the counters of all stored vectors with these registers, summed over the reads, (vectors, columns)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Compensation:
    """What the core is given to compensate drift; see :func:`compensate`."""

    how: str
    vectors: Integral
    """The stored vectors, (vectors, rows)."""
    stored: Integers
    """What they should give, (vectors, columns)."""
    step_code: int
    """Of the operations that read them."""
    before: Calibration
    """Registers that it begins with."""


def stored_vectors(rows: int) -> NDArray[np.int16]:
    """The vectors, -127..127 evenly, of shape (vectors, rows): the same for all chips."""
    drawn = bits16(Purpose.REFERENCE_PHASE, seed=0, core=0, items=VECTORS * rows, step=1).astype(np.int64)
    return ((drawn * 255 >> 16) - 127).astype(np.int16).reshape(VECTORS, rows)


def compensate(
    how: str, stored: Integers, units: DigitalUnits, read: ReadVectors, calibration: Calibration
) -> Calibration:
    """Registers after a command.

    Parameters
    ----------
    how
        Of :data:`COMPENSATIONS`.
    stored
        What ``read`` gave after programming, with the registers ``calibration``, or what it should have given.
    units
        The digital units that make the right codes of it.
    read
        Reads the stored vectors.
    calibration
        Registers after programming: commands begin with them, so that they can be given again and again.
    """
    if how == "none":
        return calibration
    recalibrated = replace(calibration, range_code=range_code(stored, read(calibration), calibration.range_code))
    if how == "global":
        return recalibrated
    new = read(recalibrated)
    digital = fitted_units(stored, new, units, calibration.digital, affine=how == "affine")
    return replace(recalibrated, digital=digital)


def range_code(stored: Integers, new: Integers, code: int) -> int:
    """The range code that makes up for ``new`` instead of ``stored`` differences: steps as small as currents are."""
    now, then = int(np.abs(new).sum()), int(np.abs(stored).sum())
    chosen = 0
    for bit in range(RANGE_BITS, -1, -1):
        trial = chosen + (1 << bit)
        if (2 * trial - 1) * then <= 2 * code * now:
            chosen = trial
    return max(chosen, 1)


def fitted_units(
    stored: Integers, new: Integers, units: DigitalUnits, digital: DigitalUnits, *, affine: bool
) -> DigitalUnits:
    """Gains, and offsets where ``affine``, with which new differences give the codes of the stored ones."""
    count = len(new)
    product, square = (stored * new).sum(axis=0), (new * new).sum(axis=0)
    then, now = stored.sum(axis=0), new.sum(axis=0)
    if affine:
        product, square = count * product - then * now, count * square - now * now
    gain = np.zeros(new.shape[1], dtype=np.int64)
    for bit in range(GAIN_BITS, -1, -1):
        trial = gain + (1 << bit)
        gain = np.where((2 * trial - 1) * square <= 2 * units.gain * product, trial, gain)
    # A column that carries nothing stays as it is.
    gain = np.where((square > 0) & (product > 0), gain, digital.gain)
    if not affine:
        return DigitalUnits(gain=gain.astype(np.int32), offset=digital.offset)
    # Half steps by which the means of the codes differ, rounded.
    bits = PRODUCT_BITS + (count * PRODUCT_READS).bit_length() - 1
    shift = (then * units.gain - now * gain) + (1 << bits - 1) >> bits
    offset = np.clip(units.offset + shift, *OFFSET_RANGE)
    return DigitalUnits(gain=gain.astype(np.int32), offset=offset.astype(np.int32))

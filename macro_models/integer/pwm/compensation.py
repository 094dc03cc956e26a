"""Drift compensation, run by the chip itself: what its commands do, in integers.

After programming the chip multiplies stored vectors and keeps, for each, the difference of the two counters of every
column, read :data:`READS` times and summed. Later it reads the same vectors again. Three commands bring products back
to what they were:

* ``global``: one factor for all columns, the sum of the magnitudes of the stored differences over that of the new ones.
  It goes to the range register, so that the mirrors of all columns take it and no counts are lost.
* ``column``: then a digital gain for each column, the least-squares factor from new to stored differences.
* ``affine``: the same, but gain and offset of each column by the least-squares line, and stored are what the vectors
  should give: the host has computed it from the weights. So what calibration and programming left is corrected, too.

Nothing is divided: each register is the largest code whose product with one sum is at most another, found by a binary
search from the highest bit down. Sums have 64 bits.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.pwm.calibration import RANGE_BITS, Calibration
from mho.macro_models.integer.pwm.converter import GAIN_BITS, OFFSET_RANGE, PRODUCT_BITS, DigitalUnits
from mho.macro_models.integer.random import Purpose, bits16
from mho.macro_models.types import Integers

__all__ = [
    "COMPENSATIONS", "READS", "VECTORS", "Compensation", "ReadVectors", "compensate", "fitted_units", "range_code",
    "stored_vectors",
]

COMPENSATIONS = ("none", "global", "column", "affine")
"""What can be asked for, each more than the one before it."""

VECTORS = 64
"""Stored vectors."""
READS = 4
"""Conversions of each."""

ReadVectors = Callable[[Calibration], Integers]
"""Differences of the counters of all stored vectors with these registers, summed over the reads, (vectors, columns)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Compensation:
    """What the core is given to compensate drift; see :func:`compensate`."""

    how: str
    vectors: NDArray[np.integer]
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
    bits = PRODUCT_BITS + (count * READS).bit_length() - 1
    shift = (then * units.gain - now * gain) + (1 << bits - 1) >> bits
    offset = np.clip(units.offset + shift, *OFFSET_RANGE)
    return DigitalUnits(gain=gain.astype(np.int32), offset=offset.astype(np.int32))

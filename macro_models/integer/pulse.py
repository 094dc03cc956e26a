"""Programming pulses and what they do to a cell, in integers: numpy, C++ and an emulator in an FPGA agree exactly.

A conductance counts steps of the full scale of verify reads divided by 2**20, a threshold 2**-16 steps of the
amplitude, the logarithm of the rate a of a pulse 2**-12 of 1/64. A pulse whose amplitude reaches the threshold moves a
cell by the part 1 - exp(-a) of the way to the end of its window, which is looked up in :data:`MOVED`.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from mho.macro_models.types import Flags, Integers

AMPLITUDE_BITS = 8
"""Width of the code of a pulse's amplitude."""

SCALE_BITS = 20
"""The full scale of verify reads is 2**20 steps of a conductance."""
CONDUCTANCE_BITS = 24
"""Width of a conductance: up to 16 times the full scale."""
CONDUCTANCE_MAX = 2**CONDUCTANCE_BITS - 1

THRESHOLD_BITS = 16
"""Fraction bits of a threshold in steps of the amplitude."""
THRESHOLD_MAX = 2 ** (THRESHOLD_BITS + 10) - 1
"""Largest magnitude of a threshold."""

RATE_BITS = 12
"""Fraction bits of ln a in steps of the table."""
RATE_MAX = 2**24 - 1
"""Largest slope and spread, and largest magnitude of the logarithms of rates."""

SIGMA_BITS = 16
"""Fraction bits of the deviation of a verify read in verify codes."""

DRAW_BITS = 12
"""Fraction bits of a normal draw (:data:`mho.macro_models.integer.random.NORMAL_ONE`)."""

PULSE_STEP, VERIFY_STEP = 7, 8
"""Steps of the draws of purpose ``PULSE`` for each pulse and for each verify read of a cell."""

TABLE_STEPS = 64
"""Steps of the table of 1 - exp(-a), for each unit of ln a."""
TABLE_LOW, TABLE_HIGH = -16 * TABLE_STEPS, 4 * TABLE_STEPS
"""First and last step of the table."""
MOVED_BITS = 24
"""Fraction bits of the table's entries, all below one."""


def _make_table() -> Integers:
    moved = -np.expm1(-np.exp(np.arange(TABLE_LOW, TABLE_HIGH + 1) / TABLE_STEPS))
    return np.minimum(np.rint(moved * 2.0**MOVED_BITS), 2.0**MOVED_BITS - 1.0).astype(np.int64)


MOVED = _make_table()
"""The table: the part of the way to the end of its window that a pulse moves a cell, in 2**-24."""


class Polarity(IntEnum):
    """Kind of a pulse."""

    SET = 0
    """Raises the conductance."""
    RESET = 1
    """Lowers it."""
    FORM = 2
    """Makes the first filament of a fresh cell."""


class PulseRecord(IntEnum):
    """Words of 32 bits that say what a cell is, as an emulator in an FPGA holds them."""

    STATE = 0
    """Conductance in the lowest bits, flags above: :data:`FORMED_BIT`, :data:`STUCK_BIT`, :data:`WEAK_BIT`."""
    PULSES = 1
    """Pulses so far."""
    READS = 2
    """Verify reads so far."""
    THRESHOLD = 3
    """Three, of SET, RESET and FORM, in two's complement."""
    HIGH = 6
    """Conductance to which SET pulses tend."""
    FORMED = 7
    """Conductance after forming."""


RECORD_WORDS = 8
"""Words of the record of a cell."""

FORMED_BIT, STUCK_BIT, WEAK_BIT = (CONDUCTANCE_BITS + k for k in range(3))
"""Flags of a cell in the word of its state."""


class LawWords(IntEnum):
    """Places of the constants of :class:`PulseLaw` among the words of :meth:`PulseLaw.words`."""

    LOG_RATE = 0
    """Three: SET, RESET, FORM."""
    SLOPE = 3
    """Three."""
    SPREAD = 6
    LOG_WEAK = 7
    LOW = 8
    VERIFY_SIGMA = 9
    KEY = 10
    """Two, of the draws."""


@dataclass(frozen=True, kw_only=True)
class PulseLaw:
    """What all cells of an array have in common, for pulses of one width of each polarity."""

    log_rate: tuple[int, int, int]
    """ln a of SET, RESET and FORM pulses at the threshold; magnitudes up to 2**24 - 1."""
    slope: tuple[int, int, int]
    """Its growth with each step of the amplitude, 0..2**24 - 1."""
    spread: int
    """Its standard deviation from pulse to pulse, 0..2**24 - 1."""
    log_weak: int
    """What is added to it for weak cells, of magnitude up to 2**24 - 1."""
    low: int
    """Conductance to which RESET pulses tend."""
    verify_sigma: int
    """Standard deviation of a verify read, in 2**-16 verify codes, 0..2**24 - 1."""
    verify_bits: int
    """Width of a verify code."""

    def words(self, key: tuple[int, int]) -> list[int]:
        """The constants as an emulator in an FPGA holds them: 32 bits, two's complement, placed by :class:`LawWords`.

        ``key`` is that of the draws, :func:`mho.macro_models.integer.random.philox_key` for the purpose ``PULSE``.
        """
        values = (*self.log_rate, *self.slope, self.spread, self.log_weak, self.low, self.verify_sigma, *key)
        return [int(value) & 0xFFFFFFFF for value in values]

    def over(self, amplitude: Integers, threshold: Integers) -> Integers:
        """How far amplitudes are above thresholds; a pulse acts where that is at least 0."""
        return (amplitude << THRESHOLD_BITS) - threshold

    def step(self, polarity: Integers, over: Integers, z: Integers, weak: Flags) -> Integers:
        """Index into :data:`MOVED` for pulses ``over`` the threshold, with the normal codes ``z``."""
        slope, rate = np.array(self.slope), np.array(self.log_rate)
        log = rate[polarity] + (over * slope[polarity] >> THRESHOLD_BITS) + (z * self.spread >> DRAW_BITS)
        log = log + np.where(weak, self.log_weak, 0)
        index = np.maximum(log + (1 << RATE_BITS - 1) >> RATE_BITS, TABLE_LOW)
        return np.minimum(index, TABLE_HIGH) - TABLE_LOW  # np.clip takes five times as long for a few cells

    def move(self, polarity: Integers, g: Integers, high: Integers, step: Integers) -> Integers:
        """Conductances after SET and RESET pulses that act on cells with conductances ``g`` and upper ends ``high``."""
        end = np.where(polarity == Polarity.SET, np.maximum(high, g), np.minimum(self.low, g))
        return g + ((end - g) * MOVED[step] + (1 << MOVED_BITS - 1) >> MOVED_BITS)

    def read(self, g: Integers, z: Integers) -> Integers:
        """Verify codes of conductances, with the normal codes ``z``."""
        noise = z * self.verify_sigma >> SIGMA_BITS + DRAW_BITS - SCALE_BITS
        top = 2**self.verify_bits - 1
        return np.minimum(np.maximum(g * top + noise + (1 << SCALE_BITS - 1) >> SCALE_BITS, 0), top)

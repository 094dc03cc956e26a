"""The converter in integers: two current-controlled oscillators a column, each with a counter.

What an oscillator counts in a conversion is ``floor(phase + f(current) T)``. In integers: a current is ``u``, the
counts that an oscillator without any error would make of it in one window, in 2**-8 counts, at most :data:`LEVEL_TOP`.
Within one window the phase grows, in 2**-20 counts, by

    ``v = clip(offset + u gain + (u**2 >> 17) curvature, 0, top << 20)``,

gain and curvature in 2**-12, and the counter shows ``min(phase + sum of v over its windows >> 20, 4095)``. Pulses of
different widths make a current that changes within a window; ``u`` is its mean, so that curvature acts on the mean.

Trim registers on the mirror of each oscillator correct it ahead of everything digital: ``gain (64 + t) >> 6`` for t of
-64..63, and ``curvature + 32 c`` for c of -8..7.

The digital unit of a column in integers: two counters become one output code. The only place that says so.

    ``code = clip(((c_pos - c_neg) gain + 128 >> 8) + offset, low, high)``

``gain`` is unsigned with one bit before and seven behind the point (1/128, 0..255), ``offset`` signed with seven before
and one behind (half a step, -128..127): the fixed-point form that costs 0.12 to 0.4 points of accuracy against floating
point (arXiv 2402.07549). Codes are in half steps: a gain of 1 makes a step of four counts. ``high`` is
``2**out_bits - 1``, ``low`` its negative, or 0 with ReLU.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.pwm.operation import PwmOperation
from mho.macro_models.types import Array, Flags, Indices, Integers, Integral, Reals

GAIN_BITS = 7
"""Fraction bits of a gain."""
GAIN_MOST = 255
OFFSET_RANGE = (-128, 127)
PRODUCT_BITS = 8
"""Fraction bits of a product of counts and gain, in half steps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DigitalUnits:
    """Registers of the digital units of a core, each of shape (columns,)."""

    gain: Indices
    """0..255, in 1/128."""
    offset: Indices
    """-128..127, in half steps."""

    @classmethod
    def reset(cls, columns: int, gain: int) -> "DigitalUnits":
        """All columns with the code ``gain`` and no offset."""
        return cls(gain=np.full(columns, gain, dtype=np.int32), offset=np.zeros(columns, dtype=np.int32))

    def take(self, columns: Integral) -> "DigitalUnits":
        """Those of some columns."""
        return DigitalUnits(gain=self.gain[columns], offset=self.offset[columns])

    def compute(self, op: PwmOperation, positive: Array, negative: Array, enabled: Flags) -> NDArray[np.int16]:
        """Codes of columns from their counters, whole numbers of shape (..., columns); 0 where a column is off."""
        code = (positive - negative) * (self.gain * 2.0**-PRODUCT_BITS)
        code += 0.5
        np.floor(code, out=code)
        code += self.offset
        np.clip(code, 0 if op.relu else -op.top_code, op.top_code, out=code)
        return (code if enabled.all() else np.where(enabled, code, 0)).astype(np.int16)

Whole = Reals
"""Whole numbers in double precision, which holds them exactly."""

LEVEL_BITS = 8
"""Fraction bits of a current in counts."""
LEVEL_TOP = 1 << 17
"""Largest current: 512 counts."""
COUNT_BITS = 20
"""Fraction bits of an oscillator's phase."""
COUNTER_BITS = 12
"""Width of a counter."""
GAIN_ONE = 1 << COUNT_BITS - LEVEL_BITS
"""Gain 1, and the unit of curvatures."""
_SQUARE_BITS = 17
GAIN_TRIMS, CURVE_TRIMS = range(-64, 64), range(-8, 8)
"""What the trim registers hold."""
_TRIM_BITS = 6
_CURVE_STEP = 32

POSITIVE, NEGATIVE = 0, 1
"""Which oscillator of a column: the first index of arrays of shape (2, columns)."""

PARTS = (((1, 1), (-1, -1)), ((1, -1), (-1, 1)))
"""Windows of each oscillator in a product of four: (sign of the inputs, sign of the devices), in their order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trim:
    """Trim registers of the oscillators, each of shape (2, columns)."""

    gain: Indices
    """-64..63."""
    curve: Indices
    """-8..7."""

    @classmethod
    def reset(cls, columns: int) -> "Trim":
        """The registers after reset: nothing is corrected."""
        return cls(gain=np.zeros((2, columns), dtype=np.int32), curve=np.zeros((2, columns), dtype=np.int32))


@dataclass(frozen=True, kw_only=True, eq=False)
class Oscillators:
    """Oscillators of a core as they are made; arrays of shape (2, columns) int64.

    ``gain`` is that of currents of the array, ``reference_gain`` that of the reference currents of calibration; both
    and ``curvature`` in 1 / :data:`GAIN_ONE`. ``offset`` is what a window counts without current, in 2**-20 counts, and
    ``top`` the counts of a window at the highest frequency.
    """

    gain: Integers
    reference_gain: Integers
    curvature: Integers
    offset: Integers
    top: int

    @classmethod
    def ideal(cls, columns: int, top: int) -> "Oscillators":
        """Without any error."""
        unity, zero = np.full((2, columns), GAIN_ONE, dtype=np.int64), np.zeros((2, columns), dtype=np.int64)
        return cls(gain=unity, reference_gain=unity, curvature=zero, offset=zero, top=top)

    def trimmed(self, trim: Trim) -> "Oscillators":
        """With trim registers set."""
        ratio = (1 << _TRIM_BITS) + trim.gain.astype(np.int64)
        return Oscillators(
            gain=self.gain * ratio >> _TRIM_BITS, reference_gain=self.reference_gain * ratio >> _TRIM_BITS,
            curvature=self.curvature + _CURVE_STEP * trim.curve.astype(np.int64), offset=self.offset, top=self.top,
        )

    def take(self, columns: Integral) -> "Oscillators":
        """Those of some columns."""
        return Oscillators(
            gain=self.gain[:, columns], reference_gain=self.reference_gain[:, columns],
            curvature=self.curvature[:, columns], offset=self.offset[:, columns], top=self.top,
        )

    def grow(self, polarity: int, u: Whole, *, reference: bool = False) -> Whole:
        """What phases of the oscillators of one polarity grow by in one window with currents ``u``, (..., columns).

        ``u`` are whole numbers in any type; doubles hold everything here exactly.
        """
        gain = (self.reference_gain if reference else self.gain)[polarity]
        v = self.offset[polarity] + u * gain
        v += np.floor(u * u * 2.0**-_SQUARE_BITS) * self.curvature[polarity]
        return np.clip(v, 0, self.top << COUNT_BITS, out=v)


def level(charge: Whole, step: int, gain_code: int) -> Whole:
    """Currents ``u`` of accumulated products, at least 0.

    ``step`` is the accumulated product of one output step (two half steps of code) at the digital gain ``gain_code``,
    in 1/128: ``u = min(charge * 2**17 // (gain_code * step), LEVEL_TOP)``. In doubles the quotient is below 2**17 or
    does not matter, and the divisor below 2**35, so that rounding reaches no whole number that it has not.
    """
    u = charge * (2.0 ** (LEVEL_BITS + 9))
    u /= gain_code * step
    np.floor(u, out=u)
    return np.minimum(u, LEVEL_TOP, out=u)


def counts(phase: Whole, grown: Whole) -> Whole:
    """Counters after all windows, from the phases at the start and what they grew by, in 2**-20 counts."""
    total = phase + grown
    total *= 2.0**-COUNT_BITS
    np.floor(total, out=total)
    return np.minimum(total, 2**COUNTER_BITS - 1, out=total)


_GAIN, _CURVE = 7, 4
TRIM_BITS = 2 * (_GAIN + _CURVE)
"""Bits of a word."""


def pack_trim(trim: Trim) -> Integers:
    """Trim words of all columns, of :data:`TRIM_BITS` bits."""
    gain, curve = trim.gain.astype(np.int64) & 127, trim.curve.astype(np.int64) & 15
    sides = gain | curve << _GAIN
    return sides[0] | sides[1] << _GAIN + _CURVE


def unpack_trim(words: Integral) -> Trim:
    """Inverse of :func:`pack_trim`."""
    sides = np.stack([words, words >> _GAIN + _CURVE]).astype(np.int64)
    gain, curve = (sides & 127 ^ 64) - 64, (sides >> _GAIN & 15 ^ 8) - 8
    return Trim(gain=gain.astype(np.int32), curve=curve.astype(np.int32))

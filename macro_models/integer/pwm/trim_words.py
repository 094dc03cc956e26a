"""Trim registers of a column as one word: gain and curvature of the positive oscillator, then of the negative one."""

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.pwm.converter import Trim

__all__ = ["TRIM_BITS", "pack_trim", "unpack_trim"]

_GAIN, _CURVE = 7, 4
TRIM_BITS = 2 * (_GAIN + _CURVE)
"""Bits of a word."""


def pack_trim(trim: Trim) -> NDArray[np.int64]:
    """Trim words of all columns, of :data:`TRIM_BITS` bits."""
    gain, curve = trim.gain.astype(np.int64) & 127, trim.curve.astype(np.int64) & 15
    sides = gain | curve << _GAIN
    return sides[0] | sides[1] << _GAIN + _CURVE


def unpack_trim(words: NDArray[np.integer]) -> Trim:
    """Inverse of :func:`pack_trim`."""
    sides = np.stack([words, words >> _GAIN + _CURVE]).astype(np.int64)
    gain, curve = (sides & 127 ^ 64) - 64, (sides >> _GAIN & 15 ^ 8) - 8
    return Trim(gain=gain.astype(np.int32), curve=curve.astype(np.int32))

"""Numbers that every machine has alike: logarithms and exponentials, whose last bit is a library's own, on a grid."""

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.types import Reals

_GRID = float(1 << 20)
_MOST = 700


def on_grid(value: Reals) -> Reals:
    """Rounded to 2**-20, so that the last bit of a machine's logarithm or error function does not matter."""
    return np.rint(value * _GRID) / _GRID


def number_on_grid(value: float) -> float:
    """The same of one number."""
    return round(value * _GRID) / _GRID


def ln(value: ArrayLike) -> Reals:
    """Logarithm, rounded to 2**-20."""
    return on_grid(np.log(value))


@cache
def _tables() -> tuple[Reals, Reals]:
    """exp(-n) and exp(-j / 256), rounded to a relative 2**-40."""

    def rounded(x: float) -> float:
        mantissa, power = math.frexp(math.exp(x))
        return math.ldexp(round(mantissa * 2.0**40) / 2.0**40, power)

    return np.array([rounded(-n) for n in range(_MOST)]), np.array([rounded(-j / 256.0) for j in range(256)])


def exp_negative(y: Reals) -> Reals:
    """``exp(-y)`` of ``y`` >= 0, to a relative 1e-10: tables, and a polynomial for the rest."""
    whole, parts = _tables()
    y = np.minimum(y, _MOST - 1.0)
    k = np.floor(y * 256.0).astype(np.int64)
    rest = y - k / 256.0
    return whole[k >> 8] * parts[k & 255] * (1.0 - rest * (1.0 - rest * (0.5 - rest * (1.0 / 6.0))))


def exp_of(x: Reals) -> Reals:
    """``exp(x)`` of either sign, from :func:`exp_negative`."""
    size = exp_negative(np.abs(x))
    return np.where(x > 0.0, 1.0 / size, size)


Polynomial = tuple[float, ...]
"""Coefficients of the powers of a relative conductance, lowest first."""


def evaluate(polynomial: Polynomial, r: Reals) -> Reals:
    """The polynomial at each ``r``, not below 0."""
    value = np.zeros_like(r, dtype=np.float64)
    for coefficient in reversed(polynomial):
        value *= r
        value += coefficient
    return np.maximum(value, 0.0, out=value)[()]

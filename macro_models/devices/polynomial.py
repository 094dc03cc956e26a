"""Polynomials of conductance, as sections of devices give deviations."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Polynomial", "evaluate"]

Polynomial = tuple[float, ...]
"""Coefficients of the powers of a relative conductance, lowest first."""


def evaluate(polynomial: Polynomial, r: NDArray[np.float64]) -> NDArray[np.float64]:
    """The polynomial at each ``r``, not below 0."""
    value = np.zeros_like(r, dtype=np.float64)
    for coefficient in reversed(polynomial):
        value *= r
        value += coefficient
    return np.maximum(value, 0.0, out=value)[()]

"""Statistics of readings over the conductance, as polynomials."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["course", "part_course"]

_BINS, _FEWEST = 10, 20
_DEGREES = 3

Reals = NDArray[np.float64]


def course(centre: Reals, variance: Reals, g_max_uS: float) -> tuple[float, ...]:
    """Deviation in uS over the conductance, as a polynomial in g / g_max; its degree by Mallows' Cp.

    ``variance`` has an estimate for each burst, of mean conductance ``centre``.
    """
    x, mean, error = _binned(centre, variance, g_max_uS)
    y = np.sqrt(np.maximum(mean, 0.0))
    error = np.maximum(error / (2.0 * np.maximum(y, 1e-6)), 1e-3 * max(float(y.max(initial=0.0)), 1e-6))
    return _polynomial(x, y, error, float(np.sqrt(max(float(variance.mean()), 0.0))))


def part_course(centre: Reals, has: NDArray[np.bool_], g_max_uS: float) -> tuple[float, ...]:
    """Part of the bursts that have something, likewise."""
    x, part, _ = _binned(centre, has.astype(np.float64), g_max_uS)
    count = len(centre) / max(len(x), 1)
    error = np.sqrt((part * (1.0 - part) + 1.0 / count) / count)
    return _polynomial(x, part, error, float(has.mean()))


def _binned(centre: Reals, values: Reals, g_max_uS: float) -> tuple[Reals, Reals, Reals]:
    """Conductance over g_max of bins with as many bursts each, means of their values, and standard errors."""
    edges = np.quantile(centre, np.linspace(0.0, 1.0, min(_BINS, max(1, len(centre) // _FEWEST)) + 1)[1:-1])
    group = np.searchsorted(edges, centre, side="right")
    bins = np.flatnonzero(np.bincount(group) > 1)
    x = np.array([centre[group == k].mean() for k in bins]) / g_max_uS
    mean = np.array([values[group == k].mean() for k in bins])
    error = np.array([values[group == k].std() / math.sqrt((group == k).sum()) for k in bins])
    return x, mean, error


def _polynomial(x: Reals, y: Reals, error: Reals, whole: float) -> tuple[float, ...]:
    best, simplest = math.inf, (whole,)
    for degree in range(min(_DEGREES, len(x) - 1) + 1):
        fit = np.polynomial.polynomial.polyfit(x, y, degree, w=1.0 / error)
        cost = float((((np.polynomial.polynomial.polyval(x, fit) - y) / error) ** 2).sum()) + 2.0 * (degree + 1)
        if cost < best - 1.0:
            best, simplest = cost, tuple(float(v) for v in fit)
    return tuple(float(f"{v:.4g}") for v in simplest)

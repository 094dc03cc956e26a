"""The tail of one side of a law from its standard deviation and from the fraction of cells far away."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from macro_models.devices.law import mixture_quantile

__all__ = ["solve_tail"]

_MEDIAN_Z = 0.6744897501960817
_NORMAL = 1.0 / _MEDIAN_Z
_TAIL_MOST, _RATIO_MOST = 0.8, 60.0


def solve_tail(rms: float, beyond: float, threshold: float) -> tuple[float, float]:
    """Tail fraction and ratio (as in :func:`macro_models.devices.law.mixture_quantile`) of one side of a law.

    Parameters
    ----------
    rms
        Root mean square of the distance from the median, in units of its median.
    beyond
        Fraction of the side's cells further than ``threshold``, in the same units.
    """
    if rms < _NORMAL:
        return _light(rms), 0.0
    tails, ratios = np.linspace(0.0, math.sqrt(_TAIL_MOST), 41) ** 2, np.geomspace(1.0, _RATIO_MOST, 48)
    best = (0.0, 1.0)
    for _ in range(4):
        cost = _cost(tails[:, None], ratios[None, :], rms, beyond, threshold)
        i, j = np.unravel_index(int(np.argmin(cost)), cost.shape)
        best = (float(tails[i]), float(ratios[j]))
        tails = np.linspace(tails[max(i - 1, 0)], tails[min(i + 1, len(tails) - 1)], 15)
        ratios = np.geomspace(ratios[max(j - 1, 0)], ratios[min(j + 1, len(ratios) - 1)], 15)
    return best


def _cost(
    tail: NDArray[np.float64], ratio: NDArray[np.float64], rms: float, beyond: float, threshold: float
) -> NDArray[np.float64]:
    """Relative errors of the standard deviation and of the fraction beyond, each against what a sample resolves."""
    middle = mixture_quantile(_MEDIAN_Z, tail, ratio)
    found = np.sqrt((1.0 - tail) + tail * ratio**2) / middle
    at = threshold * middle / math.sqrt(2.0)
    fraction = (1.0 - tail) * erfc(at) + tail * erfc(at / ratio)
    return ((found / rms - 1.0) / 0.02) ** 2 + ((fraction - beyond) / max(0.03 * beyond, 0.001)) ** 2


def _light(rms: float) -> float:
    """Tail for ratio 0 that gives a root mean square below that of a normal law."""
    z = np.linspace(0.0, 4.5, 2001)
    weight = np.exp(-0.5 * z * z)
    parts = np.linspace(0.0, 2.0, 201)
    quantile = mixture_quantile(z, parts[:, None], 0.0)
    known = np.sqrt((quantile**2 * weight).sum(axis=1) / weight.sum()) / _MEDIAN_Z
    return float(np.interp(-rms, -known, parts))

"""The tail of one side of a law from the distances of a sample from the median."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, erfc

from mho.macro_models.devices.quantiles import mixture_quantile

__all__ = ["solve_tail"]

_MEDIAN_Z = 0.6744897501960817
_NORMAL = 1.0 / _MEDIAN_Z
_Z = np.arange(1, 14) * 0.25
_LEAST_IN_TAIL = 1.0
_MODEL_ERROR = 0.03  # to how much a quantile of the law is trusted, relative, however many cells there are


@cache
def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Tails, ratios, medians in units of the core's scale, and logarithms of quantiles over median, of many laws."""
    tails, ratios = np.meshgrid(np.linspace(0.0, 0.9, 61) ** 2, np.geomspace(1.0, 60.0, 80), indexing="ij")
    tails, ratios = tails.ravel(), ratios.ravel()
    middle = mixture_quantile(_MEDIAN_Z, tails, ratios)
    return tails, ratios, middle, np.log(mixture_quantile(_Z, tails[:, None], ratios[:, None]) / middle[:, None])


@cache
def _light_laws() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tails for ratio 0, and the root mean square that each gives, in units of the median."""
    z = np.linspace(0.0, 4.5, 1001)
    weight = np.exp(-0.5 * z * z)
    tails = np.linspace(0.0, 2.0, 101)
    quantile = mixture_quantile(z, tails[:, None], 0.0)
    return tails, np.sqrt((quantile**2 * weight).sum(axis=1) / weight.sum()) / _MEDIAN_Z


def solve_tail(away: NDArray[np.float64], threshold: float) -> tuple[float, float]:
    """Tail and ratio (as in :func:`mho.macro_models.devices.quantiles.mixture_quantile`) of one side of a law.

    The law agrees best with the quantiles of the sample, its root mean square and the fraction of it beyond a
    threshold, each against what a sample of this size resolves.

    Parameters
    ----------
    away
        Distances from the median, positive, of shape (cells,).
    threshold
        Distance beyond which the fraction of cells matters most.
    """
    middle = max(float(np.median(away)), 1e-12)
    rms = math.sqrt(float((away**2).mean())) / middle
    if rms < _NORMAL:
        tails, light_rms = _light_laws()
        return float(np.interp(-rms, -light_rms, tails)), 0.0
    tails, ratios, centre, quantiles = _grid()
    n = len(away)
    measured = np.log(np.maximum(np.quantile(away, erf(_Z / math.sqrt(2.0))) / middle, 1e-9))
    weight = 1.0 / (1.0 / np.maximum(n * erfc(_Z / math.sqrt(2.0)), 0.1) + _MODEL_ERROR**2)
    cost = (weight * (quantiles - measured) ** 2).sum(axis=1)
    law_rms = np.sqrt((1.0 - tails) + tails * ratios**2) / centre
    at = threshold / middle * centre / math.sqrt(2.0)
    fraction = (1.0 - tails) * erfc(at) + tails * erfc(at / ratios)
    beyond = float((away > threshold).mean())
    far = max(0.03 * beyond, 0.3 * math.sqrt(max(beyond, 1.0 / n) / n))
    cost += ((law_rms / rms - 1.0) / 0.02) ** 2 + ((fraction - beyond) / far) ** 2
    # Of a tail with less than a cell in it nothing is known.
    best = int(np.argmin(np.where((tails > 0.0) & (tails * n < _LEAST_IN_TAIL), math.inf, cost)))
    return float(tails[best]), float(ratios[best])

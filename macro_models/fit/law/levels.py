"""Levels of a law: targets at which its rows are known."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["choose_levels", "nearest_level"]

_MOST = 14
_MOST_EXACT = 64
_LEAST_EXACT, _FEWEST = 4, 3  # cells at a target in the mean, and at the one with the fewest
_CELLS = 50


def choose_levels(target_uS: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levels in uS, increasing, for cells that were programmed to ``target_uS``.

    The targets themselves where each was given to many cells. Else they divide the cells evenly, from the least to the
    largest target, 50 cells or more to an interval, with one more near 0 uS, where the law changes fastest.
    """
    exact, count = np.unique(target_uS, return_counts=True)
    per_level = len(target_uS) // len(exact)
    if len(exact) <= _MOST_EXACT and per_level >= _LEAST_EXACT and count.min() >= _FEWEST:
        return exact
    parts = min(max(len(target_uS) // _CELLS, 1), _MOST)
    levels = np.unique(np.quantile(target_uS, np.linspace(0.0, 1.0, parts + 1), method="inverted_cdf"))
    if len(levels) > 8:
        levels = np.unique([*levels, np.quantile(target_uS, 0.5 / parts)])
    return levels


def nearest_level(levels_uS: NDArray[np.float64], target_uS: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the nearest level of each target."""
    return np.searchsorted((levels_uS[1:] + levels_uS[:-1]) / 2.0, target_uS)

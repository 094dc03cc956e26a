"""Cells that lose their state: of two kinds of cells at one time, those that hardly conduct any more."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["all_lost", "find_lost", "lost_fraction"]

_LOW, _VALLEY = 0.15, 0.4  # of the target: a lost cell is below the first, few cells are between the two
_FEWEST = 5
_DEVIATIONS = 3.0  # from how many deviations above 0 uS on a target tells the two kinds apart
_ENOUGH = 20
_OWN = 3.0  # lost cells at a level against which those of the levels around it count as much


def find_lost(
    g_uS: NDArray[np.float64], target_uS: NDArray[np.float64], level: NDArray[np.int64], levels: int
) -> NDArray[np.bool_]:
    """Which readings of one time are of lost cells: none, unless they are clearly apart from the others.

    They are if there are five of them, and three times as many as readings between them and the others, at levels
    which lie three deviations of the change above 0 uS.
    """
    change, ratio = g_uS - target_uS, g_uS / np.maximum(target_uS, 1e-9)
    separable = np.zeros(levels, dtype=bool)
    for k in range(levels):
        at = level == k
        x = change[at & (ratio >= _VALLEY)]
        separable[k] = not x.size  # nothing here, or all of them are lost
        if x.size:
            # From above the median of the others, where no lost cell is.
            middle, high = np.quantile(x, [0.5, 0.84])
            separable[k] = float(np.median(target_uS[at])) > _DEVIATIONS * max(float(high - middle), 1e-9)
    # From the lowest target on above which all tell.
    separable = np.minimum.accumulate(separable[::-1])[::-1]
    low = separable[level] & (ratio < _LOW)
    valley = separable[level] & (ratio >= _LOW) & (ratio < _VALLEY)
    if low.sum() < max(_FEWEST, 3 * int(valley.sum())):
        return np.zeros(len(g_uS), dtype=bool)
    return low


def all_lost(
    g_uS: NDArray[np.float64], target_uS: NDArray[np.float64], level: NDArray[np.int64], levels: int,
    condition: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """The same for readings of many conditions, numbered: where one shows lost cells, a few are known elsewhere."""
    lost = np.zeros(len(g_uS), dtype=bool)
    for k in np.unique(condition):
        at = np.flatnonzero(condition == k)
        lost[at] = find_lost(g_uS[at], target_uS[at], level[at], levels)
    if lost.any():
        lost |= (g_uS < _LOW * target_uS) & (target_uS >= target_uS[lost].min())
    return lost


def lost_fraction(
    lost: NDArray[np.bool_], level: NDArray[np.int64], levels: int, first: int | None = None
) -> NDArray[np.float64]:
    """Fraction of lost cells at each level from the level ``first`` on (that of the first lost cell), (levels,).

    Its own cells, with those of as many levels around it as hold twenty lost ones for a prior.
    """
    count = np.bincount(level, minlength=levels).astype(np.float64)
    gone = np.bincount(level[lost], minlength=levels).astype(np.float64)
    separable = np.zeros(levels, dtype=bool)
    first = int(np.flatnonzero(gone)[0]) if first is None else first
    separable[first:] = True  # levels below the first are too close to 0 uS
    fraction = np.zeros(levels)
    for k in np.flatnonzero(separable):
        low = high = int(k)
        while gone[low : high + 1].sum() < _ENOUGH and (low > first or high < levels - 1):
            low, high = max(first, low - 1), min(levels - 1, high + 1)
        around = gone[low : high + 1].sum() / max(count[low : high + 1].sum(), 1.0)
        fraction[k] = (gone[k] + _OWN) / (count[k] + _OWN / around)
    total = float((fraction * count).sum())
    return fraction * (float(gone.sum()) / total if total > 0.0 else math.nan)

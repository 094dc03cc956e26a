"""Cells that lose their state: of two kinds of cells at one time, those that hardly conduct any more."""

import math

import numpy as np

from mho.macro_models.fit.law.statistics import choose_levels, nearest_level
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Flags, Integers, Reals

_LOW, _VALLEY = 0.15, 0.4  # of the target: a lost cell is below the first, few cells are between the two
_FEWEST = 5
_DEVIATIONS = 3.0  # from how many deviations above 0 uS on a target tells the two kinds apart
_ENOUGH = 20
_OWN = 3.0  # lost cells at a level against which those of the levels around it count as much


def find_lost(g_uS: Reals, target_uS: Reals, level: Integers, levels: int) -> Flags:
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


def all_lost(g_uS: Reals, target_uS: Reals, level: Integers, levels: int, condition: Integers) -> Flags:
    """The same for readings of many conditions, numbered: where one shows lost cells, a few are known elsewhere."""
    lost = np.zeros(len(g_uS), dtype=bool)
    for k in np.unique(condition):
        at = np.flatnonzero(condition == k)
        lost[at] = find_lost(g_uS[at], target_uS[at], level[at], levels)
    if lost.any():
        lost |= (g_uS < _LOW * target_uS) & (target_uS >= target_uS[lost].min())
    return lost


def lost_fraction(lost: Flags, level: Integers, levels: int, first: int | None = None) -> Reals:
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

_FEWEST_CELLS = 100
_PART_OF_LEVEL = 0.3
_SURE = 4.0  # standard errors by which the valley lies below both humps
_LEAST_PART = 0.02
_BINS = 512
_RESOLVED = 1e-9  # relative width of a sample below which it is one value


def two_humps(values: Reals) -> float:
    """Part of a sample that lies in its smaller hump; 0 if it has one hump.

    The density is estimated with a normal kernel (half of Silverman's width). Between two of its maxima the valley
    must be deeper than both by four standard errors of the counts in windows as wide as the kernel, which a heavy tail
    or a skewed law does not give; neither may the smaller hump be less than 2 %.
    """
    n = len(values)
    if n < _FEWEST_CELLS or np.ptp(values) <= _RESOLVED * float(np.abs(values).max()):
        return 0.0
    ordered = np.sort(values)
    spread = min(float(values.std()), float(np.subtract(*np.quantile(values, [0.75, 0.25]))) / 1.349)
    for width in (0.5, 0.25):
        part = _valley(ordered, width * max(spread, 1e-3 * float(np.ptp(values))) * 1.06 * n**-0.2)
        if part > 0.0:
            return part
    return 0.0


def _valley(ordered: Reals, kernel: float) -> float:
    low, high = ordered[0] - 3.0 * kernel, ordered[-1] + 3.0 * kernel
    bins = int(min(max(_BINS, (high - low) / kernel * 4.0), 16 * _BINS))
    count, edges = np.histogram(ordered, bins=bins, range=(low, high))
    step = float(edges[1] - edges[0])
    reach = max(1, math.ceil(4.0 * kernel / step))
    shape = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / kernel) ** 2)
    density = np.convolve(count, shape / shape.sum(), mode="same")
    # Cells that a window of the kernel's effective width holds.
    window = 2.0 * math.sqrt(math.pi) * kernel / step
    cells, total = density * window, len(ordered)
    left = np.maximum.accumulate(cells)
    right = np.maximum.accumulate(cells[::-1])[::-1]
    lesser = np.minimum(left, right)
    depth = (lesser - cells) / np.sqrt(lesser + cells + 1.0)
    at = int(np.argmax(depth))
    below = float(count[: at + 1].sum()) / total
    part = min(below, 1.0 - below)
    return part if depth[at] > _SURE and part >= _LEAST_PART else 0.0


def two_kinds(data: Measurements) -> str:
    """Names the time and target at which the cells are most clearly of two kinds; empty if they are of one.

    Cells that conduct nothing, or are lost, are known otherwise and not counted.
    """
    _, once = np.unique(data.cell, return_index=True)
    levels = choose_levels(data.target_uS[once])
    level = nearest_level(levels, data.target_uS)
    fewest = max(_FEWEST_CELLS, int(_PART_OF_LEVEL * len(once) / max(len(levels), 1) ** 0.5))
    sentence, largest = "", 0.0
    for index in np.unique(data.time_index):
        at = np.flatnonzero((data.time_index == index) & (data.g_uS > 0.0))
        lost = find_lost(data.g_uS[at], data.target_uS[at], level[at], len(levels))
        if lost.any():
            # Below the first level where they are told from the others they are among these.
            at = at[~lost & (level[at] >= level[at][lost].min())]
        for k in range(len(levels)):
            low = high = k
            # Neighbours help where a level has few cells: they have the same humps nearly.
            while np.isin(level[at], range(low, high + 1)).sum() < fewest and (low > 0 or high < len(levels) - 1):
                low, high = max(low - 1, 0), min(high + 1, len(levels) - 1)
            chosen = at[(level[at] >= low) & (level[at] <= high)]
            part = two_humps(data.g_uS[chosen] - data.target_uS[chosen])
            if part > largest:
                largest = part
                where = f"{data.times_s[index]:g} s near {levels[k]:.3g} uS"
                sentence = f"{part:.1%} of the cells at {where} are of a second kind"
    return sentence

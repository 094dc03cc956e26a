"""Rows as the statistics of the data alone make them."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
from scipy.special import erf, erfc

from mho.macro_models.devices.quantiles import NODES, mixture_quantile
from mho.macro_models.fit.law.statistics import smoothed
from mho.macro_models.fit.rows.row import LEAST_SCALE_US, EmpiricalRow, ParametricRow, Row, quantiles
from mho.macro_models.types import Flags, Integers, Reals

_MEDIAN_Z = 0.6744897501960817
_NORMAL = 1.0 / _MEDIAN_Z
_Z = np.arange(1, 14) * 0.25
_LEAST_IN_TAIL = 1.0
_MODEL_ERROR = 0.03  # to how much a quantile of the law is trusted, relative, however many cells there are


@cache
def _grid() -> tuple[Reals, Reals, Reals, Reals]:
    """Tails, ratios, medians in units of the core's scale, and logarithms of quantiles over median, of many laws."""
    tails, ratios = np.meshgrid(np.linspace(0.0, 0.9, 61) ** 2, np.geomspace(1.0, 60.0, 80), indexing="ij")
    tails, ratios = tails.ravel(), ratios.ravel()
    middle = mixture_quantile(_MEDIAN_Z, tails, ratios)
    return tails, ratios, middle, np.log(mixture_quantile(_Z, tails[:, None], ratios[:, None]) / middle[:, None])


@cache
def _light_laws() -> tuple[Reals, Reals]:
    """Tails for ratio 0, and the root mean square that each gives, in units of the median."""
    z = np.linspace(0.0, 4.5, 1001)
    weight = np.exp(-0.5 * z * z)
    tails = np.linspace(0.0, 2.0, 101)
    quantile = mixture_quantile(z, tails[:, None], 0.0)
    return tails, np.sqrt((quantile**2 * weight).sum(axis=1) / weight.sum()) / _MEDIAN_Z


def solve_tail(away: Reals, threshold: float) -> tuple[float, float]:
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


_SHAPE_READINGS = 500  # from how many readings the shape of a tail is taken, over as many levels as that needs
_LEAST_SIDE = 10  # readings on one side of the median from which its scale is its own
_SIDE_ERROR = 1.65  # relative error of the median distance of a side (normal law), times the root of the level's cells
_HIDDEN = 0.02  # part of the cells of a level that read 0 uS from which its lower side is not seen


def empty_row(model: str, levels: int) -> Row:
    """A row without any change."""
    if model == "empirical":
        return EmpiricalRow(np.zeros((levels, NODES[1])))
    zero = np.zeros(levels)
    return ParametricRow(zero, zero, zero, zero, zero, zero + 1.0, zero + 1.0)


def make_row(model: str, change: Reals, level: Integers, levels_uS: Reals, zero: Flags) -> Row:
    """A row from the changes of cells in uS, each of one of the levels; ``zero`` are those that now read 0 uS."""
    levels = len(levels_uS)
    if model == "empirical":
        return EmpiricalRow(_filled(np.array([quantiles(change[level == k]) for k in range(levels)])))
    row = _parametric(change, level, levels)
    count = np.bincount(level, minlength=levels)
    hidden = np.bincount(level, weights=zero, minlength=levels) > _HIDDEN * count
    return _unhidden(row, hidden, count, levels_uS) if hidden.any() else row


def _unhidden(row: ParametricRow, hidden: Flags, count: Integers, levels_uS: Reals) -> ParametricRow:
    """The row with sides that the clamp at 0 hides at some levels: in proportion to the upper ones, as at the others.

    Scales are smoothed over the levels, as nothing but the mean corrects what the upper side has by chance.
    """
    visible = ~hidden & (count > 0)
    if not visible.any():
        return row
    error = _SIDE_ERROR / np.sqrt(np.maximum(count, 1.0))
    high = np.log(np.maximum(row.high, LEAST_SCALE_US))
    skew = np.log(np.maximum(row.low, LEAST_SCALE_US)) - high
    skew = smoothed(levels_uS, skew, np.where(visible, 2.0 * error, np.inf))
    high = smoothed(levels_uS, high, np.where(count > 0, error, np.inf))
    nearest = np.flatnonzero(visible)[np.abs(np.arange(len(hidden))[:, None] - np.flatnonzero(visible)).argmin(axis=1)]
    return replace(
        row, high=np.where(hidden, np.exp(high), row.high), low=np.where(hidden, np.exp(high + skew), row.low),
        low_tail=np.where(hidden, row.low_tail[nearest], row.low_tail),
        low_ratio=np.where(hidden, row.low_ratio[nearest], row.low_ratio),
    )


def _filled(rows: Reals) -> Reals:
    """NaN rows, of levels that were not read at this time, taken from the levels around them."""
    present = np.flatnonzero(np.isfinite(rows[:, 0]))
    at = np.arange(len(rows))
    return np.stack([np.interp(at, present, column[present]) for column in rows.T], axis=1)


def _parametric(change: Reals, level: Integers, levels: int) -> ParametricRow:
    count = np.bincount(level, minlength=levels)
    centre = np.full((levels, 3), math.nan)
    threshold = np.full(levels, math.nan)
    for k in np.flatnonzero(count):
        x = change[level == k]
        median = float(np.median(x))
        away = np.abs(x - median)
        below, above = away[x < median], away[x > median]
        half = float(np.median(away))
        sides = [float(np.median(s)) if len(s) >= _LEAST_SIDE else half for s in (below, above)]
        centre[k] = (median, *(max(s, LEAST_SCALE_US) for s in sides))
        threshold[k] = max(3.0 * half / _MEDIAN_Z, LEAST_SCALE_US)
    centre = _filled(centre)
    threshold = _filled(threshold[:, None])[:, 0]
    values: dict[str, Reals] = {"shift": centre[:, 0], "low": centre[:, 1], "high": centre[:, 2]}
    for side in ("low", "high"):
        values.update(_shapes(side, change, level, count, values, threshold))
    return ParametricRow(**values)


def _shapes(
    side: str,
    change: Reals,
    level: Integers,
    count: Integers,
    values: dict[str, Reals],
    threshold: Reals,
) -> dict[str, Reals]:
    """Tail of one side at each level, and the scale of its core."""
    away = (change - values["shift"][level]) * (-1.0 if side == "low" else 1.0)
    on_side = away > 0.0
    relative = away[on_side] / values[side][level[on_side]]
    at = level[on_side]
    tails, ratios = np.zeros(len(count)), np.ones(len(count))
    for k in range(len(count)):
        low, high = _window(count, k)
        y = relative[(at >= low) & (at <= high)]
        if y.size >= _LEAST_SIDE:
            within = slice(low, high + 1)
            limit = np.average((threshold / values[side])[within], weights=count[within] + 1e-9)
            tails[k], ratios[k] = solve_tail(y, float(limit))
    scale = values[side] / mixture_quantile(_MEDIAN_Z, tails, ratios)
    return {side: scale, f"{side}_tail": tails, f"{side}_ratio": ratios}


def _window(count: Integers, k: int) -> tuple[int, int]:
    """Levels around ``k`` that have enough readings for the shape of a tail."""
    low = high = k
    while count[low : high + 1].sum() < _SHAPE_READINGS and (low > 0 or high < len(count) - 1):
        low, high = max(0, low - 1), min(len(count) - 1, high + 1)
    return low, high

"""Statistics of measured and drawn cells, freed of chance, and draws that cover a law evenly."""

import math
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from mho.macro_models.integer.random import NORMAL_ONE
from mho.macro_models.types import Integers, Reals

_WEIGHTS = np.geomspace(1e-4, 1e6, 41)
_LEAST_KURTOSIS = 1.8  # of a uniform law
_LEAST_OF_PILOT = 0.3
_DECADES = 50.0  # largest over smallest target from which on their logarithm counts
_LEAST_PART = 0.05  # of a deviation that the clamp leaves where its effect is counted
_MAD_ERROR = 1.17  # relative error of a median absolute deviation, times the root of the number of cells (normal law)


class Clamp(NamedTuple):
    """What the clamp at 0 uS does to the statistics of each level."""

    mean_uS: Reals
    """What it adds to the mean, of shape (levels,)."""
    part: Reals
    """Factor on both deviations, of shape (levels, 2)."""


def clamp_of(clamped: Reals, free: Reals) -> Clamp:
    """The clamp's effect from summaries of the same cells with and without it, of shape (levels, 4)."""
    usable = (clamped[:, 1:3] > 0.0) & (free[:, 1:3] > 0.0)
    part = np.where(usable, clamped[:, 1:3], 1.0) / np.where(usable, free[:, 1:3], 1.0)
    return Clamp(clamped[:, 0] - free[:, 0], np.maximum(part, _LEAST_PART))


def smoothed(levels_uS: Reals, values: Reals, errors: Reals) -> Reals:
    """The smoothest course over the levels that the errors allow, of the shape of ``values``.

    Second differences over the root of the target (over its logarithm, where targets lie decades apart) are penalised
    (Whittaker 1923), down to a straight line and to a constant; how strongly, Mallows' Cp says: the squared misfit in
    units of the errors plus twice the number of parameters. Levels with an infinite error are filled in. Errors of one
    size are what the penalty is for: values that grow with the level come in units of their own scale.
    """
    usable = np.isfinite(errors) & np.isfinite(values)
    if usable.sum() < 2:
        return np.where(usable, values, values[usable][0] if usable.any() else 0.0)
    lowest_uS = float(levels_uS[levels_uS > 0.0].min(initial=math.inf))
    u = np.asarray(np.sqrt(levels_uS) if levels_uS[-1] < _DECADES * lowest_uS else np.log(levels_uS + lowest_uS))
    inverse = np.where(usable, 1.0 / np.where(usable, np.maximum(errors, 1e-12), 1.0) ** 2, 0.0)
    scale = float(inverse[usable].mean())
    inverse, y = inverse / scale, np.where(usable, values, 0.0)
    best, smoothest = np.inf, y
    for hat in _hats(u, inverse):
        fit = hat @ y
        cost = float((inverse * (y - fit) ** 2).sum()) * scale + 2.0 * float(np.trace(hat[usable][:, usable]))
        if cost < best:
            best, smoothest = cost, fit
    return smoothest


def _hats(u: Reals, weight: Reals) -> list[Reals]:
    """Matrices from values to smooth ones: a constant, a line, and curves that are less and less stiff."""
    hats = []
    for columns in ([np.ones_like(u)], [np.ones_like(u), u]):
        design = np.stack(columns, axis=1)
        hats.append(design @ np.linalg.pinv(design.T @ (weight[:, None] * design)) @ (design.T * weight))
    if len(u) < 3:
        return hats
    u = (u - u[0]) / (u[-1] - u[0])
    step = np.diff(u)
    bend = np.zeros((len(u) - 2, len(u)))
    for k in range(len(u) - 2):
        bend[k, k : k + 3] = 1.0 / step[k], -1.0 / step[k] - 1.0 / step[k + 1], 1.0 / step[k + 1]
        bend[k] *= np.sqrt(2.0 / (step[k] + step[k + 1]))
    penalty = bend.T @ bend / len(u) ** 3
    stiff = np.diag(weight) + _WEIGHTS[::-1, None, None] * penalty
    return [*hats, *np.linalg.solve(stiff, np.broadcast_to(np.diag(weight), stiff.shape))]


def moment_errors(change: Reals, level: Integers, summaries: Reals) -> tuple[Reals, Reals]:
    """Standard errors of the mean in uS and of the logarithm of the deviation of each level, of shape (levels,).

    ``summaries`` are those of the levels, of shape (levels, 4). The kurtosis is that of all levels together.
    """
    count = np.bincount(level, minlength=len(summaries))
    spread = np.maximum(summaries[level, 1], 1e-12)
    standard = (change - summaries[level, 0]) / spread
    kurtosis = max(float((standard**4).mean()), _LEAST_KURTOSIS) if len(change) else 3.0
    freedom = np.maximum(count - 1.0, 1.0)
    of_mean = np.where(count > 1, summaries[:, 1] / np.sqrt(freedom), np.inf)
    of_spread = np.where(count > 2, np.sqrt((kurtosis - 1.0) / (4.0 * freedom)), np.inf)
    return of_mean, of_spread


def smoothed_summaries(
    levels_uS: Reals, summaries: Reals, change: Reals, level: Integers, clamp: Clamp | None = None
) -> Reals:
    """Summaries of the levels (:class:`.statistics.Summary`) with mean and both deviations smoothed.

    The sum over all cells stays: means and mean squares are those of the data. What smoothing leaves of the sum goes to
    the levels by the squares of their errors, so that small targets are not moved by what large ones scatter. Near 0 uS
    the clamp bends the course of the statistics over the targets, not that of the law: with ``clamp`` what it would be
    without is smoothed.
    """
    if clamp is not None:
        free = summaries.copy()
        free[:, 0] -= clamp.mean_uS
        free[:, 1:3] /= clamp.part
        result = smoothed_summaries(levels_uS, free, change - clamp.mean_uS[level], level)
        result[:, 0] += clamp.mean_uS
        result[:, 1:3] *= clamp.part
        return result
    count = np.bincount(level, minlength=len(levels_uS)).astype(np.float64)
    if len(levels_uS) < 2 or not count.sum():
        return summaries
    of_mean, of_spread = moment_errors(change, level, summaries)
    result = summaries.copy()
    # Means in units of smooth deviations, whose errors are of one size.
    fine = (summaries[:, 1] > 1e-9) & np.isfinite(of_spread)
    if not fine.any():
        return summaries
    unbiased = np.sqrt(count / np.maximum(count - 1.0, 1.0))
    std = np.maximum(summaries[:, 1] * unbiased, 1e-9)
    std = _positive(levels_uS, std, np.where(fine, of_spread, np.inf))
    error = np.where(np.isfinite(of_mean), 1.0 / np.sqrt(np.maximum(count - 1.0, 1.0)), np.inf)
    mean = smoothed(levels_uS, summaries[:, 0] / std, error) * std
    fine &= summaries[:, 2] > 1e-9
    if fine.any():
        of_core = np.where(fine, _MAD_ERROR / np.sqrt(np.maximum(count, 1.0)), np.inf)
        result[:, 2] = _positive(levels_uS, np.maximum(summaries[:, 2], 1e-9), of_core)
    spread = (count * summaries[:, 1] ** 2).sum() / max((count * std**2).sum(), 1e-300)
    result[:, 1] = std * np.sqrt(max(spread, 1e-12))
    share = np.where(count > 0.0, std**2 / np.maximum(count, 1.0), 0.0)
    result[:, 0] = mean + share * float((count * (summaries[:, 0] - mean)).sum() / (count * share).sum())
    return result


def _positive(levels_uS: Reals, values: Reals, relative: Reals) -> Reals:
    """Values above 0 with relative errors, smoothed: their logarithms first, then what they are in units of these."""
    pilot = np.exp(smoothed(levels_uS, np.log(values), relative))
    return pilot * np.maximum(smoothed(levels_uS, values / pilot, relative), _LEAST_OF_PILOT)


_MAD = 1.4826022185056018  # median absolute deviation of a normal law: 1 / 1.4826 of the standard deviation
# Fractional parts of n * (1 / p, 1 / p**2), p the plastic number, cover the unit square evenly, and so does any run of
# them (Roberts 2018, "The unreasonable effectiveness of quasirandom sequences").
_STRIDES = (0.7548776662466927, 0.5698402909980532, 0.41421356237309515)


class Summary(NamedTuple):
    """Of g - target, in uS."""

    mean: float
    std: float
    robust: float
    """1.4826 times the median absolute deviation."""
    beyond: float
    """Fraction further than three robust deviations from the median."""


def summarise(change: Reals) -> Summary:
    """Summary of one sample."""
    if not change.size:
        return Summary(0.0, 0.0, 0.0, 0.0)
    away = np.abs(change - _median(change))
    robust = _MAD * _median(away)
    beyond = float(np.count_nonzero(away > 3.0 * robust)) / change.size
    return Summary(float(change.mean()), float(change.std()), robust, beyond)


def _median(values: Reals) -> float:
    """That of numpy, which looks for what is not finite besides: there is none here."""
    half, odd = divmod(values.size, 2)
    if odd:
        return float(np.partition(values, half)[half])
    low, high = np.partition(values, (half - 1, half))[half - 1 : half + 1]
    return float((low + high) / 2.0)


def grouped(change: Reals, group: Integers, groups: int) -> Reals:
    """Summaries of the groups of a sample, of shape (groups, 4). A group without a reading is 0."""
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(groups + 1))
    ordered = change[order]
    return np.array([summarise(ordered[a:b]) for a, b in pairwise(ends)])


def rounded(values: Iterable[float], digits: int = 6) -> tuple[float, ...]:
    """Digits that a file holds, so that a device is the same before and after it is written."""
    return tuple(float(f"{float(v):.{digits}g}") for v in values)


@lru_cache(maxsize=8)
def even_codes(items: int, which: int) -> Integers:
    """Standard normal codes (of :mod:`mho.macro_models.integer.random`) that cover the law evenly, of shape (items,).

    Any run of them does, so that cells sorted by target have an even sample at each level. ``which`` is 0, 1 or 2:
    three independent ones. Not to be written to.
    """
    u = np.modf(0.5 + np.arange(1, items + 1) * _STRIDES[which])[0]
    # As the draws of cells do, with a resolution of 16 bits.
    u = (np.floor(u * 65536.0) + 0.5) / 65536.0
    return np.rint(ndtri(u) * NORMAL_ONE).astype(np.int64)


_MOST = 14
_MOST_EXACT = 64
_LEAST_EXACT, _FEWEST = 4, 3  # cells at a target in the mean, and at the one with the fewest
_CELLS = 50


def choose_levels(target_uS: Reals) -> Reals:
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


def nearest_level(levels_uS: Reals, target_uS: Reals) -> Integers:
    """Index of the nearest level of each target."""
    return np.searchsorted((levels_uS[1:] + levels_uS[:-1]) / 2.0, target_uS)

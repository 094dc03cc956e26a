"""Statistics of measured and of drawn cells, and draws that cover a law evenly."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from mho.macro_models.integer.random import NORMAL_ONE

__all__ = ["Summary", "by_level", "choose_levels", "even_codes", "grouped", "nearest_level", "rounded", "summarise"]

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


def summarise(change: NDArray[np.float64]) -> Summary:
    """Summary of one sample."""
    if not change.size:
        return Summary(0.0, 0.0, 0.0, 0.0)
    away = np.abs(change - _median(change))
    robust = _MAD * _median(away)
    beyond = float(np.count_nonzero(away > 3.0 * robust)) / change.size
    return Summary(float(change.mean()), float(change.std()), robust, beyond)


def _median(values: NDArray[np.float64]) -> float:
    """That of numpy, which looks for what is not finite besides: there is none here."""
    half, odd = divmod(values.size, 2)
    if odd:
        return float(np.partition(values, half)[half])
    low, high = np.partition(values, (half - 1, half))[half - 1 : half + 1]
    return float((low + high) / 2.0)


def grouped(change: NDArray[np.float64], group: NDArray[np.int64], groups: int) -> NDArray[np.float64]:
    """Summaries of the groups of a sample, of shape (groups, 4). A group without a reading is 0."""
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(groups + 1))
    ordered = change[order]
    return np.array([summarise(ordered[a:b]) for a, b in pairwise(ends)])


def rounded(values: Iterable[float], digits: int = 6) -> tuple[float, ...]:
    """Digits that a file holds, so that a device is the same before and after it is written."""
    return tuple(float(f"{float(v):.{digits}g}") for v in values)


def by_level(
    rows: Sequence[tuple[NDArray[np.float64], NDArray[np.int64]]], levels_uS: NDArray[np.float64]
) -> dict[str, Any]:
    """What :class:`~mho.macro_models.devices.sections.fit.Fit` holds of each time and level.

    ``rows`` has g - target and the level of each reading, for each time.
    """
    moments = [
        (np.bincount(level, minlength=len(levels_uS)), grouped(change, level, len(levels_uS))) for change, level in rows
    ]

    def in_uS(values: NDArray[np.float64]) -> tuple[float, ...]:
        return tuple(round(float(v), 5) for v in values)

    return {
        "levels_uS": rounded(levels_uS),
        "level_n": tuple(tuple(float(v) for v in count) for count, _ in moments),
        "level_mean_uS": tuple(in_uS(summary[:, 0]) for _, summary in moments),
        "level_std_uS": tuple(in_uS(summary[:, 1]) for _, summary in moments),
    }


@lru_cache(maxsize=8)
def even_codes(items: int, which: int) -> NDArray[np.int64]:
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

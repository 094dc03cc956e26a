"""What cells of one die have in common, what a cell keeps from one programming to the next, and what switching does."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher

__all__ = ["Component", "Trend", "fit_trend", "share_of_groups"]

_SURE = 0.01  # probability by chance below which a component is one

Reals = NDArray[np.float64]
Whole = NDArray[np.int64]


class Component(NamedTuple):
    """Share of a variance."""

    share: float
    error: float
    groups: int


class Trend(NamedTuple):
    """What a decade of switching cycles changes, with standard errors."""

    mean_uS: float
    mean_error_uS: float
    spread: float
    """Relative change of the deviation."""
    spread_error: float


def share_of_groups(scores: Reals, group: Whole) -> Component:
    """Share of the variance of ``scores`` that lies between the groups.

    One-way random effects by moments (Searle, "Variance components", 1992); 0 where chance explains it (F test, 1 %).
    NaN scores are passed over.
    """
    known = np.isfinite(scores)
    x, names = scores[known], group[known]
    label, count = np.unique(names, return_inverse=True, return_counts=True)[1:]
    groups, n = len(count), len(x)
    if groups < 2 or n <= groups:
        return Component(0.0, math.nan, groups)
    means = np.bincount(label, weights=x) / count
    within = float(((x - means[label]) ** 2).sum()) / (n - groups)
    between = float((count * (means - x.mean()) ** 2).sum()) / (groups - 1)
    usual = (n - float((count**2).sum()) / n) / (groups - 1)
    share = max((between - within) / usual, 0.0)
    share = share / (share + within) if share > 0.0 else 0.0
    # Of a ratio of two chi-square variables.
    ratio = between / max(within, 1e-300)
    relative = math.sqrt(2.0 / (groups - 1) + 2.0 / (n - groups))
    slope = usual / (usual - 1.0 + ratio) ** 2
    error = min(ratio * relative * slope, 1.0)
    if fisher.sf(ratio, groups - 1, n - groups) > _SURE:
        share = 0.0
    return Component(float(f"{share:.4g}"), float(f"{error:.2g}"), groups)


def fit_trend(standard: Reals, spread_uS: Reals, cycles: Reals) -> Trend | None:
    """Change of mean and deviation for each decade of cycles; None where all cells have as many.

    ``standard`` are changes less the mean of their level, in units of its deviation ``spread_uS``.
    """
    known = np.isfinite(standard) & np.isfinite(cycles) & (spread_uS > 0.0)
    decade = np.log10(1.0 + np.maximum(cycles[known], 0.0))
    if known.sum() < 20 or np.ptp(decade) < 0.3:
        return None
    y, size = standard[known], spread_uS[known]
    away = decade - decade.mean()
    power = float((away**2).sum())
    mean = float((away * y * size).sum()) / power
    left = y - away * float((away * y).sum()) / power
    mean_error = math.sqrt(float((away**2 * (left * size) ** 2).sum())) / power
    # Of |left| the expectation is proportional to the deviation.
    size_of = np.abs(left) / max(float(np.abs(left).mean()), 1e-300)
    spread = float((away * size_of).sum()) / power
    rest = size_of - 1.0 - spread * away
    spread_error = math.sqrt(float((away**2 * rest**2).sum())) / power
    return Trend(*(float(f"{v:.4g}") for v in (mean, mean_error, spread, spread_error)))

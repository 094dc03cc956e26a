"""What cells of one die have in common, what a cell keeps from one programming to the next, and what switching does."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import fdtrc

from mho.macro_models.fit.law.order import scores_of
from mho.macro_models.fit.law.statistics import grouped
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Integers, Reals

_SURE = 0.01  # probability by chance below which a component is one


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


def share_of_groups(scores: Reals, group: Integers) -> Component:
    """Share of the variance of ``scores`` that lies between the groups.

    One-way random effects by moments (Searle, "Variance components", 1992); 0 where chance explains it (F test, 1 %).
    NaN scores are passed over.
    """
    finite = np.isfinite(scores)
    x, names = scores[finite], group[finite]
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
    if fdtrc(groups - 1, n - groups, ratio) > _SURE:
        share = 0.0
    return Component(float(f"{share:.4g}"), float(f"{error:.2g}"), groups)


def fit_trend(standard: Reals, spread_uS: Reals, cycles: Reals) -> Trend | None:
    """Change of mean and deviation for each decade of cycles; None where all cells have as many.

    ``standard`` are changes less the mean of their level, in units of its deviation ``spread_uS``.
    """
    usable = np.isfinite(standard) & np.isfinite(cycles) & (spread_uS > 0.0)
    decade = np.log10(1.0 + np.maximum(cycles[usable], 0.0))
    if usable.sum() < 20 or np.ptp(decade) < 0.3:
        return None
    y, size = standard[usable], spread_uS[usable]
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


def kept_again(cell: Sequence[Component], die: Sequence[Component]) -> tuple[float, ...]:
    """Shares of the variances within a die that cells have again; empty where none was programmed repeatedly."""
    if not cell:
        return ()
    of_dies = [d.share for d in die] or [0.0] * len(cell)
    whole = [c.share if c.groups > 1 else 1.0 for c in cell]
    within = [(c - d) / max(1.0 - d, 1e-9) for c, d in zip(whole, of_dies, strict=True)]
    return tuple(float(f"{min(max(v, 0.0), 1.0):.6g}") for v in within)


def standardised(change: Reals, level: Integers, levels: int) -> tuple[Reals, Reals]:
    """Changes less the mean of their level in units of its deviation, and these deviations."""
    moments = grouped(change, level, levels)
    spread = moments[level, 1]
    return (change - moments[level, 0]) / np.maximum(spread, 1e-12), spread


def reading_shares(data: Measurements, level: Integers, levels: int, group: Integers) -> list[Component]:
    """Share of the variance of g - target within levels that is between groups, at each time, by normal scores."""
    components, change = [], data.g_uS - data.target_uS
    for index in np.unique(data.time_index):
        at = data.time_index == index
        components.append(share_of_groups(scores_of(standardised(change[at], level[at], levels)[0]), group[at]))
    return components


def trends(data: Measurements, level: Integers, levels: int) -> list[tuple[float, Trend]]:
    """What switching cycles change at each time, in seconds, where the data have them."""
    pairs, cycles = [], data.cycles
    if cycles is None:
        return []
    for index in np.unique(data.time_index):
        at = data.time_index == index
        standard, spread = standardised((data.g_uS - data.target_uS)[at], level[at], levels)
        trend = fit_trend(standard, spread, cycles[at])
        if trend is not None:
            pairs.append((float(data.times_s[index]), trend))
    return pairs


def shares(die: Sequence[Component], body: Sequence[Component]) -> dict[str, tuple[float, ...]]:
    """What :class:`~mho.macro_models.devices.sections.fit.Fit` holds of dies and of cells programmed repeatedly."""
    entries: dict[str, tuple[float, ...]] = {}
    for key, parts in (("die", die), ("cell", body)):
        if any(c.groups > 1 for c in parts):
            entries[f"share_{key}"] = tuple(c.share for c in parts)
            entries[f"share_{key}_error"] = tuple(c.error if np.isfinite(c.error) else 1.0 for c in parts)
    return entries


def endurance(worn: Sequence[tuple[float, Trend]], data: Measurements) -> dict[str, Any]:
    """What :class:`~mho.macro_models.devices.sections.fit.Fit` holds of switching cycles."""
    if not worn or data.cycles is None:
        return {}
    cycles = np.maximum(data.cycles[np.isfinite(data.cycles)], 0.0)
    usual = float(np.expm1(np.log1p(cycles).mean()))
    entries: dict[str, Any] = {
        "cycles_times_s": tuple(t for t, _ in worn),
        "cycles_range": tuple(float(f"{v:.6g}") for v in (cycles.min(), usual, cycles.max())),
    }
    keys = ("cycles_mean_uS", "cycles_mean_error_uS", "cycles_spread", "cycles_spread_error")
    return entries | {key: tuple(trend[k] for _, trend in worn) for k, key in enumerate(keys)}

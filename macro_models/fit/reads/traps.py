"""Cells with a trap, from bursts that show two levels: how many there are, how far apart, how much of the time."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.devices.sections.telegraph import Telegraph

__all__ = ["course", "fit_traps", "two_levels"]

_BINS, _FEWEST = 10, 20
_DEGREES = 3

Reals = NDArray[np.float64]


def course(centre: Reals, variance: Reals, g_max_uS: float) -> tuple[float, ...]:
    """Deviation in uS over the conductance, as a polynomial in g / g_max; its degree by Mallows' Cp.

    ``variance`` has an estimate for each burst, of mean conductance ``centre``.
    """
    x, mean, error = _binned(centre, variance, g_max_uS)
    y = np.sqrt(np.maximum(mean, 0.0))
    error = np.maximum(error / (2.0 * np.maximum(y, 1e-6)), 1e-3 * max(float(y.max(initial=0.0)), 1e-6))
    return _polynomial(x, y, error, float(np.sqrt(max(float(variance.mean()), 0.0))))


def part_course(centre: Reals, has: NDArray[np.bool_], g_max_uS: float) -> tuple[float, ...]:
    """Part of the bursts that have something, likewise."""
    x, part, _ = _binned(centre, has.astype(np.float64), g_max_uS)
    count = len(centre) / max(len(x), 1)
    error = np.sqrt((part * (1.0 - part) + 1.0 / count) / count)
    return _polynomial(x, part, error, float(has.mean()))


def _binned(centre: Reals, values: Reals, g_max_uS: float) -> tuple[Reals, Reals, Reals]:
    """Conductance over g_max of bins with as many bursts each, means of their values, and standard errors."""
    edges = np.quantile(centre, np.linspace(0.0, 1.0, min(_BINS, max(1, len(centre) // _FEWEST)) + 1)[1:-1])
    group = np.searchsorted(edges, centre, side="right")
    bins = np.flatnonzero(np.bincount(group) > 1)
    x = np.array([centre[group == k].mean() for k in bins]) / g_max_uS
    mean = np.array([values[group == k].mean() for k in bins])
    error = np.array([values[group == k].std() / math.sqrt((group == k).sum()) for k in bins])
    return x, mean, error


def _polynomial(x: Reals, y: Reals, error: Reals, whole: float) -> tuple[float, ...]:
    best, simplest = math.inf, (whole,)
    for degree in range(min(_DEGREES, len(x) - 1) + 1):
        fit = np.polynomial.polynomial.polyfit(x, y, degree, w=1.0 / error)
        cost = float((((np.polynomial.polynomial.polyval(x, fit) - y) / error) ** 2).sum()) + 2.0 * (degree + 1)
        if cost < best - 1.0:
            best, simplest = cost, tuple(float(v) for v in fit)
    return tuple(float(f"{v:.4g}") for v in simplest)


_SURE_BIC = 10.0  # by which two levels must explain a burst better than one (Kass and Raftery 1995: very strong)
_APART = 3.0  # and how far these are apart, in deviations around them
_LEAST_PART = 0.08  # and the least part of its readings that are at either
_ROUNDS = 40
_QUANTILES = 9
_FEW = 30


@dataclass(frozen=True, eq=False)
class TwoLevels:
    """Two levels of each burst; arrays of shape (bursts,)."""

    switching: NDArray[np.bool_]
    """Whether there are two."""
    apart_uS: Reals
    """Their distance."""
    part: Reals
    """Part of the readings at the upper one."""
    around: Reals
    """Variance around them, in uS^2."""
    slow: float
    """Part of the variance of switching that the mean of a burst keeps."""
    readings: int
    """Of a burst."""


def two_levels(values: Reals) -> TwoLevels:
    """Levels of bursts, ``values`` in uS of shape (bursts, readings).

    Two normal laws of the same deviation are fitted to each burst (expectation maximisation from its extremes).
    """
    n = values.shape[1]
    x = values - values.mean(axis=1, keepdims=True)
    spread = np.maximum(x.var(axis=1), 1e-18)
    low, high = x.min(axis=1), x.max(axis=1)
    within, part = spread * 0.25, np.full(len(x), 0.5)
    for _ in range(_ROUNDS):
        far = ((x - low[:, None]) ** 2 - (x - high[:, None]) ** 2) / (2.0 * within[:, None])
        odds = np.log(part / (1.0 - part))[:, None] + far
        up = 1.0 / (1.0 + np.exp(-np.clip(odds, -60.0, 60.0)))
        part = np.clip(up.mean(axis=1), 0.5 / n, 1.0 - 0.5 / n)
        high = (up * x).sum(axis=1) / np.maximum(up.sum(axis=1), 1e-9)
        low = ((1.0 - up) * x).sum(axis=1) / np.maximum((1.0 - up).sum(axis=1), 1e-9)
        around = up * (x - high[:, None]) ** 2 + (1.0 - up) * (x - low[:, None]) ** 2
        within = np.maximum(around.mean(axis=1), 1e-4 * spread)
    dense = part[:, None] * np.exp(-((x - high[:, None]) ** 2) / (2.0 * within[:, None]))
    dense += (1.0 - part[:, None]) * np.exp(-((x - low[:, None]) ** 2) / (2.0 * within[:, None]))
    two = (np.log(np.maximum(dense, 1e-300)) - 0.5 * np.log(within)[:, None]).sum(axis=1)
    single_level = -0.5 * n * (np.log(spread) + 1.0)
    better = 2.0 * (two - single_level) - 2.0 * math.log(n) > _SURE_BIC
    switching = better & (high - low > _APART * np.sqrt(within)) & (np.minimum(part, 1.0 - part) > _LEAST_PART)
    return TwoLevels(
        switching=switching, apart_uS=np.where(switching, high - low, 0.0), part=part, around=within * (n / (n - 2.0)),
        slow=_slow(x[switching] > 0.5 * (low + high)[switching, None]) if switching.any() else 0.0, readings=n,
    )


def _slow(state: NDArray[np.bool_]) -> float:
    """Part of the variance of states, of shape (bursts, readings), that means of bursts keep: by their correlation."""
    n = state.shape[1]
    centred = state - state.mean(axis=1, keepdims=True)
    power = (centred**2).mean(axis=1)
    follow = (centred[:, 1:] * centred[:, :-1]).mean(axis=1) / np.maximum(power, 1e-9)
    # A burst's own mean takes its part of the correlation: to first order (1 + 3 rho) / n (Kendall 1954).
    rho = float(np.average(follow, weights=power))
    rho = float(np.clip((rho + 1.0 / n) / (1.0 - 3.0 / n), 0.0, 0.98))
    return min((1.0 + rho) / (1.0 - rho) / n, 1.0)


def fit_traps(levels: TwoLevels, centre_uS: Reals, g_max_uS: float, whence: str) -> tuple[Telegraph, list[str]]:
    """The section of a device from bursts of mean conductance ``centre_uS``, and what is in doubt."""
    switching = levels.switching
    apart, p, at = levels.apart_uS[switching], levels.part[switching], centre_uS[switching]
    size = course(at, apart**2, g_max_uS)
    usual = np.maximum(np.polynomial.polynomial.polyval(at / g_max_uS, np.array(size)), 1e-9)
    # The distance of two means of few readings scatters by itself.
    blur = levels.around[switching] / levels.readings / np.maximum(p * (1.0 - p), 1e-6) / apart**2
    spread = math.sqrt(max(float(np.log(apart / usual).var()) - float(blur.mean()), 0.0))
    # So does the part of the time of a trap that is slow: means of bursts keep a part of its variance.
    variance = max(float(p.var()) - levels.slow * float((p * (1.0 - p)).mean()) / max(1.0 - levels.slow, 1e-9), 0.0)
    shrunk = p.mean() + (p - p.mean()) * math.sqrt(variance / max(float(p.var()), 1e-12))
    quantiles = np.quantile(np.clip(shrunk, 0.0, 1.0), np.linspace(0.0, 1.0, _QUANTILES))
    traps = Telegraph(
        fraction=part_course(centre_uS, switching, g_max_uS), amplitude_uS=size, spread=float(f"{spread:.4g}"),
        occupancy=tuple(float(f"{v:.4g}") for v in quantiles), g_ref_uS=g_max_uS,
        source=f"{whence}, {int(switching.sum())} of which show two levels {_APART:g} deviations of the noise around "
        "them or more apart; smaller ones are part of read_noise.sigma_uS",
    )
    doubts = []
    if switching.sum() < _FEW:
        doubts.append(
            f"telegraph noise is seen in {int(switching.sum())} runs of readings only: sizes of traps are known to "
            f"+-{1.0 / math.sqrt(2.0 * int(switching.sum())):.0%}"
        )
    if levels.slow > 0.5:
        doubts.append(
            "traps hardly switch within a run of readings: how much of the time they are filled is not known from them"
        )
    return traps, doubts

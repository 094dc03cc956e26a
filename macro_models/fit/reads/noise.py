"""Read noise from repeated readings: white, random telegraph and 1/f noise, each dependent on the conductance.

Telegraph noise is that of single cells, with a trap each: from bursts that show two levels.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from mho.macro_models.devices.sections.noise import ReadNoise, Telegraph
from mho.macro_models.fit.law.statistics import choose_levels, grouped, nearest_level, smoothed_summaries
from mho.macro_models.fit.tables.bursts import Bursts
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Flags, Integers, Reals

_BINS, _FEWEST = 10, 20
_DEGREES = 3


def course(centre: Reals, variance: Reals, g_max_uS: float) -> tuple[float, ...]:
    """Deviation in uS over the conductance, as a polynomial in g / g_max; its degree by Mallows' Cp.

    ``variance`` has an estimate for each burst, of mean conductance ``centre``.
    """
    x, mean, error = _binned(centre, variance, g_max_uS)
    y = np.sqrt(np.maximum(mean, 0.0))
    error = np.maximum(error / (2.0 * np.maximum(y, 1e-6)), 1e-3 * max(float(y.max(initial=0.0)), 1e-6))
    return _polynomial(x, y, error, float(np.sqrt(max(float(variance.mean()), 0.0))))


def part_course(centre: Reals, has: Flags, g_max_uS: float) -> tuple[float, ...]:
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

    switching: Flags
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


def _slow(state: Flags) -> float:
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

_FEWEST_BURSTS = 20
_FOR_KINDS = 12  # readings of a burst from which telegraph and 1/f noise are told from white noise
_MOST_BURSTS = 6000
_CERTAIN = 4.0  # standard errors from which a component is one
_LEAST_SWITCHING = 0.002


@dataclass(frozen=True, eq=False, kw_only=True)
class NoiseFit:
    """The section of a device, and what the law must know of it."""

    section: ReadNoise
    telegraph: Telegraph
    slow: float
    """Part of the variance of telegraph noise that the mean of a burst keeps."""
    warnings: tuple[str, ...]

    def of_mean(self, g_uS: Reals, reads: Integers) -> Reals:
        """Variance in uS^2 of the mean of so many readings of cells of ``g_uS``."""
        r = np.clip(g_uS / self.section.g_ref_uS, 0.0, 1.0)
        white = np.maximum(np.polynomial.polynomial.polyval(r, np.array(self.section.sigma_uS)), 0.0) ** 2
        # 1/f noise is slower than a burst for the most part: its mean has it, as the cell itself has.
        return white / reads + self.telegraph.variance_uS2(g_uS) * np.maximum(self.slow, 1.0 / reads)


def fit_read_noise(bursts: Bursts, g_max_uS: float, source: str) -> NoiseFit | None:
    """Read noise of the bursts, None if there are too few.

    White noise is half the mean square difference of readings that follow each other; what that grows by with the
    logarithm of the distance is 1/f noise; bursts of two levels are of cells with a trap (:func:`fit_traps`).
    """
    count = np.bincount(bursts.burst)
    if len(count) < _FEWEST_BURSTS:
        return None
    usual = int(np.median(count))
    size = min(usual, 4096)
    long = np.flatnonzero(count >= size)
    long = long[:: max(1, len(long) * size // (_MOST_BURSTS * 32))] if len(long) > _FEWEST_BURSTS else long
    start = np.searchsorted(bursts.burst, long)
    values = bursts.g_uS[start[:, None] + np.arange(size)]
    centre = values.mean(axis=1)
    alive = centre > 0.0
    values, centre = values[alive], centre[alive]
    total = values.var(axis=1, ddof=1)
    if size < _FOR_KINDS:
        section = ReadNoise(
            sigma_uS=course(centre, total, g_max_uS), g_ref_uS=g_max_uS,
            source=f"{source}: {len(values)} cells and times with {size} readings each, white as far as can be told",
        )
        note = f"with {size} readings in a row telegraph and 1/f noise are not told from white noise ({_FOR_KINDS} do)"
        return NoiseFit(section=section, telegraph=Telegraph(), slow=0.0, warnings=(note,))
    levels = two_levels(values)
    telegraph = levels.switching
    calm = values[~telegraph] if (~telegraph).sum() >= _FEWEST_BURSTS else values
    lags = np.unique(np.rint(np.geomspace(1, size // 2, 8)).astype(int))
    structure = np.stack([((calm[:, k:] - calm[:, :-k]) ** 2).mean(axis=1) / 2.0 for k in lags], axis=1)
    log_lag = np.log(lags)
    slope = structure @ (log_lag - log_lag.mean()) / ((log_lag - log_lag.mean()) ** 2).sum()
    flicker = bool(slope.mean() > _CERTAIN * slope.std() / math.sqrt(len(slope)))
    calm_centre = calm.mean(axis=1)
    pairs = np.arange(1, size)
    efolds = float((np.log(pairs) * (size - pairs)).sum() / (size - pairs).sum())
    # Of cells that switch: the scatter around their two levels.
    following = ((values[:, 1:] - values[:, :-1]) ** 2).mean(axis=1) / 2.0
    white = np.where(telegraph, levels.around, following if flicker else total)
    noisy = bool(telegraph.sum() >= 3 and telegraph.mean() > _LEAST_SWITCHING)
    kinds = ["white", *(["telegraph"] if noisy else []), *(["1/f"] if flicker else [])]
    whence = f"{len(values)} cells and times with {size} readings each"
    section = ReadNoise(
        sigma_uS=course(centre, white, g_max_uS),
        flicker_uS=course(calm_centre, slope, g_max_uS) if flicker else (),
        flicker_efolds=float(f"{efolds:.4g}") if flicker else 0.0, g_ref_uS=g_max_uS,
        source=f"{source}: {' and '.join(kinds)} noise of {whence}",
    )
    traps, doubts = fit_traps(levels, centre, g_max_uS, f"{source}: {whence}") if noisy else (Telegraph(), [])
    return NoiseFit(section=section, telegraph=traps, slow=levels.slow if noisy else 0.0, warnings=tuple(doubts))


_NOTHING = 0.05  # part of the variance below which the change is not resolved


def without_noise(data: Measurements, noise: NoiseFit) -> tuple[Measurements, list[str]]:
    """The data with the changes of each time and level drawn together by as much variance as the noise has.

    Returns the data and a sentence for each time at which the change does not stand out from the noise.
    """
    of_reading = noise.of_mean(data.g_uS, data.reads)
    first = data.time_index == 0
    if not data.has_target:
        start = np.zeros(data.cells)
        start[data.cell[first]] = of_reading[first]
        of_reading = np.where(first, 0.0, of_reading + start[data.cell])
    _, once = np.unique(data.cell, return_index=True)
    levels = choose_levels(data.target_uS[once])
    level = nearest_level(levels, data.target_uS)
    g, warnings = data.g_uS.copy(), []
    for index in np.unique(data.time_index):
        at = (data.time_index == index) & (of_reading > 0.0)
        if not at.any():
            continue
        change, where = data.g_uS[at] - data.target_uS[at], level[at]
        summaries = smoothed_summaries(levels, grouped(change, where, len(levels)), change, where)
        count = np.maximum(np.bincount(where, minlength=len(levels)), 1)
        noisy = np.bincount(where, weights=of_reading[at], minlength=len(levels)) / count
        left = 1.0 - noisy / np.maximum(summaries[:, 1] ** 2, 1e-18)
        if float(np.median(left)) < _NOTHING:
            warnings.append(
                f"at {data.times_s[index]:g} s the scatter is that of the read noise: what else there is, is too little"
            )
        narrower = np.sqrt(np.maximum(left, 0.0))[where]
        middle = summaries[where, 0]
        g[at] = data.target_uS[at] + middle + (change - middle) * narrower
    first_uS = data.first_uS.copy()
    if data.has_target:
        value = np.full(data.cells, np.nan)
        value[data.cell[first]] = g[first]
        first_uS = np.where(np.isfinite(first_uS), value[data.cell], first_uS)
    return replace(data, g_uS=np.maximum(g, 0.0), first_uS=first_uS), warnings

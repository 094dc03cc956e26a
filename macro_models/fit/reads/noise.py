"""Read noise from repeated readings: white, random telegraph and 1/f noise, each dependent on the conductance."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from macro_models.devices.device import ReadNoise
from macro_models.fit.bursts import Bursts

__all__ = ["NoiseFit", "fit_read_noise"]

_FEWEST_BURSTS = 20
_FOR_KINDS = 12  # readings of a burst from which telegraph and 1/f noise are told from white noise
_MOST_BURSTS = 6000
_SURE_BIC = 10.0  # by which two levels must explain a burst better than one (Kass and Raftery 1995: very strong)
_APART = 3.0  # and how far these are apart, in deviations around them
_LEAST_PART = 0.08  # and the least part of its readings that are at either
_ROUNDS = 40
_BINS = 10
_CERTAIN = 4.0  # standard errors from which a component is one
_DEGREES = 3

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class NoiseFit:
    """The section of a device, and what the law must know of it."""

    section: ReadNoise
    slow: float
    """Part of the variance of telegraph noise that the mean of a burst keeps."""
    warnings: tuple[str, ...]

    def of_mean(self, g_uS: Reals, reads: NDArray[np.int64]) -> Reals:
        """Variance in uS^2 of the mean of so many readings of cells of ``g_uS``."""
        r = np.clip(g_uS / self.section.g_ref_uS, 0.0, 1.0)
        white, telegraph, flicker = (
            np.maximum(np.polynomial.polynomial.polyval(r, np.array(c or (0.0,))), 0.0) ** 2
            for c in (self.section.sigma_uS, self.section.telegraph_uS, self.section.flicker_uS)
        )
        del flicker  # slower than a burst for the most part: its mean has it, as the cell itself has
        return white / reads + telegraph * np.maximum(self.slow, 1.0 / reads)


def fit_read_noise(bursts: Bursts, g_max_uS: float, source: str) -> NoiseFit | None:
    """Read noise of the bursts, None if there are too few.

    White noise is half the mean square difference of readings that follow each other; what that grows by with the
    logarithm of the distance is 1/f noise; bursts of two levels (a mixture of two normal laws against one) have
    telegraph noise.
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
    warnings: list[str] = []
    if size < _FOR_KINDS:
        section = ReadNoise(
            sigma_uS=_course(centre, total, g_max_uS), g_ref_uS=g_max_uS,
            source=f"{source}: {len(values)} cells and times with {size} readings each, white as far as can be told",
        )
        told = f"with {size} readings in a row telegraph and 1/f noise are not told from white noise ({_FOR_KINDS} do)"
        return NoiseFit(section=section, slow=0.0, warnings=(told,))
    jumps, around, follow = _telegraph(values)
    telegraph = jumps > 0.0
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
    white = np.where(telegraph, around, following if flicker else total)
    part = float(telegraph.mean())
    noisy = bool(telegraph.sum() >= 3 and part > 0.002)
    kinds = ["white", *(["telegraph"] if noisy else []), *(["1/f"] if flicker else [])]
    section = ReadNoise(
        sigma_uS=_course(centre, white, g_max_uS),
        telegraph_uS=_course(centre, jumps, g_max_uS) if noisy else (),
        telegraph_fraction=float(f"{part:.4g}") if noisy else 0.0,
        flicker_uS=_course(calm_centre, slope, g_max_uS) if flicker else (),
        flicker_efolds=float(f"{efolds:.4g}") if flicker else 0.0, g_ref_uS=g_max_uS,
        source=f"{source}: {' and '.join(kinds)} noise of {len(values)} cells and times with {size} readings each",
    )
    if noisy:
        warnings.append(
            f"telegraph noise of {part:.1%} of the cells is drawn as normal noise of the same variance, spread over all"
        )
    return NoiseFit(section=section, slow=follow if noisy else 0.0, warnings=tuple(warnings))


def _course(centre: Reals, variance: Reals, g_max_uS: float) -> tuple[float, ...]:
    """Deviation in uS over the conductance, as a polynomial in g / g_max; its degree by Mallows' Cp."""
    edges = np.quantile(centre, np.linspace(0.0, 1.0, min(_BINS, max(1, len(centre) // _FEWEST_BURSTS)) + 1)[1:-1])
    group = np.searchsorted(edges, centre, side="right")
    bins = np.flatnonzero(np.bincount(group) > 1)
    x = np.array([centre[group == k].mean() for k in bins]) / g_max_uS
    mean = np.array([variance[group == k].mean() for k in bins])
    error = np.array([variance[group == k].std() / math.sqrt((group == k).sum()) for k in bins])
    y = np.sqrt(np.maximum(mean, 0.0))
    error = np.maximum(error / (2.0 * np.maximum(y, 1e-6)), 1e-3 * max(float(y.max(initial=0.0)), 1e-6))
    best, found = math.inf, (float(np.sqrt(max(float(variance.mean()), 0.0))),)
    for degree in range(min(_DEGREES, len(bins) - 1) + 1):
        fit = np.polynomial.polynomial.polyfit(x, y, degree, w=1.0 / error)
        cost = float((((np.polynomial.polynomial.polyval(x, fit) - y) / error) ** 2).sum()) + 2.0 * (degree + 1)
        if cost < best - 1.0:
            best, found = cost, tuple(float(v) for v in fit)
    return tuple(float(f"{v:.4g}") for v in found)


def _telegraph(values: Reals) -> tuple[Reals, Reals, float]:
    """Variance of the switching between two levels of each burst, 0 without, that around them, and what its mean keeps.

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
    one = -0.5 * n * (np.log(spread) + 1.0)
    better = 2.0 * (two - one) - 2.0 * math.log(n) > _SURE_BIC
    seen = better & (high - low > _APART * np.sqrt(within)) & (np.minimum(part, 1.0 - part) > _LEAST_PART)
    variance = np.where(seen, part * (1.0 - part) * (high - low) ** 2, 0.0)
    if not seen.any():
        return variance, within, 0.0
    state = x[seen] > 0.5 * (low + high)[seen, None]
    centred = state - state.mean(axis=1, keepdims=True)
    power = (centred**2).mean(axis=1)
    follow = (centred[:, 1:] * centred[:, :-1]).mean(axis=1) / np.maximum(power, 1e-9)
    rho = float(np.clip(np.average(follow, weights=power), 0.0, 0.98))
    return variance, within * (n / (n - 2.0)), min((1.0 + rho) / (1.0 - rho) / n, 1.0)

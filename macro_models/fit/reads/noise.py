"""Read noise from repeated readings: white, random telegraph and 1/f noise, each dependent on the conductance.

Telegraph noise is that of single cells: :mod:`.traps`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.devices.sections.noise import ReadNoise
from mho.macro_models.devices.sections.telegraph import Telegraph
from mho.macro_models.fit.reads.traps import course, fit_traps, two_levels
from mho.macro_models.fit.tables.bursts import Bursts

__all__ = ["NoiseFit", "fit_read_noise"]

_FEWEST_BURSTS = 20
_FOR_KINDS = 12  # readings of a burst from which telegraph and 1/f noise are told from white noise
_MOST_BURSTS = 6000
_CERTAIN = 4.0  # standard errors from which a component is one
_LEAST_PART = 0.002

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class NoiseFit:
    """The section of a device, and what the law must know of it."""

    section: ReadNoise
    telegraph: Telegraph
    slow: float
    """Part of the variance of telegraph noise that the mean of a burst keeps."""
    warnings: tuple[str, ...]

    def of_mean(self, g_uS: Reals, reads: NDArray[np.int64]) -> Reals:
        """Variance in uS^2 of the mean of so many readings of cells of ``g_uS``."""
        r = np.clip(g_uS / self.section.g_ref_uS, 0.0, 1.0)
        white = np.maximum(np.polynomial.polynomial.polyval(r, np.array(self.section.sigma_uS)), 0.0) ** 2
        # 1/f noise is slower than a burst for the most part: its mean has it, as the cell itself has.
        return white / reads + self.telegraph.variance_uS2(g_uS) * np.maximum(self.slow, 1.0 / reads)


def fit_read_noise(bursts: Bursts, g_max_uS: float, source: str) -> NoiseFit | None:
    """Read noise of the bursts, None if there are too few.

    White noise is half the mean square difference of readings that follow each other; what that grows by with the
    logarithm of the distance is 1/f noise; bursts of two levels are of cells with a trap (:mod:`.traps`).
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
    noisy = bool(telegraph.sum() >= 3 and telegraph.mean() > _LEAST_PART)
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

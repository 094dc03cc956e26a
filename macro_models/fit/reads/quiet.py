"""Measurements without the noise of the read: what their means still have of it is taken off the scatter."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.fit.law.smooth import smoothed_summaries
from mho.macro_models.fit.law.statistics import choose_levels, grouped, nearest_level
from mho.macro_models.fit.reads.noise import NoiseFit
from mho.macro_models.fit.tables.measurements import Measurements

__all__ = ["without_noise"]

_NOTHING = 0.05  # part of the variance below which the change is not resolved

Reals = NDArray[np.float64]


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

"""Cells that were switched before: what a number of switching cycles makes of a device that was fitted to several."""

import math
from dataclasses import replace

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.resampled import moved_law

__all__ = ["cycled"]

_CLEAR = 2.0  # standard errors from which a trend is one
_LEAST = 0.1  # part of a deviation that is left however far it is extrapolated


def cycled(device: Device, cycles: int) -> tuple[Device, list[str]]:
    """The device of cells that were switched ``cycles`` times (0 and more) before, and what is in doubt.

    Cells that keep a share of their places only (:attr:`Law.cell`) have the rest drawn for this programming. Where the
    data had cells of several ages, the trends of mean and deviation with the logarithm of cycles move the law; those
    within two standard errors of nothing do not.
    """
    law, fit = device.law, device.fit
    worn = replace(device, programming=replace(device.programming, cycle=cycles))
    if not fit.cycles_times_s or not fit.cycles_range or not law.model:
        unknown = f"{device.name} does not say what switching does: {cycles:,} cycles"
        again = "draw what differs from one programming to the next" if device.redraws else "change nothing"
        return worn, [f"{unknown} {again}"]
    fewest, usual, most = fit.cycles_range
    decades = math.log10((1.0 + cycles) / (1.0 + usual))
    mean, spread = np.zeros((len(law.times_s), len(law.levels_uS))), np.zeros((len(law.times_s), len(law.levels_uS)))
    trends = zip(
        fit.cycles_times_s, fit.cycles_mean_uS, fit.cycles_mean_error_uS, fit.cycles_spread, fit.cycles_spread_error,
        strict=True,
    )
    for time_s, move, move_error, widen, widen_error in trends:
        row = int(np.argmin(np.abs(np.array(law.times_s) - time_s)))
        if abs(move) > _CLEAR * move_error:
            mean[row] = move * decades
        if abs(widen) > _CLEAR * widen_error:
            spread[row] = math.log(max(1.0 + widen * decades, _LEAST))
    doubts = []
    if not fewest <= cycles <= most:
        doubts.append(
            f"{device.name} is fitted to cells switched {fewest:.4g} to {most:.4g} times: {cycles:,} are extrapolated "
            "along the logarithm"
        )
    return replace(worn, law=moved_law(law, mean, spread)), doubts

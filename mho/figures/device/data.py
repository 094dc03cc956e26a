"""What figures of a device show: levels, times, drawn cells, and measured points."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.types import Reals

if TYPE_CHECKING:
    from mho.macro_models.devices import Device

RETENTION_C = (25.0, 55.0, 85.0)
"""Temperatures at which retention is shown, in degrees Celsius."""
_CELLS = 20_000
YEARS_10_S = 10 * 365.25 * 86400.0


def shown_levels(device: "Device") -> Reals:
    """Four targets over the device's range, in uS: of the levels that were measured, where there are some, or all."""
    low = device.range.g_min_uS
    high = device.g_max_uS or device.relaxation.g_ref_uS
    places = low + (high - low) * np.array([0.05, 0.35, 0.65, 0.95])
    measured = np.array(device.fit.levels_uS)
    if not len(measured):
        return places
    return np.unique(measured[np.argmin(np.abs(measured[:, None] - places), axis=0)])


def shown_times(device: "Device") -> Reals:
    """Times at which the device is known, in seconds, without that of programming; few of them."""
    times = np.array(device.data_times_s)
    return times if len(times) <= 5 else times[np.linspace(0, len(times) - 1, 5).round().astype(int)]


def draw_cells(device: "Device", target_uS: float, time_s: float, temp_C: float) -> Reals:
    """Conductances in uS of many cells with one target, as the macro model draws them, of shape (cells,)."""
    from mho.macro_models.cells.programming import programmed
    from mho.macro_models.devices import CAUSES

    return programmed(
        np.full(_CELLS, target_uS), device=device, seed=0, core=0, time_s=time_s, temp_C=temp_C,
        causes=frozenset(CAUSES) - {"stuck"},
    ).g_uS


def targets_of(device: "Device") -> Reals:
    low = min((device.range.g_min_uS, *device.fit.levels_uS[:1]))
    return np.linspace(low, device.g_max_uS or device.relaxation.g_ref_uS, 121)


def total_sigma(device: "Device", target: Reals, time_s: float, temp_C: float) -> Reals:
    """Deviation of one read: of the cells, and read noise. Beside measured points: of what was measured.

    Where readings in a row told the noise of the read apart, the points are without it.
    """
    g = np.maximum(target + device.mean_uS(target, time_s, temp_C), 0.0)
    noise = device.law_noise_uS(g, time_s) if device.fit.levels_uS else device.read_noise_uS(g, time_s)
    return np.sqrt(device.sigma_uS(target, time_s, temp_C) ** 2 + noise**2)


def measured_points(
    device: "Device", which: str, time: int | None, level: int | None
) -> tuple[Reals, Reals, Reals] | None:
    """(targets or times, values, standard errors) of the mean or the deviation, at one time or one level."""
    fit = device.fit
    if not fit.levels_uS:
        return None
    n, std = np.array(fit.level_n), np.array(fit.level_std_uS)
    value = np.array(fit.level_mean_uS) if which == "mean" else std
    error = std / np.sqrt(np.maximum(n if which == "mean" else 2.0 * n, 1.0))
    at = (time, slice(None)) if time is not None else (slice(None), level)
    where = np.array(fit.levels_uS) if time is not None else np.array(fit.times_s)
    good = (n[at] >= 3) & (where > 0.0)
    return where[good], value[at][good], error[at][good]


def time_of(device: "Device", time_s: float) -> int | None:
    """Which time of the data it is."""
    times = list(device.fit.times_s)
    return times.index(time_s) if time_s in times else None


def split_at(times: Reals, last_s: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which times lie within the data, and beyond them (one point of the others too, so that lines meet)."""
    beyond = times >= last_s
    return times <= last_s, beyond


def times_to(device: "Device", last_s: float) -> tuple[Reals, float]:
    times = np.array(device.data_times_s)
    end = float(times[-1])
    first = float(times[times > 0.0][0])
    return np.unique(np.append(np.geomspace(first, max(last_s, end), 80), end)), end


def middle_of(device: "Device") -> Reals:
    levels = shown_levels(device)
    return levels[[len(levels) // 2]]


def feels_heat(device: "Device") -> bool:
    """Whether temperature changes anything in the model."""
    level, end = middle_of(device), float(shown_times(device)[-1])
    cold, hot = (np.append(device.sigma_uS(level, end, t), device.mean_uS(level, end, t)) for t in RETENTION_C[::2])
    return not np.array_equal(cold, hot)

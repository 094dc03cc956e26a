"""Devices whose cells drift, from measurements; and whether drift or quantiles say more of cells that were held out."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from macro_models.cells.programming import programmed
from macro_models.devices.device import CAUSES, ConverterNoise, Device, Fit, Programming
from macro_models.devices.laws.drift import DriftDevice
from macro_models.errors import InputError
from macro_models.fit.drift import DriftFit, fit_drift
from macro_models.fit.fit import fit_device, target_range
from macro_models.fit.measurements import Measurements
from macro_models.fit.statistics import by_level, grouped, summarise
from macro_models.fit.stuck import stuck_section

__all__ = ["LAWS", "drift_device", "fit_law", "held_out_score"]

LAWS = ("auto", "parametric", "empirical", "drift")
"""What a fit may be asked for; ``auto`` is the better of drift and quantiles (:data:`macro_models.fit.MODELS`)."""

_SEED = 0
_COPIES = 200_000
_FALLING = 0.8
_ENOUGH = 60
_MARGIN = 1.02
"""A law of six numbers is preferred to quantiles that are better by less than this."""

Reals = NDArray[np.float64]


def _reads(device: Device, target_uS: Reals, time_s: float, seed: int) -> Reals:
    """One read of each of some cells, in uS."""
    cells = programmed(target_uS, device=device, seed=seed, core=0, time_s=time_s, causes=frozenset(CAUSES) - {"stuck"})
    sigma = device.read_noise_uS(cells.g_uS, time_s, cells.origin_uS)
    noise = np.random.Generator(np.random.Philox(seed)).standard_normal(len(target_uS))
    return np.maximum(cells.g_uS + sigma * noise, 0.0)


def drift_device(
    data: Measurements, *, name: str, description: str = "", g_min_uS: float | None = None,
    g_max_uS: float | None = None, command: str = "", source: str = "", **_: Any,
) -> DriftDevice:
    """A device with the law of drift that agrees best with measured cells.

    Raises
    ------
    InputError
        As :func:`fit_drift`; also if the data have several temperatures, which the law does not know.
    """
    temps = np.unique(data.temp_C)
    if len(temps) > 1:
        raise InputError(
            f"{data.path}: a law of drift is fitted at one temperature, the data have {len(temps)}, from {temps[0]:g} "
            f"to {temps[-1]:g} C"
        )
    limits = target_range(data, g_min_uS, g_max_uS)
    found = fit_drift(data, limits.g_max_uS)
    drift = replace(found.drift, source=f"{source or data.path.name}; {_errors(found)}")
    device = DriftDevice(
        name=name, description=description or f"drift law of {data.path.name}", range=limits, drift=drift,
        programming=Programming(source="pulse_s is assumed: there are no pulses in the data"),
        converter=ConverterNoise(source="not part of the data"),
        stuck=stuck_section(data.stuck_uS, data.cells + len(data.stuck_uS), data.path.name),
    )
    return replace(device, fit=_record(data, device, found, command))


def _errors(found: DriftFit) -> str:
    parts = [f"{key} +- {', '.join(f'{v:.2g}' for v in values)}" for key, values in found.errors.items()]
    return "standard errors: " + "; ".join(parts) + f"; t_read_s and a limit of {found.drift.noise[2]:.2g} are assumed"


def _record(data: Measurements, device: DriftDevice, found: DriftFit, command: str) -> Fit:
    """Where the device comes from, and its statistics beside those of the data."""
    levels = found.levels_uS
    rows, mean, std, of_levels = [], [], [], []
    used = np.unique(data.time_index)
    for index in used:
        at = data.time_index == index
        target, change = data.target_uS[at], (data.g_uS - data.target_uS)[at]
        copies = max(1, _COPIES // max(len(target), 1))
        many = np.repeat(target, copies)
        drawn = _reads(device, many, float(data.times_s[index]), _SEED) - many
        rows.append((len(change), summarise(change), summarise(drawn)))
        near = np.argmin(np.abs(target[:, None] - levels), axis=1)
        of_levels.append((change, near))
        difference = grouped(drawn, np.repeat(near, copies), len(levels)) - grouped(change, near, len(levels))
        mean.append(tuple(round(float(v), 5) for v in difference[:, 0]))
        std.append(tuple(round(float(v), 5) for v in difference[:, 1]))
    dropped = "; ".join(f"{count} {what}" for what, count in data.dropped.items())

    def column(which: int, field: int) -> tuple[float, ...]:
        return tuple(round(float(row[which][field]), 6) for row in rows)

    return Fit(
        file=data.path.name, sha256=data.sha256, command=command, cells=data.cells, readings=len(data.g_uS),
        dropped=dropped or "nothing", g_range_uS=(float(data.target_uS.min()), float(data.target_uS.max())),
        time_range_s=(float(data.times_s[0]), float(data.times_s[-1])),
        temp_range_C=(float(data.temp_C.min()), float(data.temp_C.max())),
        times_s=tuple(float(data.times_s[k]) for k in used), n=tuple(float(row[0]) for row in rows),
        mean_uS=column(1, 0), model_mean_uS=column(2, 0), std_uS=column(1, 1), model_std_uS=column(2, 1),
        beyond=column(1, 3), model_beyond=column(2, 3), residual_mean_uS=tuple(mean), residual_std_uS=tuple(std),
        **by_level(of_levels, levels),
        source="means, deviations and fractions are of g - target, read noise included",
    )


def held_out_score(device: Device, data: Measurements) -> float:
    """Mean continuous ranked probability score of readings, in uS: the lower, the better a device foresees them.

    ``E|g - X| - E|X - X'| / 2``, g a reading and X, X' two cells of its target drawn from the device.
    """
    total = 0.0
    for index in np.unique(data.time_index):
        at = data.time_index == index
        target, time_s = data.target_uS[at], float(data.times_s[index])
        copies = max(8, min(256, _COPIES // len(target)))
        drawn = _reads(device, np.repeat(target, copies), time_s, _SEED).reshape(len(target), copies)
        near = np.abs(drawn - data.g_uS[at][:, None]).mean()
        half = copies // 2
        apart = np.abs(drawn[:, :half] - drawn[:, half : 2 * half]).mean()
        total += float(near - 0.5 * apart) * len(target)
    return total / len(data.g_uS)


def _seems_to_drift(data: Measurements) -> bool:
    """Whether it is worth a try: cells with names that were read at three times, most of them falling."""
    count = np.bincount(data.cell)
    cells = np.flatnonzero(count >= 3)
    if len(cells) < _ENOUGH or len(np.unique(data.temp_C)) > 1 or len(np.unique(data.time_index)) < 4:
        return False
    _, start = np.unique(data.cell, return_index=True)
    end = np.append(start[1:], len(data.cell)) - 1
    fell = (data.g_uS[end] < data.g_uS[start])[np.bincount(data.cell)[data.cell[start]] >= 3]
    return float(fell.mean()) > _FALLING


def _judged(data: Measurements, options: dict[str, Any]) -> tuple[float, float]:
    """Scores of drift and of quantiles, fitted without every second cell and the last time, on just these readings."""
    last = int(data.time_index.max())
    odd, late = data.cell % 2 == 1, data.time_index == last
    known, asked = data.where(~odd & ~late), data.where(odd & (data.time_index > 0))
    known = replace(known, cell=np.unique(known.cell, return_inverse=True)[1])
    drift = drift_device(known, **options)
    quantiles = fit_device(known, model="parametric", **options)
    return held_out_score(drift, asked), held_out_score(quantiles, asked)


def fit_law(
    data: Measurements, *, name: str, model: str = "auto", progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Device:
    """A device with the law that the user asks for, or of drift and quantiles the one that foresees more.

    Parameters
    ----------
    model
        Of :data:`LAWS`. ``auto``: where nearly all cells fall, both laws are fitted to half of the cells without their
        last time, and compared on the other half (:func:`held_out_score`).
    options
        As of :func:`macro_models.fit.fit_device`.

    Raises
    ------
    InputError
        If the model is not known, or as the fits.
    """
    if model not in LAWS:
        raise InputError(f"model must be one of {', '.join(LAWS)}, not {model!r}")
    if model == "drift":
        return drift_device(data, name=name, **options)
    if model != "auto":
        return fit_device(data, name=name, model=model, progress=progress, **options)
    if options.get("temperature") is None and _seems_to_drift(data):
        own = {key: value for key, value in options.items() if key in ("g_min_uS", "g_max_uS")}
        drift, quantiles = _judged(data, {"name": name, **own})
        if math.isfinite(drift) and drift < _MARGIN * quantiles:
            device = drift_device(data, name=name, **options)
            found = (
                f"{device.fit.source}; chosen by readings of cells and a time that were held out: error {drift:.4g} "
                f"uS, of quantiles {quantiles:.4g} uS"
            )
            return replace(device, fit=replace(device.fit, source=found))
    return fit_device(data, name=name, model="auto", progress=progress, **options)

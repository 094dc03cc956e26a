"""A device whose cells drift, from measurements; and whether drift or quantiles say more of cells held out."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices.checks import CAUSES
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.devices.sections.fit import Confidence, Fit
from mho.macro_models.devices.sections.heat import Temperature
from mho.macro_models.devices.sections.noise import ConverterNoise, ReadNoise, Telegraph
from mho.macro_models.devices.sections.programming import Programming
from mho.macro_models.errors import InputError
from mho.macro_models.fit.drift.doubts import OFF, about_all, about_course, about_drift
from mho.macro_models.fit.drift.errors import movements
from mho.macro_models.fit.drift.heat import drift_heat
from mho.macro_models.fit.drift.law import DriftFit, fit_drift
from mho.macro_models.fit.drift.lines import Floor, find_floor, lines_of_cells, weight
from mho.macro_models.fit.fit import fit_device, target_range
from mho.macro_models.fit.heat.cases import reference_temperature, usual_reading
from mho.macro_models.fit.law.components import (
    Component,
    endurance,
    kept_again,
    reading_shares,
    share_of_groups,
    shares,
    trends,
)
from mho.macro_models.fit.law.doubts import about_components, about_levels
from mho.macro_models.fit.law.errors import time_intervals
from mho.macro_models.fit.law.statistics import choose_levels, grouped, nearest_level, rounded
from mho.macro_models.fit.reads.noise import fit_read_noise
from mho.macro_models.fit.record import compared, fit_section
from mho.macro_models.fit.tables.censored import stuck_section
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Integers, Reals

_SEEN = 0.1  # part of the scatter of a level that is not the error of the lines, from which the level says something


def drift_shares(fit: DriftFit) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Shares of the variances of the error of programming and of nu: of a die, and of a cell within its die.

    See :attr:`mho.macro_models.devices.sections.drift.Drift.die` and ``cell``; empty where the data do not say, or
    there is none.
    """
    used, values = fit.readings, fit.values
    w = weight(used.time_s, fit.drift.t_c_s)
    lines = lines_of_cells(used.cell, used.time_s, fit.log_g, fit.drift.t_c_s, w)
    numbers = [(np.exp(lines.log_g) - used.target_uS, values.left_uS), (lines.nu, values.std)]
    standard = [_standard(number, true, fit) for number, true in numbers]
    several = len(np.unique(used.die)) > 1
    die = [_of_law(x, used.die) for x in standard] if several else []
    again = len(np.unique(used.body)) < len(used.body)
    cell = kept_again([_of_law(x, used.body) for x in standard], die) if again else ()
    shares = tuple(c.share for c in die)
    return shares if any(shares) else (), cell


def _standard(number: Reals, true: Reals, fit: DriftFit) -> Reals:
    """Numbers of cells less the mean of their level, in units of its ``true`` deviation; NaN where that is not seen."""
    level, levels = fit.readings.level, len(fit.levels_uS)
    count = np.maximum(np.bincount(level, minlength=levels), 1)
    away = number - (np.bincount(level, number, minlength=levels) / count)[level]
    scatter = np.bincount(level, away**2, minlength=levels) / count
    visible = fit.visible & (true**2 > _SEEN * scatter) & (true > 0.0)
    return np.where(visible[level], away / np.maximum(true, 1e-300)[level], np.nan)


def _of_law(standard: Reals, group: Integers) -> Component:
    """The share in the variance without the error of the lines, of numbers whose variance without it is 1."""
    component = share_of_groups(standard, group)
    finite = standard[np.isfinite(standard)]
    whole = float(np.mean(finite**2)) if finite.size else 1.0
    return component._replace(share=float(f"{min(component.share * whole, 1.0):.4g}"))


_SEED = 0
_COPIES = 200_000
_FLOORS = 2


def _reads(device: Device, target_uS: Reals, time_s: float, seed: int) -> Reals:
    """One read of each of some cells, in uS."""
    cells = programmed(target_uS, device=device, seed=seed, core=0, time_s=time_s, causes=frozenset(CAUSES) - {"stuck"})
    sigma = device.read_noise_uS(cells.g_uS, time_s, cells.origin_uS)
    noise = np.random.Generator(np.random.Philox(seed)).standard_normal(len(target_uS))
    return np.maximum(cells.g_uS + sigma * noise, 0.0)


def of_one_temperature(data: Measurements) -> Measurements:
    """The readings of the temperature at which the law is fitted, cells numbered anew."""
    temp = reference_temperature(data)
    chosen = data.where((data.temp_C == temp) & (data.read_C == usual_reading(data, temp)))
    return replace(chosen, cell=np.unique(chosen.cell, return_inverse=True)[1])


def drift_device(
    data: Measurements, *, name: str, description: str = "", g_min_uS: float | None = None,
    g_max_uS: float | None = None, temperature: Temperature | None = None, command: str = "", source: str = "",
    **_: Any,
) -> DriftDevice:
    """A device with the law of drift that agrees best with measured cells.

    Raises InputError as :func:`fit_drift`.
    """
    chosen = of_one_temperature(data)
    limits = target_range(chosen, g_min_uS, g_max_uS)
    fit = fit_drift(chosen, limits.g_max_uS)
    device = DriftDevice(
        name=name, description=description or f"drift law of {data.path.name}", range=limits, drift=fit.drift,
        programming=Programming(source="pulse_s is assumed: there are no pulses in the data"),
        converter=ConverterNoise(source="not part of the data"),
        stuck=stuck_section(data.stuck_uS, data.cells + len(data.stuck_uS), data.path.name),
    )
    device, fit, floor = _with_floor(chosen, device, fit)
    die, cell = drift_shares(fit)
    drift = replace(
        device.drift, die=die, cell=cell, source=f"{source or data.path.name}; {_errors(chosen, fit, floor)}"
    )
    device = replace(device, drift=drift, confidence=_confidence(chosen, fit))
    if temperature is not None:
        device = replace(device, temperature=temperature)
    elif len(np.unique(data.temp_C)) > 1:
        device = drift_heat(data, device, fit.levels_uS, command)
    device = replace(device, fit=_record(data, chosen, device, fit, command))
    return _with_read_noise(chosen, device)


def _with_read_noise(data: Measurements, device: DriftDevice) -> DriftDevice:
    """The device with the noise of readings in a row, if there are any: the law is that of their means."""
    noise = None if data.bursts is None else fit_read_noise(data.bursts, device.drift.g_ref_uS, data.path.name)
    if noise is None:
        return device
    # 1/f noise is that of the law, less what means of readings still have of the others.
    section, drift = replace(noise.section, flicker_uS=(), flicker_efolds=0.0), device.drift
    time_s = data.times_s[data.time_index]
    whole = sum(
        float(((data.g_uS * drift.relative_noise(data.target_uS, t))[time_s == t] ** 2).sum())
        for t in np.unique(time_s).tolist()
    )
    left = math.sqrt(max(1.0 - float(noise.of_mean(data.g_uS, data.reads).sum()) / max(whole, 1e-300), 0.0))
    factor, exponent, limit = drift.noise
    device = replace(device, drift=replace(drift, noise=(float(f"{factor * left:.5g}"), exponent, limit)))
    fit = replace(device.fit, warnings=(*device.fit.warnings, *noise.warnings))
    return replace(device, read_noise=section, telegraph=noise.telegraph, fit=fit)


def _with_floor(data: Measurements, device: DriftDevice, fit: DriftFit) -> tuple[DriftDevice, DriftFit, Floor | None]:
    """The device with a floor and lines that end there, if there is one and it foresees more than without."""
    best, floor = (device, fit), find_floor(data, device)
    if floor is None:
        return device, fit, None
    for _ in range(_FLOORS):
        # Lines without cells at the floor have less noise, and that a floor that is known better.
        again = fit_drift(data, fit.drift.g_ref_uS, float(f"{floor.g_uS:.4g}"), floor.above_uS)
        best = replace(device, drift=again.drift), again
        floor = find_floor(data, best[0]) or floor
    if held_out_score(best[0], data) < held_out_score(device, data):
        return *best, floor
    return device, fit, None


def _errors(data: Measurements, fit: DriftFit, floor: Floor | None) -> str:
    parts = [f"{key} +- {', '.join(f'{v:.2g}' for v in values)}" for key, values in fit.errors.items()]
    parts.append(
        f"no floor is seen down to {float(data.g_uS.min()):.3g} uS" if floor is None
        else f"floor_uS +- {floor.error_uS:.2g}"
    )
    return "standard errors: " + "; ".join(parts) + f"; t_read_s and a limit of {fit.drift.noise[2]:.2g} are assumed"


def _confidence(data: Measurements, fit: DriftFit) -> Confidence:
    names, errors, memory = movements(fit)
    columns = time_intervals(data, np.unique(data.time_index), np.ones(len(data.g_uS), dtype=bool))

    return Confidence(
        cells=data.cells, dies=1 if data.die is None else len(np.unique(data.die)), names=names,
        errors=rounded(errors, 4), memory=tuple(rounded(row, 4) for row in memory), mean_low_uS=columns[0],
        mean_high_uS=columns[1], std_low_uS=columns[2], std_high_uS=columns[3],
        source=f"{data.path.name}: intervals of means (Student) and of deviations (Bonett 2006), numbers of the law by "
        "leaving out groups of cells",
    )


def _record(data: Measurements, chosen: Measurements, device: DriftDevice, fit: DriftFit, command: str) -> Fit:
    """Where the device comes from, and its statistics beside those of the data."""
    levels, limits = fit.levels_uS, (device.range.g_min_uS, device.range.g_max_uS)
    near, fall = nearest_level(levels, chosen.target_uS), _fall(chosen, levels)
    beside = compared(
        chosen, near, levels, ((int(k), float(chosen.times_s[k])) for k in np.unique(chosen.time_index)),
        lambda target, t: _reads(device, target, t, _SEED), partial(about_levels, range_uS=limits),
        partial(about_course, fall=fall), about_all,
    )
    worn, again = trends(chosen, near, len(levels)), _programmed_again(chosen)
    of_dies, of_cells = (
        [] if group is None else reading_shares(chosen, near, len(levels), group) for group in (chosen.die, again)
    )
    doubts = about_drift(chosen, device, fit, beside.off, beside.certain)
    return fit_section(
        data, levels, beside, command=command, **shares(of_dies, of_cells), **endurance(worn, chosen),
        warnings=(*doubts, *about_components(of_dies, worn, chosen.cycles)),
        source="means, deviations and fractions are of g - target, read noise included",
    )


def _programmed_again(data: Measurements) -> Integers | None:
    """Physical cell of each reading where some were programmed repeatedly."""
    if data.body is None or len(np.unique(data.body)) == len(np.unique(data.cell)):
        return None
    return data.body


def _fall(data: Measurements, levels_uS: Reals) -> Reals:
    """Mean conductance of each level's cells at the first time less that at the last, in uS."""
    near, ends = nearest_level(levels_uS, data.target_uS), (data.time_index.min(), data.time_index.max())
    first, last = (
        grouped(data.g_uS[at], near[at], len(levels_uS))[:, 0] for at in (data.time_index == end for end in ends)
    )
    return first - last


def follows(device: DriftDevice) -> bool:
    """Whether a fitted device has the means and deviations of its data at all times."""
    return not any(OFF in sentence for sentence in device.fit.warnings)


def held_out_score(device: Device, data: Measurements) -> float:
    """Mean continuous ranked probability score of readings: the lower, the better a device foresees them.

    ``E|g - X| - E|X - X'| / 2``, g a reading and X, X' two cells of its target drawn from the device, in units of the
    deviation of g - target at its level, so that small targets count as large ones.
    """
    total, levels = 0.0, choose_levels(data.target_uS)
    level = nearest_level(levels, data.target_uS)
    size = np.maximum(grouped(data.g_uS - data.target_uS, level, len(levels))[:, 1], 1e-3 * levels + 1e-9)[level]
    if data.bursts is not None:  # the readings are means of many
        device = replace(device, read_noise=ReadNoise(), telegraph=Telegraph())
    for index in np.unique(data.time_index):
        at = data.time_index == index
        target, time_s = data.target_uS[at], float(data.times_s[index])
        copies = max(8, min(256, _COPIES // len(target)))
        drawn = _reads(device, np.repeat(target, copies), time_s, _SEED).reshape(len(target), copies)
        near = np.abs(drawn - data.g_uS[at][:, None]).mean(axis=1)
        half = copies // 2
        apart = np.abs(drawn[:, :half] - drawn[:, half : 2 * half]).mean(axis=1)
        total += float(((near - 0.5 * apart) / size[at]).sum())
    return total / len(data.g_uS)


LAWS = ("auto", "parametric", "empirical", "drift")
"""What a fit may be asked for; ``auto`` is the better of drift and quantiles (:data:`mho.macro_models.fit.MODELS`)."""

_FALLING = 0.8
_ENOUGH = 60
_MARGIN = 1.02
"""A law of six numbers is preferred to quantiles that are better by less than this."""


def _seems_to_drift(data: Measurements) -> bool:
    """Whether it is worth a try: cells with names that were read at three times, most of them falling."""
    count = np.bincount(data.cell)
    cells = np.flatnonzero(count >= 3)
    if len(cells) < _ENOUGH or len(np.unique(data.time_index)) < 4:
        return False
    _, start = np.unique(data.cell, return_index=True)
    end = np.append(start[1:], len(data.cell)) - 1
    fell = (data.g_uS[end] < data.g_uS[start])[np.bincount(data.cell)[data.cell[start]] >= 3]
    return float(fell.mean()) > _FALLING


def _judged(data: Measurements, options: dict[str, Any]) -> tuple[float, float]:
    """Scores of drift and of quantiles, fitted without every second cell and the last time, on just these readings."""
    last = int(data.time_index.max())
    odd, late = data.cell % 2 == 1, data.time_index == last
    training, held_out = data.where(~odd & ~late), data.where(odd & (data.time_index > 0))
    training = replace(training, cell=np.unique(training.cell, return_inverse=True)[1])
    drift = drift_device(training, **options)
    quantiles = fit_device(training, model="parametric", **options)
    return held_out_score(drift, held_out), held_out_score(quantiles, held_out)


def fit_law(
    data: Measurements, *, name: str, model: str = "auto", progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Device:
    """A device with the law that the user asks for, or of drift and quantiles the one that foresees more.

    Raises InputError if the model is not known, or as the fits.

    Parameters
    ----------
    model
        Of :data:`LAWS`. ``auto``: where nearly all cells fall, both laws are fitted to half of the cells without their
        last time, and compared on the other half (:func:`~mho.macro_models.fit.drift.device.held_out_score`), at the
        temperature of the law. Drift must then follow the data at all times and temperatures.
    options
        As of :func:`mho.macro_models.fit.fit_device`.
    """
    if model not in LAWS:
        raise InputError(f"model must be one of {', '.join(LAWS)}, not {model!r}")
    if model == "drift":
        return drift_device(data, name=name, **options)
    if model != "auto":
        return fit_device(data, name=name, model=model, progress=progress, **options)
    single = of_one_temperature(data)
    if _seems_to_drift(single):
        limits = {key: value for key, value in options.items() if key in ("g_min_uS", "g_max_uS")}
        drift, quantiles = _judged(single, {"name": name, **limits})
        if math.isfinite(drift) and drift < _MARGIN * quantiles:
            device = drift_device(data, name=name, **options)
            origin = (
                f"{device.fit.source}; chosen by readings of cells and a time that were held out: error {drift:.4g} "
                f"of a deviation, of quantiles {quantiles:.4g}"
            )
            if (device.temperature.acts_on or not device.heat.at_C) and follows(device):
                return replace(device, fit=replace(device.fit, source=origin))
    return fit_device(data, name=name, model="auto", progress=progress, **options)

"""The activation energy of drift: heat speeds up time, and cells at other temperatures say by how much."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.devices.sections.heat import Heat, Temperature
from mho.macro_models.fit.heat.cases import Moments, Prediction, find_cases
from mho.macro_models.fit.heat.fit import FEWEST_TEMPS, choose, evidence, off_temperatures, one_temperature
from mho.macro_models.fit.law.statistics import even_codes
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.integer.random import NORMAL_ONE
from mho.macro_models.types import Reals


def _moments(device: DriftDevice) -> Callable[[Reals, float], Moments]:
    """What :class:`mho.macro_models.fit.heat.cases.Prediction` takes."""
    drift = device.drift

    def moments_of(target: Reals, time_s: float) -> Moments:
        place, left, read = (even_codes(len(target), k) / NORMAL_ONE for k in range(3))
        mean, std = drift.nu(target)
        nu = np.abs(mean + std * place)
        origin = np.maximum(target + device.window_uS(target) / 3.0**0.5 * left, drift.floor_uS)

        def moments(factor: float) -> tuple[float, float]:
            g = np.maximum(origin * np.exp(-nu * drift.grown(min(time_s * factor, 1e30))), drift.floor_uS)
            g = np.maximum(g * (1.0 + drift.relative_noise(origin, time_s) * read), 0.0) - target
            return float(g.mean()), float(g.std())

        return moments

    return moments_of


def drift_heat(data: Measurements, device: DriftDevice, levels_uS: Reals, command: str = "") -> DriftDevice:
    """The device with its law of temperature, for data of several temperatures.

    A factor on time (Arrhenius) is fitted to means and deviations at the other temperatures, each of which is left out
    in turn, without and with a reversible part of the conductance. Where it does not agree within what
    :func:`mho.macro_models.fit.heat.fit_heat` allows, or there is one other temperature only, the device has none, and
    a note says why.
    """
    cases = find_cases(data, levels_uS, device.drift.temp_C)
    if len(cases.temps) < FEWEST_TEMPS:
        note, source = one_temperature(data, device.drift.temp_C), data.path.name
        return replace(device, temperature=Temperature(source=f"{source}: {note}"), heat=Heat(note=note, source=source))
    best, _, _ = choose(cases, {"time": Prediction(cases, "time", _moments(device))})
    heat, off = evidence(cases, best, None, 1.0, Heat()), off_temperatures(cases, best)
    if off:
        note = (
            f"temperature is left out: with the best energy, {best.energy:.2g} eV on time, the law of drift does not "
            f"agree at {', '.join(f'{t:g}' for t in off)} C"
        )
        temperature = Temperature(source=f"{data.path.name}: {note}")
        return replace(device, temperature=temperature, heat=replace(heat, note=note))
    temperature = Temperature(
        acts_on="time", activation_eV=float(f"{best.energy:.4g}"), error_eV=float(f"{best.error:.2g}"),
        fitted_C=tuple(float(t) for t in np.unique(data.temp_C)),
        source=f"{data.path.name}: means and deviations of {len(cases.cases)} groups of targets, temperatures and times"
        + (f"; by {command}" if command else ""),
    )
    return replace(device, temperature=temperature, heat=heat)

"""Arrhenius' law from readings at several temperatures."""

import numpy as np
from numpy.typing import NDArray

from macro_models.devices.device import Device
from macro_models.devices.law import Temperature
from macro_models.fit.measurements import Measurements
from macro_models.fit.statistics import even_codes

__all__ = ["fit_temperature", "reference_temperature"]

_GROUPS = 4
_CELLS = 4000
_MOST_EV = 3.0


def reference_temperature(data: Measurements) -> float:
    """Temperature at which the law is fitted: the lowest of those with the most times, unless it has few readings."""
    temps, count = np.unique(data.temp_C, return_counts=True)
    temps = temps[count > 0.2 * count.max()]
    times = [len(np.unique(data.time_index[data.temp_C == t])) for t in temps]
    return float(temps[int(np.argmax(times))])


def fit_temperature(data: Measurements, device: Device, command: str = "") -> Temperature:
    """Activation energy with which the device, fitted at one temperature, agrees best with the readings at the others.

    Two laws are tried, see :class:`Temperature`: temperature speeds up time, or enlarges the change. Compared are root
    mean squares of g - target of a few groups of levels, at each temperature and time.
    """
    cases = _cases(data, device)
    energies = np.linspace(0.0, _MOST_EV, 61)
    best: tuple[float, float, float, str] | None = None
    for acts_on in ("time", "change"):
        low, high, step = 0.0, _MOST_EV, energies[1]
        cost = np.array([_cost(cases, device, acts_on, e) for e in energies])
        for _ in range(2):
            at = energies[int(np.argmin(cost))]
            low, high = max(low, at - step), min(high, at + step)
            fine = np.linspace(low, high, 21)
            cost, energies, step = np.array([_cost(cases, device, acts_on, e) for e in fine]), fine, fine[1] - fine[0]
        k = int(np.argmin(cost))
        found = (float(cost[k]), float(energies[k]), _error(cases, device, acts_on, float(energies[k])), acts_on)
        energies = np.linspace(0.0, _MOST_EV, 61)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    misfit, energy, error, acts_on = best
    points = len(cases)
    return Temperature(
        acts_on=acts_on, activation_eV=float(f"{energy:.4g}"), error_eV=float(f"{error:.2g}"),
        fitted_C=tuple(float(t) for t in np.unique(data.temp_C)),
        source=f"{data.path.name}: root mean squares of g - target of {points} groups of levels, temperatures and "
        f"times agree within {100.0 * (misfit / max(points, 1)) ** 0.5:.0f} %" + (f"; by {command}" if command else ""),
    )


_Case = tuple[float, float, float, NDArray[np.float64]]


def _cases(data: Measurements, device: Device) -> list[_Case]:
    """(temperature, time, root mean square as measured, targets) of the readings away from the reference."""
    found: list[_Case] = []
    edges = np.quantile(data.target_uS, np.linspace(0.0, 1.0, _GROUPS + 1)[1:-1])
    group = np.searchsorted(edges, data.target_uS, side="right")
    for temp in np.unique(data.temp_C):
        if temp == device.law.temp_C:
            continue
        for index in np.unique(data.time_index[(data.temp_C == temp) & (data.time_index > 0)]):
            for g in range(_GROUPS):
                at = np.flatnonzero((data.temp_C == temp) & (data.time_index == index) & (group == g))
                if len(at) < 20:
                    continue
                rms = float(np.sqrt(((data.g_uS[at] - data.target_uS[at]) ** 2).mean()))
                at = at[:: max(1, len(at) // (_CELLS // _GROUPS))]
                found.append((float(temp), float(data.times_s[index]), rms, np.sort(data.target_uS[at])))
    return found


def _residuals(cases: list[_Case], device: Device, acts_on: str, energy: float) -> NDArray[np.float64]:
    """Logarithms of drawn over measured root mean squares."""
    law = device.law
    trial = Device(
        name=device.name, programming=device.programming, law=law,
        temperature=Temperature(acts_on=acts_on, activation_eV=energy),
    )
    found = []
    for temp_C, time_s, rms, target in cases:
        n = len(target)
        change, kept = trial.change_quantiles(time_s, temp_C)
        left = law.draw(law.programming(), target, even_codes(n, 0)) * kept
        moved = np.maximum(target + left + law.draw(change, target, even_codes(n, 1)), 0.0) - target
        found.append(np.log(max(float(np.sqrt((moved**2).mean())), 1e-9) / max(rms, 1e-9)))
    return np.array(found)


def _cost(cases: list[_Case], device: Device, acts_on: str, energy: float) -> float:
    return float((_residuals(cases, device, acts_on, energy) ** 2).sum())


def _error(cases: list[_Case], device: Device, acts_on: str, energy: float) -> float:
    """Standard error by linearisation, from the scatter of the residuals themselves."""
    step = 0.01
    slope = (
        _residuals(cases, device, acts_on, energy + step) - _residuals(cases, device, acts_on, max(energy - step, 0.0))
    ) / (energy + step - max(energy - step, 0.0))
    variance = _cost(cases, device, acts_on, energy) / max(len(cases) - 1, 1)
    power = float((slope**2).sum())
    return float(np.sqrt(variance / power)) if power > 0.0 else 0.0

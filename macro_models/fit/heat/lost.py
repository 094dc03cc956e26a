"""Lost cells at several temperatures: a loss with an activation energy of its own."""

from dataclasses import dataclass, replace

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.sections.heat import Heat
from mho.macro_models.fit.heat.cases import lost_readings
from mho.macro_models.fit.law.lost import lost_fraction
from mho.macro_models.fit.law.statistics import nearest_level
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Reals

_ENERGIES = np.linspace(0.0, 4.0, 401)
_WITHIN = 0.5  # of the logarithm of the likelihood: one standard error
_LEAST_PART = 1e-7


@dataclass(frozen=True)
class _Seen:
    """Lost cells of one temperature and time."""

    temp_C: float
    time_s: float
    n: int
    lost: int


def fit_lost(data: Measurements, device: Device) -> Heat:
    """The entries of lost cells in ``[heat]``: an energy by which the loss is faster, by maximum likelihood.

    Empty if the data have no lost cells away from the temperature of the law, or no other temperature to compare with.
    Where no cell is lost elsewhere, many energies are as likely; the least of them within one standard error is taken.
    """
    law = device.law
    levels = np.array(law.levels_uS)
    level = nearest_level(levels, data.target_uS)
    lost = lost_readings(data, levels)
    counts: list[_Seen] = []
    values, parts = [], {}
    for temp in np.unique(data.temp_C):
        for index in np.unique(data.time_index[data.temp_C == temp]):
            at = np.flatnonzero((data.temp_C == temp) & (data.time_index == index))
            if data.times_s[index] <= 0.0:
                continue
            gone = lost[at]
            counts.append(_Seen(float(temp), float(data.times_s[index]), len(at), int(gone.sum())))
            if gone.any():
                values.append(data.g_uS[at][gone])
                parts[float(temp)] = lost_fraction(gone, level[at], len(levels)) / max(float(gone.mean()), 1e-12)
    hot = [s for s in counts if s.temp_C != law.temp_C]
    if not any(s.lost for s in hot):
        return Heat()
    base = _base(counts, law.temp_C, parts, float(np.median(np.concatenate(values))))
    cost = np.array([_cost(counts, base, float(e)) for e in _ENERGIES])
    likely = _ENERGIES[cost <= cost.min() + _WITHIN]
    energy = float(_ENERGIES[int(np.argmin(cost))]) if likely[-1] < _ENERGIES[-1] else float(likely[0])
    error = max((float(likely[-1]) - float(likely[0])) / 2.0, 0.01)
    base = Heat() if base.lost_C == law.temp_C else base
    return replace(base, lost_eV=round(energy, 4), lost_error_eV=float(f"{error:.2g}"))


def _base(counts: list[_Seen], law_C: float, parts: dict[float, Reals], value_uS: float) -> Heat:
    """The loss at the temperature that shows most of it."""
    count = {t: sum(s.lost for s in counts if s.temp_C == t) for t in {s.temp_C for s in counts}}
    temp_C = max(count, key=lambda t: (count[t], t == law_C))
    rows = [s for s in counts if s.temp_C == temp_C and s.lost]
    parts_lost = np.maximum.accumulate([s.lost / s.n for s in rows])
    return Heat(
        lost_C=temp_C,
        lost_s=tuple(s.time_s for s in rows),
        lost_part=tuple(float(f"{p:.6g}") for p in parts_lost),
        lost_levels=tuple(float(f"{v:.4g}") for v in parts[temp_C]),
        lost_uS=float(f"{value_uS:.6g}"),
    )


def _cost(counts: list[_Seen], base: Heat, energy: float) -> float:
    """Minus the logarithm of the likelihood of the counts at the other temperatures."""
    heat, total = replace(base, lost_eV=energy), 0.0
    for count in counts:
        if count.temp_C == base.lost_C:
            continue
        part = heat.lost_part_at(count.time_s, count.temp_C)
        part = min(max(part, _LEAST_PART), 1.0 - _LEAST_PART)
        total -= count.lost * np.log(part) + (count.n - count.lost) * np.log1p(-part)
    return float(total)

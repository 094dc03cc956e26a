"""The decision: which law of temperature a device is given, with its evidence, or why it has none."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.quantiles import node_moments
from mho.macro_models.devices.sections.heat import Heat, Temperature
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.fit.heat.cases import Case, Cases, Prediction, find_cases, law_moments
from mho.macro_models.fit.heat.lost import fit_lost
from mho.macro_models.fit.heat.search import ENERGIES, Found, Search
from mho.macro_models.fit.law.statistics import rounded
from mho.macro_models.fit.rows.law_rows import LawRows
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Reals

LEAST_READINGS = 20
"""Of a temperature at a time."""


def own_laws(data: Measurements, device: Device) -> Heat:
    """Rows of the laws of all temperatures besides that of the device's law, at its levels."""
    law = device.law
    heat = Heat(onset_s=law.onset_s)
    for temp in np.unique(data.temp_C):
        at = data.temp_C == temp
        if temp == law.temp_C or at.sum() < LEAST_READINGS:
            continue
        job = LawRows(data.where(at), law.model)
        rows, shares, times = job.fit(None)
        tables = np.array([row.table() for row in rows])
        fitted = Law(
            model="empirical",
            levels_uS=rounded(job.levels),
            times_s=rounded(times),
            kept=rounded(shares),
            quantiles_uS=tuple(tuple(tuple(level) for level in row) for row in tables.tolist()),
        )
        here = [fitted.at(table, law.levels_uS) for table in fitted.table]
        heat = replace(
            heat,
            row_C=(*heat.row_C, *(float(temp) for _ in times)),
            row_s=(*heat.row_s, *rounded(times)),
            kept=(*heat.kept, *rounded(shares)),
            quantiles_uS=(*heat.quantiles_uS, *(tuple(rounded(level) for level in row) for row in here)),
        )
    return heat


FEWEST_TEMPS = 2
"""Besides that of the law, from which an energy is fitted."""
_CLEARLY = 0.7  # part of the held-out cost that is left where a further term is taken
_SIGNIFICANT = 4.0  # standard errors of the largest reversible coefficient
_RESAMPLED = 60
_DECIDED = 0.9  # share of resampled data with the same choice from which on it is decided
_SEED = 20
_DIGITS = 5
_OFF_STD, _OFF_RANGE = 0.1, 0.02
_OFF = 2.5
"""Mean square of residuals, in standard errors and 1 % of the range or 5 % of a deviation: a law with more is wrong."""


def fit_heat(data: Measurements, device: Device, command: str = "") -> Device:
    """The device with its law of temperature, for data of several temperatures.

    Tried are a factor on time and a factor on the change (Arrhenius), each with and without a reversible part, linear
    or activated. Taken is what has the least error at temperatures that are left out of the fit. If it does not agree
    within twice the standard errors, 2 % of the range (means) or 10 % (deviations), every temperature gets a law of its
    own, and a note says so. Of one temperature besides that of the law there is no law of temperature at all.
    """
    cases = find_cases(data, np.array(device.law.levels_uS), device.law.temp_C)
    temps = cases.temps
    if len(temps) < FEWEST_TEMPS:
        return _refused(device, data, one_temperature(data, device.law.temp_C))
    acts = ("time", "change") if len(device.law.times_s) > 2 else ("change",)
    best, rival, choice = choose(cases, {on: Prediction(cases, on, law_moments(device, on)) for on in acts})
    off = off_temperatures(cases, best)
    heat = evidence(cases, best, rival, choice, fit_lost(data, device))
    if off:
        return _with_own_laws(data, device, cases, heat, off, command)
    points = len(cases.cases)
    misfit = 100.0 * float(np.sqrt(np.mean(np.log(best.std / cases.column("std")) ** 2)))
    temperature = Temperature(
        acts_on=best.acts_on,
        activation_eV=float(f"{best.energy:.4g}"),
        error_eV=float(f"{best.error:.2g}"),
        fitted_C=tuple(float(t) for t in np.unique(data.temp_C)),
        source=f"{data.path.name}: means and deviations of {points} groups of targets, temperatures and times; "
        f"deviations agree within {misfit:.0f} %" + (f"; by {command}" if command else ""),
    )
    return replace(device, temperature=temperature, heat=replace(heat, note=_undecided(best, rival, choice, temps)))


def _refused(device: Device, data: Measurements, note: str) -> Device:
    """No law of temperature, and why."""
    temperature = Temperature(source=f"{data.path.name}: {note}")
    return replace(device, temperature=temperature, heat=Heat(note=note, source=data.path.name))


def one_temperature(data: Measurements, temp_C: float) -> str:
    """Why there is no energy where the data have one temperature besides that of the law, ``temp_C``."""
    also = ", ".join(f"{t:g}" for t in np.unique(data.temp_C) if t != temp_C)
    return (
        "temperature is left out: an activation energy needs readings at two temperatures or more besides "
        f"{temp_C:g} C, there are some at {also} C"
    )


def choose(cases: Cases, predictions: Mapping[str, Prediction]) -> tuple[Found, Found | None, float]:
    """The law with the least error at temperatures left out, the other one, and how sure the choice is.

    ``predictions`` has a law for each thing that heat may act on. A reversible part with which the best one does not
    agree with its own data is left away.
    """
    moved = bool(np.any(cases.column("read_C") != cases.read_C))
    forms = ("", "linear", "arrhenius") if cases.anchored and moved else ("",)
    best = _least(cases, predictions, forms)
    return _least(cases, predictions, ("",)) if best[0].reversible and off_temperatures(cases, best[0]) else best


def _least(
    cases: Cases, predictions: Mapping[str, Prediction], forms: tuple[str, ...]
) -> tuple[Found, Found | None, float]:
    searches = {(on, form): Search(cases, predictions[on], form) for on in predictions for form in forms}
    laws = {key: search.found() for key, search in searches.items()}
    plain = min(f.heldout for key, f in laws.items() if not key[1])
    usable = {
        key: f
        for key, f in laws.items()
        if not key[1] or (f.heldout < _CLEARLY * plain and _largest(f) > _SIGNIFICANT)
    }
    best = min(usable, key=lambda key: usable[key].heldout)
    rivals = [key for key in searches if key[1] == best[1] and key != best]
    if not rivals:
        return laws[best], None, 1.0
    return laws[best], laws[rivals[0]], _sure(searches[best], searches[rivals[0]])


def _largest(law: Found) -> float:
    return float(np.max(np.abs(law.coefficient) / np.maximum(law.coefficient_error, 1e-30)))


def _sure(first: Search, second: Search) -> float:
    """Share of resampled data (within their standard errors) for which the first law has the least held-out error."""
    rng = np.random.default_rng(_SEED)
    mean_error, std_error = first.cases.column("mean_error"), first.cases.column("std_error")
    moments = [search.prediction.at(ENERGIES) for search in (first, second)]
    wins = 0
    for _ in range(_RESAMPLED):
        mean = first.mean + mean_error * rng.standard_normal(len(mean_error))
        std = first.ln_std + std_error * rng.standard_normal(len(std_error))
        costs = [s.with_data(mean, std).heldout_cost(m) for s, m in zip((first, second), moments, strict=True)]
        wins += costs[0] <= costs[1]
    return wins / _RESAMPLED


def _undecided(best: Found, rival: Found | None, choice: float, temps: Reals) -> str:
    if best.heldout**0.5 > 2.0:
        return (
            f"a temperature that is left out of the fit is missed by {best.heldout**0.5 / 2.0:.2g} times what is "
            "allowed: between and beyond the temperatures of the data the law may be wrong"
        )
    if rival is None or choice >= _DECIDED or best.energy < 2.0 * best.error:
        return ""
    return (
        f"whether heat acts on time or on the change is not decided by data of {temps[0]:g} to {temps[-1]:g} C: "
        f"{best.acts_on} in {choice:.0%} of resamplings; beyond these temperatures the two differ"
    )


def off_temperatures(cases: Cases, law: Found) -> list[float]:
    """Temperatures at which the law does not agree with its own data."""
    scale = np.hypot(cases.column("mean_error"), _OFF_RANGE / 2.0 * cases.range_uS)
    mean = (law.mean - cases.column("mean")) / scale
    std = np.log(law.std / cases.column("std")) / np.hypot(cases.column("std_error"), _OFF_STD / 2.0)
    square, temp = (mean**2 + std**2) / 2.0, cases.column("temp_C")
    return [float(t) for t in cases.temps if square[temp == t].mean() > _OFF]


def evidence(cases: Cases, best: Found, rival: Found | None, choice: float, lost: Heat) -> Heat:
    """The section without laws of further temperatures."""
    heat = _agreement(lost, cases, (best.mean, best.std), (best.heldout_mean, best.heldout_std))
    heat = replace(heat, choice=round(choice, 3), heldout=float(f"{best.heldout**0.5 / 2.0:.3g}"))
    if rival is not None:
        heat = replace(
            heat, rival=rival.acts_on, rival_eV=float(f"{rival.energy:.4g}"),
            rival_heldout=float(f"{rival.heldout**0.5 / 2.0:.3g}"),
        )
    if not best.reversible:
        return heat
    return replace(
        heat, reversible=best.reversible, reversible_C=cases.read_C,
        reversible_uS=rounded([float(t.mean()) for t in cases.targets], _DIGITS),
        coefficient=rounded(best.coefficient, _DIGITS), coefficient_error=rounded(best.coefficient_error, 2),
    )


_Moments = tuple[Reals, Reals]
"""Mean and deviation of each case."""


def _agreement(heat: Heat, cases: Cases, model: _Moments, heldout: _Moments) -> Heat:
    """Statistics at each temperature and time, all groups together: measured, and of laws with and without it."""
    keys = sorted({(c.temp_C, c.time_s) for c in cases.cases})
    groups = [[k for k, c in enumerate(cases.cases) if (c.temp_C, c.time_s) == key] for key in keys]
    temps, times = zip(*keys, strict=True)
    columns = {"at_C": temps, "at_s": times, "n": [float(sum(cases.cases[k].n for k in at)) for at in groups]}
    measured = cases.column("mean"), cases.column("std")
    for name, (mean, std) in (("", measured), ("model_", model), ("heldout_", heldout)):
        pooled = [_pooled(cases.cases, at, mean, std) for at in groups]
        columns |= {f"{name}mean_uS": [m for m, _ in pooled], f"{name}std_uS": [d for _, d in pooled]}
    return replace(heat, **{name: rounded(values, _DIGITS) for name, values in columns.items()})


def _pooled(cases: list[Case], at: list[int], mean: Reals, std: Reals) -> tuple[float, float]:
    weight = np.array([cases[k].n for k in at], dtype=np.float64)
    weight /= weight.sum()
    middle = float(weight @ mean[at])
    return middle, float(np.sqrt(weight @ (std[at] ** 2 + (mean[at] - middle) ** 2)))


def _with_own_laws(
    data: Measurements, device: Device, cases: Cases, heat: Heat, off: list[float], command: str
) -> Device:
    """The device with a law at each temperature, and the reason."""
    read = data.read_C == np.where(data.temp_C == device.law.temp_C, cases.read_C, data.read_C)
    tables = own_laws(data.where(read), device)
    if not tables.row_C:
        return _refused(
            device, data, f"temperature is left out: no other temperature has {LEAST_READINGS} readings for a law"
        )
    low, high = _slopes(device, cases)
    at = ", ".join(f"{t:g}" for t in off)
    note = (
        f"no one activation energy agrees (at {at} C), it would be {low:.2g} to {high:.2g} eV: each temperature has a "
        "law of its own, and between them is interpolated"
    )
    temperature = Temperature(
        acts_on="table",
        fitted_C=tuple(float(t) for t in np.unique(data.temp_C)),
        source=f"{data.path.name}: {note}" + (f"; by {command}" if command else ""),
    )
    heat = replace(
        heat, row_C=tables.row_C, row_s=tables.row_s, kept=tables.kept, onset_s=tables.onset_s,
        quantiles_uS=tables.quantiles_uS, note=note,
    )
    device = replace(device, temperature=temperature, heat=heat)
    both = (_own_moments(device, cases, without=without) for without in (False, True))
    return replace(device, heat=_agreement(heat, cases, *both))


def _slopes(device: Device, cases: Cases) -> tuple[float, float]:
    """Least and largest energy of one temperature and the next, of a factor on the change."""
    search = Search(cases, Prediction(cases, "change", law_moments(device, "change")), "")
    temp, energies = search.temp, []
    for t in np.unique(temp):
        mean, std, _ = search.residuals(ENERGIES, temp == t)
        at = temp == t
        energies.append(float(ENERGIES[int(np.argmin((mean[:, at] ** 2 + std[:, at] ** 2).sum(axis=1)))]))
    x = [0.0, *(float(search.cases.inverse[temp == t][0]) for t in np.unique(temp))]
    y = [0.0, *(e * u for e, u in zip(energies, x[1:], strict=True))]
    order = np.argsort(x)
    slopes = np.diff(np.array(y)[order]) / np.diff(np.array(x)[order])
    return float(slopes.min()), float(slopes.max())


def _own_moments(device: Device, cases: Cases, *, without: bool) -> _Moments:
    """Of the laws at each temperature; ``without``: with that temperature interpolated from its neighbours."""
    law, heat = device.law, device.heat
    temps = sorted({law.temp_C, *heat.row_C})
    mean, std = np.zeros(len(cases.cases)), np.zeros(len(cases.cases))
    for k, case in enumerate(cases.cases):
        keep, target = [i for i, t in enumerate(heat.row_C) if t != case.temp_C], cases.targets[case.group]
        if without and temps[0] < case.temp_C < temps[-1] and keep:
            names = ("row_C", "row_s", "kept", "quantiles_uS")
            fewer = {name: tuple(getattr(heat, name)[i] for i in keep) for name in names}
            change, share = replace(heat, **fewer).change(law, case.time_s, case.temp_C, device.programming.pulse_s)
        else:
            change, share = device.change_quantiles(case.time_s, case.temp_C)
        factor = heat.read_factor(target, case.read_C)
        left_mean, left_std = node_moments(law.at(law.programming(), target))
        more_mean, more_std = node_moments(law.at(change, target))
        moved = (left_mean * share + more_mean) * factor + target * (factor - 1.0)
        mean[k] = moved.mean()
        spread = np.hypot(left_std * share, more_std) * factor
        std[k] = np.sqrt((spread**2).mean() + moved.var())
    return mean, std

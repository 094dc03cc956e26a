"""The fit: a device whose cells, drawn as the macro model draws them, have the statistics of the measured ones."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.sections.heat import Temperature
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.devices.sections.noise import ConverterNoise, ReadNoise, Telegraph
from mho.macro_models.devices.sections.programming import Programming, Range
from mho.macro_models.errors import InputError
from mho.macro_models.fit.heat.cases import reference_temperature, usual_reading
from mho.macro_models.fit.heat.fit import fit_heat
from mho.macro_models.fit.law.between import with_levels_between
from mho.macro_models.fit.law.components import kept_again
from mho.macro_models.fit.law.errors import law_errors
from mho.macro_models.fit.law.lost import two_kinds
from mho.macro_models.fit.law.order import fit_memory, fit_onset
from mho.macro_models.fit.law.statistics import rounded
from mho.macro_models.fit.reads.noise import fit_read_noise, without_noise
from mho.macro_models.fit.record import record
from mho.macro_models.fit.rows.law_rows import LawRows
from mho.macro_models.fit.rows.row import ParametricRow, Row
from mho.macro_models.fit.tables.censored import stuck_section
from mho.macro_models.fit.tables.measurements import Measurements

MODELS = ("auto", "parametric", "empirical")
_PULSE_S = 1e-6


def fit_device(
    data: Measurements,
    *,
    name: str,
    model: str = "auto",
    description: str = "",
    g_min_uS: float | None = None,
    g_max_uS: float | None = None,
    temperature: Temperature | None = None,
    command: str = "",
    source: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Device:
    """Fit a device to measured cells.

    Raises InputError if the model is not known, or the data have one time only and no targets.

    Parameters
    ----------
    data
        See :func:`read_data`.
    model
        ``"parametric"``: each side of the median is a normal core with a tail; ``"empirical"``: quantiles as measured;
        ``"auto"``: parametric, unless there are cells of two kinds at some time and target.
    g_min_uS, g_max_uS
        Range of conductances of a chip with this device, in uS; by default that of the data, rounded outwards.
    temperature
        Arrhenius' law from elsewhere; by default it is fitted where the data have several temperatures.
    progress
        Called with (rows done, rows).
    """
    if model not in MODELS:
        raise InputError(f"model must be {', '.join(MODELS[:-1])} or {MODELS[-1]}, not {model!r}")
    reference = reference_temperature(data)
    chosen = data.where((data.temp_C == reference) & (data.read_C == usual_reading(data, reference)))
    if len(np.unique(chosen.time_index)) < 2 and not data.has_target:
        raise InputError(
            f"{data.path}: has one time only; readings at two times, or a column g_target_uS, are needed for a fit"
        )
    noise, doubts = None, []
    if data.bursts is not None:
        noise = fit_read_noise(data.bursts, float(chosen.target_uS.max()), data.path.name)
    if noise is not None:
        chosen, doubts = without_noise(chosen, noise)
        doubts += noise.warnings
    model, humps = _chosen_model(chosen, model)
    doubts += humps
    job = LawRows(chosen, model)
    law = _law(job, reference, progress, source or f"{data.path.name}")
    device = Device(
        name=name, description=description or f"{model} fit of {data.path.name}",
        range=target_range(chosen, g_min_uS, g_max_uS), programming=Programming(pulse_s=_PULSE_S, source=_PULSE_SOURCE),
        law=law, converter=ConverterNoise(source="not part of the data"),
        read_noise=ReadNoise(source="no readings in a row: part of the law") if noise is None else noise.section,
        telegraph=Telegraph() if noise is None else noise.telegraph,
        temperature=temperature or Temperature(source="data of one temperature"),
        stuck=stuck_section(data.stuck_uS, data.cells + len(data.stuck_uS), data.path.name),
    )
    if temperature is None and len(np.unique(data.temp_C)) > 1:
        device = fit_heat(data, device, command)
    device = replace(device, confidence=law_errors(chosen, job.levels))
    return with_levels_between(replace(device, fit=record(data, chosen, device, job, command, doubts)))


def _chosen_model(data: Measurements, model: str) -> tuple[str, list[str]]:
    """The model to take, and a sentence where there are two kinds of cells."""
    humps = two_kinds(data)
    if not humps:
        return ("parametric" if model == "auto" else model), []
    consequence = "quantiles are taken as measured (empirical)"
    if model == "parametric":
        consequence = "the parametric model has one hump and does not follow them, the empirical does"
    return ("empirical" if model == "auto" else model), [f"{humps}: {consequence}"]


def _law(job: LawRows, temp_C: float, progress: Callable[[int, int], None] | None, source: str) -> Law:
    """The law over level and time, and how cells keep their places in it."""
    rows, shares, times = job.fit(progress)
    of_dies = job.shares("die")
    die, cell = [c.share for c in of_dies], kept_again(job.shares("body"), of_dies)
    memory, job.correlation = fit_memory(job.scores[:, 1:], np.array(die[1:]) if die else None)
    law = Law(
        model=job.model, temp_C=temp_C, levels_uS=rounded(job.levels), times_s=rounded(times), kept=rounded(shares),
        lost=tuple(rounded(row) for row in job.lost), loss="weibull" if len(job.lost) else "",
        lost_uS=rounded(np.array([job.lost_uS]))[0],
        source=source, **_lists(job.model, rows),
    )
    memory = (memory[0], *memory) if memory else ()
    onset = fit_onset(list(law.table), np.array(law.times_s), _PULSE_S)
    return replace(law, onset_s=onset, memory=memory, die=rounded(np.array(die)) if any(die) else (), cell=cell)


_PULSE_SOURCE = "pulse_s is assumed: the scale on which the change sets in before the first reading"


def _lists(model: str, rows: list[Row]) -> dict[str, Any]:
    if model == "empirical":
        return {"quantiles_uS": tuple(tuple(rounded(level) for level in row.table()) for row in rows)}
    parametric = [row for row in rows if isinstance(row, ParametricRow)]
    keys = {"shift": "shift_uS", "low": "low_uS", "high": "high_uS"}
    names = ("shift", "low", "high", "low_tail", "high_tail", "low_ratio", "high_ratio")
    return {keys.get(n, n): tuple(rounded(getattr(row, n)) for row in parametric) for n in names}


def target_range(data: Measurements, g_min_uS: float | None, g_max_uS: float | None) -> Range:
    """Range of the targets, in uS, rounded outwards where it is not given."""
    low, high = float(data.target_uS.min()), float(data.target_uS.max())
    low = g_min_uS if g_min_uS is not None else _outwards(low, math.floor)
    high = g_max_uS if g_max_uS is not None else _outwards(high, math.ceil)
    if low == high and g_min_uS is None:
        low = 0.0  # one level: its law holds for all targets
    if not low < high:
        raise InputError(f"the range of conductances must begin below its end, not at {low:g} and {high:g} uS")
    return Range(g_min_uS=low, g_max_uS=high, source=f"targets of {data.path.name}, or as given to the fit")


def _outwards(value: float, rounding: Callable[[float], int]) -> float:
    """Three digits, away from the data."""
    if value <= 0.0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{rounding(round(value / unit, 6)) * unit:.6g}")

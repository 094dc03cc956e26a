"""The fit: a device whose cells, drawn as the macro model draws them, have the statistics of the measured ones."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from macro_models.devices.device import ConverterNoise, Device, Fit, Programming, Range
from macro_models.devices.law import Law, Temperature
from macro_models.errors import InputError
from macro_models.fit.law_rows import DRAWS, LawRows, numbers
from macro_models.fit.measurements import Measurements
from macro_models.fit.rows import ParametricRow, Row
from macro_models.fit.statistics import Summary, even_codes, grouped, summarise
from macro_models.fit.stuck import stuck_section
from macro_models.fit.temperature import fit_temperature, reference_temperature

__all__ = ["MODELS", "fit_device", "target_range"]

MODELS = ("parametric", "empirical")
_PULSE_S = 1e-6


def fit_device(
    data: Measurements,
    *,
    name: str,
    model: str = "parametric",
    description: str = "",
    g_min_uS: float | None = None,
    g_max_uS: float | None = None,
    temperature: Temperature | None = None,
    command: str = "",
    source: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Device:
    """Fit a device to measured cells.

    Parameters
    ----------
    data
        See :func:`read_measurements`.
    model
        ``"parametric"``: each side of the median is a normal core with a tail; ``"empirical"``: quantiles as measured.
    g_min_uS, g_max_uS
        Range of conductances of a chip with this device, in uS; by default that of the data, rounded outwards.
    temperature
        Arrhenius' law from elsewhere; by default it is fitted where the data have several temperatures.
    progress
        Called with (rows done, rows).

    Raises
    ------
    InputError
        If the model is not known, or the data have one time only and no targets.
    """
    if model not in MODELS:
        raise InputError(f"model must be {' or '.join(MODELS)}, not {model!r}")
    reference = reference_temperature(data)
    chosen = data.where(data.temp_C == reference)
    if len(np.unique(chosen.time_index)) < 2 and not data.has_target:
        raise InputError(
            f"{data.path}: has one time only; readings at two times, or a column g_target_uS, are needed for a fit"
        )
    job = LawRows(chosen, model)
    rows, kept, times = job.fit(progress)
    law = Law(
        model=model, temp_C=reference, levels_uS=numbers(job.levels), times_s=numbers(times), kept=numbers(kept),
        lost=tuple(numbers(row) for row in job.lost), lost_uS=numbers(np.array([job.lost_uS]))[0],
        source=source or f"{data.path.name}", **_lists(model, rows),
    )
    device = Device(
        name=name, description=description or f"{model} fit of {data.path.name}",
        range=target_range(chosen, g_min_uS, g_max_uS), programming=Programming(pulse_s=_PULSE_S, source=_PULSE_SOURCE),
        law=law, converter=ConverterNoise(source="not part of the data"),
        temperature=temperature or Temperature(source="data of one temperature"),
        stuck=stuck_section(data.stuck_uS, data.cells + len(data.stuck_uS), data.path.name),
    )
    if temperature is None and len(np.unique(data.temp_C)) > 1:
        device = _with(device, temperature=fit_temperature(data, device, command))
    return _with(device, fit=_record(data, chosen, device, job, command))


_PULSE_SOURCE = "pulse_s is assumed: the scale on which the change sets in before the first reading"


def _with(device: Device, **changes: Any) -> Device:
    return Device(**{**{f: getattr(device, f) for f in device.__dataclass_fields__}, **changes})


def _lists(model: str, rows: list[Row]) -> dict[str, Any]:
    if model == "empirical":
        return {"quantiles_uS": tuple(tuple(numbers(level) for level in row.table()) for row in rows)}
    parametric = [row for row in rows if isinstance(row, ParametricRow)]
    keys = {"shift": "shift_uS", "low": "low_uS", "high": "high_uS"}
    names = ("shift", "low", "high", "low_tail", "high_tail", "low_ratio", "high_ratio")
    return {keys.get(n, n): tuple(numbers(getattr(row, n)) for row in parametric) for n in names}


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


def _record(data: Measurements, chosen: Measurements, device: Device, job: LawRows, command: str) -> Fit:
    """Where the device comes from, and its statistics beside those of the data."""
    law, levels = device.law, len(job.levels)
    used = np.unique(np.concatenate([[0], np.unique(chosen.time_index)]))
    rows, mean, std = [], [], []
    for index, time_s in zip(used, law.times_s, strict=True):
        at = chosen.time_index == index
        order = np.argsort(chosen.target_uS[at], kind="stable")
        target, level = chosen.target_uS[at][order], job.level[at][order]
        change = chosen.g_uS[at][order] - target
        copies = max(1, DRAWS // max(len(target), 1))
        many, many_level = np.repeat(target, copies), np.repeat(level, copies)
        drawn = _drawn(device, many, time_s) - many
        rows.append((len(change), summarise(change), summarise(drawn)))
        difference = grouped(drawn, many_level, levels) - grouped(change, level, levels)
        mean.append(tuple(round(float(v), 5) for v in difference[:, 0]))
        std.append(tuple(round(float(v), 5) for v in difference[:, 1]))

    def column(which: int, field: int) -> tuple[float, ...]:
        summaries: list[Summary] = [row[which] for row in rows]
        return tuple(round(float(s[field]), 6) for s in summaries)

    dropped = "; ".join(f"{count} {what}" for what, count in data.dropped.items())
    return Fit(
        file=data.path.name, sha256=data.sha256, command=command, cells=data.cells, readings=len(data.g_uS),
        dropped=dropped or "nothing", g_range_uS=numbers(np.array([data.target_uS.min(), data.target_uS.max()])),
        time_range_s=numbers(data.times_s[[0, -1]]),
        temp_range_C=numbers(np.array([data.temp_C.min(), data.temp_C.max()])), times_s=law.times_s,
        n=tuple(float(row[0]) for row in rows), mean_uS=column(1, 0), model_mean_uS=column(2, 0), std_uS=column(1, 1),
        model_std_uS=column(2, 1), beyond=column(1, 3), model_beyond=column(2, 3), residual_mean_uS=tuple(mean),
        residual_std_uS=tuple(std), source="means, deviations and fractions are of g - target",
    )


def _drawn(device: Device, target: NDArray[np.float64], time_s: float) -> NDArray[np.float64]:
    """Conductances in uS of cells sorted by target, with even draws."""
    law, n = device.law, len(target)
    change, kept = device.change_quantiles(time_s, law.temp_C)
    left = law.draw(law.programming(), target, even_codes(n, 0)) * kept
    g = np.maximum(target + left + law.draw(change, target, even_codes(n, 1)), 0.0)
    return device.lose(g, target, time_s, law.temp_C, lambda: even_codes(n, 2))

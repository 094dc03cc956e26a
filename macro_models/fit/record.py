"""What a fitted device says of its data: where it comes from, how well it agrees, and what is in doubt."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.sections.fit import Fit
from mho.macro_models.fit.law.between import about_between
from mho.macro_models.fit.law.components import Component, Trend, endurance, shares, trends
from mho.macro_models.fit.law.doubts import (
    about_components,
    about_data,
    about_levels,
    about_tails,
    about_times,
    about_uncertain,
    about_zero,
)
from mho.macro_models.fit.law.statistics import Summary, by_level, even_codes, rounded, summarise
from mho.macro_models.fit.rows.law_rows import DRAWS, LawRows
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Reals

About = Callable[[float, Reals, NDArray[np.int64], Reals, NDArray[np.int64]], str]
"""Names what is off at a time: of time, changes and their levels, as measured and as drawn."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A device beside its data, with an entry for each time."""

    times_s: tuple[float, ...]
    rows: list[tuple[int, Summary, Summary]] = field(default_factory=list)
    """Readings, and summaries of their changes as measured and as drawn."""
    of_levels: list[tuple[Reals, NDArray[np.int64]]] = field(default_factory=list)
    """Changes, and the level of each."""
    differences: list[Reals] = field(default_factory=list)
    """Summaries of the levels, device less data."""
    off: list[str] = field(default_factory=list)
    """What the device does not follow, of some times."""
    certain: list[float] = field(default_factory=list)
    """How certain deviations are (relative, two standard errors), of times with readings that differ."""


def compared(
    chosen: Measurements, level: NDArray[np.int64], levels_uS: Reals, times_s: Iterable[tuple[int, float]],
    limits: tuple[float, float], draw: Callable[[Reals, float], Reals], *more: About,
) -> Compared:
    """A device beside the readings at times, given by their index and in seconds.

    ``draw`` gives conductances in uS of cells with targets, sorted, at a time. What is off within the ``limits`` of
    targets is named, by :func:`about_levels` or else by the first of ``more`` that has something to say.
    """
    times = list(times_s)
    result = Compared(times_s=tuple(time_s for _, time_s in times))
    for index, time_s in times:
        at = chosen.time_index == index
        order = np.argsort(chosen.target_uS[at], kind="stable")
        target, near = chosen.target_uS[at][order], level[at][order]
        change = chosen.g_uS[at][order] - target
        copies = max(1, DRAWS // max(len(target), 1))
        many, many_near = np.repeat(target, copies), np.repeat(near, copies)
        drawn = draw(many, time_s) - many
        result.rows.append((len(change), summarise(change), summarise(drawn)))
        result.of_levels.append((change, near))
        difference, sentence, error = about_levels(time_s, levels_uS, near, change, drawn, many_near, limits)
        for about in more:
            sentence = sentence or about(time_s, change, near, drawn, many_near)
        result.off.extend([sentence] if sentence else [])
        result.certain.extend([error] if len(change) and float(np.ptp(change)) > 0.0 else [])
        result.differences.append(difference)
    return result


def fit_section(data: Measurements, levels_uS: Reals, beside: Compared, **more: Any) -> Fit:
    """The section ``[fit]`` of a device that was fitted to the data; ``more`` are its other keys."""

    def column(which: int, name: str) -> tuple[float, ...]:
        return tuple(round(float(getattr(row[which], name)), 6) for row in beside.rows)

    def residual(which: int) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(round(float(v), 5) for v in difference[:, which]) for difference in beside.differences)

    dropped = "; ".join(f"{count} {what}" for what, count in data.dropped.items())
    ends = {
        "g_range_uS": (data.target_uS.min(), data.target_uS.max()), "time_range_s": data.times_s[[0, -1]],
        "temp_range_C": (data.temp_C.min(), data.temp_C.max()),
    }
    return Fit(
        file=data.path.name, sha256=data.sha256, cells=data.cells, readings=int(data.reads.sum()) or len(data.g_uS),
        dropped=dropped or "nothing", times_s=beside.times_s, n=tuple(float(row[0]) for row in beside.rows),
        mean_uS=column(1, "mean"), model_mean_uS=column(2, "mean"), std_uS=column(1, "std"),
        model_std_uS=column(2, "std"), beyond=column(1, "beyond"), model_beyond=column(2, "beyond"),
        residual_mean_uS=residual(0), residual_std_uS=residual(1), **by_level(beside.of_levels, levels_uS),
        **{key: rounded(np.array(values)) for key, values in ends.items()}, **more,
    )


def record(
    data: Measurements, chosen: Measurements, device: Device, job: LawRows, command: str, doubts: list[str]
) -> Fit:
    """Where the device comes from, and its statistics beside those of the data."""
    law, limits = device.law, (device.range.g_min_uS, device.range.g_max_uS)
    used = np.unique(np.concatenate([[0], np.unique(chosen.time_index)])).tolist()
    times = zip(used, law.times_s, strict=True)
    beside = compared(
        chosen, job.level, job.levels, times, limits, lambda target, t: _drawn(device, target, t), about_tails
    )
    worn = trends(chosen, job.level, len(job.levels))
    return fit_section(
        data, job.levels, beside, command=command, **shares(job.shares("die"), job.shares("body")),
        **endurance(worn, chosen), warnings=tuple(_doubts(data, device, job, doubts, beside, worn)),
        source="means, deviations and fractions are of g - target",
    )


def _drawn(device: Device, target: Reals, time_s: float) -> Reals:
    """Conductances in uS of cells sorted by target, with even draws."""
    law, n = device.law, len(target)
    change, share = device.change_quantiles(time_s, law.temp_C)
    left = law.draw(law.programming(), target, even_codes(n, 0)) * share
    g = np.maximum(target + left + law.draw(change, target, even_codes(n, 1)), 0.0)
    return device.lose(g, target, time_s, law.temp_C, lambda: even_codes(n, 2))


def _doubts(
    data: Measurements, device: Device, job: LawRows, doubts: list[str], beside: Compared,
    worn: list[tuple[float, Trend]],
) -> list[str]:
    law, notes, off = device.law, [*data.notes, *doubts], beside.off
    limits = (device.range.g_min_uS, device.range.g_max_uS)
    notes += about_data(data, law, limits) + about_zero(job.data, law, limits)
    notes += about_uncertain(data.cells, max(beside.certain, default=0.0))
    if off:
        notes.append(f"{off[-1]}: the model does not follow the data there ({len(off)} of {len(law.times_s)} times)")
    notes += about_between(law, device.confidence, limits) + about_times(law)
    die: list[Component] = job.shares("die")
    return notes + about_components(die, worn, data.cycles)

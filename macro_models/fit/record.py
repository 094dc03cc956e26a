"""What a fitted device says of its data: where it comes from, how well it agrees, and what is in doubt."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.sections.fit import Fit
from mho.macro_models.fit.law.between import about_between
from mho.macro_models.fit.law.components import Component, Trend, endurance, shares, trends
from mho.macro_models.fit.law.doubts import (
    Beside,
    about_components,
    about_data,
    about_levels,
    about_tails,
    about_times,
    about_uncertain,
    about_zero,
)
from mho.macro_models.fit.law.statistics import even_codes, rounded, summarise
from mho.macro_models.fit.rows.law_rows import DRAWS, LawRows
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Integers, Reals, Rows


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A device beside its data."""

    times: list[Beside]
    off: list[str]
    """What the device does not follow, of some times."""

    @property
    def certain(self) -> float:
        """How certain deviations are (relative, two standard errors), of times with readings that differ."""
        differ = (at for at in self.times if len(at.change) and float(np.ptp(at.change)) > 0.0)
        return max((at.certain for at in differ), default=0.0)


def compared(
    chosen: Measurements, level: Integers, levels_uS: Reals, times_s: Iterable[tuple[int, float]],
    draw: Callable[[Reals, float], Reals], *about: Callable[[Beside], str],
) -> Compared:
    """A device beside the readings at times, given by their index and in seconds.

    ``draw`` gives conductances in uS of cells with targets, sorted, at a time. What is off at a time is named by the
    first of ``about`` that has something to say.
    """
    result = Compared(times=[], off=[])
    for index, time_s in times_s:
        at = chosen.time_index == index
        order = np.argsort(chosen.target_uS[at], kind="stable")
        target, near = chosen.target_uS[at][order], level[at][order]
        copies = max(1, DRAWS // max(len(target), 1))
        many = np.repeat(target, copies)
        beside = Beside(
            time_s, levels_uS, chosen.g_uS[at][order] - target, near, draw(many, time_s) - many, np.repeat(near, copies)
        )
        result.times.append(beside)
        sentence = next(filter(None, (doubt(beside) for doubt in about)), "")
        result.off.extend([sentence] if sentence else [])
    return result


def fit_section(data: Measurements, levels_uS: Reals, beside: Compared, **more: Any) -> Fit:
    """The section ``[fit]`` of a device that was fitted to the data; ``more`` are its other keys."""
    times = beside.times
    summaries = {"": [summarise(at.change) for at in times], "model_": [summarise(at.drawn) for at in times]}
    whole = {
        f"{of}{key}": tuple(round(float(getattr(summary, name)), 6) for summary in rows)
        for of, rows in summaries.items()
        for key, name in (("mean_uS", "mean"), ("std_uS", "std"), ("beyond", "beyond"))
    }

    def by_level(values: Iterable[Reals]) -> Rows:
        return tuple(tuple(round(float(v), 5) for v in row) for row in values)

    dropped = "; ".join(f"{count} {what}" for what, count in data.dropped.items())
    ends = {
        "g_range_uS": (data.target_uS.min(), data.target_uS.max()), "time_range_s": data.times_s[[0, -1]],
        "temp_range_C": (data.temp_C.min(), data.temp_C.max()),
    }
    return Fit(
        file=data.path.name, sha256=data.sha256, cells=data.cells, readings=int(data.reads.sum()) or len(data.g_uS),
        dropped=dropped or "nothing", times_s=tuple(at.time_s for at in times),
        n=tuple(float(len(at.change)) for at in times), **whole,
        levels_uS=rounded(levels_uS), level_n=tuple(tuple(float(n) for n in at.count) for at in times),
        level_mean_uS=by_level(at.data[:, 0] for at in times), level_std_uS=by_level(at.data[:, 1] for at in times),
        residual_mean_uS=by_level((at.model - at.data)[:, 0] for at in times),
        residual_std_uS=by_level((at.model - at.data)[:, 1] for at in times),
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
        chosen, job.level, job.levels, times, lambda target, t: _drawn(device, target, t),
        partial(about_levels, range_uS=limits), about_tails,
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
    notes += about_uncertain(data.cells, beside.certain)
    if off:
        notes.append(f"{off[-1]}: the model does not follow the data there ({len(off)} of {len(law.times_s)} times)")
    notes += about_between(law, device.confidence, limits) + about_times(law)
    die: list[Component] = job.shares("die")
    return notes + about_components(die, worn, data.cycles)

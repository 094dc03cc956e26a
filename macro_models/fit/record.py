"""What a fitted device says of its data: where it comes from, how well it agrees, and what is in doubt."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from macro_models.devices.device import Device
from macro_models.devices.sections.fit import Fit
from macro_models.fit.law.between import about_between
from macro_models.fit.law.components import Component, Trend, endurance, shares, trends
from macro_models.fit.law.doubts import (
    about_components,
    about_data,
    about_levels,
    about_times,
    about_uncertain,
    about_zero,
)
from macro_models.fit.law.statistics import Summary, by_level, even_codes, summarise
from macro_models.fit.rows.law_rows import DRAWS, LawRows, numbers
from macro_models.fit.tables.measurements import Measurements

__all__ = ["record"]


def record(
    data: Measurements, chosen: Measurements, device: Device, job: LawRows, command: str, doubts: list[str]
) -> Fit:
    """Where the device comes from, and its statistics beside those of the data."""
    law, limits = device.law, (device.range.g_min_uS, device.range.g_max_uS)
    used = np.unique(np.concatenate([[0], np.unique(chosen.time_index)]))
    rows, mean, std, off, certain, of_levels = [], [], [], [], [], []
    for index, time_s in zip(used, law.times_s, strict=True):
        at = chosen.time_index == index
        order = np.argsort(chosen.target_uS[at], kind="stable")
        target, level = chosen.target_uS[at][order], job.level[at][order]
        change = chosen.g_uS[at][order] - target
        copies = max(1, DRAWS // max(len(target), 1))
        many, many_level = np.repeat(target, copies), np.repeat(level, copies)
        drawn = _drawn(device, many, time_s) - many
        rows.append((len(change), summarise(change), summarise(drawn)))
        of_levels.append((change, level))
        difference, sentence, error = about_levels(time_s, job.levels, level, change, drawn, many_level, limits)
        off += [sentence] if sentence else []
        certain += [error] if len(change) else []
        mean.append(tuple(round(float(v), 5) for v in difference[:, 0]))
        std.append(tuple(round(float(v), 5) for v in difference[:, 1]))

    def column(which: int, field: int) -> tuple[float, ...]:
        summaries: list[Summary] = [row[which] for row in rows]
        return tuple(round(float(s[field]), 6) for s in summaries)

    worn = trends(chosen, job.level, len(job.levels))
    more: dict[str, Any] = {
        **by_level(of_levels, job.levels), **shares(job.shares("die"), job.shares("body")), **endurance(worn, chosen),
    }
    dropped = "; ".join(f"{count} {what}" for what, count in data.dropped.items())
    return Fit(
        file=data.path.name, sha256=data.sha256, command=command, cells=data.cells,
        readings=int(data.reads.sum()),
        dropped=dropped or "nothing", g_range_uS=numbers(np.array([data.target_uS.min(), data.target_uS.max()])),
        time_range_s=numbers(data.times_s[[0, -1]]),
        temp_range_C=numbers(np.array([data.temp_C.min(), data.temp_C.max()])), times_s=law.times_s,
        n=tuple(float(row[0]) for row in rows), mean_uS=column(1, 0), model_mean_uS=column(2, 0), std_uS=column(1, 1),
        model_std_uS=column(2, 1), beyond=column(1, 3), model_beyond=column(2, 3), residual_mean_uS=tuple(mean),
        residual_std_uS=tuple(std), **more,
        warnings=tuple(_doubts(data, device, job, doubts, off, certain, worn)),
        source="means, deviations and fractions are of g - target",
    )


def _drawn(device: Device, target: NDArray[np.float64], time_s: float) -> NDArray[np.float64]:
    """Conductances in uS of cells sorted by target, with even draws."""
    law, n = device.law, len(target)
    change, kept = device.change_quantiles(time_s, law.temp_C)
    left = law.draw(law.programming(), target, even_codes(n, 0)) * kept
    g = np.maximum(target + left + law.draw(change, target, even_codes(n, 1)), 0.0)
    return device.lose(g, target, time_s, law.temp_C, lambda: even_codes(n, 2))


def _doubts(
    data: Measurements, device: Device, job: LawRows, doubts: list[str], off: list[str], certain: list[float],
    worn: list[tuple[float, Trend]],
) -> list[str]:
    law, found = device.law, [*data.notes, *doubts]
    limits = (device.range.g_min_uS, device.range.g_max_uS)
    found += about_data(data, law, limits) + about_zero(job.data, law, limits)
    found += about_uncertain(data.cells, max(certain, default=0.0))
    if off:
        found.append(f"{off[-1]}: the model does not follow the data there ({len(off)} of {len(law.times_s)} times)")
    found += about_between(law, device.confidence, limits) + about_times(law)
    die: list[Component] = job.shares("die")
    return found + about_components(die, worn, data.cycles)

"""The fit: a device whose cells, drawn as the macro model draws them, have the statistics of the measured ones."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from macro_models.devices.device import ConverterNoise, Device, Fit, Programming, Range
from macro_models.devices.law import NODES, Law, Temperature
from macro_models.errors import InputError
from macro_models.fit.levels import choose_levels, nearest_level
from macro_models.fit.lost import find_lost, lost_fraction
from macro_models.fit.measurements import Measurements
from macro_models.fit.rows import ParametricRow, Row, empty_row, make_row, quantiles
from macro_models.fit.statistics import Summary, even_codes, grouped, summarise
from macro_models.fit.stuck import stuck_section
from macro_models.fit.temperature import fit_temperature, reference_temperature

__all__ = ["MODELS", "fit_device"]

MODELS = ("parametric", "empirical")
_CORRECTIONS, _SETTLING, _MATCHES = 5, 5, 3
_SEARCHES, _TURNS = 8, 2
_GOOD = 2.5  # distance below which a shape is not improved
_DRAWS = 60_000
_PULSE_S = 1e-6
_DIGITS = 6


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
    job = _Job(chosen, model)
    rows, kept, times = job.fit(progress)
    law = Law(
        model=model, temp_C=reference, levels_uS=_numbers(job.levels), times_s=_numbers(times), kept=_numbers(kept),
        lost=tuple(_numbers(row) for row in job.lost), lost_uS=_numbers(np.array([job.lost_uS]))[0],
        source=source or f"{data.path.name}", **_lists(model, rows),
    )  # fmt: skip
    device = Device(
        name=name, description=description or f"{model} fit of {data.path.name}",
        range=_range(chosen, g_min_uS, g_max_uS), programming=Programming(pulse_s=_PULSE_S, source=_PULSE_SOURCE),
        law=law, converter=ConverterNoise(source="not part of the data"),
        temperature=temperature or Temperature(source="data of one temperature"),
        stuck=stuck_section(data.stuck_uS, data.cells + len(data.stuck_uS), data.path.name),
    )  # fmt: skip
    if temperature is None and len(np.unique(data.temp_C)) > 1:
        device = _with(device, temperature=fit_temperature(data, device, command))
    return _with(device, fit=_record(data, chosen, device, job, command))


_PULSE_SOURCE = "pulse_s is assumed: the scale on which the change sets in before the first reading"


def _with(device: Device, **changes: Any) -> Device:
    return Device(**{**{f: getattr(device, f) for f in device.__dataclass_fields__}, **changes})


def _numbers(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Rounded to what a file holds, so that a device is the same before and after it is written."""
    return tuple(float(f"{v:.{_DIGITS}g}") for v in np.asarray(values, dtype=np.float64))


def _lists(model: str, rows: list[Row]) -> dict[str, Any]:
    if model == "empirical":
        return {"quantiles_uS": tuple(tuple(_numbers(level) for level in row.table()) for row in rows)}
    parametric = [row for row in rows if isinstance(row, ParametricRow)]
    keys = {"shift": "shift_uS", "low": "low_uS", "high": "high_uS"}
    names = ("shift", "low", "high", "low_tail", "high_tail", "low_ratio", "high_ratio")
    return {keys.get(n, n): tuple(_numbers(getattr(row, n)) for row in parametric) for n in names}


def _range(data: Measurements, g_min_uS: float | None, g_max_uS: float | None) -> Range:
    low, high = float(data.target_uS.min()), float(data.target_uS.max())
    low = g_min_uS if g_min_uS is not None else _outwards(low, math.floor)
    high = g_max_uS if g_max_uS is not None else _outwards(high, math.ceil)
    if not low < high:
        raise InputError(f"the range of conductances must begin below its end, not at {low:g} and {high:g} uS")
    return Range(g_min_uS=low, g_max_uS=high, source=f"targets of {data.path.name}, or as given to the fit")


def _outwards(value: float, rounding: Callable[[float], int]) -> float:
    """Three digits, away from the data."""
    if value <= 0.0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{rounding(round(value / unit, 6)) * unit:.6g}")


class _Job:
    """The rows of one law."""

    def __init__(self, data: Measurements, model: str) -> None:
        self.data, self.model = data, model
        _, first = np.unique(data.cell, return_index=True)
        self.levels = np.array(_numbers(choose_levels(data.target_uS[first])))
        self.shape = Law(model="empirical", levels_uS=tuple(self.levels), times_s=(0.0,))
        self.level = nearest_level(self.levels, data.target_uS)
        self.left = np.zeros((len(self.levels), NODES))
        self.lost = np.zeros((0, len(self.levels)))
        self.lost_uS = 0.0

    def fit(
        self, progress: Callable[[int, int], None] | None
    ) -> tuple[list[Row], NDArray[np.float64], NDArray[np.float64]]:
        """Rows, shares kept and times."""
        used = np.unique(self.data.time_index)
        rows, kept, lost = [self._programming()], [1.0], [np.zeros(len(self.levels))]
        values: list[NDArray[np.float64]] = []
        self.left = rows[0].table()
        for done, index in enumerate(used[used > 0], start=1):
            at = self.data.time_index == index
            gone = find_lost(self.data.g_uS[at], self.data.target_uS[at], self.level[at], len(self.levels))
            lost.append(lost[0])
            if gone.any():
                lost[-1] = lost_fraction(gone, self.level[at], len(self.levels))
                values.append(self.data.g_uS[at][gone])
                at = at.copy()
                at[np.flatnonzero(at)[gone]] = False
            share = self._share_kept(at)
            rows.append(self._change(at, share))
            kept.append(share)
            if progress is not None:
                progress(done, len(used) - 1)
        if values:
            self.lost, self.lost_uS = np.array(lost), float(np.median(np.concatenate(values)))
        times = self.data.times_s[np.concatenate([[0], used[used > 0]])]
        return rows, np.array(kept), times

    def _programming(self) -> Row:
        at = self.data.time_index == 0
        error = (self.data.g_uS - self.data.target_uS)[at]
        if not self.data.has_target or not error.size:
            return empty_row(self.model, len(self.levels))
        row = make_row(self.model, error, self.level[at], len(self.levels))
        return self._correct(row, at, lambda table, target, n: self.shape.draw(table, target, even_codes(n, 0)))

    def _change(self, at: NDArray[np.bool_], share: float) -> Row:
        """What the time of the readings ``at`` adds to what programming left."""
        data = self.data
        error = np.nan_to_num(data.first_uS[at] - data.target_uS[at])
        row = make_row(self.model, data.g_uS[at] - data.target_uS[at] - share * error, self.level[at], len(self.levels))

        def draw(table: NDArray[np.float64], target: NDArray[np.float64], n: int) -> NDArray[np.float64]:
            left = self.shape.draw(self.left, target, even_codes(n, 0)) * share if data.has_target else 0.0
            return left + self.shape.draw(table, target, even_codes(n, 1))

        return self._correct(row, at, draw)

    def _share_kept(self, at: NDArray[np.bool_]) -> float:
        """Share of the programming error that is still in the readings ``at``: 1 unless the data say otherwise."""
        data = self.data
        error, total = (data.first_uS - data.target_uS)[at], (data.g_uS - data.target_uS)[at]
        known, level = np.isfinite(error), self.level[at]
        if not data.has_target or known.sum() < 30:
            return 1.0
        error, total = (_centred(v[known], level[known], len(self.levels)) for v in (error, total))
        power = float((error**2).sum())
        if power <= 1e-12:
            return 1.0
        slope = float((error * total).sum()) / power
        deviation = math.sqrt(float(((error * (total - slope * error)) ** 2).sum())) / power
        return 1.0 if abs(slope - 1.0) < 3.0 * deviation else float(f"{min(max(slope, 0.0), 1.0):.4g}")

    def _correct(self, row: Row, at: NDArray[np.bool_], draw: Callable[..., NDArray[np.float64]]) -> Row:
        """Draw cells with the targets of the readings, compare, correct, again."""
        order = np.argsort(self.data.target_uS[at], kind="stable")
        target, level = self.data.target_uS[at][order], self.level[at][order]
        change = (self.data.g_uS[at] - self.data.target_uS[at])[order]
        measured, all_measured = grouped(change, level, len(self.levels)), summarise(change)
        present = np.bincount(level, minlength=len(self.levels)) > 0
        copies = max(1, _DRAWS // len(target))
        many, many_level = np.repeat(target, copies), np.repeat(level, copies)

        def step(row: Row, shape: bool) -> tuple[Row, float]:
            drawn = np.maximum(many + draw(row.table(), many, len(many)), 0.0) - many
            found = grouped(drawn, many_level, len(self.levels))
            wanted = np.where(present[:, None], measured, found)
            score = _distance(all_measured, summarise(drawn), len(target))
            return (row.corrected(wanted, found) if shape else row.settled(wanted, found)), score

        best, best_score = row, math.inf
        for k, trial in enumerate((row, *row.variants())):
            for turn in range(_CORRECTIONS):
                following, score = step(trial, shape=k > 0 and turn < _CORRECTIONS - 2)
                if turn > 0 and score < best_score:
                    best, best_score = trial, score
                trial = following
        best = _searched(best, best_score, step)
        trial = best
        for _ in range(_MATCHES if self.model == "empirical" else 0):
            trial, _ = step(self._matched(trial, change, level, many, many_level, draw), shape=False)
            _, score = step(trial, shape=False)
            if score < best_score:
                best, best_score = trial, score
        for _ in range(_SETTLING):
            best, _ = step(best, shape=False)
        return best

    def _matched(
        self, row: Row, change: NDArray[np.float64], level: NDArray[np.int64], many: NDArray[np.float64],
        many_level: NDArray[np.int64], draw: Callable[..., NDArray[np.float64]],
    ) -> Row:  # fmt: skip
        """Move the quantiles of a row until those of drawn cells, programming and clamp included, are measured ones."""
        drawn = np.maximum(many + draw(row.table(), many, len(many)), 0.0) - many
        found = [np.array([quantiles(part) for part in _parts(*pair, len(self.levels))])
                 for pair in ((change, level), (drawn, many_level))]  # fmt: skip
        return row.matched(found[0], found[1])


def _parts(values: NDArray[np.float64], level: NDArray[np.int64], levels: int) -> list[NDArray[np.float64]]:
    """Values of each level; those of a level lie together."""
    return np.split(values, np.searchsorted(level, np.arange(1, levels)))


def _searched(row: Row, score: float, step: Callable[[Row, bool], tuple[Row, float]]) -> Row:
    """Search around a row for a shape that agrees better; every trial gets mean and deviation right first."""
    width = 0.3
    for _ in range(_SEARCHES):
        if score < _GOOD:
            break
        found, found_score = row, score
        for trial in row.neighbours(width):
            for _ in range(_TURNS):
                trial, _ = step(trial, False)
            _, trial_score = step(trial, False)
            if trial_score < found_score:
                found, found_score = trial, trial_score
        width = width if found_score < score else width / 2.0
        row, score = found, found_score
    return row


def _distance(measured: Summary, drawn: Summary, n: int) -> float:
    """How much the shapes of two samples differ: each statistic in units of what is hardly resolved."""
    if measured.std <= 0.0 or drawn.std <= 0.0 or measured.robust <= 0.0:
        return 0.0
    far = max(0.02 * measured.beyond, math.sqrt(max(measured.beyond, 1.0 / n) / n) / 4.0)
    return (
        ((drawn.std / measured.std - 1.0) / 0.02) ** 2
        + ((drawn.robust / measured.robust - 1.0) / 0.04) ** 2
        + ((drawn.beyond - measured.beyond) / far) ** 2
    )


def _centred(values: NDArray[np.float64], level: NDArray[np.int64], levels: int) -> NDArray[np.float64]:
    count = np.maximum(np.bincount(level, minlength=levels), 1)
    return values - (np.bincount(level, weights=values, minlength=levels) / count)[level]


def _record(data: Measurements, chosen: Measurements, device: Device, job: _Job, command: str) -> Fit:
    """Where the device comes from, and its statistics beside those of the data."""
    law, levels = device.law, len(job.levels)
    used = np.unique(np.concatenate([[0], np.unique(chosen.time_index)]))
    rows, mean, std = [], [], []
    for index, time_s in zip(used, law.times_s, strict=True):
        at = chosen.time_index == index
        order = np.argsort(chosen.target_uS[at], kind="stable")
        target, level = chosen.target_uS[at][order], job.level[at][order]
        change = chosen.g_uS[at][order] - target
        copies = max(1, _DRAWS // max(len(target), 1))
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
        dropped=dropped or "nothing", g_range_uS=_numbers(np.array([data.target_uS.min(), data.target_uS.max()])),
        time_range_s=_numbers(data.times_s[[0, -1]]),
        temp_range_C=_numbers(np.array([data.temp_C.min(), data.temp_C.max()])), times_s=law.times_s,
        n=tuple(float(row[0]) for row in rows), mean_uS=column(1, 0), model_mean_uS=column(2, 0), std_uS=column(1, 1),
        model_std_uS=column(2, 1), beyond=column(1, 3), model_beyond=column(2, 3), residual_mean_uS=tuple(mean),
        residual_std_uS=tuple(std), source="means, deviations and fractions are of g - target",
    )  # fmt: skip


def _drawn(device: Device, target: NDArray[np.float64], time_s: float) -> NDArray[np.float64]:
    """Conductances in uS of cells sorted by target, with even draws."""
    law, n = device.law, len(target)
    change, kept = device.change_quantiles(time_s, law.temp_C)
    left = law.draw(law.programming(), target, even_codes(n, 0)) * kept
    g = np.maximum(target + left + law.draw(change, target, even_codes(n, 1)), 0.0)
    return device.lose(g, target, time_s, law.temp_C, lambda: even_codes(n, 2))

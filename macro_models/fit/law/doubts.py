"""What the data do not show, or a fitted law does not follow: one sentence each, with the reason."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mho.macro_models.devices.quantiles import node_moments
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.fit.law.components import Component, Trend
from mho.macro_models.fit.law.statistics import grouped, moment_errors, nearest_level
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Integers, Reals

_OF_TARGET, _OF_SPREAD = 0.02, 0.1  # of target and deviation: by what mean and deviation may be off
_ERRORS, _OF_MEAN = 2.0, 3.0
_FREE = 16.0  # variance at the end of a course of four parameters over the targets, in units of that of all cells
_HIDDEN = 0.05  # part of the cells of a level that read 0 from which the law below is not seen
_CERTAIN = 0.1  # error of the deviation from which a warning says so
_FEW_CELLS = 100
_OUTER, _SURE = 0.01, 4.0  # part of the cells on a side whose place is checked, and standard errors of it
_WIDE = 0.12  # part of the range by which targets may lie away from their levels: three levels or fewer
_FAR = 0.05  # part of the range by which it may go beyond the data


def about_data(data: Measurements, law: Law, range_uS: tuple[float, float]) -> list[str]:
    """What cannot be known from such data."""
    doubts = []
    once = bool(np.bincount(data.cell).max() < 2)
    if once:
        doubts.append("no cell was read twice: whether cells keep their rank is not known, the model keeps it")
    if data.bursts is None:
        doubts.append("no cell was read several times in a row: noise of the read is part of the law, not [read_noise]")
    doubts += about_wide_levels(data, np.array(law.levels_uS)) + about_ends(data, range_uS, len(law.levels_uS))
    if len(law.times_s) < 2:
        doubts.append("all readings are of one time: what cells do later is not known, the law keeps them as they are")
    elif len(law.times_s) == 2:
        doubts.append(
            f"one time after programming: before and after {law.times_s[1]:g} s the change is taken to grow with the "
            "logarithm of time, counted in pulses"
        )
    return doubts


def about_wide_levels(data: Measurements, levels_uS: Reals) -> list[str]:
    """Whether cells are too few for the many targets that they have: levels are then of cells from far around."""
    low, high = float(data.target_uS.min()), float(data.target_uS.max())
    away = data.target_uS - levels_uS[nearest_level(levels_uS, data.target_uS)]
    if high <= low or float(np.sqrt((away**2).mean())) < _WIDE * (high - low):
        return []
    return [
        f"{data.cells} cells with any target from {low:.3g} to {high:.3g} uS: what is at {levels_uS[0]:.3g} uS is of "
        f"cells within {np.abs(away).max():.2g} uS of it, so how the deviation changes with the target is hardly "
        "known; give cells few targets, or measure more of them"
    ]


def about_ends(data: Measurements, range_uS: tuple[float, float], levels: int) -> list[str]:
    """Whether the range of the device goes beyond the targets of the data."""
    low, high = float(data.target_uS.min()), float(data.target_uS.max())
    far_uS = _FAR * (range_uS[1] - range_uS[0])
    if levels < 2 or not (range_uS[0] < low - far_uS or range_uS[1] > high + far_uS):
        return []
    return [
        f"targets of the data go from {low:.4g} to {high:.4g} uS, the range of the device from {range_uS[0]:g} to "
        f"{range_uS[1]:g}: beyond the data the law of the nearest target holds"
    ]


def about_uncertain(cells: int, error: float) -> list[str]:
    """Whether the deviation is known too little; ``error`` is relative, two standard errors."""
    if error <= _CERTAIN:
        return []
    sentence = f"{cells} cells and their tails: the deviation at a target is known to +-{error:.0%} only (two errors)"
    if cells > _FEW_CELLS:
        return [sentence]
    # Rule of three: of n cells none is of a kind that has a part 3/n with 5 % probability.
    return [
        f"{sentence}; cells of another kind, up to one in {cells / 3.0:.0f}, may not be among them, and would make it "
        "several times larger"
    ]


@dataclass(frozen=True, eq=False)
class Beside:
    """Changes at one time as measured and as drawn from a device, each with the level of its cell."""

    time_s: float
    levels_uS: Reals
    change: Reals
    level: Integers
    drawn: Reals
    drawn_level: Integers

    @cached_property
    def data(self) -> Reals:
        """Summaries of the levels as measured, of shape (levels, 4)."""
        return grouped(self.change, self.level, len(self.levels_uS))

    @cached_property
    def model(self) -> Reals:
        """The same as drawn."""
        return grouped(self.drawn, self.drawn_level, len(self.levels_uS))

    @cached_property
    def count(self) -> Integers:
        """Readings of each level."""
        return np.bincount(self.level, minlength=len(self.levels_uS))

    @cached_property
    def errors(self) -> tuple[Reals, Reals]:
        """Standard errors of mean and logarithm of the deviation, as measured."""
        return moment_errors(self.change, self.level, self.data)

    @property
    def certain(self) -> float:
        """How certain the deviation at a target is: relative, two standard errors."""
        of_spread = self.errors[1]
        usable = np.isfinite(of_spread)
        # The error of all cells together, times the root of the parameters of a course over the targets.
        whole = 1.0 / math.sqrt(float((1.0 / of_spread[usable] ** 2).sum())) if usable.any() else math.inf
        return _ERRORS * whole * math.sqrt(min(_FREE, max(int(usable.sum()), 1)))


def about_levels(beside: Beside, range_uS: tuple[float, float]) -> str:
    """Names what is furthest off within the range of the device; "" if nothing is."""
    data, levels_uS, (of_mean, of_spread) = beside.data, beside.levels_uS, beside.errors
    difference, where = beside.model - data, f"at {beside.time_s:g} s and"
    worst, sentence = 1.0, ""
    inside = (levels_uS >= range_uS[0]) & (levels_uS <= range_uS[1])
    for k in np.flatnonzero((beside.count >= 10) & inside):
        size = max(float(levels_uS[k]), 1e-3 * float(levels_uS[-1]), 1e-9)
        off = abs(difference[k, 0]) / max(_OF_MEAN * of_mean[k], _OF_TARGET * size + _OF_SPREAD * data[k, 1])
        if off > worst:
            worst = off
            sentence = f"{where} {levels_uS[k]:.3g} uS the mean is {difference[k, 0]:+.3g} uS off"
        if data[k, 1] > 1e-3 * size:
            relative = beside.model[k, 1] / data[k, 1] - 1.0
            off = abs(relative) / max(2.0 * _ERRORS * of_spread[k], _OF_SPREAD)
            if off > worst:
                worst = off
                sentence = f"{where} {levels_uS[k]:.3g} uS the deviation is {relative:+.0%} off"
    return sentence


def about_tails(beside: Beside) -> str:
    """Names the side on which clearly more or fewer cells lie beyond the device's outermost percent; "" if none."""
    data, scale = beside.data, np.maximum(beside.data[:, 1], 1e-9)
    cells, model = (
        (x - data[at, 0]) / scale[at] for x, at in ((beside.change, beside.level), (beside.drawn, beside.drawn_level))
    )
    if len(cells) < _FEW_CELLS or float(model.std()) <= 0.0:
        return ""
    for side, sign in (("lowest", -1.0), ("highest", 1.0)):
        beyond = float((sign * cells > np.quantile(sign * model, 1.0 - _OUTER)).mean())
        far = beyond > 2.0 * _OUTER or beyond < 0.4 * _OUTER
        if far and abs(beyond - _OUTER) > _SURE * math.sqrt(max(beyond, _OUTER) / len(cells)):
            return (
                f"at {beside.time_s:g} s {beyond:.1%} of the cells are where the model has its {side} {_OUTER:.0%}: "
                "their tails are off"
            )
    return ""


def about_zero(data: Measurements, law: Law, range_uS: tuple[float, float]) -> list[str]:
    """Names the time and target where most cells read 0: how far below they would be nobody sees."""
    levels, largest, sentence = np.array(law.levels_uS), _HIDDEN, ""
    level = nearest_level(levels, data.target_uS)
    for index in np.unique(data.time_index):
        for k in np.flatnonzero((levels >= range_uS[0]) & (levels <= range_uS[1]) & (levels > 0.0)):
            at = (data.time_index == index) & (level == k)
            part = float((data.g_uS[at] <= 0.0).mean()) if at.sum() >= 10 else 0.0
            if part > largest:
                largest = part
                sentence = (
                    f"{part:.0%} of the cells near {levels[k]:.3g} uS read 0 uS at {data.times_s[index]:g} s: the law "
                    "is cut off there, its deviation between this target and the next is less certain"
                )
    return [sentence] if sentence else []


def about_times(law: Law) -> list[str]:
    """Where the law bends so much from time to time that what is between two of them is uncertain."""
    doubts, size = [], np.maximum(np.array(law.levels_uS), 1e-9)
    for k in range(2, len(law.times_s) - 1):
        before, after = law.times_s[k - 1], law.times_s[k + 1]
        rows = [k - 1, k, k + 1]
        names = ("times_s", "kept", "shift_uS", "low_uS", "high_uS", "low_tail", "high_tail", "low_ratio", "high_ratio",
                 "lost", "quantiles_uS")
        rest = [0, *(n for n in range(1, len(law.times_s)) if n != k)]
        changes = {n: tuple(getattr(law, n)[i] for i in rest) for n in names if getattr(law, n)}
        without = _replaced(law, changes)
        guess = node_moments(without.change(law.times_s[k], 1e-6))
        truth = node_moments(law.table[rows[1]])
        mean = float(np.median(np.abs(guess[0] - truth[0]) / size))
        spread = float(np.median(np.abs(guess[1] - truth[1]) / np.maximum(truth[1], 1e-3 * size)))
        if mean > _OF_TARGET or spread > _OF_SPREAD:
            doubts.append(
                f"from {before:g} to {after:g} s the change does not follow the logarithm of time: a model without the "
                f"readings at {law.times_s[k]:g} s is off there by {mean:.1%} of the target, {spread:.0%} of the spread"
            )
    return doubts


def _replaced(law: Law, changes: dict[str, tuple[object, ...]]) -> Law:
    values = {name: getattr(law, name) for name in law.__dataclass_fields__}
    return Law(**{**values, **changes, "memory": (), "die": (), "cell": ()})


def about_components(die: list[Component], trend: list[tuple[float, Trend]], cycles: Reals | None) -> list[str]:
    """What few dies and many switching cycles leave open."""
    doubts = []
    shared = [c for c in die if c.groups > 1]
    if shared:
        last = shared[-1]
        if last.groups < 10:
            doubts.append(
                f"{last.groups} dies: the share of the variance that a die has in common, {last.share:.2g}, is known "
                f"to +-{last.error:.1g} only"
            )
    for time_s, t in trend:
        if abs(t.mean_uS) > 3.0 * t.mean_error_uS or abs(t.spread) > 3.0 * t.spread_error:
            assert cycles is not None
            doubts.append(
                f"the law is that of cells switched {np.nanmin(cycles):.3g} to {np.nanmax(cycles):.3g} times: each "
                f"decade moves the mean at {time_s:g} s by {t.mean_uS:+.2g} +- {t.mean_error_uS:.1g} uS, the deviation "
                f"by {t.spread:+.0%} +- {t.spread_error:.0%}"
            )
            break
    return doubts



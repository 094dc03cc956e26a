"""The rows of a law: each is corrected until drawn cells, with programming and clamp, agree with the measured ones."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from mho.macro_models.devices.sections.law import Law
from mho.macro_models.fit.law import statistics
from mho.macro_models.fit.law.components import Component, share_of_groups
from mho.macro_models.fit.law.lost import all_lost, lost_fraction
from mho.macro_models.fit.law.order import change_scores, scores_of
from mho.macro_models.fit.rows.first_rows import empty_row, make_row
from mho.macro_models.fit.rows.row import EmpiricalRow, Row, quantiles
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Flags, Integers, Reals

_CORRECTIONS, _SETTLING, _MATCHES = 5, 5, 3
_SEARCHES, _TURNS = 8, 2
_MISSED = 0.1  # part of a statistic by which a row may be off
_ERRORS_NAMED, _ERRORS_NAMELESS = 2.5, 1.0  # and by so many standard errors
_EXACT = 1e-5  # of the largest target: errors of programming that are the rounding of the table
_CLAMPED = 0.002  # part of the cells that read 0 uS from which statistics are smoothed as they were without the clamp
_GOOD = 2.5  # distance below which a shape is not improved
Draw = Callable[[Reals], Reals]
DRAWS = 60_000
"""Cells that are drawn to compare a law with the data."""


class LawRows:
    """The rows of one law, fitted to the readings of one temperature."""

    def __init__(self, data: Measurements, model: str) -> None:
        self.data, self.model = data, model
        _, first = np.unique(data.cell, return_index=True)
        self.levels = np.array(statistics.rounded(statistics.choose_levels(data.target_uS[first])))
        self.shape = Law(model="empirical", levels_uS=tuple(self.levels), times_s=(0.0,))
        self.level = statistics.nearest_level(self.levels, data.target_uS)
        # Where one time shows lost cells, a few are known at the others.
        self.gone = all_lost(data.g_uS, data.target_uS, self.level, len(self.levels), data.time_index)
        self.left = empty_row(model, len(self.levels)).table()
        self.lost = np.zeros((0, len(self.levels)))
        self.lost_uS = 0.0
        self.named = bool(np.bincount(data.cell).max() > 1)  # some cell was read twice
        self.errors = _ERRORS_NAMED if self.named else _ERRORS_NAMELESS
        self.lost_values: list[Reals] = []
        self.scores = np.full((0, 0), math.nan)
        self.correlation = np.full((0, 0), math.nan)

    def fit(self, progress: Callable[[int, int], None] | None) -> tuple[list[Row], Reals, Reals]:
        """Rows, shares kept and times."""
        used = np.unique(self.data.time_index)
        later = used[used > 0]
        readings, lost = zip(*(self._without_lost(index) for index in (0, *later)), strict=True)
        rows, shares = [self._programming(readings[0])], [1.0]
        self.left = rows[0].table()
        for done, at in enumerate(readings[1:], start=1):
            row, share = self._change(at, self._share_kept(at))
            rows.append(row)
            shares.append(share)
            if progress is not None:
                progress(done, len(later))
        if 0.0 in shares and not self.named:
            # What is kept is a choice then, and the same at all times.
            rows[1:] = [self._added(at, 0.0)[0] for at in readings[1:]]
            shares[1:] = [0.0] * len(later)
        self.scores = self._scores(readings, rows, shares)
        if np.any(lost):
            self.lost, self.lost_uS = np.array(lost), float(np.median(np.concatenate(self.lost_values)))
        return rows, np.array(shares), self.data.times_s[np.concatenate([[0], later])]

    def shares(self, name: str) -> list[Component]:
        """Share of the variance of each row between groups of cells: ``"die"``, or ``"body"`` programmed repeatedly."""
        group: Integers | None = getattr(self.data, name)
        if group is None:
            return []
        of_cell = np.zeros(self.data.cells, dtype=np.int64)
        of_cell[self.data.cell] = group
        if name == "body" and len(np.unique(of_cell)) == self.data.cells:
            return []  # each programmed once
        return [share_of_groups(scores_of(column), of_cell) for column in self.scores.T]

    def _scores(self, readings: Sequence[Flags], rows: list[Row], shares: list[float]) -> Reals:
        """Where each cell is in each row, as normal scores, of shape (cells, rows); NaN where it was not read."""
        data = self.data
        scores = np.full((data.cells, len(rows)), math.nan)
        for k, (at, row, share) in enumerate(zip(readings, rows, shares, strict=True)):
            if k == 0 and not data.has_target:
                continue
            change = data.g_uS[at] - data.target_uS[at]
            if k > 0 and data.has_target and share > 0.0:
                change = change - share * (data.first_uS[at] - data.target_uS[at])
            read, cell = np.isfinite(change), data.cell[at]
            quantiles_there = self.shape.at(row.table(), data.target_uS[at][read])
            scores[cell[read], k] = change_scores(quantiles_there, change[read])
        return scores

    def _without_lost(self, index: int) -> tuple[Flags, Reals]:
        """Readings of a time that are not of lost cells, and the fraction of lost cells at each level."""
        at = self.data.time_index == index
        gone = self.gone[at]
        if not gone.any():
            return at, np.zeros(len(self.levels))
        fraction = lost_fraction(gone, self.level[at], len(self.levels), int(self.level[self.gone].min()))
        self.lost_values.append(self.data.g_uS[at][gone])
        at[np.flatnonzero(at)[gone]] = False
        return at, fraction

    def _programming(self, at: Flags) -> Row:
        error = (self.data.g_uS - self.data.target_uS)[at]
        exact = _EXACT * float(self.data.target_uS.max())
        if not self.data.has_target or not error.size or float(np.abs(error).max()) <= exact:
            return empty_row(self.model, len(self.levels))
        row = make_row(self.model, error, self.level[at], self.levels, self.data.g_uS[at] <= 0.0)
        nodes = row.table().shape[-1]

        def drawing(target: Reals) -> Draw:
            return self.shape.drawing(target, statistics.even_codes(len(target), 0), nodes)

        return self._correct(row, at, drawing)[0]

    def _change(self, at: Flags, share: float) -> tuple[Row, float]:
        """What the time of the readings ``at`` adds to what programming left, and the share of that which is kept.

        Drawn cells have errors of programming and changes that know nothing of each other. Where no such change agrees
        with the data but one without the errors does, nothing is kept: the row is then all of g - target.
        """
        row, missed = self._added(at, share)
        if self.data.has_target and missed and share > 0.0:
            whole, missed = self._added(at, 0.0)
            if not missed:
                return whole, 0.0
        return row, share

    def _added(self, at: Flags, share: float) -> tuple[Row, bool]:
        """The row that added to a share of the error of programming agrees best, and whether it does not agree."""
        data = self.data
        error = np.nan_to_num(data.first_uS[at] - data.target_uS[at])
        change = data.g_uS[at] - data.target_uS[at] - share * error
        row = make_row(self.model, change, self.level[at], self.levels, data.g_uS[at] <= 0.0)

        def drawing(target: Reals) -> Draw:
            codes = statistics.even_codes(len(target), 0)
            left = self.shape.draw(self.left, target, codes) * share if data.has_target else 0.0
            added = self.shape.drawing(target, statistics.even_codes(len(target), 1), row.table().shape[-1])
            return lambda table: left + added(table)

        return self._correct(row, at, drawing)

    def _share_kept(self, at: Flags) -> float:
        """Share of the programming error that is still in the readings ``at``: 1 unless the data say otherwise."""
        data = self.data
        error, total = (data.first_uS - data.target_uS)[at], (data.g_uS - data.target_uS)[at]
        finite, level = np.isfinite(error), self.level[at]
        if not data.has_target or finite.sum() < 30:
            return 1.0
        error, total = (_centred(v[finite], level[finite], len(self.levels)) for v in (error, total))
        power = float((error**2).sum())
        if power <= 1e-12:
            return 1.0
        slope = float((error * total).sum()) / power
        deviation = math.sqrt(float(((error * (total - slope * error)) ** 2).sum())) / power
        return 1.0 if abs(slope - 1.0) < 3.0 * deviation else float(f"{min(max(slope, 0.0), 1.0):.4g}")

    def _correct(self, row: Row, at: Flags, drawing: Callable[[Reals], Draw]) -> tuple[Row, bool]:
        """Draw cells with the targets of the readings, compare, correct, again; and whether they do not agree yet.

        ``drawing`` gives for targets what draws their cells from the table of a row.
        """
        order = np.argsort(self.data.target_uS[at], kind="stable")
        target, level = self.data.target_uS[at][order], self.level[at][order]
        change = (self.data.g_uS[at] - self.data.target_uS[at])[order]
        of_levels, all_measured = statistics.grouped(change, level, len(self.levels)), statistics.summarise(change)
        measured = statistics.smoothed_summaries(self.levels, of_levels, change, level)
        present = np.bincount(level, minlength=len(self.levels)) > 0
        copies = max(1, DRAWS // len(target))
        many, many_level = np.repeat(target, copies), np.repeat(level, copies)
        draw = drawing(many)

        def free(row: Row) -> Reals:
            return draw(row.table())

        def cells(row: Row) -> Reals:
            return np.maximum(many + free(row), 0.0) - many

        def step(row: Row, shape: bool) -> tuple[Row, float]:
            drawn = cells(row)
            summaries = statistics.grouped(drawn, many_level, len(self.levels))
            goal = np.where(present[:, None], measured, summaries)
            score = _distance(all_measured, statistics.summarise(drawn), len(target))
            return (row.corrected(goal, summaries) if shape else row.settled(goal, summaries)), score

        if float((change <= -target).mean()) > _CLAMPED:
            for _ in range(_CORRECTIONS):
                row, _ = step(row, shape=False)
                both = (statistics.grouped(drawn(row), many_level, len(self.levels)) for drawn in (cells, free))
                clamp = statistics.clamp_of(*both)
                measured = statistics.smoothed_summaries(self.levels, of_levels, change, level, clamp)
        best, best_score = row, math.inf
        for k, trial in enumerate((row, *row.variants())):
            for turn in range(_CORRECTIONS):
                following, score = step(trial, shape=k > 0 and turn < _CORRECTIONS - 2)
                if turn > 0 and score < best_score:
                    best, best_score = trial, score
                trial = following
        best = _searched(best, best_score, step)
        trial = best
        for _ in range(_MATCHES):
            if not isinstance(trial, EmpiricalRow):
                break
            tables = [np.array([quantiles(part) for part in _parts(*pair, len(self.levels))])
                     for pair in ((change, level), (cells(trial), many_level))]
            trial, _ = step(trial.matched(tables[0], tables[1]), shape=False)
            _, score = step(trial, shape=False)
            if score < best_score:
                best, best_score = trial, score
        for _ in range(_SETTLING):
            best, _ = step(best, shape=False)
        return best, _misses(all_measured, statistics.summarise(cells(best)), len(target), self.errors)


def _parts(values: Reals, level: Integers, levels: int) -> list[Reals]:
    """Values of each level; those of a level lie together."""
    return np.split(values, np.searchsorted(level, np.arange(1, levels)))


def _searched(row: Row, score: float, step: Callable[[Row, bool], tuple[Row, float]]) -> Row:
    """Search around a row for a shape that agrees better; every trial gets mean and deviation right first."""
    width = 0.3
    for _ in range(_SEARCHES):
        if score < _GOOD:
            break
        candidate, candidate_score = row, score
        for trial in row.neighbours(width):
            for _ in range(_TURNS):
                trial, _ = step(trial, False)
            _, trial_score = step(trial, False)
            if trial_score < candidate_score:
                candidate, candidate_score = trial, trial_score
        width = width if candidate_score < score else width / 2.0
        row, score = candidate, candidate_score
    return row


def _distance(measured: statistics.Summary, drawn: statistics.Summary, n: int) -> float:
    """How much the shapes of two samples differ: each statistic in units of what is hardly resolved."""
    if measured.std <= 0.0 or drawn.std <= 0.0 or measured.robust <= 0.0:
        return 0.0
    far = max(0.02 * measured.beyond, math.sqrt(max(measured.beyond, 1.0 / n) / n) / 4.0)
    return (
        ((drawn.std / measured.std - 1.0) / 0.02) ** 2
        + ((drawn.robust / measured.robust - 1.0) / 0.04) ** 2
        + ((drawn.beyond - measured.beyond) / far) ** 2
    )


def _misses(measured: statistics.Summary, drawn: statistics.Summary, n: int, errors: float) -> bool:
    """Whether deviation or fraction of two samples differ by more than 10 % and so many standard errors."""
    far = abs(drawn.beyond - measured.beyond)
    resolved = errors * math.sqrt(max(measured.beyond, 1.0 / n) / n)
    return abs(drawn.std - measured.std) > _MISSED * measured.std or far > max(_MISSED * measured.beyond, resolved)


def _centred(values: Reals, level: Integers, levels: int) -> Reals:
    count = np.maximum(np.bincount(level, minlength=levels), 1)
    return values - (np.bincount(level, weights=values, minlength=levels) / count)[level]

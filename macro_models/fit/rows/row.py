"""One row of a law, at one time after programming.

First it is made from the data's own statistics, then it is corrected until cells that are drawn from it have them.
"""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from macro_models.devices.quantiles import NODES, mixture_quantile, node_z, two_sided
from macro_models.fit.law.smooth import smoothed
from macro_models.fit.rows.tails import solve_tail

__all__ = ["EmpiricalRow", "ParametricRow", "Row", "empty_row", "make_row", "quantiles"]

_SHAPE_READINGS = 500  # from how many readings the shape of a tail is taken, over as many levels as that needs
_LEAST_SIDE = 10  # readings on one side of the median from which its scale is its own
_LEAST_SCALE_US = 1e-6
_SIDE_ERROR = 1.65  # relative error of the median distance of a side (normal law), times the root of the level's cells
_HIDDEN = 0.02  # part of the cells of a level that read 0 uS from which its lower side is not seen
_MEDIAN_Z = 0.6744897501960817
_TAIL_MOST, _RATIO_MOST = 0.9, 1e3
_TAIL_FACTORS = (1.0, 0.9, 1.12, 0.8, 1.25, 0.6, 1.6, 0.4, 2.5)  # what is tried on the fraction of cells in the tails
_MATCHED_Z = 2.0  # nodes beyond are too uncertain to be corrected one by one
_TAIL_Z = 1.5  # nodes from here on are the tail of a side
_Z = node_z(NODES[1])
_RATE = 0.8  # damping of corrections, because neighbouring levels share cells


class Row(Protocol):
    """A row of a law that can be corrected."""

    def table(self) -> NDArray[np.float64]:
        """Quantiles at the nodes, in uS, of shape (levels, nodes)."""
        ...

    def variants(self) -> list["Row"]:
        """Rows of other shapes to try."""
        ...

    def neighbours(self, step: float) -> list["Row"]:
        """Rows whose shape differs by a part ``step``, to search around this one."""
        ...

    def corrected(self, measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> "Row":
        """The row after a correction by summaries of each level, of shape (levels, 4), as measured and as drawn."""
        ...

    def matched(self, measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> "Row":
        """The row after a correction by quantiles at the nodes, of shape (levels, nodes), as measured and as drawn."""
        ...

    def settled(self, measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> "Row":
        """The row after a correction of mean and standard deviation alone."""
        ...


@dataclass(frozen=True)
class ParametricRow:
    """Median, and for each side a core's scale and a tail, each of shape (levels,)."""

    shift: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    low_tail: NDArray[np.float64]
    high_tail: NDArray[np.float64]
    low_ratio: NDArray[np.float64]
    high_ratio: NDArray[np.float64]

    def table(self) -> NDArray[np.float64]:
        parts = (self.shift, self.low, self.high, self.low_tail, self.high_tail, self.low_ratio, self.high_ratio)
        return two_sided(*(part[:, None] for part in parts))

    def variants(self) -> list[Row]:
        def tail(fraction: NDArray[np.float64], ratio: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
            return np.where(ratio > 1.0, np.minimum(fraction * factor, _TAIL_MOST), fraction)

        return [
            replace(
                self,
                low_tail=tail(self.low_tail, self.low_ratio, factor),
                high_tail=tail(self.high_tail, self.high_ratio, factor),
            )
            for factor in _TAIL_FACTORS
        ]

    def neighbours(self, step: float) -> list[Row]:
        found: list[Row] = []
        for factor in (1.0 + step, 1.0 / (1.0 + step)):
            tails = {k: getattr(self, k) for k in ("low_tail", "high_tail")}
            ratios = {k: getattr(self, k) for k in ("low_ratio", "high_ratio")}
            heavy = [ratio > 1.0 for ratio in ratios.values()]
            if any(h.any() for h in heavy):
                found.append(
                    replace(self, **{
                        k: np.where(h, np.minimum(tail * factor, _TAIL_MOST), tail)
                        for h, (k, tail) in zip(heavy, tails.items(), strict=True)
                    })
                )
                found.append(
                    replace(self, **{
                        k: np.where(h, np.clip(1.0 + (ratio - 1.0) * factor, 1.0, _RATIO_MOST), ratio)
                        for h, (k, ratio) in zip(heavy, ratios.items(), strict=True)
                    })
                )
            if not all(h.all() for h in heavy):
                found.append(
                    replace(self, **{
                        k: np.where(h, tail, np.clip(tail + (factor - 1.0), 0.0, 2.0) * (ratio < 1.0))
                        for h, (k, tail), ratio in zip(heavy, tails.items(), ratios.values(), strict=True)
                    })
                )
        return found

    def matched(self, measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> "ParametricRow":
        return self

    def corrected(self, measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> "ParametricRow":
        moved = self.settled(measured, drawn)
        spread, core = _ratio(measured[:, 1], drawn[:, 1]), _ratio(measured[:, 2], drawn[:, 2])
        # Of a heavy tail the core has the median deviation and the tail the standard deviation. Where the tail would
        # have to be narrower than the core, as by chance it may, the standard deviation decides.
        widest = np.maximum(self.low_ratio, self.high_ratio)
        by_core = (widest > 1.0) & (widest * spread / core >= 1.0)
        scale = np.where(by_core, core / spread, 1.0) ** _RATE
        wider = np.where(by_core, spread / core, 1.0) ** _RATE

        def further(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.where(ratio > 1.0, np.clip(ratio * wider, 1.0, _RATIO_MOST), ratio)

        return replace(
            moved,
            low=moved.low * scale,
            high=moved.high * scale,
            low_ratio=further(self.low_ratio),
            high_ratio=further(self.high_ratio),
        )

    def settled(self, measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> "ParametricRow":
        scale = _ratio(measured[:, 1], drawn[:, 1]) ** _RATE
        shift = self.shift + _RATE * (measured[:, 0] - drawn[:, 0])
        return replace(self, shift=shift, low=self.low * scale, high=self.high * scale)


@dataclass(frozen=True)
class EmpiricalRow:
    """Quantiles as measured, of shape (levels, nodes)."""

    quantiles: NDArray[np.float64]

    def table(self) -> NDArray[np.float64]:
        return self.quantiles

    def variants(self) -> list[Row]:
        return []

    def neighbours(self, step: float) -> list[Row]:
        """Tails of one side with fewer or more cells: where quantiles jump, the nodes around blur the fraction."""
        q = self.quantiles
        lower, higher = np.concatenate([q[:, :1], q[:, :-1]], axis=1), np.concatenate([q[:, 1:], q[:, -1:]], axis=1)
        return [
            EmpiricalRow(q + step * np.where(side, beside - q, 0.0))
            for side in (_Z <= -_TAIL_Z, _Z >= _TAIL_Z)
            for beside in (lower, higher)
        ]

    def matched(self, measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> "EmpiricalRow":
        known = np.isfinite(measured[:, :1]) & (np.abs(_Z) <= _MATCHED_Z)
        moved = self.quantiles + np.where(known, _RATE * (measured - drawn), 0.0)
        middle = len(_Z) // 2
        below = np.minimum.accumulate(moved[:, middle::-1], axis=1)[:, ::-1]
        return EmpiricalRow(np.concatenate([below, np.maximum.accumulate(moved[:, middle:], axis=1)[:, 1:]], axis=1))

    def corrected(self, measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> "EmpiricalRow":
        return self.settled(measured, drawn)

    def settled(self, measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> "EmpiricalRow":
        middle = self.quantiles[:, len(_Z) // 2, None]
        stretch = _ratio(measured[:, 1], drawn[:, 1])[:, None] ** _RATE
        shift = _RATE * (measured[:, 0] - drawn[:, 0])[:, None]
        return EmpiricalRow(middle + shift + (self.quantiles - middle) * stretch)


def empty_row(model: str, levels: int) -> Row:
    """A row without any change."""
    if model == "empirical":
        return EmpiricalRow(np.zeros((levels, NODES[1])))
    zero = np.zeros(levels)
    return ParametricRow(zero, zero, zero, zero, zero, zero + 1.0, zero + 1.0)


def make_row(
    model: str, change: NDArray[np.float64], level: NDArray[np.int64], levels_uS: NDArray[np.float64],
    zero: NDArray[np.bool_],
) -> Row:
    """A row from the changes of cells in uS, each of one of the levels; ``zero`` are those that now read 0 uS."""
    levels = len(levels_uS)
    if model == "empirical":
        return EmpiricalRow(_filled(np.array([quantiles(change[level == k]) for k in range(levels)])))
    row = _parametric(change, level, levels)
    count = np.bincount(level, minlength=levels)
    hidden = np.bincount(level, weights=zero, minlength=levels) > _HIDDEN * count
    return _unhidden(row, hidden, count, levels_uS) if hidden.any() else row


def _unhidden(
    row: ParametricRow, hidden: NDArray[np.bool_], count: NDArray[np.int64], levels_uS: NDArray[np.float64]
) -> ParametricRow:
    """The row with sides that the clamp at 0 hides at some levels: in proportion to the upper ones, as at the others.

    Scales are smoothed over the levels, as nothing but the mean corrects what the upper side has by chance.
    """
    seen = ~hidden & (count > 0)
    if not seen.any():
        return row
    error = _SIDE_ERROR / np.sqrt(np.maximum(count, 1.0))
    high = np.log(np.maximum(row.high, _LEAST_SCALE_US))
    skew = np.log(np.maximum(row.low, _LEAST_SCALE_US)) - high
    skew = smoothed(levels_uS, skew, np.where(seen, 2.0 * error, np.inf))
    high = smoothed(levels_uS, high, np.where(count > 0, error, np.inf))
    nearest = np.flatnonzero(seen)[np.abs(np.arange(len(hidden))[:, None] - np.flatnonzero(seen)).argmin(axis=1)]
    return replace(
        row, high=np.where(hidden, np.exp(high), row.high), low=np.where(hidden, np.exp(high + skew), row.low),
        low_tail=np.where(hidden, row.low_tail[nearest], row.low_tail),
        low_ratio=np.where(hidden, row.low_ratio[nearest], row.low_ratio),
    )


def _ratio(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotient, kept within a factor of two; 1 where there is nothing to compare."""
    known = (wanted > _LEAST_SCALE_US) & (found > _LEAST_SCALE_US)
    quotient = np.where(known, wanted, 1.0) / np.where(known, found, 1.0)
    return np.where(wanted <= _LEAST_SCALE_US, np.where(found > _LEAST_SCALE_US, 0.5, 1.0), np.clip(quotient, 0.5, 2.0))


def _filled(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN rows, of levels that were not read at this time, taken from the levels around them."""
    known = np.flatnonzero(np.isfinite(rows[:, 0]))
    at = np.arange(len(rows))
    return np.stack([np.interp(at, known, column[known]) for column in rows.T], axis=1)


@dataclass(frozen=True)
class _Nodes:
    """Least-squares fit of a function that is linear between the nodes to a quantile function."""

    z: NDArray[np.float64] = field(default_factory=lambda: np.linspace(-4.5, 4.5, 36 * 64 + 1))

    @cached_property
    def _normal(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Places among ordered cells; weighted hats, (nodes, points); scaled products of two of them; their scales."""
        density = np.exp(-0.5 * self.z * self.z)
        plain = np.maximum(0.0, 1.0 - np.abs(self.z[:, None] - _Z) / (_Z[1] - _Z[0]))
        hats = (plain * density[:, None]).T
        product = hats @ plain
        # Both sides are scaled by the weight of the node, which at the ends is 1e-5 of that in the middle.
        size = np.sqrt(np.diag(product))
        return ndtr(self.z), hats, product / np.outer(size, size), size

    def fit(self, ordered: NDArray[np.float64]) -> NDArray[np.float64]:
        share, hats, product, size = self._normal
        at = np.minimum((share * len(ordered)).astype(np.int64), len(ordered) - 1)
        return np.linalg.solve(product, hats @ ordered[at] / size) / size


_FIT = _Nodes()


def quantiles(change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles of a sample at the nodes: nearest to it in the mean square, so that mean and deviation are its own."""
    if not change.size:
        return np.full(NODES[1], math.nan)
    ordered = np.sort(change)
    return np.maximum.accumulate(np.clip(_FIT.fit(ordered), ordered[0], ordered[-1]))


def _parametric(change: NDArray[np.float64], level: NDArray[np.int64], levels: int) -> ParametricRow:
    count = np.bincount(level, minlength=levels)
    centre = np.full((levels, 3), math.nan)
    threshold = np.full(levels, math.nan)
    for k in np.flatnonzero(count):
        x = change[level == k]
        median = float(np.median(x))
        away = np.abs(x - median)
        below, above = away[x < median], away[x > median]
        half = float(np.median(away))
        sides = [float(np.median(s)) if len(s) >= _LEAST_SIDE else half for s in (below, above)]
        centre[k] = (median, *(max(s, _LEAST_SCALE_US) for s in sides))
        threshold[k] = max(3.0 * half / _MEDIAN_Z, _LEAST_SCALE_US)
    centre = _filled(centre)
    threshold = _filled(threshold[:, None])[:, 0]
    values: dict[str, NDArray[np.float64]] = {"shift": centre[:, 0], "low": centre[:, 1], "high": centre[:, 2]}
    for side in ("low", "high"):
        values.update(_shapes(side, change, level, count, values, threshold))
    return ParametricRow(**values)


def _shapes(
    side: str,
    change: NDArray[np.float64],
    level: NDArray[np.int64],
    count: NDArray[np.int64],
    values: dict[str, NDArray[np.float64]],
    threshold: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Tail of one side at each level, and the scale of its core."""
    away = (change - values["shift"][level]) * (-1.0 if side == "low" else 1.0)
    on_side = away > 0.0
    relative = away[on_side] / values[side][level[on_side]]
    at = level[on_side]
    tails, ratios = np.zeros(len(count)), np.ones(len(count))
    for k in range(len(count)):
        low, high = _window(count, k)
        y = relative[(at >= low) & (at <= high)]
        if y.size >= _LEAST_SIDE:
            within = slice(low, high + 1)
            limit = np.average((threshold / values[side])[within], weights=count[within] + 1e-9)
            tails[k], ratios[k] = solve_tail(y, float(limit))
    scale = values[side] / mixture_quantile(_MEDIAN_Z, tails, ratios)
    return {side: scale, f"{side}_tail": tails, f"{side}_ratio": ratios}


def _window(count: NDArray[np.int64], k: int) -> tuple[int, int]:
    """Levels around ``k`` that have enough readings for the shape of a tail."""
    low = high = k
    while count[low : high + 1].sum() < _SHAPE_READINGS and (low > 0 or high < len(count) - 1):
        low, high = max(0, low - 1), min(len(count) - 1, high + 1)
    return low, high

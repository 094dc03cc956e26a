"""One row of a law, at one time after programming.

First it is made from the data's own statistics, then it is corrected until cells that are drawn from it have them.
"""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from scipy.special import ndtr

from mho.macro_models.devices.quantiles import NODES, node_z, two_sided
from mho.macro_models.types import Reals

NODE_Z = node_z(NODES[1])


@dataclass(frozen=True)
class _Nodes:
    """Least-squares fit of a function that is linear between the nodes to a quantile function."""

    z: Reals = field(default_factory=lambda: np.linspace(-4.5, 4.5, 36 * 64 + 1))

    @cached_property
    def _normal(self) -> tuple[Reals, Reals, Reals, Reals]:
        """Places among ordered cells; weighted hats, (nodes, points); scaled products of two of them; their scales."""
        density = np.exp(-0.5 * self.z * self.z)
        plain = np.maximum(0.0, 1.0 - np.abs(self.z[:, None] - NODE_Z) / (NODE_Z[1] - NODE_Z[0]))
        hats = (plain * density[:, None]).T
        product = hats @ plain
        # Both sides are scaled by the weight of the node, which at the ends is 1e-5 of that in the middle.
        size = np.sqrt(np.diag(product))
        return ndtr(self.z), hats, product / np.outer(size, size), size

    def fit(self, ordered: Reals) -> Reals:
        share, hats, product, size = self._normal
        at = np.minimum((share * len(ordered)).astype(np.int64), len(ordered) - 1)
        return np.linalg.solve(product, hats @ ordered[at] / size) / size


_FIT = _Nodes()


def quantiles(change: Reals) -> Reals:
    """Quantiles of a sample at the nodes: nearest to it in the mean square, so that mean and deviation are its own."""
    if not change.size:
        return np.full(NODES[1], math.nan)
    ordered = np.sort(change)
    return np.maximum.accumulate(np.clip(_FIT.fit(ordered), ordered[0], ordered[-1]))


LEAST_SCALE_US = 1e-6
_TAIL_MOST, _RATIO_MOST = 0.9, 1e3
_TAIL_FACTORS = (1.0, 0.9, 1.12, 0.8, 1.25, 0.6, 1.6, 0.4, 2.5)  # what is tried on the fraction of cells in the tails
_MATCHED_Z = 2.0  # nodes beyond are too uncertain to be corrected one by one
_TAIL_Z = 1.5  # nodes from here on are the tail of a side
_RATE = 0.8  # damping of corrections, because neighbouring levels share cells


@dataclass(frozen=True)
class ParametricRow:
    """Median, and for each side a core's scale and a tail, each of shape (levels,).

    Corrections take summaries of each level, of shape (levels, 4), as measured and as drawn from the row.
    """

    shift: Reals
    low: Reals
    high: Reals
    low_tail: Reals
    high_tail: Reals
    low_ratio: Reals
    high_ratio: Reals

    def table(self) -> Reals:
        """Quantiles at the nodes, in uS, of shape (levels, nodes)."""
        parts = (self.shift, self.low, self.high, self.low_tail, self.high_tail, self.low_ratio, self.high_ratio)
        return two_sided(*(part[:, None] for part in parts))

    def variants(self) -> "list[Row]":
        """Rows of other shapes to try."""
        def tail(fraction: Reals, ratio: Reals, factor: float) -> Reals:
            return np.where(ratio > 1.0, np.minimum(fraction * factor, _TAIL_MOST), fraction)

        return [
            replace(
                self,
                low_tail=tail(self.low_tail, self.low_ratio, factor),
                high_tail=tail(self.high_tail, self.high_ratio, factor),
            )
            for factor in _TAIL_FACTORS
        ]

    def neighbours(self, step: float) -> "list[Row]":
        """Rows whose shape differs by a part ``step``, to search around this one."""
        rows: list[Row] = []
        for factor in (1.0 + step, 1.0 / (1.0 + step)):
            tails = {k: getattr(self, k) for k in ("low_tail", "high_tail")}
            ratios = {k: getattr(self, k) for k in ("low_ratio", "high_ratio")}
            heavy = [ratio > 1.0 for ratio in ratios.values()]
            if any(h.any() for h in heavy):
                rows.append(
                    replace(self, **{
                        k: np.where(h, np.minimum(tail * factor, _TAIL_MOST), tail)
                        for h, (k, tail) in zip(heavy, tails.items(), strict=True)
                    })
                )
                rows.append(
                    replace(self, **{
                        k: np.where(h, np.clip(1.0 + (ratio - 1.0) * factor, 1.0, _RATIO_MOST), ratio)
                        for h, (k, ratio) in zip(heavy, ratios.items(), strict=True)
                    })
                )
            if not all(h.all() for h in heavy):
                rows.append(
                    replace(self, **{
                        k: np.where(h, tail, np.clip(tail + (factor - 1.0), 0.0, 2.0) * (ratio < 1.0))
                        for h, (k, tail), ratio in zip(heavy, tails.items(), ratios.values(), strict=True)
                    })
                )
        return rows

    def corrected(self, measured: Reals, drawn: Reals) -> "ParametricRow":
        """The row after a correction of its shape, too."""
        moved = self.settled(measured, drawn)
        spread, core = _ratio(measured[:, 1], drawn[:, 1]), _ratio(measured[:, 2], drawn[:, 2])
        # Of a heavy tail the core has the median deviation and the tail the standard deviation. Where the tail would
        # have to be narrower than the core, as by chance it may, the standard deviation decides.
        widest = np.maximum(self.low_ratio, self.high_ratio)
        by_core = (widest > 1.0) & (widest * spread / core >= 1.0)
        scale = np.where(by_core, core / spread, 1.0) ** _RATE
        wider = np.where(by_core, spread / core, 1.0) ** _RATE

        def further(ratio: Reals) -> Reals:
            return np.where(ratio > 1.0, np.clip(ratio * wider, 1.0, _RATIO_MOST), ratio)

        return replace(
            moved,
            low=moved.low * scale,
            high=moved.high * scale,
            low_ratio=further(self.low_ratio),
            high_ratio=further(self.high_ratio),
        )

    def settled(self, measured: Reals, drawn: Reals) -> "ParametricRow":
        """The row after a correction of mean and standard deviation alone."""
        scale = _ratio(measured[:, 1], drawn[:, 1]) ** _RATE
        shift = self.shift + _RATE * (measured[:, 0] - drawn[:, 0])
        return replace(self, shift=shift, low=self.low * scale, high=self.high * scale)


@dataclass(frozen=True)
class EmpiricalRow:
    """Quantiles as measured, of shape (levels, nodes)."""

    quantiles: Reals

    def table(self) -> Reals:
        return self.quantiles

    def variants(self) -> "list[Row]":
        return []

    def neighbours(self, step: float) -> "list[Row]":
        """Tails of one side with fewer or more cells: where quantiles jump, the nodes around blur the fraction."""
        q = self.quantiles
        lower, higher = np.concatenate([q[:, :1], q[:, :-1]], axis=1), np.concatenate([q[:, 1:], q[:, -1:]], axis=1)
        return [
            EmpiricalRow(q + step * np.where(side, beside - q, 0.0))
            for side in (NODE_Z <= -_TAIL_Z, NODE_Z >= _TAIL_Z)
            for beside in (lower, higher)
        ]

    def matched(self, measured: Reals, drawn: Reals) -> "EmpiricalRow":
        """The row after a correction by quantiles at the nodes, of shape (levels, nodes), as measured and as drawn."""
        usable = np.isfinite(measured[:, :1]) & (np.abs(NODE_Z) <= _MATCHED_Z)
        moved = self.quantiles + np.where(usable, _RATE * (measured - drawn), 0.0)
        middle = len(NODE_Z) // 2
        below = np.minimum.accumulate(moved[:, middle::-1], axis=1)[:, ::-1]
        return EmpiricalRow(np.concatenate([below, np.maximum.accumulate(moved[:, middle:], axis=1)[:, 1:]], axis=1))

    def corrected(self, measured: Reals, drawn: Reals) -> "EmpiricalRow":
        return self.settled(measured, drawn)

    def settled(self, measured: Reals, drawn: Reals) -> "EmpiricalRow":
        middle = self.quantiles[:, len(NODE_Z) // 2, None]
        stretch = _ratio(measured[:, 1], drawn[:, 1])[:, None] ** _RATE
        shift = _RATE * (measured[:, 0] - drawn[:, 0])[:, None]
        return EmpiricalRow(middle + shift + (self.quantiles - middle) * stretch)


Row: TypeAlias = ParametricRow | EmpiricalRow
"""A row of a law that can be corrected."""


def _ratio(measured: Reals, drawn: Reals) -> Reals:
    """Quotient, kept within a factor of two; 1 where there is nothing to compare."""
    usable = (measured > LEAST_SCALE_US) & (drawn > LEAST_SCALE_US)
    quotient = np.where(usable, measured, 1.0) / np.where(usable, drawn, 1.0)
    return np.where(measured <= LEAST_SCALE_US, np.where(drawn > LEAST_SCALE_US, 0.5, 1.0), np.clip(quotient, 0.5, 2.0))

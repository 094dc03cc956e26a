"""Laws of measured cells: the distribution of g - target over level and time, as quantiles.

A quantile function is held at nodes of the standard normal variable z (:mod:`mho.macro_models.devices.quantiles`). A
cell has one z for all times, so that it moves coherently, unless the law says how the order of the cells changes
(:mod:`mho.macro_models.devices.memory`). Between two levels quantiles are linear in the target, between two times in
the logarithm of time. All of it is + - * / of doubles in a fixed order on tables that are rounded to 2**-20 uS, so that
a draw is the same on every machine.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.devices.grid import number_on_grid, on_grid
from mho.macro_models.devices.memory import between
from mho.macro_models.devices.quantiles import TOP, outwards, two_sided
from mho.macro_models.integer.random import NORMAL_TABLE
from mho.macro_models.types import Flags, Integers, Integral, Reals, Rows


@dataclass(frozen=True, kw_only=True)
class Law:
    """Distribution of g - target at some times after programming.

    Row 0 of each list is what programming left, the others are what each time adds to it; every row has one entry for
    each level.

    ``parametric``: each side of ``shift_uS`` has a normal core and a tail, see :func:`mixture_quantile`.
    ``empirical``: quantiles as measured.
    """

    model: str = ""
    """``"parametric"``, ``"empirical"``, or empty: no law, the other sections hold."""
    temp_C: float = 25.0
    """Temperature of the rows, in degrees Celsius."""
    levels_uS: tuple[float, ...] = ()
    """Targets, in uS, increasing; beyond them the law of the nearest holds."""
    times_s: tuple[float, ...] = ()
    """Seconds since programming of each row, increasing; the first is that of the reading that ends programming."""
    kept: tuple[float, ...] = ()
    """Share of the error of programming that is still there at each time; 1 for the first."""
    shift_uS: Rows = ()
    """Median, in uS."""
    low_uS: Rows = ()
    """Scale of the core below the median, in uS."""
    high_uS: Rows = ()
    """Scale of the core above the median, in uS."""
    low_tail: Rows = ()
    """Fraction of the cells below the median that are in the tail, 0..1; 0..2 where the ratio is 0."""
    high_tail: Rows = ()
    """The same above the median."""
    low_ratio: Rows = ()
    """Scale of the lower tail, in units of the core's; 0: lighter than normal."""
    high_ratio: Rows = ()
    """The same above the median."""
    lost: Rows = ()
    """Fraction of the cells that are lost at each time, for each level: they have ``lost_uS``, whatever they had, and
    keep it. Empty: none."""
    lost_uS: float = 0.0
    """Conductance of lost cells, in uS."""
    loss: str = ""
    """How their fraction p goes on between two times and after the last: ``"weibull"``, with ln(-ln(1 - p)) linear in
    the logarithm of time; empty: as the change."""
    quantiles_uS: tuple[Rows, ...] = ()
    """Quantiles at the nodes (``empirical``), in uS."""
    onset_s: float = 0.0
    """Scale of time on which the change sets in, in seconds: between rows the law is linear in ``ln(1 + t / onset_s)``,
    t from the first row on. 0: linear in the logarithm of time, and before the second row the width of a pulse
    counts."""
    memory: Rows = ()
    """For each time the weights of independent normal numbers of a cell, squares of which sum to 1, that say where in
    the distribution it is (see :mod:`mho.macro_models.devices.memory`). Empty: one number for all times."""
    die: tuple[float, ...] = ()
    """For each time the share, 0..1, of the variance of that number which all cells of a chip have in common. Empty:
    none."""
    cell: tuple[float, ...] = ()
    """For each time the share, 0..1, of that variance (without the chip's) which a cell has again when it is programmed
    again. Empty: all of it."""
    source: str = ""

    @cached_property
    def table(self) -> Reals:
        """Quantiles at the nodes, in uS, of shape (times, levels, nodes), on a grid of 2**-20 uS."""
        if self.model == "empirical":
            return on_grid(np.array(self.quantiles_uS, dtype=np.float64))
        names = ("shift_uS", "low_uS", "high_uS", "low_tail", "high_tail", "low_ratio", "high_ratio")
        shift, low, high, low_tail, high_tail, low_ratio, high_ratio = (
            np.array(getattr(self, name), dtype=np.float64)[..., None] for name in names
        )
        return on_grid(two_sided(shift, low, high, low_tail, high_tail, low_ratio, high_ratio))

    def programming(self) -> Reals:
        """Quantiles of what programming left, in uS, of shape (levels, nodes)."""
        return self.table[0]

    def change(self, time_s: float, pulse_s: float) -> Reals:
        """Quantiles of what ``time_s`` seconds added, in uS, of shape (levels, nodes).

        It begins with nothing at the first row and goes on after the last as before it; there quantiles that would
        cross are held apart from the median outwards.
        """
        rows, weight = self._between(time_s, pulse_s)
        if rows[1] == 0:
            return np.zeros_like(self.table[0])
        end = self.table[rows[1]] * weight
        whole = end if rows[0] == 0 else self.table[rows[0]] * (1.0 - weight) + end
        return outwards(whole)

    def kept_at(self, time_s: float, pulse_s: float) -> float:
        """Share of the error of programming that is still there."""
        (first, second), weight = self._between(time_s, pulse_s)
        weight = min(weight, 1.0)
        return self.kept[first] * (1.0 - weight) + self.kept[second] * weight

    def lost_at(self, time_s: float, pulse_s: float) -> Reals:
        """Fraction of cells that are lost, at each level, of shape (levels,), on a grid of 2**-16.

        Between and beyond the rows as :meth:`change`, or by Weibull's law where both have lost cells.
        """
        if not self.lost:
            return np.zeros(len(self.levels_uS))
        rows, weight = self._between(time_s, pulse_s)
        before, after = np.array(self.lost[rows[0]]), np.array(self.lost[rows[1]])
        fraction = before * (1.0 - weight) + after * weight
        both = (before > 0.0) & (after >= before) & (after < 1.0)
        if self.loss == "weibull" and both.any():
            first, last = (np.log(-np.log1p(-np.where(both, p, 0.5))) for p in (before, after))
            fraction = np.where(both, -np.expm1(-np.exp(first + (last - first) * weight)), fraction)
        return np.rint(np.clip(fraction, 0.0, 1.0) * 65536.0) / 65536.0

    def is_lost(self, fraction: Reals, target_uS: Reals, codes: Integral) -> Flags:
        """Which cells are lost, of the shape of ``target_uS``, with a normal code for each cell."""
        level, weight = self._level(target_uS)
        part = fraction[level]
        if len(self.levels_uS) > 1:
            part = part * (1.0 - weight) + fraction[level + 1] * weight
        at = np.rint(part * 65536.0).astype(np.int64)
        return (at > 0) & ((at >= 65536) | (codes < NORMAL_TABLE[np.minimum(at, 65535)]))

    def weights_at(self, time_s: float, pulse_s: float) -> tuple[float, ...]:
        """Weights of a cell's normal numbers (see :attr:`memory`); those of the nearest row before and after all."""
        if not self.memory:
            return (1.0,)
        (first, second), weight = self._between(time_s, pulse_s)
        return between(self.memory[first or second], self.memory[second], min(weight, 1.0))

    def die_at(self, time_s: float, pulse_s: float) -> float:
        """Share of the variance that the cells of a chip have in common, on a grid of 2**-20."""
        return self._share(self.die, time_s, pulse_s) if self.die else 0.0

    def cell_at(self, time_s: float, pulse_s: float) -> float:
        """Share of the variance that a cell has again when it is programmed again, on a grid of 2**-20."""
        return self._share(self.cell, time_s, pulse_s) if self.cell else 1.0

    def _share(self, shares: tuple[float, ...], time_s: float, pulse_s: float) -> float:
        (first, second), weight = self._between(time_s, pulse_s)
        weight = min(weight, 1.0)
        share = shares[first or second] * (1.0 - weight) + shares[second] * weight
        return number_on_grid(share)

    def _between(self, time_s: float, pulse_s: float) -> tuple[tuple[int, int], float]:
        """Two rows and the weight of the second, on a grid of 2**-20; beyond 1 after the last row."""
        start, times = self.times_s[0], self.times_s
        if time_s <= start or len(times) < 2:
            return (0, 0), 0.0
        later = next((k for k, t in enumerate(times) if t >= time_s), len(times) - 1)
        first = later - 1
        if self.onset_s > 0.0:
            if time_s > times[-1]:  # the trend of a decade: rows that are close by have none
                first = max(k for k in range(len(times) - 1) if k == 0 or times[k] <= 0.1 * times[-1])
            x, x_first, x_later = (math.log1p((t - start) / self.onset_s) for t in (time_s, times[first], times[later]))
            weight = (x - x_first) / (x_later - x_first)
        elif first == 0:  # of a single row after programming also beyond: it grows on from programming
            weight = math.log1p((time_s - start) / pulse_s) / math.log1p((times[1] - start) / pulse_s)
        else:
            weight = math.log(time_s / times[first]) / math.log(times[later] / times[first])
        return (first, later), number_on_grid(weight)

    def draw(self, quantiles: Reals, target_uS: Reals, codes: Integral) -> Reals:
        """The quantile of each cell, in uS.

        ``quantiles`` have shape (levels, nodes), the normal ``codes`` of the cells the shape of ``target_uS``.
        """
        return self.drawing(target_uS, codes, quantiles.shape[-1])(quantiles)

    def drawing(self, target_uS: Reals, codes: Integral, nodes: int) -> Callable[[Reals], Reals]:
        """:meth:`draw` for many ``quantiles`` of as many nodes: all that the cells alone decide is done once."""
        level, weight = self._level(target_uS)
        step = 2 * TOP // (nodes - 1)
        at = codes.astype(np.int64) + TOP
        node, rest = at // step, (at % step) / step
        place, below_weight = level * nodes + node, 1.0 - weight

        def at_level(flat: Reals, first: int) -> Reals:
            # Those of the level above and of the node after lie behind by a fixed number.
            left = flat[first:].take(place)
            value = flat[first + 1 :].take(place)
            value -= left
            value *= rest
            value += left
            return value

        def draw(quantiles: Reals) -> Reals:
            flat = quantiles.ravel()
            value = at_level(flat, 0)
            if len(self.levels_uS) > 1:
                value *= below_weight
                above = at_level(flat, nodes)
                above *= weight
                value += above
            return value

        return draw

    def _level(self, target_uS: Reals) -> tuple[Integers, Reals]:
        levels = np.array(self.levels_uS)
        if len(levels) == 1:
            return np.zeros(target_uS.shape, dtype=np.int64), np.zeros(target_uS.shape)
        k = np.clip(np.searchsorted(levels, target_uS, side="right") - 1, 0, len(levels) - 2)
        return k, np.clip((target_uS - levels[k]) / (levels[k + 1] - levels[k]), 0.0, 1.0)

    def at(self, quantiles: Reals, target_uS: ArrayLike) -> Reals:
        """Quantile functions at targets, of shape (targets, nodes)."""
        target = np.atleast_1d(np.asarray(target_uS, dtype=np.float64))
        level, weight = self._level(target)
        if len(self.levels_uS) == 1:
            return quantiles[level]
        return quantiles[level] * (1.0 - weight[:, None]) + quantiles[level + 1] * weight[:, None]

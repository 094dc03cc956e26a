"""Where a cell is in the distribution of the device, as time goes on.

Cells do not keep their rank: one that moved up in the first second need not be above the others a day later. A law
may therefore hold, for each of its times, weights of several independent normal numbers of a cell; their squares sum
to 1, so that each time has the same distribution as with a single number. Between two times the weights are linear
and scaled to the same sum. What the cells of one chip have in common is one more number, the same for all of them.

Sums run in a fixed order over doubles on a grid of 2**-20, roots are those of IEEE, and the result is rounded to the
codes of :mod:`mho.macro_models.integer.random`: every machine draws the same.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mho.macro_models.devices.grid import number_on_grid
from mho.macro_models.integer.random import Purpose
from mho.macro_models.types import Integral, Reals

_ANEW_STEP, _STEPS = 1 << 17, 64
"""Steps of the draws of one programming: from the first on, so many for each."""
_CYCLES = 1 << 25
"""Programmings that have draws of their own."""


def anew_step(cycle: int) -> int:
    """First step of the draws of programming number ``cycle`` of a chip: of what its cells do not keep."""
    return _ANEW_STEP + _STEPS * (cycle % _CYCLES)


class Draws(Protocol):
    """Random numbers of the cells in question, by address: equal arguments give equal numbers, one for each cell."""

    def uniform(self, purpose: Purpose, step: int = 0) -> Integral:
        """Integers 0..65535."""
        ...

    def normal(self, purpose: Purpose, step: int = 0) -> Integral:
        """Standard normal codes, in units of 1 / :data:`~mho.macro_models.integer.random.NORMAL_ONE`."""
        ...

    def chip(self, which: int) -> int:
        """Normal code that all cells of the chip share: ``which`` 0 of programming, 1 of the change."""
        ...


@dataclass(frozen=True, eq=False)
class Drawn:
    """Cells as drawn, arrays of the shape of their targets."""

    g_uS: Reals
    """Conductances, in uS."""
    origin_uS: Reals | None = None
    """What programming left each cell with, in uS, where read noise goes by it; None: it goes by ``g_uS``."""


MOST_WEIGHTS = 32
"""Independent numbers of a cell."""

_MOST = 18431  # just below 4.5 standard deviations, the end of the quantile functions

Codes = Integral


def between(first: Sequence[float], second: Sequence[float], weight: float) -> tuple[float, ...]:
    """Weights between those of two times, ``weight`` (0..1) of the way, with squares that sum to 1."""
    mixed = [a * (1.0 - weight) + b * weight for a, b in zip(first, second, strict=True)]
    power = 0.0
    for value in mixed:
        power += value * value
    if power < 1e-12:  # two opposite ones: none is nearer
        return tuple(second)
    size = math.sqrt(power)
    return tuple(number_on_grid(value / size) for value in mixed)


def mixed(weights: Sequence[float], codes: Callable[[int], Codes]) -> Codes:
    """Normal codes of cells from independent ones: ``codes(k)`` of number k, of shape (cells,)."""
    if len(weights) == 1 and weights[0] == 1.0:
        return codes(0)
    total: Reals | None = None
    for k, weight in enumerate(weights):
        if weight != 0.0:
            part = codes(k).astype(np.float64) * weight
            total = part if total is None else total + part
    assert total is not None  # the squares sum to 1
    return np.clip(np.rint(total), -_MOST, _MOST).astype(np.int64)


def shared(share: float, cell_codes: Codes, anew: Codes) -> Codes:
    """Normal codes of which the part ``share`` (0..1) of the variance is the cell's own, the rest drawn anew."""
    total = cell_codes.astype(np.float64) * math.sqrt(share) + anew.astype(np.float64) * math.sqrt(1.0 - share)
    return np.clip(np.rint(total), -_MOST, _MOST).astype(np.int64)


def with_chip(share: float, chip: int, codes: Codes) -> Codes:
    """Normal codes of which the part ``share`` (0..1) of the variance is that of the whole chip, ``chip``."""
    if share <= 0.0:
        return codes
    of_cell, common = math.sqrt(1.0 - share), math.sqrt(share) * chip
    return np.clip(np.rint(codes.astype(np.float64) * of_cell + common), -_MOST, _MOST).astype(np.int64)

"""Cells that drift as lines, ``ln g = ln g_p - nu ln((t + t_c) / t_c)`` of each, and the floor where they end."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.errors import InputError
from mho.macro_models.fit.law.statistics import choose_levels, nearest_level
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Flags, Integers, Reals

READ_S = 250e-9
"""Duration of a read, which is assumed: it only scales the noise."""
_LEAST_READINGS, _LEAST_CELLS = 3, 10
_LEAST_POWER = 1e-12  # of the logarithms of the times of a cell: those that are all alike say nothing
_LEAST_GROWTH = 1.5  # of time, in durations of a read, for readings within microseconds of programming
_MOST_MISSING = 0.1  # part of the cells of a level


@dataclass(frozen=True, eq=False)
class Lines:
    """A line in logarithms for each cell; arrays of shape (cells,)."""

    log_g: Reals
    """``ln g_p``, g in uS."""
    nu: Reals
    log_variance: Reals
    """Of ``log_g``, in units of the square of Q."""
    nu_variance: Reals
    """The same of ``nu``."""
    square: Reals
    """Weighted sum of the squares of what is left."""
    freedom: Reals
    """Readings less two."""


@dataclass(frozen=True, eq=False)
class Readings:
    """Readings of the cells that have enough of them, cells numbered from 0."""

    cell: Integers
    time_s: Reals
    g_uS: Reals
    target_uS: Reals
    """Of each cell, as ``level``, ``die`` and ``body``."""
    level: Integers
    die: Integers
    body: Integers
    levels_uS: Reals
    thinned: Flags
    """Levels of which many cells have too few readings above the floor: what is left is a choice of slow ones."""

    def of(self, cells: Flags) -> tuple["Readings", Flags]:
        """Some of the cells, and which readings theirs are."""
        chosen = cells[self.cell]
        number = np.cumsum(cells) - 1
        return Readings(
            number[self.cell[chosen]], self.time_s[chosen], self.g_uS[chosen], self.target_uS[cells],
            self.level[cells], self.die[cells], self.body[cells], self.levels_uS, self.thinned,
        ), chosen


def weight(time_s: Reals, t_c_s: float) -> Reals:
    """Weight of a reading: the inverse of what the variance of 1/f noise has grown to."""
    return 1.0 / np.log(np.maximum((time_s + t_c_s + READ_S) / (2.0 * READ_S), _LEAST_GROWTH))


def by_level(values: Reals, level: Integers, levels: int) -> Reals:
    """Sums of the values of cells over the levels."""
    return np.bincount(level, values, minlength=levels).astype(np.float64)


def lines_of_cells(cell: Integers, time_s: Reals, log_g: Reals, t_c_s: float, w: Reals) -> Lines:
    """Weighted least squares of every cell; ``w`` are the weights of the readings."""
    cells = int(cell.max()) + 1
    x = -np.log((time_s + t_c_s) / t_c_s)

    def total(values: Reals) -> Reals:
        return np.bincount(cell, values, minlength=cells).astype(np.float64)

    of_cell = total(w)
    mean_x, mean_y = total(w * x) / of_cell, total(w * log_g) / of_cell
    dx, dy = x - mean_x[cell], log_g - mean_y[cell]
    power = np.maximum(total(w * dx * dx), _LEAST_POWER)
    nu = total(w * dx * dy) / power
    left = dy - nu[cell] * dx
    return Lines(
        log_g=mean_y - nu * mean_x, nu=nu, log_variance=1.0 / of_cell + mean_x**2 / power, nu_variance=1.0 / power,
        square=total(w * left * left), freedom=total(np.ones(len(cell))) - 2.0,
    )


def readings_of(data: Measurements, above_uS: float = 0.0) -> Readings:
    """The readings of cells that were read at three times or more above ``above_uS``, where they end.

    Raises InputError if fewer than ten cells were.
    """
    good = data.g_uS > 0.0
    if above_uS > 0.0:
        # From its first reading at the floor on a cell has left its line.
        at, end = data.g_uS <= above_uS, np.full(data.cells, np.iinfo(np.int64).max)
        np.minimum.at(end, data.cell[at], data.time_index[at])
        good &= data.time_index < end[data.cell]
    pairs = np.unique(np.stack([data.cell[good], data.time_index[good]]), axis=1)
    enough = np.bincount(pairs[0], minlength=data.cells) >= _LEAST_READINGS
    good &= enough[data.cell]
    cells, first, cell = np.unique(data.cell[good], return_index=True, return_inverse=True)
    if len(cells) < _LEAST_CELLS:
        raise InputError(
            f"{data.path}: a law of drift needs {_LEAST_CELLS} cells with readings at {_LEAST_READINGS} times, "
            f"{len(cells)} have them"
        )
    target = data.target_uS[good][first]
    levels = choose_levels(target)
    level = nearest_level(levels, target)
    few = np.bincount(level, minlength=len(levels)) < _LEAST_CELLS
    if few.any() and not few.all():
        levels = levels[~few]
        level = nearest_level(levels, target)
    die = np.zeros(len(cells), dtype=np.int64) if data.die is None else data.die[good][first]
    body = np.arange(len(cells)) if data.body is None else data.body[good][first]
    return Readings(
        cell, data.times_s[data.time_index[good]], data.g_uS[good], target, level, die, body, levels,
        _thinned(data, levels, level) if above_uS > 0.0 else np.zeros(len(levels), dtype=bool),
    )


def _thinned(data: Measurements, levels: Reals, level: Integers) -> Flags:
    once = np.unique(data.cell, return_index=True)[1]
    whole = np.bincount(nearest_level(levels, data.target_uS[once]), minlength=len(levels))
    return np.bincount(level, minlength=len(levels)) < (1.0 - _MOST_MISSING) * whole


_SIDE, _NEAR = 2.5, 1.5  # deviations of a reading within which a pile lies, and most of it, on either side of the floor
_GAP = 2.0  # and from where on readings are above it
_BELOW = 0.03  # part of the pile that may be below it
_STANDS_OUT, _SURE = 1.5, 3.0  # readings of the pile for each in as wide a window above it, and standard errors
_PASSES = 8
_STARTS = 200
_LARGEST_NOISE = 0.4  # relative: beyond, a pile is too wide to be one


class Floor(NamedTuple):
    """Where the conductance ends."""

    g_uS: float
    error_uS: float
    """Standard error."""
    above_uS: float
    """Up to where a reading may be of a cell that is at the floor."""


def find_floor(data: Measurements, device: DriftDevice) -> Floor | None:
    """The floor that the later readings show, None where they show none.

    Of cells that only drift, fewer and fewer are found the lower one looks. A floor is a value around which, within
    the noise of a reading that ``device`` has, lie ten cells and half as many again as in a window as wide above it, by
    three standard errors of the difference, with next to none below.
    """
    late = (data.time_index > np.median(np.unique(data.time_index))) & (data.g_uS > 0.0)
    if late.sum() < _LEAST_CELLS:
        return None
    noise = device.drift.relative_noise(data.target_uS[late], float(data.times_s[-1]))
    order = np.argsort(data.g_uS[late])
    ln_g, noise, cell = np.log(data.g_uS[late][order]), noise[order], data.cell[late][order]
    for start in range(min(len(ln_g) // 5 + 1, _STARTS)):
        size = float(np.median(noise[start : start + _LEAST_CELLS]))
        ln_floor = _pile(ln_g, ln_g[start], size) if size < _LARGEST_NOISE else None
        if ln_floor is None:
            continue
        inside = np.abs(ln_g - ln_floor) <= _SIDE * size
        cells = len(np.unique(cell[inside]))
        if cells >= _LEAST_CELLS:
            floor = float(np.exp(ln_floor))
            return Floor(floor, floor * size * 1.25 / np.sqrt(cells), floor * float(np.exp(_SIDE * size)))
    return None


def _pile(ln_g: Reals, low: float, noise: float) -> float | None:
    """Middle, in logarithms, of the pile that begins with a reading; None if it is none."""
    middle, side = low + _SIDE * noise, _SIDE * noise
    for turn in range(_PASSES):
        # In the end of the nearest readings only: among those above there are cells that fall still.
        near = np.abs(ln_g - middle) <= (side if turn < _PASSES // 2 else noise)
        if not near.any():
            return None
        middle = float(np.median(ln_g[near]))
    below, pile = int((ln_g < middle - side).sum()), int((np.abs(ln_g - middle) <= _NEAR * noise).sum())
    start = middle + _GAP * noise
    above = int(((ln_g > start) & (ln_g <= start + 2.0 * _NEAR * noise)).sum())
    sure = pile - above > _SURE * np.sqrt(pile + above)
    return middle if sure and below <= _BELOW * pile and pile >= _STANDS_OUT * above else None

"""Repeated readings: readings of a cell that follow each other so closely that what differs is noise of the read.

They become one reading, their mean, for the law over time; what they scatter by becomes the read noise, see
:mod:`mho.macro_models.fit.reads.noise`.
"""

from dataclasses import dataclass

import numpy as np

from mho.macro_models.types import Integers, Reals

_EVEN = 3.0  # largest over smallest gap between the readings of a burst
_SHORT = 0.2  # duration of a burst, in units of the time since programming
_APART = 0.1  # and in units of the time of the next reading, for a burst that starts with programming
_FEWEST_GAPS = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Bursts:
    """Readings of bursts, sorted by burst and time; arrays have one entry for each reading."""

    burst: Integers
    """Which burst, 0..bursts - 1."""
    time_s: Reals
    """Since programming."""
    g_uS: Reals
    cell: Integers
    """Any number of the cell."""

    @property
    def count(self) -> int:
        """Bursts."""
        return int(self.burst.max()) + 1 if self.burst.size else 0


def find_bursts(cell: Integers, time: Reals) -> Integers:
    """Which run of readings each is of, 0.., for readings sorted by cell and time; most runs are a single reading.

    A run is readings at one time, or three and more at even distances over less than a fifth of the time since
    programming (from programming on: less than a tenth of the time of the next reading).
    """
    n = len(time)
    if not n:
        return np.zeros(0, dtype=np.int64)
    gap = np.diff(time)
    same_cell = np.diff(cell) == 0
    joined = same_cell & (gap == 0.0)
    # Positions among distinct times of a cell.
    starts = np.flatnonzero(np.concatenate([[True], ~joined]))
    at, who = time[starts].tolist(), cell[starts].tolist()
    first = 0
    links = np.zeros(max(len(starts) - 1, 0), dtype=bool)
    while first < len(at) - _FEWEST_GAPS:
        last = _run_end(at, who, first)
        if last - first >= _FEWEST_GAPS:
            links[first:last] = True
            first = last
        else:
            first += 1
    whole = joined.copy()
    whole[starts[1:] - 1] = links
    return np.concatenate([[0], np.cumsum(~whole)])


def _run_end(at: list[float], who: list[int], first: int) -> int:
    """Last reading of the run that begins with reading ``first``; itself if there is none."""
    last = first
    if who[first + 1] != who[first]:
        return last
    shortest = longest = at[first + 1] - at[first]
    for k in range(first + 1, len(at)):
        if who[k] != who[first]:
            break
        step = at[k] - at[k - 1]
        shortest, longest = min(shortest, step), max(longest, step)
        duration = at[k] - at[first]
        following = at[k + 1] if k + 1 < len(at) and who[k + 1] == who[first] else 0.0
        short = duration <= _SHORT * at[first] or (at[first] <= duration and following * _APART >= duration)
        if longest > _EVEN * shortest:
            break
        if short:
            last = k
    return last


def merge_bursts(
    run: Integers, cell: Integers, time: Reals, g: Reals
) -> tuple[Integers, Reals, Integers, Bursts | None]:
    """One reading for each run: (index of its first, mean conductance, number of readings), and the bursts.

    Readings that are there twice, time and conductance alike, count once.
    """
    _, start, count = np.unique(run, return_index=True, return_counts=True)
    mean = np.add.reduceat(g, start) / count
    low, high = np.minimum.reduceat(g, start), np.maximum.reduceat(g, start)
    mean = np.where(low == high, g[start], mean)
    count = np.where((low == high) & (time[start] == time[start + count - 1]), 1, count)
    several = np.flatnonzero(count > 1)
    if not several.size:
        return start, mean, count, None
    chosen = np.isin(run, run[start[several]])
    number = np.unique(run[chosen], return_inverse=True)[1]
    return start, mean, count, Bursts(burst=number, time_s=time[chosen], g_uS=g[chosen], cell=cell[chosen])

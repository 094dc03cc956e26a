"""Measured cells: readings of a table with their programmed value, cleaned and counted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from mho.macro_models.errors import InputError
from mho.macro_models.fit.tables import censored
from mho.macro_models.fit.tables.bursts import Bursts, find_bursts, merge_bursts
from mho.macro_models.fit.tables.pulses import Pulses, split_pulses
from mho.macro_models.fit.tables.table import Table, kept_and_read, read_table
from mho.macro_models.types import Flags, Integers, Reals

LEAST_CELLS = 20
_MOST_TIMES = 24
_GAP = 1.3
_WIDEST = 3.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Measurements:
    """Readings of programmed cells. Arrays have one entry for each reading, sorted by cell and time."""

    path: Path
    sha256: str
    cell: Integers
    """Which programmed cell, 0..cells - 1: a physical cell at another temperature is another one."""
    time_index: Integers
    """Which of ``times_s``."""
    g_uS: Reals
    target_uS: Reals
    """Programmed value: the target, or the first reading of the cell."""
    first_uS: Reals
    """First reading of the cell where it is of the first time, else NaN."""
    temp_C: Reals
    """Temperature at which the cell was kept since it was programmed."""
    read_C: Reals
    """Temperature of the reading."""
    times_s: Reals
    """Times since programming, increasing; the first ends programming."""
    has_target: bool
    dropped: dict[str, int]
    """What was left out, and how often."""
    stuck_uS: Reals = field(default_factory=lambda: np.zeros(0))
    """Conductance of each cell that did not take its target at all; they are not among the readings."""
    reads: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """From how many readings each is the mean (see :mod:`mho.macro_models.fit.tables.bursts`)."""
    bursts: Bursts | None = None
    """The readings of which there were several at one time."""
    die: Integers | None = None
    """Which die each reading is of, None where the table does not say."""
    body: Integers | None = None
    """Which physical cell, whatever the temperature and how often it was programmed."""
    cycles: Reals | None = None
    """How often the cell had been switched before."""
    notes: tuple[str, ...] = ()
    """What is in doubt about the readings, a sentence each."""

    @property
    def cells(self) -> int:
        """Programmed cells."""
        return int(self.cell.max()) + 1

    def where(self, chosen: Flags) -> "Measurements":
        """Some of the readings; cells and times keep their numbers."""
        per_reading = ("cell", "time_index", "g_uS", "target_uS", "first_uS", "temp_C", "read_C", "reads")
        factors = ("die", "body", "cycles")
        chosen_only = {name: getattr(self, name)[chosen] for name in per_reading if len(getattr(self, name))}
        chosen_only |= {name: getattr(self, name)[chosen] for name in factors if getattr(self, name) is not None}
        return replace(self, **chosen_only)


def read_data(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    g_max_uS: float | None = None,
    temp_C: float = 25.0,
    temp_max_C: float | None = None,
) -> tuple[Measurements | None, Pulses | None]:
    """Readings over time, and pulses with the readings around them (see :func:`split_pulses`), of a table.

    Of a table with pulses either may be missing.

    Raises InputError if the table is wrong, or fewer than 20 cells are left.

    Parameters
    ----------
    path, columns
        See :func:`mho.macro_models.fit.tables.table.read_table`.
    g_max_uS
        Cells that were programmed above it are left out.
    temp_C
        Temperature of the readings where the table has no column for it, in degrees Celsius.
    temp_max_C
        Readings at higher temperatures are left out.
    """
    table = read_table(path, columns)
    cell = _cells(table, np.zeros(table.rows)) if "cell" in table.names else np.zeros(table.rows, dtype=np.int64)
    pulses, over_time = split_pulses(table, cell, _conductance(table.numbers))
    if pulses is not None and not over_time.any():
        return None, pulses
    if "t_s" not in table.numbers:
        raise InputError(f"{path}: column t_s is missing (rename one with --columns t_s=NAME)")
    return _measurements(table.where(over_time), path, g_max_uS, temp_C, temp_max_C), pulses


def _measurements(
    table: Table, path: Path, g_max_uS: float | None, temp_C: float, temp_max_C: float | None
) -> Measurements:
    numbers = table.numbers
    g = _conductance(numbers)
    target = _target(numbers)
    if target is None and "cell" not in table.names:
        raise InputError(f"{path}: column cell or g_target_uS is needed, to know what each cell was programmed to")
    temp = numbers.get("temp_C", np.full(table.rows, temp_C))
    time, cycles = numbers["t_s"], numbers.get("cycles")
    dropped: dict[str, int] = {}
    g, notes = censored.from_zero(g, target)
    good = np.isfinite(time) & np.isfinite(temp) & (time >= 0.0)
    if target is not None:
        good &= np.isfinite(target) & (target >= 0.0)
    whole = good
    good = good & np.isfinite(g) & (g >= 0.0)
    dropped["readings that are no number, negative or out of bounds"] = int((~good).sum())
    if temp_max_C is not None:
        hot = good & (temp > temp_max_C)
        dropped[f"readings above {temp_max_C:g} C"] = int(hot.sum())
        good &= ~hot
    temp, read = kept_and_read(_cells(table, np.zeros(table.rows)), time, temp, numbers.get("read_temp_C"))
    cell = _cells(table, temp, read)
    notes += censored.about_unread(cell, whole, good, target, "cell" in table.names)
    order = np.flatnonzero(good)
    order = order[np.lexsort((time[order], cell[order]))]
    start, g, reads, bursts = merge_bursts(find_bursts(cell[order], time[order]), cell[order], time[order], g[order])
    dropped["readings that are there twice"] = len(order) - int(reads.sum())
    order = order[start]
    cell, time, temp, read = cell[order], time[order], temp[order], read[order]
    _refuse_few(path, cell)
    index, times = _group_times(time)
    programmed, first = _programmed(cell, index, time, g, None if target is None else target[order], table, order)
    if "cell" in table.names:
        condition = np.stack([_numbered(v) for v in (temp, read, *([cycles[order]] if cycles is not None else []))], 1)
        condition = np.unique(condition, axis=0, return_inverse=True)[1].reshape(-1)
        notes += censored.about_missing(np.unique(cell, return_inverse=True)[1], index, times, g, condition) or (
            [] if target is None else censored.about_least_target(cell, programmed))
    keep, stuck = censored.find_stuck(cell, g, programmed, has_target=target is not None)
    if cycles is not None and len(stuck):
        _, once = np.unique(cell, return_index=True)
        notes += censored.about_worn(~keep[once], cycles[order][once])
    dropped["dead cells"] = len(np.unique(cell[~keep])) - len(stuck)
    dropped["stuck cells"] = len(stuck)
    if g_max_uS is not None:
        above = programmed > g_max_uS
        dropped[f"cells programmed above {g_max_uS:g} uS"] = len(np.unique(cell[above & keep]))
        keep &= ~above
    kept_cells, cell = np.unique(cell[keep], return_inverse=True)
    _refuse_few(path, kept_cells)
    return Measurements(
        path=path, sha256=table.sha256, cell=cell, time_index=index[keep], g_uS=g[keep], target_uS=programmed[keep],
        first_uS=first[keep], temp_C=temp[keep], read_C=read[keep], times_s=times, has_target=target is not None,
        dropped={what: count for what, count in dropped.items() if count}, stuck_uS=stuck, reads=reads[keep],
        bursts=bursts, die=table.names["die"][order[keep]] if "die" in table.names else None,
        body=_body(table, order[keep]), cycles=None if cycles is None else cycles[order[keep]],
        notes=(*notes, *censored.about_piles(g[keep], programmed[keep])),
    )


def _numbered(values: Reals) -> Integers:
    """A number for each distinct value, one for all that are missing."""
    return np.unique(np.where(np.isfinite(values), values, 0.0), return_inverse=True)[1]


def _body(table: Table, rows: Integers) -> Integers | None:
    """Physical cell of each reading, where cells have names."""
    if "cell" not in table.names:
        return None
    names = [table.names[name][rows] for name in ("die", "cell") if name in table.names]
    return np.unique(np.stack(names, axis=1), axis=0, return_inverse=True)[1].reshape(-1)


def _refuse_few(path: Path, cell: Integers) -> None:
    cells = len(np.unique(cell))
    if cells < LEAST_CELLS:
        raise InputError(f"{path}: a fit needs at least {LEAST_CELLS} cells, {cells} are left of the data")


def _conductance(numbers: Mapping[str, Reals]) -> Reals:
    if "g_uS" in numbers:
        return numbers["g_uS"]
    if "g_S" in numbers:
        return numbers["g_S"] * 1e6
    with np.errstate(divide="ignore"):
        return np.where(np.isinf(numbers["r_ohm"]), math.nan, 1e6 / numbers["r_ohm"])


def _target(numbers: Mapping[str, Reals]) -> Reals | None:
    if "g_target_uS" in numbers:
        return numbers["g_target_uS"]
    return numbers["g_target_S"] * 1e6 if "g_target_S" in numbers else None


def _cells(table: Table, *temps: Reals) -> Integers:
    """A number for each cell of each die; every reading is a cell of its own where cells have no names."""
    if "cell" not in table.names:
        return np.arange(table.rows)
    die = table.names.get("die", np.zeros(table.rows, dtype=np.int64))
    parts = [die, table.names["cell"], *(_numbered(t) for t in temps)]
    parts += [table.names["cycle"]] if "cycle" in table.names else []
    if "cycles" in table.numbers:
        parts.append(_numbered(table.numbers["cycles"]))
    rows = np.stack(parts, axis=1)
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)


def _group_times(time: Reals) -> tuple[Integers, Reals]:
    """Group reading times: exact ones if they are few, else those that lie close together in the logarithm."""
    exact, index, count = np.unique(time, return_inverse=True, return_counts=True)
    if len(exact) <= _MOST_TIMES and count.min() >= 10:
        return index, exact
    positive = exact[exact > 0.0]
    edges = [0.0] if exact[0] == 0.0 else []
    starts = positive[np.concatenate([[True], positive[1:] > _GAP * positive[:-1]])] if len(positive) else positive
    for begin, end in pairwise([*starts, math.inf]):
        inside = positive[(positive >= begin) & (positive < end)]
        parts = max(1, math.ceil(math.log(inside[-1] / inside[0]) / math.log(_WIDEST)))
        edges += list(np.geomspace(inside[0], inside[-1], parts, endpoint=False) if parts > 1 else inside[:1])
    return _thin(time, np.array(edges))


def _thin(time: Reals, edges: Reals) -> tuple[Integers, Reals]:
    """Merge groups until there are no more than the model takes; each is called by the median of its times."""
    while True:
        index = np.clip(np.searchsorted(edges, time, side="right") - 1, 0, None)
        count = np.bincount(index, minlength=len(edges))
        small = np.flatnonzero(count < 10)
        if len(edges) > 2 and (len(edges) > _MOST_TIMES or len(small)):
            # The smallest group joins its neighbour before it; the first positive one joins the one after.
            worst = int(small[0]) if len(small) else int(np.argmin(count[1:])) + 1
            gone = worst if worst > 1 else min(worst + 1, len(edges) - 1)
            edges = np.delete(edges, gone)
            continue
        return index, np.array([_rounded(float(np.median(time[index == k]))) for k in range(len(edges))])


def _rounded(time: float) -> float:
    """Two digits where they are within 1 %: readings at 0.00997 s are those of 0.01 s."""
    plain = float(f"{time:.1e}")
    return plain if abs(plain - time) <= 0.01 * time else float(f"{time:.6g}")


def _programmed(
    cell: Integers,
    index: Integers,
    time: Reals,
    g: Reals,
    target: Reals | None,
    table: Table,
    order: Integers,
) -> tuple[Reals, Reals]:
    """Programmed value of each reading, and the first reading where it ends programming. Sorted by cell and time."""
    _, start, which = np.unique(cell, return_index=True, return_inverse=True)
    first = np.where(index[start] == 0, g[start], math.nan)[which]
    if target is not None:
        return target, first
    programmed = g[start][which]
    late = (index[start] > 0)[which]
    if late.any() and "temp_C" in table.numbers:
        # A cell that was read right after programming at one temperature and later at another.
        names = np.stack([table.names[k][order] for k in ("die", "cell") if k in table.names], axis=1)
        body = np.unique(names, axis=0, return_inverse=True)[1].reshape(-1)
        by_time = np.lexsort((time, body))
        _, begin = np.unique(body[by_time], return_index=True)
        earliest = by_time[begin]
        ended = (index[earliest] == 0)[body]
        programmed = np.where(late & ended, g[earliest][body], programmed)
    return programmed, programmed

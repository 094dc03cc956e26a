"""Answers to programming pulses in a table: readings of cells after each of a row of pulses."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mho.macro_models.errors import InputError
from mho.macro_models.fit.tables.table import Table
from mho.macro_models.types import Flags, Integers, Reals

LEAST_PULSES = 200
_DEFAULT_NS = 1000.0
_BELOW = 0.1  # of the largest reading: what one may be below 0 uS by noise


@dataclass(frozen=True, eq=False, kw_only=True)
class Pulses:
    """Pulses of cells, with the readings before and after each. Arrays have shape (pulses,), by cell and number."""

    path: Path
    sha256: str
    cell: Integers
    """Which cell, 0..cells - 1."""
    volts: Reals
    """Amplitude in V, positive for SET, negative for RESET."""
    width_s: Reals
    before_uS: Reals
    after_uS: Reals
    first_uS: Reals
    """Reading before the first pulse of each cell, of shape (cells,)."""
    width_is_known: bool

    @property
    def cells(self) -> int:
        """Cells that were pulsed."""
        return len(self.first_uS)

    def where(self, chosen: Flags) -> "Pulses":
        """Some of the pulses."""
        return Pulses(
            path=self.path, sha256=self.sha256, cell=self.cell[chosen], volts=self.volts[chosen],
            width_s=self.width_s[chosen], before_uS=self.before_uS[chosen], after_uS=self.after_uS[chosen],
            first_uS=self.first_uS, width_is_known=self.width_is_known,
        )


def split_pulses(table: Table, cell: Integers, g_uS: Reals) -> tuple[Pulses | None, Flags]:
    """Pulses of a table, and which of its rows are readings over time.

    A cell is pulsed if it has readings after at least two pulses: a row for each, with the amplitude ``pulse_V``, rows
    in the order of ``pulse_n``, or of the file without that column. A row without an amplitude, or with pulse number 0,
    is a reading before the first pulse. Of a pulsed cell, readings after the last pulse at several times are readings
    over time as well. Rows without an amplitude of cells that are not pulsed are readings over time. Raises InputError
    if there are amplitudes and cells have no names.
    """
    everything = np.ones(table.rows, dtype=bool)
    if "pulse_V" not in table.numbers:
        return None, everything
    volts = table.numbers["pulse_V"]
    number = table.numbers.get("pulse_n", np.arange(1.0, table.rows + 1.0))
    is_pulse = np.isfinite(volts) & np.isfinite(number) & (volts != 0.0) & (number != 0.0)
    if is_pulse.any() and "cell" not in table.names:
        raise InputError(f"{table.path}: column cell is needed, to know which pulses each cell was given")
    cells = int(cell.max(initial=0)) + 1
    pairs = np.unique(np.stack([cell[is_pulse].astype(np.float64), number[is_pulse]], axis=1), axis=0)
    pulsed = np.bincount(pairs[:, 0].astype(np.int64), minlength=cells) >= 2
    if not pulsed.any():
        return None, everything
    time = table.numbers.get("t_s", np.zeros(table.rows))
    last = np.full(cells, -math.inf)
    np.maximum.at(last, cell[is_pulse], number[is_pulse])
    # Before the first pulse: the number 0, or without a number; later rows without an amplitude are readings over time.
    started = np.full(cells, math.inf)
    np.minimum.at(started, cell[is_pulse], number[is_pulse])
    early = ~is_pulse & (np.where(np.isfinite(number), number, math.inf) < started[cell])
    over_time = _over_time(cell, number, time, is_pulse, last) | (~is_pulse & ~early & pulsed[cell]) | ~pulsed[cell]
    top = float(np.nanmax(g_uS, initial=0.0))
    g_uS = np.where(g_uS >= -_BELOW * top, g_uS, math.nan)
    return _pulses(table, cell, g_uS, number, time, pulsed[cell] & (is_pulse | early)), over_time


def _over_time(cell: Integers, number: Reals, time: Reals, is_pulse: Flags, last: Reals) -> Flags:
    """Readings after the last pulse of a cell, where they are at several times."""
    final = is_pulse & (number == last[cell])
    cells = len(last)
    low, high = np.full(cells, math.inf), np.full(cells, -math.inf)
    np.minimum.at(low, cell[final], time[final])
    np.maximum.at(high, cell[final], time[final])
    return final & (high > low)[cell]


def _pulses(table: Table, cell: Integers, g_uS: Reals, number: Reals, time: Reals, chosen: Flags) -> Pulses:
    rows = np.flatnonzero(chosen)
    volts = np.nan_to_num(table.numbers["pulse_V"])
    volts = np.where(number == 0.0, 0.0, volts)
    rows = rows[np.lexsort((time[rows], np.nan_to_num(number[rows]), cell[rows]))]
    # The first reading after each pulse; where it is missing, neither this pulse nor the next says anything.
    same = (cell[rows][1:] == cell[rows][:-1]) & (number[rows][1:] == number[rows][:-1])
    rows = rows[np.concatenate([[True], ~same])]
    follows = (cell[rows][1:] == cell[rows][:-1]) & (volts[rows][1:] != 0.0)
    follows = np.flatnonzero(follows & np.isfinite(g_uS[rows][1:] + g_uS[rows][:-1])) + 1
    here, earlier = rows[follows], rows[follows - 1]
    names, index = np.unique(cell[here], return_inverse=True)
    read = rows[np.isfinite(g_uS[rows])]
    begin = read[np.searchsorted(cell[read], names)]
    width = table.numbers.get("pulse_ns")
    widths = np.full(len(here), _DEFAULT_NS) if width is None else width[here]
    fine = np.isfinite(widths) & (widths > 0.0)
    return Pulses(
        path=table.path, sha256=table.sha256, cell=index[fine], volts=volts[here][fine], width_s=widths[fine] * 1e-9,
        before_uS=g_uS[earlier][fine], after_uS=g_uS[here][fine], first_uS=g_uS[begin],
        width_is_known=width is not None,
    )

"""Traps of single cells in a conversion: which state each read finds, and what that adds to the lines.

To first order a line moves by ``sum_i (X_i - V) d_i``, d_i what the cell of row i conducts more or less than on average
in this read. The d_i are integers (in 1 / :data:`GRID` codes), the sums over them exact whatever their order, and what
is added to an accumulator is one rounded number: a batch, a single conversion and every strobe see the same.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.cells.programming import CellDraws
from mho.macro_models.devices import Device
from mho.macro_models.integer.random import LANES, Purpose, bits_of_blocks
from mho.macro_models.types import Array, Flags, Indices, Integers, Reals

GRID = 256
"""Parts of a code in which what a trap adds is held."""

_AT_ONCE = 1 << 21  # states of a batch that are alive at the same time


@dataclass(frozen=True, eq=False)
class CoreTraps:
    """Traps of all cells of a core, arrays of shape (lines, lines) as its cells."""

    occupancy: Integers
    """Of 65536 reads, how many find the upper conductance."""
    high: Integers
    """What a cell then conducts more than on average, in 1 / :data:`GRID` codes; 0 of a cell without a trap."""
    low: Integers
    """The same of the lower conductance: at most 0."""
    seed: int
    core: int

    @classmethod
    def of(cls, device: Device, cells: Indices, lsb_uS: float, seed: int, core: int) -> "CoreTraps | None":
        """The traps of ``cells``, codes of ``lsb_uS`` each; None if there are none."""
        if not device.telegraph.acts:
            return None
        drawn = device.telegraph.drawn(cells.astype(np.float64) * lsb_uS, CellDraws(seed, core, cells.shape))
        size = drawn.amplitude_uS / lsb_uS * GRID
        high = np.rint(size * (1.0 - drawn.occupancy / 65536.0)).astype(np.int64)
        low = -np.rint(size * (drawn.occupancy / 65536.0)).astype(np.int64)
        return cls(drawn.occupancy, high, low, seed, core) if (high | low).any() else None

    def lines(self, backward: bool, wl: Flags) -> "LineTraps | None":
        """What the lines of a conversion see of them; None where that is nothing."""
        gated = np.where(wl[:, None], self.high | self.low, 0) != 0
        cells = np.flatnonzero(gated)
        driven, converted = (cells % len(wl), cells // len(wl)) if backward else (cells // len(wl), cells % len(wl))
        # Sorted by line, so that sums over lines are sums over neighbours.
        order = np.argsort(converted, kind="stable")
        cells = cells[order]
        if not cells.size:
            return None
        return LineTraps(
            cells=cells, driven=driven[order], converted=converted[order], lines=len(wl),
            occupancy=self.occupancy.ravel()[cells], high=self.high.ravel()[cells].astype(np.float64),
            low=self.low.ravel()[cells].astype(np.float64), seed=self.seed, core=self.core,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class LineTraps:
    """Traps that the lines of a key see, sorted by converted line; arrays of shape (traps,)."""

    cells: NDArray[np.intp]
    """Numbers of the cells: the address of their draws."""
    driven: NDArray[np.intp]
    """Driven line of each."""
    converted: NDArray[np.intp]
    """Converted line of each, among those of the key."""
    lines: int
    """Converted lines of the key."""
    occupancy: Integers
    high: Reals
    low: Reals
    seed: int
    core: int
    _blocks: NDArray[np.uint64] = field(init=False)
    _lanes: NDArray[np.intp] = field(init=False)
    _starts: NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        blocks, which = np.unique(self.cells // LANES, return_inverse=True)
        set_field = object.__setattr__
        set_field(self, "_blocks", blocks.astype(np.uint64))
        set_field(self, "_lanes", which.reshape(-1) * LANES + self.cells % LANES)
        set_field(self, "_starts", np.flatnonzero(np.diff(self.converted, prepend=-1)))

    def narrow(self, columns: NDArray[np.intp]) -> "LineTraps | None":
        """Those of some of the converted lines."""
        place = np.full(self.lines, -1)
        place[columns] = np.arange(len(columns))
        inside = np.flatnonzero(place[self.converted] >= 0)
        if not inside.size:
            return None
        return LineTraps(
            cells=self.cells[inside], driven=self.driven[inside], converted=place[self.converted[inside]],
            occupancy=self.occupancy[inside], high=self.high[inside], low=self.low[inside], lines=len(columns),
            seed=self.seed, core=self.core,
        )

    def states(self, op_id: NDArray[np.uint64]) -> Reals:
        """What each cell adds in conversions ``op_id``, of shape (..., traps), in 1 / :data:`GRID` codes."""
        bits = bits_of_blocks(Purpose.TRAP_STATE, seed=self.seed, core=self.core, block=self._blocks, op_id=op_id)
        return np.where(bits[..., self._lanes] < self.occupancy, self.high, self.low)

    def noise(self, inputs: tuple[NDArray[np.intp], Reals], x: Array, v: Reals, op_id: NDArray[np.uint64]) -> Reals:
        """What is added to the accumulators, whole numbers of the shape of ``v``.

        Parameters
        ----------
        inputs
            For each driven line the input that it takes and the factor on it (see :attr:`Product.inputs`).
        x, v, op_id
            Inputs, (..., inputs); voltages of the lines in units of V_read, (..., lines); numbers, (...).
        """
        driven, sign = inputs[0][self.driven], inputs[1][self.driven]
        total = np.zeros(v.shape)
        flat_x, flat_v = x.reshape(-1, x.shape[-1]), v.reshape(-1, self.lines)
        ids, out = op_id.reshape(-1), total.reshape(-1, self.lines)
        at = self.converted[self._starts]
        for start in range(0, len(ids), size := max(1, _AT_ONCE // len(self.cells))):
            part = slice(start, start + size)
            state = self.states(ids[part])
            sums = np.add.reduceat(state, self._starts, axis=1)
            cross = np.add.reduceat(flat_x[part, driven].astype(np.float64) * sign * state, self._starts, axis=1)
            out[part, at] = np.rint((cross - sums * flat_v[part][:, at]) * (1.0 / GRID))
        return total

    def bound(self, reach: float, x_top: int) -> float:
        """No accumulator gets more from traps for inputs up to ``x_top``."""
        top = np.add.reduceat(np.maximum(self.high, -self.low), self._starts).max()
        return float(top) / GRID * (1.0 + reach) * x_top + 1.0

"""Faulty cells: which lines are better left unused, and weights that live with what a faulty cell holds.

A weight is a pair of cells, and an input may have several rows, an output several columns (copies). What one cell
cannot be, the others make up for, in this order: its partner in the pair, the other rows of the same input in the
same column, the other copies of the same output. What no other cell can make up for is kept small by the choice of
which input goes to which row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from compiler.mapping import Block

__all__ = ["CoreFaults", "FaultMaps", "arrange_rows", "compensate"]

Float = NDArray[np.float64]

ROUNDS = 4
"""Times that what is missing is handed on to cells that can still take it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreFaults:
    """What is wrong with a core.

    ``rows`` and ``columns``, of shape (lines,), are dead bit lines and source lines; ``g_uS``, ``[bl, sl]``, the
    conductances of faulty cells, NaN where a cell is sound.
    """

    rows: NDArray[np.bool_]
    columns: NDArray[np.bool_]
    g_uS: Float

    def lines(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Faulty cells of each row pair and of each source line that are not on a dead line crossing it.

        Shapes (lines // 2,) and (lines,).
        """
        faulty = ~np.isnan(self.g_uS) & ~self.rows[:, None] & ~self.columns[None, :]
        rows = faulty.sum(axis=1)
        return rows[0::2] + rows[1::2], faulty.sum(axis=0)


FaultMaps = Mapping[int, CoreFaults]
"""Core -> its faults."""


class _Pairs:
    """Pairs of a block: the differences ``g+ - g-`` that they can have, each array of shape (rows, columns)."""

    def __init__(
        self,
        faults: CoreFaults,
        rows: NDArray[np.integer],
        columns: NDArray[np.integer],
        low: float,
        high: float,
    ) -> None:
        plus, minus = faults.g_uS[np.ix_(2 * rows, columns)], faults.g_uS[np.ix_(2 * rows + 1, columns)]
        self.plus, self.minus = plus, minus
        top, bottom = np.isnan(plus), np.isnan(minus)
        self.sound = top & bottom
        """Pairs without a faulty cell."""
        self.least = np.where(top, low, plus) - np.where(bottom, high, minus)
        self.most = np.where(top, high, plus) - np.where(bottom, low, minus)


def compensate(
    targets: NDArray[np.float32],
    block: "Block",
    spread: NDArray[np.int32],
    faults: CoreFaults,
    low: float,
    high: float,
) -> None:
    """Changes the targets ``[bl, sl]`` of a block, in uS, to what its faulty cells allow.

    Faulty cells get what they hold, so that sums of columns are true. ``spread`` is the input of each of the block's
    rows.
    """
    pairs = _Pairs(faults, block.rows, block.columns, low, high)
    if pairs.sound.all():
        return
    at = (np.ix_(2 * block.rows, block.columns), np.ix_(2 * block.rows + 1, block.columns))
    wanted = targets[at[0]].astype(np.float64) - targets[at[1]]
    _, inputs = np.unique(spread, return_inverse=True)
    _, outputs = np.unique(np.stack([block.outputs, block.slice_of]), axis=1, return_inverse=True)
    got = _share(wanted, pairs, inputs, np.arange(len(block.columns)))
    if block.copies > 1:
        got = _share(wanted, pairs, inputs, outputs.ravel(), got)
    plus, minus = low + np.maximum(got, 0.0), low + np.maximum(-got, 0.0)
    # The sound cell of a pair makes the difference with what the other one holds.
    plus = np.where(np.isnan(pairs.minus), plus, np.clip(pairs.minus + got, low, high))
    minus = np.where(np.isnan(pairs.plus), minus, np.clip(pairs.plus - got, low, high))
    targets[at[0]] = np.where(np.isnan(pairs.plus), plus, pairs.plus)
    targets[at[1]] = np.where(np.isnan(pairs.minus), minus, pairs.minus)


def _share(
    wanted: Float, pairs: _Pairs, inputs: NDArray[np.integer], outputs: NDArray[np.integer], start: Float | None = None
) -> Float:
    """Differences that the pairs can have, whose sums over each (input, output) come near to those wanted."""
    got = np.clip(wanted if start is None else start, pairs.least, pairs.most)
    cell = inputs[:, None] * (outputs.max() + 1) + outputs[None, :]
    count = int(cell.max()) + 1
    for _ in range(ROUNDS):
        missing = np.bincount(cell.ravel(), (wanted - got).ravel(), count)
        sign = np.sign(missing)[cell]
        room = (sign > 0) & (got < pairs.most) | (sign < 0) & (got > pairs.least)
        share = missing / np.maximum(np.bincount(cell.ravel(), room.ravel(), count), 1.0)
        got = np.clip(got + np.where(room, share[cell], 0.0), pairs.least, pairs.most)
    return got


def arrange_rows(
    wanted: Sequence[tuple["Block", Float]], faults: FaultMaps, low: float, high: float
) -> NDArray[np.int64]:
    """Which of a layer's rows goes where: a permutation of its rows with the least squared error, of shape (rows,).

    ``wanted`` are the blocks of the layer, each with the differences of conductances ``[column, row]`` in uS that its
    columns want from all rows of the layer: not those of the block only. Row ``result[k]`` goes to place k.
    """
    rows = wanted[0][1].shape[1]
    cost = np.zeros((rows, rows))
    for block, difference in wanted:
        if block.core not in faults:
            continue
        pairs = _Pairs(faults[block.core], block.rows, block.columns, low, high)
        for row, column in zip(*np.nonzero(~pairs.sound), strict=True):
            w = difference[column]
            cost[block.first + row] += (w - np.clip(w, pairs.least[row, column], pairs.most[row, column])) ** 2
    if not cost.any():
        return np.arange(rows)
    # A small price for moving: rows stay where they are if nothing is won.
    price = 1e-6 * float(cost.max())
    return linear_sum_assignment(cost + price * ~np.eye(rows, dtype=bool))[1]

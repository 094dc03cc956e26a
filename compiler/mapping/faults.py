"""Faulty cells: which lines are better left unused, and weights that live with what a faulty cell holds.

A weight has several cells, an input may have several rows, an output several columns (copies). What one cell cannot
be, the others make up for, in this order: the other cells of its weight, the other rows of the same input in the
same column, the other copies of the same output. What no other cell can make up for is kept small by the choice of
which input goes to which row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.compiler.mapping.weights import Block
from mho.compiler.types import Float
from mho.macro_models.cell_map import CellMap
from mho.macro_models.types import Flags, Indices, Integers, Integral

ROUNDS = 4
"""Times that what is missing is handed on to cells that can still take it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreFaults:
    """What is wrong with a core.

    ``rows`` and ``columns``, of shape (lines,), are dead bit lines and source lines; ``g_uS``, ``[bl, sl]``, the
    conductances of faulty cells, NaN where a cell is sound.
    """

    rows: Flags
    columns: Flags
    g_uS: Float

    @property
    def dead(self) -> tuple[Flags, Flags]:
        """Dead bit lines and source lines."""
        return self.rows, self.columns

    def counts(self, cell_map: CellMap) -> tuple[Integers, Integers]:
        """Faulty cells of each row and of each column of weights that are not on a dead line crossing it."""
        faulty = ~np.isnan(self.g_uS) & ~self.rows[:, None] & ~self.columns[None, :]
        return cell_map.per_row(faulty.sum(axis=1)), cell_map.per_column(faulty.sum(axis=0))


FaultMaps = Mapping[int, CoreFaults]
"""Core -> its faults."""


class _Weights:
    """Weights of a block: the differences that their cells can make, each array of shape (rows, columns)."""

    def __init__(
        self, faults: CoreFaults, rows: Integral, columns: Integral, cell_map: CellMap,
        low: float, high: float,
    ) -> None:
        self.held = cell_map.take(faults.g_uS, rows, columns)
        """What faulty cells hold, of shape (cells, rows, columns), NaN where one is sound."""
        self.sound = np.isnan(self.held).all(axis=0)
        """Weights without a faulty cell."""
        self.least, self.most = cell_map.reach(self.held, low, high)


def compensate(
    targets: NDArray[np.float32],
    block: Block,
    spread: Indices,
    faults: CoreFaults,
    cell_map: CellMap,
    low: float,
    high: float,
) -> None:
    """Changes the targets of a block, in uS, to what its faulty cells allow.

    Faulty cells get what they hold, so that sums of columns are true. ``spread`` is the input of each of the block's
    rows.
    """
    weights = _Weights(faults, block.rows, block.columns, cell_map, low, high)
    if weights.sound.all():
        return
    weights_uS = cell_map.join(cell_map.take(targets, block.rows, block.columns).astype(np.float64))
    _, inputs = np.unique(spread, return_inverse=True)
    _, outputs = np.unique(np.stack([block.outputs, block.slice_of]), axis=1, return_inverse=True)
    got = _share(weights_uS, weights, inputs, np.arange(len(block.columns)))
    if block.copies > 1:
        got = _share(weights_uS, weights, inputs, outputs.ravel(), got)
    cell_map.put(targets, block.rows, block.columns, cell_map.split_around(got, weights.held, low, high))


def _share(weight: Float, weights: _Weights, inputs: Integral, outputs: Integral, start: Float | None = None) -> Float:
    """Differences that the weights can have, whose sums over each (input, output) come near to those wanted."""
    got = np.clip(weight if start is None else start, weights.least, weights.most)
    cell = inputs[:, None] * (outputs.max() + 1) + outputs[None, :]
    count = int(cell.max()) + 1
    for _ in range(ROUNDS):
        missing = np.bincount(cell.ravel(), (weight - got).ravel(), count)
        sign = np.sign(missing)[cell]
        room = (sign > 0) & (got < weights.most) | (sign < 0) & (got > weights.least)
        share = missing / np.maximum(np.bincount(cell.ravel(), room.ravel(), count), 1.0)
        got = np.clip(got + np.where(room, share[cell], 0.0), weights.least, weights.most)
    return got


def arrange_rows(
    targets: Sequence[tuple[Block, Float]], faults: FaultMaps, cell_map: CellMap, low: float, high: float
) -> Integers:
    """Which of a layer's rows goes where: a permutation of its rows with the least squared error, of shape (rows,).

    ``targets`` are the blocks of the layer, each with the differences of conductances ``[column, row]`` in uS that its
    columns want from all rows of the layer: not those of the block only. Row ``result[k]`` goes to place k.
    """
    rows = targets[0][1].shape[1]
    cost = np.zeros((rows, rows))
    for block, difference in targets:
        if block.core not in faults:
            continue
        weights = _Weights(faults[block.core], block.rows, block.columns, cell_map, low, high)
        for row, column in zip(*np.nonzero(~weights.sound), strict=True):
            w = difference[column]
            cost[block.first + row] += (w - np.clip(w, weights.least[row, column], weights.most[row, column])) ** 2
    if not cost.any():
        return np.arange(rows)
    from scipy.optimize import linear_sum_assignment  # faults are few: most runs begin sooner without it

    # A small price for moving: rows stay where they are if nothing is won.
    price = 1e-6 * float(cost.max())
    return linear_sum_assignment(cost + price * ~np.eye(rows, dtype=bool))[1]

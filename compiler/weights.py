"""Weights as differential pairs of conductances, and the factors that turn codes back into numbers."""

import numpy as np
from numpy.typing import NDArray

from compiler.mapping import Block
from compiler.program import DITHER
from hw.config import Chip
from macro_models.exact.operation import STEP_FRACTION_BITS

__all__ = ["PairMap", "code_value", "column_sums", "share_weights", "spread_rows"]


class PairMap:
    """Conductances of one layer.

    A weight w of output j becomes ``g+ - g- = w / unit_j``: the side of its sign gets ``g_min + abs(w) / unit_j``,
    the other stays at g_min, and what exceeds g_max is clipped. ``unit_j`` (per uS) is such that ``clip_j`` times the
    column's largest weight takes g_max: columns differ in scale, which the digital side multiplies back.

    Parameters
    ----------
    weight
        Shape (outputs, rows), the scale of the input codes folded in.
    clip
        Shape (outputs,), above 0, at most 1.
    """

    def __init__(self, weight: NDArray[np.float64], clip: NDArray[np.float64], chip: Chip) -> None:
        self.chip = chip
        low, high = chip.cells.g_min_uS, chip.cells.g_max_uS
        largest = np.abs(weight).max(axis=1, initial=0.0)
        self.unit = np.where(largest > 0, largest * clip, 1.0) / (high - low)
        g = np.clip(weight / self.unit[:, None], low - high, high - low)
        self.positive = low + np.maximum(g, 0.0)
        self.negative = low + np.maximum(-g, 0.0)

    def dither(self, targets: NDArray[np.float32], block: Block, row: int, step_code: int) -> None:
        """Shifts the copies of a block by fractions of a decrement, by means of a row that takes a constant 1.

        The copies of a column then round differently, and their average rounds less; the shifts add up to nothing.
        """
        copy = np.arange(len(block.columns)) // (len(block.columns) // block.copies)
        fraction = (copy + 0.5) / block.copies - 0.5
        rows = np.concatenate([2 * block.rows, 2 * block.rows + 1])
        decrement = step_code * 2.0**-STEP_FRACTION_BITS * targets[np.ix_(rows, block.columns)].sum(axis=0)
        low, high = self.chip.cells.g_min_uS, self.chip.cells.g_max_uS
        shift = np.clip(fraction * decrement, low - high, high - low)
        pair = 2 * int(block.rows[row])
        targets[pair, block.columns] = low + np.maximum(shift, 0.0)
        targets[pair + 1, block.columns] = low + np.maximum(-shift, 0.0)

    def fill(self, targets: NDArray[np.float32], block: Block) -> None:
        """Writes the pairs of a block into a core's targets ``[bl, sl]``, in uS."""
        inputs = slice(block.first, block.first + len(block.rows))
        columns = block.columns[None, :]
        targets[2 * block.rows[:, None], columns] = self.positive[block.outputs, inputs].T
        targets[2 * block.rows[:, None] + 1, columns] = self.negative[block.outputs, inputs].T


def column_sums(
    targets: NDArray[np.float32], rows: NDArray[np.integer], columns: NDArray[np.integer], chip: Chip
) -> NDArray[np.int64]:
    """Sum of the codes of a column's cells whose word line is on, from the targets, of shape (columns,)."""
    lsb = chip.cells.g_full_scale_uS / (2**chip.core.g_bits - 1)
    lines = np.concatenate([2 * rows, 2 * rows + 1])
    codes = np.rint(targets[np.ix_(lines, columns)].astype(np.float64) / lsb).astype(np.int64)
    return codes.sum(axis=0)


def code_value(sums: NDArray[np.int64], step_code: int, unit: NDArray[np.float64], chip: Chip) -> NDArray[np.float64]:
    """What one half step of a column stands for, in the units of the layer's output, of shape (columns,).

    The converter takes ``s = 2 * rint(step_code * sum_g / 2**14)`` from twice the accumulated product, so a code (in
    half steps) stands for an accumulated product of ``s / 4``: this multiplies the column's sum of conductances back.
    """
    lsb = chip.cells.g_full_scale_uS / (2**chip.core.g_bits - 1)
    half_step = np.maximum(1.0, np.rint(step_code * 2.0**-STEP_FRACTION_BITS * sums)) / 2.0
    return half_step * lsb * unit


def spread_rows(weight: NDArray[np.float64], rows: int, *, dither: bool = False) -> NDArray[np.int32]:
    """Which input each row takes, of shape (rows,), for weights of shape (outputs, inputs), inputs <= rows.

    Rows beyond one an input go to the inputs with the largest weights, which are then shared out among their rows:
    the smaller the largest share, the larger the conductances of everything else. With ``dither`` one of them takes a
    constant, see :meth:`PairMap.dither`.
    """
    size = np.abs(weight)
    typical = (size / np.maximum(size.max(axis=1, keepdims=True), 1e-300)).mean(axis=0)
    inputs = weight.shape[1]
    count = np.ones(inputs, dtype=np.int64)
    constant = int(dither and rows > inputs)
    for _ in range(rows - inputs - constant):
        count[np.argmax(typical / count)] += 1
    return np.append(np.repeat(np.arange(inputs), count), [DITHER] * constant).astype(np.int32)


def share_weights(weight: NDArray[np.float64], spread: NDArray[np.int32]) -> NDArray[np.float64]:
    """Weights of the rows, of shape (outputs, rows): those of the inputs, shared out among their rows."""
    rows = spread != DITHER
    shared = weight / np.bincount(spread[rows], minlength=weight.shape[1])
    return np.where(rows, shared[:, spread], 0.0)

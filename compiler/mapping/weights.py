"""Weights as conductances of cells, and the factors that turn codes back into numbers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mho.compiler.program import DITHER
from mho.compiler.types import Float
from mho.hw.config import Chip
from mho.macro_models.integer.operation import STEP_FRACTION_BITS
from mho.macro_models.types import Indices, Integers, Integral


@dataclass(frozen=True, kw_only=True)
class Block:
    """A rectangle of one layer's weights in one core.

    ``rows`` are the core's rows of the layer's rows ``first`` and up; ``columns`` the physical source lines;
    ``outputs``, of the length of ``columns``, the output of the layer that each serves. With copies an output occurs
    several times, and with slices once for each slice of each copy: all columns of slice 0 of a copy, then those of
    slice 1, and so on.
    """

    layer: int
    core: int
    first: int
    rows: Indices
    columns: Indices
    outputs: Indices
    copies: int
    wl_select: int
    line_select: int
    slices: int = 1

    @property
    def copy_of(self) -> Integers:
        """Which copy each column belongs to, of shape (columns,)."""
        return np.arange(len(self.columns)) // (len(self.columns) // self.copies)

    @property
    def slice_of(self) -> Integers:
        """Which slice of the weights each column holds, 0 for the most significant, of shape (columns,)."""
        columns = len(self.columns)
        return np.arange(columns) // (columns // (self.copies * self.slices)) % self.slices


Stack = Literal["even", "rows", "copies"]
"""How a weight is shared out among its cells: evenly, or in as few as hold it, of the rows or of the copies, too."""

NO_WEIGHT = 2.0**-8
"""Largest weight of an output without any, relative to that of all: multipliers have 15 bits."""

SIGNIFICANCE_BITS = 12
"""What the most significant slice counts more than the least, at most, as a power of two: multipliers have 15 bits."""


class PairMap:
    """Conductances of one layer.

    A weight w of output j becomes a difference ``g = w / unit_j`` of cells
    (:class:`mho.macro_models.cell_map.CellMap`), clipped to what they can make. ``unit_j`` (per uS) is such that
    ``clip_j`` times the column's largest weight takes the largest difference: columns differ in scale, which the
    digital side multiplies back.

    With several slices a weight has cells in each: ``w = unit_j * sum_s 2**(-bits * s) * g_s``, see
    :func:`slice_codes`.

    Parameters
    ----------
    weight
        Shape (outputs, rows), the scale of the input codes folded in. Where a layer has several parts
        (:mod:`mho.compiler.mapping.parts`), the rows are those of an output's part.
    clip
        Shape (outputs,), above 0, at most 1.
    slices
        Sets of cells of a weight.
    bits
        What a slice counts more than the next, as a power of two, 1 to :func:`most_slice_bits`.

    Attributes
    ----------
    clip
        As given.
    map
        What cells a weight has.
    cells
        Their conductances in uS, of shape (cells, copies or 1, slices, outputs, rows), most significant slice first.
    unit
        What 1 uS of the difference stands for, of shape (slices, outputs).
    """

    def __init__(
        self,
        weight: Float,
        clip: Float,
        chip: Chip,
        *,
        slices: int = 1,
        bits: int = 0,
        copies: int = 1,
        stack: Stack = "even",
        spread: Indices | None = None,
    ) -> None:
        self.chip, self.slices, self.bits, self.copies, self.clip = chip, slices, bits, copies, clip
        self.stack: Stack = stack
        self.config = chip.macro_config()
        self.map = self.config.cell_map
        low, high = chip.cells.g_min_uS, chip.cells.g_max_uS
        top = self.map.top(low, high)
        largest = np.abs(weight).max(axis=1, initial=0.0)
        # What has no weights shall have no noise, either.
        largest = np.where(largest > 0, largest * clip, NO_WEIGHT * largest.max(initial=0.0) or 1.0)
        if slices == 1:
            unit = largest / top
            g = np.clip(weight / unit[:, None], -top, top)[None, None]
            if stack != "even" and spread is not None:
                g = stack_cells(g[0, 0], spread, top, copies if stack == "copies" else 1)[:, None]
        else:
            lsb = grid_step(chip)
            first, last = grid_ends(chip)
            steps = int(self.map.top(first, last))
            reach = slice_reaches(steps, slices, bits)[0]
            unit = largest / (reach * lsb)
            g = lsb * slice_codes(reach * weight / largest[:, None], steps, slices, bits)[None]
            low, high = lsb * first, lsb * last
        self.unit = unit * 2.0 ** (-bits * np.arange(slices))[:, None]
        self.cells = self.map.split(g, low, high)

    def unit_of(self, block: Block) -> Float:
        """What 1 uS of a difference stands for in each column of a block, of shape (columns,)."""
        return self.unit[block.slice_of, block.outputs]

    def cells_of(self, block: Block) -> Float:
        """The cells of the weights of a block, in uS, of shape (cells, columns, rows)."""
        first = block.first % self.cells.shape[-1]
        rows = slice(first, first + len(block.rows))
        at = (block.copy_of % self.cells.shape[1], block.slice_of, block.outputs, rows)
        return np.stack([cell[at] for cell in self.cells])

    def dither(self, targets: NDArray[np.float32], block: Block, rows: Integral, step_code: int) -> None:
        """Shifts the copies of a block by fractions of a decrement, by means of ``rows`` that take a constant 1.

        The copies of a column then round differently, and their average rounds less; the shifts add up to nothing.
        """
        fraction = (block.copy_of + 0.5) / block.copies - 0.5
        cells = targets[self.map.gated_by(block.rows, block.columns)]
        decrement = step_code * 2.0**-STEP_FRACTION_BITS * self.config.load(cells, axis=0)
        low, high = self.chip.cells.g_min_uS, self.chip.cells.g_max_uS
        top = self.map.top(low, high)
        # Of several rows each two hold as much whatever the shift, so that all copies have the same load.
        common = np.resize([top / 2, -top / 2], len(rows))[:, None] if len(rows) % 2 == 0 else np.zeros((1, 1))
        shift = np.clip(common + fraction * decrement / len(rows), -top, top)
        self.map.put(targets, block.rows[rows], block.columns, self.map.split(shift, low, high))

    def fill(self, targets: NDArray[np.float32], block: Block) -> None:
        """Writes the cells of a block into a core's targets, in uS."""
        self.map.put(targets, block.rows, block.columns, self.cells_of(block).swapaxes(1, 2))


def stack_cells(g: Float, spread: Indices, top: float, copies: int = 1) -> Float:
    """Differences such that few cells hold as much as they can, and all others nothing.

    The cells of one weight, on all rows of its input and in ``copies`` columns, keep their sum. Cells in the middle of
    the range scatter most, as measured devices tell, so that the sum has less noise than that of equal shares.

    Parameters
    ----------
    g
        Differences with equal shares, of shape (outputs, rows), in ``-most..most``.
    spread
        Input of each row, of shape (rows,) or (outputs, rows).

    Returns
    -------
    numpy.ndarray
        Shape (copies, outputs, rows).
    """
    size, result = np.abs(g), np.zeros((copies, *g.shape))
    number, rows = numbered_rows(spread)
    for copy in range(copies):
        # Outputs and inputs begin with copies in turn, so that columns have similar sums.
        turn = (copy + spread + np.arange(len(g))[:, None]) % copies
        part = np.clip(copies * rows * size - (copies * number + turn) * top, 0.0, top)
        result[copy] = np.where(spread >= 0, np.sign(g) * part, 0.0)
    return result


def numbered_rows(spread: Indices) -> tuple[Integers, Integers]:
    """Of each row, its number among those of its input, and how many those are, along the last dimension."""
    order = np.argsort(spread, axis=-1, kind="stable")
    sorted_inputs = np.take_along_axis(spread, order, axis=-1)
    place = np.broadcast_to(np.arange(spread.shape[-1]), spread.shape)
    begins = np.ones(spread.shape, dtype=bool)
    begins[..., 1:] = sorted_inputs[..., 1:] != sorted_inputs[..., :-1]
    first = np.maximum.accumulate(np.where(begins, place, 0), axis=-1)
    ends = np.ones(spread.shape, dtype=bool)
    ends[..., :-1] = begins[..., 1:]
    last = np.minimum.accumulate(np.where(ends, place, spread.shape[-1])[..., ::-1], axis=-1)[..., ::-1]
    number, count = np.empty(spread.shape, dtype=np.int64), np.empty(spread.shape, dtype=np.int64)
    np.put_along_axis(number, order, place - first, axis=-1)
    np.put_along_axis(count, order, last - first + 1, axis=-1)
    return number, count


def grid_step(chip: Chip) -> float:
    return chip.cells.g_full_scale_uS / (2**chip.core.g_bits - 1)


def grid_ends(chip: Chip) -> tuple[int, int]:
    """Codes of the lowest and the highest conductance on the grid of the cells."""
    lsb = grid_step(chip)
    first, last = int(np.ceil(chip.cells.g_min_uS / lsb)), int(np.floor(chip.cells.g_max_uS / lsb))
    return first, max(first + 1, min(last, 2**chip.core.g_bits - 1))


def most_slice_bits(slices: int, chip: Chip) -> int:
    """Most bits by which a slice counts more than the next: from there on, it could not hold what rounding leaves."""
    steps = chip.macro_config().cell_map.top(*grid_ends(chip))
    return max(1, min(int(np.log2(2 * steps)), SIGNIFICANCE_BITS // max(1, slices - 1)))


def slice_reaches(top: int, slices: int, bits: int) -> list[float]:
    """Largest value that each slice can hold together with those below it, in its own steps.

    A slice rounds to whole steps, up to half a step away, which those below must make good.
    """
    reach = [float(top)]
    for _ in range(slices - 1):
        reach.insert(0, top + reach[0] * 2.0**-bits - 0.5)
    return reach


def slice_codes(value: Float, top: int, slices: int, bits: int) -> Float:
    """Slices of weights as whole numbers ``d`` in ``-top..top``, ``value ~ sum_s 2**(-bits * s) * d[s]``.

    Each slice takes its share of the weight, rounded, and the next one, which counts ``2**bits`` times less, all that
    is left: its own share and what rounding left. So the error is that of the last slice alone; and the shares make
    all conductances as large as they can be for the same weights, so that noise of the cells matters least.

    Parameters
    ----------
    value
        Weights of any shape, in steps of the first slice; what the slices cannot hold is clipped.
    top
        Largest code of a slice.
    slices, bits
        See :class:`PairMap`.

    Returns
    -------
    numpy.ndarray
        Shape (slices, ...).
    """
    result, rest = [], value
    for reach in slice_reaches(top, slices, bits):
        rest = np.clip(rest, -reach, reach)
        result.append(np.rint(rest * (top / reach)))
        rest = (rest - result[-1]) * 2.0**bits
    return np.stack(result)


def column_loads(targets: NDArray[np.float32], rows: Integral, columns: Integral, chip: Chip) -> Integral:
    """Loads of columns whose word lines ``rows`` are on, in codes, from the targets, of shape (columns,).

    See :meth:`mho.macro_models.MacroConfig.load`.
    """
    lsb, config = grid_step(chip), chip.macro_config()
    cells = targets[config.cell_map.gated_by(rows, columns)]
    return config.load(np.rint(cells.astype(np.float64) / lsb).astype(np.int64), axis=0, unit_uS=lsb)


def code_value(loads: Integral, step_code: int, unit: Float, chip: Chip) -> Float:
    """What one half step of a column stands for, in the units of the layer's output, of shape (columns,).

    The converter takes ``s = 2 * rint(step_code * load / 2**14)`` from twice the accumulated product, so a code (in
    half steps) stands for an accumulated product of ``s / 4``: this multiplies the column's load back.
    """
    lsb = grid_step(chip)
    half_step = np.maximum(1.0, np.rint(step_code * 2.0**-STEP_FRACTION_BITS * loads)) / 2.0
    return half_step * lsb * unit


def spread_rows(weight: Float, rows: int, *, dither: int = 0) -> Indices:
    """Which input each row takes, of shape (rows,), for weights of shape (outputs, inputs), inputs <= rows.

    Rows beyond one an input go to the inputs with the largest weights, which are then shared out among their rows:
    the smaller the largest share, the larger the conductances of everything else. ``dither`` of them, if so many are
    left, take a constant, see :meth:`PairMap.dither`.
    """
    size = np.abs(weight)
    typical = (size / np.maximum(size.max(axis=1, keepdims=True), 1e-300)).mean(axis=0)
    inputs = weight.shape[1]
    count = np.ones(inputs, dtype=np.int64)
    constant = min(dither, rows - inputs)
    for _ in range(rows - inputs - constant):
        count[np.argmax(typical / count)] += 1
    return np.append(np.repeat(np.arange(inputs), count), [DITHER] * constant).astype(np.int32)


def share_weights(weight: Float, spread: Indices) -> Float:
    """Weights of the rows, of shape (outputs, rows): those of the inputs, shared out among their rows."""
    rows = spread != DITHER
    shared = weight / np.bincount(spread[rows], minlength=weight.shape[1])
    return np.where(rows, shared[:, spread], 0.0)

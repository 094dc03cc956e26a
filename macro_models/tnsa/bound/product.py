"""A product of a program on a transposable core, without what its rows and columns have in common.

Rows that take the same input are added before anything is multiplied, and so are their variances: sums of integers,
which have one value in whatever order. The input of a dithered row is a constant, so that it and the offset of the
converters are one more row of the matrix: the product then gives the charge itself.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.arrays import product as exact_product
from mho.macro_models.compiled import loops_of
from mho.macro_models.integer.random import NORMAL_TABLE
from mho.macro_models.integer.tnsa.converter import combine_segments
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.macro_models.macro import MvmResult
from mho.macro_models.tnsa.converter.conversion import (
    convert_charge,
    count_steps,
    segment_inputs,
    steps_taken,
    steps_to,
)
from mho.macro_models.tnsa.sensing import SINGLE_EXACT, Key, Product, Spread, Steps
from mho.macro_models.types import Array, Flags, Integers, Integral

compiled: Callable[[], Callable[..., None] | None] = loops_of("mho.macro_models.tnsa.bound.read_compiled")

Charge = Callable[[Key, Product, NDArray[np.floating], NDArray[np.uint64], int], Array]
"""Charges of a batch: (key, product, inputs, numbers of the conversions, samples of each)."""


class FoldedProduct:
    """Forward products of one core; see :meth:`mho.macro_models.macro.MacroModel.bind`.

    Parameters
    ----------
    op, key, enabled, steps
        The operation, what it sees of the array, which lines of the key it converts, and their decrements.
    rows, taken, inputs, columns
        As of :meth:`~mho.macro_models.macro.MacroModel.bind`.
    charge, quiet
        What makes charges, and whether it draws nothing and integrates as integers do.
    noise
        Key of the draws of the read noise, where all that makes charges is that of the cells; None otherwise.
    """

    def __init__(
        self, op: TnsaOperation, key: Key, enabled: Flags, steps: Steps, *, rows: Integral,
        taken: Integral, inputs: int, columns: Integral, charge: Charge, quiet: bool,
        noise: tuple[int, int] | None = None,
    ) -> None:
        assert key.pairs is not None
        lines = np.arange(len(key.wl))[key.columns]
        self._op, self._key, self._steps, self._enabled, self._charge = op, key, steps, enabled, charge
        self._product = _fold(key.pairs, rows, taken, inputs)
        same = len(columns) == len(lines) and bool((columns == lines).all())
        self._pick = None if same else np.searchsorted(lines, columns)
        counts, self._all = op.converter is Converter.COUNT, bool(enabled.all())
        plain = quiet and steps.equal and counts
        self._charges = _charges(key, self._product, max(op.segment_planes)) if plain else None
        self._loops = _Loops.of(key, self._product, steps, noise) if counts and noise is not None else None
        self._kind = self._product.matrix.dtype if self._charges is None else self._charges.dtype

    def compute(self, x: Array, op_id: NDArray[np.uint64]) -> MvmResult:
        """See :meth:`mho.macro_models.macro.BoundProduct.compute`."""
        op = self._op
        codes = np.zeros((), dtype=np.int16)
        steps = np.empty((len(x), op.segments), dtype=np.int64)
        x = x if x.dtype == self._kind else x.astype(self._kind)
        for segment, (planes, part) in enumerate(zip(op.segment_planes, segment_inputs(op, x), strict=True)):
            segment_codes, steps[:, segment] = self._convert(part, op_id + np.uint64(segment), 2**planes - 1)
            codes = combine_segments(codes, segment_codes).astype(np.int16, copy=False) if segment else segment_codes
        return MvmResult(codes if self._pick is None else codes[:, self._pick], steps)

    def _convert(
        self, x: NDArray[np.floating], op_id: NDArray[np.uint64], samples: int
    ) -> tuple[NDArray[np.int16], Integers]:
        op = self._op
        if self._charges is not None:
            codes, steps = count_steps(op, exact_product(x, self._charges), self._steps)
        elif self._loops is not None:
            codes, top = self._loops.run(op, x, op_id)
            steps = steps_to(op, top)
        else:
            charge = self._charge(self._key, self._product, x, op_id, samples)
            return convert_charge(op, charge, self._steps, self._enabled)
        if not self._all:
            codes *= self._enabled
            steps = steps_taken(op, codes)
        return codes, steps


class _Loops:
    """Conversions whose noise is that of the cells, in compiled loops."""

    def __init__(self, loops: Callable[..., None], key: Key, product: Product, steps: Steps, draws: tuple[int, int]):
        assert key.total is not None
        self._loops, self._product = loops, product
        offset = key.offset.astype(np.float64)
        self._lines = np.stack([key.inverse, key.total, offset, *steps.floats[np.float64]])
        self._blocks, self._draws = key.draw_blocks.astype(np.uint32), np.array(draws, dtype=np.uint32)

    @classmethod
    def of(cls, key: Key, product: Product, steps: Steps, draws: tuple[int, int]) -> "_Loops | None":
        """None where there are no loops, or they do not serve."""
        loops = compiled()
        # The charge is exact in double; the matrix has to be in single precision.
        if loops is None or product.matrix.dtype != np.float32:
            return None
        return cls(loops, key, product, steps, draws)

    def run(
        self, op: TnsaOperation, x: NDArray[np.floating], op_id: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Codes, (batch, lines), and the largest magnitude of each vector."""
        a, spread = exact_product(x, self._product.matrix), self._product.spread
        assert spread is not None
        cross = a[:0] if spread.cross is None else exact_product(x, spread.cross)
        if cross.shape[1] != a.shape[1]:
            cross = np.ascontiguousarray(np.broadcast_to(cross, a.shape))
        codes, top = np.empty(a.shape, dtype=np.int16), np.empty(len(a), dtype=np.int16)
        self._loops(
            a, exact_product(x * x, spread.square), cross, self._lines, np.ascontiguousarray(op_id), self._blocks,
            self._draws, NORMAL_TABLE, op.max_steps, op.relu, codes, top,
        )
        return codes, top


def _fold(pairs: Product, rows: Integral, taken: Integral, inputs: int) -> Product:
    """The rows of a product, those of one input added."""
    shared = np.zeros((inputs, len(rows)), dtype=pairs.matrix.dtype)
    shared[taken, np.arange(len(rows))] = 1
    alone = int(np.bincount(taken, minlength=1).max()) <= 1

    def fold(matrix: Array | None) -> Array | None:
        if matrix is None:
            return None
        if alone:
            folded = np.zeros((inputs, matrix.shape[1]), dtype=matrix.dtype)
            folded[taken] = matrix[rows]
            return folded
        # Integers, exact in the type of the matrix as all sums of its columns.
        return exact_product(shared, matrix[rows])

    matrix, spread = fold(pairs.matrix), pairs.spread
    assert matrix is not None
    if spread is not None:
        square = fold(spread.square)
        assert square is not None
        spread = Spread(square, fold(spread.cross))
    # Lines of a pair take the input of its row, those of other rows none.
    driven = np.zeros(len(pairs.matrix))
    driven[rows], of_row = 1.0, np.zeros(len(pairs.matrix), dtype=np.intp)
    of_row[rows] = taken
    line, sign = pairs.inputs
    return replace(pairs, matrix=matrix, spread=spread, inputs=(of_row[line], sign * driven[line]))


def _charges(key: Key, product: Product, planes: int) -> NDArray[np.floating]:
    """What makes charges of inputs, the last of which is 1."""
    matrix = 2.0 * product.matrix.astype(np.float64)
    matrix[-1] += key.offset
    top = np.abs(matrix[:-1]).sum(axis=0) * (2**planes - 1) + np.abs(matrix[-1])
    return matrix.astype(np.float32 if top.max(initial=0.0) < SINGLE_EXACT else np.float64)

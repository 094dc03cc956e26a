"""A product of a program on a transposable core, without what its rows and columns have in common.

Rows that take the same input are added before anything is multiplied, and so are their variances: sums of integers,
which have one value in whatever order. The input of a dithered row is a constant, so that it and the offset of the
converters are one more row of the matrix: the product then gives the charge itself.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from macro_models.exact.converter import combine_segments
from macro_models.exact.operation import Converter, MvmOperation
from macro_models.macro import MvmResult
from macro_models.tnsa.conversion import convert_charge, count_steps, segment_inputs
from macro_models.tnsa.sensing import SINGLE_EXACT, Key, Product, Spread, Steps

__all__ = ["Charge", "FoldedProduct"]

Charge = Callable[[Key, Product, NDArray[np.floating], NDArray[np.uint64], int], NDArray[Any]]
"""Charges of a batch: (key, product, inputs, numbers of the conversions, samples of each)."""


class FoldedProduct:
    """Forward products of one core; see :func:`macro_models.bound.bind`.

    Parameters
    ----------
    op, key, enabled, steps
        The operation, what it sees of the array, which lines of the key it converts, and their decrements.
    rows, taken, inputs, columns
        As of :func:`~macro_models.bound.bind`.
    charge, quiet
        What makes charges, and whether it draws nothing and integrates as integers do.
    """

    def __init__(
        self, op: MvmOperation, key: Key, enabled: NDArray[np.bool_], steps: Steps, *, rows: NDArray[np.integer],
        taken: NDArray[np.integer], inputs: int, columns: NDArray[np.integer], charge: Charge, quiet: bool,
    ) -> None:
        assert key.pairs is not None
        lines = np.arange(len(key.wl))[key.columns]
        self._op, self._key, self._steps, self._enabled, self._charge = op, key, steps, enabled, charge
        self._product = _fold(key.pairs, rows, taken, inputs)
        same = len(columns) == len(lines) and bool((columns == lines).all())
        self._pick = None if same else np.searchsorted(lines, columns)
        plain = quiet and steps.equal and op.converter is Converter.COUNT and bool(enabled.all())
        self._charges = _charges(key, self._product, max(op.segment_planes)) if plain else None
        self._kind = self._product.matrix.dtype if self._charges is None else self._charges.dtype

    def compute(self, x: NDArray[Any], op_id: NDArray[np.uint64]) -> MvmResult:
        """See :meth:`macro_models.bound.BoundProduct.compute`."""
        op = self._op
        codes = np.zeros((), dtype=np.int16)
        steps = np.empty((len(x), op.segments), dtype=np.int64)
        x = x if x.dtype == self._kind else x.astype(self._kind)
        for segment, (planes, part) in enumerate(zip(op.segment_planes, segment_inputs(op, x), strict=True)):
            found, steps[:, segment] = self._convert(part, op_id + np.uint64(segment), 2**planes - 1)
            codes = combine_segments(codes, found).astype(np.int16, copy=False) if segment else found
        return MvmResult(codes if self._pick is None else codes[:, self._pick], steps)

    def _convert(
        self, x: NDArray[np.floating], op_id: NDArray[np.uint64], samples: int
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        op = self._op
        if self._charges is not None:
            return count_steps(op, np.matmul(x, self._charges), self._steps)
        charge = self._charge(self._key, self._product, x, op_id, samples)
        return convert_charge(op, charge, self._steps, self._enabled)


def _fold(pairs: Product, rows: NDArray[np.integer], taken: NDArray[np.integer], inputs: int) -> Product:
    """The rows of a product, those of one input added."""

    def fold(matrix: NDArray[Any] | None) -> NDArray[Any] | None:
        if matrix is None:
            return None
        total = np.zeros((inputs, matrix.shape[1]))
        np.add.at(total, taken, matrix[rows])
        return total.astype(matrix.dtype)

    matrix, spread = fold(pairs.matrix), pairs.spread
    assert matrix is not None
    if spread is not None:
        square = fold(spread.square)
        assert square is not None
        spread = Spread(square, fold(spread.cross))
    return replace(pairs, matrix=matrix, spread=spread)


def _charges(key: Key, product: Product, planes: int) -> NDArray[np.floating]:
    """What makes charges of inputs, the last of which is 1."""
    matrix = 2.0 * product.matrix.astype(np.float64)
    matrix[-1] += key.offset
    top = np.abs(matrix[:-1]).sum(axis=0) * (2**planes - 1) + np.abs(matrix[-1])
    return matrix.astype(np.float32 if top.max(initial=0.0) < SINGLE_EXACT else np.float64)

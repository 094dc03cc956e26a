"""One product of a program on one programmed core: bound once, then computed for batch after batch.

What does not change from batch to batch is done when it is bound: which rows take which input, which columns are
converted, what the constant input of a dithered row adds. A kind whose model can use that has a method ``bind``; for
any other the whole core is computed.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, Masks, MvmOperation
from mho.macro_models.integer.vector import take_vectors
from mho.macro_models.macro import MacroModel, MvmResult

__all__ = ["BoundProduct", "bind", "compute_taken", "constant_input"]


class BoundProduct(Protocol):
    """One operation of one core on given rows and columns."""

    def compute(self, x: NDArray[Any], op_id: NDArray[np.uint64]) -> MvmResult:
        """Codes of the columns, (batch, columns), and decrements, (batch, segments).

        ``x`` holds integers within ``op.input_range``, of shape (batch, inputs), in any type; its last column is
        :func:`constant_input`. ``op_id`` numbers the first conversion of each vector.
        """
        ...


def constant_input(op: MvmOperation) -> int:
    """Input of a row that takes a constant: 1 in each segment."""
    return 1 if op.segments == 1 else (1 << LSB_SEGMENT_BITS) + 1


def bind(
    model: MacroModel, op: MvmOperation, masks: Masks, rows: NDArray[np.integer], taken: NDArray[np.integer],
    inputs: int, columns: NDArray[np.integer],
) -> BoundProduct:
    """A product of ``model``.

    Parameters
    ----------
    op, masks
        As of :meth:`MacroModel.mvm`.
    rows, taken
        Rows of weights, and which of ``inputs`` each takes; the last input is the constant.
    columns
        Converted lines whose codes are wanted, in their order.
    """
    own_bind = getattr(model, "bind", None)
    if own_bind is None:
        return _Whole(model, op, masks, rows, taken, columns)
    return own_bind(op, masks, rows, taken, inputs, columns)


def compute_taken(
    product: BoundProduct, values: NDArray[np.float32], index: NDArray[np.uint32],
    op_id: Callable[[], NDArray[np.uint64]],
) -> MvmResult:
    """:meth:`BoundProduct.compute` of ``values[:, index]``, (batch of values, elements) and (vectors of each, inputs).

    ``op_id`` makes the numbers of the conversions where they are wanted. A kind may have a method ``compute_taken``
    that does not make all of these inputs at once.
    """
    own_compute = getattr(product, "compute_taken", None)
    if own_compute is None:
        return product.compute(take_vectors(values, index), op_id())
    return own_compute(values, index, op_id)


class _Whole:
    """A product by means of :meth:`MacroModel.mvm`."""

    def __init__(
        self, model: MacroModel, op: MvmOperation, masks: Masks, rows: NDArray[np.integer], taken: NDArray[np.integer],
        columns: NDArray[np.integer],
    ) -> None:
        self._model, self._op, self._masks = model, op, masks
        self._rows, self._taken, self._columns = rows, taken, columns

    def compute(self, x: NDArray[Any], op_id: NDArray[np.uint64]) -> MvmResult:
        """See :meth:`BoundProduct.compute`."""
        vector = np.zeros((len(x), self._model.config.inputs(self._op.direction)), dtype=np.int16)
        vector[:, self._rows] = x[:, self._taken]
        result = self._model.mvm(self._op, self._masks, vector, op_id)
        # What clipped is counted for all columns of the core: an upper bound where a product has some.
        return MvmResult(result.codes[:, self._columns], result.steps, clipped=result.clipped)

"""The lazy evaluator: one call of the macro model for each conversion, with as little around it as possible."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from macro_models.tnsa.model import TnsaModel
from macro_models.tnsa.sensing import Key
from sim.kinds import Body

__all__ = ["BODY", "CHARGE", "PRODUCT", "Evaluator"]

BODY = Body(hdl="tnsa_macro.sv", icarus="tnsa_macro.v")
"""Its C++ is in every simulator."""

CHARGE, PRODUCT = 0, 1
"""What the shim finds: whole charges, or products to which it adds the offsets."""


class Evaluator:
    """Answers the shim's conversions of one macro model.

    The buffers are views of the shim's memory, made once. Where nothing is drawn for a conversion it is one product of
    a vector and a matrix of integers in single precision, which is exact in whatever order it is summed.

    Parameters
    ----------
    model
        The programmed macro.
    record
        The shim's ``Conversion`` structure.
    """

    def __init__(self, model: TnsaModel, record: Any) -> None:
        lines = model.config.lines
        self._model = model
        self._lines = lines

        def view(name: str, dtype: type, count: int = lines) -> NDArray[Any]:
            return np.frombuffer(getattr(record, name), dtype=dtype, count=count)

        self._x, self._pairs = view("x", np.float32), view("pairs", np.float32, lines // 2)
        self._wl = view("wl", np.uint8)
        self._product, self._charge = view("product", np.float32), view("charge", np.int64)
        self._offset, self._s_pos, self._s_neg = (view(name, np.int64) for name in ("offset", "s_pos", "s_neg"))
        self._key: Key | None = None
        self._by_lines: NDArray[np.float32] | None = None
        self._by_pairs: NDArray[np.float32] | None = None

    def forget(self) -> None:
        """The next conversion looks its key up, whatever the shim says."""
        self._key = None

    def __call__(self, record: Any) -> int:
        """Answer one conversion; returns :data:`CHARGE` or :data:`PRODUCT`."""
        if self._key is None or not record.same_key:
            self._select(record)
        if self._by_pairs is not None and record.paired:
            np.dot(self._pairs, self._by_pairs, out=self._product)
            return PRODUCT
        if self._by_lines is not None:
            np.dot(self._x, self._by_lines, out=self._product)
            return PRODUCT
        assert self._key is not None
        x = self._x.astype(np.int64)
        self._charge[:] = self._model.conversion(self._key, x, record.op_id, record.step_code, record.samples)[0]
        return CHARGE

    def _select(self, record: Any) -> None:
        key = self._model.key(bool(record.backward), self._wl.astype(np.bool_))
        steps = self._model.answer_steps(key, record.step_code)
        self._s_pos[:], self._s_neg[:], self._offset[:] = steps.pos, steps.neg, key.offset
        if key is self._key:
            return
        self._key = key
        drawn = not key.quiet or self._model.neuron is not None
        self._by_lines = None if drawn else _doubled(key.lines.matrix)
        self._by_pairs = None if drawn or key.pairs is None else _doubled(key.pairs.matrix)


def _doubled(matrix: NDArray[np.floating]) -> NDArray[np.float32] | None:
    """``2 K``: its products are twice the accumulators. Exact where ``K`` is, since only exponents change."""
    return 2.0 * matrix if matrix.dtype == np.float32 else None

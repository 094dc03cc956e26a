"""A product of a program on a phase-change core: only its inputs and its columns are computed."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from macro_models.exact.pwm.operation import PwmOperation
from macro_models.exact.random import LANES
from macro_models.macro import MvmResult
from macro_models.pwm.sensing import Key, lines_of

if TYPE_CHECKING:
    from macro_models.pwm.model import PwmModel

__all__ = ["NarrowProduct"]

_CODES = 1 << 15  # of a block of vectors: what is alive fits into the second-level cache


class NarrowProduct:
    """Products of one core; parameters as of :func:`macro_models.bound.bind`."""

    def __init__(
        self, model: "PwmModel", op: PwmOperation, key: Key, enabled: NDArray[np.bool_], *, rows: NDArray[np.integer],
        taken: NDArray[np.integer], inputs: int, columns: NDArray[np.integer],
    ) -> None:
        blocks = np.unique(columns // LANES).astype(np.uint64)
        lines = lines_of(blocks)
        self._model, self._op, self._calibration = model, op, model.calibration
        self._key = key.narrow(rows, taken, inputs, blocks)
        self._oscillators, self._digital = model.trimmed.take(lines), model.calibration.digital.take(lines)
        self._enabled, self._pick = enabled[lines], np.searchsorted(lines, columns)

    def compute(self, x: NDArray[Any], op_id: NDArray[np.uint64]) -> MvmResult:
        """See :meth:`macro_models.bound.BoundProduct.compute`."""
        codes = np.empty((len(x), len(self._enabled)), dtype=np.int16)
        size, step_code = max(16, _CODES // len(self._enabled)), self._calibration.step_code(self._op.step_code)
        for start in range(0, len(x), size):
            block = slice(start, start + size)
            counted = self._model.counters(self._key, x[block], op_id[block], step_code, self._oscillators)
            codes[block] = self._digital.compute(self._op, *counted, self._enabled)
        same = len(self._pick) == codes.shape[1] and bool((np.diff(self._pick) == 1).all())
        return MvmResult(codes if same else codes[:, self._pick], np.zeros((len(x), 1), dtype=np.int64))

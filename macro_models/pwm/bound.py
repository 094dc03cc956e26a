"""A product of a program on a phase-change core: only its inputs and its columns are computed."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.pwm.calibration import Calibration
from mho.macro_models.integer.pwm.converter import Oscillators, Whole
from mho.macro_models.integer.pwm.operation import PwmOperation
from mho.macro_models.integer.random import LANES
from mho.macro_models.macro import MvmResult
from mho.macro_models.pwm.sensing import Key, lines_of

__all__ = ["NarrowProduct"]

Count = Callable[[Key, NDArray[Any], NDArray[np.uint64], int, Oscillators, NDArray[np.bool_]], tuple[Whole, Whole]]
"""Counters of conversions: (key, inputs, their numbers, step code at the pins, oscillators of the columns, which of
them clipped)."""
_CODES = 1 << 15  # of a block of vectors: what is alive fits into the second-level cache


class NarrowProduct:
    """Products of one core.

    Parameters
    ----------
    count, key, oscillators
        What counts, what it sees of the array, and the trimmed oscillators of the core.
    op, enabled, calibration
        The operation, which columns it converts, and the registers that correct converters.
    rows, taken, inputs, columns
        As of :func:`mho.macro_models.macro.bind`.
    """

    def __init__(
        self, count: Count, op: PwmOperation, key: Key, enabled: NDArray[np.bool_], oscillators: Oscillators,
        calibration: Calibration, *, rows: NDArray[np.integer], taken: NDArray[np.integer], inputs: int,
        columns: NDArray[np.integer],
    ) -> None:
        blocks = np.unique(columns // LANES).astype(np.uint64)
        lines = lines_of(blocks)
        self._count, self._op, self._step_code = count, op, calibration.step_code(op.step_code)
        self._key = key.narrow(rows, taken, inputs, blocks)
        self._oscillators, self._digital = oscillators.take(lines), calibration.digital.take(lines)
        self._enabled, self._pick = enabled[lines], np.searchsorted(lines, columns)

    def compute(self, x: NDArray[Any], op_id: NDArray[np.uint64]) -> MvmResult:
        """See :meth:`mho.macro_models.macro.BoundProduct.compute`."""
        codes = np.empty((len(x), len(self._enabled)), dtype=np.int16)
        clipped = np.zeros(codes.shape, dtype=np.bool_)
        size = max(16, _CODES // len(self._enabled))
        for start in range(0, len(x), size):
            block = slice(start, start + size)
            counted = self._count(
                self._key, x[block], op_id[block], self._step_code, self._oscillators, clipped[block]
            )
            codes[block] = self._digital.compute(self._op, *counted, self._enabled)
        same = len(self._pick) == codes.shape[1] and bool((np.diff(self._pick) == 1).all())
        steps, beyond = np.zeros((len(x), 1), dtype=np.int64), (clipped & self._enabled)[:, self._pick].sum(axis=1)
        return MvmResult(codes if same else codes[:, self._pick], steps, clipped=beyond)

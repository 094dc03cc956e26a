"""Codes of conversions without noise, in loops that numba compiles; import it through ``bound.compiled_count``.

The same quotients and floors as :func:`macro_models.tnsa.conversion.count_steps`, in one pass.
"""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from macro_models.loops import compile_loops

__all__ = ["make_loops"]


def _count(charge: Any, steps: Any, most: Any, relu: Any, codes: Any, top: Any):
    """Codes and the largest magnitude of each vector, of charges in single precision."""
    n = charge.shape[1]
    low, high = np.float32(-most - 1), np.float32(most)
    for v in range(charge.shape[0]):
        for j in range(n):
            count = np.floor(min(max(charge[v, j] / steps[j], low), high))
            codes[v, j] = np.int16(np.int32(count) * np.int32(2) + np.int32(1))
        if relu:
            for j in range(n):
                codes[v, j] = max(codes[v, j], np.int16(0))
        largest = np.int16(0)
        for j in range(n):
            largest = max(largest, max(codes[v, j], np.int16(-codes[v, j])))
        top[v] = largest


_SIGNATURE = nb.void(
    nb.float32[:, ::1], nb.float32[::1], nb.int64, nb.boolean, nb.int16[:, ::1], nb.int16[::1],
)


def make_loops() -> Callable[..., None] | None:
    """Compile :func:`_count`; None if numba is off. The arguments are those of :data:`_SIGNATURE`."""
    return compile_loops(_SIGNATURE, _count, nogil=True)

"""Codes of conversions without noise, in loops that numba compiles; import it through ``bound.compiled_count``.

The same quotients and floors as :func:`macro_models.tnsa.conversion.count_steps`, in one pass.
"""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from macro_models.loops import compile_loops

__all__ = ["make_loops"]


def _count(charge: Any, steps: Any, alike: Any, most: Any, relu: Any, codes: Any, top: Any):
    """Codes and the largest magnitude of each vector, of charges in single precision.

    ``alike`` says which of the charges each line has; it is empty where each has its own.
    """
    n, lines = charge.shape[1], codes.shape[1]
    low, high = np.float32(-most - 1), np.float32(most)
    own, some = alike.shape[0] == 0, np.empty(n, np.int16)
    in_turn = not own and lines % n == 0
    for j in range(alike.shape[0]):
        in_turn = in_turn and alike[j] == j % n
    for v in range(charge.shape[0]):
        row = codes[v] if own else some
        for j in range(n):
            count = np.floor(min(max(charge[v, j] / steps[j], low), high))
            row[j] = np.int16(np.int32(count) * np.int32(2) + np.int32(1))
        if relu:
            for j in range(n):
                row[j] = max(row[j], np.int16(0))
        largest = np.int16(0)
        for j in range(n):
            largest = max(largest, max(row[j], np.int16(-row[j])))
        top[v] = largest
        if in_turn:
            for first in range(0, lines, n):
                target = codes[v, first : first + n]
                for j in range(n):
                    target[j] = row[j]
        elif not own:
            target = codes[v]
            for j in range(lines):
                target[j] = row[alike[j]]


_SIGNATURE = nb.void(
    nb.float32[:, ::1], nb.float32[::1], nb.uint32[::1], nb.int64, nb.boolean, nb.int16[:, ::1], nb.int16[::1],
)


def make_loops() -> Callable[..., None] | None:
    """Compile :func:`_count`; None if numba is off. The arguments are those of :data:`_SIGNATURE`."""
    return compile_loops(_SIGNATURE, _count, nogil=True)

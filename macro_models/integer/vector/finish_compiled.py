"""What follows the sums of a layer, in loops that numba compiles; import it through ``vector.compiled_finish``.

The same integers as :class:`mho.macro_models.integer.vector.Root` and ``Encode``, in one pass.
"""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from mho.macro_models.loops import compile_loops, read

__all__ = ["make_loops"]


def _root(total: Any, bias: Any, relu: Any, shift: Any, low: Any, high: Any, largest: Any, codes: Any, beyond: Any):
    """Codes of sums, and how many of these are above ``most``."""
    half, places, above = np.int32((1 << shift) >> 1), np.int32(shift & 15), 0
    for v in range(total.shape[0]):
        row, target, count = total[v], codes[v], np.int32(0)
        for j in range(row.shape[0]):
            lane = np.int32(np.int16(row[j] + bias[j]))
            count += np.int32(lane > largest)
            if relu:
                lane = max(lane, np.int32(0))
            target[j] = np.int16(min(max(np.int32(np.int32(lane + half) >> places), low), high))
        above += count
    beyond[0] = above


def _encode(lanes: Any, offset: Any, multiplier: Any, shift: Any, low: Any, high: Any, codes: Any, beyond: Any):
    """Codes of lanes, and how many of these are beyond the lowest and the largest code."""
    half, above = np.int64((1 << shift) >> 1), 0
    for v in range(lanes.shape[0]):
        row, target, count = lanes[v], codes[v], np.int64(0)
        for j in range(row.shape[0]):
            product = (np.int64(row[j]) - np.int64(offset[j])) * np.int64(multiplier[j])
            free = (product + half) >> shift
            code = min(max(free, low), high)
            count += np.int64((code != free) & (multiplier[j] != 0))
            target[j] = np.int16(code)
        above += count
    beyond[0] = above


_ROOT = nb.void(
    read(nb.int16, 2), read(nb.int16, 1), nb.boolean, nb.int64, nb.int32, nb.int32, nb.int32, nb.int16[:, ::1],
    nb.int64[::1],
)
_ENCODE = nb.void(
    read(nb.int16, 2), read(nb.int16, 1), read(nb.int32, 1), nb.int64, nb.int64, nb.int64, nb.int16[:, ::1],
    nb.int64[::1],
)


def make_loops() -> tuple[Callable[..., None], Callable[..., None]] | None:
    """Compile :func:`_root`, for shifts up to 15, and :func:`_encode`; None if numba is off."""
    root, encode = (compile_loops(kind, loop, nogil=True) for kind, loop in ((_ROOT, _root), (_ENCODE, _encode)))
    return None if root is None or encode is None else (root, encode)

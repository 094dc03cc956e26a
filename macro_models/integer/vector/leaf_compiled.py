"""Leaves of a product in loops that numba compiles; import it through ``vector.compiled_leaves``.

The same integers as :func:`mho.macro_models.integer.vector.scale_leaf` and ``sum_leaves``: sums that wrap around have
one value in whatever order.
"""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from mho.macro_models.loops import compile_loops

__all__ = ["make_loops"]


def _add(codes: Any, multiplier: Any, half: Any, shift: Any, count: Any, first: Any, total: Any):
    """Columns of ``count`` outputs from ``first`` on, several times those side by side, to ``total``.

    32 bits hold everything; numba makes 64 of what is not said to have them. Rows are taken as arrays of their own,
    since an index that might be negative keeps a loop from being vectorised.
    """
    n = codes.shape[1]
    leaf, places = np.empty(n, np.int16), np.int32(shift & np.int32(31))
    for v in range(codes.shape[0]):
        row, target = codes[v], total[v, first : first + count]
        for j in range(n):
            product = np.int32(np.int32(row[j]) * multiplier[j])
            leaf[j] = np.int16(np.int32(product + half) >> places)
        turn = n // count
        while turn > 1:
            # Half of the columns onto the others, many at once; where they are an odd number, the first stays alone.
            left = turn - turn // 2
            onto, part = leaf[(turn % 2) * count : left * count], leaf[left * count : turn * count]
            for j in range(part.shape[0]):
                onto[j] = np.int16(onto[j] + part[j])
            turn = left
        for j in range(count):
            target[j] = np.int16(target[j] + leaf[j])


_SIGNATURE = nb.void(
    nb.int16[:, ::1], nb.int32[::1], nb.int32, nb.int32, nb.int64, nb.int64, nb.int16[:, ::1],
)


def make_loops() -> Callable[..., None] | None:
    """Compile :func:`_add`; None if numba is off. The arguments are those of :data:`_SIGNATURE`."""
    return compile_loops(_SIGNATURE, _add, nogil=True)

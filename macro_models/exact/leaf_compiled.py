"""Leaves of a product in loops that numba compiles; import it through ``vector.compiled_leaves``.

The same integers as :func:`macro_models.exact.vector.scale_leaf` and ``sum_leaves``: sums that wrap around have one
value in whatever order.
"""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from macro_models.loops import compile_loops

__all__ = ["make_loops"]


def _add(codes: Any, factor: Any, count: Any, first: Any, total: Any):
    """Columns of ``count`` outputs from ``first`` on, several times those side by side, to ``total``.

    ``factor`` is the multiplier over the power of two of the shift. Products of 31 bits, halves of a unit and floors
    are exact in double precision, which processors shift no slower than integers.
    """
    turns = codes.shape[1] // count
    for v in range(codes.shape[0]):
        for t in range(turns):
            at = t * count
            for j in range(count):
                leaf = np.int32(np.floor(np.float64(codes[v, at + j]) * factor[at + j] + 0.5))
                total[v, first + j] = np.int16(total[v, first + j] + np.int16(leaf))


_SIGNATURE = nb.void(
    nb.int16[:, ::1], nb.float64[::1], nb.int64, nb.int64, nb.int16[:, ::1],
)


def make_loops() -> Callable[..., None] | None:
    """Compile :func:`_add`; None if numba is off. The arguments are those of :data:`_SIGNATURE`."""
    return compile_loops(_SIGNATURE, _add, nogil=True)

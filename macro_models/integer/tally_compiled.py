"""How often there is each code, in loops that numba compiles; import it through ``tally.compiled_tally``.

``numpy.bincount`` holds the interpreter's lock, and takes numbers of 64 bits: three times as long.
"""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from mho.macro_models.loops import compile_loops, read

__all__ = ["make_loops"]


def _tally(codes: Any, top: Any, counts: Any):
    """Codes, those beyond ``top`` in magnitude as ``top``, to ``counts``, (2 * top + 1,)."""
    for v in range(codes.shape[0]):
        row = codes[v]
        for j in range(row.shape[0]):
            counts[np.uint32(min(max(np.int32(row[j]), -top), top) + top)] += 1


_SIGNATURE = nb.void(read(nb.int16, 2), nb.int32, nb.int64[::1])


def make_loops() -> Callable[..., None] | None:
    """Compile :func:`_tally`; None if numba is off. The arguments are those of :data:`_SIGNATURE`."""
    return compile_loops(_SIGNATURE, _tally, nogil=True)

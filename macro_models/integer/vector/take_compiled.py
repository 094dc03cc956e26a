"""Elements by their index in loops that numba compiles; import it through ``vector.compiled_take``.

``numpy.take`` looks at each index, of 64 bits, and copies four bytes as it would many: it takes twice as long.
"""

from collections.abc import Callable
from typing import Any

import numba as nb

from mho.macro_models.loops import compile_loops

__all__ = ["make_loops"]


def _take(x: Any, index: Any, elements: Any):
    """``x[:, index]``; indices must be right."""
    for v in range(x.shape[0]):
        row, target = x[v], elements[v]
        for k in range(index.shape[0]):
            target[k] = row[index[k]]


_SIGNATURE = nb.void(nb.float32[:, ::1], nb.uint32[::1], nb.float32[:, ::1])


def make_loops() -> Callable[..., None] | None:
    """Compile :func:`_take`; None if numba is off. The arguments are those of :data:`_SIGNATURE`."""
    return compile_loops(_SIGNATURE, _take, nogil=True)

"""Effective matrices that this process built before."""

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.array.effective import effective_matrix
from mho.macro_models.array.wires import Mode, Wires, check_conductances, check_lines_on
from mho.macro_models.types import Reals

LIMIT_BYTES = 64 << 20
"""Most bytes of matrices kept: 128 of 256 x 256."""


class MatrixCache:
    """Effective matrices by content, least recently used out first.

    Parameters
    ----------
    limit_bytes
        Most bytes of matrices kept. A larger matrix is built each time.
    """

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit, self._bytes = limit_bytes, 0
        self._kept: OrderedDict[bytes, Reals] = OrderedDict()
        self._lock = Lock()

    def matrix(
        self, g_S: ArrayLike, wires: Wires, *, mode: Mode, wl: ArrayLike | None = None, backward: bool = False
    ) -> Reals:
        """Do as :func:`mho.macro_models.array.effective_matrix` does, same arguments; the result is read-only."""
        g = check_conductances(g_S)
        # Rows that are off have no cells: that is all that a mask changes, so it needs no place of its own in the key.
        g = np.where(check_lines_on(wl, g.shape[0])[:, None], g, 0.0)
        key = blake2b(repr((g.shape, wires, mode, bool(backward))).encode() + g.tobytes(), digest_size=16).digest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        e = effective_matrix(g, wires, mode=mode, backward=backward)
        e.flags.writeable = False
        with self._lock:
            if key not in self._kept:
                self._kept[key] = e
                self._bytes += e.nbytes
            while self._bytes > self._limit:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return e

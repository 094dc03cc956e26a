"""Draws of noise in the process of a simulator: by its own C++ (``hdl/philox.cpp``), where it has that."""

from ctypes import c_int64, c_uint32, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.random import use_words

__all__ = ["draw_in_cpp"]


def draw_in_cpp(library: Any) -> bool:
    """Have :mod:`mho.macro_models.integer.random` draw by a library; whether it can."""
    philox = getattr(library, "mho_philox", None)
    if philox is None:
        return False
    philox.argtypes = [c_uint32, c_uint32, c_int64, c_void_p, c_int64, c_uint32, c_void_p]
    philox.restype = None

    def words(key: tuple[int, int], op_ids: NDArray[np.uint64], blocks: int, step: int) -> NDArray[np.uint32]:
        drawn = np.empty(4 * blocks * len(op_ids), np.uint32)
        philox(*key, len(op_ids), op_ids.ctypes.data, blocks, step, drawn.ctypes.data)
        return drawn

    use_words(words)
    return True

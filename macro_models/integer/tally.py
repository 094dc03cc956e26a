"""How often there is each code."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.compiled import loops_of

__all__ = ["compiled_tally", "tally"]

compiled_tally: Callable[[], Callable[..., None] | None] = loops_of("mho.macro_models.integer.tally_compiled")


def tally(codes: NDArray[np.int16], top: int) -> NDArray[np.int64]:
    """How often each code from -``top`` to ``top`` is in ``codes``, (vectors, columns): (2 * top + 1,).

    Those beyond count as the ends.
    """
    loops = compiled_tally()
    if loops is None:
        return np.bincount((np.clip(codes, -top, top) + np.int16(top)).ravel(), minlength=2 * top + 1)
    counts = np.zeros(2 * top + 1, dtype=np.int64)
    loops(np.ascontiguousarray(codes), top, counts)
    return counts

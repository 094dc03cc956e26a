"""How often there is each code."""

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.types import Integers


def tally(codes: NDArray[np.int16], top: int) -> Integers:
    """How often each code from -``top`` to ``top`` is in ``codes``, (vectors, columns): (2 * top + 1,).

    Those beyond count as the ends.
    """
    kind = np.int16 if 2 * top < 2**15 else np.int32
    return np.bincount((np.clip(codes, -top, top).astype(kind, copy=False) + kind(top)).ravel(), minlength=2 * top + 1)

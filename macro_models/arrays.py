"""Products of matrices, where all time of a large run goes, and variances whose sums are exact."""

import numpy as np

from mho.macro_models.types import Array, Reals


def product(x: Array, matrix: Array) -> Array:
    """``x @ matrix`` of finite numbers.

    Kernels of linear algebra compute with what lies beside small matrices too, and raise flags for it at times.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return np.matmul(x, matrix)


_VARIANCE_TOP = 2.0**24


def variance_grid(variance: Reals) -> tuple[Reals, float] | None:
    """Variances as whole numbers below 2**24, and their unit, a power of two; None if there are none.

    A sum of 2**15 of them, each times a squared input, is below 2**53 and so has one value in whatever order.
    """
    top = float(variance.max(initial=0.0))
    if top == 0.0:
        return None
    unit = 2.0 ** np.ceil(np.log2(top / (0.99 * _VARIANCE_TOP)))
    return np.rint(variance / unit), unit

"""Products of matrices of whole numbers: where all time of a large run goes, and what another library may do instead.

All sums here are exact in the type of their arrays, so that they have one value whatever computes them and in whatever
order: another library, on another kind of processor, gives numpy's bits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from mho.macro_models.types import Array, Reals


class ArrayLibrary(Protocol):
    """What computes products."""

    name: str

    def product(self, x: Array, matrix: Array) -> Array:
        """``x @ matrix`` of floats that hold whole numbers, with all sums exact; ``matrix`` is often the same one."""
        ...


_current: list[ArrayLibrary] = []


def library() -> ArrayLibrary | None:
    """What computes products now; None: numpy."""
    return _current[-1] if _current else None


def product(x: Array, matrix: Array) -> Array:
    """``x @ matrix``, both of floats that hold whole numbers."""
    return _current[-1].product(x, matrix) if _current else multiplied(x, matrix)


def multiplied(x: Array, matrix: Array) -> Array:
    """``x @ matrix`` of finite numbers by numpy.

    Kernels of linear algebra compute with what lies beside small matrices too, and raise flags for it at times.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return np.matmul(x, matrix)


@contextmanager
def products_by(library: ArrayLibrary | None) -> Iterator[None]:
    """Products within, of all threads, by ``library``; None leaves all as it is."""
    if library is None:
        yield
        return
    _current.append(library)
    try:
        yield
    finally:
        _current.remove(library)


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

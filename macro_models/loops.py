"""Loops that numba compiles. Needs numba: only the modules that hold such loops import it."""

from collections.abc import Callable
from typing import Any

import numba as nb

__all__ = ["compile_loops", "read"]


def read(kind: Any, dimensions: int) -> Any:
    """A contiguous array that loops do not write to."""
    return nb.types.Array(kind, dimensions, "C", readonly=True)


def compile_loops(signature: Any, function: Callable[..., None], **options: Any) -> Callable[..., None] | None:
    """Compile ``function`` for one signature; None if numba is off.

    What is compiled is kept beside its file or in the user's cache; where neither can be written or what is there
    cannot be read, it is compiled for this process alone.
    """
    if nb.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return None
    try:
        return nb.njit(signature, error_model="numpy", cache=True, **options)(function)
    except Exception:  # whatever a foreign cache throws; what is wrong with the loops themselves, the next line throws
        return nb.njit(signature, error_model="numpy", **options)(function)

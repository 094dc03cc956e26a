"""Loops that numba compiles, where it is installed; without it this module does."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any


def loops_of(module: str) -> Callable[[], Any]:
    """``LOOPS`` of a module, compiled when first asked for; None where numba is not there or off."""

    @cache
    def loops() -> Any:
        try:
            return import_module(module).LOOPS
        except ImportError:
            return None

    return loops


def compile_loops(signature: Any, function: Callable[..., None], **options: Any) -> Callable[..., None] | None:
    """Compile ``function`` for one signature; None if numba, which it needs, is off.

    What is compiled is kept beside its file or in the user's cache; where neither can be written or what is there
    cannot be read, it is compiled for this process alone.
    """
    import numba as nb

    if nb.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return None
    try:
        return nb.njit(signature, error_model="numpy", cache=True, **options)(function)
    except Exception:  # whatever a foreign cache throws; what is wrong with the loops themselves, the next line throws
        return nb.njit(signature, error_model="numpy", **options)(function)

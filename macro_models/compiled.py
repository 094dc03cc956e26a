"""Loops that are there where numba is installed. This module does without it."""

from collections.abc import Callable
from functools import cache, wraps
from typing import TypeVar

__all__ = ["where_numba_is"]

Loops = TypeVar("Loops")


def where_numba_is(make: Callable[[], Loops | None]) -> Callable[[], Loops | None]:
    """Make loops once, by a function that imports the module with them; None where numba is not installed or off."""

    @cache
    @wraps(make)
    def loops() -> Loops | None:
        try:
            return make()
        except ImportError:
            return None

    return loops

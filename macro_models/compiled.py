"""Loops that are there where numba is installed. This module does without it."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["loops_of"]


def loops_of(module: str) -> Callable[[], Any]:
    """What ``make_loops`` of a module gives, imported when first asked; None where numba is not there or off."""

    @cache
    def loops() -> Any:
        try:
            return import_module(module).make_loops()
        except ImportError:
            return None

    return loops

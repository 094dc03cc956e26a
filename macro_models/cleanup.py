"""What is undone when an object goes, or its process ends, also where the process ends without Python's own end."""

import os
import weakref
from collections.abc import Callable
from typing import Any

_waiting: "set[weakref.finalize[..., Any]]" = set()


def _forget() -> None:
    """In a copy of this process: what waits belongs to the one that was copied."""
    for finalizer in _waiting:
        finalizer.detach()
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def at_end(owner: object, undo: Callable[..., object], *arguments: object) -> "weakref.finalize[..., Any]":
    """Undo something once: when it is called, when ``owner`` goes, or when the process ends.

    Parameters
    ----------
    owner
        What it belongs to.
    undo
        Called with ``arguments``, neither of which may hold ``owner``.
    *arguments
        Of ``undo``.
    """
    _waiting.difference_update([waiting for waiting in _waiting if not waiting.alive])
    finalizer = weakref.finalize(owner, undo, *arguments)
    _waiting.add(finalizer)
    return finalizer


def clean_up() -> None:
    """Undo all that waits: for ends at which Python calls nothing."""
    for finalizer in list(_waiting):
        finalizer()
    _waiting.clear()

"""Temporary folders that do not outlive their process, however it ends.

A folder is locked by its owner; who makes the next one beside it removes those whose owners are gone.
"""

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mho.macro_models.errors import ToolError

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


_OWNER = ".owner"
_UNOWNED_S = 3600.0


class Workspace:
    """A temporary folder of this process.

    Raises OSError if it cannot be made in ``parent``. Raises ToolError if it cannot be made where nothing was said.

    Parameters
    ----------
    kind
        What it is called.
    parent
        Where it is made; the folder of the system for such things if nothing is said.
    """

    def __init__(self, kind: str, parent: Path | None = None) -> None:
        try:
            place = Path(tempfile.gettempdir()) if parent is None else parent
            _sweep(place)
            self.path, owner = _make(f"{'' if parent is None else '.'}mho-{kind}-", place)
        except OSError as error:
            if parent is not None:
                raise
            sentence = f"no temporary folder can be made ({error.strerror}); set TMPDIR to one with room"
            raise ToolError(sentence) from None
        self.close = at_end(self, _remove, self.path, owner)

    def keep(self) -> None:
        """What it holds is not to be lost if this process is killed: nobody else removes it from now on."""
        (self.path / _OWNER).unlink()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()


def _make(prefix: str, place: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        try:
            owner = os.open(path / _OWNER, os.O_CREAT | os.O_RDWR, 0o600)
        except FileNotFoundError:
            continue  # somebody took it for one without an owner
        if _lock(owner) and (path / _OWNER).exists():
            return path, owner
        os.close(owner)


def _lock(owner: int) -> bool:
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(place: Path) -> None:
    """Remove what processes left that are gone."""
    for path in (*place.glob("mho-*-????????"), *place.glob(".mho-*-????????")):
        with suppress(OSError):
            if not (path / _OWNER).exists():
                # Its owner may be about to write it.
                if path.is_dir() and not any(path.iterdir()) and time.time() - path.stat().st_mtime > _UNOWNED_S:
                    path.rmdir()
                continue
            owner = os.open(path / _OWNER, os.O_RDWR)
            try:
                if _lock(owner):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(owner)


def _remove(path: Path, owner: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(owner)

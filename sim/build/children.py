"""Processes and folders that do not outlive this one, however it ends.

A child forms a process group with all that it starts and with a guard: a shell that waits at a pipe. When this process
ends, by SIGKILL too, the pipe closes and the guard ends the group. A temporary folder is locked by its owner; who makes
the next one beside it removes those whose owners are gone.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from macro_models.errors import ToolError

__all__ = ["Child", "Workspace", "run_tool"]

_GUARD = ("/bin/sh", "-c", "read _; kill -9 0")
_OWNER = ".owner"
_UNOWNED_S = 3600.0


def _release(guard: "subprocess.Popen[bytes]") -> None:
    """End the group of a guard."""
    if guard.stdin is not None:
        guard.stdin.close()
    guard.wait()


class Child(subprocess.Popen[bytes]):
    """A process that ends with this one, and all that it started with it.

    It is no member of the terminal's foreground group: an interrupt there is for this process.

    Parameters
    ----------
    command
        Program and arguments.
    **options
        Of :class:`subprocess.Popen`.
    """

    def __init__(self, command: Sequence[str | Path], **options: Any) -> None:
        guard = subprocess.Popen(
            _GUARD, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
        )
        self.end_group = weakref.finalize(self, _release, guard)
        try:
            super().__init__(command, process_group=guard.pid, **options)
        except BaseException:
            self.end_group()
            raise

    def end(self, patience: float = 0.0) -> int:
        """Wait ``patience`` seconds for its end, then end it and what it started. Returns the exit code."""
        try:
            if patience > 0:
                with suppress(subprocess.TimeoutExpired):
                    self.wait(patience)
        finally:
            self.end_group()
        return self.wait()


def run_tool(
    command: Sequence[str], folder: Path, log: Path, *, output: IO[bytes] | None = None, timeout: float | None = None
) -> int:
    """Run a tool in ``folder``, which also takes its temporary files, to its end.

    Parameters
    ----------
    log
        File to which its output is appended.
    output
        What takes its standard output instead.
    timeout
        Seconds.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    ToolError
        If it does not end in time, or cannot be started.
    """
    name = Path(command[0]).name
    with log.open("ab") as errors:
        try:
            child = Child(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output or errors, stderr=errors,
                env={**os.environ, "TMPDIR": str(folder.absolute())},
            )
        except OSError as error:
            raise ToolError(f"{name} cannot be started ({error.strerror})") from None
        try:
            return child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ToolError(f"{name} did not end within {timeout:g} s") from None
        finally:
            child.end()


class Workspace:
    """A temporary folder of this process.

    Parameters
    ----------
    kind
        What it is called.
    parent
        Where it is made; the folder of the system for such things if nothing is said.

    Attributes
    ----------
    path
        The folder.

    Raises
    ------
    OSError
        If it cannot be made in ``parent``.
    ToolError
        If it cannot be made where nothing was said.
    """

    def __init__(self, kind: str, parent: Path | None = None) -> None:
        try:
            place = Path(tempfile.gettempdir()) if parent is None else parent
            _sweep(place)
            self.path, owner = _make(f"{'' if parent is None else '.'}mho-{kind}-", place)
        except OSError as error:
            if parent is not None:
                raise
            raise ToolError(f"no temporary folder can be made ({error.strerror}); set TMPDIR to one with room") from None
        self.close = weakref.finalize(self, _remove, self.path, owner)

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

"""Processes that do not outlive this one, however it ends.

A child forms a process group with all that it starts and with a guard: a shell that waits at a pipe. When this process
ends, by SIGKILL too, the pipe closes and the guard ends the group.
"""

import math
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from mho.macro_models.errors import ToolError
from mho.macro_models.workspace import at_end

_LOOK_S = 2.0
"""Between two questions whether there is hope."""

_GUARD = ("/bin/sh", "-c", "read _; kill -9 0")


def _release(guard: "subprocess.Popen[bytes]") -> None:
    """End the group of a guard."""
    if guard.stdin is not None:
        guard.stdin.close()
    guard.wait()


class GivenUp(ToolError):
    """A tool was ended that would have gone on for nothing."""


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
        self.end_group = at_end(self, _release, guard)
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
    command: Sequence[str], folder: Path, log: Path, *, output: IO[bytes] | None = None, timeout: float | None = None,
    hopeless: Callable[[], bool] | None = None,
) -> int:
    """Run a tool in ``folder``, which also takes its temporary files, to its end.

    Raises GivenUp if it is hopeless. Raises ToolError if it does not end in time, or cannot be started.

    Parameters
    ----------
    log
        File to which its output is appended.
    output
        What takes its standard output instead.
    timeout
        Seconds.
    hopeless
        Asked every few seconds whether to wait on is of no use.

    Returns
    -------
    int
        The exit code.
    """
    name = Path(command[0]).name
    end = time.monotonic() + (math.inf if timeout is None else timeout)
    with log.open("ab") as errors:
        try:
            child = Child(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output or errors, stderr=errors,
                # Relative, since Yosys and Icarus write it into scripts, whatever the folder's path has in it.
                env={**os.environ, "TMPDIR": "."},
            )
        except OSError as error:
            raise ToolError(f"{name} cannot be started ({error.strerror})") from None
        try:
            while hopeless is not None and not _ended(child, min(_LOOK_S, max(end - time.monotonic(), 0.0))):
                if hopeless():
                    raise GivenUp(f"{name} comes to no end")
                if time.monotonic() >= end:
                    break
            return child.wait(None if timeout is None else max(end - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            raise ToolError(f"{name} did not end within {timeout:g} s") from None
        finally:
            child.end()


def _ended(child: Child, patience: float) -> bool:
    with suppress(subprocess.TimeoutExpired):
        child.wait(patience)
    return child.returncode is not None

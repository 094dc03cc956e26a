"""SIGINT, SIGTERM and SIGHUP end a command in one way: one line, exit code 130, nothing left behind.

Until a command works there is nothing to clean up, and the process ends at once: an exception in the middle of an
import of compiled code may be lost or become another. From then on it is a ``KeyboardInterrupt``.
"""

import atexit
import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

__all__ = ["CODE", "end", "install", "interrupted", "work"]

CODE = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_state = {"working": False, "interrupted": False}


def install() -> None:
    """Take the signals, but for those that this process was started without."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _unraisable


def work() -> None:
    """From here on there may be something to clean up."""
    _state["working"] = True


def interrupted() -> bool:
    """Whether a signal has come: what failed then failed by it."""
    return _state["interrupted"]


def end(code: int) -> NoReturn:
    """End the process; nothing more is to be interrupted."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except Exception:  # it was said, or its reader went away; Python is not to try again
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if interrupted():
        # Where a KeyboardInterrupt came through ``exec``, Python would end itself by the signal.
        atexit._run_exitfuncs()
        os._exit(code)
    sys.exit(code)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if not _state["working"]:
        os.write(2, b"error: interrupted\n")
        os._exit(CODE)
    _state["interrupted"] = True
    raise KeyboardInterrupt


def _unraisable(found: Any) -> None:
    """Python drops exceptions of destructors and callbacks; an interrupt among them comes again."""
    if issubclass(found.exc_type, KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)

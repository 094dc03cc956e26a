"""SIGINT, SIGTERM and SIGHUP end a command in one way: one line, exit code 130, nothing left behind.

Until a command works there is nothing to clean up, and the process ends at once. From then on a signal is a
``KeyboardInterrupt``, but not in the middle of an import, nor while loops are being compiled: compiled modules lose an
exception while they initialise themselves, make another of it, or crash. It is raised when that is done, by a timer,
which also raises it again where foreign code has swallowed it: until :func:`end` or :func:`delivered`, whenever no
exception is on its way.
"""

import os
import re
import signal
import sys
from types import FrameType
from typing import NoReturn

CODE = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_IMPORTED_S, _SWALLOWED_S = 0.05, 1.0
"""How often it is looked whether an import or a compilation is done, and whether an interrupt was swallowed."""
_COMPILES = re.compile(r"<frozen importlib|.*[/\\](numba|llvmlite)[/\\]")
"""How the files of the import system begin, and those of what compiles loops."""
_state = {"working": False, "interrupted": False}


def install() -> None:
    """Take the signals, but for those that this process was started without."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    signal.signal(signal.SIGALRM, _again)
    sys.unraisablehook = _unraisable


def work() -> None:
    """From here on there may be something to clean up."""
    _state["working"] = True


def interrupted() -> bool:
    """Whether a signal has come: what failed then failed by it."""
    return _state["interrupted"]


def delivered() -> int:
    """Nothing more is to be interrupted; returns the exit code."""
    for number in (*_SIGNALS, signal.SIGALRM):
        if signal.getsignal(number) in (_interrupt, _again):
            signal.signal(number, signal.SIG_IGN)
    return CODE


def end(code: int) -> NoReturn:
    """End the process; nothing more is to be interrupted."""
    delivered()
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except Exception:  # it was said, or its reader went away; Python is not to try again
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    if interrupted():
        # Python would end itself by the signal where a KeyboardInterrupt came through ``exec``, and what foreign code
        # does at the end may crash where that code was interrupted.
        from mho.macro_models.workspace import clean_up

        clean_up()
        os._exit(code)
    sys.exit(code)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    if not _state["working"]:
        os.write(2, b"error: interrupted\n")
        os._exit(CODE)
    _state["interrupted"] = True
    _deliver(frame)


def _again(_number: int, frame: FrameType | None) -> None:
    if sys.exc_info()[0] is None:
        _deliver(frame)


def _deliver(frame: FrameType | None) -> None:
    waits = _compiles(frame)
    wait_s = _IMPORTED_S if waits else _SWALLOWED_S
    signal.setitimer(signal.ITIMER_REAL, wait_s, wait_s)
    if not waits:
        raise KeyboardInterrupt


def _compiles(frame: FrameType | None) -> bool:
    """Whether an import or a compilation is under way."""
    while frame is not None:
        if _COMPILES.match(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


def _unraisable(_found: object) -> None:
    """Python drops exceptions of destructors and callbacks; an interrupt among them comes again."""

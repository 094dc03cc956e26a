"""Freed memory that stays with the process while much of it is taken and freed again.

The C library gives large arrays back to the system when they are freed, which clears each page of the next one: a tenth
of the time of a calibration, whose arrays come and go.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# Numbers of the parameters of mallopt(3), and the largest threshold that glibc takes on 64 bits. Its own rule, which
# moves the thresholds with what is freed, ends there too, and at twice that for what is given back.
_TRIM, _MMAP = -1, -3
_MOST = 32 << 20
_KEPT = 1 << 30


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Within, up to a gigabyte of freed memory stays with the process; after it, all is given back.

    Does nothing where the C library is not glibc. Nothing that is computed depends on it.
    """
    glibc = _glibc()
    if glibc is None:
        yield
        return
    glibc.mallopt(_MMAP, _MOST)
    glibc.mallopt(_TRIM, _KEPT)
    try:
        yield
    finally:
        glibc.mallopt(_TRIM, 2 * _MOST)
        glibc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
    except OSError:
        return None

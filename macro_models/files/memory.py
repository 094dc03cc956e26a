"""How much memory is left, and the refusal of what needs more; freed memory that stays with the process."""

import ctypes
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from mho.macro_models.errors import InputError

_VERSION_2 = Path("/sys/fs/cgroup"), "memory.max", ("anon", "shmem")
_VERSION_1 = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", ("total_rss", "total_shmem")
"""Control groups: where they are, the file of the limit, and what of memory.stat is not given back."""


def size_text(size: float) -> str:
    """Bytes in words, as in ``6.4 GB``."""
    power = min(4, (len(str(int(size))) - 1) // 3)
    return f"{size / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


def available_bytes() -> int:
    """Memory that this process may still take: what the machine, its control group and its own limit leave."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    machine = _fields("/proc/meminfo").get("MemAvailable:", pages // 1024) * 1024
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _fields("/proc/self/status").get("VmSize:", 0) * 1024
    process_limit = machine if limit == resource.RLIM_INFINITY else limit - used
    return max(0, min(machine, process_limit, *_groups()))


def _lines(path: str) -> list[str]:
    """Lines of a file of the system, none where there is no such file."""
    try:
        return Path(path).read_text().split("\n")
    except OSError:
        return []


def _fields(path: str) -> dict[str, int]:
    """Lines ``name number ...`` of a file of the system."""
    words = [line.split() for line in _lines(path)]
    return {word[0]: int(word[1]) for word in words if len(word) > 1 and word[1].isdecimal()}


def _groups() -> list[int]:
    """What each control group around the process leaves, of both versions; caches of files are given back."""
    left = []
    for line in filter(None, _lines("/proc/self/cgroup")):
        controllers, path = line.split(":", 2)[1:]
        if controllers and "memory" not in controllers.split(","):
            continue
        root, limit, used = _VERSION_1 if controllers else _VERSION_2
        for group in (group_folder := root / path.strip("/"), *group_folder.parents):
            group_limit = _lines(str(group / limit)) if group.is_relative_to(root) else []
            if group_limit and group_limit[0].isdecimal():
                stat = _fields(str(group / "memory.stat"))
                left.append(int(group_limit[0]) - sum(stat.get(name, 0) for name in used))
    return left


def check_memory(needed: float, what: str, instead: str) -> None:
    """Refuse work before it begins.

    Raises InputError if more is needed than is available, with both.

    Parameters
    ----------
    needed
        An estimate, in bytes.
    what
        The subject of the sentence, as in ``"seeds of 4294967296"``.
    instead
        What would be right.
    """
    free = available_bytes()
    if needed > free:
        raise InputError(
            f"{what} would need about {size_text(needed)} of memory, and {size_text(free)} are available; {instead}"
        )


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

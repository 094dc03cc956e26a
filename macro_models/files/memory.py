"""How much memory is left, and the refusal of what needs more."""

import os
import resource
from pathlib import Path

from macro_models.errors import InputError

__all__ = ["available_bytes", "check_memory", "size_text"]

_GROUPS = Path("/sys/fs/cgroup")


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
    own = machine if limit == resource.RLIM_INFINITY else limit - used
    return max(0, min(machine, own, *_groups()))


def _fields(path: str) -> dict[str, int]:
    """Lines ``name number ...`` of a file of the system, none where there is no such file."""
    try:
        words = [line.split() for line in Path(path).read_text().splitlines()]
    except OSError:
        return {}
    return {word[0]: int(word[1]) for word in words if len(word) > 1 and word[1].isdecimal()}


def _groups() -> list[int]:
    """What each control group around the process leaves; caches of files are given back."""
    try:
        name = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))[3:]
    except (OSError, StopIteration):
        return []
    own, left = _GROUPS / name.strip("/"), []
    for group in (own, *own.parents):
        if group.is_relative_to(_GROUPS) and (group / "memory.max").exists():
            most = (group / "memory.max").read_text().strip()
            if most.isdecimal():
                kept = _fields(str(group / "memory.stat"))
                left.append(int(most) - kept.get("anon", 0) - kept.get("shmem", 0))
    return left


def check_memory(needed: float, what: str, instead: str) -> None:
    """Refuse work before it begins.

    Parameters
    ----------
    needed
        An estimate, in bytes.
    what
        The subject of the sentence, as in ``"seeds of 4294967296"``.
    instead
        What would be right.

    Raises
    ------
    InputError
        If more is needed than is available, with both.
    """
    there = available_bytes()
    if needed > there:
        raise InputError(
            f"{what} would need about {size_text(needed)} of memory, and {size_text(there)} are available; {instead}"
        )

"""Freed memory stays within the context, and goes back after it."""

import platform
import resource
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.files.memory import freed_memory_kept

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc only")


def faults_of_rounds() -> int:
    """Page faults while arrays of 20 MB are filled and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.full(20 << 17, 1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_kB() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


def test_freed_memory_is_taken_again_without_faults() -> None:
    with freed_memory_kept():
        first, again = faults_of_rounds(), faults_of_rounds()
    assert again <= max(first, 1)
    assert again < 100


def test_freed_memory_goes_back_to_the_system() -> None:
    with freed_memory_kept():
        parts = [np.full(2 << 20, 1.0) for _ in range(8)]
        del parts
        before_kB = resident_kB()
    assert before_kB - resident_kB() > 8 * 16 * 1024 * 3 // 4

"""Proofs by Yosys alone, and faults that they must find."""

import subprocess
from pathlib import Path

__all__ = ["assert_proof", "with_fault"]


def with_fault(text: str, fault: tuple[str, str] | None) -> str:
    """The text with what stands once replaced by something wrong."""
    if fault is None:
        return text
    assert text.count(fault[0]) == 1
    return text.replace(*fault)


def assert_proof(script: str, folder: Path, *, holds: bool) -> None:
    """What the script claims of files in a folder must hold, or must not."""
    run = subprocess.run(["yosys", "-q", "-p", script], cwd=folder, check=False, capture_output=True, text=True)
    assert (run.returncode == 0) == holds, run.stdout[-2000:] + run.stderr[-2000:]

"""Tools that benchmarks run."""

import re
import subprocess
from pathlib import Path

from mho.sim.build.toolchain import require_tool

__all__ = ["fmax_MHz", "run_tool"]


def run_tool(command: list[str], folder: Path) -> str:
    """What a command prints in ``folder``; it ends the benchmark if it fails."""
    require_tool(command[0])
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout + done.stderr


def fmax_MHz(report: str) -> float:
    """The clock that nextpnr reached, which its report has last."""
    return float(re.findall(r"Max frequency for clock[^:]*: +([\d.]+) MHz", report)[-1])

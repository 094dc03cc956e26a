"""Tools that benchmarks run, and the clock of what they measure."""

import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mho.sim.build.toolchain import require_tool

__all__ = ["fmax_MHz", "rates", "run_tool"]


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


def rates(
    rows: Mapping[str, Callable[[], object]], batch: int, seconds: float, rounds: int = 5
) -> dict[str, list[float]]:
    """Items per CPU-second of each row in each round, ``batch`` in each call; rows take turns."""
    for work in rows.values():
        work()  # what is compiled or loaded once
    measured: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, work in rows.items():
            start, done = time.process_time(), 0
            while (spent := time.process_time() - start) < seconds / rounds or done == 0:
                work()
                done += batch
            measured[name].append(done / spent)
    return measured

"""The frame of all benchmarks: one thread, their options, what they print and write, tools that they run, the clock."""

import argparse
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from mho.sim.build.toolchain import require_tool

Figures = dict[str, Any]
"""What was measured, by name: a row of a table, or all that is written as JSON."""

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of processes that are begun
threadpool_limits(1, user_api="blas")


def options(page: str | None) -> argparse.ArgumentParser:
    """A parser with ``--json``, described by the first line of a module's docstring."""
    parser = argparse.ArgumentParser(description=(page or "").split("\n")[0])
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file, - in place of the table")
    return parser


def tell(args: argparse.Namespace, result: object, table: Iterable[str] = ()) -> None:
    """Print the table, and write what ``--json`` asks for."""
    text = json.dumps(result, indent=2)
    for line in (text,) if args.json == "-" else table:
        print(line)
    if args.json not in (None, "-"):
        Path(args.json).write_text(text + "\n")


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


def cpu_s(work: Callable[[], object]) -> float:
    """CPU-seconds of the process."""
    start = time.process_time()
    work()
    return time.process_time() - start


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

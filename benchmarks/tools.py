"""Tools that benchmarks run."""

import subprocess
from pathlib import Path

from sim.build.toolchain import require_tool

__all__ = ["run_tool"]


def run_tool(command: list[str], folder: Path) -> str:
    """What a command prints in ``folder``; it ends the benchmark if it fails."""
    require_tool(command[0])
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout + done.stderr

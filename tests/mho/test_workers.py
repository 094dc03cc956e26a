"""Processes that share work, begun anew or copies of this one, end with it and are replaced where they are lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from mho.macro_models.workspace import Workspace
from mho.workers import Processes, workers

folder = Path(sys.argv[1])

def wait(number):
    (folder / str(os.getpid())).touch()
    time.sleep(120)

def lost_once(number):
    mark = folder / "lost"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number, os.getppid()

if __name__ == "__main__":
    copies = sys.argv[3] == "copies"
    assert Processes(2, copies=copies)._start == ("fork" if copies and sys.platform == "linux" else "spawn")
    with Workspace("test") as own, workers(2, copies=copies) as some:
        if sys.argv[2] == "wait":
            list(some.run(wait, range(2)))
        found = dict(some.run(lost_once, range(8)))
        assert {k: square for k, (square, _) in found.items()} == {k: k * k for k in range(8)}, found
        assert own.is_dir()
    assert not own.exists()
"""


@pytest.fixture(params=("copies", "begun"))
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "seen").mkdir()
    return [sys.executable, str(script), str(tmp_path / "seen"), "", request.param]


def test_a_worker_that_is_lost_is_replaced(command: list[str]) -> None:
    command[3] = "lose"
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_workers_end_with_the_process_that_made_them(command: list[str]) -> None:
    command[3] = "wait"
    with subprocess.Popen(command) as parent:
        pids = _when(lambda: [int(entry.name) for entry in Path(command[2]).iterdir()], lambda alive: len(alive) == 2)
        parent.send_signal(signal.SIGKILL)
    assert not _when(lambda: [pid for pid in pids if _runs(pid)], lambda alive: not alive)


def _when(look: Callable[[], list[int]], good: Callable[[list[int]], bool]) -> list[int]:
    """What is found when it is good, or after a while."""
    for _ in range(300):
        pids = look()
        if good(pids):
            return pids
        time.sleep(0.1)
    return look()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # One that ended and was not asked for is no more than its number.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False

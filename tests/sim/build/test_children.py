"""However a process ends, what it started ends, and the folders that it left are swept by the next."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mho.macro_models.errors import ToolError
from mho.macro_models.workspace import Workspace
from mho.sim.build.children import Child, GivenUp, run_tool

ROOT = Path(__file__).parents[3]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)

OWNER = """
import signal, sys
from pathlib import Path
from mho.macro_models.workspace import Workspace
from mho.sim.build.children import run_tool
signal.signal(signal.SIGTERM, signal.default_int_handler)
with Workspace("test", Path(sys.argv[1])) as folder:
    script = "sleep 600 & echo $! $$ >../pids.new; mv ../pids.new ../pids; sleep 600; true"
    run_tool(["sh", "-c", script], folder, folder / "log")
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def descendants(pid: int) -> list[int]:
    """Processes that a process has started, and those that they have."""
    below, family = [], {pid}
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    while more := {child for child, parent in parents.items() if parent in family} - family:
        below += more
        family |= more
    return below


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
@pytest.mark.parametrize("number", SIGNALS)
def test_what_a_tool_starts_ends_with_who_started_the_tool(number: signal.Signals, tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL)
    wait_until((tmp_path / "pids").exists)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(alive(pid) for pid in pids)
    owner.send_signal(number)
    owner.wait(60)
    wait_until(lambda: not any(alive(pid) for pid in pids))
    left = list(tmp_path.glob(".mho-test-*"))
    assert len(left) == (number == signal.SIGKILL)
    with Workspace("other", tmp_path) as folder:
        assert list(tmp_path.glob(".mho-*")) == [folder]


def test_a_folder_whose_owner_lives_is_left_alone(tmp_path: Path) -> None:
    stranger = tmp_path / "mho-notes-abcdefgh"
    stranger.mkdir()
    with Workspace("a", tmp_path) as first, Workspace("b", tmp_path) as second:
        assert first.is_dir()
        assert second.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == [stranger.name]


def test_a_child_is_ended_with_what_it_started(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    assert child.end() == -signal.SIGKILL
    child.stdout.close()
    wait_until(lambda: not alive(pid))
    assert Child(["sh", "-c", "exit 3"]).end(10.0) == 3


def test_a_tool_says_how_it_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run_tool(["sh", "-c", "echo $TMPDIR; exit 7"], tmp_path, log) == 7
    assert log.read_text() == ".\n"
    with pytest.raises(ToolError, match=r"^sleep did not end within 0\.1 s$"):
        run_tool(["sleep", "60"], tmp_path, log, timeout=0.1)
    assert run_tool(["sh", "-c", "exit 7"], tmp_path, log, hopeless=lambda: True) == 7
    with pytest.raises(GivenUp, match=r"^sleep comes to no end$"):
        run_tool(["sleep", "60"], tmp_path, log, hopeless=lambda: True)
    with pytest.raises(ToolError, match=r"^sleep did not end within 0\.1 s$"):
        run_tool(["sleep", "60"], tmp_path, log, timeout=0.1, hopeless=lambda: False)
    with pytest.raises(ToolError, match=r"^nothing cannot be started \(No such file or directory\)$"):
        run_tool([str(tmp_path / "nothing")], tmp_path, log)


def run_and_end(command: list[str], folder: Path, number: signal.Signals, delay: float, environment: dict) -> None:
    """Start a command, end it by a signal, and see that it leaves nothing that the next run does not remove."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(ROOT), **environment}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(delay)
    pids = descendants(process.pid)
    process.send_signal(number)
    process.wait(60)
    wait_until(lambda: not any(alive(pid) for pid in pids))


BUILD = """
import sys
from pathlib import Path
from mho.fpga.build.build import build
build("hx8k-breakout", folder=Path("out"), flow="native")
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_a_build_for_a_board_leaves_no_tool_and_no_folder(number: signal.Signals, tmp_path: Path) -> None:
    for name in ("yosys", "nextpnr-ice40", "icepack"):
        tool = tmp_path / name
        tool.write_text("#!/bin/sh\nsleep 600 & sleep 600; true\n")
        tool.chmod(0o755)
    delays = random.Random(int(number))
    for _ in range(2):
        run_and_end(
            [sys.executable, "-c", BUILD], tmp_path, number, delays.uniform(1.0, 8.0),
            {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        )
        assert not (tmp_path / "out").exists()
        with Workspace("fpga", tmp_path) as folder:
            assert list(tmp_path.glob(".*")) == [folder]


RUN = """
import signal
import numpy as np
from mho.hw.config import load_chip
from mho.sim.core.cosim import CosimBackend
from mho.sim.core.bench.stimulus import make_models, make_stimulus
chip = load_chip("tnsa16-core")
models = make_models(chip, ("ideal",), 0)
stimulus = make_stimulus(models, 0, 0, vectors=20000, pauses=False)
while True:
    backend = CosimBackend()
    backend.open(chip, models)
    backend.mvm(0, stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
    backend.close()
"""


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_leaves_no_simulator_and_no_folder(number: signal.Signals, tmp_path: Path) -> None:
    delays = random.Random(int(number))
    for _ in range(3):
        run_and_end([sys.executable, "-c", RUN], tmp_path, number, delays.uniform(0.5, 5.0), {})
        with Workspace("cosim", tmp_path / "scratch") as folder:
            assert list((tmp_path / "scratch").iterdir()) == [folder]

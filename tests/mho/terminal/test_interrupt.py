"""A signal ends a command with 130 and at most one line, whenever it comes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MOMENTS = 3


def ignore_nothing() -> None:
    """As from a shell: a test runner may have been started without some signals."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(arguments: list[str], folder: Path, **options: bool) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-m", "mho", *arguments], cwd=folder, text=True, stdout=pipe, stderr=pipe,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder), "PYTHONFAULTHANDLER": "1"},
        preexec_fn=ignore_nothing, **options,
    )
    # Until Python itself has started nobody can take the signal.
    while process.poll() is None and not _catches(process.pid, signal.SIGTERM):
        time.sleep(0.001)
    return process


def _catches(pid: int, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (number - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc whether the signal is caught")
@pytest.mark.slow
@pytest.mark.parametrize(("command", "number"), [
    ("run", signal.SIGINT), *(pytest.param("run", n, marks=pytest.mark.long) for n in (signal.SIGTERM, signal.SIGHUP)),
    ("compile", signal.SIGINT),
    ("program", signal.SIGTERM), ("device", signal.SIGHUP),
])
def test_a_signal_at_any_moment_is_130(number: signal.Signals, command: str, tiny, tmp_path: Path) -> None:
    rng = random.Random(f"{number} {command}")
    arguments = {
        "run": ["run", tiny.path("tiny.mho"), "--input", tiny.path("x.npy"), "--seeds", "100000", "-o", "out.npy"],
        "compile": ["compile", tiny.path("tiny.onnx"), "--chip", "neurram-core", "--calibrate", tiny.path("x.npy")],
        "program": ["program", tiny.path("tiny.mho"), "-o", "out.npz", "--pulses", "p.csv", "--plot", "p.png"],
        "device": ["device", "show", "rram-neurram", "-o", "out.png"],
    }[command]
    arguments += ["-o", "out.mho"] if command == "compile" else []
    ended = 0
    for _ in range(MOMENTS):
        process = start(arguments, tmp_path)
        time.sleep(rng.uniform(0, 2))
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        if process.returncode == 0:  # it was ready before
            ended += 1
            continue
        wrote = [line.removeprefix("wrote ") for line in err.splitlines() if line.startswith("wrote ")]
        assert all((tmp_path / name).exists() for name in wrote)  # it may come between the last file and the end
        lines = [line for line in err.splitlines()
                 if not line.endswith("...") and " after " not in line and not line.startswith("wrote ")]
        assert (process.returncode, lines) == (130, ["error: interrupted"]), err  # a crash says where
        assert not list(tmp_path.glob(".*"))
        assert "Traceback" not in out + err
    assert ended < MOMENTS


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_to_all_processes_is_one_line(number: signal.Signals, tiny, tmp_path: Path) -> None:
    """As a terminal that closes and a system that ends send it: to workers, and to what keeps track of semaphores."""
    arguments = ["run", tiny.path("tiny.mho"), "--input", tiny.path("x.npy"), "--seeds", "100000", "--jobs", "2"]
    process = start(arguments, tmp_path, start_new_session=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + 120
    while process.poll() is None and len(children.read_text().split()) < 3 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1.0)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    command = f"trap '' TERM HUP; {sys.executable} -m mho preset list > out & sleep 0.2; kill $!; kill -HUP $!; wait $!"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0
    assert "tnsa16-core" in (tmp_path / "out").read_text()


SWALLOWS = """
import signal, sys, time
from pathlib import Path
from mho.terminal import interrupt
interrupt.install()
interrupt.work()
sys.path.insert(0, str(Path.cwd()))
module = "import os, signal, time; os.kill(os.getpid(), signal.SIGHUP); time.sleep(0.3); DONE = 1"
Path("slow_import.py").write_text(module)
try:
    import slow_import
    while True:
        try:
            time.sleep(30)
        except KeyboardInterrupt:
            print("swallowed", slow_import.DONE, flush=True)
            break
    time.sleep(30)
except KeyboardInterrupt:
    print("again", flush=True)
    interrupt.end(interrupt.CODE)
"""


def test_an_interrupt_waits_for_an_import_and_comes_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWS], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        capture_output=True, preexec_fn=ignore_nothing, timeout=25,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "swallowed 1\nagain\n", "")


COMPILES = """
import atexit, os
from mho.macro_models.workspace import Workspace
from mho.terminal import interrupt
atexit.register(os.abort)  # as foreign code may, where it was interrupted
interrupt.install()
interrupt.work()
work = Workspace("kept")
code = "import os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.3); print('compiled', flush=True)"
try:
    exec(compile(code, "/lib/numba/core/dispatcher.py", "exec"))
    import time
    time.sleep(30)
except KeyboardInterrupt:
    print(work.path, flush=True)
    interrupt.end(interrupt.CODE)
"""


def test_an_interrupt_waits_for_a_compilation_and_foreign_ends_are_not_asked(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPILES], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        capture_output=True, preexec_fn=ignore_nothing, timeout=25,
    )
    compiled, folder = done.stdout.splitlines()
    assert (done.returncode, compiled, done.stderr) == (130, "compiled", "")
    assert not Path(folder).exists()

"""What reaches the terminal and the files, whatever is in arguments, and wherever they cannot be written."""

import errno
import json
import os
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mho.cli import run
from mho.sim.backend import Detailed
from mho.terminal import console
from mho.terminal.console import Output, say

ROOT = Path(__file__).parents[3]
MHO = f"{sys.executable} -m mho"
HOSTILE = "\x1b[2Jx\x9b31m\x07\u202e"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(["bash", "-c", command], env=env, capture_output=True, timeout=120)


@pytest.mark.parametrize(
    "command",
    [
        ["check", HOSTILE], [HOSTILE], ["check", "tnsa16-core", "--set", f"{HOSTILE}=1"], ["doctor", HOSTILE],
        ["check", "tnsa16-core", f"--{HOSTILE}"], ["run", HOSTILE, "--input", HOSTILE], ["device", "show", HOSTILE],
        ["check", "tnsa16-core", "--json", f"{HOSTILE}/x"], ["fpga", "build", HOSTILE, "-o", "x"],
    ],
)
def test_an_argument_steers_no_terminal(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.strip().isprintable(), err


def test_a_file_steers_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "macro_models" / "devices" / "ideal.toml").read_text()
    head, _, rest = text.partition("description = ")
    escaped = "".join(f"\\u{ord(c):04x}" for c in HOSTILE)
    (tmp_path / "d.toml").write_text(f'{head}description = "{escaped}\\n"\n{rest.partition(chr(10))[2]}')
    for arguments in ([], ["--json", "-"]):
        run(["device", "show", str(tmp_path / "d.toml"), *arguments])
        out, err = capsys.readouterr()
        assert all(line.isprintable() for line in (out + err).splitlines())


def test_long_values_are_cut_in_the_middle(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "tnsa16-core", "--set", f"adc.bits={'9' * 4000}"]) == 2
    assert run(["check", "x" * 4000]) == 2
    assert run(["check", "tnsa16-core", "--set", f"adc.{'bits ' * 1000}=1"]) == 2
    for line in capsys.readouterr().err.splitlines():
        assert len(line) < 1600
        assert "..." in line


@pytest.mark.parametrize("colour", [True, False])
def test_every_kind_of_output_is_escaped(colour: bool, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    if colour:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    out = Output(verbose=True)
    for method in (out.text, out.note, out.detail, out.warn, lambda line: say(sys.stderr, line)):
        method(f"_{HOSTILE}_")
    out.table((f"a{HOSTILE}",), [(HOSTILE,)])
    out.json({})
    printed = "".join(capsys.readouterr())
    assert "\x1b[2J" not in printed
    assert "\x9b" not in printed
    assert "\x07" not in printed
    assert printed.count(r"\x1b[2Jx\x9b31m\x07\u202e") >= 6


@pytest.mark.slow
@pytest.mark.parametrize("argument", ["$'\\xff'", "$'a\\x80b'"])
def test_bytes_that_are_no_text_are_shown_as_bytes(argument: str) -> None:
    done = shell(f"{MHO} check {argument}")
    assert done.returncode == 2
    assert done.stderr.decode().isascii()
    assert b"\\x" in done.stderr
    done = shell(f"{MHO} device fit none.csv -o /dev/null/a.toml --name {argument}")
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: --name must be text in UTF-8, not '")
    assert b"Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirect", "sentence"),
    [
        (">&-", b"error: standard output: cannot be written (it is closed)\n"),
        ("> /dev/full", b"error: standard output: cannot be written (No space left on device)\n"),
        ("2>&- >&-", b""),
        ("2> /dev/full > /dev/full", b""),
        ("<&- >&- 2>&-", b""),
    ],
)
@pytest.mark.parametrize("command", ["preset list", "check tnsa16-core --json -", "--help", "preset show tnsa16-core"])
def test_standard_output_that_cannot_be_written(command: str, redirect: str, sentence: bytes) -> None:
    done = shell(f"{MHO} {command} {redirect}")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", sentence)


def test_closed_standard_streams_are_no_files_of_ours(tmp_path: Path) -> None:
    done = shell(f"{MHO} preset show tnsa16-core -o {tmp_path}/a <&- 2>&- ")
    assert done.returncode == 0
    assert (tmp_path / "a").read_text().startswith("#")


def test_what_the_machine_refuses_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = "a recursion"
    for error, sentence in [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/cache/x"), "/cache/x: No space left on device"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "Too many open files"),
        (MemoryError("Unable to allocate 6.4 GiB"), "there is not enough memory (Unable to allocate 6.4 GiB)"),
        (MemoryError(), "there is not enough memory"),
        (_behind(ImportError("it has many reasons"), OSError(errno.EMFILE, os.strerror(errno.EMFILE), "x.so")),
         "x.so: Too many open files"),
        (_behind(ImportError("IMPORTANT"), ImportError("x.so: failed to map segment from shared object")),
         "there is not enough memory"),
        (RuntimeError("can't start new thread"), "there is not enough memory"),
        (RecursionError(deep), "what was given is nested too deeply"),
    ]:
        monkeypatch.setattr("mho.hw.config.preset_names", lambda error=error: _raise(error))
        assert run(["preset", "list"]) == 1
        assert capsys.readouterr().err == f"error: {sentence}\n"


def _behind(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.slow
@pytest.mark.parametrize("kB", [40_000, 60_000])
def test_what_the_shell_allows_too_little_of_is_a_sentence(kB: int) -> None:
    """Python itself loads with it; what mho stands on does not."""
    text = f'ulimit -v {kB}; exec "{sys.executable}" -m mho preset show tnsa16-core'
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"error: [^\n]*(not enough memory|Too many open files)[^\n]*\n", done.stderr)


def test_the_window_system_of_the_user_is_not_ours(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mho", "device", "show", "rram-neurram", "-q", "-o", "x.png"]
    environment = {**os.environ, "MPLBACKEND": "nonsense"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _raise(error: Exception) -> None:
    raise error


def test_warnings_of_libraries_are_not_printed(tmp_path: Path) -> None:
    code = "import warnings, sys, mho.cli as c, mho.__main__ as m; c.run = lambda a: warnings.warn('w') or 0; m.main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def full_disk() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python would keep the beginning of the bytecode of what is imported meanwhile.
    without, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = without


WRITERS = [
    "run {tiny} --input {x} -o {out}", "run {tiny} --input {x} --json {out}", "program {tiny} -o {out}",
    "program {tiny} --pulses {out}", "program {tiny} --plot {out}.png", "preset show tnsa16-core -o {out}",
    "device show ideal -o {out}.svg", "compile {onnx} --chip tnsa16-core --calibrate {x} -o {out}",
    "generate tnsa16-core -o {out}",
]


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("where", ["full", "refused", "long"])
def test_outputs_that_cannot_be_written(
    writer: str, where: str, tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = {"full": str(tmp_path / "out"), "refused": "/sys/out", "long": str(tmp_path / ("x" * 300))}[where]
    names = {"tiny": tiny.path("tiny.mho"), "x": tiny.path("x.npy"), "onnx": tiny.path("tiny.onnx"), "out": target}
    command = [*writer.format_map(names).split(), "-q"]
    if where == "full":
        with full_disk():
            code = run(command)
    else:
        code = run(command)
    err = capsys.readouterr().err
    assert code == 1, err
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert "cannot be written (" in err
    assert "internal" not in err
    assert list(tmp_path.iterdir()) == []


def test_progress_without_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console, "_STEP_S", 0.0)
    with Output().progress("working") as progress:
        for done in range(101):
            progress(done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "working ..."
    assert [line.partition(" after")[0] for line in lines[1:]] == [f"working: {n}%" for n in range(10, 101, 10)]


def test_interrupted_work_says_how_far_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with Output().progress("working") as progress:
            assert isinstance(progress, Detailed)
            progress.detail("2 of 9 images")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert capsys.readouterr().err.splitlines() == ["working ...", "working: 2 of 9 images"]


def test_progress_of_silent_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console, "_EVERY_S", 0.01)
    shown = threading.Event()
    write: Callable[[str], int] = sys.stderr.write

    def seen(text: str) -> int:
        if "working: 0% after" in text:
            shown.set()
        return write(text)

    monkeypatch.setattr(sys.stderr, "write", seen)
    with Output().progress("working"):
        assert shown.wait(60)
    with Output(quiet=True).progress("quiet"):
        time.sleep(0.05)
    assert "quiet" not in capsys.readouterr().err


def test_json_holds_what_was_given(tmp_path: Path) -> None:
    text = tmp_path / "a.json"
    Output(json_path=str(text)).json({"name": HOSTILE})
    assert json.loads(text.read_text())["name"] == HOSTILE
    assert all(line.isprintable() and line.isascii() for line in text.read_text().splitlines())

"""``mho fpga``: the boards, and a simulated one on which ``mho run`` does what it does with the numpy models."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mho.cli import run
from mho.fpga.boards import BOARDS
from mho.hw.config import load_chip
from tests.mho.conftest import Tiny


@contextmanager
def simulated(board: str, port: Path) -> Iterator[None]:
    """A simulated board with a core of 16 lines, which ends when it is interrupted."""
    command = [sys.executable, "-m", "mho", "fpga", "simulate", board, "--chip", "tnsa16-core", "--link", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            assert served.stdout.readline().strip() == str(port)
            yield
            served.send_signal(signal.SIGINT)
            assert served.wait(60) == 130
        finally:
            served.kill()


def test_list_has_each_board_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fpga", "list", "--json", "-"]) == 0
    boards = {board["name"]: board for board in json.loads(capsys.readouterr().out)["boards"]}
    assert boards.keys() == {
        "icebreaker", "ulx3s-85f", "hx8k-breakout", "orangecrab", "colorlight-i5", "ecpix5-85f", "tang-nano-9k"
    }
    assert all(board["status"].endswith("untested on hardware") for board in boards.values())
    assert boards["icebreaker"]["status"] == "untested on hardware"
    assert (boards["icebreaker"]["lines"], boards["icebreaker"]["lanes"]) == (256, 8)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["build", "icebraker", "-o", "x"], 2, "there is no board 'icebraker', did you mean icebreaker?"),
        (["simulate", "arty"], 2, f"there is no board 'arty', there are {', '.join(BOARDS)}"),
        (["info", "--port", "/dev/ttyNONE7"], 1, "/dev/ttyNONE7: no such port; ports that exist: "),
        (["load", "ulx3s-85f", "none.bit"], 2, "none.bit: cannot be read (No such file or directory)"),
        (["verify", "hx8k-brekout"], 2, "there is no board 'hx8k-brekout', did you mean hx8k-breakout?"),
        (["verify", "hx8k-breakout", "--tools", "own"], 2, "tools must be one of auto, native, yowasp, not 'own'"),
        (["build", "hx8k-breakout", "--chip", "neurram-core", "-o", "x"], 2, "neurram-core is too large for hx8k-"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str], code: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["fpga", *arguments]) == code
    err = capsys.readouterr().err
    assert err.startswith(f"error: {sentence}")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
def test_a_simulated_board_gives_the_outputs_of_the_numpy_models(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = tmp_path / "board"
    with simulated("hx8k-breakout", port):
        assert run(["fpga", "info", "--port", str(port), "--json", "-"]) == 0
        info = json.loads(capsys.readouterr().out)
        assert (info["preset"], info["sha256"]) == ("tnsa16-core", load_chip("tnsa16-core").sha256)
        common = ["run", tiny.path("tiny.mho"), "--input", tiny.path("x.npy"), "--limit", "30", "-q"]
        for name, options in (("board", ["--backend", "fpga", "--port", str(port)]), ("numpy", [])):
            outputs = ["-o", str(tmp_path / f"{name}.npy")]
            assert run([*common, *options, *outputs, "--without", "read-noise"]) == 0
        assert run(["program", tiny.path("tiny.mho"), "--backend", "fpga", "--port", str(port), "-q"]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: {port}: the board emulates cells that do not answer to pulses, so none can be")
        assert said.endswith("such as the preset ulx3s-85f\n")
    assert (tmp_path / "board.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    assert not port.is_symlink()


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.long
def test_a_simulated_board_programs_the_cells_of_the_numpy_models_and_runs_on_them(tiny: Tiny, tmp_path: Path) -> None:
    port = tmp_path / "board"
    with simulated("ulx3s-85f", port):
        common = ["--set", "programming.passes=2", "--form", "--seed", "4", "-q"]
        for name, options in (("fpga", ["--port", str(port)]), ("functional", [])):
            files = ["--pulses", str(tmp_path / f"{name}.csv"), "-o", str(tmp_path / f"{name}.npz")]
            files += ["--json", str(tmp_path / f"{name}.json")]
            command = ["program", tiny.path("tiny.mho"), *common, *files, "--backend", name]
            assert run([*command, *options]) == 0
            cells = ["--cells", str(tmp_path / f"{name}.npz"), "-o", str(tmp_path / f"{name}.npy")]
            command = ["run", tiny.path("tiny.mho"), "--input", tiny.path("x.npy"), "--limit", "5", "-q", *cells]
            assert run([*command, "--without", "read-noise", "--backend", name, *options]) == 0
    for end in ("csv", "npy"):
        assert (tmp_path / f"fpga.{end}").read_bytes() == (tmp_path / f"functional.{end}").read_bytes()
    on_board, here = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("fpga", "functional"))
    assert on_board["report"] == here["report"]
    assert (on_board["cells"]["source"], here["cells"]["source"]) == ("fpga", "functional")
    assert on_board["cells"]["sha256"] == here["cells"]["sha256"]

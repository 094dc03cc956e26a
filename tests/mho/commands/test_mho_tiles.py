"""``mho tiles``: what a person writes, and what comes back."""

import json
from pathlib import Path

import numpy as np
import pytest

import mho
from mho.cli import run

ROOT = Path(__file__).parents[3]


@pytest.fixture
def x(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.chdir(tmp_path)
    codes = np.random.default_rng(1).integers(-7, 8, (2, 16)).astype(np.int8)
    np.save("x.npy", codes)
    (tmp_path / "p.s").write_text((ROOT / "examples" / "tile" / "perceptron.s").read_text())
    return codes


def test_command_and_python_give_the_same(x: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tiles", "p.s", "--chip", "tnsa64-tile", "--input", "x.npy", "-o", "y.npz", "--json", "y.json"]) == 0
    assert "instructions an input" in capsys.readouterr().out
    result = mho.run_tiles("p.s", "tnsa64-tile", x)
    with np.load("y.npz") as arrays:
        np.testing.assert_array_equal(arrays["0,0:0"], result.outputs["0,0:0"])
    assert json.loads(Path("y.json").read_text())["outputs"]["0,0:0"] == result.outputs["0,0:0"].tolist()
    assert run(["tiles", "p.s", "--chip", "tnsa64-tile", "--input", "0,0:in=x.npy", "-q"]) == 0


def test_what_would_trap_is_said_once_with_its_line(x: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("p.s").read_text()
    Path("p.s").write_text(text + "\nword 0x80000000\n")
    Path("job.toml").write_text('''schema = 1
flows = [{ from = "0,0", flow = 0, to = ["host"] }, { from = "0,1", flow = 0, to = ["host"] }]
tiles = [{ at = "0,0", program = "p.s" }, { at = "0,1", program = "p.s" }]
''')
    run(["tiles", "job.toml", "--chip", "tnsa64-2x2", "--input", "x.npy"])
    line = len(text.splitlines()) + 2
    warned = [said for said in capsys.readouterr().err.splitlines() if said.startswith("warning: ")]
    assert len(warned) == 1
    assert warned[0].startswith(f"warning: p.s:{line}: instruction ")
    assert warned[0].endswith(" would trap (opcode)")


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["p.s", "--chip", "neurram-core", "--input", "x.npy"], "programs run on tiles (tile.programs = true)"),
    (["p.s", "--chip", "tnsa64-tile", "--input", "x.npy", "--port", "/dev/x"], "--port is for the backend fpga"),
    (["p.s", "--chip", "tnsa64-tile", "--input", "p.s"], "p.s"),
    (["q.s", "--chip", "tnsa64-tile", "--input", "x.npy"], "q.s"),
])
def test_wrong_words_are_one_sentence(
    x: np.ndarray, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tiles", *arguments]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not Path("y.npz").exists()


@pytest.mark.usefixtures("x")
def test_the_command_of_networks_names_that_of_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "p.s", "--chip", "tnsa64-tile", "--input", "x.npy"]) == 2
    assert "p.s: a program of a tile is run by mho tiles" in capsys.readouterr().err

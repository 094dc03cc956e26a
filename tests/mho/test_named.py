"""Several inputs and outputs as a user gives and gets them: dicts, .npz files, NAME=FILE, the output that is scored."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from mho.cli import run
from tests.compiler.importer.test_named_values import floats, heads, pair

CHIP = ["--chip", "tnsa16-core", "--device", "ideal"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, one with two outputs, one with two inputs, their inputs, and the compiled first."""
    root = tmp_path_factory.mktemp("named")
    (root / "heads.onnx").write_bytes(heads("scores and labels").SerializeToString())
    (root / "pair.onnx").write_bytes(pair().SerializeToString())
    x, u = floats(48, 6), floats(48, 2, 3)
    np.save(root / "x.npy", x)
    np.save(root / "u.npy", u)
    np.savez(root / "both.npz", x=x, u=u)
    command = ["compile", str(root / "heads.onnx"), *CHIP, "--calibrate", str(root / "x.npy")]
    assert run([*command, "-o", str(root / "heads.mho"), "-q"]) == 0
    return root


def test_all_outputs_in_one_run(folder: Path) -> None:
    net, x = mho.load(folder / "heads.mho"), np.load(folder / "x.npy")
    result = net.run(x, device="ideal", time=0)
    assert result.scored == "p"
    assert set(result.outputs) == set(result.by_name) == {"p", "q"}
    assert np.array_equal(result.outputs["q"], result.outputs["p"].argmax(axis=1))
    assert np.array_equal(net.reference(x)["q"], net.reference(x)["p"].argmax(axis=1))
    labels = net.run(x, device="ideal", time=0, seeds=2, score="q")
    assert labels.outputs["q"].shape == (2, 48)
    assert labels.accuracy(np.asarray(result.by_name["q"])) == 1.0
    with pytest.raises(mho.InputError, match="score must be one of the outputs p, q, not 'z'"):
        net.run(x, score="z")


def test_the_command_writes_all_outputs(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", str(folder / "heads.mho"), "--input", str(folder / "x.npy"), "--time", "0s", "--score", "q"]
    assert run([*command, "-o", str(tmp_path / "y.npz"), "--json", str(tmp_path / "r.json")]) == 0
    assert "outputs: p [4], q []; scored: q" in capsys.readouterr().out
    written, said = np.load(tmp_path / "y.npz"), json.loads((tmp_path / "r.json").read_text())
    assert np.array_equal(written["q"], written["p"].argmax(axis=1))
    assert said["scored"] == "q"
    assert said["outputs"]["p"]["relative_error"] < 0.1
    assert run([*command, "-o", str(tmp_path / "y.npy")]) == 2
    assert "has 2 outputs; write an .npz, which holds p, q by name" in capsys.readouterr().err
    assert run([*command[:-1], "z"]) == 2
    assert "--score must be one of the outputs p, q, not 'z'" in capsys.readouterr().err


@pytest.mark.slow
def test_inputs_of_the_command_by_name(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def outputs(*inputs: str) -> Any:
        options = [part for name_and_path in inputs for part in ("--input", name_and_path)]
        command = ["run", str(folder / "pair.onnx"), *CHIP, "--time", "0s", "-o", str(tmp_path / "y.npy")]
        assert run([*command, *options]) == 0
        return np.load(tmp_path / "y.npy")

    x, u, both = (str(folder / name) for name in ("x.npy", "u.npy", "both.npz"))
    expected = outputs(both)
    assert np.array_equal(outputs(f"u={u}", f"x={x}"), expected)
    net = mho.compile(folder / "pair.onnx", "tnsa16-core", calibrate={"x": x, "u": np.load(u)}, device="ideal")
    assert net.inputs == {"x": (6,), "u": (2, 3)}
    assert np.array_equal(net.run({"u": u, "x": x}, time=0).outputs, expected)
    capsys.readouterr()
    for wrong, sentence in (
        ((f"x={x}", f"x={u}"), "--input must name each input once"),
        ((f"x={x}", u), f"--input must be NAME=VALUE, not '{u}'"),
        ((f"x={x}",), "has no input 'u'; the model takes x, u"),
    ):
        options = [part for path_by_name in wrong for part in ("--input", path_by_name)]
        assert run(["run", str(folder / "pair.onnx"), *CHIP, *options]) == 2
        assert sentence in capsys.readouterr().err


def test_an_output_that_is_one_of_the_inputs_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, u = str(folder / "x.npy"), str(folder / "u.npy")
    command = ["run", str(folder / "pair.onnx"), *CHIP, "--input", f"x={x}", "--input", f"u={u}", "-o", x]
    assert run(command) == 2
    assert "would be lost" in capsys.readouterr().err

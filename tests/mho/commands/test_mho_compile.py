"""``mho compile``: its report, its options, and files that do not differ with the processor."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import mho
from mho.cli import run
from mho.macro_models.threads import VARIABLES, one_thread
from tests.compiler.importer.onnx_models import random_perceptron
from tests.compiler.test_stages import tiny as residual
from tests.mho.conftest import Tiny


def compiled(tiny: Tiny, tmp_path: Path, *words: str, code: int = 0) -> Path:
    command = ["compile", tiny.path("tiny.onnx"), "--chip", "tnsa16-core", "--calibrate", tiny.path("x.npy")]
    assert run([*command, "-o", str(tmp_path / "c.mho"), *words]) == code
    return tmp_path / "c.mho"


@pytest.mark.slow
def test_the_report_fits_80_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, x = residual()
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    np.save(tmp_path / "x.npy", x[:16])
    words = ["--chip", "tnsa16-core", "--calibrate", str(tmp_path / "x.npy"), "--device", "ideal"]
    assert run(["compile", str(tmp_path / "m.onnx"), *words, "-o", str(tmp_path / "m.mho")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[2:])) <= 80
    (header,) = (k for k, line in enumerate(lines) if line.startswith("layer"))
    assert lines[header].split()[-3:] == ["bits", "cycles", "error"]
    assert [line.split()[0] for line in lines[header + 1 : header + 5]] == ["n_c", "n_e", "n_q", "n_y"]
    (first,) = (k for k, line in enumerate(lines) if line.split()[:3] == ["step", "runs", "in"])
    assert {line.split()[1] for line in lines[first + 1 : first + 11]} == {"array", "digital"}
    assert any(line.startswith("beside the float model, over 16 calibration inputs: y: ") for line in lines)


@pytest.mark.slow
def test_a_dry_run_writes_nothing_and_says_what_would_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.onnx").write_bytes(random_perceptron([300, 200, 4]).SerializeToString())
    command = ["compile", str(tmp_path / "m.onnx"), "--dry-run", "--chip"]
    assert run([*command, "neurram-core", "-o", str(tmp_path / "m.mho"), "--json", str(tmp_path / "m.json")]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "does not fit: at least 3 cores needed, by proof, and 1 there: 2 too few" in text
    assert "neurram (3 of 48 cores)" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.json", "m.onnx"]
    report = json.loads((tmp_path / "m.json").read_text())
    assert report.pop("format") == 2
    assert report == mho.plan(tmp_path / "m.onnx", "neurram-core")
    assert report["plan"]["weights"] == 300 * 200 + 200 * 4
    assert report["tiles"] is None
    assert run([*command, "neurram", "--json", str(tmp_path / "m.json")]) == 0
    assert "fits: 5 cores of 48; the least is 3, by proof\n" in capsys.readouterr().out
    tiles = json.loads((tmp_path / "m.json").read_text())["tiles"]
    assert tiles["refused"] is None
    assert sum(tile["products"] for tile in tiles["tiles"]) == len(tiles["tiles"]) == 5
    assert sum(tile["cells"] for tile in tiles["tiles"]) == 2 * report["plan"]["weights"]
    assert run([*command, "tnsa16-2x2"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "not on tiles: layer 'n_" in said
    fewest = said.split(" would do: --set mesh.columns=")[0].split()[-1]
    assert f"does not fit: at least {fewest} cores needed" in said


@pytest.mark.parametrize(("words", "missing"), [(("-o", "{}/c.mho"), "--calibrate X.npy"), ((), "--calibrate X.npy"),
                                                (("--calibrate", "{x}"), "-o NET.mho")])
def test_what_a_compilation_needs(
    tiny: Tiny, tmp_path: Path, words: tuple[str, ...], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [word.format(tmp_path, x=tiny.path("x.npy")) for word in words]
    assert run(["compile", tiny.path("tiny.onnx"), "--chip", "tnsa16-core", *arguments]) == 2
    assert f"{missing} is needed to compile it; --dry-run says what it takes without" in capsys.readouterr().err


def test_copies_and_tolerance(tiny: Tiny, tmp_path: Path) -> None:
    report = tmp_path / "c.json"
    options = mho.load(compiled(tiny, tmp_path, "--copies", "1", "--tolerance", "0.5", "--json", str(report)))
    assert options.network.options.copies == 1
    assert options.network.options.tolerance == 0.5
    assert {layer["copies"] for layer in json.loads(report.read_text())["summary"]["layers"]} == {1}


def test_sentences_name_what_was_given(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compiled(tiny, tmp_path, "--copies", "99", code=2)
    assert "compile option --copies must be a whole number between 1 and 16, not 99" in capsys.readouterr().err
    with pytest.raises(mho.InputError, match="compile option copies must be"):
        mho.compile(tiny.path("tiny.onnx"), "tnsa16-core", calibrate=tiny.x, copies=99)


@pytest.mark.slow
def test_the_least_number_of_cores_is_that_of_the_network() -> None:
    """A chip of one core is scheduled by the host, which may take more of them; what would do is the same."""
    model = random_perceptron([300, 200, 4]).SerializeToString()
    x = np.random.default_rng(0).normal(size=(16, 300)).astype(np.float32)
    single, many = (
        mho.compile(model, mho.Chip.load(chip, **keys), calibrate=x, device="ideal", samples=16).summary()
        for chip, keys in (("neurram-core", {}), ("neurram", {"tile.programs": False}))
    )
    assert single["schedule"] == "host"
    assert many["schedule"] == "chip"
    assert single["cores_least"] == many["cores_least"] == many["cores"] > 1
    assert single["cores"] >= single["cores_least"]


def test_stored_numbers_are_rounded(tiny: Tiny) -> None:
    network = mho.compile(tiny.path("tiny.onnx"), "tnsa16-core", calibrate=tiny.x, seeds=1).network
    assert all(float(f"{value:.11g}") == value for value in network.program.output.scale)
    assert all(float(f"{value:.6g}") == value for value in network.calibration.errors)


@pytest.mark.slow
def test_files_do_not_differ_with_the_kernel_of_the_linear_algebra(tiny: Tiny, tmp_path: Path) -> None:
    files = []
    for kernel in ("HASWELL", "SANDYBRIDGE", "PRESCOTT"):
        path = tmp_path / f"{kernel}.mho"
        words = ["compile", tiny.path("tiny.onnx"), "--chip", "tnsa16-core", "--calibrate", tiny.path("x.npy")]
        environment = os.environ | {"OPENBLAS_CORETYPE": kernel}
        subprocess.run([sys.executable, "-m", "mho", *words, "-o", str(path), "-q"], check=True, env=environment)
        files.append(path.read_bytes())
    assert len(set(files)) == 1


def test_one_thread_unless_the_user_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before = threads()
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with one_thread():
        assert threads() == {1}
    assert threads() == before
    monkeypatch.setenv(VARIABLES[0], "2")
    with one_thread():
        assert threads() == before

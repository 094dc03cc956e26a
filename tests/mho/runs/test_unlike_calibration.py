"""Inputs that are not like those of calibration: what is said, with which numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from mho.cli import run
from mho.data import load_sample

OPTIONS: dict[str, Any] = {"seeds": 1, "samples": 64}
DIGITS = load_sample("digits")
CHIP = mho.Chip.load("tnsa64-core", **{"mesh.columns": 2, "mesh.rows": 2})
"""With as many cores as the network takes."""


@pytest.fixture(scope="module")
def net() -> mho.Net:
    return mho.compile(DIGITS.model, CHIP, calibrate=DIGITS.calibrate, **OPTIONS)


def said(net: mho.Net, x: np.ndarray) -> str:
    return "\n".join(net.run(x, device="ideal").warnings)


def test_inputs_like_those_of_calibration(net: mho.Net) -> None:
    assert net.summary()["warnings"] == []
    result = net.run(DIGITS.x, device="ideal")
    assert result.warnings == ()
    assert result.inputs is not None
    assert result.inputs["beyond"] < 0.01
    assert 0.8 < result.inputs["size"] < 1.25
    assert said(net, DIGITS.x[:1]) == ""


def test_inputs_four_times_as_large(net: mho.Net) -> None:
    result = net.run(4 * DIGITS.x, device="ideal")
    assert result.inputs is not None
    first, *_ = result.layers()
    assert first["clipped"] > 0.1 * first["inputs"]
    text = "\n".join(result.warnings)
    assert f"{result.inputs['beyond']:.1%} of the numbers in the inputs are far outside of the range" in text
    assert f"{first['clipped']} of {first['inputs']} inputs" in text
    content = result.to_dict()
    assert content["layers"][0]["clipped"] == first["clipped"]
    assert content["inputs"]["beyond"] > 0.1
    assert content["warnings"] == list(result.warnings)


def test_inputs_much_smaller(net: mho.Net) -> None:
    assert "the inputs are 0.06" in said(net, DIGITS.x / 16)
    assert "the inputs are 0 times as large" in said(net, 0 * DIGITS.x[:1])


def test_calibration_sixteen_times_smaller() -> None:
    net = mho.compile(DIGITS.model, CHIP, calibrate=DIGITS.calibrate / 16, **OPTIONS)
    assert "far outside of the range" in said(net, DIGITS.x)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (np.zeros((20, 64)), "all calibration inputs are 0"),
        (np.full((20, 64), 3.0), "there are 20 calibration inputs, all alike"),
        (DIGITS.calibrate[:1], "there is one calibration input"),
    ],
)
def test_calibration_that_tells_nothing(x: np.ndarray, sentence: str) -> None:
    net = mho.compile(DIGITS.model, CHIP, calibrate=x.astype(np.float32), **OPTIONS)
    (warning,) = net.summary()["warnings"]
    assert warning.startswith(sentence)
    if not x.any():
        assert "far outside" in said(net, DIGITS.x)


@pytest.mark.slow
def test_the_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "zero.npy", np.zeros((8, 64), np.float32))
    np.save(tmp_path / "x.npy", DIGITS.x[:20])
    words = ["--chip", "tnsa16-core", "--calibrate", str(tmp_path / "zero.npy"), "--device", "ideal"]
    net, report = tmp_path / "net.mho", tmp_path / "r.json"
    assert run(["compile", str(DIGITS.model), *words, "-o", str(net)]) == 0
    assert "warning: all calibration inputs are 0" in capsys.readouterr().err
    assert run(["run", str(net), "--input", str(tmp_path / "x.npy"), "--json", str(report)]) == 0
    captured = capsys.readouterr()
    assert "far outside of the range" in captured.err
    assert "clipped inputs" in captured.out
    assert any("far outside" in warning for warning in json.loads(report.read_text())["warnings"])

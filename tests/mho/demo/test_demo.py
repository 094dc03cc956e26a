"""``mho demo``: what its table, its JSON and its figure hold."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from mho.cli import run
from mho.data import SAMPLES, load_sample


@pytest.mark.parametrize("name", list(SAMPLES))
def test_the_shipped_data_fit_the_shipped_models(name: str) -> None:
    sample = load_sample(name)
    assert len(sample.x) == len(sample.y) >= 200
    assert sample.x.shape[1:] == sample.calibrate.shape[1:]
    assert sample.model.is_file()
    assert set(np.unique(sample.y)) == set(range(10))


@pytest.mark.slow
def test_without_a_simulator_the_functional_part_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mho.data.SAMPLES", {"digits": "digits 8x8"})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "cache"))
    assert run(["demo", "-o", str(tmp_path / "out"), "--limit", "60", "--seeds", "2", "-q"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: the co-simulation was left out: verilator was not found; ")
    assert captured.err.count("\n") == 1
    assert "functional, rram-neurram at 1d, 2 chips" in captured.out
    assert "cosim" not in captured.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["demo.json", "demo.pdf", "demo.png"]


@pytest.mark.slow
@pytest.mark.cosim
def test_the_demo_is_bit_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "-o", str(tmp_path), "--limit", "200", "--seeds", "2", "-q"]) == 0
    studies = json.loads((tmp_path / "demo.json").read_text())["studies"]
    assert [study["network"] for study in studies] == [*SAMPLES.values(), "digits 8x8 on tnsa64-2x2"]
    for study, images in zip(studies, (200, 200, 100), strict=True):
        cases = {case["name"]: case for case in study["cases"]}
        simulated = [case for name, case in cases.items() if name.startswith("cosim")]
        assert len(simulated) == 2
        assert all(case["bit_equal"] is True for case in simulated)
        assert all(case["images"] == images for case in cases.values())
        assert cases["functional, ideal"]["accuracy"] == cases["cosim, ideal"]["accuracy"]
    digits = {case["name"]: case["accuracy"] for case in studies[0]["cases"]}
    assert abs(digits["float"] - digits["functional, ideal"]) <= 0.01
    assert digits["float"] - digits["functional, rram-neurram at 1d, 2 chips"] <= 0.02
    assert "codes equal" in capsys.readouterr().out


@pytest.mark.slow
def test_one_product_recorded_at_the_pins(tiny: Any) -> None:
    from mho.demo.trace import record

    net = mho.compile(tiny.path("tiny.onnx"), "tnsa16-core", calibrate=tiny.x, in_bits=4)
    trace = record(net.network, tiny.x[0])
    cycles = trace.plane.size
    assert all(strobe.shape == (cycles,) for strobe in trace.strobes.values())
    assert trace.charge.shape == (16, cycles)
    op = net.network.layers[0].mvms[0].op
    assert op.segments == 1
    assert trace.strobes["precharge"].sum() == 1
    assert trace.strobes["sample"].sum() == 2**op.planes - 1
    decrements = np.flatnonzero(trace.strobes["decrement"])
    # A line of c steps takes floor(c) decrements before it flips: the trace shows what the code says.
    charge = trace.charge[:, decrements[0] - 1]
    counted = trace.enabled & (np.abs(charge) < op.max_steps)
    assert counted.any()
    np.testing.assert_array_equal(np.abs(trace.codes[counted]) // 2, np.floor(np.abs(charge[counted])))
    np.testing.assert_array_equal(np.sign(trace.codes[counted]), np.sign(charge[counted]))

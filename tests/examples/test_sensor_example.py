"""The example of a sensor in front, and the sensor as a cause of the budget."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import mho
from mho.data import load_sample

PATH = Path(__file__).parents[2] / "examples" / "sensor.py"


@pytest.mark.slow
def test_adapted_pixels_recognise_dim_scenes(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("sensor", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shown = module.main(100)
    assert shown["accuracy, adaptation full"] > 0.94 > 0.8 > shown["accuracy, adaptation none"]
    for kernel in module.KERNELS:
        assert shown[f"{kernel}, threshold pixels"] < shown[f"{kernel}, linear pixels"] < 0.4
    assert "adaptation full" in capsys.readouterr().out


@pytest.mark.slow
def test_the_sensor_is_a_cause_of_the_budget() -> None:
    digits, keys = load_sample("digits"), {"sensor.full_light": 16.0, "sensor.gain_spread": 0.6}
    plain = mho.compile(digits.model, mho.Chip.load("array-128"), calibrate=digits.calibrate[:32])
    linear = mho.Chip.load("array-128", **keys, **{"sensor.response": "linear"})
    net, x = mho.compile(digits.model, linear, calibrate=digits.calibrate[:32]), digits.x[:50]
    result = net.run(x, seed=5, time=0)
    without = net.run(x, seed=5, time=0, without=["sensor"])
    assert (np.asarray(without.outputs) == np.asarray(plain.run(x, seed=5, time=0).outputs)).all()
    assert (np.asarray(result.outputs) != np.asarray(without.outputs)).any()
    rows = {row.name: row.values for row in result.budget(digits.y[:50]).rows}
    assert rows["sensor"][0] < rows["ideal"][0]

"""Pixels: laws of response, adaptation, spread."""

import numpy as np
import pytest

from mho.macro_models.sensor import Sensor

LIGHT = np.linspace(0.0, 8.0, 33, dtype=np.float32).reshape(3, 11)


@pytest.mark.parametrize(("keys", "expected"), [
    ({"response": "none"}, LIGHT / 8),
    ({"response": "linear"}, LIGHT / 8),
    ({"response": "power", "exponent": 2.0}, (LIGHT / 8) ** 2),
    ({"response": "power", "exponent": 0.5}, (LIGHT / 8) ** 0.5),
    ({"response": "threshold", "threshold": 0.25}, np.maximum(LIGHT / 8 - 0.25, 0.0) / 0.75),
])
def test_laws(keys, expected):
    np.testing.assert_allclose(Sensor(full_light=8.0, **keys).responses(LIGHT) / 8, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("adaptation", [0.25, 1.0])
def test_adaptation_takes_a_part_of_the_decades_of_light(adaptation):
    scenes = np.array([[0.1, 0.2, 0.3]], np.float32) * np.array([[1.0], [0.125]], np.float32)
    bright, dim = Sensor(response="linear", adaptation=adaptation, adapted_level=0.2).responses(scenes)
    np.testing.assert_allclose(bright / dim, 8.0 ** (1.0 - adaptation), rtol=1e-5)
    np.testing.assert_allclose(bright, scenes[0], rtol=1e-5)


def test_darkness_has_no_response():
    assert not Sensor(response="power", exponent=0.5, adaptation=1.0).responses(np.zeros((1, 4), np.float32)).any()


def test_spread_is_of_the_chip_and_has_its_deviations():
    pixels, sensor = 40_000, Sensor(response="linear", full_light=2.0, gain_spread=0.05, dark_spread=0.02)
    chip = sensor.of_chip(np.full((2, pixels), 1.0, np.float32), seed=3)
    assert (chip[0] == chip[1]).all()
    assert (chip[0] != sensor.of_chip(np.full((1, pixels), 1.0), seed=4)[0]).any()
    deviation = np.hypot(0.5 * 0.05, 0.02) * 2.0
    assert abs(chip[0].mean() - 1.0) < 5 * deviation / np.sqrt(pixels)
    assert abs(chip[0].std() / deviation - 1.0) < 5 / np.sqrt(2 * pixels)

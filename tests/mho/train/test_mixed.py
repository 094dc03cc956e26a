"""Mixed precision: what a perceptron in cells learns, and that the pins of the Verilog see the pulses of the model."""

from dataclasses import replace

import numpy as np
import pytest

import mho
from mho.macro_models.devices import load_device
from mho.macro_models.devices.sections.update import Update
from mho.macro_models.errors import InputError
from mho.train import Perceptron

RANGE = {"cells.g_min_uS": 1.0, "cells.g_max_uS": 21.0, "mesh.columns": 2, "programming.pulses": True}


def soft(states: float) -> mho.Device:
    """Cells of so many steps, of which those at the ends of the window are twice as large as in the middle, or none."""
    step = 2 * 20.0 / states
    law = Update(model="soft", g_min_uS=1.0, g_max_uS=21.0, up_uS=step, down_uS=1.2 * step, cycle_spread=0.3,
                 cell_spread=0.3)
    return mho.Device(replace(load_device("ecram"), update=law))


def features(count: int, inputs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four classes in inputs 0..1."""
    rng = np.random.default_rng(seed)
    centres, y = np.random.default_rng(1).random((4, inputs)), rng.integers(0, 4, count)
    return np.clip(centres[y] + rng.normal(0.0, 0.15, (count, inputs)), 0.0, 1.0), y


@pytest.mark.slow
@pytest.mark.parametrize("bits", [6, pytest.param(8, marks=pytest.mark.long)])
def test_four_classes_are_learned_with_few_pulses(bits: int) -> None:
    x, y = features(300, 15)
    test_x, test_y = features(300, 15, seed=9)
    chip = mho.Chip.load("neurram-core", **RANGE, **{"core.lines": 32, "core.corelet": 4})
    net = Perceptron(chip, (15, 12, 4), soft(83), bits=bits)
    before = (net.outputs(test_x).argmax(axis=1) == test_y).mean()
    epochs = [net.fit(x, y, batch=4) for _ in range(6)]
    accuracy = (net.outputs(test_x).argmax(axis=1) == test_y).mean()
    assert before < 0.6 < 0.95 <= accuracy
    assert epochs[-1].loss < 0.3 * epochs[0].loss
    # A weight moves when its sum has come to a step, not with each image.
    assert epochs[-1].pulses_per_image < epochs[0].pulses_per_image < 15
    assert epochs[0].cycles_per_image > 100 * epochs[0].pulses_per_image


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize(("device", "top_uS"), [
    (soft(40), 21.0), pytest.param(mho.Device.load("rram-neurram"), 40.0, marks=pytest.mark.long),
])
def test_pins_see_the_pulses_of_the_model(device: mho.Device, top_uS: float) -> None:
    chip = mho.Chip.load("tnsa16-core", **(RANGE | {"cells.g_max_uS": top_uS}))
    x, y = features(24, 7)
    nets = [Perceptron(chip, (7, 6, 4), device, backend, bits=6, rate=0.3, seed=3)
            for backend in (mho.Functional(), mho.Cosim())]
    epochs = [net.fit(x, y, batch=3) for net in nets]
    np.testing.assert_array_equal(nets[0].outputs(x), nets[1].outputs(x))
    nets[1].close()
    assert epochs[0] == epochs[1]
    assert epochs[0].pulses_per_image > 1
    for layer, same in zip(nets[0].layers, nets[1].layers, strict=True):
        np.testing.assert_array_equal(layer.cells.g_uS, same.cells.g_uS)


def test_what_cannot_learn_is_refused() -> None:
    device, chip = soft(83), mho.Chip.load("tnsa16-core", **RANGE)
    with pytest.raises(InputError, match=r"programming\.engine and programming\.pulses must be true for blind pulses"):
        Perceptron(mho.Chip.load("tnsa16-core"), (7, 4), device)
    with pytest.raises(InputError, match=r"layers must be at most 2, of 7 inputs and 16 outputs, not 8 - 4"):
        Perceptron(chip, (8, 4), device)
    with pytest.raises(InputError, match=r"bits must be 2 to 8, not 9"):
        Perceptron(chip, (7, 4), device, bits=9)
    with pytest.raises(InputError, match=r"learning takes cores whose products go both ways, not core\.kind array"):
        Perceptron(mho.Chip.load("array-32"), (7, 4), mho.Device.load("rram-neurram"))
    with pytest.raises(InputError, match=r"backend must be functional or cosim to learn, not fpga-sim"):
        Perceptron(chip, (7, 4), device, mho.FpgaSim())
    net = Perceptron(chip, (7, 4), device)
    with pytest.raises(InputError, match=r"x must be 0 to 1 of shape \(images, 7\), not of \(3, 6\)"):
        net.outputs(np.zeros((3, 6)))
    with pytest.raises(InputError, match=r"y must be classes 0 to 3 of shape \(3,\)"):
        net.fit(np.zeros((3, 7)), [0, 1, 4])

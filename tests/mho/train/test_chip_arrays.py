"""Rules whose arrays are cores of a chip: the same cells in the model and behind the pins of the Verilog."""

import math
from typing import Any

import numpy as np
import pytest

import mho
from mho.macro_models.errors import InputError
from mho.train import ChipArrays, PulsedPerceptron
from mho.train.rules import RULES
from tests.mho.train.test_at_once import COARSE, EVEN, coarse
from tests.mho.train.test_mixed import features

KEYS = {
    "core.rows": 16, "core.columns": 16, "adc.lanes": 2, "core.weights": "offset", "programming.update": True,
    "mesh.columns": 2,
}


def learned(rule: str, backend: Any) -> tuple[Any, ...]:
    x, y = features(12, 6)
    arrays = ChipArrays(mho.Chip.load("array-32", **KEYS), backend, seed=3)
    net = PulsedPerceptron((6, 4), coarse(), rule, rate=1.0, reference_error=0.05, arrays=arrays)
    pulses = net.fit(x, y)
    arrays.close()
    return net.layers[0].weights.tolist(), pulses, arrays.cycles, arrays.updates


@pytest.mark.slow
@pytest.mark.cosim
def test_cells_are_those_behind_the_pins() -> None:
    for rule in RULES:
        model = learned(rule, mho.Functional())
        assert model[1] > 0
        assert learned(rule, mho.Cosim()) == model


def test_updates_move_weights_by_the_product_in_the_mean() -> None:
    x, d, repeats = np.array([1.0, -0.4, 0.0, 0.7]), np.array([0.5, -0.2, 0.05]), 300
    array = ChipArrays(mho.Chip.load("array-32", **KEYS))(EVEN, (4, 3), np.random.default_rng(0))
    rate, moves = 10 * array.step / 0.5, np.zeros((repeats, 4, 3))
    for k in range(repeats):
        before, sign = array.weights, 1 - 2 * (k % 2)
        array.update(sign * x, d, rate)
        moves[k] = sign * (array.weights - before)
    error = np.maximum(moves.std(axis=0), array.step) / math.sqrt(repeats)
    rounding = array.step * 10 / 64  # of codes
    assert (np.abs(moves.mean(axis=0) - rate * np.outer(x, d)) <= 5 * error + rounding).all()


def test_single_cells_are_pulsed_as_often_as_they_are_to_be() -> None:
    arrays = ChipArrays(mho.Chip.load("array-32", **KEYS))
    array = arrays(COARSE, (5, 7), np.random.default_rng(0))
    pulses = np.zeros((5, 7), dtype=np.int64)
    pulses[1, 2], pulses[1, 6], pulses[4, 0] = 3, -1, -2
    before = array.weights
    assert array.pulse(pulses) == 6
    assert arrays.updates == 5  # three of a row, two of another
    np.testing.assert_array_equal(array.weights != before, pulses != 0)
    assert (array.weights - before)[1, 2] > 0


def test_what_has_no_room_is_refused() -> None:
    with pytest.raises(InputError, match=r"programming.update must be true for cells that are pulsed all at once"):
        ChipArrays(mho.Chip.load("array-32"))
    with pytest.raises(InputError, match="backend must be functional or cosim to learn, not fpga-sim"):
        ChipArrays(mho.Chip.load("array-32", **KEYS), mho.FpgaSim())
    arrays = ChipArrays(mho.Chip.load("array-32", **KEYS))
    with pytest.raises(InputError, match=r"arrays must be at most 2 of 16 x 16 cells, not 1 of 17 x 3"):
        arrays(EVEN, (17, 3), np.random.default_rng(0))
    with pytest.raises(InputError, match=r"arrays must be at most 2 of 16 x 16 cells, not 3 of 4 x 2"):
        PulsedPerceptron((6, 4, 3, 2), coarse(), "sgd", arrays=arrays)

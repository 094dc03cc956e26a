"""Cells that are pulsed all at once: what a train does in the mean, and which rules learn on which cells."""

import math
from dataclasses import replace

import numpy as np
import pytest

import mho
from mho.macro_models.devices import load_device
from mho.macro_models.devices.sections.update import Update
from mho.macro_models.errors import InputError
from mho.macro_models.integer.update import LONGEST
from mho.train.at_once import PulsedPerceptron
from mho.train.crosspoint import CrosspointArray, symmetry_point
from mho.train.rules import RULES
from tests.mho.train.test_mixed import features

EVEN = Update(model="linear", g_min_uS=0.0, g_max_uS=20.0, up_uS=0.01, down_uS=0.01)
COARSE = Update(
    model="soft", g_min_uS=1.0, g_max_uS=21.0, up_uS=1.9, down_uS=2.2, cycle_spread=0.4, cell_spread=0.6
)
"""About 20 steps over the window, which cells differ in."""


def test_trains_move_weights_by_the_product_in_the_mean() -> None:
    x, d, repeats = np.array([1.0, -0.4, 0.0, 0.7]), np.array([0.5, -0.2, 0.05]), 500
    array = CrosspointArray(EVEN, (4, 3), np.random.default_rng(0))
    rate = 10 * array.step / 0.5
    moves = np.zeros((repeats, 4, 3))
    for k in range(repeats):
        array.set(np.zeros((4, 3)))
        array.update(x, d, rate)
        moves[k] = array.weights
    error = moves.std(axis=0) / math.sqrt(repeats)
    assert (np.abs(moves.mean(axis=0) - rate * np.outer(x, d)) <= 5 * error + 1e-12).all()
    assert (error > 0).sum() == 8  # those at the top of both trains always move, and those of no input never


def test_a_train_is_no_longer_than_the_longest() -> None:
    array = CrosspointArray(EVEN, (1, 1), np.random.default_rng(0))
    assert array.update(np.ones(1), np.ones(1), 1000 * array.step) == LONGEST
    assert array.update(np.zeros(1), np.ones(1), 1.0) == 0
    assert array.weights[0, 0] == pytest.approx(LONGEST * array.step)


def test_references_are_where_steps_are_as_large() -> None:
    # up (1 - x) = down x
    assert symmetry_point(COARSE) == pytest.approx(1.0 + 20.0 * 1.9 / 4.1)
    assert symmetry_point(EVEN) == 10.0
    array = CrosspointArray(replace(COARSE, cycle_spread=0.0), (30, 30), np.random.default_rng(1))
    assert not array.weights.any()
    up_and_down = np.tile([[1], [-1]], (15, 30))
    for _ in range(60):
        array.pulse(up_and_down)
        array.pulse(-up_and_down)
    assert np.abs(array.weights).mean() < 1.5 * array.step


def coarse() -> mho.Device:
    return mho.Device(replace(load_device("ecram"), update=COARSE))


RATES = {"sgd": 0.1, "tiki-taka": 0.1, "tiki-taka-2": 3.0, "chopped": 3.0, "agad": 3.0, "hybrid": 0.1}


@pytest.mark.slow
def test_rules_find_weights_that_plain_descent_does_not() -> None:
    error = {}
    for rule, rate in RATES.items():
        rng, last = np.random.default_rng(0), []
        expected = rng.uniform(-0.5, 0.5, (6, 4))
        layer = RULES[rule](COARSE, expected.shape, rng, 0.05, CrosspointArray)
        layer.begin(np.zeros_like(expected))
        for k in range(2000):
            x = rng.uniform(-1.0, 1.0, 6)
            layer.learn(x, x @ (layer.weights - expected) + 0.2 * rng.standard_normal(4), rate * (1 - k / 2200))
            last.append(((layer.weights - expected) ** 2).mean())
        error[rule] = math.sqrt(np.mean(last[1600:]))
    assert error["sgd"] > 1.5 * 0.1  # a step of these cells is 0.1
    assert error["tiki-taka"] < 0.8 * error["sgd"], error
    assert max(error[rule] for rule in ("tiki-taka-2", "chopped", "agad", "hybrid")) < 0.5 * error["sgd"], error


def test_a_perceptron_learns_classes() -> None:
    x, y = features(150, 6)
    net = PulsedPerceptron((6, 4), coarse(), "hybrid", rate=0.1)
    before = (net.outputs(x).argmax(axis=1) == y).mean()
    pulses = [net.fit(x, y) for _ in range(3)]
    assert (net.outputs(x).argmax(axis=1) == y).mean() > max(before, 0.7)
    assert min(pulses) > 0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match=r"rule must be sgd, tiki-taka, .*agad, hybrid, not 'adam'"):
        PulsedPerceptron((4, 2), coarse(), "adam")
    with pytest.raises(InputError, match=r"a device must have a section \[update\] for its cells to learn all at once"):
        PulsedPerceptron((4, 2), mho.Device.load("rram-neurram"), "agad")

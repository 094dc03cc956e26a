"""What codes of 0 stand for does not fade with the cells: codes are chosen for what drifts, too."""

import numpy as np
import pytest

from benchmarks.drift import data, drifted
from mho.compiler import CompileOptions, Network, compile_model
from mho.hw.config import load_chip
from mho.macro_models.devices import load_device
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend

GENERIC = {"cells.g_max_uS": 25.0, "cells.g_full_scale_uS": 36.0, "device": "pcm-generic"}
CHIPS, IMAGES, POINTS = 2, 200, 0.06


@pytest.fixture(scope="module")
def network() -> Network:
    model, _, _, calibrate = data("fashion14_cnn")
    options = CompileOptions(seeds=1, samples=64)
    return compile_model(model, load_chip("hermes-core", GENERIC), calibrate=calibrate, options=options)


@pytest.mark.slow
@pytest.mark.parametrize("time_s", [3600.0, 86400.0, 30 * 86400.0])
def test_without_compensation_a_chip_loses_what_its_cells_lose(network: Network, time_s: float) -> None:
    """Against a float network whose weights drift by the device's law: centred codes had 31 points less."""
    _, x, y, _ = data("fashion14_cnn")
    x, y = x[:IMAGES], y[:IMAGES]
    device = load_device("pcm-generic")
    floats = [drifted(network.model, network.chip, device, time_s, seed).compute(x) for seed in range(CHIPS)]
    made = [
        execute(network, FunctionalBackend(), x, seed=seed, time_s=time_s, compensation="none").outputs
        for seed in range(CHIPS)
    ]
    wanted, got = (np.mean([(one.argmax(axis=1) == y).mean() for one in outputs]) for outputs in (floats, made))
    assert got > wanted - POINTS

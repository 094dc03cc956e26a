"""What codes of 0 stand for does not fade with the cells: codes are chosen for what drifts, too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.compiler import CompileOptions, FloatNetwork, Network, compile_model
from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.stages import Linear
from mho.data import load_sample
from mho.hw.config import Chip, load_chip
from mho.macro_models import CAUSES
from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import Device, load_device
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend

CNN = Path(__file__).resolve().parents[3] / "examples" / "models" / "fashion14_cnn.onnx"

GENERIC = {"cells.g_max_uS": 25.0, "cells.g_full_scale_uS": 36.0, "device": "pcm-generic"}
CHIPS, IMAGES, POINTS = 2, 200, 0.06


def drifted(network: FloatNetwork, chip: Chip, device: Device, time_s: float, seed: int) -> FloatNetwork:
    """The network with weights that cells hold ``time_s`` seconds after they were programmed; all else is exact."""
    cell_map, low, high = chip.macro_config().cell_map, chip.cells.g_min_uS, chip.cells.g_max_uS
    layers: dict[int, LinearLayer] = {}
    for number, layer in enumerate(network.layers):
        unit = np.maximum(np.abs(layer.weight).max(axis=1, keepdims=True), 1e-30) / cell_map.top(low, high)
        cells = np.asarray(cell_map.split(layer.weight / unit, low, high), dtype=np.float64)
        drawn = programmed(cells, device=device, seed=seed, core=number, time_s=time_s, causes=frozenset(CAUSES))
        layers[id(layer)] = replace(layer, weight=cell_map.join(drawn.g_uS) * unit)
    steps = [
        replace(s, operation=replace(s.operation, layer=layers[id(s.operation.layer)]))
        if isinstance(s.operation, Linear) else s for s in network.steps
    ]
    return replace(network, steps=tuple(steps))


@pytest.fixture(scope="module")
def network() -> Network:
    calibrate = load_sample("fashion14").calibrate.reshape(-1, 14, 14)
    options = CompileOptions(seeds=1, samples=64)
    return compile_model(CNN, load_chip("hermes-core", GENERIC), calibrate=calibrate, options=options)


@pytest.mark.slow
@pytest.mark.parametrize("time_s", [3600.0, 86400.0, 30 * 86400.0])
def test_without_compensation_a_chip_loses_what_its_cells_lose(network: Network, time_s: float) -> None:
    """Against a float network whose weights drift by the device's law: centred codes had 31 points less."""
    sample = load_sample("fashion14")
    x, y = sample.x.reshape(-1, 14, 14)[:IMAGES], sample.y[:IMAGES]
    device = load_device("pcm-generic")
    floats = [drifted(network.model, network.chip, device, time_s, seed).compute(x) for seed in range(CHIPS)]
    made = [
        execute(network, FunctionalBackend(), x, seed=seed, time_s=time_s, compensation="none").outputs
        for seed in range(CHIPS)
    ]
    wanted, got = (np.mean([(one.argmax(axis=1) == y).mean() for one in outputs]) for outputs in (floats, made))
    assert got > wanted - POINTS

"""What codes of 0 stand for does not fade with the cells: codes are chosen for what drifts, too."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.compiler import CompileOptions, FloatNetwork, Network, compile_model
from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.stages import Linear
from mho.compiler.program import DITHER, Layer, Mvm
from mho.data import load_sample
from mho.hw.config import load_chip
from mho.macro_models import CAUSES
from mho.macro_models.cells.programming import programmed
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "models"
CNN, RESIDUAL = EXAMPLES / "fashion14_cnn.onnx", EXAMPLES / "fashion14_resnet8.onnx"

GENERIC = {"cells.g_max_uS": 25.0, "cells.g_full_scale_uS": 36.0, "device": "pcm-generic"}
CHIPS, IMAGES, POINTS = 2, 200, 0.06


def drifted(network: Network, time_s: float, seed: int) -> FloatNetwork:
    """The network with weights that a cell each holds ``time_s`` seconds after programming; all else is exact."""
    chip, layers = network.chip, dict[int, LinearLayer]()
    cell_map, low, high = chip.macro_config().cell_map, chip.cells.g_min_uS, chip.cells.g_max_uS
    for number, layer in enumerate(network.model.layers):
        unit = np.maximum(np.abs(layer.weight).max(axis=1, keepdims=True), 1e-30) / cell_map.top(low, high)
        cells = np.asarray(cell_map.split(layer.weight / unit, low, high), dtype=np.float64)
        drawn = programmed(
            cells, device=network.device, seed=seed, core=number, time_s=time_s, causes=frozenset(CAUSES))
        layers[id(layer)] = replace(layer, weight=cell_map.join(drawn.g_uS) * unit)
    return _with(network.model, layers)


def _with(model: FloatNetwork, layers: dict[int, LinearLayer]) -> FloatNetwork:
    """The same with other layers, by the identity of its own."""
    return replace(model, steps=tuple(
        replace(s, operation=replace(s.operation, layer=layers[id(s.operation.layer)]))
        if isinstance(s.operation, Linear) else s for s in model.steps
    ))


def drifted_cells(network: Network, time_s: float, seed: int) -> FloatNetwork:
    """The same with the chip's own cells: each weight keeps the part that all cells which share it keep together.

    Weight by weight: inputs have scales of their own, so that what a unit of conductance stands for differs by input.
    """
    cell_map = network.chip.macro_config().cell_map
    cells = [core.targets_uS.astype(np.float64) for core in network.cores]
    aged = [programmed(targets, device=network.device, seed=seed, core=k, time_s=time_s, causes=frozenset(CAUSES)).g_uS
            for k, targets in enumerate(cells)]
    layers: dict[int, LinearLayer] = {}
    for linear, layer in zip(network.model.layers, network.program.layers, strict=True):
        whole, left = (
            sum(_weights(layer, mvm, cell_map.join(cell_map.take(g[mvm.core], mvm.rows, mvm.columns)))
                for mvm in layer.mvms) for g in (cells, aged))
        # Of weights of next to nothing a cell's noise is more than all: they fade as the others do in the mean.
        mean = (whole * left).sum() / (whole**2).sum()
        part = np.divide(left, whole, out=np.full_like(whole, mean), where=np.abs(whole) > 0.02 * np.abs(whole).max())
        layers[id(linear)] = replace(linear, weight=linear.weight * part)
    return _with(network.model, layers)


def _weights(layer: Layer, mvm: Mvm, cells: NDArray[Any]) -> NDArray[np.float64]:
    """What cells of a product hold, (rows, columns), by the weights that share them: (outputs, inputs)."""
    weights, inputs = np.zeros((layer.outputs, layer.inputs)), mvm.taken(layer.spread)
    rows = np.flatnonzero(inputs != DITHER)
    np.add.at(weights, (mvm.outputs[:, None], inputs[rows]), (cells * mvm.multiplier)[rows].T)
    return weights


@pytest.fixture(scope="module")
def network() -> Network:
    calibrate = load_sample("fashion14").calibrate.reshape(-1, 14, 14)
    options = CompileOptions(seeds=1, samples=64)
    return compile_model(CNN, load_chip("hermes-core", GENERIC), calibrate=calibrate, options=options)


@pytest.mark.slow
@pytest.mark.parametrize("time_s", [3600.0, 86400.0, 30 * 86400.0])
def test_without_compensation_a_chip_loses_what_its_cells_lose(network: Network, time_s: float) -> None:
    """Against a float network whose weights drift by the device's law: centred codes had 31 points less."""
    for drifts in (drifted, drifted_cells):
        expected, accuracy = accuracies(network, drifts, CHIPS, IMAGES, time_s)
        assert abs(accuracy - expected) < POINTS


@pytest.mark.long
def test_a_residual_network_loses_what_its_cells_lose() -> None:
    """With one cell a weight it would lose 20 points more in 30 days."""
    calibrate = load_sample("fashion14").calibrate.reshape(-1, 14, 14)
    options = CompileOptions(seeds=1, samples=64)
    network = compile_model(RESIDUAL, load_chip("hermes"), calibrate=calibrate, options=options)
    expected, accuracy = accuracies(network, drifted_cells, 1, 150, 30 * 86400.0)
    assert abs(accuracy - expected) < POINTS


def accuracies(
    network: Network, drifts: Callable[[Network, float, int], FloatNetwork], chips: int, images: int, time_s: float
) -> tuple[float, float]:
    """Of the float network that drifts, and of the chip without compensation."""
    sample = load_sample("fashion14")
    x, y = sample.x.reshape(-1, 14, 14)[:images], sample.y[:images]
    floats = [drifts(network, time_s, seed).compute(x) for seed in range(chips)]
    analog = [execute(network, FunctionalBackend(), x, seed=seed, time_s=time_s, compensation="none").outputs
              for seed in range(chips)]
    expected, accuracy = (
        float(np.mean([(scores.argmax(axis=1) == y).mean() for scores in outputs])) for outputs in (floats, analog))
    return expected, accuracy

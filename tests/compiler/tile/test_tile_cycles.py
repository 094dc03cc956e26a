"""Predicted cycles of networks on tiles: in the file, in the summary, and not below what arrays take."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.compiler import CompileOptions
from mho.compiler.network import Network
from mho.compiler.network.report import summarise
from mho.compiler.passes import compile_for_chip
from mho.compiler.tile.cycles import IMAGES, expected_cycles
from mho.hw.config import load_chip
from tests.compiler.importer.onnx_models import build, node

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def case() -> tuple[Network, Any]:
    rng = np.random.default_rng(0)
    nodes = [node("Conv", "x a", "c"), node("Relu", "c", "r"), node("Flatten", "r", "f"),
             node("Gemm", "f w", "y", transB=1)]
    weights = {"a": rng.normal(size=(2, 1, 2, 2)).astype("f4"), "w": rng.normal(size=(3, 8)).astype("f4") / 4}
    x = rng.uniform(-1, 1, size=(8, 1, 3, 3)).astype("f4")
    model = build(nodes, weights, shape=("batch", 1, 3, 3), output=("batch", "b"))
    options = CompileOptions(seeds=1, samples=8)
    return compile_for_chip(model.SerializeToString(), load_chip("tnsa16-2x2"), calibrate=x, options=options), x


def test_the_prediction_is_in_the_network_and_its_summary(case: tuple[Network, Any], tmp_path: Path) -> None:
    network, x = case
    prediction = network.calibration.tile_cycles
    network.save(tmp_path / "net.mho")
    loaded = Network.load(tmp_path / "net.mho")
    assert summarise(loaded)["tiles"] == prediction
    facts = expected_cycles(loaded, x).facts()
    prediction = {**prediction, "tiles": [{**entry} for entry in prediction["tiles"]]}
    on = {entry["tile"]: entry.pop("layers") for entry in prediction["tiles"]}
    takes = {entry["tile"]: entry.pop("takes") for entry in prediction["tiles"]}
    assert network.tiles is not None
    for tile, program in network.tiles.programs.items():
        assert takes[tile]["parameters"] == len(program.parameters)
        assert takes[tile]["instructions"] == len(program.words) > 0
        assert 0 < takes[tile]["buffer"] <= 16 * 1024
    assert facts.items() <= prediction.items()
    assert sorted(name for layers in on.values() for name in layers) == sorted(
        layer.name for layer in network.layers for _ in {mvm.core for mvm in layer.mvms})


def test_an_image_takes_no_less_than_the_array_that_works_longest(case: tuple[Network, Any]) -> None:
    network, x = case
    prediction = expected_cycles(network, x)
    assert len(prediction.ends) == IMAGES + 1
    assert prediction.latency > prediction.interval > prediction.analog[prediction.bottleneck] > 0
    assert set(prediction.analog) == set(network.tiles.programs)  # type: ignore[union-attr]
    busy = [entry["utilisation"] for entry in prediction.facts()["tiles"]]
    assert max(busy) == prediction.analog[prediction.bottleneck] / prediction.interval <= 1

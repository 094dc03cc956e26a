"""A network with crossing connections whose outputs are off on perfect cells is calibrated with finer inputs."""

from typing import Any

import numpy as np
import onnx
import pytest

from mho.compiler import CompileOptions, compile_model, import_onnx
from mho.compiler.calibration.finer import MOST_LAYERS, may_be_in_two
from mho.compiler.model import FloatNetwork
from mho.compiler.passes import compile_tiles
from mho.hw.config import load_chip
from tests.compiler.importer.onnx_models import build, node

OPTIONS = CompileOptions(seeds=1, samples=24, error=1.0)


def unet() -> onnx.ModelProto:
    """Down, up by a transposed convolution, and a connection across that is concatenated."""
    rng = np.random.default_rng(3)

    def weights(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))).astype("f4")

    nodes = [
        node("Conv", "x a", "c", pads=[1, 1, 1, 1]), node("Relu", "c", "s"),
        node("MaxPool", "s", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "p b", "d", pads=[1, 1, 1, 1]), node("Relu", "d", "m"),
        node("ConvTranspose", "m t", "u", strides=[2, 2]), node("Concat", "s u", "j", axis=1),
        node("Conv", "j e", "f", pads=[1, 1, 1, 1]), node("Relu", "f", "g"), node("Conv", "g o", "y"),
    ]
    constants = {"a": weights(6, 1, 3, 3), "b": weights(12, 6, 3, 3), "t": weights(12, 6, 2, 2),
                 "e": weights(6, 12, 3, 3), "o": weights(1, 6, 1, 1)}
    return build(nodes, constants, shape=("n", 1, 8, 8), output=("n", 1, 8, 8))


@pytest.fixture(scope="module")
def network() -> FloatNetwork:
    return import_onnx(unet())


def error(road: Any, network: FloatNetwork, **options: Any) -> float:
    """Of its output on perfect cells, as calibration sees it."""
    x = np.random.default_rng(0).normal(size=(24, 1, 8, 8)).astype(np.float32)
    chosen = CompileOptions(**OPTIONS.to_dict() | options)
    net = road(network, load_chip("tnsa64-2x2"), calibrate=x, options=chosen)
    return net.calibration.outputs[0].error


@pytest.mark.slow
@pytest.mark.parametrize("road", [compile_model, compile_tiles])
def test_what_rounding_spoils_is_seen_and_mended(
    road: Any, network: FloatNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the estimate layer by layer takes too few bits: here since it takes anything for good enough."""
    monkeypatch.setattr("mho.compiler.calibration.search.layer.ERROR_TOLERANCE", 10.0)
    with monkeypatch.context() as patch:
        patch.setattr("mho.compiler.calibration.outputs.OutputError.misses", False)
        coarse = error(road, network)
    finest = error(road, network, tolerance=0.0)
    assert coarse > 0.05
    assert finest < 0.8 * coarse
    assert error(road, network) == finest


@pytest.mark.parametrize("layers", [MOST_LAYERS, MOST_LAYERS + 1])
def test_a_network_of_many_layers_is_calibrated_once(layers: int) -> None:
    nodes = [node("MatMul", f"x w{k}", f"h{k}") for k in range(layers)]
    nodes.append(node("Concat", " ".join(f"h{k}" for k in range(layers)), "y", axis=1))
    weights = {f"w{k}": np.full((2, 1), k + 1, "f4") for k in range(layers)}
    network = import_onnx(build(nodes, weights, shape=("n", 2), output=("n", layers)))
    assert may_be_in_two(network, CompileOptions()) is (len(network.layers) <= MOST_LAYERS)
    assert len(network.layers) == layers

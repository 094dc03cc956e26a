"""What pruning has emptied goes: channels, rows and constants; everything else stays as it is."""

import numpy as np
import pytest

from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.model import FloatNetwork
from mho.compiler.model.pruned import pruned
from mho.compiler.options import CompileOptions
from mho.compiler.passes import compile_for_chip
from mho.hw.config import load_chip
from tests.compiler.importer.onnx_models import Array, build, node, random_perceptron, reference

X = np.random.default_rng(1).uniform(-1, 1, (12, 2, 6, 6)).astype("f4")


def weights(seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    sizes = {"w0": (6, 2, 3, 3), "w1": (8, 6, 3, 3), "w2": (6, 8, 3, 3), "w3": (6, 1, 3, 3), "w4": (54, 5)}
    return {k: rng.normal(scale=0.3, size=v).astype("f4") for k, v in sizes.items()} | {
        f"b{k}": rng.normal(size=v).astype("f4") for k, v in enumerate((6, 8, 6, 6, 5))}


def network(values: dict[str, Array]) -> FloatNetwork:
    """Convolutions with padding, one beside an identity, one of a channel each; the mean of four pixels; a Gemm."""
    model = build([
        node("Conv", "x w0 b0", "c0", pads=[1] * 4), node("Relu", "c0", "r0"),
        node("Conv", "r0 w1 b1", "c1", pads=[1] * 4), node("HardSwish", "c1", "h1"),
        node("Conv", "h1 w2 b2", "c2", pads=[1] * 4), node("Add", "c2 r0", "a"), node("Relu", "a", "r2"),
        node("Conv", "r2 w3 b3", "c3", pads=[1] * 4, group=6), node("Relu", "c3", "r3"),
        node("AveragePool", "r3", "p", kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", "p", "f"),
        node("Gemm", "f w4 b4", "y"),
    ], values, shape=("N", 2, 6, 6), output=("N", 5))
    net = import_onnx(model)
    np.testing.assert_allclose(net.compute(X), reference(model, X), atol=2e-5)
    return net


def sizes(net: FloatNetwork) -> list[tuple[int, int, int]]:
    assert all(op.window is not None for op in net.linear if len(op.patches) > 1)
    return [layer.shape for layer in net.layers]


def test_a_network_without_zeros_is_the_same_object() -> None:
    net = network(weights())
    assert sizes(net) == [(18, 6, 1), (54, 8, 1), (72, 6, 1), (54, 6, 6), (54, 5, 1)]
    assert pruned(net) is net


@pytest.mark.parametrize(("bias", "left"), [(0.0, 5), (-4.0, 5), ((0.5, -3.5, 2.0), 6)])
def test_outputs_without_weights_go_and_one_stays_for_constants(bias: Array, left: int) -> None:
    """HardSwish of a bias of 0, or up to -3, is 0, like the padding; of others one channel has the weights of all."""
    values = weights()
    values["w1"][[1, 4, 6]], values["b1"][[1, 4, 6]] = 0.0, bias
    assert sizes(network(values))[1:3] == [(54, left, 1), (9 * left, 6, 1)]


def test_inputs_without_weights_take_all_with_them_that_they_were_made_of() -> None:
    """Channels 2 and 5 of the last convolution feed nothing; those before are taken by the block, too."""
    values = weights()
    values["w4"].reshape(6, 9, 5)[[2, 5]] = 0.0
    assert sizes(network(values)) == [(18, 6, 1), (54, 8, 1), (72, 4, 1), (36, 4, 4), (36, 5, 1)]
    values["w1"][:, [2, 5]] = 0.0
    assert sizes(network(values)) == [(18, 4, 1), (36, 8, 1), (72, 4, 1), (36, 4, 4), (36, 5, 1)]


def test_outputs_of_the_network_and_at_least_one_channel_stay() -> None:
    values = weights() | {"w4": np.zeros((54, 5), "f4")}
    net = network(values)
    assert net.layers[-1].outputs == 5
    assert all(layer.inputs and layer.outputs for layer in net.layers)


@pytest.mark.parametrize("seed", range(6))
def test_zeros_at_random(seed: int) -> None:
    """Whatever is 0, the outputs are those of onnxruntime, as :func:`network` tests."""
    values, rng = weights(seed), np.random.default_rng(seed)
    for name in ("w0", "w1", "w2", "w3"):
        values[name][rng.random(len(values[name])) < 0.4] = 0.0
    values["w2"][:, rng.random(8) < 0.3] = 0.0
    values["b1"][rng.random(8) < 0.5] = 0.0
    sizes(network(values))


def test_states_of_a_recurrent_layer_stay() -> None:
    rng = np.random.default_rng(0)
    values = {"w": rng.normal(size=(1, 4, 3)).astype("f4"), "r": rng.normal(size=(1, 4, 4)).astype("f4"),
              "v": rng.normal(size=(4, 2)).astype("f4"), "n": np.array([0])}
    values["w"][:, 1], values["r"][:, 1], values["v"][1] = 0.0, 0.0, 0.0
    model = build([
        node("RNN", "x w r", "y0 last", hidden_size=4), node("Squeeze", "last n", "s"), node("MatMul", "s v", "y"),
    ], values, shape=(5, "N", 3), output=("N", 2))
    net = import_onnx(model)
    assert [layer.outputs for layer in net.layers] == [4, 4, 2]


def test_fewer_conversions_on_cores_and_tiles() -> None:
    """Half of the hidden units leave half of the products, or less."""
    model = random_perceptron((24, 32, 32, 6), seed=2, final=None)
    x = np.random.default_rng(0).uniform(0, 1, (24, 24)).astype("f4")
    for tensor in model.graph.initializer:
        if tensor.name in ("w0", "w1", "b0", "b1"):
            array = np.frombuffer(tensor.raw_data, "f4").reshape(tensor.dims).copy()
            array[..., ::2] = 0.0
            tensor.raw_data = array.tobytes()
    whole, half = random_perceptron((24, 32, 32, 6), seed=2, final=None), model
    options = CompileOptions(seeds=1, copies=1, in_parts=1)
    for chip in (load_chip("tnsa16-core"), load_chip("tnsa16-2x2", {"mesh.columns": 4, "mesh.rows": 4})):
        before, after = (compile_for_chip(m, chip, calibrate=x, device="ideal", options=options) for m in (whole, half))
        assert [layer.outputs for layer in after.layers] == [16, 16, 6]
        assert before.mvms_per_image >= 2 * after.mvms_per_image

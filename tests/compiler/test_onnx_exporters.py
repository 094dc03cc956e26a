"""Operators as scikit-learn's exporter writes them, and LeakyRelu, against onnxruntime."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compiler import compile_model, import_onnx
from compiler.options import CompileOptions
from hw.config import load_chip
from macro_models.errors import InputError
from sim.executor import quantised_outputs
from sim.functional import FunctionalBackend
from tests.compiler.onnx_models import Array, build, node, reference


def pipeline(last: onnx.NodeProto, weights: dict[str, Array]) -> onnx.ModelProto:
    """A Scaler before what follows, in the domain of scikit-learn's exporter."""
    scaler = helper.make_node(
        "Scaler", ["x"], ["s"], name="scaler", domain="ai.onnx.ml", offset=[100.0, -3.0, 0.0], scale=[0.01, 0.5, 2.0]
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [scaler, last], "net", [value("x", TensorProto.FLOAT, ["N", 3])], [value("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(v, k) for k, v in weights.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def inputs() -> Array:
    return np.random.default_rng(0).normal(size=(50, 3)).astype("f4") * [100, 2, 0.5] + [100, -3, 0]


def linear_regressor(**attributes: object) -> onnx.NodeProto:
    return helper.make_node(
        "LinearRegressor", ["s"], ["y"], name="linear", domain="ai.onnx.ml", targets=2,
        coefficients=[0.5, -1.0, 2.0, 1.0, 0.0, -0.25], intercepts=[1.0, -2.0], **attributes,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["Gemm", "LinearRegressor"])
def test_scaler_and_linear_regressor(kind: str) -> None:
    weights = {"w": np.random.default_rng(1).normal(size=(3, 2)).astype("f4")} if kind == "Gemm" else {}
    model = pipeline(node("Gemm", "s w", "y") if weights else linear_regressor(), weights)
    x = inputs().astype("f4")
    network = import_onnx(model)
    assert len(network.layers) == 1
    np.testing.assert_allclose(network.compute(x), reference(model, x), rtol=1e-4, atol=1e-4)


def test_post_transform_is_refused() -> None:
    with pytest.raises(InputError, match=r"'linear' .*post_transform SOFTMAX is not supported; NONE is"):
        import_onnx(pipeline(linear_regressor(post_transform="SOFTMAX"), {}))


def test_other_operators_of_that_domain_are_refused() -> None:
    other = helper.make_node("Normalizer", ["s"], ["y"], name="norm", domain="ai.onnx.ml", norm="L1")
    with pytest.raises(InputError, match=r"'norm' \(Normalizer\): operators of 'ai.onnx.ml' are not supported"):
        import_onnx(pipeline(other, {}))


@pytest.mark.parametrize("alpha", [0.01, 0.3])
def test_leaky_relu(alpha: float) -> None:
    rng = np.random.default_rng(2)
    weights = {"w": rng.normal(size=(6, 8)).astype("f4"), "v": rng.normal(size=(8, 4)).astype("f4")}
    nodes = [node("Gemm", "x w", "h"), node("LeakyRelu", "h", "r", alpha=alpha), node("Gemm", "r v", "y")]
    model, x = build(nodes, weights), rng.normal(size=(64, 6)).astype("f4")
    wanted = reference(model, x)
    np.testing.assert_allclose(import_onnx(model).compute(x), wanted, rtol=1e-4, atol=1e-4)
    options = CompileOptions(seeds=1, samples=64)
    network = compile_model(model, load_chip("tnsa64-core"), calibrate=x, device="ideal", options=options)
    got = quantised_outputs(network, FunctionalBackend(), x).outputs
    assert (got - wanted).std() < 0.05 * wanted.std()


def test_leaky_relu_at_the_end() -> None:
    rng = np.random.default_rng(3)
    weights = {"w": rng.normal(size=(6, 4)).astype("f4")}
    model, x = build([node("Gemm", "x w", "h"), node("LeakyRelu", "h", "y")], weights), rng.normal(size=(9, 6))
    np.testing.assert_allclose(import_onnx(model).compute(x), reference(model, x.astype("f4")), rtol=1e-4, atol=1e-4)

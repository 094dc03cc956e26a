"""Operators as exporters write them, those of scikit-learn and activation functions, against onnxruntime."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mho.compiler import compile_model, import_onnx
from mho.compiler.options import CompileOptions
from mho.hw.config import load_chip
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, build, node, reference
from tests.sim.outputs import quantised_outputs


def pipeline(last: onnx.NodeProto, weights: dict[str, Array]) -> onnx.ModelProto:
    """A Scaler before what follows, in the domain of scikit-learn's exporter."""
    scaler = helper.make_node(
        "Scaler", ["x"], ["s"], name="scaler", domain="ai.onnx.ml", offset=[100.0, -3.0, 0.0], scale=[0.01, 0.5, 2.0]
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [scaler, last], "net", [value("x", TensorProto.FLOAT, ["N", 3])], [value("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(v, k) for k, v in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def inputs() -> Array:
    return np.random.default_rng(0).normal(size=(50, 3)).astype("f4") * [100, 2, 0.5] + [100, -3, 0]


def linear_regressor(**attributes: Any) -> onnx.NodeProto:
    return helper.make_node(
        "LinearRegressor", ["s"], ["y"], name="linear", domain="ai.onnx.ml", targets=2,
        coefficients=[0.5, -1.0, 2.0, 1.0, 0.0, -0.25], intercepts=[1.0, -2.0], **attributes,
    )


@pytest.mark.parametrize("kind", ["Gemm", "LinearRegressor"])
def test_scaler_and_linear_regressor(kind: str) -> None:
    weights = {"w": np.random.default_rng(1).normal(size=(3, 2)).astype("f4")} if kind == "Gemm" else {}
    model = pipeline(node("Gemm", "s w", "y") if weights else linear_regressor(), weights)
    x = inputs().astype("f4")
    network = import_onnx(model)
    assert len(network.layers) == 1
    np.testing.assert_allclose(network.compute(x), reference(model, x), rtol=1e-4, atol=1e-4)


def ml(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), outputs.split(), name=op, domain="ai.onnx.ml", **attributes)


def classifier(nodes: list[onnx.NodeProto], classes: int = 3, labels: str = "label") -> onnx.ModelProto:
    """A network with labels and scores, as pipelines have them."""
    rng = np.random.default_rng(4)
    weights = {
        "w": rng.normal(size=(3, classes)).astype("f4"), "one": np.float32(1),
        "names": np.array([[7, 9, 4]], dtype=np.int64), "flat": np.array([-1], dtype=np.int64),
    }
    used = {name for n in nodes for name in n.input}
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", None])
    outputs = [helper.make_tensor_value_info(labels, TensorProto.INT64, ["N"]), scores]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])], outputs,
        [numpy_helper.from_array(v, k) for k, v in weights.items() if k in used],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


LABELS = [
    node("ArgMax", "scores", "index", axis=1), ml("ArrayFeatureExtractor", "names index", "taken"),
    node("Reshape", "taken flat", "ints"), node("Cast", "ints", "label", to=TensorProto.INT64),
]


def linear_classifier(**attributes: Any) -> onnx.NodeProto:
    return ml(
        "LinearClassifier", "x", "label raw", coefficients=np.random.default_rng(5).normal(size=9).tolist(),
        intercepts=[0.1, 0.0, -0.3], classlabels_ints=[7, 9, 4], **attributes,
    )


CLASSIFIERS = {
    "perceptron": [node("MatMul", "x w", "l"), node("Softmax", "l", "scores", axis=1), *LABELS],
    "binary": [
        node("MatMul", "x w", "l"), node("Sigmoid", "l", "p"), node("Sub", "one p", "q"),
        node("Concat", "q p", "scores", axis=1), *LABELS,
    ],
    "softmax": [linear_classifier(post_transform="SOFTMAX"), ml("Normalizer", "raw", "scores", norm="L1")],
    "one against the rest": [
        linear_classifier(post_transform="LOGISTIC"), ml("Normalizer", "raw", "scores", norm="L1")
    ],
}


@pytest.mark.parametrize("output", ["label", "scores"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(name: str, output: str) -> None:
    import onnxruntime

    model = classifier(CLASSIFIERS[name], classes=1 if name == "binary" else 3)
    x = np.random.default_rng(6).normal(size=(40, 3)).astype("f4")
    expected = np.asarray(onnxruntime.InferenceSession(model.SerializeToString()).run([output], {"x": x})[0])
    network = import_onnx(model, output=output)
    got = network.compute(x)
    assert network.is_classifier
    assert network.is_chain
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_dictionaries_of_scores() -> None:
    nodes = [*CLASSIFIERS["perceptron"], ml("ZipMap", "scores", "dictionaries", classlabels_int64s=[7, 9, 4])]
    model = classifier(nodes)
    value = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.INT64, value))
    model.graph.output.append(helper.make_value_info("dictionaries", kind))
    x = inputs().astype("f4")
    scores = import_onnx(model, output="scores").compute(x)
    np.testing.assert_array_equal(import_onnx(model, output="dictionaries").compute(x), scores)


ACTIVATIONS = {
    "LeakyRelu": {"alpha": 0.3}, "Elu": {"alpha": 1.5}, "Selu": {}, "Gelu": {}, "HardSwish": {}, "HardSigmoid": {},
    "Softplus": {}, "Mish": {}, "PRelu": {}, "SiLU": {},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    rng = np.random.default_rng(2)
    weights = {"w": rng.normal(size=(6, 8)).astype("f4"), "v": rng.normal(size=(8, 4)).astype("f4")}
    function = [node(name, "h", "r", **ACTIVATIONS[name])]
    if name == "PRelu":
        weights["slopes"] = rng.uniform(-0.2, 0.8, 8).astype("f4")
        function = [node("PRelu", "h slopes", "r")]
    if name == "SiLU":
        function = [node("Sigmoid", "h", "s"), node("Mul", "s h", "r")]
    model = build([node("Gemm", "x w", "h"), *function, node("Gemm", "r v", "y")], weights, opset=20)
    x = rng.normal(size=(64, 6)).astype("f4")
    expected = reference(model, x)
    np.testing.assert_allclose(import_onnx(model).compute(x), expected, rtol=1e-4, atol=1e-4)
    options = CompileOptions(seeds=1, samples=64)
    network = compile_model(model, load_chip("tnsa64-core"), calibrate=x, device="ideal", options=options)
    got = quantised_outputs(network, FunctionalBackend(), x).outputs
    assert (got - expected).std() < 0.05 * expected.std()


def test_silu_of_what_the_host_makes() -> None:
    """Scales after a step of the host are not folded into it: as group normalisation before a SiLU is exported."""
    rng = np.random.default_rng(2)
    sizes = {"w": (6, 8), "v": (8, 4), "k": (8,), "c": (8,)}
    nodes = [
        node("Gemm", "x w", "h"), node("Softmax", "h", "p", axis=1), node("Mul", "p k", "a"), node("Add", "a c", "b"),
        node("Sigmoid", "b", "s"), node("Mul", "b s", "r"), node("Gemm", "r v", "y"),
    ]
    model = build(nodes, {name: rng.normal(size=size).astype("f4") for name, size in sizes.items()}, opset=20)
    x = rng.normal(size=(9, 6)).astype("f4")
    np.testing.assert_allclose(import_onnx(model).compute(x), reference(model, x), rtol=1e-4, atol=1e-4)


def test_an_input_that_is_left_out_at_the_end() -> None:
    """Its name is empty, as torch exports padding with zeros."""
    rng = np.random.default_rng(3)
    weights = {"w": rng.normal(size=(6, 4)).astype("f4"), "p": np.array([0, 1, 0, 2])}
    nodes = [node("Gemm", "x w", "h"), helper.make_node("Pad", ["h", "p", ""], ["y"])]
    model, x = build(nodes, weights), rng.normal(size=(9, 6)).astype("f4")
    np.testing.assert_allclose(import_onnx(model).compute(x), reference(model, x), rtol=1e-4, atol=1e-4)


def test_leaky_relu_at_the_end() -> None:
    rng = np.random.default_rng(3)
    weights = {"w": rng.normal(size=(6, 4)).astype("f4")}
    model, x = build([node("Gemm", "x w", "h"), node("LeakyRelu", "h", "y")], weights), rng.normal(size=(9, 6))
    np.testing.assert_allclose(import_onnx(model).compute(x), reference(model, x.astype("f4")), rtol=1e-4, atol=1e-4)

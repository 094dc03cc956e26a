"""Classifiers of ``ai.onnx.ml``: labels that are text, and scores of which more is made."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mho.compiler import CompileOptions, compile_model, import_onnx
from mho.hw.config import load_chip
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array
from tests.compiler.importer.test_named_values import floats, run_all
from tests.sim.outputs import quantised_outputs

FEATURES = 5


def model(nodes: list[onnx.NodeProto], **outputs: int) -> onnx.ModelProto:
    """A model from ``x`` of five features to outputs of these types."""
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def ml(op: str, inputs: str, outputs: str, **attrs: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), outputs.split(), domain="ai.onnx.ml", name=outputs.split()[0], **attrs)


def linear(text: bool, after: str, classes: int = 3) -> onnx.NodeProto:
    labels = {"classlabels_strings": list("abc")} if text else {"classlabels_ints": [2, 5, 9]}
    return ml(
        "LinearClassifier", "x", "label scores", coefficients=floats(classes, FEATURES).reshape(-1).tolist(),
        intercepts=floats(classes).tolist(), post_transform=after, multi_class=1, **labels,
    )


@pytest.mark.parametrize("after", ["NONE", "SOFTMAX", "LOGISTIC"])
@pytest.mark.parametrize("text", [False, True])
def test_labels_that_are_text_and_scores(text: bool, after: str) -> None:
    proto = model([linear(text, after)], label=TensorProto.STRING if text else TensorProto.INT64,
                  scores=TensorProto.FLOAT)
    x = floats(40, FEATURES)
    got, expected = import_onnx(proto).compute_all(x), run_all(proto, {"x": x})
    assert np.array_equal(got["label"], expected["label"])
    np.testing.assert_allclose(got["scores"], expected["scores"], rtol=1e-4, atol=1e-4)


def compiled(proto: onnx.ModelProto, x: Array) -> dict[str, Array]:
    net = compile_model(proto, load_chip("neurram-core"), calibrate=x, device="ideal", options=CompileOptions(seeds=1))
    return quantised_outputs(net, FunctionalBackend(), x).by_name


def test_classifiers_that_are_stacked() -> None:
    """Of the scores another classifier is made, its labels of what follows."""
    second = ml(
        "LinearClassifier", "normal", "label2 scores2", coefficients=floats(3, 3).reshape(-1).tolist(),
        intercepts=[0.0, 0.1, -0.1], post_transform="SOFTMAX", classlabels_ints=[0, 1, 2],
    )
    nodes = [linear(False, "SOFTMAX"), ml("Normalizer", "scores", "normal", norm="L1"), second]
    proto = model(nodes, label2=TensorProto.INT64, scores2=TensorProto.FLOAT)
    x = floats(64, FEATURES)
    expected, got = run_all(proto, {"x": x}), import_onnx(proto).compute_all(x)
    assert np.array_equal(got["label2"], expected["label2"])
    np.testing.assert_allclose(got["scores2"], expected["scores2"], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_whole_numbers_of_the_host_stay_whole() -> None:
    """A label that a step on the way makes is not a little less than itself when it is cast again."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["s"]), helper.make_node("ArgMax", ["s"], ["label"], axis=1, keepdims=0),
        helper.make_node("Cast", ["label"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["f", "a"], ["u"]), helper.make_node("MatMul", ["u", "v"], ["y"]),
    ]
    proto = model(nodes, label=TensorProto.INT64, y=TensorProto.FLOAT)
    for name, value in {"w": floats(FEATURES, 4), "a": np.array([1]), "v": floats(1, 2)}.items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    x = floats(64, FEATURES)
    assert (compiled(proto, x)["label"] == run_all(proto, {"x": x})["label"]).mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("after", ["NONE", "SOFTMAX", "LOGISTIC"])
@pytest.mark.parametrize("behind", [False, True])
def test_label_and_scores_are_of_one_product(after: str, behind: bool) -> None:
    """Computed twice, each on cells of its own, they would contradict each other now and then."""
    attrs: dict[str, Any] = {"classlabels_ints": [3, 5, 7, 9], "post_transform": after}
    attrs |= {"coefficients": (floats(4, FEATURES) / 4).reshape(-1).tolist(), "intercepts": floats(4).tolist()}
    nodes = [ml("LinearClassifier", "x", "label scores", **attrs)]
    if behind:
        nodes = [ml("LinearClassifier", "x", "l s", **attrs), helper.make_node("Cast", ["l"], ["label"], to=7),
                 ml("Normalizer", "s", "scores", norm="L1")]
    network = import_onnx(model(nodes, label=TensorProto.INT64, scores=TensorProto.FLOAT))
    assert len(network.layers) == 1
    x = floats(400, FEATURES)
    net = compile_model(network, load_chip("tnsa16-core"), calibrate=x[:64], options=CompileOptions(seeds=1))
    outputs = execute(net, FunctionalBackend(), x, seed=3, time_s=86400.0).by_name
    best = np.sort(outputs["scores"], axis=1)
    decided = best[:, -1] > best[:, -2]
    assert decided.mean() > 0.5
    assert np.array_equal(outputs["label"][decided], np.array([3, 5, 7, 9])[outputs["scores"].argmax(axis=1)][decided])

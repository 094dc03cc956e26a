"""Operators that onnxruntime's own quantisation writes (domain ``com.microsoft``), against onnxruntime."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mho.compiler import import_onnx
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import Array
from tests.compiler.importer.test_named_values import floats, run_all

SCALE = {"s": np.float32(0.03), "z": np.uint8(120), "s1": np.float32(0.05), "z1": np.uint8(128)}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "QLinearAdd": ("a s z b s z s1 z1", {}), "QLinearMul": ("a s z b s z s1 z1", {}),
    "QLinearConcat": ("s1 z1 a s z b s z", {"axis": 1}),
    "QLinearAveragePool": ("a s z s1 z1", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "QLinearGlobalAveragePool": ("a s z s1 z1", {"channels_last": 0}), "QLinearSigmoid": ("a s z s1 z1", {}),
    "QLinearLeakyRelu": ("a s z s1 z1", {"alpha": 0.1}),
    "QLinearSoftmax": ("a s z s1 z1", {"axis": 1, "opset": 13}), "QGemm": ("f s z w sw zw c s1 z1", {"transB": 1}),
}


def quantised(kind: str) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """Two convolutions of an image, quantised, what is made of them, and that in floating point."""
    inputs, attrs = CASES[kind]
    nodes = [helper.make_node("Conv", ["x", "k"], ["p"]), helper.make_node("Conv", ["x", "l"], ["q"])]
    nodes += [helper.make_node("QuantizeLinear", [v, "s", "z"], [o]) for v, o in (("p", "a"), ("q", "b"))]
    nodes += [helper.make_node("Flatten", ["a"], ["f"])] if kind == "QGemm" else []
    operator = helper.make_node(kind, inputs.split(), ["m"], name=kind, domain="com.microsoft", **attrs)
    nodes += [operator, helper.make_node("DequantizeLinear", ["m", "s1", "z1"], ["y"])]
    weights: dict[str, Any] = {
        **SCALE, "k": floats(2, 3, 1, 1) / 2, "l": floats(2, 3, 1, 1)[::-1] / 2, "sw": np.float32(0.01),
        "w": np.random.default_rng(0).integers(-100, 100, (3, 32)).astype("i1"), "zw": np.int8(0),
        "c": np.array([1000, -2000, 500], "i4"),
    }
    used = {name for n in nodes for name in n.input}
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items() if k in used],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), {"x": floats(4, 3, 4, 4)}


@pytest.mark.parametrize("kind", CASES)
def test_between_dequantisation_and_quantisation(kind: str) -> None:
    model, feeds = quantised(kind)
    got, expected = import_onnx(model).compute(feeds["x"]), run_all(model, feeds)["y"]
    assert got.shape == expected.shape
    # Rounding on the way is left out: a step of the result and of what it is made of.
    assert np.abs(got - expected).max() < 0.12 * max(1.0, np.ptp(expected) / 4)


def test_channels_that_are_last_are_refused() -> None:
    model, _ = quantised("QLinearGlobalAveragePool")
    next(n for n in model.graph.node if n.domain).attribute[0].i = 1
    with pytest.raises(InputError, match="its channels are last; channels first are supported"):
        import_onnx(model)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("kind", [
    "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT4E2M1", "INT4",
])
def test_types_of_few_bits_saturate_at_their_own_largest_number(kind: str, last: bool) -> None:
    """At the end of a network and on the way, against the reference of ONNX (e4m3fnuz has 240, not 448)."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("QuantizeLinear", ["h", "s", "z"], ["q"]),
             helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y" if last else "d"])]
    nodes += [] if last else [helper.make_node("MatMul", ["d", "w"], ["y"])]
    scale = np.float32(1 / 1024)
    weights = [numpy_helper.from_array(np.eye(2, dtype="f4"), "w"), numpy_helper.from_array(np.asarray(scale), "s"),
               helper.make_tensor("z", getattr(TensorProto, kind), [], [0])]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in "xy")
    model = helper.make_model(
        helper.make_graph(nodes, "net", [x], [y], weights), opset_imports=[helper.make_opsetid("", 23)], ir_version=11)
    # The largest value and the least, far beyond what the type holds.
    extremes = np.array([[1000, -1000]], "f4")
    (expected,) = ReferenceEvaluator(model).run(None, {"x": extremes})
    np.testing.assert_array_equal(import_onnx(model).compute(extremes), expected)

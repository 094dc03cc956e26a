"""Loop and Scan written out, against onnxruntime."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mho.compiler import import_onnx
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.importer.test_named_values import floats, run_all
from tests.compiler.importer.test_onnx_operators import agree

FLOAT, BOOL, INT = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64
WEIGHTS = {
    "w": floats(3, 4) / 2, "r": floats(4, 4) / 2, "v": floats(4, 2), "zero": np.zeros((1, 4), "f4"),
    "yes": np.array(True), "five": np.array(5), "none": np.array(0), "begin": np.array(0), "after": np.array(2),
    "every": np.array([0, -1]),
}


def values(**kinds: int) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, kind, None if kind == FLOAT else []) for name, kind in kinds.items()]


CELL = [node("MatMul", "now w", "a"), node("MatMul", "h r", "b"), node("Add", "a b", "c"), node("Tanh", "c", "new")]


def scan(**attrs: Any) -> onnx.ModelProto:
    """A recurrent layer, batch first, and a layer of all its states."""
    body = helper.make_graph(
        [*CELL, node("Identity", "new", "state")], "cell", values(h=FLOAT, now=FLOAT), values(new=FLOAT, state=FLOAT)
    )
    nodes = [
        helper.make_node("Scan", ["zero", "x"], ["last", "states"], name="steps", body=body, num_scan_inputs=1,
                         scan_input_axes=[1], **attrs),
        node("MatMul", "states v", "m"), node("Add", "m n", "p"), node("Identity", "last", "q"),
    ]
    model = build(nodes, WEIGHTS | {"n": floats(2)}, shape=(1, 5, 3))
    del model.graph.output[:]
    model.graph.output.extend(values(p=FLOAT, q=FLOAT))
    return model


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("axis", [0, 1])
def test_scan(way: int, axis: int) -> None:
    model = scan(scan_input_directions=[way], scan_output_directions=[1 - way], scan_output_axes=[axis])
    x = floats(1, 5, 3)
    network, expected = import_onnx(model), run_all(model, {"x": x})
    assert sorted(map(len, network.calls)) == [1, 4, 5]  # of the first state nothing is computed, it is zero
    got = network.compute_all(x)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name].reshape(value.shape), value, rtol=1e-4, atol=1e-5)


def loop(body: Sequence[onnx.NodeProto], outputs: str, count: str = "five", go: str = "yes") -> onnx.ModelProto:
    """A counter and a state; the state of each iteration is stacked."""
    graph = helper.make_graph(
        list(body), "cell", values(i=INT, on=BOOL, at=INT, h=FLOAT),
        [*values(more=BOOL, next=INT), *values(**dict.fromkeys(outputs.split(), FLOAT))],
    )
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(1), "one"))
    nodes = [
        node("Gemm", "x w", "first"),
        helper.make_node("Loop", [count, go, "begin", "first"], ["counted", "last", "all"], name="steps", body=graph),
        node("Transpose", "all", "t", perm=[1, 0, 2]), node("Flatten", "t", "f"), node("Add", "last last", "two"),
        node("Concat", "f two", "y", axis=1),
    ]
    return build(nodes, WEIGHTS, shape=("n", 3), output=("n", None))


STEP = [
    node("MatMul", "h r", "b"), node("Tanh", "b", "new"), node("Add", "at one", "next"), node("Neg", "new", "shown"),
]


def test_loop_of_a_number_of_iterations() -> None:
    agree(loop([*STEP, node("Identity", "on", "more")], "new shown"), floats(6, 3))


def test_loop_until_a_condition() -> None:
    """Which only the values of the last iteration say."""
    model = loop([*STEP, node("Less", "at after", "more")], "new shown", count="")
    assert [len(calls) for calls in import_onnx(model).calls] == [1, 3]
    agree(model, floats(6, 3))


def test_loop_in_a_loop() -> None:
    inside = helper.make_graph(
        [node("MatMul", "k r", "kk"), node("Identity", "on2", "on3")], "in", values(j=INT, on2=BOOL, k=FLOAT),
        values(on3=BOOL, kk=FLOAT),
    )
    body = [
        helper.make_node("Loop", ["after", "on", "h"], ["deep"], body=inside), node("Tanh", "deep", "new"),
        node("Add", "at one", "next"), node("Neg", "new", "shown"), node("Identity", "on", "more"),
    ]
    agree(loop(body, "new shown", count="after"), floats(6, 3))


def test_loops_that_are_refused() -> None:
    computed = [*STEP, node("ReduceMax", "new", "top", keepdims=0), node("Greater", "top", "more")]
    computed[-1] = node("Cast", "top", "more", to=BOOL)
    with pytest.raises(InputError, match=r"node 'steps' \(Loop\): how often it is done is computed"):
        import_onnx(loop(computed, "new shown"))
    endless = loop([*STEP, node("Identity", "on", "more")], "new shown", count="")
    with pytest.raises(InputError, match=r"node 'steps' \(Loop\): it goes on after 1024 iterations"):
        import_onnx(endless)
    with pytest.raises(InputError, match=r"node 'steps' \(Loop\): it is done no time and stacks values"):
        import_onnx(loop([*STEP, node("Identity", "on", "more")], "new shown", count="none"))

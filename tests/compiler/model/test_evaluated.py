"""Steps that operators of ONNX define: products of gates element by element, whole batches at once."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from mho.compiler.model.evaluated import Evaluated
from tests.compiler.importer.onnx_models import Array, node


def cell(*, inputs: int = 5, size: int = 7, nodes: tuple[str, ...] = (), constant: Array | None = None) -> Evaluated:
    """Products and sums of gates, as in an LSTM, or other nodes."""
    steps = [
        node("Mul", "a b", "p"), node("Mul", "c d", "q"), node("Add", "p q", "s"), node("Tanh", "s", "t"),
        node("Mul", "e t", "y"),
    ]
    if nodes:
        steps = [node(*nodes[k : k + 3]) for k in range(0, len(nodes), 3)]
    names = "abcde"[:inputs]
    values = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, (1, size)) for name in names]
    constants = [] if constant is None else [numpy_helper.from_array(constant, "k")]
    output = helper.make_tensor_value_info("y", TensorProto.DOUBLE, (1, size))
    graph = helper.make_graph(steps, "step", values, [output], constants)
    return Evaluated.of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10))


@pytest.mark.parametrize("size", [1, 3, 7, 16, 33])
def test_a_batch_has_the_bits_of_its_samples(size: int) -> None:
    step = cell(size=size)
    assert step.each
    x = np.random.default_rng(size).normal(size=(37, 5 * size)) * 3
    alone = np.concatenate([step.compute(x[k : k + 1]) for k in range(len(x))])
    assert np.array_equal(step.compute(x), alone)
    # Of one sample: what the operators give without a batch.
    assert np.array_equal(step.run([part.reshape(1, size) for part in np.split(x[5], 5)]).reshape(-1), alone[5])


def test_gradients_are_those_of_the_elements() -> None:
    """Against differences of one element at a time."""
    step = cell()
    rng = np.random.default_rng(0)
    x, gradient = rng.normal(size=(4, 35)), rng.normal(size=(4, 7))
    expected = np.zeros_like(x)
    for k in range(35):
        shift = np.zeros(35)
        shift[k] = 1e-5
        expected[:, k] = ((step.compute(x + shift) - step.compute(x - shift)) * gradient).sum(axis=1) / 2e-5
    assert np.allclose(step.backward(gradient, x, step.compute(x)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("step", "elementwise"),
    [
        (cell(inputs=2, nodes=("Mul", "a b", "y")), True),
        (cell(inputs=2, nodes=("Mul", "a b", "p", "Add", "p k", "y"), constant=np.array(3.0)), True),
        (cell(inputs=2, nodes=("Mul", "a b", "p", "Add", "p k", "y"), constant=np.ones((1, 7))), True),
        (cell(inputs=2, nodes=("Mul", "a b", "p", "Add", "p k", "y"), constant=np.ones(7)), False),
        (cell(inputs=2, nodes=("Mul", "a b", "p", "Softmax", "p", "y")), False),
        (cell(inputs=1, nodes=("Exp", "a", "y")), False),
    ],
)
def test_what_is_done_element_by_element(step: Evaluated, elementwise: bool) -> None:
    assert step.each == elementwise
    assert replace(step).each == elementwise


def rows(kind: str, inputs: str, **attributes: object) -> Evaluated:
    """An operator on samples of four rows of three numbers, or what it makes of them."""
    values = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, (1, 4, 3)) for name in inputs.split()]
    shape = (1, 12) if kind == "Reshape" else (1, 4, 4) if kind == "MatMul" else (1, 4, 3)
    steps = [node("Transpose", "b", "t", perm=[0, 2, 1])] if kind == "MatMul" else []
    names = {"MatMul": "a t", "Reshape": "a k"}.get(kind, inputs)
    steps.append(node(kind, names, "y", **attributes))
    constants = [numpy_helper.from_array(np.array([1, 12]), "k")] if kind == "Reshape" else []
    graph = helper.make_graph(steps, "step", values, [helper.make_tensor_value_info("y", TensorProto.DOUBLE, shape)],
                              constants)
    return Evaluated.of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10))


@pytest.mark.parametrize(
    ("step", "stacks"),
    [
        (rows("MatMul", "a b"), True),
        (rows("Softmax", "a", axis=2), True),
        (rows("Softmax", "a", axis=0), False),  # over the batch
        (rows("Reshape", "a"), False),  # to the elements of one sample
    ],
)
def test_gradients_of_a_batch_are_taken_at_once_where_its_samples_stay_apart(step: Evaluated, stacks: bool) -> None:
    assert step.stacks == stacks
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, step.taken))
    gradient = rng.normal(size=(5, step.size))
    alone = [step.backward(gradient[k : k + 1], x[k : k + 1], step.compute(x[k : k + 1])) for k in range(5)]
    assert np.allclose(step.backward(gradient, x, step.compute(x)), np.concatenate(alone), rtol=1e-5, atol=1e-8)


def features(axis: int, kind: str = "ReduceProd") -> Evaluated:
    """A product of three of the ten numbers of a sample, as scikit-learn's polynomials are exported."""
    values = [helper.make_tensor_value_info("a", TensorProto.DOUBLE, (1, 10))]
    steps = [
        helper.make_node("ArrayFeatureExtractor", ["a", "i"], ["p"], domain="ai.onnx.ml"),
        node(kind, "p", "y", axes=[axis], keepdims=1),
    ]
    out = [helper.make_tensor_value_info("y", TensorProto.DOUBLE, (1, 1) if axis else (1, 3))]
    graph = helper.make_graph(steps, "step", values, out, [numpy_helper.from_array(np.array([7, 2, 4]), "i")])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return Evaluated.of(helper.make_model(graph, opset_imports=opsets, ir_version=10))


@pytest.mark.parametrize(
    ("step", "apart"),
    [
        (features(1), True),
        (features(0), False),  # over the batch
        (features(1, "ReduceMean"), False),  # a sum in another order, maybe
        (rows("Softmax", "a", axis=2), False),
    ],
)
def test_samples_are_done_together_where_their_bits_stay(step: Evaluated, apart: bool) -> None:
    assert step.apart == apart
    x = np.random.default_rng(3).normal(size=(300, step.taken))
    alone = np.concatenate([step.compute(x[k : k + 1]) for k in range(len(x))])
    assert np.array_equal(step.compute(x), alone)
    assert step.samples(x).shape == (300, *step.run(step._split(x[:1])).shape)


def test_large_batches_are_done_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch is refused for what a sample may have."""
    steps = [cell(size=50), cell(inputs=2, size=50, nodes=("Max", "a b", "m", "ReduceMax", "m", "y"))]
    for step in steps:
        x = np.random.default_rng(1).normal(size=(300, step.taken))
        whole = step.compute(x)
        with monkeypatch.context() as patch:
            patch.setattr("mho.compiler.model.evaluated.AT_ONCE", 2000)
            patch.setattr("mho.compiler.model.operators.bounds.MOST_ELEMENTS", 4000)
            assert np.array_equal(step.compute(x), whole)

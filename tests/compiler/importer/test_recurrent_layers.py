"""Recurrent layers beyond the plain ones: sequences of several lengths, states that are given, batch first."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mho.compiler import CompileOptions, NamedInputs, compile_model, import_onnx
from mho.compiler.job import check_shape
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, node
from tests.compiler.importer.test_named_values import floats, run_all
from tests.compiler.importer.test_onnx_operators import given
from tests.sim.outputs import quantised_outputs

STEPS, HIDDEN = 5, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
WAYS = {"forward": 1, "reverse": 1, "bidirectional": 2}


def weights(kind: str, ways: int) -> dict[str, Array]:
    rows = GATES[kind] * HIDDEN
    return {
        "w": floats(ways, rows, 3) / 2, "r": floats(ways, rows, HIDDEN) / 2, "b": floats(ways, 2 * rows) / 2,
        "first": floats(ways, 1, HIDDEN), "cell": floats(ways, 1, HIDDEN) / 2, "some": np.full(1, 3, np.int32),
        "unequal": np.array([3, 5], np.int32),
    }


def layer(
    kind: str, inputs: Sequence[str], direction: str = "forward", shape: Sequence[Any] = ("n", STEPS, 3), **attrs: Any
) -> onnx.ModelProto:
    """States of all steps and the last one of a layer, and a layer behind it."""
    cell = helper.make_node(
        kind, ["t", "w", "r", "b", *inputs], ["all", "last"], name="cell", hidden_size=HIDDEN, direction=direction,
        **attrs,
    )
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]), cell, node("Transpose", "last", "h", perm=[1, 0, 2]),
        node("Transpose", "all", "states", perm=[2, 0, 1, 3]), node("Flatten", "h", "f"), node("MatMul", "f v", "y"),
    ]
    ways = WAYS[direction]
    model = given(nodes, weights(kind, ways) | {"v": floats(ways * HIDDEN, 3)}, shape=shape)
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("y", "states"))
    if "lengths" in inputs:
        model.graph.input.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, ["n"]))
    return model


def batch(count: int = 8) -> dict[str, Array]:
    return {"x": floats(count, STEPS, 3), "lengths": np.arange(count, dtype=np.int32) % STEPS + 1}


def as_onnxruntime(model: onnx.ModelProto, feeds: dict[str, Array]) -> None:
    network = import_onnx(model)
    named = NamedInputs(arrays={k: v.astype(np.float32) for k, v in feeds.items()}, where="test")
    got, expected = network.compute_all(check_shape(named, network)), run_all(model, feeds)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("direction", WAYS)
def test_sequences_of_several_lengths(kind: str, direction: str) -> None:
    as_onnxruntime(layer(kind, ["lengths"], direction), batch())


@pytest.mark.parametrize("kind", GATES)
def test_sequences_of_one_length_and_a_first_state(kind: str) -> None:
    inputs = ["some", "first", *(["cell"] if kind == "LSTM" else [])]
    as_onnxruntime(layer(kind, inputs, shape=(1, STEPS, 3)), {"x": floats(1, STEPS, 3)})


def test_lengths_of_a_batch_of_a_fixed_size_are_refused() -> None:
    with pytest.raises(InputError, match=r"node 'cell' \(RNN\): its sequence_lens differ within a batch"):
        import_onnx(layer("RNN", ["unequal"], shape=(2, STEPS, 3)))


def test_coupled_gates() -> None:
    as_onnxruntime(layer("LSTM", [], input_forget=1), {"x": floats(4, STEPS, 3)})


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_batch_first_with_a_first_state(kind: str) -> None:
    """Against the other layout, which onnxruntime has."""
    inputs = ["", "first", *(["cell"] if kind == "LSTM" else [])]
    time_first = layer(kind, inputs, "bidirectional", shape=(1, STEPS, 3))
    model = layer(kind, inputs, "bidirectional", shape=(1, STEPS, 3), layout=1)
    for tensor in model.graph.initializer:
        if tensor.name in ("first", "cell"):
            tensor.CopyFrom(onnx.numpy_helper.from_array(
                onnx.numpy_helper.to_array(tensor).swapaxes(0, 1).copy(), tensor.name))
    nodes = [n for n in model.graph.node if n.output[0] not in ("t", "h", "states")]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for step in model.graph.node:
        step.input[:] = [{"t": "x", "h": "last"}.get(name, name) for name in step.input]
    del model.graph.output[1:]
    x = floats(1, STEPS, 3)
    np.testing.assert_allclose(import_onnx(model).compute(x), run_all(time_first, {"x": x})["y"], rtol=1e-4, atol=1e-5)


TAKEN = {
    "last": ([node("Gather", "states end", "f", axis=1)], STEPS - 1),
    "first": ([node("Gather", "states begin", "f", axis=1)], STEPS - 1),
    "final of each": ([node("Gather", "states end", "e", axis=1), node("Gather", "states begin", "g", axis=1),
                       node("Gather", "e forth", "c", axis=1), node("Gather", "g back", "d", axis=1),
                       node("Concat", "c d", "f", axis=1)], 2 * (STEPS - 1)),
}
"""What is taken of the states of both directions, and how many products of states it needs."""


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("taken", TAKEN)
def test_of_both_directions_what_is_taken_is_computed(kind: str, taken: str) -> None:
    """As PyTorch exports them: the states of both directions side by side, of which a step is taken."""
    nodes, products = TAKEN[taken]
    attrs = {"linear_before_reset": 1} if kind == "GRU" else {}
    cell = node(kind, "t w r b", "all", hidden_size=HIDDEN, direction="bidirectional", **attrs)
    before = [node("Transpose", "x", "t", perm=[1, 0, 2]), cell, node("Transpose", "all", "rows", perm=[0, 2, 1, 3]),
              node("Reshape", "rows wide", "flat"), node("Transpose", "flat", "states", perm=[1, 0, 2])]
    numbers = {"wide": np.array([0, 0, -1]), "end": np.array(STEPS - 1), "begin": np.array(0),
               "forth": np.arange(HIDDEN), "back": np.arange(HIDDEN, 2 * HIDDEN)}
    model = given([*before, *nodes, node("MatMul", "f v", "y")],
                  {**weights(kind, 2), **numbers, "v": floats(2 * HIDDEN, 3)}, shape=("n", STEPS, 3))
    as_onnxruntime(model, {"x": floats(6, STEPS, 3)})
    network = import_onnx(model)
    states = [k for k, layer in enumerate(network.layers) if layer.name.split(".")[-1] == "state"]
    assert sum(network.positions[k] for k in states) == products


@pytest.mark.slow
def test_lengths_on_a_chip() -> None:
    """Which steps are inside of a sequence is a whole number in lanes, which a step of the host takes exactly."""
    model, feeds = layer("LSTM", ["lengths"]), batch(64)
    named = NamedInputs(arrays={k: v.astype(np.float32) for k, v in feeds.items()}, where="test")
    net = compile_model(model, load_chip("neurram-core"), calibrate=named, device="ideal",
                        options=CompileOptions(seeds=1))
    got = quantised_outputs(net, FunctionalBackend(), check_shape(named, net.model)).by_name
    expected = run_all(model, feeds)
    assert (got["states"][expected["states"] == 0] == 0).all()
    for name, value in expected.items():
        assert np.sqrt(((got[name] - value) ** 2).mean()) < 0.05 * np.sqrt((value**2).mean()), name


def test_batches_in_a_later_dimension() -> None:
    """Sequences with the time in front and states that are inputs, as they are exported; samples are given first."""
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r", "b", "", "h", "c"], ["all", "last"], hidden_size=HIDDEN),
        node("Squeeze", "all one", "states"), node("MatMul", "states v", "y"),
    ]
    model = given(nodes, weights("LSTM", 1) | {"v": floats(HIDDEN, 3), "one": np.array([1])}, shape=(STEPS, "N", 3))
    for name in ("h", "c"):
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "N", HIDDEN]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))
    x = {"x": floats(6, STEPS, 3), "h": floats(6, 1, HIDDEN), "c": floats(6, 1, HIDDEN) / 2}
    network = import_onnx(model)
    assert network.warnings[0] == "input 'x' has its batch in dimension 1; its samples are given first"
    got = network.compute(check_shape(NamedInputs(arrays=x, where="test"), network))
    expected = run_all(model, {name: value.swapaxes(0, 1) for name, value in x.items()})["y"]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_which_dimension_is_the_batch_may_be_said() -> None:
    model = given([node("MatMul", "x v", "y")], {"v": floats(3, 2)}, shape=("time", "several", 3))
    with pytest.raises(InputError, match=r"a batch dimension followed by fixed dimensions is supported: give them"):
        import_onnx(model)
    network = import_onnx(model, shapes={"x": [STEPS, 0, 3]})
    x = floats(4, STEPS, 3)
    np.testing.assert_allclose(network.compute(x), run_all(model, {"x": x.swapaxes(0, 1)})["y"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", GATES)
def test_the_last_of_all_states_is_the_last_state(kind: str) -> None:
    """As PyTorch takes it; that of other steps is not kept for it."""
    head = [node("Transpose", "x", "t", perm=[1, 0, 2])]
    cell = helper.make_node(kind, ["t", "w", "r", "b"], ["all", "last"], hidden_size=HIDDEN)
    ends = {
        "all": [node("Squeeze", "all one", "s"), node("Transpose", "s", "u", perm=[1, 0, 2]),
                node("Gather", "u end", "h", axis=1)],
        "last": [node("Squeeze", "last zero", "h")],
    }
    constants = {"one": np.array([1]), "zero": np.array([0]), "end": np.array(-1), "v": floats(HIDDEN, 3)}
    steps = {}
    for name, end in ends.items():
        model = given([*head, cell, *end, node("MatMul", "h v", "y")], weights(kind, 1) | constants,
                      shape=("n", STEPS, 3), output=("n", 3))
        as_onnxruntime(model, {"x": floats(4, STEPS, 3)})
        steps[name] = [type(step.operation) for step in import_onnx(model).steps]
    assert steps["all"] == steps["last"]

"""Several inputs and outputs by name: all outputs of one run, against onnxruntime, in files, and in Verilog."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from mho.compiler import CompileOptions, NamedInputs, Network, compile_model, import_onnx, load_inputs
from mho.compiler.job import check_shape
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, node
from tests.compiler.importer.test_onnx_operators import given
from tests.sim.outputs import quantised_outputs


def floats(*shape: int) -> Array:
    """Numbers that depend on the shape alone."""
    return np.random.default_rng(list(shape)).normal(size=shape).astype(np.float32)


WEIGHTS = {
    "w": floats(6, 8) / 3, "a": floats(8, 4) / 3, "b": floats(8, 2) / 3, "k": np.array([2]), "fixed": floats(1, 3),
    "wide": np.array([1]),
}
BODY = [node("MatMul", "x w", "h"), node("Relu", "h", "r")]
HEADS: dict[str, list[onnx.NodeProto]] = {
    "two heads": [*BODY, node("MatMul", "r a", "p"), node("MatMul", "r b", "q")],
    "scores and labels": [
        *BODY, node("MatMul", "r a", "s"), node("Softmax", "s", "p"), node("ArgMax", "s", "q", axis=1, keepdims=0),
    ],
    "a value on the way": [*BODY, node("MatMul", "r a", "p"), node("Identity", "r", "q")],
    "two of one node": [*BODY, node("MatMul", "r a", "s"), node("TopK", "s k", "p q")],
    "the host on the way": [
        *BODY, node("LayerNormalization", "r g", "p"), node("MatMul", "p a", "s"), node("Softmax", "s", "q"),
    ],
    "a constant": [
        *BODY, node("MatMul", "r a", "p"), node("Shape", "x", "n", end=1), node("Concat", "n three", "to", axis=0),
        node("Expand", "fixed to", "q"),
    ],
}
WEIGHTS |= {"g": np.abs(floats(8)) + 1, "three": np.array([3])}


def heads(name: str) -> onnx.ModelProto:
    model = given(HEADS[name], WEIGHTS)
    del model.graph.output[:]
    whole = "q" if name in ("scores and labels", "two of one node") else ""
    for output in ("p", "q"):
        kind = TensorProto.INT64 if output == whole else TensorProto.FLOAT
        model.graph.output.append(helper.make_tensor_value_info(output, kind, None))
    return model


def pair() -> onnx.ModelProto:
    """Two inputs, of which the second is a matrix."""
    nodes = [
        node("MatMul", "x w", "h"), node("Flatten", "u", "f"), node("MatMul", "f v", "m"), node("Add", "h m", "s"),
        node("Relu", "s", "y"),
    ]
    model = given(nodes, {"w": floats(6, 4), "v": floats(6, 4)})
    model.graph.input.append(helper.make_tensor_value_info("u", TensorProto.FLOAT, ["batch", 2, 3]))
    return model


def run_all(model: onnx.ModelProto, feeds: dict[str, Array]) -> dict[str, Array]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = session.run(None, feeds)
    return {o.name: np.asarray(v) for o, v in zip(session.get_outputs(), outputs, strict=True)}


@pytest.mark.parametrize("name", HEADS)
def test_all_outputs_by_name(name: str) -> None:
    model, x = heads(name), floats(7, 6)
    got, expected = import_onnx(model).compute_all(x), run_all(model, {"x": x})
    assert list(got) == ["p", "q"]
    for output, value in expected.items():
        assert (got[output].shape, got[output].dtype) == (value.shape, value.dtype)
        np.testing.assert_allclose(got[output], value, rtol=1e-4, atol=1e-4)
    alone = import_onnx(model, output="p")
    assert [named.name for named in alone.outputs] == ["p"]
    np.testing.assert_allclose(alone.compute(x), expected["p"], rtol=1e-4, atol=1e-4)


def test_labels_and_probabilities_share_their_scores() -> None:
    both, single = import_onnx(heads("scores and labels")), import_onnx(heads("scores and labels"), output="p")
    assert len(both.steps) == len(single.steps)
    assert both.is_classifier
    assert not import_onnx(heads("two heads")).is_classifier


def small(model: onnx.ModelProto, x: Any, **options: Any) -> Network:
    return compile_model(
        model, load_chip("tnsa16-core"), calibrate=x, device="ideal",
        options=CompileOptions(seeds=1, samples=64, **options),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [n if n == "two heads" else pytest.param(n, marks=pytest.mark.slow) for n in HEADS])
def test_a_file_has_all_outputs(name: str, tmp_path: Path) -> None:
    x = floats(80, 6)
    net = small(heads(name), x[:64])
    net.save(tmp_path / "net.mho")
    got = quantised_outputs(Network.load(tmp_path / "net.mho"), FunctionalBackend(), x[64:]).by_name
    for output, expected in quantised_outputs(net, FunctionalBackend(), x[64:]).by_name.items():
        assert np.array_equal(got[output], expected)
    float_ones = net.model.compute_all(x[64:])
    for output in (o for o in got if got[o].dtype.kind == "f"):
        error = got[output].astype(float) - float_ones[output]
        assert np.sqrt((error**2).mean()) < 0.12 * max(float_ones[output].std(), 1e-6)


@pytest.mark.slow
def test_each_output_counts_whatever_its_unit() -> None:
    """An output a thousand times as large as another does not make that one worse."""
    x, errors = floats(128, 6), []
    for factor in (1, 1024):
        model = given(HEADS["two heads"], {**WEIGHTS, "a": factor * WEIGHTS["a"]})
        del model.graph.output[:]
        model.graph.output.extend(helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in "pq")
        net = small(model, x[:64])
        got, expected = quantised_outputs(net, FunctionalBackend(), x[64:]).by_name, net.model.compute_all(x[64:])
        errors.append([np.sqrt(((got[o] - expected[o]) ** 2).mean()) / expected[o].std() for o in "pq"])
    np.testing.assert_allclose(errors[1], errors[0], rtol=0.1)


@pytest.mark.slow
def test_inputs_by_name_are_those_side_by_side(tmp_path: Path) -> None:
    model, x, u = pair(), floats(40, 6), floats(40, 2, 3)
    np.savez(tmp_path / "all.npz", x=x, u=u, labels=np.arange(40))
    network = import_onnx(model)
    assert network.inputs == (("x", (6,)), ("u", (2, 3)))
    rows = np.concatenate([x, u.reshape(40, -1)], axis=1)
    for given_ in ({"u": u, "x": x}, tmp_path / "all.npz"):
        assert np.array_equal(check_shape(load_inputs(given_), network), rows)
    np.testing.assert_allclose(network.compute(rows), run_all(model, {"x": x, "u": u})["y"], rtol=1e-4, atol=1e-4)
    by_name, joined = small(model, {"x": x, "u": u}), small(model, rows)
    by_name.save(tmp_path / "a.mho")
    joined.save(tmp_path / "b.mho")
    assert (tmp_path / "a.mho").read_bytes() == (tmp_path / "b.mho").read_bytes()
    assert Network.load(tmp_path / "a.mho").model.inputs == network.inputs


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": floats(3, 6)}, "the inputs by name: has no input 'u'; the model takes x, u"),
        ({"x": floats(3, 6), "u": floats(3, 6), "z": floats(3)}, "names the input 'z'; the model takes x, u"),
        ({"x": floats(3, 6), "u": floats(3, 4)}, r"input 'u' of the model needs shape \[samples, 2, 3\], not \[3, 4\]"),
        ({"x": floats(3, 6), "u": floats(2, 6)}, "'x' has 3 samples, but 'u' has 2"),
        ({}, "the inputs by name are none"),
    ],
)
def test_wrong_inputs_by_name(arrays: dict[str, Array], sentence: str) -> None:
    network = import_onnx(pair())
    with pytest.raises(InputError, match=sentence):
        check_shape(load_inputs(arrays), network)


def test_lengths_that_the_file_leaves_open_are_those_of_the_samples() -> None:
    nodes = [node("MatMul", "x w", "h"), node("ReduceMean", "h", "y", axes=[1], keepdims=0)]
    model = given(nodes, {"w": floats(6, 4)}, shape=("batch", "length", 6))
    with pytest.raises(InputError, match="input_shape"):
        import_onnx(model)
    x = floats(3, 5, 6)
    network = import_onnx(model, x=x)
    assert network.input_shape == (5, 6)
    np.testing.assert_allclose(network.compute(x), run_all(model, {"x": x})["y"], rtol=1e-4, atol=1e-4)
    several = NamedInputs(arrays={"x": x}, where="here")
    assert import_onnx(model, x=several).input_shape == (5, 6)


@pytest.mark.cosim
@pytest.mark.slow
def test_the_same_bits_in_verilog() -> None:
    from mho.sim.core.cosim import CosimBackend

    x = floats(66, 6)
    net = small(heads("two of one node"), x[:64])
    expected = execute(net, FunctionalBackend(), x[64:], device="rram-neurram", time_s=86_400.0).by_name
    backend = CosimBackend()
    try:
        got = execute(net, backend, x[64:], device="rram-neurram", time_s=86_400.0).by_name
    finally:
        backend.close()
    assert all(np.array_equal(got[name], expected[name]) for name in ("p", "q"))

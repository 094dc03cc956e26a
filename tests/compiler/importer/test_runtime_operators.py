"""Operators of onnxruntime's own domain, sequences, spectra and random numbers, against onnxruntime."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from mho.compiler import import_onnx
from mho.compiler.passes import compile_for_chip
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, build, node, reference
from tests.compiler.importer.test_named_values import floats
from tests.sim.outputs import quantised_outputs

MICROSOFT = "com.microsoft"


def fused(op: str, inputs: str, outputs: str = "f", **attributes: Any) -> onnx.NodeProto:
    return node(op, inputs, outputs, domain=MICROSOFT, **attributes)


def model(nodes: list[onnx.NodeProto], values: dict[str, Array], shape: tuple[Any, ...] = ("n", 12),
          opset: int = 17) -> onnx.ModelProto:
    names = {name for n in nodes for name in n.input}
    proto = build(nodes, {k: v for k, v in values.items() if k in names}, shape=shape, output=(), opset=opset)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    proto.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    return proto


def same(proto: onnx.ModelProto, x: Array) -> None:
    got, expected = import_onnx(proto).compute(x), reference(proto, x)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 1e-4 * np.abs(expected).max()


CODES = np.random.default_rng(0).integers(0, 256, (8, 1, 8)).astype(np.uint8)
VALUES: dict[str, Array] = {
    "k": floats(4, 3, 3, 3) / 3, "kb": floats(4), "w": floats(12, 8) / 3, "wt": floats(8, 12) / 3, "b": floats(8),
    "g": floats(12), "codes": CODES, "scale": np.abs(floats(8)) / 8,
    "points": np.full(8, 7, np.uint8),
}
FUSED = {
    "FusedConv": fused("FusedConv", "x k kb", pads=[1] * 4, activation="Relu"),
    "FusedConv and a sum": fused("FusedConv", "x k kb z", pads=[1] * 4, activation="LeakyRelu",
                                 activation_params=[0.2]),
    "FusedConv within limits": fused("FusedConv", "x k", activation="Clip", activation_params=[-0.5, 0.7]),
    "FusedGemm": fused("FusedGemm", "x wt b", transB=1, activation="LeakyRelu", activation_alpha=0.3),
    "BiasGelu": fused("BiasGelu", "x g"), "Gelu": fused("Gelu", "x"),
    "MatMulNBits": fused("MatMulNBits", "x codes scale", K=12, N=8, bits=4, block_size=16),
    "MatMulNBits with zeros": fused("MatMulNBits", "x codes scale points", K=12, N=8, bits=4, block_size=16),
}


@pytest.mark.parametrize("name", FUSED)
def test_fused(name: str) -> None:
    conv = name.startswith("FusedConv")
    first = [node("Conv", "x k", "z", pads=[1] * 4)] if "sum" in name else []
    last = [node("Flatten", "f", "y")] if conv else [node("MatMul", "f w", "y")] if "Gelu" in name else [
        node("Relu", "f", "y")]
    shape = (3, 5, 5) if conv else (12,)
    same(model([*first, FUSED[name], *last], VALUES, ("n", *shape)), floats(6, *shape))


def test_files_of_the_optimiser(tmp_path: Path) -> None:
    """As onnxruntime writes a network after its extended optimisations."""
    body = [node("Conv", "x k kb", "c", pads=[1] * 4), node("LeakyRelu", "c", "r"), node("Flatten", "r", "f"),
            node("Gemm", "f v b", "h"), node("Tanh", "h", "t"), node("Gemm", "t u", "y")]
    proto = model(body, VALUES | {"v": floats(100, 8) / 10, "u": floats(8, 3)}, ("n", 3, 5, 5))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    optimised = onnx.load(tmp_path / "optimised.onnx")
    assert {"FusedConv", "FusedGemm"} <= {n.op_type for n in optimised.graph.node}
    same(optimised, floats(6, 3, 5, 5))


def test_lstm_with_quantised_weights() -> None:
    values = {"r": floats(1, 16, 4) / 2, "i": floats(1, 16, 3) / 2, "bias": floats(1, 32) / 4}
    for name in ("i", "r"):
        scale = np.abs(values[name]).max() / 127
        values[name + "q"] = np.rint(values[name] / scale).astype(np.int8).swapaxes(1, 2)
        values |= {name + "s": np.array([scale], "f4"), name + "z": np.array([0], np.int8)}
    lstm = fused("DynamicQuantizeLSTM", "x", "s h", hidden_size=4)
    lstm.input[:] = ["x", "iq", "rq", "bias", "", "", "", "", "is", "iz", "rs", "rz"]
    proto = model([lstm, node("Squeeze", "h zero", "y")], values | {"zero": np.array([0])}, (5, "n", 3))
    x = floats(5, 6, 3)
    got, expected = import_onnx(proto).compute(x.swapaxes(0, 1)), reference(proto, x)
    assert np.abs(got - expected).max() < 2e-2


SEQUENCES = {
    "parts of a size": [node("SplitToSequence", "h four", "s", axis=1), node("SequenceAt", "s last", "a"),
                        node("SequenceAt", "s zero", "c"), node("Mul", "a c", "y")],
    "parts of sizes": [node("SplitToSequence", "h sizes", "s", axis=1), node("ConcatFromSequence", "s", "y", axis=1)],
    "all by themselves": [
        node("SplitToSequence", "h", "s", axis=1, keepdims=0),
        node("ConcatFromSequence", "s", "y", axis=0, new_axis=1)],
    "put together": [
        node("SequenceEmpty", "", "e"), node("SequenceInsert", "e h", "s"), node("Relu", "h", "r"),
        node("SequenceInsert", "s r zero", "t"), node("SequenceConstruct", "r h", "u"),
        node("SequenceAt", "u last", "v"), node("SequenceInsert", "t v", "z"), node("SequenceLength", "z", "n"),
        node("Cast", "n", "m", to=1), node("ConcatFromSequence", "z", "o", axis=-1), node("Mul", "o m", "y")],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences(name: str) -> None:
    values = VALUES | {"four": np.array(4), "last": np.array(-1), "zero": np.array(0), "sizes": np.array([3, 5])}
    body = [node("MatMul", "x w", "h"), *SEQUENCES[name]]
    if name == "all by themselves":
        body.append(node("Transpose", "y", "z", perm=[1, 0]))
        body[-2].output[0], body[-1].input[0], body[-1].output[0] = "u", "u", "y"
    same(model(body, values), floats(6, 12))


def test_a_sequence_as_output_is_refused() -> None:
    proto = model([node("MatMul", "x w", "h"), node("SequenceConstruct", "h h", "y")], VALUES)
    proto.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None))
    with pytest.raises(InputError, match=r"'n_y' .SequenceConstruct.: it makes an output of the model"):
        import_onnx(proto)


def test_spectra_of_a_signal() -> None:
    """The magnitudes of windows of a signal, then a dense layer: on perfect cells within 2 % of onnxruntime."""
    values = {"step": np.array(8), "window": np.hanning(16).astype("f4"), "length": np.array(16), "two": np.array([3]),
              "v": floats(63, 4) / 8, "last": np.array([2])}
    proto = model([
        node("Unsqueeze", "x last", "u"), node("STFT", "u step window length", "s", onesided=1),
        node("ReduceL2", "s two", "m", keepdims=0), node("Flatten", "m", "f"), node("MatMul", "f v", "y"),
    ], values, ("n", 64), opset=18)
    x = floats(40, 64)
    same(proto, x)
    network = compile_for_chip(proto, load_chip("neurram-core"), calibrate=x, device="ideal")
    expected = reference(proto, x)
    error = quantised_outputs(network, FunctionalBackend(), x).outputs - expected
    assert (error**2).mean() < 0.02**2 * (expected**2).mean()


def test_random_numbers_are_the_same_for_every_input_and_warned_of() -> None:
    values = VALUES | {"p": np.float32(0.25)}
    proto = model([
        node("MatMul", "x w", "h"), node("RandomNormalLike", "h", "r", scale=0.5, mean=2.0), node("Add", "h r", "a"),
        node("RandomUniformLike", "h", "u", seed=3.0), node("Add", "a u", "o"),
        node("RandomNormal", "", "n", shape=[8], scale=1e-3), node("RandomUniform", "", "v", shape=[8], high=1e-3),
        node("Sum", "o n v", "y"),
    ], values)
    x = floats(400, 12)
    first, again = import_onnx(proto), import_onnx(proto)
    drawn = first.compute(x) - x @ VALUES["w"]
    assert np.abs(drawn - drawn[0]).max() < 1e-5
    assert np.array_equal(first.compute(x), again.compute(x))
    assert [w.startswith("node ") and "draws at random" in w for w in first.warnings] == [True] * 4
    assert np.abs(drawn[0] - 2.5).max() < 5 * 0.58

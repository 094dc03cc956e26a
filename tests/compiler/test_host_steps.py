"""Steps of the host and tables of functions in compiled networks: accuracy, files, and the same bits in Verilog."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from mho.compiler import CompileOptions, Network, compile_model, summarise
from mho.compiler.model.evaluated import Evaluated
from mho.compiler.program import Host
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, node, reference
from tests.compiler.importer.test_onnx_operators import attention, begin, floats, given, quantised, recurrent
from tests.compiler.same_bits import check_same_bits
from tests.sim.outputs import quantised_outputs

OPTIONS = CompileOptions(seeds=1, samples=64)


def gate() -> onnx.ModelProto:
    """Squeeze and excite, and a function of one value."""
    nodes = [
        node("Conv", "x k", "c", pads=[1, 1, 1, 1]), node("GlobalAveragePool", "c", "p"), node("Sigmoid", "p", "s"),
        node("Mul", "c s", "m"), node("Exp", "m", "e"), node("ReduceMean", "e", "r", axes=[2, 3], keepdims=0),
        node("Gemm", "r w", "y"),
    ]
    weights = {"k": floats(3, 2, 3, 3) / 4, "w": floats(3, 4)}
    return given(nodes, weights, shape=("n", 2, 4, 4), output=("n", 4))


def digital() -> onnx.ModelProto:
    """What the vector unit does: pools, limits, slopes, sums, interpolation, the largest of several."""
    resize = node("Resize", "p s", "z", mode="linear")
    resize.input[:] = ["p", "", "s"]
    nodes = [
        node("Conv", "x k", "c", pads=[1, 1, 1, 1]), node("PRelu", "c slope", "q"), node("LeakyRelu", "q", "l"),
        node("MaxPool", "l", "m", kernel_shape=[2, 2], strides=[2, 2]),
        node("AveragePool", "q", "v", kernel_shape=[2, 2], strides=[2, 2]), node("Max", "m v", "b"),
        node("Sub", "b v", "d"), node("HardSigmoid", "d", "h"), node("Sum", "h d v", "p"), resize,
        node("Clip", "z low high", "t"), node("ReduceMax", "t", "r", axes=[2, 3], keepdims=0), node("Gemm", "r w", "y"),
    ]
    weights = {
        "k": floats(3, 2, 3, 3) / 4, "slope": np.abs(floats(3, 1, 1)), "s": np.array([1, 1, 2, 2], "f4"),
        "low": np.float32(-1), "high": np.float32(2), "w": floats(3, 4),
    }
    return given(nodes, weights, shape=("n", 2, 4, 4), output=("n", 4))


def moved() -> onnx.ModelProto:
    """Choices of elements and tables: parts, turns and padding, functions of one value."""
    nodes = [
        node("Conv", "x k", "c"), node("DepthToSpace", "c", "e", blocksize=2),
        node("Transpose", "e", "t", perm=[0, 1, 3, 2]),
        node("Pad", "t around", "p"), node("Slice", "p from to", "s"), node("Sin", "s", "f"), node("Erf", "f", "g"),
        node("Softplus", "g", "u"), node("Flatten", "u", "o"), node("Gather", "o order", "a", axis=1),
        node("Gemm", "a w", "y"),
    ]
    weights = {
        "k": floats(4, 2, 1, 1) / 2, "around": np.array([0, 0, 1, 0, 0, 0, 0, 1]), "from": np.array([0, 0, 0, 1]),
        "to": np.array([1 << 30, 1, 6, 7]), "order": np.array([5, 1, 9, 20, 3, 30, 11]), "w": floats(7, 4),
    }
    return given(nodes, weights, shape=("n", 2, 4, 4), output=("n", 4))


MODELS: dict[str, tuple[Callable[[], onnx.ModelProto], tuple[int, ...]]] = {
    "gate": (gate, (2, 4, 4)),
    "digital": (digital, (2, 4, 4)),
    "moved": (moved, (2, 4, 4)),
    "encoder": (attention, (5, 8)),
    "LSTM": (lambda: recurrent("LSTM"), (3, 5)),
    "GRU": (lambda: recurrent("GRU", "bidirectional"), (3, 5)),
    "RNN": (lambda: recurrent("RNN", "reverse"), (3, 5)),
    "QDQ": (lambda: quantised("QDQ"), (2, 6, 6)),
    "transposed": (
        lambda: given(
            [node("ConvTranspose", "x w", "y", strides=[2, 2])], {"w": floats(2, 3, 2, 2)}, shape=("n", 2, 3, 3),
            output=[None] * 4,
        ),
        (2, 3, 3),
    ),
    "matrices": (
        lambda: given([node("Einsum", "x w", "y", equation="nij,jk->nki")], {"w": floats(4, 3)}, shape=("n", 5, 4),
                      output=[None] * 3),
        (5, 4),
    ),
}
RECURRENT = ("LSTM", "GRU", "RNN")


@cache
def compiled(name: str, chip: str = "neurram-core", device: str = "ideal") -> tuple[Network, onnx.ModelProto, Array]:
    begin(7)
    model, shape = MODELS[name][0](), MODELS[name][1]
    x = np.random.default_rng(3).normal(size=(96, *shape)).astype("f4")
    if name in RECURRENT:
        # An input beyond those that calibration saw is clipped, however exact the rest is.
        x = x.clip(-2, 2)
    return compile_model(model, load_chip(chip), calibrate=x[:64], device=device, options=OPTIONS), model, x


@pytest.mark.slow
@pytest.mark.parametrize("name", [n if n == "gate" else pytest.param(n, marks=pytest.mark.slow) for n in MODELS])
def test_accuracy_on_ideal_cells(name: str, tmp_path: Path) -> None:
    """Near onnxruntime, for inputs that calibration did not see; a file gives the same."""
    net, model, x = compiled(name)
    expected = reference(model, x[64:])
    got = quantised_outputs(net, FunctionalBackend(), x[64:]).outputs
    error = np.sqrt(((got - expected) ** 2).mean()) / expected.std()
    assert error < 0.05
    net.save(tmp_path / "net.mho")
    again = Network.load(tmp_path / "net.mho")
    assert np.array_equal(quantised_outputs(again, FunctionalBackend(), x[64:]).outputs, got)
    assert np.array_equal(again.model.compute(x[:3]), net.model.compute(x[:3]))


@pytest.mark.slow
def test_the_report_says_what_the_host_does() -> None:
    net, _, _ = compiled("encoder")
    assert summarise(net)["host"] == ["MatMul Div Softmax MatMul", "LayerNormalization"]


@pytest.mark.slow
def test_lanes_of_the_host_do_not_depend_on_the_batch() -> None:
    net, _, _ = compiled("encoder")
    (step, *_) = (s.operation for s in net.program.stages if isinstance(s.operation, Host))
    lanes = np.random.default_rng(0).integers(-2000, 2000, (16, len(step.taken))).astype(np.int16)
    alone = np.concatenate([step.compute(lanes[k : k + 1]) for k in range(16)])
    assert np.array_equal(step.compute(lanes), alone)


@pytest.mark.parametrize("damage", ["operator", "bytes", "size", "input"])
def test_files_with_other_operators_are_refused(tmp_path: Path, damage: str) -> None:
    net, _, _ = compiled("gate")
    k, stage = next((k, s) for k, s in enumerate(net.program.stages) if isinstance(s.operation, Host))
    assert isinstance(stage.operation, Host)
    step = stage.operation.step
    proto = onnx.ModelProto()
    proto.CopyFrom(step.proto)
    if damage == "operator":
        proto.graph.node[0].op_type = "Bernoulli"
        del proto.graph.node[0].input[1:]
    if damage == "input":
        proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1000
    model = np.frombuffer(b"no model" if damage == "bytes" else proto.SerializeToString(), np.uint8)
    bad = Evaluated(model=model, size=step.size + 1 if damage == "size" else step.size)
    stages = list(net.program.stages)
    stages[k] = replace(stage, operation=replace(stage.operation, step=bad))
    replace(net, program=replace(net.program, stages=tuple(stages))).save(tmp_path / "net.mho")
    with pytest.raises(InputError, match=r"net\.mho: stage"):
        Network.load(tmp_path / "net.mho")


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize("name", ["gate", "encoder", "LSTM", "GRU"])
def test_the_same_bits_in_verilog(name: str) -> None:
    net, _, x = compiled(name, "tnsa16-core", "rram-neurram")
    check_same_bits(net, x[:2])

"""Operators that nobody had in mind: models as exporters write them, against onnxruntime, in floating point."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mho.compiler import import_onnx
from mho.compiler.model.stages import Evaluated
from tests.compiler.importer.onnx_models import Array, build, node, reference

RNG = np.random.default_rng(7)


def floats(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def begin(seed: int) -> None:
    """Weights from here on are those of a seed, whatever was drawn before."""
    RNG.bit_generator.state = np.random.default_rng(seed).bit_generator.state


@pytest.fixture(autouse=True)
def numbers_of_its_own() -> None:
    """What a test draws does not depend on those before it."""
    begin(7)


def given(nodes: Sequence[onnx.NodeProto], weights: dict[str, Array], **options: Any) -> onnx.ModelProto:
    """A model with those of the weights that its nodes take."""
    used = {i for n in nodes for i in n.input}
    return build(nodes, {k: np.asarray(v) for k, v in weights.items() if k in used}, **options)


def agree(model: onnx.ModelProto, x: Array, **options: Any) -> list[str]:
    """The float network gives what onnxruntime does; returns the kinds of its steps."""
    network = import_onnx(model, **options)
    got, expected = network.compute(x), reference(model, x)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * max(1.0, float(np.abs(expected).max())))
    return [_kind(s.operation) for s in network.steps]


def _kind(operation: object) -> str:
    if isinstance(operation, Evaluated):
        return "Table" if operation.pointwise else "Host"
    return type(operation).__name__


IMAGE: dict[str, Array] = {
    "k": floats(4, 4, 3, 3) / 3, "w100": floats(100, 3), "w64": floats(64, 3), "b3": floats(3), "w5": floats(5, 6),
    "axes": np.array([1]), "one": np.float32(1), "two": np.float32(2), "half": np.float32(0.5), "w4": floats(4, 3),
    "starts": np.array([1, 0]), "ends": np.array([5, 4]), "sliced": np.array([2, 3]), "steps": np.array([1, 2]),
    "order": np.array([3, 1, 0]), "w75": floats(75, 3), "repeats": np.array([1, 1, 1, 2]), "w200": floats(200, 3),
    "wide": np.array([1, 4, 5, 5]), "scales": np.array([1, 1, 2, 2], "f4"), "w400": floats(400, 3),
    "parts": np.array([1, 3]), "w25": floats(25, 3), "mask": RNG.random((1, 4, 5, 5)) > 0.5, "zero": np.float32(0),
    "fill": floats(1, 4, 5, 5), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 0]), "w168": floats(168, 3),
    "w32": floats(32, 3),
    "sizes": np.array([4, 4]), "kept": np.array([True, False, True, True]), "lengths": np.array([25, 2, 9, 1]),
    "rows": np.array([4, 25]), "row": np.array([1, 100]),
    "each": RNG.integers(0, 4, (1, 1, 5, 5)), "updates": floats(1, 1, 5, 5), "where": np.array([[[1], [3]]])[:, 0],
    "place": np.array([[0, 1, 2, 3], [0, 3, 4, 4]]), "points": floats(2),
    "g4": floats(4), "o4": floats(4), "g25": floats(5, 5), "w16": floats(16, 3),
}
DENSE = node("Flatten", "z", "f")
MOVERS: dict[str, list[onnx.NodeProto]] = {
    "Slice": [node("Slice", "c starts ends sliced steps", "z"), DENSE, node("Gemm", "f w32", "y")],
    "Gather": [node("Gather", "c order", "z", axis=1), DENSE, node("Gemm", "f w75", "y")],
    "Split": [node("Split", "c parts", "a z", axis=1), DENSE, node("Gemm", "f w75", "y")],
    "Tile": [node("Tile", "c repeats", "z"), DENSE, node("Gemm", "f w200", "y")],
    "Expand": [node("GlobalAveragePool", "c", "p"), node("Expand", "p wide", "z"), DENSE, node("Gemm", "f w100", "y")],
    "Resize": [
        node("Resize", "c  scales", "z", mode="nearest"), DENSE, node("Gemm", "f w400", "y"),
    ],
    "DepthToSpace": [node("DepthToSpace", "c", "z", blocksize=2), DENSE, node("Gemm", "f w100", "y")],
    "SpaceToDepth": [
        node("Slice", "c starts ends sliced", "s"), node("SpaceToDepth", "s", "z", blocksize=2), DENSE,
        node("Gemm", "f w64", "y"),
    ],
    "Where": [node("Where", "mask c fill", "z"), DENSE, node("Gemm", "f w100", "y")],
    "Trilu": [node("Trilu", "c", "z", upper=0), DENSE, node("Gemm", "f w100", "y")],
    "CenterCropPad": [node("CenterCropPad", "c sizes", "z", axes=[2, 3]), DENSE, node("Gemm", "f w64", "y")],
    "Compress": [node("Compress", "c kept", "z", axis=1), DENSE, node("Gemm", "f w75", "y")],
    "GatherElements": [node("GatherElements", "c each", "z", axis=1), DENSE, node("Gemm", "f w25", "y")],
    "GatherND": [node("GatherND", "c where", "z", batch_dims=1), DENSE, node("Gemm", "f w25", "y")],
    "ReverseSequence": [
        node("Reshape", "c rows", "r"), node("ReverseSequence", "r lengths", "s", batch_axis=0, time_axis=1),
        node("Reshape", "s row", "z"), DENSE, node("Gemm", "f w100", "y"),
    ],
    "ScatterElements": [
        node("ScatterElements", "c each updates", "z", axis=1), DENSE, node("Gemm", "f w100", "y"),
    ],
    "ScatterND": [node("ScatterND", "c place points", "z"), DENSE, node("Gemm", "f w100", "y")],
    "Upsample and Scatter": [
        node("Scatter", "c each updates", "s", axis=1), node("Upsample", "s scales", "z"), DENSE,
        node("MatMul", "f w400", "y"),
    ],
    "Pad by reflection": [node("Pad", "c pads", "z", mode="reflect"), DENSE, node("Gemm", "f w168", "y")],
}
ONE_SAMPLE = (
    "ReverseSequence", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "Upsample and Scatter",
)
"""With indices of the batch, which are constants for one sample."""
MOVERS["Resize"][0].input[:] = ["c", "", "scales"]
# Five by five, less one column, is no multiple of two.
MOVERS["SpaceToDepth"][0].input[:] = ["c", "starts", "ends", "sliced"]


@pytest.mark.parametrize("name", MOVERS)
def test_movers(name: str) -> None:
    """What only moves elements needs neither tables nor the host."""
    weights = IMAGE | {"starts": np.array([1, 0]), "ends": np.array([5, 4])}
    if name == "Slice":
        weights = weights | {"w32": floats(4 * 4 * 2, 3)}
    nodes = [node("Conv", "x k", "c", pads=[1, 1, 1, 1]), *MOVERS[name]]
    one_sample = name in ONE_SAMPLE
    opset = 9 if "Upsample" in name else 18
    model = given(nodes, weights, shape=(1 if one_sample else "n", 4, 5, 5), output=(None, 3), opset=opset)
    kinds = agree(model, floats(1 if one_sample else 5, 4, 5, 5))
    assert not {"Table", "Host"} & set(kinds)


FUNCTIONS = {
    name: [node(name, "h", "z")] for name in (
        *("Abs", "Exp", "Sin", "Cos", "Softsign", "Celu", "ThresholdedRelu", "Sign", "Erf", "Atan", "Sinh", "Asinh"),
        *("Floor", "Round", "Shrink", "Reciprocal"),
    )
} | {
    "Log": [node("Abs", "h", "a"), node("Add", "a half", "b"), node("Log", "b", "z")],
    "Sqrt": [node("Mul", "h h", "a"), node("Add", "a half", "b"), node("Sqrt", "b", "z")],
    "Pow": [node("Pow", "h two", "z")],
    "Max of a number": [node("Max", "h half", "z")],
    "Min of a number": [node("Min", "h half", "z")],
    "Gelu as Erf": [
        node("Div", "h two", "a"), node("Erf", "a", "b"), node("Add", "b one", "c"), node("Mul", "h c", "d"),
        node("Mul", "d half", "z"),
    ],
    "hard swish": [
        node("Add", "h three", "a"), node("Clip", "a zero six", "b"), node("Mul", "h b", "c"),
        node("Div", "c six", "z"),
    ],
    "mish": [node("Softplus", "h", "a"), node("Tanh", "a", "b"), node("Mul", "h b", "z")],
    "a step": [node("Greater", "h half", "a"), node("Cast", "a", "z", to=TensorProto.FLOAT)],
    "where": [node("Greater", "h half", "a"), node("Where", "a h zero", "z")],
}
LIMITED = [node("Tanh", "h", "a"), node("Mul", "a half", "b")]
FUNCTIONS |= {name: [*LIMITED, node(name, "b", "z")] for name in ("Acos", "Asin", "Atanh", "Tan", "Cosh", "Ceil")}
FUNCTIONS |= {"Acosh": [node("Abs", "h", "a"), node("Add", "a two", "b"), node("Acosh", "b", "z")]}
FUNCTIONS |= {"Mod": [node("Abs", "h", "a"), node("Mod", "a half", "z", fmod=1)]}
FUNCTIONS |= {
    f"{first} {second}": [
        node(first, "h half", "a"), node("Less", "h two", "b"), node(second, "a b", "c"), node("Not", "c", "d"),
        node("Cast", "d", "z", to=TensorProto.FLOAT),
    ]
    for first, second in (("GreaterOrEqual", "And"), ("LessOrEqual", "Or"), ("Equal", "Xor"))
}
FUNCTIONS |= {
    name: [node("Div", "h zero", "a"), node(name, "a", "b"), node("Cast", "b", "z", to=TensorProto.FLOAT)]
    for name in ("IsInf", "IsNaN")
}
NUMBERS = {"one": 1.0, "two": 2.0, "half": 0.5, "three": 3.0, "six": 6.0, "zero": 0.0}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_one_value(name: str) -> None:
    """A chain of them is one table."""
    weights = {"w": floats(6, 5) / 2, "v": floats(5, 4)} | {k: np.float32(v) for k, v in NUMBERS.items()}
    nodes = [node("MatMul", "x w", "h"), *FUNCTIONS[name], node("MatMul", "z v", "y")]
    kinds = agree(given(nodes, weights, opset=21), floats(5, 6))
    assert kinds in (["Linear", "Table", "Linear"], ["Linear", "Map", "Linear"])


def test_a_function_at_the_end_is_exact() -> None:
    model = given([node("MatMul", "x w", "h"), node("Exp", "h", "y")], {"w": floats(6, 4)})
    assert agree(model, floats(5, 6)) == ["Linear"]


HOSTED = {
    "squeeze and excite": [
        node("Conv", "x k", "c", pads=[1, 1, 1, 1]), node("GlobalAveragePool", "c", "p"), node("Sigmoid", "p", "s"),
        node("Mul", "c s", "z"), DENSE, node("Gemm", "f w100", "y"),
    ],
    "LayerNormalization": [
        node("Conv", "x k", "c", pads=[1, 1, 1, 1]), node("LayerNormalization", "c g25", "z", axis=-2), DENSE,
        node("Gemm", "f w100", "y"),
    ],
    "InstanceNormalization": [
        node("Conv", "x k", "c", pads=[1, 1, 1, 1]), node("InstanceNormalization", "c g4 o4", "z"), DENSE,
        node("Gemm", "f w100", "y"),
    ],
    "GroupNormalization": [
        node("Conv", "x k", "c", pads=[1, 1, 1, 1]), node("GroupNormalization", "c g4 o4", "z", num_groups=2), DENSE,
        node("Gemm", "f w100", "y"),
    ],
    "inner Softmax": [
        node("GlobalAveragePool", "x", "p"), node("Flatten", "p", "f"), node("Gemm", "f w4", "a"),
        node("Softmax", "a", "s"), node("Gemm", "s w33", "y"),
    ],
    "TopK": [
        node("Flatten", "x", "f"), node("Gemm", "f w100", "a"), node("TopK", "a axes", "t i", axis=1),
        node("Gemm", "t w13", "y"),
    ],
}


@pytest.mark.parametrize("name", HOSTED)
def test_what_the_host_does(name: str) -> None:
    weights = IMAGE | {"w33": floats(3, 3), "w13": floats(1, 3)}
    model = given(HOSTED[name], weights, shape=("n", 4, 5, 5), output=("n", 3), opset=21)
    assert "Host" in agree(model, floats(5, 4, 5, 5))


def attention() -> onnx.ModelProto:
    """An encoder block of two heads over five tokens of eight numbers, as torch writes it."""
    weights: dict[str, Array] = {n: floats(8, 8) / 3 for n in ("wq", "wk", "wv", "wo")}
    weights |= {"bq": floats(8), "w1": floats(8, 16) / 3, "b1": floats(16), "w2": floats(16, 8) / 4, "g": floats(8)}
    weights |= {"b": floats(8), "heads": np.array([0, 5, 2, 4]), "flat": np.array([0, 5, 8]), "root": np.float32(2)}
    nodes = [node("MatMul", "x wq", "q0"), node("Add", "q0 bq", "q1")]
    for n in "kv":
        nodes.append(node("MatMul", f"x w{n}", f"{n}1"))
    for n, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        nodes += [node("Reshape", f"{n}1 heads", f"{n}2"), node("Transpose", f"{n}2", f"{n}3", perm=perm)]
    nodes += [
        node("MatMul", "q3 k3", "s0"), node("Div", "s0 root", "s1"), node("Softmax", "s1", "s2", axis=-1),
        node("MatMul", "s2 v3", "o0"), node("Transpose", "o0", "o1", perm=[0, 2, 1, 3]),
        node("Reshape", "o1 flat", "o2"),
        node("MatMul", "o2 wo", "o3"), node("Add", "x o3", "r"), node("LayerNormalization", "r g b", "n", axis=-1),
        node("MatMul", "n w1", "m0"), node("Add", "m0 b1", "m1"), node("Relu", "m1", "m2"),
        node("MatMul", "m2 w2", "m3"),
        node("Add", "n m3", "a"), node("ReduceMean", "a", "y", axes=[1], keepdims=0),
    ]
    return given(nodes, weights, shape=("n", 5, 8), output=("n", 8), opset=17)


def test_encoder_block() -> None:
    kinds = agree(attention(), floats(6, 5, 8))
    assert kinds.count("Linear") == 6
    assert kinds.count("Host") == 2


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_recurrent(kind: str, direction: str) -> None:
    model = recurrent(kind, direction)
    agree(model, floats(4, 3, 5))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_states_of_all_steps_at_the_end(kind: str) -> None:
    """What a gate makes is taken by the host at the end, and by what the chip does before."""
    rng, gates = np.random.default_rng(0), {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    weights = {
        "w": rng.normal(size=(1, gates * 4, 5)).astype("f4") / 2, "r": rng.normal(size=(1, gates * 4, 4)).astype("f4"),
    }
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        helper.make_node(kind, ["t", "w", "r"], ["h"], hidden_size=4), node("Transpose", "h", "y", perm=[2, 0, 1, 3]),
    ]
    agree(given(nodes, weights, shape=("n", 3, 5), output=("n", 3, 1, 4)), rng.normal(size=(4, 3, 5)).astype("f4"))


def recurrent(kind: str, direction: str = "forward") -> onnx.ModelProto:
    """A recurrent layer and a classifier of its last state; batch first, as torch and Keras export it."""
    gates, ways, hidden = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind], 1 + (direction == "bidirectional"), 4
    weights = {
        "w": floats(ways, gates * hidden, 5) / 2, "r": floats(ways, gates * hidden, hidden) / 2,
        "b": floats(ways, 2 * gates * hidden) / 2, "v": floats(ways * hidden, 3), "flat": np.array([0, -1]),
    }
    options: dict[str, Any] = {"linear_before_reset": 1} if kind == "GRU" else {}
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        helper.make_node(kind, ["t", "w", "r", "b"], ["", "h"], name="cell", hidden_size=hidden, direction=direction,
                         **options),
        node("Transpose", "h", "u", perm=[1, 0, 2]), node("Reshape", "u flat", "f"), node("Gemm", "f v", "y"),
    ]
    return given(nodes, weights, shape=("n", 3, 5), output=("n", 3))


PRODUCTS = {
    "the last of several dimensions": ([node("MatMul", "x w", "m"), node("Relu", "m", "y")], {"w": floats(4, 3)}),
    "a batch of matrices": (
        [node("Unsqueeze", "x one", "u"), node("MatMul", "u w", "y")], {"w": floats(2, 4, 3), "one": np.array([1])}
    ),
    "Einsum": ([node("Einsum", "x w", "y", equation="nij,jk->nik")], {"w": floats(4, 3)}),
    "Einsum along the first": ([node("Einsum", "x w", "y", equation="nij,ik->nkj")], {"w": floats(5, 3)}),
    "Einsum of two": ([node("Einsum", "w x", "y", equation="kij,nij->nk")], {"w": floats(3, 5, 4)}),
    "on the left": ([node("MatMul", "w x", "y")], {"w": floats(3, 5)}),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_along_any_dimension(name: str) -> None:
    nodes, weights = PRODUCTS[name]
    rank = {"Einsum of two": 2, "a batch of matrices": 4}.get(name, 3)
    model = given(nodes, weights, shape=("n", 5, 4), output=[None] * rank)
    kinds = agree(model, floats(6, 5, 4))
    assert set(kinds) <= {"Linear", "Gather"}


def test_global_largest_and_swish() -> None:
    nodes = [
        node("Conv", "x k", "c"), node("Swish", "c", "s", alpha=1.5), node("GlobalMaxPool", "s", "z"), DENSE,
        node("Gemm", "f w4", "y"),
    ]
    model = given(nodes, IMAGE, shape=("n", 4, 5, 5), output=("n", 3), opset=24)
    x = floats(3, 4, 5, 5)
    network = import_onnx(model)
    assert network.compute(x).shape == (3, 3)
    assert not {"Table", "Host"} & {_kind(s.operation) for s in network.steps}


SUMS = {
    "Sum": [node("Sum", "h h x", "y")], "Mean": [node("Mean", "h x", "y")],
    "Max": [node("Max", "h x", "y")], "Min": [node("Min", "h x", "y")],
    "ReduceSum": [node("ReduceSum", "h axes", "y", keepdims=1)],
    "ReduceMax": [node("ReduceMax", "h", "y", axes=[1], keepdims=0)],
    "ReduceMin": [node("ReduceMin", "h", "y", axes=[1], keepdims=0)],
    "ReduceMean": [node("ReduceMean", "h", "y", axes=[1], keepdims=0)],
}


@pytest.mark.parametrize("name", SUMS)
def test_sums(name: str) -> None:
    nodes = [node("MatMul", "x w", "h"), *SUMS[name]]
    rank = 1 if any(a.name == "keepdims" and a.i == 0 for n in SUMS[name] for a in n.attribute) else 2
    model = given(nodes, {"w": floats(6, 6), "axes": np.array([1])}, output=[None] * rank)
    assert not {"Host", "Table"} & set(agree(model, floats(5, 6)))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("strides", "pads", "extra"), [([1, 1], [0] * 4, [0, 0]), ([2, 3], [1, 0, 1, 1], [1, 0])])
def test_transposed_convolution(groups: int, strides: list[int], pads: list[int], extra: list[int]) -> None:
    options = {"strides": strides, "pads": pads, "output_padding": extra, "group": groups}
    model = given(
        [node("ConvTranspose", "x w b", "y", **options)], {"w": floats(4, 2, 3, 3), "b": floats(2 * groups)},
        shape=("n", 4, 5, 5), output=[None] * 4,
    )
    assert set(agree(model, floats(3, 4, 5, 5))) <= {"Linear", "Gather"}


# Numbers of other types -----------------------------------------------------------------------------------------------


def quantised(kind: str) -> onnx.ModelProto:
    """A convolution, its ReLU and a layer in integers."""
    rng = np.random.default_rng(0)
    weights: dict[str, Array] = {
        "k": rng.integers(-100, 100, (4, 2, 3, 3)).astype(np.int8), "ks": np.float32(0.005) * np.ones(4, "f4"),
        "kz": np.zeros(4, np.int8), "xs": np.float32(0.02), "xz": np.uint8(128), "ys": np.float32(0.03),
        "yz": np.uint8(0), "w": rng.integers(-100, 100, (64, 3)).astype(np.int8), "ws": np.float32(0.004),
        "wz": np.int8(0), "os": np.float32(0.1), "oz": np.uint8(120), "flat": np.array([0, -1]),
        "b": rng.integers(-500, 500, 4).astype(np.int32),
    }
    if kind == "QLinear":
        nodes = [
            node("QuantizeLinear", "x xs xz", "xq"), node("QLinearConv", "xq xs xz k ks kz ys yz b", "c"),
            node("Reshape", "c flat", "f"), node("QLinearMatMul", "f ys yz w ws wz os oz", "q"),
            node("DequantizeLinear", "q os oz", "y"),
        ]
    else:
        nodes = [
            node("QuantizeLinear", "x xs xz", "xq"), node("DequantizeLinear", "xq xs xz", "xf"),
            node("DequantizeLinear", "k ks kz", "kf", axis=0), node("Conv", "xf kf", "c"), node("Relu", "c", "r"),
            node("QuantizeLinear", "r ys yz", "rq"), node("DequantizeLinear", "rq ys yz", "rf"),
            node("Reshape", "rf flat", "f"), node("DequantizeLinear", "w ws wz", "wf"), node("MatMul", "f wf", "y"),
        ]
    return given(nodes, weights, shape=("n", 2, 6, 6), output=("n", 3), opset=17)


@pytest.mark.parametrize("kind", ["QLinear", "QDQ"])
def test_quantised(kind: str) -> None:
    """Cores round by themselves, so that rounding alone is left out."""
    model, x = quantised(kind), floats(20, 2, 6, 6)
    network = import_onnx(model)
    expected = reference(model, x)
    assert np.abs(network.compute(x) - expected).max() < 0.03 * np.ptp(expected)
    assert not any(isinstance(s.operation, Evaluated) for s in network.steps)


def test_convolution_of_integers() -> None:
    weights = {"k": RNG.integers(0, 9, (3, 2, 3, 3)).astype(np.uint8), "z": np.uint8(2), "kz": np.uint8(4)}
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node("ConvInteger", "x k z kz", "c"), node("Cast", "c", "f", to=TensorProto.FLOAT),
         node("CastLike", "f l", "y")],
        "net", [value("x", TensorProto.UINT8, ["n", 2, 5, 5])], [value("y", TensorProto.FLOAT, [None] * 4)],
        [onnx.numpy_helper.from_array(v, k) for k, v in (weights | {"l": np.float32([0])}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    agree(model, RNG.integers(0, 9, (4, 2, 5, 5)).astype(np.uint8))


def test_bipolar() -> None:
    opset = helper.make_opsetid("qonnx.custom_op.general", 1)
    quant = helper.make_node("BipolarQuant", ["m", "s"], ["b"], domain=opset.domain)
    trunc = helper.make_node("Trunc", ["b", "s", "s", "s", "s"], ["y"], domain=opset.domain)
    w, x = floats(6, 4), floats(9, 6)
    model = given([node("MatMul", "x w", "m"), quant, trunc], {"w": w, "s": np.float32(0.5)})
    model.opset_import.append(opset)
    np.testing.assert_allclose(import_onnx(model).compute(x), np.where(x @ w >= 0, 0.5, -0.5))


def test_binarizer() -> None:
    step = helper.make_node("Binarizer", ["m"], ["b"], domain="ai.onnx.ml", threshold=0.25)
    nodes = [node("MatMul", "x w", "m"), step, node("MatMul", "b v", "y")]
    model = given(nodes, {"w": floats(6, 5), "v": floats(5, 4)})
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    assert agree(model, floats(7, 6)) == ["Linear", "Table", "Linear"]


@pytest.mark.parametrize("block", [None, 3])
def test_weights_of_four_bits(block: int | None) -> None:
    """By channel or by block; onnxruntime multiplies by them less exactly than they are."""
    four = helper.tensor_dtype_to_np_dtype(TensorProto.INT4)
    w, scale = RNG.integers(-8, 8, (6, 4)), np.abs(floats(4) if block is None else floats(2, 4))
    options = {"axis": 1} if block is None else {"axis": 0, "block_size": block}
    nodes = [node("DequantizeLinear", "w s", "f", **options), node("MatMul", "x f", "y")]
    model, x = given(nodes, {"w": w.astype(four), "s": scale}, opset=21), floats(5, 6)
    expected = x @ (w * (scale if block is None else np.repeat(scale, block, axis=0)))
    np.testing.assert_allclose(import_onnx(model).compute(x), expected, rtol=1e-4, atol=1e-4)


def test_dynamic_quantisation() -> None:
    weights = {"w": RNG.integers(-100, 100, (6, 4)).astype(np.int8), "z": np.int8(0), "s": np.float32(0.01)}
    nodes = [
        node("DynamicQuantizeLinear", "x", "q qs qz"), node("MatMulInteger", "q w qz z", "i"),
        node("Cast", "i", "f", to=TensorProto.FLOAT), node("Mul", "qs s", "t"), node("Mul", "f t", "y"),
    ]
    model, x = given(nodes, weights), floats(20, 6)
    expected = reference(model, x)
    assert np.abs(import_onnx(model).compute(x) - expected).max() < 0.02 * np.ptp(expected)


@pytest.mark.parametrize("domain", ["qonnx.custom_op.general", "onnx.brevitas"])
def test_qonnx(domain: str) -> None:
    """Weights on four bits, values on limits, at their own scales."""
    def quant(x: str, y: str, bits: str) -> onnx.NodeProto:
        kind = "IntQuant" if domain.startswith("qonnx") else "Quant"
        return helper.make_node(kind, [x, "s", "z", bits], [y], name=y, domain=domain, signed=1, narrow=0,
                                rounding_mode="ROUND")

    w = floats(6, 4)
    weights = {"w": w, "s": np.float32(0.25), "z": np.float32(0), "four": np.float32(4), "eight": np.float32(8)}
    model = given([quant("w", "wq", "four"), node("MatMul", "x wq", "m"), quant("m", "y", "eight")], weights)
    model.opset_import.append(helper.make_opsetid(domain, 1))
    x = floats(5, 6)
    expected = np.clip(x @ (np.clip(np.rint(w * 4), -8, 7) / 4), -32, 31.75)
    np.testing.assert_allclose(import_onnx(model).compute(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16])
def test_types(kind: int) -> None:
    value, dtype = helper.make_tensor_value_info, helper.tensor_dtype_to_np_dtype(kind)
    w = floats(6, 4).astype(dtype)
    graph = helper.make_graph(
        [node("MatMul", "x w", "m"), node("Relu", "m", "y")], "net", [value("x", kind, ["n", 6])],
        [value("y", kind, ["n", 4])], [onnx.numpy_helper.from_array(w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=9)
    x = floats(5, 6)
    expected = np.maximum(x.astype(np.float64) @ w.astype(np.float64), 0)
    np.testing.assert_allclose(import_onnx(model).compute(x).astype(np.float64), expected, rtol=2e-2, atol=1e-3)


def test_integer_inputs() -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node("Cast", "x", "f", to=TensorProto.FLOAT), node("MatMul", "f w", "y")], "net",
        [value("x", TensorProto.INT64, ["n", 6])], [value("y", TensorProto.FLOAT, ["n", 4])],
        [onnx.numpy_helper.from_array(floats(6, 4), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    agree(model, RNG.integers(0, 9, (5, 6)))


# The graph around ----------------------------------------------------------------------------------------------------


def test_an_input_without_a_batch() -> None:
    model = given([node("MatMul", "x w", "m"), node("Relu", "m", "y")], {"w": floats(6, 4)}, shape=(6,), output=(4,))
    network, x = import_onnx(model), floats(3, 6)
    assert network.input_shape == (6,)
    np.testing.assert_allclose(network.compute(x), np.stack([reference(model, row) for row in x]), rtol=1e-4, atol=1e-4)


def test_frozen_inputs_and_lengths_that_are_open() -> None:
    model = given([node("MatMul", "x w", "y")], {}, shape=("n", "length", 6), output=("n", "length", 4))
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [6, 4]))
    w, x = floats(6, 4), floats(2, 5, 6)
    network = import_onnx(model, frozen={"w": w}, shapes={"x": [0, 5, 6]})
    np.testing.assert_allclose(network.compute(x), x @ w, rtol=1e-4, atol=1e-4)


def test_several_inputs_are_side_by_side() -> None:
    nodes = [node("MatMul", "x w", "a"), node("MatMul", "u v", "b"), node("Add", "a b", "c"), node("Relu", "c", "y")]
    weights = {"w": floats(6, 4), "v": floats(3, 4)}
    model = given(nodes, weights)
    model.graph.input.append(helper.make_tensor_value_info("u", TensorProto.FLOAT, ["batch", 3]))
    x, u = floats(5, 6), floats(5, 3)
    network = import_onnx(model)
    assert (network.input_name, network.input_shape) == ("x, u", (9,))
    expected = np.maximum(x @ weights["w"] + u @ weights["v"], 0)
    np.testing.assert_allclose(network.compute(np.concatenate([x, u], axis=1)), expected, rtol=1e-4, atol=1e-4)


def test_functions_of_the_model_and_a_constant_if() -> None:
    opset, value = helper.make_opsetid("", 17), helper.make_tensor_value_info
    twice = helper.make_function("own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [opset])
    then = helper.make_graph([node("Identity", "m", "t")], "then", [], [value("t", TensorProto.FLOAT, None)])
    otherwise = helper.make_graph([node("Neg", "m", "e")], "else", [], [value("e", TensorProto.FLOAT, None)])
    nodes = [
        helper.make_node("Twice", ["x"], ["d"], domain="own"), node("MatMul", "d w", "m"),
        node("If", "yes", "y", then_branch=then, else_branch=otherwise),
    ]
    model = given(nodes, {"w": floats(6, 4), "yes": np.array(False)})
    model.functions.append(twice)
    model.opset_import.append(helper.make_opsetid("own", 1))
    agree(model, floats(5, 6))


def test_dropout_of_training_is_passed_on() -> None:
    nodes = [node("Dropout", "x r t", "d"), node("MatMul", "d w", "y")]
    w, x = floats(6, 4), floats(3, 6)
    model = given(nodes, {"r": np.float32(0.5), "t": np.array(True), "w": w})
    np.testing.assert_allclose(import_onnx(model).compute(x), x @ w, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("opset", [6, 7, 26])
def test_old_and_new_opsets(opset: int) -> None:
    nodes = [node("Gemm", "x w b", "g"), node("Relu", "g", "r"), node("MatMul", "r v", "y")]
    model = given(nodes, {"w": floats(6, 5), "b": floats(5), "v": floats(5, 4)}, opset=opset)
    x = floats(3, 6)
    network = import_onnx(model)
    if opset == 26:
        assert len(network.layers) == 2
    else:
        model.ir_version = 3
    assert network.compute(x).shape == (3, 4)


def test_swiglu() -> None:
    """Which onnxruntime does not have: a value times the Swish of another."""
    w, v, x = floats(6, 5), floats(6, 5), floats(7, 6)
    nodes = [
        node("MatMul", "x w", "a"), node("MatMul", "x v", "b"), node("SwiGLU", "a b", "g", alpha=1.5),
        node("MatMul", "g u", "y"),
    ]
    u = floats(5, 4)
    network = import_onnx(given(nodes, {"w": w, "v": v, "u": u}, opset=onnx.defs.get_schema("SwiGLU").since_version))
    gate = (x @ w).astype(np.float64)
    expected = (gate / (1 + np.exp(-1.5 * gate)) * (x @ v)) @ u
    np.testing.assert_allclose(network.compute(x), expected, rtol=1e-3, atol=1e-4)


def test_constants_are_folded() -> None:
    """Matrices, ranges, places and sizes that no input changes are weights and indices."""
    nodes = [
        node("MatMul", "x w", "h"), node("EyeLike", "square", "eye", k=1), node("MatMul", "h eye", "a"),
        node("Range", "from to by", "r"), node("Add", "a r", "b"), node("Size", "square", "s"),
        node("Cast", "s", "t", to=TensorProto.FLOAT), node("Div", "b t", "c"), node("NonZero", "some", "n"),
        node("Reshape", "n row", "i"), node("Gather", "c i", "y", axis=1),
    ]
    weights = {
        "w": floats(6, 5), "square": np.zeros((5, 5), "f4"), "from": np.float32(0), "to": np.float32(5),
        "by": np.float32(1), "some": np.array([0, 1, 0, 1, 1], "f4"), "row": np.array([-1]),
    }
    model = given(nodes, {k: np.asarray(v) for k, v in weights.items()}, output=("n", 3))
    assert set(agree(model, floats(5, 6))) <= {"Linear", "Gather"}

"""Import of convolutions, pooling, branches: the float network against onnxruntime."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mho.compiler import import_onnx
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import Array, build, node, reference


def agree(model: onnx.ModelProto, x: Array) -> None:
    got, expected = import_onnx(model).compute(x), reference(model, x)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    assert np.allclose(got, expected, atol=1e-4)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[onnx.ModelProto, Array]:
    """A convolution with a batch of inputs."""
    rank = draw(st.integers(1, 3))
    size = [draw(st.integers(5, 8)) for _ in range(rank)]
    kernel = [draw(st.integers(1, 3)) for _ in range(rank)]
    groups, per_group, outputs = draw(st.sampled_from([1, 1, 2, 4])), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    attributes: dict[str, Any] = {
        "strides": [draw(st.integers(1, 2)) for _ in range(rank)],
        "dilations": [draw(st.integers(1, 2)) for _ in range(rank)],
        "group": groups,
    }
    mode = draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if mode == "NOTSET":
        attributes["pads"] = [draw(st.integers(0, 2)) for _ in range(2 * rank)]
    else:
        attributes["auto_pad"] = mode
        attributes["dilations"] = [1] * rank
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    weights = {
        "w": rng.normal(size=(groups * outputs, per_group, *kernel)).astype("f4"),
        "b": rng.normal(size=groups * outputs).astype("f4"),
        "s": rng.normal(size=(groups * per_group, *[1] * rank)).astype("f4"),
        "t": rng.normal(size=(groups * per_group, *[1] * rank)).astype("f4"),
    }
    # An affine stage before it: what it adds must not reach into the padding.
    before = [node("Mul", "x s", "u"), node("Add", "u t", "v")] if draw(st.booleans()) else [node("Identity", "x", "v")]
    nodes = [*before, node("Conv", "v w b", "c", **attributes), node("Relu", "c", "y")]
    x = rng.normal(size=(3, groups * per_group, *size)).astype("f4")
    return build(nodes, weights, shape=("batch", *x.shape[1:]), output=("batch", *["d"] * (rank + 1))), x


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(convolutions())
def test_convolution(case: tuple[onnx.ModelProto, Array]) -> None:
    """Its values, and its geometry."""
    agree(*case)
    model, x = case
    (conv,) = (n for n in model.graph.node if n.op_type == "Conv")
    attributes = {a.name: list(a.ints) for a in conv.attribute}
    for op in import_onnx(model).linear:
        if len(op.patches) == 1 and op.window is None:
            continue  # one position in the padding alone
        assert op.window is not None
        assert op.window.gives(op.patches)
        axes = op.window.axes
        assert [a.stride for a in axes] == attributes["strides"]
        assert [a.dilation for a in axes] == attributes["dilations"]
        assert all(a.size <= size and a.before >= 0 for a, size in zip(axes, x.shape[2:], strict=True))
        if "pads" in attributes:
            begins = [a.before == pad for a, pad in zip(axes, attributes["pads"], strict=False)]
            # A window that steps over the first element cannot tell where it begins.
            assert all(s or a.stride > 1 or a.dilation > 1 for s, a in zip(begins, axes, strict=True))


@pytest.mark.parametrize(
    ("nodes", "channel_step", "before", "steps"),
    [
        ([node("Conv", "x k", "y", pads=[1, 1, 1, 1])], 25, [1, 1], [5, 1]),
        # Padding and another order of the dimensions go into the window.
        ([node("Pad", "x pads", "p"), node("Conv", "p k", "y", pads=[1, 0, 1, 0])], 25, [2, 1], [5, 1]),
        ([node("Transpose", "x", "t", perm=[0, 2, 3, 1]), node("Transpose", "t", "u", perm=[0, 3, 1, 2]),
          node("Conv", "u k", "y")], 25, [0, 0], [5, 1]),
        ([node("Transpose", "x", "t", perm=[0, 1, 3, 2]), node("Conv", "t k", "y")], 25, [0, 0], [1, 5]),
        ([node("Conv", "x k1", "y", group=4)], 25, [0, 0], [5, 1]),
    ],
)
def test_geometry_is_kept(
    nodes: list[onnx.NodeProto], channel_step: int, before: list[int], steps: list[int]
) -> None:
    weights = {"k": K3, "k1": K3[:, :1], "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    used = {i for n in nodes for i in n.input}
    constants = {k: v for k, v in weights.items() if k in used}
    network = import_onnx(build(nodes, constants, shape=("batch", 4, 5, 5), output=("batch", *"chw")))
    (op,) = network.linear
    assert op.window is not None
    assert op.window.gives(op.patches)
    assert (op.window.channels, op.window.channel_step, op.window.first) == (4, channel_step, 0)
    assert [a.before for a in op.window.axes] == before
    assert [a.step for a in op.window.axes] == steps
    assert [a.kernel for a in op.window.axes] == [3, 3]
    assert op.window.groups == (4 if any(n.op_type == "Conv" and "k1" in n.input for n in nodes) else 1)


def test_no_geometry() -> None:
    """Edges that are padded by their own value are no window."""
    nodes = [node("Pad", "x pads", "p", mode="edge"), node("Conv", "p k", "y")]
    weights = {"k": K3, "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    network = import_onnx(build(nodes, weights, shape=("batch", 4, 5, 5), output=("batch", *"chw")))
    assert [op.window for op in network.linear] == [None]


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["MaxPool", "AveragePool"]),
    kernel=st.lists(st.integers(2, 3), min_size=2, max_size=2),
    strides=st.lists(st.integers(1, 3), min_size=2, max_size=2),
    pads=st.lists(st.integers(0, 1), min_size=4, max_size=4),
    ceil=st.integers(0, 1),
    count=st.integers(0, 1),
)
def test_pooling(kind: str, kernel: list[int], strides: list[int], pads: list[int], ceil: int, count: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 7, 8)).astype("f4")
    options: dict[str, Any] = {"count_include_pad": count} if kind == "AveragePool" else {}
    nodes = [
        node("Conv", "x w", "c"),
        node(kind, "c", "y", kernel_shape=kernel, strides=strides, pads=pads, ceil_mode=ceil, **options),
    ]
    weights = {"w": rng.normal(size=(4, 3, 1, 1)).astype("f4")}
    agree(build(nodes, weights, shape=("batch", 3, 7, 8), output=("batch", 4, "h", "w"), opset=19), x)


RNG = np.random.default_rng(1)
K3 = RNG.normal(size=(4, 4, 3, 3)).astype("f4") / 3
W = RNG.normal(size=(100, 3)).astype("f4")
BN = {"g": np.float32([1, 2, 0.5, -1]), "b": np.float32([0, 1, -1, 2]), "mu": np.float32([0.1, 0, 1, 0])}
BN |= {"v": np.float32([1, 2, 0.5, 1]), "k": K3, "k2": RNG.normal(size=(4, 4, 3, 3)).astype("f4") / 3, "w": W}
PADS = {"pads": [1, 1, 1, 1]}
DENSE = [node("Flatten", "z", "f"), node("Gemm", "f w", "y")]
GRAPHS: dict[str, list[onnx.NodeProto]] = {
    "residual": [
        node("Conv", "x k", "c", **PADS), node("BatchNormalization", "c g b mu v", "n"), node("Relu", "n", "r"),
        node("Conv", "r k2", "d", **PADS), node("Add", "d r", "a"), node("Relu", "a", "z"), *DENSE,
    ],
    "the sum is normalised": [
        node("Conv", "x k", "c", **PADS), node("Add", "c x", "a"), node("BatchNormalization", "a g b mu v", "n"),
        node("Relu", "n", "r"), node("Conv", "r k2", "d", **PADS), node("Sub", "a d", "z"), *DENSE,
    ],
    "used before and after its ReLU": [
        node("Conv", "x k", "c", **PADS), node("Relu", "c", "r"), node("Sub", "r c", "z"), *DENSE,
    ],
    "depthwise, normalised, six": [
        node("Conv", "x k1", "c", group=4, **PADS), node("BatchNormalization", "c g b mu v", "n"),
        node("Clip", "n zero six", "z"), *DENSE,
    ],
    "pad, then convolution": [node("Pad", "x pads", "p"), node("Conv", "p k", "z"), *DENSE],
    "pad by a value": [
        node("Pad", "x pads six", "p"), node("BatchNormalization", "p g b mu v", "n"), node("Conv", "n k", "z"), *DENSE
    ],
    "channels last": [
        node("Conv", "x k", "c", **PADS), node("Transpose", "c", "z", perm=[0, 2, 3, 1]), *DENSE,
    ],
    "concat and functions": [
        node("Conv", "x k", "c", strides=[1, 1], **PADS), node("Sigmoid", "c", "s"), node("Tanh", "c", "t"),
        node("Concat", "s t", "j", axis=1), node("GlobalAveragePool", "j", "p"), node("Flatten", "p", "f"),
        node("Gemm", "f w8", "y"),
    ],
    "mean": [
        node("Conv", "x k", "c"), node("ReduceMean", "c", "p", axes=[2, 3], keepdims=0), node("Gemm", "p w4", "y"),
    ],
    "at the end": [
        node("Flatten", "x", "f"), node("Gemm", "f w", "l"), node("Tanh", "l", "t"), node("Clip", "t zero", "y"),
    ],
    "in a perceptron": [
        node("Flatten", "x", "f"), node("Gemm", "f w", "l"), node("Tanh", "l", "t"), node("MatMul", "t w33", "y"),
    ],
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graph_with_branches(name: str) -> None:
    weights = BN | {
        "zero": np.float32(0), "six": np.float32(6), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "k1": K3[:, :1], "w8": W[:8], "w4": W[:4], "w33": W[:3],
    }
    used = {i for n in GRAPHS[name] for i in n.input}
    model = build(
        GRAPHS[name], {k: v for k, v in weights.items() if k in used}, shape=("batch", 4, 5, 5), output=("batch", 3)
    )
    agree(model, np.random.default_rng(2).normal(size=(5, 4, 5, 5)).astype("f4") * 3)


def test_folding_leaves_one_layer_for_a_convolution() -> None:
    nodes = GRAPHS["depthwise, normalised, six"]
    weights = BN | {"zero": np.float32(0), "six": np.float32(6), "k1": K3[:, :1]}
    del weights["k"], weights["k2"]
    network = import_onnx(build(nodes, weights, shape=("batch", 4, 5, 5), output=("batch", 3)))
    assert [type(s.operation).__name__ for s in network.steps] == ["Linear", "Map", "Linear"]
    assert network.positions == (25, 1)
    assert network.layers[0].relu


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ([node("Conv", "x k", "y", kernel_shape=[5, 5])], "kernel_shape is not that of its weights, [3, 3]"),
        ([node("Conv", "x k", "y", dilations=[3, 3])], "its kernel of 7 is larger than the 5 elements of a dimension"),
        ([node("Conv", "x k", "y", group=2)], "its weights of shape [4, 4, 3, 3] in 2 groups do not fit"),
        ([node("Conv", "x k", "c"), node("Concat", "c c", "y", axis=0)], "works along the batch dimension"),
    ],
)
def test_refusals(nodes: list[onnx.NodeProto], sentence: str) -> None:
    model = build(nodes, {"k": K3}, shape=("batch", 4, 5, 5), output=("batch", *"chw"))
    with pytest.raises(InputError) as caught:
        import_onnx(model)
    assert sentence in str(caught.value)

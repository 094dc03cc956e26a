"""ONNX models that are damaged, contradict themselves or claim anything: refused where onnxruntime refuses them."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from mho.compiler import import_onnx
from mho.macro_models.errors import InputError
from tests.compiler.importer.changed_models import changed
from tests.compiler.importer.onnx_models import Array, build, node, random_perceptron

RNG = np.random.default_rng(0)
IMAGE = {
    "k": RNG.normal(size=(4, 4, 3, 3)).astype("f4"), "b": RNG.normal(size=4).astype("f4"),
    "g": np.ones(4, "f4"), "v": np.ones(4, "f4"), "w": RNG.normal(size=(36, 4)).astype("f4"),
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "shape": np.array([0, -1]), "low": np.float32(0), "high": np.float32(6),
}


def used(nodes: list[onnx.NodeProto], weights: dict[str, Any], **options: Any) -> onnx.ModelProto:
    """A model with those of the weights that its nodes take."""
    names = {name for n in nodes for name in n.input}
    return build(nodes, {k: v for k, v in weights.items() if k in names}, **options)


CONVOLUTION = used(
    [
        node("Pad", "x pads", "p"), node("Conv", "p k b", "c", strides=[2, 2], kernel_shape=[3, 3], dilations=[1, 1]),
        node("BatchNormalization", "c g b b v", "n", epsilon=1e-5), node("LeakyRelu", "n", "r", alpha=0.1),
        node("Transpose", "r", "t", perm=[0, 2, 3, 1]), node("Reshape", "t shape", "f"),
        node("Gemm", "f w", "z", alpha=1.0, transB=0), node("Softmax", "z", "y", axis=1),
    ],
    IMAGE, shape=("n", 4, 5, 5), output=("n", 4),
)
POOLING = used(
    [
        node("Conv", "x k b", "c", pads=[1, 1, 1, 1], group=1), node("Clip", "c low high", "d"),
        node("MaxPool", "d", "m", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        node("AveragePool", "m", "a", kernel_shape=[2, 2], count_include_pad=0), node("Concat", "a a", "j", axis=1),
        node("Flatten", "j", "f", axis=1), node("Gemm", "f w32", "z"), node("ArgMax", "z", "y", axis=1, keepdims=0),
    ],
    IMAGE | {"w32": RNG.normal(size=(32, 4)).astype("f4")}, shape=("n", 4, 5, 5), output=("n",),
    elem_type=onnx.TensorProto.INT64,
)
MODELS = {"convolution": CONVOLUTION, "pooling": POOLING, "perceptron": random_perceptron([6, 5, 4])}


def theirs(model: onnx.ModelProto, x: Array | None = None) -> tuple[Array, Array] | None:
    """Input and output of onnxruntime, None where it refuses the model."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0]
        shape = [2 if not isinstance(d, int) else d for d in entry.shape]
        if np.prod([float(d) for d in shape]) > 1e6:
            return None
        x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        return x, np.asarray(session.run(None, {entry.name: x})[0])
    except Exception:
        return None


def ours(model: onnx.ModelProto) -> Any:
    """The network, or None after one sentence."""
    try:
        return import_onnx(model.SerializeToString())
    except InputError as error:
        sentence = str(error)
    assert "\n" not in sentence
    assert len(sentence) <= 240
    return None


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("first", range(0, 120, 40))
def test_what_is_accepted_is_computed_as_onnxruntime_does(name: str, first: int) -> None:
    accepted = 0
    for seed in range(first, first + 40):
        model = changed(MODELS[name], seed)
        network = ours(model)
        if network is None or network.input_shape != ours(MODELS[name]).input_shape:
            continue
        if model.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value"):
            continue  # a batch of a fixed size, which may be anything
        case = theirs(model)
        assert case is not None, seed
        x, expected = case
        result = network.compute(x)
        assert result.shape == expected.shape, seed
        if result.dtype.kind == "f":
            assert np.allclose(result, expected, rtol=1e-3, atol=1e-3, equal_nan=True), seed
        accepted += 1
    assert accepted > 3


W64 = np.ones((6, 4), np.float32)


def _dense(*nodes: onnx.NodeProto, **weights: Any) -> onnx.ModelProto:
    return used(list(nodes), {"w": W64, **weights})


REFUSED: list[tuple[onnx.ModelProto, str]] = [
    (_dense(node("Gemm", "x w", "y", alpha=float("nan"))), "its alpha is NaN or infinite"),
    (_dense(node("Gemm", "x w", "g"), node("LeakyRelu", "g", "y", alpha=float("inf"))), "its alpha is NaN or infinite"),
    (_dense(node("Gemm", "x w b", "y"), b=np.array([1, 2, np.inf, 4], "f4")), "its bias values are NaN or infinite"),
    (_dense(node("MatMul", "x w", "m"), node("Add", "m c", "y"), c=np.float32("nan")), "its constants are NaN or inf"),
    (_dense(node("MatMul", "x w", "m"), node("Clip", "m c", "y"), c=np.float32("nan")), "its limits must be one"),
    (_dense(node("MatMul", "x w", "m"), node("Clip", "m c", "y"), c=np.ones(2, "f4")), "it does not fit values"),
    (_dense(node("MatMul", "x w", "m"), node("Add", "m b", "y"), b=np.ones((2, 3, 5), "f4")), "it does not fit values"),
    (_dense(node("MatMul", "x w", "m"), node("Softmax", "m", "y", axis=2)), "it does not fit values"),
    (_dense(node("MatMul", "x w", "m"), node("Squeeze", "m a", "y"), a=np.array([[1]])), "it does not fit values"),
    (_dense(node("MatMul", "x w", "m"), node("Unsqueeze", "m a", "y"), a=np.array([7])), "axis|axes"),
    (_dense(node("MatMul", "x w", "m"), node("Unsqueeze", "m a", "y"), a=np.array([1, 1])), "axis|axes"),
    (_dense(node("Gemm", "x w", "y"), w=W64.astype("f8")), "B has inconsistent type tensor"),
    (_dense(node("MatMul", "x w", "m"), node("Transpose", "m", "y", perm=[0, 1, 2])), "it does not fit values"),
    (_dense(node("MatMul", "x w", "m"), node("Transpose", "m", "y", perm=[0, 0])), "it does not fit values"),
    (
        used([node("Conv", "x k b", "y")], IMAGE | {"b": np.ones((4, 1), "f4")}, shape=("n", 4, 5, 5)),
        r"its bias has shape \[4, 1\], where 4 channels need \[4\]",
    ),
    (
        used([node("Conv", "x k", "y", pads=[1, 1, 2**31, 1])], IMAGE, shape=("n", 4, 5, 5)),
        "at most 16777216 elements are supported",
    ),
    (used([node("MaxPool", "x", "y", kernel_shape=[2])], IMAGE, shape=("n", 4, 5, 5)), "do not fit 2 dimensions"),
    (used([node("Flatten", "x", "y")], {}, shape=("n", 2**62, 5)), "at most 16777216 elements are supported"),
    (used([node("MatMul", "x w", "y")], {"w": W64}, shape=(2**61, 6)), "at most 16777216 elements are supported"),
    (
        used([node("ConstantOfShape", "s", "c"), node("MatMul", "x c", "y")], {"s": np.array([6, 2**40])}),
        "at most 16777216 elements|cannot be evaluated|Maximum allowed|Unable to allocate",
    ),
    (
        used([node("Relu", "big", "r"), node("MatMul", "x r", "y")], {"big": np.full((6, 4), 3e38, "f8")}),
        "no valid ONNX model",
    ),
]


@pytest.mark.parametrize(("model", "sentence"), REFUSED)
def test_refused_with_a_reason(model: onnx.ModelProto, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        import_onnx(model)


def test_constants_that_multiply_to_infinity() -> None:
    scales = [node("Mul", "x c", "v0"), *(node("Mul", f"v{k} c", f"v{k + 1}") for k in range(20))]
    model = used([*scales, node("MatMul", "v20 w", "y")], {"w": W64, "c": np.full(6, 1e38, "f4")})
    with pytest.raises(InputError, match="NaN or infinite"):
        import_onnx(model)


def test_what_a_file_says_of_its_shapes_is_a_hint() -> None:
    model = random_perceptron([6, 5, 4])
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 100
    assert ours(model) is not None
    assert theirs(model) is not None


def test_a_matrix_with_a_dimension_more_gives_one_more(tmp_path: Path) -> None:
    model = build([node("MatMul", "x w", "y")], {"w": W64[None]}, output=(1, "batch", 4))
    x = np.random.default_rng(1).normal(size=(3, 6)).astype("f4")
    case = theirs(model)
    assert case is not None
    assert import_onnx(model).compute(x).shape == (1, 3, 4)
    assert case[1].shape == (1, 2, 4)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(InputError, match=r"pipe\.onnx: is no regular file, as an ONNX model must be"):
        import_onnx(tmp_path / "pipe.onnx")
    with (tmp_path / "large.onnx").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(InputError, match=r"large\.onnx: holds 1\.1 TB; an ONNX model may have 2\.15 GB at most"):
        import_onnx(tmp_path / "large.onnx")


def test_a_negative_dimension_is_an_open_one() -> None:
    network = import_onnx(used([node("MatMul", "x w", "y")], {"w": W64}, shape=(-1, 6), output=(-1, 4)))
    assert network.compute(np.ones((3, 6), np.float32)) == pytest.approx(np.full((3, 4), 6.0))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b"net", b"n\xfft", r"the model: name must be text in UTF-8, not b'n\\xfft'"),
        (b"\n\x01y\x12", b"\n\x01\xc0\x12", r"the model: name must be text in UTF-8, not b'\\xc0'"),
        (b"Conv", b"C\xffnv", r"the model: op_type must be text in UTF-8"),
    ],
)
def test_names_that_are_no_text(old: bytes, new: bytes, sentence: str) -> None:
    data = CONVOLUTION.SerializeToString()
    assert old in data
    with pytest.raises(InputError, match=f"^{sentence}"):
        import_onnx(data.replace(old, new))


@pytest.mark.parametrize("kind", [48, 255, 2**31 - 1])
def test_an_output_of_no_known_type(kind: int) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(CONVOLUTION)
    model.graph.output[0].type.tensor_type.elem_type = kind
    with pytest.raises(InputError, match=r"^the model: (value 'y' has type|is no valid ONNX model)"):
        import_onnx(model.SerializeToString())


@pytest.mark.slow
@pytest.mark.parametrize("place", range(5))
def test_damaged_bytes(place: int) -> None:
    sentences = []
    data, rng = bytearray(CONVOLUTION.SerializeToString()), np.random.default_rng(place)
    for _ in range(60):
        damaged = data.copy()
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(len(data))] = rng.integers(256)
        try:
            import_onnx(bytes(damaged[: len(data) if rng.random() < 0.7 else rng.integers(len(data))]))
        except InputError as error:
            sentences.append(str(error))
    assert sentences
    assert "\n" not in "".join(sentences)

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from mho.compiler import import_onnx
from tests.compiler.importer.onnx_models import Array, build, node, random_perceptron, reference

RNG = np.random.default_rng(1)


def floats(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.fixture(autouse=True)
def numbers_of_its_own() -> None:
    """What a test draws does not depend on those before it."""
    RNG.bit_generator.state = np.random.default_rng(2).bit_generator.state


W64, W46, B4, V24, B2 = floats(6, 4), floats(4, 6), floats(4), floats(2, 4), floats(2)
SCALE6, MEAN6 = np.abs(floats(6)) + 0.5, floats(6)
BN4 = {"s": floats(4), "o": floats(4), "m": floats(4), "v": np.abs(floats(4)) + 0.1}
SHAPE_NODES = [
    node("Shape", "x", "s"),
    node("Constant", "", "zero", value_int=0),
    node("Gather", "s zero", "n0", axis=0),
    node("Constant", "", "axes", value_ints=[0]),
    node("Unsqueeze", "n0 axes", "n1"),
    node("Constant", "", "six", value_ints=[6]),
    node("Concat", "n1 six", "target", axis=0),
    node("Reshape", "x target", "f"),
]

GRAPHS = {
    "gemm": ([node("Gemm", "x w b", "y")], {"w": W64, "b": B4}, {}),
    "gemm transposed": ([node("Gemm", "x w b", "y", transB=1, alpha=0.5, beta=2.0)], {"w": W46, "b": B4}, {}),
    "gemm without bias": ([node("Gemm", "x w", "y")], {"w": W64}, {}),
    "gemm scalar bias": ([node("Gemm", "x w b", "y")], {"w": W64, "b": floats(1)}, {}),
    "matmul add": ([node("MatMul", "x w", "m"), node("Add", "m b", "y")], {"w": W64, "b": B4}, {}),
    "bias first": ([node("MatMul", "x w", "m"), node("Add", "b m", "y")], {"w": W64, "b": B4.reshape(1, 4)}, {}),
    "matmul vector": ([node("MatMul", "x w", "y")], {"w": floats(6)}, {"output": ("batch",)}),
    "weights on the left": (
        [node("MatMul", "w x", "m"), node("Squeeze", "m axes", "y")],
        {"w": W46, "axes": np.array([2])},
        {"shape": ("batch", 6, 1)},
    ),
    "gemm of the transposed": (
        [node("Gemm", "w x", "t", transB=1), node("Add", "t b", "u"), node("Transpose", "u", "y")],
        {"w": W46, "b": B4.reshape(4, 1)},
        {},
    ),
    "matmul of the transposed": (
        [node("Transpose", "x", "t"), node("MatMul", "w t", "u"), node("Transpose", "u", "y", perm=[1, 0])],
        {"w": W46},
        {},
    ),
    "standardised": (
        [node("Sub", "x m", "a"), node("Div", "a s", "b"), node("Gemm", "b w c", "y")],
        {"m": MEAN6, "s": SCALE6, "w": W64, "c": B4},
        {},
    ),
    "constant minus value": (
        [node("Sub", "m x", "a"), node("Mul", "s a", "b"), node("Neg", "b", "c"), node("MatMul", "c w", "y")],
        {"m": MEAN6, "s": SCALE6, "w": W64},
        {},
    ),
    "affine output": (
        [node("MatMul", "x w", "a"), node("Relu", "a", "r"), node("Mul", "r s", "b"), node("Add", "b o", "y")],
        {"w": W64, "s": floats(4), "o": floats(1)},
        {},
    ),
    "two layers": (
        [node("Gemm", "x w b", "a"), node("Relu", "a", "r"), node("Gemm", "r v c", "y", transB=1)],
        {"w": W64, "b": B4, "v": V24, "c": B2},
        {"output": ("batch", 2)},
    ),
    "linear layers": (
        [node("Gemm", "x w b", "a"), node("Gemm", "a v c", "y", transB=1)],
        {"w": W64, "b": B4, "v": V24, "c": B2},
        {"output": ("batch", 2)},
    ),
    "batch normalisation before": (
        [node("BatchNormalization", "x s o m v", "a"), node("MatMul", "a w", "y")],
        {"s": floats(6), "o": floats(6), "m": MEAN6, "v": SCALE6, "w": W64},
        {},
    ),
    "batch normalisation between": (
        [
            node("MatMul", "x w", "a"),
            node("BatchNormalization", "a s o m v", "b", epsilon=1e-3),
            node("Relu", "b", "r"),
            node("BatchNormalization", "r s o m v", "c"),
            node("MatMul", "c u", "y"),
        ],
        {"w": W64, "u": floats(4, 2), **BN4},
        {"output": ("batch", 2)},
    ),
    "relu of the input": (
        [node("Add", "x m", "a"), node("Relu", "a", "r"), node("Relu", "r", "q"), node("MatMul", "q w", "y")],
        {"m": MEAN6, "w": W64},
        {},
    ),
    "images flattened": (
        [node("Flatten", "x", "f"), node("MatMul", "f w", "y")],
        {"w": W64},
        {"shape": ("batch", 1, 2, 3)},
    ),
    "normalised per channel": (
        [node("BatchNormalization", "x s o m v", "b"), node("Flatten", "b", "f"), node("MatMul", "f w", "y")],
        {"s": floats(2), "o": floats(2), "m": floats(2), "v": np.abs(floats(2)) + 0.1, "w": W64},
        {"shape": ("batch", 2, 3)},
    ),
    "reshape with -1": (
        [node("Reshape", "x t", "f"), node("MatMul", "f w", "y")],
        {"t": np.array([-1, 6]), "w": W64},
        {"shape": ("batch", 2, 3)},
    ),
    "reshape with 0": (
        [node("Reshape", "x t", "f"), node("MatMul", "f w", "y")],
        {"t": np.array([0, -1]), "w": W64},
        {"shape": ("batch", 2, 3)},
    ),
    "reshape to a fixed batch": (
        [node("Reshape", "x t", "f"), node("MatMul", "f w", "y")],
        {"t": np.array([5, 6]), "w": W64},
        {"shape": (5, 2, 3), "output": (5, 4)},
    ),
    "reshape to a computed shape": ([*SHAPE_NODES, node("MatMul", "f w", "y")], {"w": W64}, {"shape": ("batch", 2, 3)}),
    "squeezed": (
        [node("Squeeze", "x a", "s"), node("MatMul", "s w", "m"), node("Unsqueeze", "m b", "y")],
        {"a": np.array([1]), "w": W64, "b": np.array([1, 3])},
        {"shape": ("batch", 1, 6), "output": ("batch", 1, 4, 1)},
    ),
    "constant folding": (
        [
            node("Constant", "", "c", value=numpy_helper.from_array(W64.reshape(2, 12))),
            node("Reshape", "c t", "d"),
            node("Identity", "d", "e"),
            node("Transpose", "e", "w"),
            node("Cast", "bias", "b", to=TensorProto.FLOAT),
            node("Gemm", "x w b", "y"),
        ],
        {"t": np.array([4, 6]), "bias": np.array([1, 2, 3, 4])},
        {},
    ),
    "dropout, cast and identity": (
        [
            node("Cast", "x", "a", to=TensorProto.FLOAT),
            node("Dropout", "a", "b mask"),
            node("Identity", "b", "c"),
            node("MatMul", "c w", "y"),
        ],
        {"w": W64},
        {},
    ),
    "softmax": ([node("MatMul", "x w", "m"), node("Softmax", "m", "y")], {"w": W64}, {}),
    "log softmax": ([node("MatMul", "x w", "m"), node("LogSoftmax", "m", "y", axis=1)], {"w": W64}, {}),
    "sigmoid": ([node("MatMul", "x w", "m"), node("Sigmoid", "m", "y")], {"w": W64}, {}),
    "softmax of a shape": (
        [node("MatMul", "x w", "m"), node("Reshape", "m t", "r"), node("Softmax", "r", "y", axis=1)],
        {"w": W64, "t": np.array([-1, 2, 2])},
        {"output": ("batch", 2, 2)},
    ),
    "argmax": (
        [node("MatMul", "x w", "m"), node("ArgMax", "m", "y", axis=1, keepdims=0)],
        {"w": W64},
        {"output": ("batch",), "elem_type": TensorProto.INT64},
    ),
    "argmax of softmax": (
        [node("MatMul", "x w", "m"), node("Softmax", "m", "s"), node("ArgMax", "s", "y", axis=-1)],
        {"w": W64},
        {"output": ("batch", 1), "elem_type": TensorProto.INT64},
    ),
    "last argmax": (
        [node("MatMul", "x w", "m"), node("Relu", "m", "r"), node("ArgMax", "r", "y", axis=1, select_last_index=1)],
        {"w": W64},
        {"output": ("batch", 1), "elem_type": TensorProto.INT64},
    ),
    "double weights": (
        [node("Cast", "w", "v", to=TensorProto.FLOAT), node("MatMul", "x v", "y")],
        {"w": W64.astype(np.float64)},
        {},
    ),
}


def check(model: onnx.ModelProto, shape: tuple[int, ...]) -> None:
    x = (3.0 * np.random.default_rng(2).normal(size=shape)).astype(np.float32)
    expected, got = reference(model, x), import_onnx(model).compute(x)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", GRAPHS)
def test_equals_onnxruntime(name: str) -> None:
    nodes, weights, options = GRAPHS[name]
    model = build(nodes, weights, **options)
    check(model, (5, *[int(d) for d in options.get("shape", (0, 6))[1:]]))


@pytest.mark.parametrize("opset", [8, 9, 11, 12, 13, 15, 18, 21])
@pytest.mark.parametrize("inputs_too", [False, True])
def test_opsets_and_initializers_as_inputs(opset: int, inputs_too: bool) -> None:
    nodes = [
        node("Flatten", "x", "f"),
        node("Gemm", "f w b", "g"),
        node("Relu", "g", "r"),
        node("BatchNormalization", "r s o m v", "n"),
        node("MatMul", "n u", "m2"),
        node("Softmax", "m2", "y"),
    ]
    weights = {"w": W64, "b": B4, "u": floats(4, 4), **BN4}
    check(build(nodes, weights, shape=("batch", 2, 3), opset=opset, inputs_too=inputs_too), (7, 2, 3))


def test_softmax_before_opset_13_runs_over_all_dimensions_from_its_axis() -> None:
    nodes = [node("MatMul", "x w", "m"), node("Reshape", "m t", "r"), node("Softmax", "r", "y")]
    model = build(nodes, {"w": W64, "t": np.array([-1, 2, 2])}, output=("batch", 2, 2), opset=11)
    check(model, (3, 6))


def test_squeeze_and_unsqueeze_axes_as_attributes() -> None:
    nodes = [node("Squeeze", "x", "s", axes=[1]), node("MatMul", "s w", "m"), node("Unsqueeze", "m", "y", axes=[2])]
    check(build(nodes, {"w": W64}, shape=("batch", 1, 6), output=("batch", 4, 1), opset=11), (3, 1, 6))


@pytest.mark.slow
@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    seed=st.integers(0, 1000),
    final=st.sampled_from([None, "Softmax", "Relu"]),
)
def test_random_perceptrons(sizes: list[int], seed: int, final: str | None) -> None:
    check(random_perceptron(sizes, seed, final=final), (3, sizes[0]))


def test_everything_between_two_non_linearities_is_one_layer() -> None:
    nodes, weights, options = GRAPHS["batch normalisation between"]
    network = import_onnx(build(nodes, weights, **options))
    assert [(layer.inputs, layer.outputs, layer.relu) for layer in network.layers] == [(6, 4, True), (4, 2, False)]
    assert network.is_classifier is False


def test_float16_model() -> None:
    w, x = W64.astype(np.float16), np.ones((2, 6), dtype=np.float32)
    nodes = [
        node("Cast", "x", "h", to=TensorProto.FLOAT16),
        node("MatMul", "h w", "m"),
        node("Cast", "m", "y", to=TensorProto.FLOAT),
    ]
    network = import_onnx(build(nodes, {"w": w}))
    np.testing.assert_allclose(network.compute(x), x @ w.astype(np.float64), rtol=1e-3)


def test_output_is_chosen_by_name() -> None:
    model = build([node("MatMul", "x w", "m"), node("Softmax", "m", "y")], {"w": W64})
    model.graph.output.append(helper.make_tensor_value_info("m", TensorProto.FLOAT, ["batch", 4]))
    x = np.ones((2, 6), dtype=np.float32)
    np.testing.assert_allclose(import_onnx(model, output="m").compute(x), x @ W64, rtol=1e-5)
    assert import_onnx(model, output="y").is_classifier


def test_path_bytes_and_external_weights(tmp_path) -> None:
    model = build(*GRAPHS["gemm"][:2])
    x = np.ones((2, 6), dtype=np.float32)
    expected = import_onnx(model).compute(x)
    assert np.array_equal(import_onnx(model.SerializeToString()).compute(x), expected)
    path = tmp_path / "net.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="net.bin", size_threshold=0)
    assert np.array_equal(import_onnx(path).compute(x), expected)


def test_an_output_needs_no_shape() -> None:
    model = build([node("Gemm", "x w b", "y")], {"w": W64, "b": B4})
    model.graph.output[0].type.tensor_type.ClearField("shape")
    x = floats(5, 6)
    assert np.allclose(import_onnx(model).compute(x), reference(model, x), atol=1e-5)
    assert not model.graph.output[0].type.tensor_type.HasField("shape")

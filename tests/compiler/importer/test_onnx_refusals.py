"""What is refused, with the sentence that the user reads."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mho.compiler import import_onnx
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import Array, build, node

W64 = np.ones((6, 4), dtype=np.float32)


def refusal(model: object) -> str:
    with pytest.raises(InputError) as caught:
        import_onnx(model)  # type: ignore[arg-type]
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("nodes", "weights", "sentence"),
    [
        (
            [node("MatMul", "x w", "m"), node("Bernoulli", "m", "r"), node("Bernoulli", "r", "y")],
            {"w": W64},
            "nodes 'n_r' (Bernoulli), 'n_y' (Bernoulli): not supported; mho compile --operators lists what is",
        ),
        ([node("MatMul", "x x", "y")], {}, "node 'n_y' (MatMul): it does not fit values of shapes [1, 6], [1, 6]"),
        ([node("MatMul", "x w", "m"), node("Div", "m c", "y")], {"w": W64, "c": np.zeros(4, "f4")}, "divides by zero"),
        ([node("MatMul", "x w", "y")], {"w": np.ones((5, 4), "f4")}, "it does not fit values of shapes [1, 6], [5, 4]"),
        ([node("MatMul", "x w", "y")], {"w": np.full((6, 4), np.nan, "f4")}, "its weights are NaN or infinite"),
        ([node("MatMul", "x w", "y")], {"w": np.ones((6, 0), "f4")}, "are empty"),
        ([node("Relu", "w", "y")], {"w": W64}, "does not depend on the input"),
        ([node("Identity", "x", "y")], {}, "has no layer with weights"),
        ([node("Reshape", "x t", "y")], {"t": np.array([6, -1])}, "works along the batch dimension, or mixes it"),
        ([node("Reshape", "x t", "y")], {"t": np.array([2, 3])}, "with a batch: it mixes the batch dimension"),
        ([node("Transpose", "x", "t"), node("MatMul", "t w", "y")], {"w": W64}, "[6, 1], [6, 4]"),
        (
            [node("MatMul", "x w", "m"), node("ArgMax", "m", "y", axis=0)],
            {"w": W64},
            "along the batch dimension",
        ),
    ],
)
def test_graph(nodes: list[onnx.NodeProto], weights: dict[str, Array], sentence: str) -> None:
    model = build(nodes, weights)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    assert sentence in refusal(model)


def test_batch_mixed_with_features() -> None:
    nodes = [node("Flatten", "x", "f", axis=2), node("MatMul", "f w", "y")]
    assert "(Flatten): it works along the batch" in refusal(
        build(nodes, {"w": np.ones((3, 4), "f4")}, shape=("batch", 2, 3))
    )


def test_an_output_that_there_is_not() -> None:
    model = build([node("MatMul", "x w", "m"), node("Softmax", "m", "y")], {"w": W64})
    model.graph.output.append(helper.make_tensor_value_info("m", TensorProto.FLOAT, ["batch", 4]))
    with pytest.raises(InputError, match="has no output 'z'; it has y, m"):
        import_onnx(model, output="z")


@pytest.mark.parametrize("shape", [("batch", "features"), ()])
def test_input_shape(shape: tuple[object, ...]) -> None:
    assert "a batch dimension followed by fixed dimensions" in refusal(
        build([node("MatMul", "x w", "y")], {"w": W64}, shape=shape)
    )


@pytest.mark.parametrize("opset", [5, onnx.defs.onnx_opset_version() + 1])
def test_opset(opset: int) -> None:
    assert f"opset {opset} is not supported" in refusal(build([node("MatMul", "x w", "y")], {"w": W64}, opset=opset))


def test_output_that_ignores_the_input() -> None:
    assert "does not depend on the input" in refusal(build([node("Identity", "w", "y")], {"w": W64}, output=(6, 4)))


@pytest.mark.parametrize("data", [b"", b"no model", b"\x00" * 64, b"\x08\x08garbage" * 9])
def test_garbage(tmp_path, data: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    assert refusal(path).startswith(f"{path}: is no")


def test_missing_file(tmp_path) -> None:
    assert "cannot be read as an ONNX model (No such file" in refusal(tmp_path / "absent.onnx")


def test_folder(tmp_path) -> None:
    assert "cannot be read as an ONNX model" in refusal(tmp_path)


def test_empty_graph() -> None:
    assert "is no" in refusal(onnx.ModelProto(ir_version=8))


def test_truncated(tmp_path) -> None:
    data = build([node("MatMul", "x w", "y")], {"w": W64}).SerializeToString()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: len(data) // 2])
    assert str(path) in refusal(path)


@pytest.mark.parametrize("where", ["initializer", "constant"])
def test_external_weights_that_are_absent(tmp_path, where: str) -> None:
    model = build([node("MatMul", "x w", "y")], {"w": W64})
    path = tmp_path / "net.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="net.bin", size_threshold=0)
    (tmp_path / "net.bin").unlink()
    if where == "constant":
        model = onnx.load(str(path), load_external_data=False)
        tensor = model.graph.initializer.pop()
        model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=tensor))
        path.write_bytes(model.SerializeToString())
    assert "weights 'w' are in the file 'net.bin', which is not beside the model" in refusal(path)

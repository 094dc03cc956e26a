"""A small trained classifier that fits a 16-line core, with its data, for the tests of runs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mho.cli import run


@dataclass(frozen=True)
class Tiny:
    """Paths of the files, and their arrays."""

    folder: Path
    x: NDArray[np.float32]
    y: NDArray[np.int64]

    def path(self, name: str) -> str:
        return str(self.folder / name)


def layer_model(nodes: list[onnx.NodeProto], weights: dict[str, NDArray[np.float32]], outputs: int) -> bytes:
    """An ONNX model with input ``x`` of six numbers and output ``y``."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Six numbers to three classes: nearest of three centres, as a linear layer behind a ReLU layer."""
    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(7)
    centres = np.array([[3, 0, 0, 1, -1, 0], [0, 3, 0, -1, 0, 1], [0, 0, 3, 0, 1, -1]], dtype=np.float32)
    y = rng.integers(0, 3, 90)
    x = (centres[y] + rng.normal(size=(90, 6))).astype(np.float32)
    first = np.concatenate([centres, -centres]).T.astype(np.float32)
    second = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="hidden"),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "w2"], ["y"], name="scores"),
    ]
    model = layer_model(nodes, {"w1": first, "b1": np.zeros(6, np.float32), "w2": second}, 3)
    (folder / "tiny.onnx").write_bytes(model)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    np.savez(folder / "data.npz", x=x, y=y)
    command = ["compile", str(folder / "tiny.onnx"), "--chip", "tnsa16-core", "--calibrate", str(folder / "x.npy")]
    assert run([*command, "-o", str(folder / "tiny.mho"), "-q"]) == 0
    return Tiny(folder, x, y)

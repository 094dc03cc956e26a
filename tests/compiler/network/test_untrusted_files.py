"""Network files of strangers: nothing of them is carried out when they are read, and memory has an end."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mho.compiler import CompileOptions, Network, compile_model
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.model.operators.hostile import hostile
from tests.compiler.network.sealed_archives import Members, members_of, npy, seal

OPTIONS = CompileOptions(seeds=1, samples=16)


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Members:
    """A network with work of the host on the way and at its end."""
    rng = np.random.default_rng(0)
    nodes = [node("MatMul", "x a", "h"), node("Mul", "h h", "s"), node("MatMul", "s b", "g"), node("Sin", "g", "y")]
    weights = {"a": rng.normal(size=(6, 4)).astype("f4"), "b": rng.normal(size=(4, 4)).astype("f4")}
    x = rng.normal(size=(16, 6)).astype(np.float32)
    path = tmp_path_factory.mktemp("net") / "net.mho"
    compile_model(build(nodes, weights), load_chip("tnsa16-core"), calibrate=x, options=OPTIONS).save(path)
    return members_of(path)


def changed(members: Members, path: Path, change: Any) -> Path:
    index = json.loads(members["network.json"])
    files = dict(members)
    change(index, files)
    seal(path, files | {"network.json": json.dumps(index, sort_keys=True, indent=1).encode()})
    return path


@pytest.mark.slow
def test_nothing_is_carried_out_when_a_file_is_read(
    members: Members, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(tmp_path / "net.mho", members)

    def never(*args: object, **options: object) -> None:
        raise AssertionError("an operator was carried out")

    with monkeypatch.context() as patch:
        patch.setattr("mho.compiler.model.evaluated.run_node", never)
        network = Network.load(tmp_path / "net.mho")
    assert any(op.kind == "onnx" for op in network.model.outputs[0].host)
    execute(network, FunctionalBackend(), np.ones((2, 6), np.float32))


@pytest.mark.slow
def test_work_without_end_is_refused_when_it_is_run(members: Members, tmp_path: Path) -> None:
    model = hostile("work of Einsum")
    del model.graph.node[0]
    model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("x", onnx.TensorProto.DOUBLE, [1, 4]))
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("y", onnx.TensorProto.DOUBLE, [1, 4]))

    def change(index: Any, files: Members) -> None:
        (op,) = (op for op in index["model"]["host"] if op["kind"] == "onnx")
        op["parameters"]["model"] = base64.b64encode(model.SerializeToString()).decode()

    network = Network.load(changed(members, tmp_path / "net.mho", change))
    with pytest.raises(InputError, match=r"work of the host, node 'Einsum'.* of the 5 s"):
        execute(network, FunctionalBackend(), np.ones((2, 6), np.float32))


@pytest.mark.slow
def test_values_that_double_are_refused(members: Members, tmp_path: Path) -> None:
    """Steps that take one value twice, each twice as large as the one before."""
    def change(index: Any, files: Members) -> None:
        steps, last = index["model"]["steps"], len(index["model"]["steps"])
        for k in range(last, last + 40):
            steps.append({"kind": "Map", "inputs": [k, k], "function": "clip", "size": 4 << (k - last + 1),
                          "low": "-inf", "high": "inf"})

    with pytest.raises(InputError, match=r"step\d+: elements of .* must be a whole number from 1 to"):
        Network.load(changed(members, tmp_path / "net.mho", change))


@pytest.mark.slow
def test_an_output_of_many_elements_is_no_square_of_them(members: Members, tmp_path: Path) -> None:
    size = 1 << 20

    def change(index: Any, files: Members) -> None:
        steps = index["model"]["steps"]
        steps.append({"kind": "Gather", "inputs": [len(steps)], "fill": "0.0"})
        for name in ("index", "like"):
            files[f"step{len(steps) - 1}.{name}.npy"] = npy(np.zeros(size, np.int32))
        index["model"]["host"] = [{"kind": "look_up", "parameters": {"table": [1.0]}}]

    with pytest.raises(InputError):
        Network.load(changed(members, tmp_path / "net.mho", change))


def test_what_arrays_hold_together_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.compiler.network.file.archive.NETWORK.__class__.check", _small)
    members = {"network.json": b"{}"} | {f"a{k}.npy": npy(np.zeros(1000)) for k in range(100)}
    seal(tmp_path / "net.mho", members)
    with pytest.raises(InputError, match="may have"):
        Network.load(tmp_path / "net.mho")


def _small(self: Any, path: Path, size: int) -> None:
    if size > 100_000:
        raise InputError(f"{path}: holds {size} bytes; it may have 100000")

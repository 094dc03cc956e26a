"""Models that would take the memory or the time of a machine are refused before anything of that is done.

That no operator makes more than its rule says is checked whenever one runs: the models of all operators in
``tests/compiler/importer`` would fail.
"""

import resource
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.model.evaluated import Evaluated
from mho.compiler.model.operators.bounds import TooLarge, budget, spend
from mho.compiler.model.operators.rules import BOUNDS
from mho.compiler.model.operators.rules_ml import BOUNDS_ML
from mho.macro_models.errors import InputError
from tests.compiler.model.operators.hostile import HOSTILE, calls, hostile

REASON = "makes too much|needs some|below itself|one below the other|at most 16777216 elements"


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "loops within loops"])
def test_what_is_too_much_is_refused_when_a_model_is_read(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=REASON):
        import_onnx(hostile(name))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "loops within loops"])
def test_and_when_the_host_does_it(name: str) -> None:
    """The same nodes as a step of a network file, which nobody has looked at before."""
    whole = hostile(name).graph
    values = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, [1, 4]) for n in "xy"]
    graph = helper.make_graph(list(whole.node)[1:], "step", values[:1], values[1:], list(whole.initializer))
    step = Evaluated.of(helper.make_model(graph, opset_imports=hostile(name).opset_import, ir_version=9))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=f"work of the host, node .*({REASON})"):
        step.compute(np.ones((2, 4)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000_000


def test_loops_and_functions_are_written_out_as_far_as_a_model_may_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.compiler.importer.reading.probe.WRITTEN", 1e9)
    with pytest.raises(InputError, match="for the operators of a model"):
        import_onnx(hostile("loops within loops"))
    with pytest.raises(InputError, match="has more than 65536 nodes once its functions are written out"):
        import_onnx(calls(40))
    with pytest.raises(InputError, match="its function 'F0' calls itself"):
        import_onnx(calls(1, itself=True))
    assert import_onnx(calls(5)).layers


def test_an_operator_without_a_rule_does_not_run() -> None:
    assert not {"Loop", "If", "Scan", "RandomNormal", "NonMaxSuppression", "SequenceMap"} & {*BOUNDS, *BOUNDS_ML}
    node = helper.make_node("Bernoulli", ["x"], ["y"])
    values = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, [1, 4]) for n in "xy"]
    step = Evaluated.of(helper.make_model(helper.make_graph([node], "step", values[:1], values[1:])))
    with pytest.raises(ValueError, match="'Bernoulli' is none that the host does"):
        step.compute(np.zeros((1, 4)))


def test_work_counts_for_all_budgets_around() -> None:
    with budget(10.0):
        with budget(6.0):
            spend(5.0)
            with pytest.raises(TooLarge):
                spend(2.0)
        spend(5.0)
        with budget(100.0), pytest.raises(TooLarge, match="left"):
            spend(1.0)


# Weights in other files ---------------------------------------------------------------------------------------------


def _outside(name: str, **where: object) -> onnx.TensorProto:
    """Weights that are said to be in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    for key, value in where.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _model(tensor: onnx.TensorProto, place: str) -> onnx.ModelProto:
    """The weights as an initialiser, in a node, in a list of a node, or in a graph inside of a node."""
    nodes, constants = [helper.make_node("MatMul", ["x", "w"], ["y"])], [tensor] if place == "initialiser" else []
    if place == "node":
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=tensor))
    elif place == "list":
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(np.eye(4, dtype="f4"))))
        nodes[0].attribute.add(name="more", type=onnx.AttributeProto.TENSORS).tensors.append(tensor)
    elif place == "branch":
        outputs = [helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 4])]
        branch = helper.make_graph([], "branch", [], outputs, [tensor])
        go = helper.make_node("Constant", [], ["go"], value=numpy_helper.from_array(np.array(True)))
        nodes[:0] = [go, helper.make_node("If", ["go"], ["w"], then_branch=branch, else_branch=branch)]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy"]
    graph = helper.make_graph(nodes, "outside", values[:1], values[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


PLACES = ["initialiser", "node", "list", "branch"]


@pytest.mark.parametrize("place", PLACES)
def test_a_step_of_a_network_file_reads_no_file(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret").write_bytes(np.eye(4, dtype=np.float32).tobytes())
    step = Evaluated.of(_model(_outside("w", location="secret"), place))
    with pytest.raises(ValueError, match="its weights are in other files"):
        _ = step.proto


@pytest.mark.parametrize("place", PLACES)
def test_weights_beside_a_model_are_read_from_its_folder_alone(place: str, tmp_path: Path) -> None:
    folder, weights = tmp_path / "model", np.arange(16, dtype=np.float32).reshape(4, 4)
    (folder / "below").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(weights.tobytes())
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "below" / "weights").write_bytes(b"1234" + weights.tobytes())

    def read(**where: object) -> None:
        path = folder / "model.onnx"
        path.write_bytes(_model(_outside("w", **where), place).SerializeToString())
        network = import_onnx(path)
        if place in ("initialiser", "node"):
            assert np.array_equal(network.layers[0].weight, weights.T)

    for name in ("../secret", str(tmp_path / "secret"), "link", "missing", "below"):
        with pytest.raises(InputError, match="which is not beside the model"):
            read(location=name)
    for where in ({"length": 1 << 40}, {"offset": 1 << 40}, {"offset": -4}, {"length": "much"}, {"offset": 8}):
        with pytest.raises(InputError, match=r"weights 'w'.* cannot be"):
            read(location="below/weights", **where)
    if place != "list":
        read(location="below/weights", offset=4, length=64)

"""Functions of the input that lanes are too coarse for: done by the host before the input is quantised."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mho.compiler import CompileOptions, Network, compile_model, summarise
from mho.compiler.calibration.assembly import entry
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, node, reference
from tests.compiler.importer.test_onnx_operators import given
from tests.compiler.network.sealed_archives import members_of, seal
from tests.sim.outputs import quantised_outputs

CHIP = load_chip("tnsa16-core")
OPTIONS = CompileOptions(seeds=1)
W = np.random.default_rng(0).normal(size=(6, 3)).astype("f4")


def binned(*, besides: bool = False) -> onnx.ModelProto:
    """1 where an input is not below its edge, on which many of them lie; ``besides``, a layer takes the inputs, too."""
    nodes = [node("GreaterOrEqual", "x edge", "g"), node("Cast", "g", "c", to=1), node("Gemm", "c w", "a")]
    nodes += [node("Gemm", "x w", "b"), node("Add", "a b", "y")] if besides else [node("Identity", "a", "y")]
    return given(nodes, {"edge": np.array([3, 5, 7, 9, 11, 2], "f4") / 10, "w": W}, output=("n", 3))


def inputs(images: int = 60) -> Array:
    """Multiples of a tenth, as a ruler gives them."""
    return (np.random.default_rng(1).integers(0, 15, (images, 6)) / 10).astype("f4")


@pytest.mark.slow
@pytest.mark.parametrize("besides", [False, True])
def test_an_input_on_the_edge_falls_on_its_side(
    besides: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x = binned(besides=besides), inputs()
    expected, errors = reference(model, x), []
    for limit in (np.inf, entry.MOST_UNFAITHFUL):
        monkeypatch.setattr(entry, "MOST_UNFAITHFUL", limit)
        network = compile_model(model, CHIP, calibrate=x[:40], options=OPTIONS, device="ideal")
        got = quantised_outputs(network, FunctionalBackend(), x).outputs
        errors.append(np.sqrt(((got - expected) ** 2).mean()) / expected.std())
    assert errors[1] < 0.06
    assert errors[1] < errors[0] / 3
    summary = summarise(network)
    (operators,) = summary["host"]
    assert operators.startswith("GreaterOrEqual")
    assert summary["plan"]["host"][0]["operators"] == f"{operators} to codes"
    assert summary["plan"]["host"][0]["to_chip"] == (12 if besides else 6)
    network.save(tmp_path / "net.mho")
    again = Network.load(tmp_path / "net.mho")
    assert np.array_equal(quantised_outputs(again, FunctionalBackend(), x).outputs, got)


@pytest.mark.slow
def test_what_is_far_from_zero_takes_codes_around_it() -> None:
    """Features of measurements that hardly move, chosen by the host: their codes are as those of inputs."""
    nodes = [
        node("ArrayFeatureExtractor", "x some", "f", domain="ai.onnx.ml"), node("GreaterOrEqual", "x edge", "g"),
        node("Cast", "g", "c", to=1), node("Concat", "f c", "j", axis=1), node("Gemm", "j v", "y"),
    ]
    v = np.random.default_rng(0).normal(size=(8, 3)).astype("f4")
    edge = np.array([3, 5, 7, 9, 11, 2], "f4") / 10
    model = given(nodes, {"some": np.array([0, 3]), "edge": edge, "v": v}, output=("n", 3))
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 3))
    x = inputs()
    x[:, [0, 3]] += [20, 300]
    network = compile_model(model, CHIP, calibrate=x[:40], options=OPTIONS, device="ideal")
    assert network.program.input.before is not None
    got, expected = quantised_outputs(network, FunctionalBackend(), x).outputs, reference(model, x)
    assert np.sqrt(((got - expected) ** 2).mean()) < 0.1 * expected.std(axis=0).mean()
    assert network.calibration.clipped[0] < 0.02


def test_a_smooth_function_stays_a_table() -> None:
    model = given([node("Exp", "x", "e"), node("Gemm", "e w", "y")], {"w": W}, output=("n", 3))
    network = compile_model(model, CHIP, calibrate=inputs(), options=OPTIONS, device="ideal")
    assert network.program.input.before is None
    assert summarise(network)["host"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "said"),
    [
        ({"steps": [1], "values": [2]}, "step 1 cannot be done before the layers"),
        ({"steps": [0, 1], "values": [2]}, "step 1 is a layer"),
        ({"steps": [0], "values": [2]}, "values [2] are not all made before the layers"),
        ({"steps": [7], "values": [1]}, "step 7 cannot be done before the layers"),
    ],
)
def test_files_that_do_other_steps_before_are_refused(before: dict[str, Any], said: str, tmp_path: Path) -> None:
    compile_model(binned(), CHIP, calibrate=inputs(), options=OPTIONS, device="ideal").save(tmp_path / "net.mho")
    members = members_of(tmp_path / "net.mho")
    content = json.loads(members["network.json"])
    assert content["input"]["before"] == {"steps": [0], "values": [1]}
    content["input"]["before"] = before
    seal(tmp_path / "bad.mho", members | {"network.json": json.dumps(content).encode()})
    with pytest.raises(InputError) as error:
        Network.load(tmp_path / "bad.mho")
    assert said in str(error.value)
    assert len(str(error.value)) <= 200 + len(str(tmp_path))

"""A second kind is an addition of files: those beside this one, put where files of kinds are looked for."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mho.cli import run
from mho.compiler.network import Network
from mho.compiler.options import CompileOptions
from mho.compiler.passes import compile_model
from mho.hw import kinds as hw_kinds
from mho.hw.chip.tops import build_top
from mho.hw.config import chip_from_dict, describe, load_chip, sizes
from mho.hw.config import kinds as config_kinds
from mho.macro_models import kinds as macro_models_kinds
from mho.macro_models.errors import InputError
from mho.macro_models.kinds import model_from_state, pin_level_macro
from mho.sim.build.simulators import verilator_build
from mho.sim.executor import build_cores, execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node
from tests.hw.config.chip_page import json_schema, reference_page
from tests.sim.outputs import float_outputs

HERE = Path(__file__).parent
ROOMS = {"macro_models": macro_models_kinds, "config": config_kinds, "hw": hw_kinds}
CHIP = 'schema = 1\nname = "own"\n[core]\nkind = "quad"\nlines = 64\n[ramp]\nbits = 7\n'


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for folder, room in ROOMS.items():
        monkeypatch.setattr(room, "__path__", [*room.__path__, str(HERE / folder)])
    yield
    for room in ROOMS.values():
        sys.modules.pop(f"{room.__name__}.quad", None)
        vars(room).pop("quad", None)


@pytest.fixture
def chip_path(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(CHIP)
    return path


@pytest.fixture(scope="module")
def model() -> bytes:
    rng = np.random.default_rng(3)
    weights = {
        "w0": rng.standard_normal((6, 12)).astype(np.float32), "b0": rng.standard_normal(12).astype(np.float32),
        "w1": rng.standard_normal((12, 4)).astype(np.float32), "b1": rng.standard_normal(4).astype(np.float32),
    }
    nodes = [node("Gemm", "x w0 b0", "h"), node("Relu", "h", "r"), node("Gemm", "r w1 b1", "y")]
    return build(nodes, weights).SerializeToString()


X = np.random.default_rng(4).standard_normal((64, 6)).astype(np.float32)
ONE_PART = CompileOptions(in_parts=1)


def test_its_keys_are_read_checked_and_documented(chip_path: Path) -> None:
    chip = load_chip(chip_path, {"ramp.cycles": 200})
    assert (type(chip).__name__, chip.lines) == ("QuadChip", 64)
    assert chip_from_dict(chip.to_dict()) == chip
    assert dict(sizes(chip))["lines of a core"] == "64"
    rows = {row.key: row.value for row in describe(chip)}
    assert rows["ramp.cycles"] == "200"
    assert "adc.bits" not in rows
    with pytest.raises(InputError, match=r"unknown key adc\.bits; did you mean ramp\.bits\?|unknown key adc"):
        load_chip(chip_path, {"adc.bits": 3})
    with pytest.raises(InputError, match=r"ramp\.bits must be an integer 2 to 8, not 9"):
        load_chip(chip_path, {"ramp.bits": 9})
    assert "# Kind `quad`" in reference_page()
    assert sum("ramp" in branch["properties"] for branch in json_schema()["anyOf"]) == 1


def test_a_file_cannot_change_the_kind_of_what_it_extends(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('schema = 1\nextends = "tnsa16-core"\n[core]\nkind = "quad"\n')
    with pytest.raises(InputError, match=r'own.toml:4: core.kind must be "tnsa", as in the chip that this one extends'):
        load_chip(tmp_path / "own.toml")


@pytest.mark.slow
def test_a_network_is_compiled_and_runs(chip_path: Path, model: bytes, tmp_path: Path) -> None:
    network = compile_model(model, load_chip(chip_path), calibrate=X, device="ideal", options=ONE_PART)
    mvms = [mvm for layer in network.layers for mvm in layer.mvms]
    assert {type(mvm.op).__name__ for mvm in mvms} == {"MvmOperation"}
    assert all(mvm.op.segments == 1 for mvm in mvms)
    assert network.cores[0].targets_uS.shape == (64, 64)
    outcome = execute(network, FunctionalBackend(), X)
    expected = float_outputs(network, X)
    assert np.sqrt(((outcome.outputs - expected) ** 2).mean()) < 0.05 * expected.std()
    assert outcome.cycles.tolist() == [130 * len(mvms)] * len(X)
    network.save(tmp_path / "own.mho")
    again = Network.load(tmp_path / "own.mho")
    assert np.array_equal(execute(again, FunctionalBackend(), X, batch=7).outputs, outcome.outputs)


@pytest.mark.slow
def test_the_command_needs_nothing_more(chip_path: Path, model: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(model)
    np.save(tmp_path / "x.npy", X)
    steps = (
        f"check {chip_path}",
        f"compile {tmp_path}/m.onnx --chip {chip_path} --calibrate {tmp_path}/x.npy -o {tmp_path}/n.mho",
        f"run {tmp_path}/n.mho --input {tmp_path}/x.npy --budget -o {tmp_path}/y.npy",
    )
    for step in steps:
        assert run(step.split()) == 0, step
    assert np.load(tmp_path / "y.npy").shape == (64, 4)


def test_a_core_goes_through_its_state(chip_path: Path, model: bytes) -> None:
    network = compile_model(model, load_chip(chip_path), calibrate=X, device="ideal")
    (core,) = build_cores(network)
    again = model_from_state(core.state())
    assert type(again) is type(core)
    assert np.array_equal(again.cells, core.cells)


def test_what_it_has_not_is_refused_in_a_sentence(chip_path: Path, model: bytes) -> None:
    chip = load_chip(chip_path)
    network = compile_model(model, chip, calibrate=X, device="ideal")
    with pytest.raises(InputError, match=r"^cores of kind quad have no model at the level of the pins$"):
        pin_level_macro(build_cores(network)[0])
    with pytest.raises(InputError, match=r"^own: cores of kind quad have a model, but no Verilog$"):
        build_top(chip)
    with pytest.raises(InputError, match=r"^own: .*quad"):
        verilator_build(chip)

"""Network files with programs of tiles: what is written is read again, and nothing that does not fit is."""

import json
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.commands.compile.summary_text import tile_lines
from mho.compiler import CompileOptions, Network, compile_for_chip
from mho.compiler.network.report import summarise
from mho.compiler.network.tiles import TileCode
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.network.sealed_archives import members_of, seal

RNG = np.random.default_rng(1)
X = RNG.uniform(-1, 1, size=(16, 8)).astype("f4")
MODEL = build(
    [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r w", "y", transB=1)],
    {"a": (RNG.normal(size=(20, 8)) / 3).astype("f4"), "w": (RNG.normal(size=(4, 20)) / 4).astype("f4")},
    shape=("batch", 8), output=("batch", "b"),
)
OPTIONS = CompileOptions(seeds=1, samples=16)


@pytest.fixture(scope="module")
def network() -> Network:
    return compile_for_chip(MODEL.SerializeToString(), load_chip("tnsa16-2x2"), calibrate=X, options=OPTIONS)


def code_of(network: Network) -> TileCode:
    assert network.tiles is not None
    return network.tiles


@pytest.mark.slow
def test_a_chip_whose_tiles_run_programs_gets_them(network: Network) -> None:
    assert network.schedule == "tiles"
    assert len(code_of(network).programs) > 1
    by_host = load_chip("tnsa16-2x2", {"tile.programs": False})
    scheduled = compile_for_chip(MODEL.SerializeToString(), by_host, calibrate=X, options=OPTIONS)
    assert (scheduled.tiles, scheduled.schedule) == (None, "chip")


def test_programs_and_what_joins_them_come_back(network: Network, tmp_path: Path) -> None:
    network.save(tmp_path / "n.mho")
    again = Network.load(tmp_path / "n.mho")
    assert code_of(again) == code_of(network)
    assert again.sha256 == network.sha256
    again.save(tmp_path / "m.mho")
    assert (tmp_path / "m.mho").read_bytes() == (tmp_path / "n.mho").read_bytes()


def test_other_networks_have_the_format_that_they_had(network: Network, tmp_path: Path) -> None:
    replace(network, tiles=None).save(tmp_path / "n.mho")
    with zipfile.ZipFile(tmp_path / "n.mho") as archive:
        assert json.loads(archive.read("network.json"))["format"] == 2
    assert Network.load(tmp_path / "n.mho").tiles is None


@pytest.mark.parametrize(("change", "sentence"), [
    (lambda code: {"flows": (*code.flows[:-1], replace(code.flows[-1], to=("9,9",)))}, "tiles must be among"),
    (lambda code: {"given": [(*code.given[0][:2], 7)]}, "tiles.given must be remote streams of its tiles"),
    (lambda code: {"inputs": {0: replace(code.inputs[0], channels=9)}}, "tiles must hold value 0 in 8 elements"),
    (lambda code: {"programs": {**code.programs, "2,0": code.programs["0,0"]}}, "tiles.programs must be one of .* not"),
])
def test_what_does_not_fit_is_refused(network: Network, tmp_path: Path, change, sentence: str) -> None:
    code = code_of(network)
    replace(network, tiles=replace(code, **change(code))).save(tmp_path / "n.mho")
    with pytest.raises(InputError, match=sentence) as refused:
        Network.load(tmp_path / "n.mho")
    assert len(str(refused.value).replace(str(tmp_path), "")) <= 200


def test_what_has_no_form_on_tiles_says_what_runs_it() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(8, 2, 4, 4)).astype("f4")
    weights = {"d": rng.normal(size=(80, 2, 1, 1)).astype("f4"), "e": rng.normal(size=(20, 80, 1, 1)).astype("f4")}
    model = build([node("Conv", "x d", "c"), node("Relu", "c", "r"), node("Conv", "r e", "y")], weights,
                  shape=("batch", 2, 4, 4), output=("batch", "a", "b", "c"))
    with pytest.raises(InputError, match=r"must fit beside.*--set tile.programs=false$") as refused:
        compile_for_chip(model.SerializeToString(), load_chip("tnsa16-2x2"), calibrate=x, options=OPTIONS)
    assert len(str(refused.value)) <= 200


def test_what_is_wrong_with_inputs_is_not_said_to_be_of_tiles() -> None:
    with pytest.raises(InputError, match="shape") as refused:
        compile_for_chip(MODEL.SerializeToString(), load_chip("tnsa16-2x2"), calibrate=X[:, :7], options=OPTIONS)
    assert "tile.programs" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("value", [2**64, -1, 10**400, "x", None, [], {}, float("nan"), True])
def test_times_that_could_not_be_told_are_refused(network: Network, tmp_path: Path, value: object) -> None:
    """Of a sealed file each number of the times of tiles replaced: what is read can be printed."""
    network.save(tmp_path / "n.mho")
    members = members_of(tmp_path / "n.mho")
    cycles = json.loads(members["network.json"])["calibration"]["tile_cycles"]
    places = [(cycles, key) for key in cycles] + [(cycles["tiles"][0], key) for key in cycles["tiles"][0]]
    places += [(cycles["tiles"][0]["takes"], key) for key in cycles["tiles"][0]["takes"]]
    for place, key in places:
        before, place[key] = place[key], value
        content = json.loads(members["network.json"])
        content["calibration"]["tile_cycles"] = cycles
        seal(tmp_path / "m.mho", members | {"network.json": json.dumps(content).encode()})
        place[key] = before
        with suppress(InputError):
            told_again = summarise(Network.load(tmp_path / "m.mho"))
            assert told_again["tiles"] is None or tile_lines(told_again)

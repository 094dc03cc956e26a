"""Copies of layers that compute rows in turn: the same lanes on the interpreter of all tiles, in fewer cycles."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.compiler import CompileOptions, Network, passes
from mho.compiler.passes import compile_for_chip, compile_tiles
from mho.compiler.tile import tile_programs
from mho.compiler.tile.cycles import expected_cycles
from mho.compiler.tile.duplicates import Judge, choose
from mho.compiler.tile.lowering.geometry import Image, rows_in_turns, turns_of
from mho.compiler.tile.programs import tile_code
from mho.compiler.tile.refusal import Refusal
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.macro_models.integer.vector import Select, WeightedSum
from mho.sim.account import RunAccount
from mho.sim.executor import build_cores, core_masks
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.tile.network_bench import compare

SIZE = 6


def network(pad: int, stride: int, duplicates: int, rows: int = 3) -> tuple[Network, np.ndarray]:
    """Two convolutions and a dense layer on so many times three tiles."""
    rng = np.random.default_rng(pad)
    side = (SIZE + 2 * pad - 3) // stride + 1
    nodes = [node("Conv", "x a", "c", pads=[pad] * 4, strides=[stride] * 2), node("Relu", "c", "r"),
             node("Conv", "r b", "d", pads=[1] * 4), node("Flatten", "d", "f"), node("Gemm", "f w", "y", transB=1)]
    weights = {"a": rng.normal(size=(3, 1, 3, 3)).astype("f4"), "b": rng.normal(size=(2, 3, 3, 3)).astype("f4") / 5,
               "w": rng.normal(size=(3, 2 * side * side)).astype("f4") / 4}
    x = rng.uniform(-1, 1, size=(8, 1, SIZE, SIZE)).astype("f4")
    chip = load_chip("tnsa64-2x2", {"mesh.columns": 3, "mesh.rows": rows})
    model = build(nodes, weights, shape=("batch", 1, SIZE, SIZE), output=("batch", "b"))
    options = CompileOptions(seeds=1, samples=8, duplicates=duplicates)
    return compile_tiles(model, chip, calibrate=x, options=options), x


@pytest.mark.slow
@pytest.mark.parametrize(("pad", "stride", "duplicates", "names"), [
    (0, 1, 2, ["n_c 1/2", "n_c 2/2", "n_d 1/2", "n_d 2/2"]),
    (1, 2, 3, ["n_c 1/3", "n_c 2/3", "n_c 3/3", "n_d 1/3", "n_d 2/3", "n_d 3/3"]),
])
def test_rows_in_turn_are_the_rows_of_the_layer(pad: int, stride: int, duplicates: int, names: list[str]) -> None:
    """A window that begins below the first row of the image, and one behind another."""
    compiled, x = network(pad, stride, duplicates)
    assert [layer.name for layer in compiled.layers[:-1]] == names
    assert [layer.name for layer in compiled.model.layers] == [layer.name for layer in compiled.layers]
    programs, values, expected = compare(compiled, x[:2], device="rram-neurram")
    assert len(values) == len(expected) - 1
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value])
    if duplicates == 3:
        alone, _ = network(pad, stride, 1)
        cycles = [expected_cycles(replace(net, tiles=tile_code(code)), x)
                  for net, code in ((compiled, programs), (alone, tile_programs(alone)))]
        assert cycles[0].interval < 0.6 * cycles[1].interval


@pytest.mark.slow
def test_copies_work_all_the_time_where_what_feeds_them_has_a_tile() -> None:
    """The input is encoded on a tile of its own, not between two rows of a copy."""
    compiled, x = network(1, 1, 3, rows=4)
    code = tile_programs(compiled)
    layers = [tile for k in code.placed.parts for tile in code.placed.members[k]]
    assert code.placed.members[0][0] not in layers
    cycles = expected_cycles(replace(compiled, tiles=tile_code(code)), x)
    assert cycles.interval < 1.05 * max(cycles.analog.values())


def test_copies_that_gain_nothing_are_not_made() -> None:
    """Where an image takes as long without, or programs find no room."""
    counts: list[int] = []

    def slow(candidate: Network) -> float:
        counts.append(len(candidate.layers))
        return 1e6

    def full(candidate: Network) -> Refusal:
        counts.append(len(candidate.layers))
        return Refusal("there is no room")

    compiled, _ = perceptron(3, judge=slow)
    assert counts == [6, 2]
    assert [layer.name for layer in compiled.layers] == ["n_c", "n_y"]
    assert any(
        "since with more an image would take 1,000,000 cycles" in warning for warning in compiled.calibration.warnings)
    counts.clear()
    compiled, _ = perceptron(3, judge=full)
    assert counts == [6, 4]
    assert len(compiled.layers) == 2
    assert "layers have at most 1 tiles in turn, since with more there is no room" in compiled.calibration.warnings


def test_a_copy_has_fewer_rows_than_without_it() -> None:
    """Six rows for four copies are as many for the first one as for three."""
    compiled, _ = network(1, 1, 4, rows=5)
    assert sorted(layer.positions for layer in compiled.layers[:3]) == [12, 12, 12]
    assert [layer.name for layer in compiled.layers[:3]] == [f"n_c {n}/3" for n in (1, 2, 3)]


def perceptron(duplicates: int, rows: int = 5, judge: Judge | None = None) -> tuple[Network, np.ndarray]:
    """Two dense layers on so many times two tiles."""
    rng = np.random.default_rng(0)
    nodes = [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r w", "y", transB=1)]
    weights = {"a": rng.normal(size=(20, 30)).astype("f4"), "w": rng.normal(size=(4, 20)).astype("f4")}
    x = rng.uniform(-1, 1, size=(16, 30)).astype("f4")
    chip = load_chip("tnsa64-2x2", {"mesh.columns": 2, "mesh.rows": rows})
    model = build(nodes, weights, shape=("batch", 30), output=("batch", 4))
    options = CompileOptions(seeds=1, samples=8, duplicates=duplicates)
    return passes._on_tiles(passes.read_job(model, chip, calibrate=x, options=options), judge), x


def test_layers_of_one_position_are_dealt_images(tmp_path: Path) -> None:
    """Each copy has every so many images, whichever is the first of a run; the last image is of none in particular."""
    alone, x = perceptron(1)
    compiled, _ = perceptron(3)
    assert [layer.name for layer in compiled.layers] == [f"n_{name} {turn}/3" for name in "cy" for turn in (1, 2, 3)]
    assert [layer.name for layer in compiled.model.layers] == [layer.name for layer in compiled.layers]
    np.testing.assert_allclose(compiled.model.compute(x), alone.model.compute(x))
    assert compiled.program.conversions == alone.program.conversions
    for first, images in ((0, 3), (5, 7)):
        programs, values, expected = compare(compiled, x[:images], device="rram-neurram", first=first)
        # What is dealt and what copies give in turn, not the values of copies, which are there in some images alone.
        stages = compiled.program.stages
        assert [type(stages[value - 1].operation) for value in values] == [Select, WeightedSum] * 2
        for value, lanes in values.items():
            np.testing.assert_array_equal(lanes, expected[value])
            for turn in range(3 if isinstance(stages[value - 1].operation, WeightedSum) else 0):
                dealt = (np.arange(first, first + images) - turn) % 3 == 0
                np.testing.assert_array_equal(expected[value - 3 + turn][dealt], lanes[dealt])
                assert not expected[value - 3 + turn][~dealt].any()
    cycles = [expected_cycles(replace(net, tiles=tile_code(tile_programs(net))), x) for net in (compiled, alone)]
    assert cycles[0].interval < 0.5 * cycles[1].interval
    assert cycles[0].interval < 1.05 * max(cycles[0].analog.values())
    assert programs.instructions > 0
    with_tiles = replace(compiled, tiles=tile_code(tile_programs(compiled)))
    with_tiles.save(tmp_path / "n.mho")
    again = Network.load(tmp_path / "n.mho")
    assert [(call.turn, call.turns) for call in again.program.calls] == [(t, 3) for _ in "cy" for t in range(3)]


@pytest.mark.parametrize(("counts", "rows"), [({2: 2}, 4), ({1: 2, 2: 2}, 2)])
def test_images_of_several_pixels_are_dealt(
    counts: dict[int, int], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they are encoded: on a tile of its own, or on the one that takes rows of the layer before in turn."""
    monkeypatch.setattr("mho.compiler.tile.duplicates.choose", lambda *_: (counts, []))
    compiled, x = network(1, 2, 3, rows=rows)
    assert [layer.name for layer in compiled.layers[-2:]] == ["n_y 1/2", "n_y 2/2"]
    programs, values, expected = compare(compiled, x[:5], device="rram-neurram", first=1)
    placed = programs.placed
    (deals,) = [k for k, node in enumerate(placed.graph.nodes) if node.deals]
    assert placed.graph.values[placed.graph.nodes[deals].source].image.pixels == 9
    alone = [k for k, members in enumerate(placed.members) if members == placed.members[deals]]
    assert [placed.graph.call(k) for k in alone] == [None] * (1 + len(counts))
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value])


def test_images_are_dealt_where_no_tile_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies deal and take in turn themselves."""
    monkeypatch.setattr("mho.compiler.tile.duplicates.choose", lambda *_: ({0: 2, 1: 2}, []))
    compiled, x = perceptron(2, rows=2)
    assert len(compiled.layers) == compiled.chip.cores
    _, values, expected = compare(compiled, x[:7], device="rram-neurram")
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value])


def test_copies_that_are_dealt_images_have_cells_of_their_own() -> None:
    """Which copy computes an image decides its noise, on ideal cells nothing."""
    compiled, x = perceptron(2)
    lanes = compiled.program.input.compute(x)
    for device, same in (("ideal", True), ("rram-neurram", False)):
        models, masks = build_cores(compiled, device=device, seed=3, time_s=86_400.0), core_masks(compiled)
        backend, results = FunctionalBackend(), []
        backend.open(compiled.chip, models)
        for first in (0, 1):
            images = np.arange(first, first + len(x), dtype=np.uint64)
            account = RunAccount(compiled.program, len(x), len(x), compiled.chip, masks)
            account.begin(0, x)
            results.append(backend.run(compiled.program, masks, lanes, images, account))
        assert np.array_equal(*results) is same
        assert [layer.codes.counts == (0,) * 64 for layer in account.layers] == [False] * 4


def test_a_layer_that_gets_no_copy_is_named() -> None:
    sentence = "layer 'n_c' takes longest and has no copy, which would take 3 free tiles; there are 0"
    assert sentence in perceptron(2, rows=1)[0].calibration.warnings
    assert not [warning for warning in perceptron(2)[0].calibration.warnings if "takes longest" in warning]


def test_layers_of_steps_have_no_copies() -> None:
    """The dense layer takes longest, whose images would differ while steps share rings."""
    rng = np.random.default_rng(0)
    weights = {"i": rng.normal(size=(1, 3, 2)).astype("f4"), "r": rng.normal(size=(1, 3, 3)).astype("f4") / 2,
               "s": np.array([-1, 3]), "w": rng.normal(size=(4, 3)).astype("f4")}
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("RNN", "t i r", "all h", hidden_size=3),
             node("Reshape", "h s", "f"), node("Gemm", "f w", "y", transB=1)]
    x = rng.uniform(-1, 1, size=(8, 4, 2)).astype("f4")
    compiled = compile_tiles(build(nodes, weights, shape=("batch", 4, 2), output=("batch", 4)),
                             load_chip("tnsa64-2x2", {"mesh.columns": 4}), calibrate=x,
                             options=CompileOptions(seeds=1, samples=8, duplicates=3))
    assert compiled.program.period == 1
    assert any("takes longest and has no more than 1 tiles in turn, since it is called" in warning
               for warning in compiled.calibration.warnings)
    layers = len(compiled.layers)
    choice, warnings = choose(compiled.program, [*[1.0] * (layers - 1), 9999.0], compiled.chip, layers, 3)
    assert not choice
    assert warnings == [f"layer {compiled.layers[-1].name!r} takes longest and has no more than 1 tiles in turn, since "
                        "other layers are called at several steps"]


def test_rows_are_found_where_they_come_in_turn() -> None:
    images = [Image(channels=2, height=3, width=4), Image(channels=2, height=2, width=4)]
    index = rows_in_turns([(2, 3, 4), (2, 2, 4)])
    assert turns_of(index, images) == (Image(channels=2, height=5, width=4), tuple(np.repeat([0, 1, 0, 1, 0], 4)))
    assert turns_of(np.arange(40, dtype=np.int32), images) is None
    assert turns_of(index, images[::-1]) is None
    pixels = [Image(channels=2, width=2), Image(channels=2, width=2)]
    assert turns_of(rows_in_turns([(2, 2, 1)] * 2), pixels) == (Image(channels=2, width=4), (0, 1, 0, 1))


def test_duplicates_need_tiles_with_programs() -> None:
    with pytest.raises(InputError, match="duplicates must be 1 where a host schedules the cores, not 2"):
        compile_for_chip("net.onnx", load_chip("neurram-core"), calibrate=np.zeros((1, 4), np.float32),
                         options=CompileOptions(duplicates=2))

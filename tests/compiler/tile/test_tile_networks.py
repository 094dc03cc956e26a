"""Networks on tiles: each layer has the lanes of the program that all other backends run."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.compiler import CompileOptions, Network
from mho.compiler.mapping.faults import CoreFaults
from mho.compiler.passes import compile_tiles
from mho.compiler.program import Call
from mho.compiler.tile import TilePrograms, tile_programs
from mho.compiler.tile.graph.host import Split
from mho.compiler.tile.programs import joined_of, tile_code
from mho.data import load_sample
from mho.hw.config import load_chip
from mho.hw.tile.interpreter.joined import HOST
from mho.hw.tile.interpreter.liveness import check_liveness
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.tile.interpreted import result_of
from tests.compiler.tile.network_bench import compare, residual_network
from tests.hw.tile.interpreter.networks import with_blocks

OPTIONS = CompileOptions(seeds=1, samples=32)
FIRST = 70


@pytest.fixture(scope="module")
def perceptron() -> Network:
    sample = load_sample("digits")
    return compile_tiles(sample.model, load_chip("tnsa64-2x2"), calibrate=sample.calibrate, options=OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["ideal", "rram-neurram"])
def test_a_perceptron_over_four_tiles_with_reduction_and_multicast(perceptron: Network, device: str) -> None:
    programs, values, expected = compare(perceptron, load_sample("digits").x[:4], device=device, first=FIRST)
    assert len(programs.texts) == 4
    assert [len(reduction.members) for reduction in programs.placed.reductions.values()] == [2, 2]
    hidden = programs.placed.flows[1]
    assert any(len(flow.to) == 2 for flow in hidden)
    assert sorted(values) == [1, 2]
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value])
    assert len(np.unique(values[2])) > 10


def test_noise_is_addressed_by_the_image(perceptron: Network) -> None:
    x = load_sample("digits").x[:2]
    early, late = (compare(perceptron, x, device="rram-neurram", first=first)[1][2] for first in (0, 5))
    assert not np.array_equal(early, late)


@pytest.fixture(scope="module")
def convolutions() -> tuple[Network, np.ndarray]:
    model, x = residual_network(1, channels=8)
    return compile_tiles(model, load_chip("tnsa64-2x2"), calibrate=x, options=OPTIONS), x


@pytest.mark.slow
@pytest.mark.parametrize("device", ["ideal", "rram-neurram"])
def test_convolutions_with_pooling_and_a_residual_block(
    convolutions: tuple[Network, np.ndarray], device: str
) -> None:
    """Windows of eight channels take three products of a core; the last layer's inputs have scales of their own."""
    network, x = convolutions
    programs, values, expected = compare(network, x[:3], device=device, first=FIRST)
    assert len(programs.texts) == 4
    assert any(node.joins for node in programs.placed.graph.nodes)
    assert any(node.whole for node in programs.placed.graph.nodes)
    assert max(len(layer.mvms) for layer in network.layers) == 3
    assert sorted(values) == list(range(1, len(network.program.stages) + 1))
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value], err_msg=f"value {value}")
        assert len(np.unique(lanes)) > 10


def test_a_ring_one_block_short_is_refused(convolutions: tuple[Network, np.ndarray]) -> None:
    """The skip around two convolutions, without the blocks beyond what does without latency."""
    from mho.compiler.tile.code import maker as module

    programs = tile_programs(convolutions[0])
    skip = next(r for r in programs.placed.rings.values() if r.value in programs.placed.graph.nodes[r.node].joins)
    place = programs.joined.tiles[skip.tile]
    number = next(n for n, name in place.names.items() if name == skip.name)
    blocks = place.program.descriptor("stream", number)["blocks"]

    def verdict(blocks: int) -> int:
        tiles = {**programs.joined.tiles, skip.tile: module.Place(
            program=with_blocks(place.program, number, blocks), cfg=place.cfg, names=place.names)}
        return check_liveness(module.Joined(
            tiles=tiles, flows=programs.joined.flows, reductions=programs.joined.reductions), programs.given)

    assert verdict(blocks) == programs.instructions
    # Buffers that are full have no blocks beyond.
    fewest = blocks - module.SLACK if _lives(verdict, blocks - module.SLACK) else blocks
    with pytest.raises(InputError, match=skip.name):
        verdict(fewest - 1)


def _lives(verdict: Callable[[int], int], blocks: int) -> bool:
    try:
        verdict(blocks)
    except InputError:
        return False
    return True


@pytest.mark.slow
def test_the_file_holds_what_tiles_need(convolutions: tuple[Network, np.ndarray], tmp_path: Path) -> None:
    network, _ = convolutions
    network.save(tmp_path / "n.mho")
    again = Network.load(tmp_path / "n.mho")
    assert tile_programs(again).texts == tile_programs(network).texts


@pytest.mark.slow
def test_twenty_layers_are_live_in_a_second() -> None:
    """20 layers over 20 tiles."""
    model, x = residual_network(9)
    chip = load_chip("tnsa64-core", {"mesh.columns": 6, "mesh.rows": 4})
    network = compile_tiles(model, chip, calibrate=x[:8], options=CompileOptions(seeds=1, samples=8))
    used = {m.core for layer in network.layers for m in layer.mvms}
    assert (len(network.layers), len(used)) == (20, 20)
    programs = tile_programs(network)
    start = time.process_time()
    assert check_liveness(programs.joined, programs.given) == programs.instructions
    print(f"{time.process_time() - start:.3f} s for {programs.instructions} instructions")


PADS = [1, 1, 1, 1]
FIXED = {"l": np.float32(-0.3), "h": np.float32(0.5), "o": np.zeros(0, "f4"), "z": np.array([1, 1, 2, 2], "f4")}
"""Limits, and how much larger an image is."""
QUICK = {"a table, a mean over the image", "twenty outputs in sixteen columns", "squeeze and excitation",
         "a concatenation of channels and of an image", "outputs over two tiles"}
SHAPES: dict[str, tuple[str, list, dict[str, tuple[int, ...]], tuple[int, ...], str]] = {
    "a table, a mean over the image": ("tnsa64-2x2", [
        node("Conv", "x a", "c", pads=PADS, strides=[2, 2]), node("Tanh", "c", "t"),
        node("GlobalAveragePool", "t", "g"), node("Flatten", "g", "f"), node("Gemm", "f w", "y", transB=1),
    ], {"a": (4, 3, 3, 3), "w": (5, 4)}, (3, 8, 8), "b"),
    "means of windows": ("tnsa64-2x2", [
        node("Conv", "x a", "c", pads=PADS), node("AveragePool", "c", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Relu", "p", "r"), node("Conv", "r w", "y"),
    ], {"a": (4, 3, 3, 3), "w": (2, 4, 2, 2)}, (3, 8, 8), "bcd"),
    "the input around a layer": ("tnsa64-2x2", [
        node("Conv", "x a", "c", pads=PADS), node("Add", "c x", "s"), node("Relu", "s", "r"), node("Conv", "r w", "y"),
    ], {"a": (3, 3, 3, 3), "w": (2, 3, 2, 2)}, (3, 6, 6), "bcd"),
    "strides and dilation, no padding": ("tnsa64-2x2", [
        node("Conv", "x a", "c", strides=[2, 2]), node("Relu", "c", "r"), node("Conv", "r w", "y", dilations=[2, 2]),
    ], {"a": (3, 3, 3, 3), "w": (2, 3, 2, 2)}, (3, 9, 8), "bcd"),
    "rows and columns over four tiles": ("tnsa16-2x2", [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "y")], {
        "a": (30, 14)}, (14,), "b"),
    "twenty outputs in sixteen columns": ("tnsa16-core", [node("Conv", "x a", "c"), node("Relu", "c", "y")], {
        "a": (20, 4, 1, 1)}, (4, 3, 3), "bcd"),
    "strides and padding": ("tnsa64-2x2", [
        node("Conv", "x a", "c", strides=[2, 2], pads=PADS), node("Relu", "c", "r"),
        node("Conv", "r w", "y", pads=PADS),
    ], {"a": (3, 3, 3, 3), "w": (2, 3, 3, 3)}, (3, 8, 8), "bcd"),
    "every other pixel of a large image": ("tnsa64-2x2", [
        node("Conv", "x a", "c", pads=PADS), node("Relu", "c", "r"), node("Conv", "r w", "y", strides=[2, 2]),
    ], {"a": (16, 3, 3, 3), "w": (4, 16, 1, 1)}, (3, 8, 8), "bcd"),
    "groups of channels, side by side in products": ("tnsa16-2x2", [
        node("Conv", "x a", "c", group=3), node("Relu", "c", "r"), node("Conv", "r w", "y", group=6, pads=PADS),
    ], {"a": (6, 2, 1, 1), "w": (6, 1, 2, 2)}, (6, 4, 4), "bcd"),
    "a concatenation of channels and of an image": ("tnsa64-2x2", [
        node("Conv", "x a", "c", pads=PADS), node("Tanh", "c", "t"), node("Concat", "t x", "j", axis=1),
        node("Conv", "j w", "y"),
    ], {"a": (4, 2, 3, 3), "w": (3, 6, 2, 2)}, (2, 5, 5), "bcd"),
    "pooling with padding": ("tnsa64-2x2", [
        node("Conv", "x a", "c"), node("MaxPool", "c", "m", kernel_shape=[3, 3], strides=[2, 2], pads=PADS),
        node("AveragePool", "m", "p", kernel_shape=[3, 3], pads=PADS, count_include_pad=1), node("Conv", "p w", "y"),
    ], {"a": (4, 2, 2, 2), "w": (3, 4, 1, 1)}, (2, 8, 8), "bcd"),
    "means that count no padding": ("tnsa64-2x2", [
        node("Conv", "x a", "c"), node("AveragePool", "c", "p", kernel_shape=[3, 3], pads=PADS),
        node("Conv", "p w", "y"),
    ], {"a": (4, 2, 2, 2), "w": (3, 4, 2, 2)}, (2, 5, 5), "bcd"),
    "limits that differ between channels": ("tnsa64-2x2", [
        node("Conv", "x a", "c"), node("Mul", "c s", "d"), node("Clip", "d l h", "r"), node("Conv", "r w", "y"),
    ], {"a": (4, 2, 2, 2), "s": (1, 4, 1, 1), "l": (), "h": (), "w": (3, 4, 2, 2)}, (2, 5, 5), "bcd"),
    "squeeze and excitation": ("tnsa64-2x2", [
        node("Conv", "x a", "c", pads=PADS), node("GlobalAveragePool", "c", "g"), node("Conv", "g s", "d"),
        node("Relu", "d", "e"), node("Conv", "e t", "f"), node("Sigmoid", "f", "k"), node("Mul", "c k", "m"),
        node("Conv", "m w", "y"),
    ], {"a": (4, 2, 3, 3), "s": (2, 4, 1, 1), "t": (4, 2, 1, 1), "w": (3, 4, 1, 1)}, (2, 5, 5), "bcd"),
    "a sum of three branches": ("tnsa64-2x2", [
        node("Conv", "x a", "c"), node("Conv", "x b", "e"), node("Conv", "x d", "f"), node("Sum", "c e f", "s"),
        node("Relu", "s", "r"), node("Conv", "r w", "y"),
    ], {"a": (3, 2, 2, 2), "b": (3, 2, 2, 2), "d": (3, 2, 2, 2), "w": (3, 3, 1, 1)}, (2, 5, 5), "bcd"),
    "an image twice as large": ("tnsa64-2x2", [
        node("Conv", "x a", "c"), node("Resize", "c o z", "u", mode="nearest"), node("Conv", "u w", "y"),
    ], {"a": (2, 2, 2, 2), "o": (0,), "z": (4,), "w": (3, 2, 1, 1)}, (2, 4, 4), "bcd"),
    "windows larger than a tile": ("tnsa16-2x2", [node("Conv", "x a", "c"), node("Relu", "c", "y")], {
        "a": (4, 3, 3, 3)}, (3, 4, 4), "bcd"),
    "pooling and a dense layer behind windows larger than a tile": ("tnsa16-2x2", [
        node("Conv", "x a", "c"), node("MaxPool", "c", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "p", "f"), node("Gemm", "f w", "y", transB=1),
    ], {"a": (2, 1, 3, 3), "w": (3, 8)}, (1, 6, 6), "b"),
    "a dense layer over more pixels than a tile has rows": ("tnsa16-2x2", [
        node("Conv", "x a", "c"), node("Relu", "c", "r"), node("Flatten", "r", "f"),
        node("Gemm", "f w", "y", transB=1),
    ], {"a": (2, 1, 2, 2), "w": (3, 18)}, (1, 4, 4), "b"),
    "outputs over two tiles": ("tnsa16-2x2", [
        node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r w", "y", transB=1),
    ], {"a": (20, 8), "w": (4, 20)}, (8,), "b"),
}


def network_of(what: str, **options: Any) -> tuple[Network, np.ndarray]:
    preset, nodes, shapes, shape, output = SHAPES[what]
    rng = np.random.default_rng(1)
    weights = {k: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]))).astype("f4") for k, s in shapes.items()}
    weights |= {k: v for k, v in FIXED.items() if k in shapes}
    x = rng.uniform(-1, 1, size=(16, *shape)).astype("f4")
    model = build(nodes, weights, shape=("batch", *shape), output=("batch", *output))
    more = {name: options.pop(name) for name in ("faults", "skip") if name in options}
    chosen = CompileOptions(seeds=1, samples=16, **options)
    return compile_tiles(model, load_chip(preset), calibrate=x, options=chosen, **more), x


def check(network: Network, x: np.ndarray) -> TilePrograms:
    """Lanes of all values, with noise."""
    programs, values, expected = compare(network, x[:2], device="rram-neurram", first=3)
    assert sorted(values) == list(range(1, len(network.program.stages) + 1))
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value], err_msg=f"value {value}")
        assert len(np.unique(lanes)) > 1
    for flow in programs.joined.flows:
        # A flit names columns and rows.
        sides = [set(side) for side in zip(*(tile.split(",") for tile in flow.to if tile != HOST), strict=True)]
        assert len(set(flow.to) - {HOST}) == (len(sides[0]) * len(sides[1]) if sides else 0)
    return programs


@pytest.mark.slow
@pytest.mark.parametrize("what", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
                                  for name in SHAPES])
def test_what_tiles_do(what: str) -> None:
    programs = check(*network_of(what))
    assert bool(programs.placed.columns) or not what.endswith("two tiles")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["groups of channels, side by side in products", "strides and padding"])
def test_several_columns_a_weight(what: str) -> None:
    network, x = network_of(what, copies=3, slices=2)
    blocks = {len(mvm.columns) // len(np.unique(mvm.outputs)) for layer in network.layers for mvm in layer.mvms}
    assert blocks == {6} if what[0] == "s" else blocks == {2, 6} or blocks == {4, 6}, blocks
    check(network, x)


def test_two_conversions_a_product() -> None:
    network, x = network_of("outputs over two tiles", in_bits=8)
    assert {mvm.op.segments for layer in network.layers for mvm in layer.mvms} == {2}
    check(network, x)


@pytest.mark.slow
def test_weights_live_with_faulty_cells_and_around_dead_lines() -> None:
    rng = np.random.default_rng(2)
    faults = {}
    for core in range(4):
        g = np.where(rng.random((64, 64)) < 0.02, rng.uniform(0, 40, (64, 64)), np.nan)
        rows, columns = np.zeros(64, bool), np.zeros(64, bool)
        rows[[3, 55]], columns[[0, 33]] = True, True
        faults[core] = CoreFaults(rows=rows, columns=columns, g_uS=g)
    network, x = network_of("strides and padding", faults=faults, copies=2)
    for mvm in (mvm for layer in network.layers for mvm in layer.mvms):
        assert not {1, 27} & set(mvm.rows.tolist())
        assert not {0, 33} & set(mvm.columns.tolist())
    image = network.cores[0]
    assert image.faulty is not None
    assert image.faulty.sum() > 40
    assert network.program.layers[0].mvms[0].multiplier.tolist() != (
        network_of("strides and padding", copies=2)[0].program.layers[0].mvms[0].multiplier.tolist())
    check(network, x)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LSTM", pytest.param("GRU", marks=pytest.mark.slow)])
def test_recurrent_layers(kind: str) -> None:
    """Five steps, a layer called at each: gates as products, values that are gone share rings."""
    steps, size, gates = 5, 3, {"LSTM": 4, "GRU": 3}[kind]
    rng = np.random.default_rng(4)
    weights = {"i": rng.normal(size=(1, gates * size, 2)).astype("f4"),
               "r": rng.normal(size=(1, gates * size, size)).astype("f4") / 2,
               "s": np.array([-1, size]), "w": rng.normal(size=(4, size)).astype("f4")}
    model = build([node("Transpose", "x", "t", perm=[1, 0, 2]), node(kind, "t i r", "all h", hidden_size=size),
                   node("Reshape", "h s", "f"),
                   node("Gemm", "f w", "y", transB=1)], weights, shape=("batch", steps, 2), output=("batch", 4))
    x = rng.uniform(-1, 1, size=(16, steps, 2)).astype("f4")
    network = compile_tiles(model, load_chip("tnsa64-2x2"), calibrate=x, options=CompileOptions(seeds=1, samples=8))
    calls = [k + 1 for k, stage in enumerate(network.program.stages) if isinstance(stage.operation, Call)]
    assert len(calls) > steps
    programs, values, expected = compare(network, x[:2], device="rram-neurram", first=3, watched=calls[-3:])
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value], err_msg=f"value {value}")
    assert max(len(np.unique(expected[value])) for value in calls) > 10
    rings = programs.placed.rings.values()
    assert len({(ring.tile, ring.name) for ring in rings}) < len(rings)


@pytest.mark.slow
def test_the_host_works_between_layers(tmp_path: Path) -> None:
    """Twice, and what goes around it is kept on the tiles."""
    rng = np.random.default_rng(5)
    weights = {"a": rng.normal(size=(3, 2, 1, 1)), "b": rng.normal(size=(3, 3, 2, 2)) / 2,
               "w": rng.normal(size=(4, 12)) / 3}
    model = build([
        node("Conv", "x a", "c"), node("Softmax", "c", "s", axis=1), node("Add", "c s", "d"), node("Conv", "d b", "e"),
        node("Relu", "e", "r"), node("Flatten", "r", "f"), node("Softmax", "f", "g"), node("Mul", "f g", "h"),
        node("Gemm", "h w", "y", transB=1)], {k: v.astype("f4") for k, v in weights.items()},
        shape=("batch", 2, 3, 3), output=("batch", 4))
    x = rng.uniform(-1, 1, size=(16, 2, 3, 3)).astype("f4")
    network = compile_tiles(model, load_chip("tnsa16-2x2"), calibrate=x, options=CompileOptions(seeds=1, samples=8))
    programs, values, expected = compare(network, x[:3], device="rram-neurram", first=3)
    split = programs.placed.graph.split
    assert [network.program.stages[k].name for k in split.between] == ["Softmax", "Softmax Mul"]
    assert len(programs.joined.host) == 2
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value], err_msg=f"value {value}")
        assert len(np.unique(lanes)) > 3
    lanes = network.program.input.compute(x[:3].reshape(3, -1))
    np.testing.assert_array_equal(result_of(programs, lanes, values), expected[-1])
    replace(network, tiles=tile_code(programs)).save(tmp_path / "n.mho")
    again = Network.load(tmp_path / "n.mho")
    assert again.tiles is not None
    assert Split.of(again.program, again.tiles).between == split.between
    assert joined_of(again.tiles, again.program, again.chip).host == programs.joined.host
    with pytest.raises(InputError, match="the host must send the values that tiles take"):
        Split.of(again.program, replace(again.tiles, between=()))


@pytest.mark.slow
def test_what_needs_longer_rings_than_there_are_goes_to_the_host() -> None:
    rng = np.random.default_rng(6)
    weights = {"d": rng.normal(size=(4, 2, 1, 1)).astype("f4"), "e": rng.normal(size=(2, 4, 1, 1)).astype("f4")}
    model = build([node("Conv", "x d", "c"), node("GlobalAveragePool", "c", "g"), node("Conv", "g e", "y")], weights,
                  shape=("batch", 2, 16, 16), output=("batch", *"abc"))
    x = rng.uniform(-1, 1, size=(8, 2, 16, 16)).astype("f4")
    network = compile_tiles(model, load_chip("tnsa16-2x2"), calibrate=x, options=CompileOptions(seeds=1, samples=8))
    programs, values, expected = compare(network, x[:2], device="rram-neurram", first=3)
    assert [network.program.stages[k].name for k in programs.placed.graph.split.between] == ["weightedsum"]
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value], err_msg=f"value {value}")


def refused(nodes: list, weights: dict, sentence: str, shape: tuple[int, ...] = (2, 4, 4)) -> None:
    x = np.random.default_rng(0).uniform(size=(8, *shape)).astype("f4")
    rank = 1 if nodes[-1].op_type == "Gemm" else len(shape)
    model = build(nodes, weights, shape=("batch", *shape), output=("batch", *("abc"[:rank])))
    with pytest.raises(InputError, match=sentence):
        tile_programs(compile_tiles(model, load_chip("tnsa16-2x2"), calibrate=x, options=OPTIONS))


@pytest.mark.slow
def test_what_has_no_form_on_tiles_is_refused_by_name() -> None:
    rng = np.random.default_rng(0)
    weights = {"d": rng.normal(size=(80, 2, 1, 1)).astype("f4"), "e": rng.normal(size=(20, 80, 1, 1)).astype("f4")}
    refused([node("Conv", "x d", "c"), node("Relu", "c", "r"), node("Conv", "r e", "y")], weights,
            "layer 'n_y' must fit beside")
    weights = {"e": rng.normal(size=(3, 4099)).astype("f4")}
    refused([node("Flatten", "x", "f"), node("Gemm", "f e", "y", transB=1)], weights,
            "layer 'n_y' must take a window of an image that has at most 8 pixels, the rows of a tile, or at most 4095 "
            "inputs at a position, not 4099", shape=(1, 1, 4099))

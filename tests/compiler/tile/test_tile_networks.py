"""Networks on tiles: each layer has the lanes of the program that all other backends run."""

import time
from pathlib import Path

import numpy as np
import pytest

from compiler import CompileOptions, Network
from compiler.tile import compile_tiles, tile_programs
from hw.config import load_chip
from hw.tile.machine.liveness import check_liveness
from macro_models.errors import InputError
from mho.data import load_sample
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.tile.network_bench import compare, residual_network

OPTIONS = CompileOptions(seeds=1, samples=32)
FIRST = 70


@pytest.fixture(scope="module")
def perceptron() -> Network:
    sample = load_sample("digits")
    return compile_tiles(sample.model, load_chip("tnsa64-2x2"), calibrate=sample.calibrate, options=OPTIONS)


@pytest.mark.parametrize("device", ["ideal", "rram-neurram"])
def test_a_perceptron_over_four_tiles_with_reduction_and_multicast(perceptron: Network, device: str) -> None:
    programs, found, wanted = compare(perceptron, load_sample("digits").x[:4], device=device, first=FIRST)
    assert len(programs.texts) == 4
    assert [len(one.members) for one in programs.placed.reductions.values()] == [2, 2]
    hidden = programs.placed.flows[1]
    assert any(len(flow.to) == 2 for flow in hidden)
    assert sorted(found) == [1, 2]
    for value, lanes in found.items():
        np.testing.assert_array_equal(lanes, wanted[value])
    assert len(np.unique(found[2])) > 10


def test_noise_is_addressed_by_the_image(perceptron: Network) -> None:
    x = load_sample("digits").x[:2]
    one, other = (compare(perceptron, x, device="rram-neurram", first=first)[1][2] for first in (0, 5))
    assert not np.array_equal(one, other)


@pytest.fixture(scope="module")
def convolutions() -> tuple[Network, np.ndarray]:
    model, x = residual_network(1, channels=8)
    return compile_tiles(model, load_chip("tnsa64-2x2"), calibrate=x, options=OPTIONS), x


@pytest.mark.parametrize("device", ["ideal", "rram-neurram"])
def test_convolutions_with_pooling_and_a_residual_block(
    convolutions: tuple[Network, np.ndarray], device: str
) -> None:
    """Windows of eight channels take three products of a core; the last layer's inputs have scales of their own."""
    network, x = convolutions
    programs, found, wanted = compare(network, x[:3], device=device, first=FIRST)
    assert len(programs.texts) == 4
    assert any(node.joins for node in programs.placed.graph.nodes)
    assert any(node.whole for node in programs.placed.graph.nodes)
    assert max(len(layer.mvms) for layer in network.layers) == 3
    assert sorted(found) == list(range(1, len(network.program.stages) + 1))
    for value, lanes in found.items():
        np.testing.assert_array_equal(lanes, wanted[value], err_msg=f"value {value}")
        assert len(np.unique(lanes)) > 10


def test_a_ring_one_block_short_is_refused(convolutions: tuple[Network, np.ndarray]) -> None:
    """The skip around two convolutions, without the blocks beyond what does without latency."""
    from compiler.tile import programs as module

    made = tile_programs(convolutions[0])
    skip = next(r for r in made.placed.rings.values() if r.value in made.placed.graph.nodes[r.node].joins)
    place = made.joined.tiles[skip.tile]
    number = next(n for n, name in place.names.items() if name == skip.name)
    least = place.program.descriptor("stream", number)["blocks"] - module.SLACK

    def verdict(blocks: int) -> int:
        tiles = {**made.joined.tiles, skip.tile: module.Place(
            program=place.program.with_blocks(number, blocks), cfg=place.cfg, names=place.names)}
        return check_liveness(module.Joined(
            tiles=tiles, flows=made.joined.flows, reductions=made.joined.reductions), made.given)

    assert verdict(least) == made.instructions
    with pytest.raises(InputError, match=skip.name):
        verdict(least - 1)


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
    assert (len(network.layers), len(network.cores)) == (20, 20)
    made = tile_programs(network)
    start = time.process_time()
    assert check_liveness(made.joined, made.given) == made.instructions
    print(f"{time.process_time() - start:.3f} s for {made.instructions} instructions")


PADS = [1, 1, 1, 1]
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
    "outputs over two tiles": ("tnsa16-2x2", [
        node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r w", "y", transB=1),
    ], {"a": (20, 8), "w": (4, 20)}, (8,), "b"),
}


@pytest.mark.parametrize("what", SHAPES)
def test_what_tiles_do(what: str) -> None:
    preset, nodes, shapes, shape, output = SHAPES[what]
    rng = np.random.default_rng(1)
    weights = {k: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]))).astype("f4") for k, s in shapes.items()}
    x = rng.uniform(-1, 1, size=(16, *shape)).astype("f4")
    model = build(nodes, weights, shape=("batch", *shape), output=("batch", *output))
    network = compile_tiles(model, load_chip(preset), calibrate=x, options=CompileOptions(seeds=1, samples=16))
    programs, found, wanted = compare(network, x[:2], device="rram-neurram", first=3)
    assert sorted(found) == list(range(1, len(network.program.stages) + 1))
    for value, lanes in found.items():
        np.testing.assert_array_equal(lanes, wanted[value], err_msg=f"value {value}")
        assert len(np.unique(lanes)) > 3
    assert bool(programs.placed.columns) is what.endswith("tiles")


def refused(nodes: list, weights: dict, sentence: str, shape: tuple[int, ...] = (2, 4, 4)) -> None:
    x = np.random.default_rng(0).uniform(size=(8, *shape)).astype("f4")
    model = build(nodes, weights, shape=("batch", *shape), output=("batch", *("abc"[: len(shape)])))
    with pytest.raises(InputError, match=sentence):
        tile_programs(compile_tiles(model, load_chip("tnsa16-2x2"), calibrate=x, options=OPTIONS))


def test_what_has_no_form_on_tiles_is_refused_by_name() -> None:
    rng = np.random.default_rng(0)
    weights = {"k": rng.normal(size=(2, 1, 2, 2)).astype("f4"), "w": rng.normal(size=(3, 2, 3, 3)).astype("f4"),
               "d": rng.normal(size=(80, 2, 1, 1)).astype("f4")}
    refused([node("Conv", "x k", "y", group=2)], {"k": weights["k"]}, "layer 'n_y' must take a window .* ungrouped")
    refused([node("Conv", "x w", "y")], {"w": weights["w"]}, "layer 'n_y' must have a window of at most 8 pixels")
    refused([node("Conv", "x d", "c"), node("Concat", "c x", "j", axis=1), node("Conv", "j e", "y")],
            {"d": weights["d"], "e": rng.normal(size=(2, 82, 1, 1)).astype("f4")}, "layer 'n_y' must take a window")
    refused([node("Conv", "x d", "c"), node("Relu", "c", "r"), node("Conv", "r e", "y")],
            {"d": weights["d"], "e": rng.normal(size=(20, 80, 1, 1)).astype("f4")}, "layer 'n_y' must fit beside")
    big = [node("Conv", "x d", "c"), node("GlobalAveragePool", "c", "g"), node("Conv", "g e", "y")]
    refused(big, {"d": weights["d"][:4], "e": rng.normal(size=(2, 4, 1, 1)).astype("f4")},
            "behind layer 'n_c' must need at most 255 of them at a time, not 256", shape=(2, 16, 16))

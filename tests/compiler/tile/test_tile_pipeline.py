"""Layers of two images on one tile: the order of both, the programs, what they give and what that gains."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mho.compiler import CompileOptions, Network
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_code, tile_programs, with_programs
from mho.compiler.tile.code import writer
from mho.compiler.tile.cycles import expected_cycles
from mho.compiler.tile.placement.order import MOST_AHEAD, Part
from mho.compiler.tile.placement.software_pipeline import pipeline
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.tile.network_bench import compare

NODES, CUT, LAYERS, SINGLE = 4, 2, (0, 2), (0,)
"""Nodes 0 and 1 are ahead; node 0 has one product on the tile, node 2 several."""


def product_first(positions: int, ahead: int) -> list[int]:
    """Node 0 with products begun ahead, node 1 behind each of its positions."""
    begun = min(ahead, positions)
    order = [Part.PRODUCTS * NODES] * begun
    for k in range(positions):
        order += [Part.REST * NODES, 1] + ([Part.PRODUCTS * NODES] if k + begun < positions else [])
    return order


@given(st.integers(1, 9), st.integers(0, 2), st.integers(1, 9), st.booleans())
def test_both_images_keep_their_order_and_drain_what_was_begun_first(
    early: int, ahead: int, late: int, vectors: bool
) -> None:
    first = product_first(early, ahead) if ahead else [0, 1] * early
    last = [2, 3] * late if vectors else [2] * late + [3]
    merged = pipeline(first + last, NODES, CUT, LAYERS, SINGLE)
    assert (list(merged.first), list(merged.last)) == (first, last)
    rest = [number for number in merged.both if number // NODES != Part.PRODUCTS]
    assert [n % NODES for n in rest if n % NODES < CUT] == [0, 1] * early
    assert [n for n in rest if n % NODES >= CUT] == last
    pending: list[int] = []
    for number in merged.both:
        part, k = number // NODES, number % NODES
        if part == Part.PRODUCTS:
            pending.append(k)
        elif part == Part.REST:
            assert pending.pop(0) == k
        else:
            assert k not in LAYERS or not pending
        assert len(pending) <= MOST_AHEAD
    assert not pending


def test_products_of_the_next_image_come_before_what_finishes_those_of_this_one() -> None:
    merged = pipeline([0, 1], 2, 1, (0, 1), (0, 1))
    products, rest = 2 * Part.PRODUCTS, 2 * Part.REST
    assert merged.both == (products, products + 1, rest, rest + 1)


def perceptron(layers: Sequence[int]) -> tuple[Any, NDArray[Any]]:
    rng = np.random.default_rng(0)
    weights = {f"w{k}": (rng.normal(size=(b, a)) / np.sqrt(a)).astype("f4")
               for k, (a, b) in enumerate(pairwise(layers))}
    nodes = [step for k in range(len(weights)) for step in (
        node("Gemm", f"{f'r{k}' if k else 'x'} w{k}", f"c{k}", transB=1), node("Relu", f"c{k}", f"r{k + 1}"))]
    nodes[-1] = node("Identity", f"c{len(weights) - 1}", "y")
    x = rng.uniform(-1, 1, size=(16, layers[0])).astype("f4")
    return build(nodes, weights, shape=("batch", layers[0]), output=("batch", "b")), x


@pytest.fixture(scope="module")
def case() -> tuple[Network, NDArray[Any]]:
    model, x = perceptron((14, 20, 4))
    network = compile_tiles(model, load_chip("tnsa16-2x2"), calibrate=x, options=CompileOptions(seeds=1, samples=16))
    return network, x


@pytest.mark.slow
def test_an_array_does_not_wait_for_a_layer_of_one_position(
    case: tuple[Network, NDArray[Any]], tmp_path: Path
) -> None:
    network, x = case
    programmed = with_programs(network, x)
    compiled, cycles = programmed.network, programmed.cycles
    assert compiled.tiles is not None
    assert compiled.tiles.ahead
    assert cycles is not None
    before = expected_cycles(network_with(network, {}), x)
    assert cycles.interval < 0.97 * before.interval
    assert cycles.interval < 1.05 * cycles.analog[cycles.bottleneck]
    # With others behind it, an image waits for what is begun of the next one.
    assert cycles.latency < before.latency + cycles.interval
    facts = programmed.facts()
    assert facts is not None
    links = {(link["start"], link["end"]): link["flits"] for link in facts["links"]}
    # Credits: of the input from each tile, of 20 codes from two. Sums of 10 and 4 lanes, 10 codes, 8 bytes a flit.
    assert links["1,1", "0,1"] == 1 + 3
    assert links["1,0", "0,0"] == 1 + 1 + 3 + 1
    assert links["0,1", "0,0"] == 2 + 1 + 1 + 2
    compiled.save(tmp_path / "net.mho")
    loaded = Network.load(tmp_path / "net.mho")
    assert loaded.tiles is not None
    assert loaded.tiles.ahead == compiled.tiles.ahead
    assert tile_programs(loaded).texts == tile_programs(compiled).texts
    for images, first in ((1, 3), (3, 2**32 - 2)):
        _, values, expected = compare(compiled, x[:images], device="rram-neurram", first=first, watched=False)
        for value, lanes in values.items():
            np.testing.assert_array_equal(lanes, expected[value])


@pytest.mark.slow
def test_a_tile_with_too_many_operations_may_be_ahead(
    case: tuple[Network, NDArray[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a tile has no place for is written before each use, in each of the three parts of such a program."""
    network, x = case
    compiled = with_programs(network, x).network
    few = {**writer.DESCRIPTORS, "vec": replace(writer.DESCRIPTORS["vec"], count=3)}
    monkeypatch.setattr(writer, "DESCRIPTORS", few)
    programs, values, expected = compare(compiled, x[:3], device="ideal", watched=False)
    texts = [text for tile, text in programs.texts.items() if tile in programs.ahead]
    assert texts
    assert all(text.count("set ") > 2 for text in texts)
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value])


def network_with(network: Network, ahead: dict[str, int]) -> Network:
    return replace(network, tiles=tile_code(tile_programs(network, ahead=ahead)))


@pytest.mark.slow
def test_what_cannot_be_ahead_is_refused(case: tuple[Network, NDArray[Any]]) -> None:
    network, _ = case
    for ahead in ({"0,0": 0}, {"0,0": 9}, {"9,9": 1}):
        with pytest.raises(InputError, match="a tile in use may have the first of 2 nodes ahead, not those before"):
            tile_programs(network, ahead=ahead)

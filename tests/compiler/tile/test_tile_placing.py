"""Layers on tiles: what is repeated how often, and that no cell holds two weights."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from mho.compiler import import_onnx
from mho.compiler.mapping import Placement
from mho.compiler.mapping.packing.pack import MASKS, Anywhere, Lines, Rectangle, Shelves
from mho.compiler.tile.graph.shapes import Shape, shapes_of
from mho.compiler.tile.placement.placing import Dead, Growth, place_on_tiles
from mho.hw.config import load_chip
from tests.compiler.importer.onnx_models import perceptron
from tests.compiler.mapping.dead_lines import dead_lines

CHIP = load_chip("tnsa64-2x2")
CELLS = CHIP.macro_config().cell_map
SIZES = (30, 40, 12, 20, 4)
"""Of a perceptron, with each layer four times too large for the tiles."""


@pytest.fixture(scope="module")
def shapes() -> list[Shape]:
    layers = [(np.ones(pair), np.zeros(pair[1])) for pair in pairwise(SIZES)]
    return shapes_of(import_onnx(perceptron(layers)), CELLS.rows, 1 << 14)


def check_cells(placement: Placement, dead: Dead | None = None) -> None:
    """Each weight is as often there as its layer has copies, no cell holds two, none is on a dead line."""
    uses = np.zeros((placement.cores, CELLS.rows, CELLS.columns), dtype=int)
    for block in placement.blocks:
        uses[block.core][np.ix_(block.rows, block.columns)] += 1
    assert uses.max() == 1
    if dead is not None:
        driven, converted = CELLS.dead(dead)
        assert not uses[0][CELLS.per_row(driven) > 0].any()
        assert not uses[0][:, CELLS.per_column(converted) > 0].any()
    for core in range(placement.cores):
        assert sum(block.core == core for block in placement.blocks) <= MASKS
    for layer, (inputs, outputs) in enumerate(pairwise(SIZES)):
        count = np.zeros((inputs, outputs), dtype=int)
        for block in placement.of_layer(layer):
            np.add.at(count, np.ix_(block.first + np.arange(len(block.rows)), block.outputs), 1)
        assert (count == placement.of_layer(layer)[0].copies).all()


def copies(placement: Placement) -> list[int]:
    return [placement.of_layer(k)[0].copies for k in range(len(SIZES) - 1)]


def test_where_not_all_layers_can_be_repeated_those_are_that_matter(shapes: Sequence[Shape]) -> None:
    """A layer without influence takes no cells, and others no more than is asked for."""
    def error(counts: Sequence[int]) -> float:
        return sum(weight / count for weight, count in zip((1.0, 0.0, 1.0, 1.0), counts, strict=True))

    plain = place_on_tiles(shapes, CELLS, 2, copies=4, wide=True)
    grown = place_on_tiles(shapes, CELLS, 2, copies=4, wide=True, growth=Growth(error, 6, 0.0, 2, 2))
    enough = Growth(error, 6, error(copies(grown)) + 0.2, 2, 2)
    few = place_on_tiles(shapes, CELLS, 2, copies=4, wide=True, growth=enough)
    assert max(copies(plain)) < 4
    assert error(copies(grown)) < 0.6 * error(copies(plain))
    assert copies(grown)[1] == 1
    assert max(copies(grown)) <= 6
    assert sum(copies(few)) < sum(copies(grown))
    for placement in (plain, grown, few):
        check_cells(placement)


def test_layers_that_are_repeated_lie_around_dead_lines(shapes: Sequence[Shape]) -> None:
    dead = np.zeros(64, dtype=bool), np.zeros(64, dtype=bool)
    dead[0][[6, 7]] = dead[1][[20, 41]] = True
    growth = Growth(lambda counts: sum(1 / n for n in counts), 4, 0.0, 2, 2)
    grown = place_on_tiles(shapes, CELLS, 3, copies=4, wide=True, faults={0: dead_lines(*dead)}, growth=growth)
    assert max(copies(grown)) > 1
    check_cells(grown, dead)


def test_cells_are_free_where_shelves_have_none() -> None:
    """Two flat rectangles beside a high one: one above the other takes no shelf of its own."""
    high, flat = (Rectangle(0, 0, rows, 0, 32, 1, 1) for rows in (32, 16))
    sound = Lines(32, 4), Lines(64, 2)
    assert Shelves(*sound).with_all([high, flat, flat]) is None
    filled = Anywhere(*sound).with_all([high, flat, flat])
    assert filled is not None
    assert [place for _, *place in filled.taken] == [[0, 0], [0, 32], [16, 32]]
    assert filled.with_all([flat]) is None

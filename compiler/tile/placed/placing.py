"""Placement on a chip with tiles: which rows and columns of which tile hold the weights of each layer.

A tile puts what a walk gives into rows side by side, so a layer that is too high for a core is cut between channels of
its input, never within the window of one. Rectangles lie on shelves, from a row and a column on at which words of codes
begin. Parts of a layer on one tile add up in its accumulators, those on several in the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from compiler.mapping import Placement
from compiler.mapping.block import Block
from compiler.mapping.pack import MASKS
from compiler.mapping.parts import GROUP_ROWS, Parts, segments
from compiler.tile.graph.geometry import CODES_IN, CODES_OUT
from compiler.tile.graph.shapes import Shape
from macro_models.cell_map import CellMap
from macro_models.errors import InputError

__all__ = ["place_on_tiles"]


@dataclass(frozen=True)
class _Rectangle:
    layer: int
    first: int
    height: int
    output: int
    width: int
    work: int


@dataclass
class _Tile:
    """``shelves`` have [first row, height, columns in use]; ``taken`` (rectangle, first row, first column)."""

    rows: int
    columns: int
    shelves: list[list[int]] = field(default_factory=list)
    taken: list[tuple[_Rectangle, int, int]] = field(default_factory=list)

    @property
    def work(self) -> int:
        return sum(one.work for one, _, _ in self.taken)

    def put(self, one: _Rectangle) -> bool:
        """Put a rectangle, if there is a place."""
        height, width = _up(one.height, CODES_IN), _up(one.width, CODES_OUT)
        if len(self.taken) == MASKS:
            return False
        for shelf in self.shelves:
            # The last shelf may become higher.
            high = self.rows - shelf[0] if shelf is self.shelves[-1] else shelf[1]
            if height <= high and shelf[2] + width <= self.columns:
                shelf[1] = max(shelf[1], height)
                self.taken.append((one, shelf[0], shelf[2]))
                shelf[2] += width
                return True
        first = sum(shelf[1] for shelf in self.shelves)
        if first + height > self.rows or width > self.columns:
            return False
        self.shelves.append([first, height, width])
        self.taken.append((one, first, 0))
        return True

    def puts(self, some: Sequence[_Rectangle]) -> "_Tile | None":
        """The tile with all of some rectangles, None if they do not fit."""
        trial = _Tile(self.rows, self.columns, [list(shelf) for shelf in self.shelves], list(self.taken))
        return trial if all(trial.put(one) for one in some) else None


def place_on_tiles(shapes: Sequence[Shape], cell_map: CellMap, tiles: int) -> Placement:
    """Places layers on at most ``tiles`` tiles.

    One rectangle a tile where there are enough; else each layer goes to the tile with the least work that takes it
    whole, or is divided.

    Raises
    ------
    InputError
        If the layers do not fit; one sentence that names the layer.
    """
    cut = [_rectangles(k, shape, cell_map) for k, shape in enumerate(shapes)]
    found = [_Tile(cell_map.rows, cell_map.columns) for _ in range(tiles)]
    if sum(map(len, cut)) <= tiles:
        for tile, one in zip(found, [one for layer in cut for one in layer], strict=False):
            tile.put(one)
    else:
        for shape, layer in zip(shapes, cut, strict=True):
            if not (_put(found, layer) or all(_put(found, [one]) for one in layer)):
                raise InputError(f"layer {shape.name!r} must fit beside the others on {tiles} tiles of "
                                 f"{cell_map.rows} rows and {cell_map.columns} columns; it finds no place")
    used = max(k for k, tile in enumerate(found) if tile.taken) + 1
    blocks = [_block(k, number, *taken) for k, tile in enumerate(found[:used])
              for number, taken in enumerate(tile.taken)]
    blocks.sort(key=lambda one: (one.layer, one.first, int(one.outputs[0])))
    return Placement(
        cell_map=cell_map, cores=used, least=used, bound=1, blocks=tuple(blocks), skip={},
        rows=tuple(shape.walk.terms * shape.walk.run for shape in shapes),
        parts=tuple(_parts(shape, cell_map) for shape in shapes),
    )


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def _parts(shape: Shape, cell_map: CellMap) -> Parts:
    """The fewest equal parts of a layer whose groups stand side by side in a product."""
    groups = shape.groups
    inputs, outputs = shape.walk.terms * shape.walk.run // groups, shape.outputs // groups
    most = max(1, min(cell_map.rows // inputs, GROUP_ROWS // inputs, cell_map.columns // outputs))
    each = next(n for n in range(min(most, groups), 0, -1) if groups % n == 0)
    return Parts(count=groups // each, groups=groups, inputs=inputs, outputs=outputs)


def _rectangles(layer: int, shape: Shape, cell_map: CellMap) -> list[_Rectangle]:
    """A layer, cut between its outputs and between its channels into as few rectangles as a tile allows."""
    terms, parts = shape.walk.terms, _parts(shape, cell_map)
    channels, outputs = shape.walk.run // parts.count, shape.outputs // parts.count
    work = shape.walk.positions
    return [_Rectangle(layer, (part * channels + first) * terms, count * terms, part * outputs + output, width, work)
            for part in range(parts.count) for output, width in segments(outputs, cell_map.columns)
            for first, count in segments(channels, cell_map.rows // terms)]


def _put(tiles: list[_Tile], some: Sequence[_Rectangle]) -> bool:
    """Put rectangles on the tile with the least work that takes all of them."""
    for k in sorted(range(len(tiles)), key=lambda k: (tiles[k].work, k)):
        made = tiles[k].puts(some)
        if made is not None:
            tiles[k] = made
            return True
    return False


def _block(tile: int, number: int, one: _Rectangle, row: int, column: int) -> Block:
    return Block(
        layer=one.layer, core=tile, first=one.first, rows=np.arange(row, row + one.height, dtype=np.int32),
        columns=np.arange(column, column + one.width, dtype=np.int32),
        outputs=np.arange(one.output, one.output + one.width, dtype=np.int32),
        copies=1, wl_select=number, line_select=number,
    )

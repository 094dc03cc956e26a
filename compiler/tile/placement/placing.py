"""Placement on a chip with tiles: which rows and columns of which tile hold the weights of each layer.

A tile puts what a walk gives into rows side by side, so a layer that is too high for a core is cut between channels of
its input, never within the window of one. Rectangles lie on shelves, from a row and a column on at which words of codes
begin, around lines that are dead. Parts of a layer on one tile add up in its accumulators, those on several in the
network; so do copies of a layer in columns that are free, and slices of its weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isqrt

import numpy as np

from mho.compiler.mapping import Placement
from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.packing.pack import MASKS, Rectangle
from mho.compiler.mapping.parts import GROUP_ROWS, Parts, segments
from mho.compiler.mapping.weights import Block
from mho.compiler.tile.graph.shapes import Shape
from mho.compiler.tile.lowering.geometry import CODES_IN, CODES_OUT, rows_of
from mho.macro_models.cell_map import CellMap
from mho.macro_models.errors import InputError
from mho.macro_models.types import Flags

MOST_TILES = 4096
"""Tiles up to which it is said how many would do."""
MOST_PARTS = 8
"""Tiles on which parts of a layer are that have outputs of their own: all come to one tile, which takes few values."""
Dead = tuple[Flags, Flags]


@dataclass
class _Tile:
    """``shelves`` have [first row, height, columns in use]; ``taken`` (rectangle, first row, first column).

    ``works`` are the positions of each layer.
    """

    dead: Dead
    works: Sequence[int]
    shelves: list[list[int]] = field(default_factory=list[list[int]])
    taken: list[tuple[Rectangle, int, int]] = field(default_factory=list[tuple[Rectangle, int, int]])

    @property
    def work(self) -> int:
        return sum(self.works[rectangle.layer] for rectangle, _, _ in self.taken)

    def put(self, piece: Rectangle) -> bool:
        """Put a rectangle, if there is a place."""
        rows, columns = (len(side) for side in self.dead)
        height, width = _up(piece.height, CODES_IN), _up(piece.width, CODES_OUT)
        if len(self.taken) == MASKS:
            return False
        for shelf in self.shelves:
            # The last shelf may become higher.
            high = rows - shelf[0] if shelf is self.shelves[-1] else shelf[1]
            place = _free(self.dead[1], shelf[2], piece.width, CODES_OUT)
            dead = self.dead[0][shelf[0] : shelf[0] + piece.height].any()
            if height <= high and place + width <= columns and not dead:
                shelf[1] = max(shelf[1], height)
                self.taken.append((piece, shelf[0], place))
                shelf[2] = place + width
                return True
        behind = max([shelf[0] + shelf[1] for shelf in self.shelves], default=0)
        first = _free(self.dead[0], behind, piece.height, CODES_IN)
        place = _free(self.dead[1], 0, piece.width, CODES_OUT)
        if first + height > rows or place + width > columns:
            return False
        self.shelves.append([first, height, place + width])
        self.taken.append((piece, first, place))
        return True

    def puts(self, rectangles: Sequence[Rectangle]) -> "_Tile | None":
        """The tile with all of some rectangles, None if they do not fit."""
        trial = _Tile(self.dead, self.works, [list(shelf) for shelf in self.shelves], list(self.taken))
        return trial if all(trial.put(rectangle) for rectangle in rectangles) else None


def place_on_tiles(
    shapes: Sequence[Shape], cell_map: CellMap, tiles: int, *, copies: int = 1, wide: bool = False,
    slices: Sequence[int] | None = None, faults: FaultMaps | None = None, skip: Mapping[int, Dead] | None = None,
) -> Placement:
    """Places layers on at most ``tiles`` tiles.

    One rectangle a tile where there are enough; else each layer goes to the tile with the least work that takes it
    whole, or is divided.

    Parameters
    ----------
    shapes, cell_map, tiles
        The layers, and what there is.
    copies
        How often layers are repeated in columns that are free anyway, at most.
    wide
        Copies are worth tiles and products: layers are cut into as many pieces as have room for them, on all tiles.
    slices
        Slices of the weights of each layer, 1 by default.
    faults, skip
        Faulty cells and dead lines of the tiles, (bit lines, source lines), by their numbers: no weight is on a dead
        line, weights live with the cells.

    Raises
    ------
    InputError
        If the layers do not fit; one sentence that names the layer.
    """
    faults = {} if faults is None else faults
    skip = {**{core: (part.rows, part.columns) for core, part in faults.items()}, **(skip or {})}
    dead = [_dead_rows(cell_map, skip.get(core)) for core in range(tiles)]
    sizes = _Sizes(shapes, cell_map, slices or [1] * len(shapes), dead)
    packed = _packed(sizes, tiles, 1)
    if isinstance(packed, int):
        raise InputError(_too_few(sizes, shapes[packed].name, tiles))
    used = fewest = max(k for k, tile in enumerate(packed) if tile.taken) + 1
    for count in range(copies, 1, -1):
        more = _packed(replace(sizes, wide=wide), tiles if wide else used, count)
        if not isinstance(more, int):
            packed, used = more, max(k for k, tile in enumerate(more) if tile.taken) + 1
            break
    blocks = [_block(k, number, *place) for k, tile in enumerate(packed[:used])
              for number, place in enumerate(tile.taken)]
    blocks.sort(key=lambda part: (part.layer, part.first, int(part.outputs[0])))
    return Placement(
        cell_map=cell_map, cores=used, least=_least(sizes, 0, fewest), bound=1, blocks=tuple(blocks), skip=skip,
        faults=faults,
        rows=tuple(shape.walk.terms * shape.walk.run for shape in shapes),
        parts=tuple(_in_order(_parts(shape, sizes.rows, sizes.columns // sizes.slices[k]), shape,
                              [part for part in blocks if part.layer == k]) for k, shape in enumerate(shapes)),
    )


@dataclass(frozen=True)
class _Sizes:
    """What is placed, and where it may be."""

    shapes: Sequence[Shape]
    cell_map: CellMap
    slices: Sequence[int]
    dead: Sequence[Dead]
    """Rows and columns of the first tiles that are dead; of all others only those that the chip has not are."""
    wide: bool = False

    @cached_property
    def sound(self) -> Dead:
        """Rows and columns of a tile of which none is dead but those that the chip has not."""
        return _dead_rows(self.cell_map, None)

    @cached_property
    def rows(self) -> int:
        """Rows side by side that every tile has."""
        return min(_longest(rows, CODES_IN) for rows, _ in (self.sound, *self.dead))

    @cached_property
    def columns(self) -> int:
        """Columns side by side that every tile has."""
        return min(_longest(columns, CODES_OUT) for _, columns in (self.sound, *self.dead))

    def tile(self, core: int) -> _Tile:
        """An empty tile."""
        works = [shape.walk.positions for shape in self.shapes]
        return _Tile(self.dead[core] if core < len(self.dead) else self.sound, works)


def _dead_rows(cell_map: CellMap, skip: Dead | None) -> Dead:
    driven, converted = cell_map.dead(skip)
    return cell_map.per_row(driven) > 0, cell_map.per_column(converted) > 0


def _packed(sizes: _Sizes, tiles: int, copies: int) -> list[_Tile] | int:
    """Tiles with all layers, or the number of the layer that finds no place."""
    tiles_packed = [sizes.tile(k) for k in range(tiles)]
    cut = [_rectangles(k, shape, sizes, copies) for k, shape in enumerate(sizes.shapes)]
    together = [_together(layer) for layer in cut]
    if sum(map(len, together)) <= tiles:
        every = [group for layer in together for group in layer]
        filled = [tile.puts(group) for tile, group in zip(tiles_packed, every, strict=False)]
        if all(filled):
            return [part for part in filled if part is not None] + tiles_packed[len(filled):]
        if sum(map(len, cut)) <= len(every):
            return every[0][0].layer
    for k, layer in enumerate(cut):
        if not (_put(tiles_packed, layer) or all(_put(tiles_packed, group) for group in together[k])
                or all(_put(tiles_packed, [part]) for part in layer)):
            return k
    return tiles_packed


def _together(layer: Sequence[Rectangle]) -> list[list[Rectangle]]:
    """Rectangles of a layer that go to one tile: one by one, unless their outputs are of too many parts."""
    parts = list(dict.fromkeys(rectangle.first_output for rectangle in layer))
    if len(parts) <= MOST_PARTS:
        return [[rectangle] for rectangle in layer]
    number = {output: k * MOST_PARTS // len(parts) for k, output in enumerate(parts)}
    groups: dict[int, list[Rectangle]] = {}
    for rectangle in layer:
        groups.setdefault(number[rectangle.first_output], []).append(rectangle)
    return list(groups.values())


def _too_few(sizes: _Sizes, name: str, tiles: int) -> str:
    """That a layer finds no place, and how many tiles would do."""
    pieces = _pieces(sizes)
    rows, columns = sizes.cell_map.there
    head = f"layer {name!r} must fit beside the others on {tiles} tiles of {rows} rows and {columns} columns; "
    if pieces > MOST_TILES:
        return head + f"the network has {pieces} pieces of that size"
    fewest = _least(sizes, tiles, pieces)
    side = isqrt(fewest - 1) + 1
    return head + f"{fewest} would do: --set mesh.columns={side} --set mesh.rows={-(-fewest // side)}"


def fewest_tiles(shapes: Sequence[Shape], cell_map: CellMap, *, slices: Sequence[int] | None = None) -> int | None:
    """Tiles on which layers find room, however many a chip has; None beyond :data:`MOST_TILES`."""
    sizes = _Sizes(shapes, cell_map, slices or [1] * len(shapes), [])
    pieces = _pieces(sizes)
    return None if pieces > MOST_TILES else _least(sizes, 0, pieces)


def _pieces(sizes: _Sizes) -> int:
    """Tiles that do for certain: a piece each."""
    return sum(len(_rectangles(k, shape, sizes, 1)) for k, shape in enumerate(sizes.shapes))


def _least(sizes: _Sizes, low: int, high: int) -> int:
    """The fewest tiles that do, more than ``low`` and at most ``high``."""
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if isinstance(_packed(sizes, middle, 1), int) else (low, middle)
    return high


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def _free(dead: Flags, first: int, count: int, unit: int) -> int:
    """The first place from which on no line of some is dead; behind all of them, if there is none."""
    at = _up(first, unit)
    while at + count <= len(dead) and dead[at : at + count].any():
        at = _up(at + int(np.flatnonzero(dead[at : at + count])[-1]) + 1, unit)
    return at


def _longest(dead: Flags, unit: int) -> int:
    """Lines side by side without a dead one, from a place on at which a word of codes begins."""
    starts = range(0, len(dead), unit)
    return max((int(np.argmax(np.append(dead[at:], True))) for at in starts), default=0)


def _parts(shape: Shape, rows: int, columns: int) -> Parts:
    """The fewest equal parts of a layer whose groups stand side by side in a product."""
    groups = shape.groups
    inputs, outputs = shape.walk.terms * shape.walk.run // groups, shape.outputs // groups
    limit = max(1, min(rows // inputs, GROUP_ROWS // inputs, columns // outputs))
    groups_each = next(n for n in range(min(limit, groups), 0, -1) if groups % n == 0)
    return Parts(count=groups // groups_each, groups=groups, inputs=inputs, outputs=outputs)


def _in_order(parts: Parts, shape: Shape, blocks: Sequence[Block]) -> Parts:
    """With the order in which walks over the channels of blocks give their rows."""
    terms = shape.walk.terms
    order = np.arange(terms * shape.walk.run)
    for block in blocks:
        rows = rows_of(shape.walk, block.first // terms, len(block.rows) // terms)
        order[block.first : block.first + len(block.rows)] = rows
    return replace(parts, order=tuple(order.tolist()))


def _rectangles(layer: int, shape: Shape, sizes: _Sizes, copies: int) -> list[Rectangle]:
    """A layer, cut between its outputs and between its channels into as few rectangles as a tile, or copies, allow."""
    terms, slices = shape.walk.terms, sizes.slices[layer]
    limit = sizes.columns // slices
    if terms > sizes.rows or not limit:
        raise InputError(f"layer {shape.name!r} must have a window of at most {sizes.rows} pixels, sound rows side by "
                         f"side of every tile, not {terms}")
    parts = _parts(shape, sizes.rows, limit)
    channels, outputs = shape.walk.run // parts.count, shape.outputs // parts.count
    cut = segments(outputs, max(1, limit // copies) if sizes.wide else limit)
    count = max(1, min(copies, limit // max(width for _, width in cut)))
    return [Rectangle(layer, (part * channels + first) * terms, height * terms, part * outputs + output, width, count,
                      slices)
            for part in range(parts.count) for output, width in cut
            for first, height in segments(channels, sizes.rows // terms)]


def _put(tiles: list[_Tile], rectangles: Sequence[Rectangle]) -> bool:
    """Put rectangles on the tile with the least work that takes all of them."""
    for k in sorted(range(len(tiles)), key=lambda k: (tiles[k].work, k)):
        filled = tiles[k].puts(rectangles)
        if filled is not None:
            tiles[k] = filled
            return True
    return False


def _block(tile: int, number: int, piece: Rectangle, row: int, column: int) -> Block:
    outputs = np.arange(piece.first_output, piece.first_output + piece.outputs, dtype=np.int32)
    return Block(
        layer=piece.layer, core=tile, first=piece.first, rows=np.arange(row, row + piece.height, dtype=np.int32),
        columns=np.arange(column, column + piece.width, dtype=np.int32),
        outputs=np.tile(outputs, piece.copies * piece.slices), copies=piece.copies, wl_select=number,
        line_select=number, slices=piece.slices,
    )

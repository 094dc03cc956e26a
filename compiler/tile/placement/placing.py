"""Placement on a chip with tiles: which rows and columns of which tile hold the weights of each layer.

A tile puts what a walk gives into rows side by side, so a layer that is too high for a core is cut between channels of
its input, never within the window of one. Parts of a layer on one tile add up in its accumulators, those on several in
the network; so do copies of a layer in columns that are free, and slices of its weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isqrt

import numpy as np

from mho.compiler.mapping import Placement
from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.packing.pack import Anywhere, Cells, Lines, Rectangle, Shelves
from mho.compiler.mapping.parts import GROUP_ROWS, Parts, segments
from mho.compiler.mapping.weights import Block
from mho.compiler.tile.graph.shapes import Shape
from mho.compiler.tile.lowering.geometry import CODES_IN, CODES_OUT, rows_of
from mho.compiler.tile.placement.streams import contexts_of
from mho.macro_models.cell_map import CellMap
from mho.macro_models.errors import InputError
from mho.macro_models.types import Flags

Dead = tuple[Flags, Flags]
"""Which rows and columns are dead, of a tile or, before they are those of weights, of its lines."""

MOST_TILES = 4096
"""Tiles up to which it is said how many would do."""
MOST_PARTS = 8
"""Tiles on which parts of a layer are that have outputs of their own: all come to one tile, which takes few values."""
MOST_TRIED = 1 << 14
"""Rectangles times tiles up to which places are sought wherever cells are free."""


@dataclass(frozen=True)
class Growth:
    """Layers are repeated at most ``limit`` times each, until the ``error`` by copies of each is ``enough``.

    On a mesh of so many ``columns`` and ``contexts`` no more sums over tiles lack a context than without copies.
    """

    error: Callable[[Sequence[int]], float]
    limit: int
    enough: float
    columns: int
    contexts: int

    def lacking(self, packed: Sequence[Cells]) -> int:
        """Sums over tiles that have no context where they are."""
        sums: dict[tuple[int, int], set[tuple[int, int]]] = {}
        for core, tile in enumerate(packed):
            for piece, _, _ in tile.taken:
                place = core % self.columns, core // self.columns
                sums.setdefault((piece.layer, piece.first_output), set()).add(place)
        return contexts_of([sorted(places) for places in sums.values() if len(places) > 1], self.contexts).count(None)


def place_on_tiles(
    shapes: Sequence[Shape], cell_map: CellMap, tiles: int, *, copies: int = 1, wide: bool = False,
    slices: Sequence[int] | None = None, faults: FaultMaps | None = None,
    growth: Growth | None = None,
) -> Placement:
    """Places layers on at most ``tiles`` tiles.

    One rectangle a tile where there are enough; else each layer goes to the tile with the least work that takes it
    whole, or is divided.

    Raises InputError if the layers do not fit; one sentence that names the layer.

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
    faults
        Faulty cells and dead lines of the tiles, by their numbers: no weight is on a dead line, weights live with the
        cells.
    growth
        How layers are repeated where there is no room for so many copies of all.
    """
    faults = {} if faults is None else faults
    dead = [_dead_rows(cell_map, faults[core].dead if core in faults else None) for core in range(tiles)]
    sizes = _Sizes(shapes, cell_map, slices or [1] * len(shapes), dead)
    packed = _packed(sizes, tiles, 1)
    if isinstance(packed, int):
        raise InputError(_too_few(sizes, shapes[packed].name, tiles))
    fewest = _used(packed)
    packed = _repeated(replace(sizes, wide=wide), packed, tiles if wide else fewest, copies, growth)
    used = _used(packed)
    blocks = [_block(k, number, *place) for k, tile in enumerate(packed[:used])
              for number, place in enumerate(tile.taken)]
    blocks.sort(key=lambda part: (part.layer, part.first, int(part.outputs[0])))
    return Placement(
        cell_map=cell_map, cores=used, least=_least(sizes, 0, fewest), bound=1, blocks=tuple(blocks),
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

    def tiles(self, count: int, kind: type[Cells]) -> list[Cells]:
        """Empty tiles, whose rectangles begin at a row and a column at which words of codes begin."""
        known = [_lines(dead) for dead in (*self.dead[:count], self.sound)]
        return [kind(*known[min(core, len(known) - 1)]) for core in range(count)]

    def work(self, tile: Cells) -> int:
        """Positions of the layers of a tile."""
        return sum(self.shapes[piece.layer].walk.positions for piece, _, _ in tile.taken)


def _dead_rows(cell_map: CellMap, lines: Dead | None) -> Dead:
    driven, converted = cell_map.dead(lines)
    return cell_map.per_row(driven) > 0, cell_map.per_column(converted) > 0


def _lines(dead: Dead) -> tuple[Lines, Lines]:
    rows, columns = ([int(line) for line in np.flatnonzero(side)] for side in dead)
    return Lines(len(dead[0]), CODES_IN, rows), Lines(len(dead[1]), CODES_OUT, columns)


def _used(packed: Sequence[Cells]) -> int:
    """How many of the first tiles are all that hold something."""
    return max(k for k, tile in enumerate(packed) if tile.taken) + 1


def _repeated(
    sizes: _Sizes, packed: list[Cells], tiles: int, copies: int, growth: Growth | None
) -> list[Cells]:
    """Tiles with the layers repeated: ``packed`` is without."""
    for count in range(copies, 1, -1):
        more = _packed(sizes, tiles, count)
        if not isinstance(more, int):
            return more
        if growth is not None:
            return _grown(sizes, packed, tiles, growth)
    return packed


def _grown(sizes: _Sizes, packed: list[Cells], tiles: int, growth: Growth) -> list[Cells]:
    """Tiles with that layer repeated once more, again and again, for which the error falls most for its cells."""
    counts, cells = [1] * len(sizes.shapes), [s.walk.terms * s.walk.run * s.outputs // s.groups for s in sizes.shapes]
    growing, lacking = set(range(len(counts))), growth.lacking(packed)
    while growing and (error := growth.error(counts)) > growth.enough:
        grown = {k: [count + (k == j) for j, count in enumerate(counts)] for k in growing}
        gain = {k: (error - growth.error(grown[k])) / cells[k] for k in growing}
        best = max(sorted(growing), key=lambda k: gain[k])
        more = _packed(sizes, tiles, grown[best]) if counts[best] < growth.limit else 0
        if isinstance(more, int) or _copies(more, best) == counts[best] or growth.lacking(more) > lacking:
            growing.discard(best)
        else:
            counts, packed = grown[best], more
    return packed


def _copies(packed: Sequence[Cells], layer: int) -> int:
    return next(piece.copies for tile in packed for piece, _, _ in tile.taken if piece.layer == layer)


def _packed(sizes: _Sizes, tiles: int, copies: int | Sequence[int]) -> list[Cells] | int:
    """Tiles with all layers, repeated so often, or the number of the layer that finds no place.

    On shelves, layer by layer; else wherever cells are free, the highest rectangles first.
    """
    counts = [copies] * len(sizes.shapes) if isinstance(copies, int) else copies
    cut = [_rectangles(k, shape, sizes, counts[k]) for k, shape in enumerate(sizes.shapes)]
    together = [_together(layer) for layer in cut]
    packed = sizes.tiles(tiles, Shelves)
    if sum(map(len, together)) <= tiles:
        every = [group for layer in together for group in layer]
        filled = [tile.with_all(group) for tile, group in zip(packed, every, strict=False)]
        if all(filled):
            return [part for part in filled if part is not None] + packed[len(filled):]
        if sum(map(len, cut)) <= len(every):
            return every[0][0].layer
    refused = _put_layers(sizes, packed, cut, together)
    if refused is None or sum(map(len, cut)) * tiles > MOST_TRIED:
        return packed if refused is None else refused
    packed = sizes.tiles(tiles, Anywhere)
    order = sorted(range(len(cut)), key=lambda k: -cut[k][0].height)
    anywhere = _put_layers(sizes, packed, [cut[k] for k in order], [together[k] for k in order])
    return packed if anywhere is None else refused


def _put_layers(
    sizes: _Sizes, tiles: list[Cells], cut: Sequence[Sequence[Rectangle]],
    together: Sequence[Sequence[Sequence[Rectangle]]],
) -> int | None:
    """Put all layers, each on one tile if one has room; the number of the first that finds no place."""
    for layer, groups in zip(cut, together, strict=True):
        for pieces in ([layer], groups, [[part] for part in layer]):
            before = list(tiles)
            if all(_put(sizes, tiles, piece) for piece in pieces):
                break
            tiles[:] = before
        else:
            return layer[0].layer
    return None


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


def _put(sizes: _Sizes, tiles: list[Cells], rectangles: Sequence[Rectangle]) -> bool:
    """Put rectangles on the tile with the least work that takes all of them."""
    for k in sorted(range(len(tiles)), key=lambda k: (sizes.work(tiles[k]), k)):
        filled = tiles[k].with_all(rectangles)
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

"""Layers cut into rectangles, and packed into lines that are not dead, in one way whatever their sizes.

Besides, how many cores rectangles of weights take at least, however they are packed. The bounds hold for any sets of
rows and columns, contiguous or not, of which no two share a cell:

* a core has so many masks, and so many cells;
* in each row the columns of those that lie there are disjoint, so that their widths add up to at most that of a core,
  and so do the images of those widths by a dual feasible function (Fekete and Schepers, Math. Program. 91, 11 (2001)).
  Summed over the rows, each rectangle counts as its height times that image; the same with rows and columns exchanged;
* of rectangles higher than half a core any two share a row: they lie side by side, each counting as 1 high.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.packing.pack import MASKS, Cells, Lines, New, Packing, Rectangle, Shelves, best_packing
from mho.compiler.mapping.parts import Parts, count_parts, segments
from mho.compiler.types import Float
from mho.macro_models.cell_map import CellMap
from mho.macro_models.errors import InputError
from mho.macro_models.types import Indices, Integers


class FreeLines:
    """Rows and columns that are not dead, per core, those with fewer faulty cells first."""

    def __init__(self, cell_map: CellMap, faults: FaultMaps) -> None:
        self.cell_map, self.faults = cell_map, faults
        self._known: dict[int, tuple[Indices, Indices]] = {}
        ones = [self.lines(core) for core in faults] or [self.lines(-1)]
        self.fewest_rows, self.fewest_columns = (min(map(len, side)) for side in zip(*ones, strict=True))
        if not self.fewest_rows or not self.fewest_columns:
            raise InputError("dead lines leave a core without a usable row pair or column")

    def lines(self, index: int) -> tuple[Indices, Indices]:
        """Rows and columns of a core."""
        # All those without a fault are alike.
        index = index if index in self.faults else -1
        if index not in self._known:
            self._known[index] = self._lines(index)
        return self._known[index]

    def core(self, kind: type[Cells], index: int) -> Cells:
        """An empty core."""
        rows, columns = self.lines(index)
        return kind(Lines(len(rows)), Lines(len(columns)))

    def _lines(self, index: int) -> tuple[Indices, Indices]:
        bit, source = self.cell_map.dead(self.faults[index].dead if index in self.faults else None)
        rows = np.flatnonzero(self.cell_map.per_row(bit) == 0).astype(np.int32)
        columns = np.flatnonzero(self.cell_map.per_column(source) == 0).astype(np.int32)
        if index in self.faults:
            in_rows, in_columns = self.faults[index].counts(self.cell_map)
            rows = rows[np.argsort(in_rows[rows], kind="stable")]
            columns = columns[np.argsort(in_columns[columns], kind="stable")]
        return rows, columns


Shape = tuple[int, int] | tuple[int, int, int]
"""Inputs and outputs of a layer, and the groups that they are divided into."""


@dataclass(frozen=True)
class Size:
    """What a layer takes: rows (its inputs or more), outputs, slices of each output, and copies of all of those.

    Inputs, rows and outputs are those of the largest of its parts.
    """

    inputs: int
    rows: int
    outputs: int
    copies: int
    slices: int
    parts: Parts

    @property
    def cells(self) -> int:
        """Weights that it takes."""
        return self.rows * self.outputs * self.copies * self.slices * self.parts.count

    @property
    def variance(self) -> float:
        """Variance by noise of the cells, relative to that with one for each weight."""
        return self.inputs * self.outputs * self.slices * self.parts.count / self.cells

    @classmethod
    def least(cls, shape: Shape, slices: int, free: FreeLines) -> "Size":
        """One cell for each weight."""
        inputs, outputs, groups = (*shape, 1)[:3]
        count = count_parts(groups, inputs, free.fewest_rows, free.fewest_columns // slices * groups // outputs)
        parts = Parts(count=count, groups=groups, inputs=inputs // groups, outputs=outputs // groups)
        rows, columns = (max(size for _, size in parts.edges(per_group)) for per_group in (parts.inputs, parts.outputs))
        return cls(rows, rows, columns, 1, slices, parts)


MOST_THRESHOLDS = 64
"""Sizes at which the functions change, at most."""

_SLACK = 1e-9


def least_cores(rectangles: Sequence[Rectangle], new: New, shape: tuple[int, int]) -> int:
    """No packing takes fewer cores than these; ``shape`` is (rows, columns) of one without dead lines."""
    heights = np.array([r.height for r in rectangles], dtype=np.int64)
    widths = np.array([r.width for r in rectangles], dtype=np.int64)
    cores, free = 0, 0
    while cores * MASKS < len(rectangles) or free < int(heights @ widths):
        core = new(Shelves, cores)
        cores, free = cores + 1, free + core.rows.count * core.columns.count
    rows, columns = shape
    return max(cores, _by_functions(heights, rows, widths, columns), _by_functions(widths, columns, heights, rows))


def _by_functions(heights: Integers, rows: int, widths: Integers, columns: int) -> int:
    """The bound by rows: each rectangle counts as its height times a function of its width."""
    best, high = 0.0, np.where(2 * heights > rows, 1.0, 0.0)
    for image in _images(widths, columns):
        best = max(best, float(heights @ image) / rows, float(high @ image))
    return int(np.ceil(best - _SLACK))


def _images(sizes: Integers, whole: int) -> list[Float]:
    """Images of sizes in 1..whole by dual feasible functions: of sizes that add up to ``whole`` they make at most 1."""
    share, result = sizes / whole, [sizes / whole]
    limits = np.unique(np.concatenate([sizes, whole - sizes + 1]))
    for limit in limits[2 * limits <= whole][:MOST_THRESHOLDS]:
        # What leaves less than ``limit`` counts as all of it, what is smaller as nothing.
        result.append(np.where(sizes > whole - limit, 1.0, np.where(sizes < limit, 0.0, share)))
    for k in range(1, 9):
        # (k + 1) x rounded down to whole multiples of 1 / k, unless it is whole.
        times = (k + 1) * sizes
        result.append(np.where(times % whole == 0, share, (times // whole) / k))
    return result


Cut = Callable[[int, int], list[tuple[int, int]]]


@dataclass(frozen=True)
class Packer:
    """Cuts layers into rectangles and packs them, in one way whatever their sizes.

    ``even``: segments of one layer are nearly equal, else all but the last are as large as can be.
    """

    free: FreeLines
    even: bool = True
    packing: Packing = field(default_factory=Packing)

    def rectangles(self, sizes: Sequence[Size]) -> list[Rectangle]:
        """The rectangles of all layers: as few as can be."""
        largest = self.free.fewest_rows, self.free.fewest_columns
        cut = segments if self.even else _full
        return [r for layer, size in enumerate(sizes) for r in _cut(layer, size, cut, largest)]

    def pack(self, sizes: Sequence[Size], limit: int | None = None) -> tuple[list[Cells], list[Rectangle]]:
        """Cores that hold all layers, and what is left over where those would be more than ``limit``."""
        ordered = self.packing.sort(self.rectangles(sizes))
        return self.packing.pack(ordered, self.free.core, limit, all_or_none=True)

    def cores(self, sizes: Sequence[Size]) -> list[Cells]:
        """Cores that hold all layers, as many as they take."""
        return self.pack(sizes)[0]

    def fits(self, sizes: Sequence[Size], limit: int) -> bool:
        """Whether all layers fit into so many cores."""
        # Any rectangle fits a core of its own.
        return len(self.rectangles(sizes)) <= limit or not self.pack(sizes, limit)[1]


@lru_cache(maxsize=1 << 14)
def _cut(layer: int, size: Size, cut: Cut, largest: tuple[int, int]) -> tuple[Rectangle, ...]:
    """The rectangles of one layer, of at most so many rows and columns."""
    return tuple(
        Rectangle(layer, part * size.rows + first, height, column + start, width, size.copies, size.slices)
        for part, (column, outputs) in enumerate(size.parts.edges(size.parts.outputs))
        for first, height in cut(size.rows, largest[0])
        for start, width in cut(outputs, largest[1] // (size.slices * size.copies))
    )


def _full(size: int, limit: int) -> list[tuple[int, int]]:
    """Cuts ``size`` into pieces of ``limit`` and what is left: (start, length)."""
    return [(start, min(limit, size - start)) for start in range(0, size, limit)]


def fewest(sizes: Sequence[Size], free: FreeLines) -> tuple[Packer, list[Cells], int]:
    """The way of packing that takes the fewest cores, those cores, and a bound: with either cut no fewer will do."""
    best: tuple[Packer, list[Cells]] | None = None
    bounds: list[int] = []
    shape = free.cell_map.there
    for even in (True, False):
        packer = Packer(free, even)
        rectangles = packer.rectangles(sizes)
        bounds.append(least_cores(rectangles, free.core, shape))
        if best is None or bounds[-1] < len(best[1]):
            packing, packed = best_packing(rectangles, free.core, bounds[-1])
            if best is None or len(packed) < len(best[1]):
                best = replace(packer, packing=packing), packed
    assert best is not None
    return *best, min(bounds)

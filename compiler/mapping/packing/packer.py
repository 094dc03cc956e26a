"""Layers cut into rectangles, and packed in one way whatever their sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from mho.compiler.mapping.packing.bound import least_cores
from mho.compiler.mapping.packing.free_lines import FreeLines
from mho.compiler.mapping.packing.pack import SHELVES, Core, Put, Rectangle, best_packing
from mho.compiler.mapping.packing.size import Size
from mho.compiler.mapping.parts import segments

__all__ = ["Packer", "fewest"]

Cut = Callable[[int, int], list[tuple[int, int]]]


@dataclass(frozen=True)
class Packer:
    """Cuts layers into rectangles and packs them, in one way whatever their sizes.

    ``even``: segments of one layer are nearly equal, else all but the last are as large as can be. ``put`` packs
    rectangles, None for shelves.
    """

    free: FreeLines
    even: bool = True
    put: Put | None = None

    def rectangles(self, sizes: Sequence[Size]) -> list[Rectangle]:
        """The rectangles of all layers: as few as can be."""
        largest = self.free.fewest_rows, self.free.fewest_columns
        cut = segments if self.even else _full
        return [r for layer, size in enumerate(sizes) for r in _cut(layer, size, cut, largest)]

    def pack(self, sizes: Sequence[Size], limit: int | None = None) -> list[Core] | None:
        """Cores that hold all layers; None if those are more than ``limit``."""
        rectangles = self.rectangles(sizes)
        if self.put is not None:
            return self.put(rectangles, limit)
        cores, left = SHELVES.pack(SHELVES.sort(rectangles), self.free.core, limit, all_or_none=True)
        return None if left else cores

    def cores(self, sizes: Sequence[Size]) -> list[Core]:
        """Cores that hold all layers, as many as they take."""
        packed = self.pack(sizes)
        assert packed is not None
        return packed

    def fits(self, sizes: Sequence[Size], limit: int) -> bool:
        """Whether all layers fit into so many cores."""
        # Any rectangle fits a core of its own.
        return len(self.rectangles(sizes)) <= limit or self.pack(sizes, limit) is not None


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


def fewest(sizes: Sequence[Size], free: FreeLines) -> tuple[Packer, list[Core], int]:
    """The way of packing that takes the fewest cores, those cores, and a bound: with either cut no fewer will do."""
    best: tuple[Packer, list[Core]] | None = None
    bounds: list[int] = []
    shape = free.cell_map.there
    for even in (True, False):
        packer = Packer(free, even)
        rectangles = packer.rectangles(sizes)
        bounds.append(least_cores(rectangles, free.core, shape))
        if best is None or bounds[-1] < len(best[1]):
            put, packed = best_packing(rectangles, free.core, bounds[-1])
            if best is None or len(packed) < len(best[1]):
                best = replace(packer, put=put), packed
    assert best is not None
    return *best, min(bounds)

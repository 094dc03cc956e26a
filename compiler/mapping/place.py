"""Placement: which rows and columns of which core hold the weights of each layer.

A layer of ``inputs`` x ``outputs`` weights needs that many rows and columns of a core. Layers larger than a core are
cut into row segments, whose partial sums are added digitally, and column segments. The rectangles are packed
(:mod:`compiler.mapping.pack`): those side by side share rows, which costs nothing, since one product uses one rectangle
at a time and its word-line mask keeps the others' rows from loading its columns. A core has eight masks of each kind,
which limits the rectangles that it takes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from compiler.mapping.block import Block
from compiler.mapping.bound import least_cores
from compiler.mapping.faults import FaultMaps
from compiler.mapping.pack import MASKS, SHELVES, Core, Put, Rectangle, best_packing
from compiler.mapping.parts import Parts, count_parts, segments
from macro_models.cell_map import CellMap
from macro_models.errors import InputError, argument

__all__ = ["MASKS", "Placement", "Shape", "SkipMaps", "place"]

DEFAULT_COPIES = 16
"""Columns of one output, and rows of one input on average, at most."""

ALIKE = (1, 2, 4, 8, 16)

Shape = tuple[int, int] | tuple[int, int, int]
"""Inputs and outputs of a layer, and the groups that they are divided into."""

Cut = Callable[[int, int], list[tuple[int, int]]]

SkipMaps = Mapping[int, tuple[NDArray[np.bool_], NDArray[np.bool_]]]
"""Dead lines: core -> (bit lines, source lines), boolean arrays of one entry a line."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where everything is.

    ``blocks`` are in the order of execution; ``cores`` is how many instances are taken, ``least`` how many would do
    and ``bound`` below how many nothing does (:mod:`compiler.mapping.bound`): if both are equal, that is proven.
    ``rows`` is how many row pairs each layer has: at least its inputs, and more where large weights are spread over
    several rows; ``parts`` is how they are divided. ``faults`` are cells that the weights have to live with.
    """

    cell_map: CellMap
    cores: int
    least: int
    bound: int
    rows: tuple[int, ...]
    parts: tuple[Parts, ...]
    blocks: tuple[Block, ...]
    skip: SkipMaps
    faults: FaultMaps = field(default_factory=dict)

    def of_layer(self, layer: int) -> tuple[Block, ...]:
        return tuple(b for b in self.blocks if b.layer == layer)

    def word_lines(self, core: int) -> NDArray[np.bool_]:
        """The word-line masks of a core, of shape (8, lines); masks that nothing selects have every line on."""
        masks = np.ones((MASKS, self.cell_map.shape[0]), dtype=bool)
        for block in self.blocks:
            if block.core == core:
                masks[block.wl_select] = False
                masks[block.wl_select, self.cell_map.lines_of(block.rows)] = True
        return masks

    def converted_lines(self, core: int) -> NDArray[np.bool_]:
        """The masks of converted lines of a core, of shape (8, lines)."""
        masks = np.ones((MASKS, self.cell_map.shape[1]), dtype=bool)
        for block in self.blocks:
            if block.core == core:
                masks[block.line_select] = False
                masks[block.line_select, block.columns] = True
        return masks

    def dead_lines(self, core: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Skip maps of a core: (bit lines, source lines)."""
        return self.skip.get(core, _none_dead(self.cell_map))


@dataclass(frozen=True)
class _Size:
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
    def least(cls, shape: Shape, slices: int, free: "_FreeLines") -> "_Size":
        """One cell for each weight."""
        inputs, outputs, groups = (*shape, 1)[:3]
        count = count_parts(groups, inputs, free.fewest_rows, free.fewest_columns // slices * groups // outputs)
        parts = Parts(count=count, groups=groups, inputs=inputs // groups, outputs=outputs // groups)
        rows, columns = (max(size for _, size in parts.edges(each)) for each in (parts.inputs, parts.outputs))
        return cls(rows, rows, columns, 1, slices, parts)


def place(
    shapes: Sequence[Shape],
    cell_map: CellMap,
    *,
    copies: int | None = None,
    skip: SkipMaps | None = None,
    slices: Sequence[int] | None = None,
    faults: FaultMaps | None = None,
    cores: int | None = None,
    noise: Sequence[float] | None = None,
    enough: Callable[[Sequence[float]], bool] | None = None,
    start: Sequence[tuple[int, int]] | None = None,
) -> Placement:
    """Places layers of the shapes (inputs, outputs) on as few cores as are found to do.

    A third number of a shape is that of its groups (:mod:`compiler.mapping.parts`).

    With ``copies`` above 1, cells that would stay free serve too, without more cores or more products: a layer is
    repeated in free columns, whose average has less of the noise of cells and converters, and its inputs may take
    several free rows, over which large weights are spread. Small layers come first.

    ``slices`` says how many columns hold the weights of one output, per layer; None for 1 everywhere.

    ``faults`` are what is known of each core: its dead lines are skipped, and lines with fewer faulty cells are taken
    first.

    ``cores`` is how many the chip has. Layers that grow lie on shelves, which may take more cores than the least, if
    the chip has those: a tight packing leaves no room for copies. If the least does not suffice, the host schedules
    instances of cores, and then growing layers may take more of them, up to one for each rectangle: for no more
    products. None: as few as are found to do.

    ``noise`` is what each layer with one cell a weight adds to the variance of the network's outputs, up to a common
    factor; None if all add alike. Cells go where they lower it most.

    ``enough`` tells from the inputs of each layer over its rows times copies whether they have cells enough: until
    then layers grow beyond the cores that are taken anyway, as far as the chip has them, for no more products.
    ``start`` gives (rows, copies) of each layer, rows of the largest part of one with groups, to start from, which may
    take more products and cores (:mod:`compiler.mapping.redundancy`).

    Raises
    ------
    InputError
        If a skip map has a wrong size or leaves no usable line, or a core has fewer columns than one output has slices.
    """
    faults = {} if faults is None else faults
    skip = {} if skip is None else skip
    skip = {**{core: (f.rows, f.columns) for core, f in faults.items()}, **skip}
    free = _FreeLines(cell_map, skip, faults)
    slices = [1] * len(shapes) if slices is None else slices
    if max(slices, default=1) > free.fewest_columns:
        raise InputError(
            f"compile option {argument('slices')} is {max(slices)}, but a core has {free.fewest_columns} usable columns"
        )
    sizes = [_Size.least(shape, count, free) for shape, count in zip(shapes, slices, strict=True)]
    packer, packed, bound = _fewest(sizes, free)
    least = len(packed)
    noise = [1.0] * len(sizes) if noise is None else noise
    # The cells of other groups in a column have noise, too.
    noise = [n * size.parts.groups / size.parts.count for n, size in zip(noise, sizes, strict=True)]
    most = DEFAULT_COPIES if copies is None else copies
    limit = least
    if cores is not None and most > 1:
        shelved = _Packer(free).cores(sizes)
        if least > cores or len(shelved) <= cores:
            packer, packed, limit = _Packer(free), shelved, len(shelved)
        else:
            limit = cores
    if cores is not None and least > cores:
        limit = max(limit, len(packer.rectangles(sizes)))
    if start is not None:
        sizes = [replace(size, rows=rows, copies=count) for size, (rows, count) in zip(sizes, start, strict=True)]
        packer = _Packer(free)
        limit = len(packer.cores(sizes))
        sizes = _fill(sizes, packer, most, limit, noise)
        packed = packer.cores(sizes)
    else:
        # Small layers first, all alike up to some number of copies, then each as it gains: which is best, shows.
        tries = [
            _fill(_grow_alike(sizes, packer, first, limit), packer, most, limit, noise)
            for first in ALIKE
            if first <= most
        ]
        grown = min(tries, key=lambda t: sum(n * size.variance for n, size in zip(noise, t, strict=True)))
        if grown != sizes:
            sizes, packed = grown, packer.cores(grown)
    if enough is not None and cores is not None and least <= cores:
        sizes = _fill(sizes, packer, most, max(cores, limit), noise, enough)
        packed = packer.cores(sizes)
    return Placement(
        cell_map=cell_map, cores=len(packed), least=least, bound=bound, blocks=_blocks(packed), skip=skip,
        faults=faults, rows=tuple(size.rows * size.parts.count for size in sizes),
        parts=tuple(size.parts for size in sizes),
    )


def _grown(size: "_Size", step: int, free: "_FreeLines") -> list["_Size"]:
    """Larger sizes of a layer for a step of growth, the wanted one first."""
    copies, rows = size.copies, size.rows
    width = size.outputs * size.slices * (copies + 1)
    if step % 2 == 0 and copies == step // 2 - 1 and width <= free.fewest_columns:
        return [replace(size, copies=copies + 1)]
    if size.inputs <= free.fewest_rows:
        wanted = min(size.inputs * step // 2, free.fewest_rows)
        return [replace(size, rows=r) for r in (wanted, (wanted + rows) // 2) if r > rows]
    return []


def _grow_alike(sizes: list["_Size"], packer: "_Packer", most: int, limit: int) -> list["_Size"]:
    """All layers grow in turns, small ones first, on at most ``limit`` cores."""
    order = sorted(range(len(sizes)), key=lambda k: sizes[k].inputs * sizes[k].outputs)
    for step in range(2, 2 * most + 1):
        for layer in order:
            # Half a copy more of the rows at every step, one more of the columns at every other one.
            for grown in _grown(sizes[layer], step, packer.free):
                trial = [grown if k == layer else size for k, size in enumerate(sizes)]
                if packer.fits(trial, limit):
                    sizes = trial
                    break
    return sizes


def _fill(
    sizes: list["_Size"], packer: "_Packer", most: int, limit: int, noise: Sequence[float],
    enough: Callable[[Sequence[float]], bool] | None = None,
) -> list["_Size"]:
    """Layers grow as long as they can: that one first whose noise falls most for the cells that it takes.

    The variance of a layer goes with the number of cells that share a weight, times its ``noise``. They
    stop where those are ``enough``.
    """
    moves = {(layer, kind) for layer in range(len(sizes)) for kind in ("rows", "copies")}
    while moves and not (enough and enough([size.variance for size in sizes])):
        candidates = []
        for layer, kind in sorted(moves):
            size = sizes[layer]
            grown = _larger(size, kind, packer.free, most)
            if grown is None:
                moves.discard((layer, kind))
                continue
            gain = noise[layer] * (size.variance - grown.variance) / (grown.cells - size.cells)
            candidates.append((gain, layer, kind, grown))
        if not candidates:
            break
        _, layer, kind, grown = max(candidates, key=lambda c: c[0])
        trial = [grown if k == layer else size for k, size in enumerate(sizes)]
        if packer.fits(trial, limit):
            sizes = trial
        else:
            moves.discard((layer, kind))
    return sizes


def _larger(size: "_Size", kind: str, free: "_FreeLines", most: int) -> "_Size | None":
    """Half a row more for each input, or one copy more; None if that is too much."""
    if kind == "copies":
        fits = size.outputs * size.slices * (size.copies + 1) <= free.fewest_columns and size.copies < most
        return replace(size, copies=size.copies + 1) if fits else None
    rows = min(size.rows + -(-size.inputs // 2), size.inputs * most, free.fewest_rows)
    return replace(size, rows=rows) if size.inputs <= free.fewest_rows and rows > size.rows else None


class _FreeLines:
    """Rows and columns that are not dead, per core, those with fewer faulty cells first."""

    def __init__(self, cell_map: CellMap, skip: SkipMaps, faults: FaultMaps) -> None:
        self.cell_map, self.skip, self.faults = cell_map, skip, faults
        self._known: dict[int, tuple[NDArray[np.int32], NDArray[np.int32]]] = {}
        for core, maps in skip.items():
            if any(np.shape(m) != (lines,) for m, lines in zip(maps, cell_map.shape, strict=True)):
                raise InputError(
                    f"skip maps of core {core} must have {cell_map.shape[0]} entries a direction, "
                    f"not {[np.size(m) for m in maps]}"
                )
        ones = [self.core(c) for c in skip] or [self.core(-1)]
        self.fewest_rows = min(len(c.rows) for c in ones)
        self.fewest_columns = min(len(c.columns) for c in ones)
        if not self.fewest_rows or not self.fewest_columns:
            raise InputError("skip maps leave a core without a usable row pair or column")

    def core(self, index: int) -> Core:
        """An empty core."""
        # All those without a dead line are alike.
        index = index if index in self.skip or index in self.faults else -1
        if index not in self._known:
            self._known[index] = self._lines(index)
        return Core(*self._known[index])

    def _lines(self, index: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        bit, source = (np.asarray(m, dtype=bool) for m in self.skip.get(index, _none_dead(self.cell_map)))
        rows = np.flatnonzero(self.cell_map.per_row(bit) == 0).astype(np.int32)
        columns = np.flatnonzero(~source).astype(np.int32)
        if index in self.faults:
            in_rows, in_columns = self.faults[index].counts(self.cell_map)
            rows = rows[np.argsort(in_rows[rows], kind="stable")]
            columns = columns[np.argsort(in_columns[columns], kind="stable")]
        return rows, columns


def _none_dead(cell_map: CellMap) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    driven, converted = cell_map.shape
    return np.zeros(driven, dtype=bool), np.zeros(converted, dtype=bool)


@dataclass(frozen=True)
class _Packer:
    """Cuts layers into rectangles and packs them, in one way whatever their sizes.

    ``even``: segments of one layer are nearly equal, else all but the last are as large as can be. ``put`` packs
    rectangles, None for shelves.
    """

    free: _FreeLines
    even: bool = True
    put: Put | None = None

    def rectangles(self, sizes: Sequence[_Size]) -> list[Rectangle]:
        """The rectangles of all layers: as few as can be."""
        most = self.free.fewest_rows, self.free.fewest_columns
        cut = segments if self.even else _full
        return [r for layer, size in enumerate(sizes) for r in _cut(layer, size, cut, most)]

    def pack(self, sizes: Sequence[_Size], most: int | None = None) -> list[Core] | None:
        """Cores that hold all layers; None if those are more than ``most``."""
        rectangles = self.rectangles(sizes)
        if self.put is not None:
            return self.put(rectangles, most)
        cores, left = SHELVES.pack(SHELVES.sort(rectangles), self.free.core, most, all_or_none=True)
        return None if left else cores

    def cores(self, sizes: Sequence[_Size]) -> list[Core]:
        """Cores that hold all layers, as many as they take."""
        packed = self.pack(sizes)
        assert packed is not None
        return packed

    def fits(self, sizes: Sequence[_Size], most: int) -> bool:
        """Whether all layers fit into so many cores."""
        # Any rectangle fits a core of its own.
        return len(self.rectangles(sizes)) <= most or self.pack(sizes, most) is not None


@lru_cache(maxsize=1 << 14)
def _cut(layer: int, size: _Size, cut: Cut, most: tuple[int, int]) -> tuple[Rectangle, ...]:
    """The rectangles of one layer, of at most so many rows and columns."""
    return tuple(
        Rectangle(layer, part * size.rows + first, height, column + start, width, size.copies, size.slices)
        for part, (column, outputs) in enumerate(size.parts.edges(size.parts.outputs))
        for first, height in cut(size.rows, most[0])
        for start, width in cut(outputs, most[1] // (size.slices * size.copies))
    )


def _full(size: int, most: int) -> list[tuple[int, int]]:
    """Cuts ``size`` into pieces of ``most`` and what is left: (start, length)."""
    return [(start, min(most, size - start)) for start in range(0, size, most)]


def _fewest(sizes: Sequence[_Size], free: _FreeLines) -> tuple[_Packer, list[Core], int]:
    """The way of packing that takes the fewest cores, those cores, and a bound: with either cut no fewer will do."""
    best: tuple[_Packer, list[Core]] | None = None
    bounds: list[int] = []
    shape = free.cell_map.rows, free.cell_map.shape[1]
    for even in (True, False):
        packer = _Packer(free, even)
        rectangles = packer.rectangles(sizes)
        bounds.append(least_cores(rectangles, free.core, shape))
        if best is None or bounds[-1] < len(best[1]):
            put, packed = best_packing(rectangles, free.core, bounds[-1])
            if best is None or len(packed) < len(best[1]):
                best = replace(packer, put=put), packed
    assert best is not None
    return *best, min(bounds)


def _blocks(cores: Sequence[Core]) -> tuple[Block, ...]:
    blocks = []
    for index, core in enumerate(cores):
        heights: list[tuple[int, int]] = []
        for line_select, (r, top, left) in enumerate(core.taken):
            rows = (top, r.height)
            if rows not in heights:
                heights.append(rows)
            outputs = np.arange(r.first_output, r.first_output + r.outputs, dtype=np.int32)
            outputs = np.tile(outputs, r.copies * r.slices)
            blocks.append(
                Block(
                    layer=r.layer, core=index, first=r.first, rows=core.rows[top : top + r.height],
                    columns=core.columns[left : left + r.width], outputs=outputs, copies=r.copies,
                    wl_select=heights.index(rows), line_select=line_select, slices=r.slices,
                )
            )
    return tuple(sorted(blocks, key=lambda b: (b.layer, b.first, int(b.outputs[0]))))

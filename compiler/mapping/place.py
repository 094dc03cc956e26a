"""Placement: which rows and columns of which core hold the weights of each layer.

A layer of ``inputs`` x ``outputs`` weights needs that many rows and columns of a core. Layers larger than a core are
cut into row segments, whose partial sums are added digitally, and column segments. The rectangles are packed
(:mod:`.packing.pack`): those side by side share rows, which costs nothing, since one product uses one
rectangle at a time and its word-line mask keeps the others' rows from loading its columns. A core has eight masks of
each kind, which limits the rectangles that it takes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.packing.pack import MASKS, Cells
from mho.compiler.mapping.packing.packer import FreeLines, Packer, Shape, Size, fewest
from mho.compiler.mapping.parts import Parts
from mho.compiler.mapping.weights import Block
from mho.macro_models.cell_map import CellMap
from mho.macro_models.errors import InputError, argument
from mho.macro_models.types import Flags


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where everything is.

    ``blocks`` are in the order of execution; ``cores`` is how many instances are taken, ``least`` how many would do
    and ``bound`` below how many nothing does (:mod:`.packing.bound`): if both are equal, that is proven.
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
    faults: FaultMaps = field(default_factory=dict)

    def of_layer(self, layer: int) -> tuple[Block, ...]:
        return tuple(b for b in self.blocks if b.layer == layer)

    def word_lines(self, core: int) -> Flags:
        """The word-line masks of a core, of shape (8, lines); masks that nothing selects have every line on."""
        masks = np.ones((MASKS, self.cell_map.shape[0]), dtype=bool)
        for block in self.blocks:
            if block.core == core:
                masks[block.wl_select] = False
                masks[block.wl_select, self.cell_map.lines_of(block.rows)] = True
        return masks

    def converted_lines(self, core: int) -> Flags:
        """The masks of converted lines of a core, of shape (8, lines)."""
        masks = np.ones((MASKS, self.cell_map.shape[1]), dtype=bool)
        for block in self.blocks:
            if block.core == core:
                masks[block.line_select] = False
                masks[block.line_select, self.cell_map.converted_of(block.columns)] = True
        return masks

    def dead_lines(self, core: int) -> tuple[Flags, Flags]:
        """Skip maps of a core: (bit lines, source lines)."""
        return self.cell_map.dead(self.faults[core].dead if core in self.faults else None)


def _grown(size: Size, step: int, free: FreeLines) -> list[Size]:
    """Larger sizes of a layer for a step of growth, the wanted one first."""
    copies, rows = size.copies, size.rows
    width = size.outputs * size.slices * (copies + 1)
    if step % 2 == 0 and copies == step // 2 - 1 and width <= free.fewest_columns:
        return [replace(size, copies=copies + 1)]
    if size.inputs <= free.fewest_rows:
        rows_grown = min(size.inputs * step // 2, free.fewest_rows)
        return [replace(size, rows=r) for r in (rows_grown, (rows_grown + rows) // 2) if r > rows]
    return []


def grow_alike(sizes: list[Size], packer: Packer, limit_cores: int, limit: int) -> list[Size]:
    """All layers grow in turns, small ones first, on at most ``limit`` cores."""
    order = sorted(range(len(sizes)), key=lambda k: sizes[k].inputs * sizes[k].outputs)
    for step in range(2, 2 * limit_cores + 1):
        for layer in order:
            # Half a copy more of the rows at every step, one more of the columns at every other one.
            for grown in _grown(sizes[layer], step, packer.free):
                trial = [grown if k == layer else size for k, size in enumerate(sizes)]
                if packer.fits(trial, limit):
                    sizes = trial
                    break
    return sizes


def fill(
    sizes: list[Size], packer: Packer, limit_cores: int, limit: int, noise: Sequence[float],
    enough: Callable[[Sequence[float]], bool] | None = None,
) -> list[Size]:
    """Layers grow as long as they can: that one first whose noise falls most for the cells that it takes.

    The variance of a layer goes with the number of cells that share a weight, times its ``noise``. They
    stop where those are ``enough``.
    """
    moves = {(layer, kind) for layer in range(len(sizes)) for kind in ("rows", "copies")}
    while moves and not (enough and enough([size.variance for size in sizes])):
        candidates = []
        for layer, kind in sorted(moves):
            size = sizes[layer]
            grown = _larger(size, kind, packer.free, limit_cores)
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


def _larger(size: Size, kind: str, free: FreeLines, limit: int) -> Size | None:
    """Half a row more for each input, or one copy more; None if that is too much."""
    if kind == "copies":
        fits = size.outputs * size.slices * (size.copies + 1) <= free.fewest_columns and size.copies < limit
        return replace(size, copies=size.copies + 1) if fits else None
    rows = min(size.rows + -(-size.inputs // 2), size.inputs * limit, free.fewest_rows)
    return replace(size, rows=rows) if size.inputs <= free.fewest_rows and rows > size.rows else None


DEFAULT_COPIES = 16
"""Columns of one output, and rows of one input on average, at most."""

ALIKE = (1, 2, 4, 8, 16)


def place(
    shapes: Sequence[Shape],
    cell_map: CellMap,
    *,
    copies: int | None = None,
    slices: Sequence[int] | None = None,
    faults: FaultMaps | None = None,
    cores: int | None = None,
    noise: Sequence[float] | None = None,
    enough: Callable[[Sequence[float]], bool] | None = None,
    start: Sequence[tuple[int, int]] | None = None,
) -> Placement:
    """Places layers of the shapes (inputs, outputs) on as few cores as are found to do.

    A third number of a shape is that of its groups (:mod:`mho.compiler.mapping.parts`).

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

    ``enough`` tells from the inputs of each layer over its rows times copies whether they have cells enough: until then
    layers grow beyond the cores that are taken anyway, as far as the chip has them, for no more products. ``start``
    gives (rows, copies) of each layer, rows of the largest part of one with groups, to start from, which may take more
    products and cores (:mod:`mho.compiler.mapping.redundancy`). Raises InputError if dead lines leave no
    usable one, or a core has fewer columns than one output has slices.
    """
    faults = {} if faults is None else faults
    free = FreeLines(cell_map, faults)
    slices = [1] * len(shapes) if slices is None else slices
    if max(slices, default=1) > free.fewest_columns:
        raise InputError(
            f"compile option {argument('slices')} is {max(slices)}, but a core has {free.fewest_columns} usable columns"
        )
    sizes = [Size.least(shape, count, free) for shape, count in zip(shapes, slices, strict=True)]
    packer, packed, bound = fewest(sizes, free)
    fewest_cores = len(packed)
    noise = [1.0] * len(sizes) if noise is None else noise
    # The cells of other groups in a column have noise, too.
    noise = [n * size.parts.groups / size.parts.count for n, size in zip(noise, sizes, strict=True)]
    copies_limit = DEFAULT_COPIES if copies is None else copies
    limit = fewest_cores
    if cores is not None and copies_limit > 1:
        shelved = Packer(free).cores(sizes)
        if fewest_cores > cores or len(shelved) <= cores:
            packer, packed, limit = Packer(free), shelved, len(shelved)
        else:
            limit = cores
    if cores is not None and fewest_cores > cores:
        limit = max(limit, len(packer.rectangles(sizes)))
    if start is not None:
        sizes = [replace(size, rows=rows, copies=count) for size, (rows, count) in zip(sizes, start, strict=True)]
        packer = Packer(free)
        limit = len(packer.cores(sizes))
        sizes = fill(sizes, packer, copies_limit, limit, noise)
        packed = packer.cores(sizes)
    else:
        # Small layers first, all alike up to some number of copies, then each as it gains: which is best, shows.
        tries = [
            fill(grow_alike(sizes, packer, first, limit), packer, copies_limit, limit, noise)
            for first in ALIKE
            if first <= copies_limit
        ]
        grown = min(tries, key=lambda t: sum(n * size.variance for n, size in zip(noise, t, strict=True)))
        if grown != sizes:
            sizes, packed = grown, packer.cores(grown)
    if enough is not None and cores is not None and fewest_cores <= cores:
        sizes = fill(sizes, packer, copies_limit, max(cores, limit), noise, enough)
        packed = packer.cores(sizes)
    return Placement(
        cell_map=cell_map, cores=len(packed), least=fewest_cores, bound=bound, blocks=_blocks(packed, free),
        faults=faults, rows=tuple(size.rows * size.parts.count for size in sizes),
        parts=tuple(size.parts for size in sizes),
    )


def _blocks(cores: Sequence[Cells], free: FreeLines) -> tuple[Block, ...]:
    blocks = []
    for index, core in enumerate(cores):
        core_rows, core_columns = free.lines(index)
        heights: list[tuple[int, int]] = []
        for line_select, (r, top, left) in enumerate(core.taken):
            rows = (top, r.height)
            if rows not in heights:
                heights.append(rows)
            outputs = np.arange(r.first_output, r.first_output + r.outputs, dtype=np.int32)
            outputs = np.tile(outputs, r.copies * r.slices)
            blocks.append(
                Block(
                    layer=r.layer, core=index, first=r.first, rows=core_rows[top : top + r.height],
                    columns=core_columns[left : left + r.width], outputs=outputs, copies=r.copies,
                    wl_select=heights.index(rows), line_select=line_select, slices=r.slices,
                )
            )
    return tuple(sorted(blocks, key=lambda b: (b.layer, b.first, int(b.outputs[0]))))

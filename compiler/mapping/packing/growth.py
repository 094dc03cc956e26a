"""Layers that take more cells than one a weight, as far as cores have room: for less noise."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mho.compiler.mapping.packing.free_lines import FreeLines
from mho.compiler.mapping.packing.packer import Packer
from mho.compiler.mapping.packing.size import Size

__all__ = ["fill", "grow_alike"]


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

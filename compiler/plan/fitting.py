"""Whether a network fits a chip, by how much it does not, and what would do."""

import math
from collections.abc import Sequence
from typing import Any

from compiler.mapping import place
from compiler.model import FloatNetwork
from hw.config import Chip, load_chip, preset_names
from macro_models.errors import InputError

__all__ = ["fitting", "overflow"]

MOST_CORES = 4096
"""Cores up to which a packing on another chip is tried."""


def fitting(
    net: FloatNetwork, slices: Sequence[int], chip: Chip, *, cores: int, least: int, bound: int
) -> dict[str, Any]:
    """Whether the layers of a network fit a chip, and what would do: plain numbers.

    ``cores`` are taken, ``least`` would do, below ``bound`` nothing does. Besides those: ``there`` (cores of the chip),
    ``missing`` (how many more are needed, 0 if it fits), ``would_fit`` (presets of the same kind of which one chip
    does, with their least and their cores), ``mesh`` (columns and rows of such cores that would do, None if it fits),
    ``figures`` (what figures are of that do not fit, a sentence).
    """
    missing = max(0, least - chip.cores)
    return {
        "there": chip.cores, "cores": cores, "least": least, "bound": bound, "missing": missing,
        "would_fit": _presets(net, slices, chip) if missing else [],
        "mesh": _mesh(least) if missing else None, "figures": _figures(chip, cores),
    }


def overflow(chip: Chip, cores: int) -> dict[str, Any]:
    """Whether so many ``cores`` are on one chip, and what figures of a network on them are of: plain numbers and words.

    ``fits``, ``cores``, ``there``, ``chips`` (that hold them), ``note`` (a sentence, empty if it fits).
    """
    chips = -(-cores // chip.cores)
    figures = _figures(chip, cores)
    note = figures and f"does not fit: takes {cores} cores, and {chip.name} has {chip.cores}: {figures}"
    return {"fits": chips == 1, "cores": cores, "there": chip.cores, "chips": chips, "note": note}


def _figures(chip: Chip, cores: int) -> str:
    chips = -(-cores // chip.cores)
    return "" if chips == 1 else (
        f"these figures are of {chips} chips; on one, cells are programmed between layers, whose time, energy and wear "
        "are not counted"
    )


def _fewest(net: FloatNetwork, slices: Sequence[int], chip: Chip) -> int | None:
    """Cores that do, by the placement of the chip's tiles, or of a host; None if no number does."""
    from compiler.tile.dry import tile_shapes
    from compiler.tile.placed.placing import fewest_tiles

    cell_map = chip.macro_config().cell_map
    if chip.tile.programs:
        return fewest_tiles(tile_shapes(net, chip), cell_map, slices=slices)
    return place([layer.shape for layer in net.layers], cell_map, copies=1, slices=slices).least


def _presets(net: FloatNetwork, slices: Sequence[int], chip: Chip) -> list[dict[str, Any]]:
    """Presets of the chip's kind on which the network fits, those of the fewest cells first."""
    found: list[tuple[int, dict[str, Any]]] = []
    shapes = [(*layer.shape, 1)[:3] for layer in net.layers]
    weights = sum(rows * columns // groups * n for (rows, columns, groups), n in zip(shapes, slices, strict=True))
    for name in preset_names():
        other = load_chip(name)
        cell_map = other.macro_config().cell_map
        most = min(other.cores, MOST_CORES)
        if other.core.kind != chip.core.kind or weights > most * cell_map.rows * cell_map.columns:
            continue
        try:
            least = _fewest(net, slices, other)
        except InputError:  # a core narrower than the slices of one output, or no form on its tiles
            continue
        if least is not None and least <= other.cores:
            cells = cell_map.rows * cell_map.columns * other.cores
            found.append((cells, {"chip": name, "least": least, "there": other.cores}))
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1]["chip"]))]


def _mesh(cores: int) -> list[int] | None:
    """Columns and rows of a mesh with so many cores; None beyond what a mesh can be."""
    columns = math.isqrt(cores - 1) + 1
    rows = -(-cores // columns)
    return [columns, rows] if columns <= 16 else None

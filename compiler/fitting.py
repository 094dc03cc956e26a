"""Whether a network fits a chip, by how much it does not, and what would do."""

import math
from collections.abc import Sequence

from mho.compiler.mapping import place
from mho.compiler.model import FloatNetwork
from mho.compiler.network import Network
from mho.compiler.network.report import cores_of
from mho.compiler.plan import overflow
from mho.compiler.tile.dry import tile_shapes
from mho.compiler.tile.placement.placing import fewest_tiles
from mho.compiler.types import Facts
from mho.hw.config import Chip, load_chip, preset_names
from mho.macro_models.errors import InputError

__all__ = ["fitting", "fitting_of"]

MOST_CORES = 4096
"""Cores up to which a packing on another chip is tried."""


def fitting(
    net: FloatNetwork, slices: Sequence[int], chip: Chip, *, cores: int, least: int, bound: int
) -> Facts:
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
        "mesh": _mesh(least) if missing else None, "figures": overflow(chip, cores)["figures"],
    }


def fitting_of(network: Network) -> Facts:
    """Whether a network fits its chip, see :func:`fitting`; of old files what is taken is the least."""
    facts, cores = network.calibration, cores_of(network)
    return fitting(
        network.model, facts.slices, network.chip, cores=cores, least=facts.cores_least or cores,
        bound=facts.cores_bound or 1,
    )


def _fewest(net: FloatNetwork, slices: Sequence[int], chip: Chip) -> int | None:
    """Cores that do, by the placement of the chip's tiles, or of a host; None if no number does."""
    cell_map = chip.macro_config().cell_map
    if chip.tile.programs:
        return fewest_tiles(tile_shapes(net, chip), cell_map, slices=slices)
    return place([layer.shape for layer in net.layers], cell_map, copies=1, slices=slices).least


def _presets(net: FloatNetwork, slices: Sequence[int], chip: Chip) -> list[Facts]:
    """Presets of the chip's kind on which the network fits, those of the fewest cells first."""
    fitting_presets: list[tuple[int, Facts]] = []
    shapes = [(*layer.shape, 1)[:3] for layer in net.layers]
    weights = sum(rows * columns // groups * n for (rows, columns, groups), n in zip(shapes, slices, strict=True))
    for name in preset_names():
        preset = load_chip(name)
        cell_map = preset.macro_config().cell_map
        limit = min(preset.cores, MOST_CORES)
        if preset.core.kind != chip.core.kind or weights > limit * cell_map.rows * cell_map.columns:
            continue
        try:
            fewest = _fewest(net, slices, preset)
        except InputError:  # a core narrower than the slices of one output, or no form on its tiles
            continue
        if fewest is not None and fewest <= preset.cores:
            cells = cell_map.rows * cell_map.columns * preset.cores
            fitting_presets.append((cells, {"chip": name, "least": fewest, "there": preset.cores}))
    return [entry for _, entry in sorted(fitting_presets, key=lambda pair: (pair[0], pair[1]["chip"]))]


def _mesh(cores: int) -> list[int] | None:
    """Columns and rows of a mesh with so many cores; None beyond what a mesh can be."""
    columns = math.isqrt(cores - 1) + 1
    rows = -(-cores // columns)
    return [columns, rows] if columns <= 16 else None

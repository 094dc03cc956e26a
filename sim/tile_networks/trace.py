"""What tiles did in a co-simulation, as numbers for reports: who was at work when, and how long."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.tile_networks.host import MeshResult
from sim.tile_networks.plan import Plan
from sim.tile_networks.timeline import KINDS, image_ends, intervals

__all__ = ["trace_of"]

_SHOWN = 6
"""Images of which intervals are kept."""


def trace_of(plan: Plan, result: MeshResult) -> dict[str, Any]:
    """For JSON: cycles of each image, of each tile how long it worked and waited, intervals of the first images.

    ``array``, ``digital`` and ``waiting`` of a tile are cycles between the host's first flit and the last result: the
    array converts; something else of the tile works, and the array does not; nothing does.
    """
    ends, first = image_ends(plan, result), result.progress["first"]
    shown, last = int(ends[min(_SHOWN, len(ends)) - 1]), int(ends[-1])
    tiles = []
    for node in plan.tiles:
        column, row = plan.parts.mesh.position(node)
        tiles.append({
            "tile": f"{column},{row}", **_sums(result.states, node, first, last),
            "intervals": {kind: _clipped(intervals(result.states, node, kind, last), first, shown) for kind in KINDS},
        })
    return {
        "images": len(ends), "first": first, "last": last, "image_ends": ends.tolist(), "shown_to": shown,
        "mesh": [plan.parts.mesh.columns, plan.parts.mesh.rows], "tiles": tiles,
    }


def _clipped(found: NDArray[np.int64], first: int, last: int) -> list[list[int]]:
    inside = found[(found[:, 1] > first) & (found[:, 0] < last)]
    return np.clip(inside, first, last).tolist()


def _sums(states: NDArray[np.uint64], tile: int, first: int, last: int) -> dict[str, int]:
    """Cycles of a tile by what it did."""
    rows = states[states[:, 1] == tile].astype(np.int64)
    at = np.clip(np.append(rows[:, 0], last), first, last)
    lengths, works = np.diff(at), rows[:, 2]
    array = (works >> KINDS.index("array") & 1).astype(bool)
    busy = {"array": int(lengths[array].sum()), "digital": int(lengths[~array & (works != 0)].sum())}
    return busy | {"waiting": last - first - sum(busy.values())}

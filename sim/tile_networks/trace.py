"""What tiles did in a co-simulation, as numbers for reports: who was at work when, and how long; which have waves."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.noc.config import MeshConfig
from mho.macro_models.errors import InputError, argument
from mho.sim.tile_networks.host import MeshResult
from mho.sim.tile_networks.plan import Plan


def traced_tiles(mesh: MeshConfig, names: Sequence[str]) -> list[int]:
    """Numbers of tiles that are given as ``"C,R"``, column and row.

    Raises InputError if the mesh has no such tile.
    """
    columns, rows = mesh.columns, mesh.rows
    nodes = []
    for name in names:
        place = re.fullmatch(r"(\d+),(\d+)", name)
        if place is None or int(place[1]) >= columns or int(place[2]) >= rows:
            raise InputError(f"{argument('waves_tiles')} must be column and row of a tile, from 0,0 to "
                             f"{columns - 1},{rows - 1}, not {name!r}")
        nodes.append(int(place[2]) * columns + int(place[1]))
    return nodes


def waves_arguments(numbers: Sequence[int] | None) -> list[str]:
    """Arguments of a simulator that traces these tiles alone, or all: see ``tile_waves.h``."""
    return [] if numbers is None else [f"+mho_waves={','.join(map(str, numbers))}"]


KINDS = ("load", "vector", "send", "array")
"""Who is at work, by the bits of a state."""

_SHOWN = 6
"""Images of which intervals are kept."""
_JOIN = 12
"""Pauses of so many cycles are drawn as work: codes of a product come by words."""


def intervals(states: NDArray[np.uint64], tile: int, kind: str, end: int) -> NDArray[np.int64]:
    """When something of a tile is at work, short pauses left out: rows of first cycle and the cycle behind the last.

    Parameters
    ----------
    states
        As of :class:`mho.sim.tile_networks.host.MeshResult`.
    tile, kind
        Which tile, and one of :data:`KINDS`.
    end
        Cycle at which the trace ends.
    """
    rows = states[states[:, 1] == tile].astype(np.int64)
    on = (rows[:, 2] >> KINDS.index(kind) & 1).astype(bool)
    changes = np.flatnonzero(np.diff(on, prepend=False))
    at = rows[changes, 0]
    if len(at) % 2:
        at = np.append(at, end)
    pairs = at.reshape(-1, 2)
    if not len(pairs):
        return pairs
    breaks = np.flatnonzero(pairs[1:, 0] - pairs[:-1, 1] > _JOIN)
    return np.column_stack([pairs[np.r_[0, breaks + 1], 0], pairs[np.r_[breaks, len(pairs) - 1], 1]])


def image_ends(plan: Plan, result: MeshResult) -> NDArray[np.int64]:
    """Cycles at which all values of each image had come to the host."""
    ends_of_sinks = [arrivals.astype(np.int64)[sink.image_flits - 1 :: sink.image_flits]
            for arrivals, sink in zip(result.arrivals, plan.sinks, strict=True)]
    return np.max(ends_of_sinks, axis=0)


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


def _clipped(spans: NDArray[np.int64], first: int, last: int) -> list[list[int]]:
    inside = spans[(spans[:, 1] > first) & (spans[:, 0] < last)]
    return np.clip(inside, first, last).tolist()


def _sums(states: NDArray[np.uint64], tile: int, first: int, last: int) -> dict[str, int]:
    """Cycles of a tile by what it did."""
    rows = states[states[:, 1] == tile].astype(np.int64)
    at = np.clip(np.append(rows[:, 0], last), first, last)
    lengths, works = np.diff(at), rows[:, 2]
    array = (works >> KINDS.index("array") & 1).astype(bool)
    busy = {"array": int(lengths[array].sum()), "digital": int(lengths[~array & (works != 0)].sum())}
    return busy | {"waiting": last - first - sum(busy.values())}

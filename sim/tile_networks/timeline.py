"""A timeline of what the tiles of a chip do, drawn from what was noted in a co-simulation."""

import numpy as np
from numpy.typing import NDArray

from hw.tile.documents.svg import Picture
from sim.tile_networks.host import MeshResult
from sim.tile_networks.plan import Plan

__all__ = ["KINDS", "draw_timeline", "image_ends", "intervals"]

KINDS = ("load", "vector", "send", "array")
"""Who is at work, by the bits of a state."""

_TRACKS = (("array", "strong", ("array",)), ("load", "queue", ("load",)), ("vector", "logic", ("vector",)),
           ("send", "state", ("send",)))
_LEFT, _WIDTH, _TRACK, _TILE, _TOP = 130, 760, 14, 74, 62
_JOIN = 12
"""Pauses of so many cycles are drawn as work: codes of a product come by words."""


def intervals(states: NDArray[np.uint64], tile: int, kind: str, end: int, join: int = _JOIN) -> NDArray[np.int64]:
    """When something of a tile is at work: rows of first cycle and the cycle behind the last.

    Parameters
    ----------
    states
        As of :class:`sim.tile_networks.host.MeshResult`.
    tile, kind
        Which tile, and one of :data:`KINDS`.
    end
        Cycle at which the trace ends.
    join
        Pauses up to so many cycles are left out.
    """
    rows = states[states[:, 1] == tile].astype(np.int64)
    on = (rows[:, 2] >> KINDS.index(kind) & 1).astype(bool)
    changes = np.flatnonzero(np.diff(on, prepend=False))
    at = rows[changes, 0]
    if len(at) % 2:
        at = np.append(at, end)
    found = at.reshape(-1, 2)
    if not len(found):
        return found
    breaks = np.flatnonzero(found[1:, 0] - found[:-1, 1] > join)
    return np.column_stack([found[np.r_[0, breaks + 1], 0], found[np.r_[breaks, len(found) - 1], 1]])


def image_ends(plan: Plan, result: MeshResult) -> NDArray[np.int64]:
    """Cycles at which all values of each image had come to the host."""
    each = [came.astype(np.int64)[sink.image_flits - 1 :: sink.image_flits]
            for came, sink in zip(result.arrivals, plan.sinks, strict=True)]
    return np.max(each, axis=0)


def draw_timeline(plan: Plan, result: MeshResult, images: int = 6) -> str:
    """An SVG of the time from the host's first flit to the result of image number ``images``.

    Of each tile: conversions of the array, codes on their way into the core, words that the vector unit takes or
    makes, flits that leave. White is waiting. Numbers on top are results that came to the host.
    """
    ends = image_ends(plan, result)
    first, last = result.progress["first"], int(ends[min(images, len(ends)) - 1])
    scale = _WIDTH / (last - first)
    p = Picture(_LEFT + _WIDTH + 20, _TOP + _TILE * len(plan.tiles) + 30, "What the tiles do while images go through")
    p.text(12, 22, f"{len(ends[: images])} images, {last - first:,} cycles; results at the host:", "name left")
    for k, end in enumerate(ends[:images].tolist()):
        x = _LEFT + (end - first) * scale
        p.text(x - 6, 44, str(k + 1), "small")
        p.box("gone", x - 0.5, 50, 1, _TILE * len(plan.tiles) + 8)
    for k, node in enumerate(plan.tiles):
        y = _TOP + _TILE * k
        column, row = plan.parts.mesh.position(node)
        p.text(12, y + 32, f"tile {column},{row}", "left")
        for number, (name, style, kinds) in enumerate(_TRACKS):
            top = y + number * (_TRACK + 1)
            p.text(_LEFT - 48, top + 11, name, "small left")
            for kind in kinds:
                _track(p, style, top, intervals(result.states, node, kind, last), first, last, scale)
    return p.svg()


def _track(
    p: Picture, style: str, top: float, found: NDArray[np.int64], first: int, last: int, scale: float
) -> None:
    for begin, end in found.tolist():
        if end > first and begin < last:
            begin, end = max(begin, first), min(end, last)
            left, width = _LEFT + (begin - first) * scale, max((end - begin) * scale, 0.6)
            p.box(style, round(left, 1), top, round(width, 1), _TRACK)

"""What a tile does in the images of a run, where copies of layers are dealt images."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from compiler.tile.graph.graph import Graph
from compiler.tile.placed.order import IMAGE, firings

__all__ = ["Runs"]


class Runs:
    """Orders of all tiles, from one untimed run of each image that differs.

    Parameters
    ----------
    graph, members
        Nodes, and the tiles of each.
    first
        Number of the first image of a run.
    whole, joined
        As of :func:`compiler.tile.placed.order.firings`.
    """

    def __init__(
        self, graph: Graph, members: Sequence[tuple[str, ...]], first: int, whole: frozenset[str],
        joined: frozenset[str],
    ) -> None:
        self._graph, self._members, self._first = graph, members, first
        self.of = cache(lambda image: firings(graph, members, whole, joined, image, first))

    of: Callable[[int], Mapping[str, list[int]]]
    """What all tiles do in an image."""

    def before(self, tile: str) -> list[int]:
        """What a tile does once, until each copy on it has had its first image, or is at it."""
        return self._some(tile, 0, self._lead(tile))

    def again(self, tile: str) -> list[int]:
        """What it does again and again: an image, or several, each with its end."""
        lead, period = self._lead(tile), math.lcm(*map(self._graph.period, self._on(tile)))
        return self.of(self._first)[tile] if period == 1 else self._some(tile, lead, lead + period)

    def _some(self, tile: str, begin: int, end: int) -> list[int]:
        return [number for image in range(begin, end) for number in (*self.of(self._first + image)[tile], IMAGE)]

    def _on(self, tile: str) -> list[int]:
        return [k for k, some in enumerate(self._members) if tile in some]

    def _lead(self, tile: str) -> int:
        """Images of a run before the first one of the last copy on a tile."""
        calls = [call for k in self._on(tile) if (call := self._graph.dealt(k)) is not None]
        return max(((call.turn - self._first) % call.turns for call in calls), default=0)

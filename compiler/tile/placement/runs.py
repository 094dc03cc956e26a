"""What a tile does in the images of a run, where copies of layers are dealt images."""

import math
from collections.abc import Mapping, Sequence

from mho.compiler.tile.graph.graph import Graph
from mho.compiler.tile.placement.order import IMAGE, firings

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
        As of :func:`mho.compiler.tile.placement.order.firings`.
    """

    def __init__(
        self, graph: Graph, members: Sequence[tuple[str, ...]], first: int, whole: frozenset[str],
        joined: frozenset[str],
    ) -> None:
        self._graph, self._members, self._first = graph, members, first
        self._whole, self._joined, self._orders = whole, joined, dict[int, Mapping[str, list[int]]]()

    def of(self, image: int) -> Mapping[str, list[int]]:
        """What all tiles do in an image."""
        if image not in self._orders:
            self._orders[image] = firings(self._graph, self._members, self._whole, self._joined, image)
        return self._orders[image]

    def again(self, tile: str) -> list[int]:
        """What a tile does again and again: an image, or several, each with its end."""
        period = math.lcm(*(self._graph.period(k) for k, tiles in enumerate(self._members) if tile in tiles))
        if period == 1:
            return self.of(self._first)[tile]
        return [number for n in range(period) for number in (*self.of(self._first + n)[tile], IMAGE)]

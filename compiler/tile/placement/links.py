"""How much of an image goes over each link of the mesh."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from mho.compiler.tile.placement.streams import Placed, place_of, tile_name
from mho.compiler.types import Facts
from mho.hw.config import Chip
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.reduction.trees import Edge, path
from mho.hw.tile.interpreter.joined import HOST

__all__ = ["link_flits"]


def link_flits(placed: Placed, chip: Chip) -> list[Facts]:
    """Flits of an image on each link that has some, for JSON: ``start``, ``end`` (tiles) and ``flits``.

    Blocks go along a row, then along a column; a multicast crosses a link once, and so does a sum. For each block a
    flit comes back from each receiver, by which the next but one may go. The host is at tile 0,0. No program depends
    on data, so the numbers are exact.
    """
    return _Links(placed, chip).found()


class _Links:
    def __init__(self, placed: Placed, chip: Chip) -> None:
        self._placed, self._chip, self._mesh = placed, chip, MeshConfig.from_chip(chip)
        self._count: Counter[Edge] = Counter()

    def found(self) -> list[Facts]:
        """All of them."""
        placed = self._placed
        values = placed.graph.values
        for value, flows in placed.flows.items():
            for flow in flows:
                self._blocks(flow.sender, flow.to, values[value].image.pixels, values[value].block)
        sent: dict[tuple[int, int | None], list[str]] = {}
        for ring in placed.rings.values():
            if ring.value in placed.graph.split.entries:
                sent.setdefault((ring.value, ring.slot), []).append(ring.tile)
        for (value, _), tiles in sent.items():
            self._blocks(HOST, tiles, values[value].image.pixels, values[value].block)
        for (k, p), (_, flow) in placed.columns.items():
            value = values[placed.graph.nodes[k].values[0]]
            self._blocks(flow.sender, flow.to, value.image.pixels, placed.parts[k][p].count * value.width)
        for (k, p), reduction in placed.reductions.items():
            edges = {edge for tile in reduction.members for edge in self._way(tile, reduction.root)}
            self._add(edges, placed.graph.nodes[k].walk.positions * self._flits(2 * placed.parts[k][p].count))
        return [{"start": tile_name(self._chip, a), "end": tile_name(self._chip, b), "flits": flits}
                for (a, b), flits in sorted(self._count.items())]

    def _blocks(self, sender: str, to: Iterable[str], blocks: int, size: int) -> None:
        """Blocks from a tile to others, and what comes back."""
        ends = list(to)
        self._add({edge for tile in ends for edge in self._way(sender, tile)}, blocks * self._flits(size))
        for tile in ends:
            self._add(self._way(tile, sender), blocks)

    def _flits(self, size: int) -> int:
        return -(-size // self._placed.flit_bytes)

    def _add(self, edges: Iterable[Edge], flits: int) -> None:
        self._count.update(dict.fromkeys(edges, flits))

    def _way(self, start: str, end: str) -> list[Edge]:
        """Links from one tile to another."""
        return list(pairwise(node for node, _ in path(self._mesh, self._node(start), self._node(end))))

    def _node(self, tile: str) -> int:
        return self._mesh.node(*(0, 0) if tile == HOST else place_of(tile))

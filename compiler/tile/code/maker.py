"""Programs of all tiles in the making: in which order and images of a run, with which rings, and what has no room.

Rings begin with the least that their windows need. The token machine, which sees no time, says which of them have to be
larger so that nothing gets stuck; those that are filled by other tiles then get :data:`SLACK` blocks more, as far as
buffers have room, so that blocks under way delay nobody.
"""

import math
from collections.abc import Mapping, Sequence

from mho.compiler.network import Network
from mho.compiler.program import Call
from mho.compiler.tile.code.allocate import allocate
from mho.compiler.tile.code.emit import Emitter, least_blocks, more_blocks
from mho.compiler.tile.code.ir import TileSource
from mho.compiler.tile.graph.graph import Graph
from mho.compiler.tile.placement.order import IMAGE, Steps, firings, in_loops
from mho.compiler.tile.placement.sharing import shared
from mho.compiler.tile.placement.software_pipeline import RUN, Cuts, Spans, spans_of, tile_pipeline
from mho.compiler.tile.placement.streams import Placed, Ring
from mho.compiler.tile.refusal import Full, LongRing, NoRoomError, Refusal, full_of
from mho.hw.tile.interpreter import liveness
from mho.hw.tile.interpreter.joined import HOST, HostStep, Joined, Place
from mho.hw.tile.interpreter.tokens import TokenMachine
from mho.hw.tile.isa import DESCRIPTORS


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

SLACK = 3
"""Blocks beyond those that do without latency: one under way, one acknowledged, one read."""

MOST_BLOCKS = DESCRIPTORS["stream"].layout["blocks"].range[1]
Blocks = dict[tuple[str, str], int]


class Maker:
    """Programs of a network whose nodes have their places, made by its methods one after the other."""

    def __init__(self, network: Network, placed: Placed, image: int) -> None:
        self.network, self.image = network, image
        self.placed = self._unshared = placed
        self.blocks: Blocks = {}
        self.places: dict[str, Place] = {}
        self.allocated: dict[str, dict[str, int]] = {}
        self.numbers: dict[tuple[str, str], int] = {}
        self.steps: dict[str, Steps] = {}
        self.cuts: Cuts = {}
        self.crowded: set[str] = set()  # tiles that have no room for what is sent apart

    def put_in_order(self, cuts: Cuts) -> Refusal | None:
        """The order of nodes on each tile, with those before some ``cuts`` an image ahead if the tiles can do that.

        Tiles whose program would be too long begin no product ahead, or do their nodes one by one.
        """
        if refusal := self._not_ahead(cuts):
            return refusal
        whole, joined = frozenset[str](), frozenset[str]()
        while True:
            runs = Runs(self.placed.graph, self.placed.members, self.image, whole, joined)
            order = runs.of(self.image)
            placed = shared(self._unshared, self._spans(order, cuts), cuts)
            if isinstance(placed, Refusal):
                return placed
            self.placed = placed
            self.blocks = {(r.tile, r.name): least_blocks(self.placed, r) for r in self.placed.all_rings}
            self.steps = {tile: in_loops(runs.again(tile)) for tile in order}
            lengths = {tile: self._length(tile) for tile in order if tile not in whole}
            if full := full_of([length for length in lengths.values() if isinstance(length, Full)]):
                return full
            long = {tile for tile, words in lengths.items()
                    if not isinstance(words, Full) and words > self.placed.cfgs[tile].instructions}
            if not long:
                self.cuts = cuts
                return None
            whole |= long & joined
            joined |= long

    def _not_ahead(self, cuts: Cuts) -> Refusal | None:
        """Why nodes of tiles cannot be an image ahead; None if they can."""
        nodes, graph = len(self.placed.members), self.placed.graph
        for tile, cut in cuts.items():
            if any(graph.period(k) > 1 for k, tiles in enumerate(self.placed.members) if tile in tiles):
                return Refusal(f"tile {tile} must do the same for each image to do layers of two images")
            if tile not in self.placed.tiles or not 0 < cut < nodes:
                return Refusal(f"a tile in use may have the first of {nodes} nodes ahead, not those before {cut} of "
                               f"tile {tile!r}")
        return None

    def _spans(self, order: Mapping[str, Sequence[int]], cuts: Cuts) -> dict[str, Spans]:
        """When nodes fire, in a run of some images if tiles do several at a time."""
        nodes, chip = len(self.placed.members), self.network.chip
        ahead = {tile: tile_pipeline(self._unshared, chip, tile, order[tile], cut) for tile, cut in cuts.items()}
        return {tile: spans_of(order[tile], nodes, RUN if cuts else 1, cuts.get(tile, 0), ahead.get(tile))
                for tile in order}

    def _length(self, tile: str) -> int | Full:
        """Words of what a tile does again and again."""
        source = self._source(tile)
        if isinstance(source, Full):
            return source
        words = source.words - 1
        if words > self.placed.cfgs[tile].instructions and tile not in self.crowded:
            self.crowded.add(tile)
            return self._length(tile)
        return words

    def _blocks(self, tile: str) -> dict[str, int]:
        return {name: count for (t, name), count in self.blocks.items() if t == tile}

    def _source(self, tile: str) -> TileSource | Full:
        """What a tile does; what is sent is apart, if it has room for that."""
        refusal = None
        for apart in (True, False) if tile not in self.crowded else (False,):
            emitter = Emitter(self.placed, self.network.chip, tile, self._blocks(tile), self.steps[tile], self.image,
                              ahead=self.cuts.get(tile), apart=apart)
            try:
                source = emitter.source()
            except NoRoomError as error:
                refusal = self._full(tile, error)
            else:
                if not (apart and emitter.crowded):
                    return source
            self.crowded.add(tile)
        assert refusal is not None
        return refusal

    def _full(self, tile: str, error: NoRoomError) -> Full:
        return Full(f"what is of {self.placed.layers(tile)} finds no room: {error}", (tile,))

    def joined(self) -> Joined | Refusal:
        """All tiles with their rings as they are now."""
        for ring in self.placed.all_rings:
            if (blocks := self.blocks[ring.tile, ring.name]) > MOST_BLOCKS:
                return self._long_ring(ring, str(blocks))
        places = {tile: self._place(tile) for tile in self.placed.tiles}
        if full := full_of([place for place in places.values() if isinstance(place, Full)]):
            return full
        return Joined(tiles={tile: place for tile, place in places.items() if isinstance(place, Place)},
                      flows=self.placed.all_flows, reductions=tuple(self.placed.reductions.values()),
                      host=self._host_steps())

    def _place(self, tile: str) -> Place | Full:
        """A tile with its rings as they are now, made anew where they have changed."""
        blocks = self._blocks(tile)
        if self.allocated.get(tile) != blocks:
            place = self._allocated(tile)
            if isinstance(place, Full):
                return place
            self.places[tile], self.allocated[tile] = place, blocks
            self.numbers |= {(tile, called): number for number, called in place.names.items()}
        return self.places[tile]

    def _allocated(self, tile: str) -> Place | Full:
        """A tile with its rings as they are now."""
        source = self._source(tile)
        if isinstance(source, Full):
            return source
        try:
            program, names = allocate(source, self.placed.cfgs[tile])
        except NoRoomError as error:
            if tile in self.crowded:
                return self._full(tile, error)
            self.crowded.add(tile)
            return self._allocated(tile)
        return Place(program=program, cfg=self.placed.cfgs[tile], names=names)

    def _host_steps(self) -> tuple[HostStep, ...]:
        """What the host does between layers."""
        graph, ends = self.placed.graph, self.entries()
        results = {value: next((flow.sender, flow.number) for flow in flows if HOST in flow.to)
                 for value, flows in self.placed.flows.items() if value in graph.split.results}
        return tuple(HostStep(
            takes={results[v]: graph.values[v].image.pixels for v in step.takes},
            gives={end: graph.values[v].image.pixels for end, v in ends.items() if v in step.gives},
        ) for step in graph.split.steps)

    def _long_ring(self, ring: Ring, blocks: str) -> LongRing:
        """What takes a value needs too many pixels of it: which stage that is."""
        graph = self.placed.graph
        taking = [v - 1 for v in graph.nodes[ring.node].values if ring.value in graph.program.stages[v - 1].inputs]
        stages = [k for k in taking if not isinstance(graph.program.stages[k].operation, Call)]
        return LongRing(
            f"what takes the pixels behind layer {graph.layer_before(ring.value)!r} must need at most {MOST_BLOCKS} of "
            f"them at a time, not {blocks}, since a ring of a tile has no more blocks", stages[0] if stages else None)

    def given(self) -> dict[tuple[str, int], int]:
        """What the host sends for each image without waiting."""
        graph = self.placed.graph
        return {end: graph.values[value].image.pixels for end, value in self.entries().items()
                if value not in graph.split.waits}

    def entries(self) -> dict[tuple[str, int], int]:
        """Which value the host sends where."""
        return {(r.tile, self.numbers[r.tile, r.name]): r.value for r in self.placed.rings.values()
                if r.value in self.placed.graph.split.entries}

    def grow(self) -> Refusal | None:
        """The smallest ring that somebody waits for grows, until two images get through, or twice those that differ."""
        joined, period = self.joined(), self.network.program.period
        if isinstance(joined, Refusal):
            return joined
        if not self.cuts:
            machine = TokenMachine(joined, grow=True)
            for image in range(1, 2 * period + 1):
                machine.expect(self.given())
                if refusal := self._grow(machine, image):
                    return refusal
        for images in liveness.runs_of(period) if self.cuts else ():
            joined = self.joined()
            if isinstance(joined, Refusal):
                return joined
            machine = TokenMachine(joined.for_images(images), grow=True)
            for _ in range(images):
                machine.expect(self.given())
            if refusal := self._grow(machine, images):
                return refusal
        return None

    def _grow(self, machine: TokenMachine, images: int) -> LongRing | None:
        names = {(tile, number): name for (tile, name), number in self.numbers.items()}
        while not machine.run(images, liveness.MOST):
            rings = [ring for ring in machine.full() if machine.tiles[ring[0]].blocks[ring[1]] < MOST_BLOCKS]
            if not rings:
                if refusal := self._longest(machine, names):
                    return refusal
                break
            tile, stream = min(rings, key=lambda ring: (machine.tiles[ring[0]].blocks[ring[1]], ring))
            machine.enlarge(tile, stream, machine.tiles[tile].blocks[stream] + 1)
        for (tile, stream), blocks in machine.grown.items():
            if (tile, names[tile, stream]) in self.blocks:
                self.blocks[tile, names[tile, stream]] = blocks
        return None

    def _longest(self, machine: TokenMachine, names: Mapping[tuple[str, int], str]) -> LongRing | None:
        """A ring that cannot grow any more, of those that somebody waits for."""
        waited = {(tile, names[tile, stream]) for tile, stream in machine.full() if (tile, stream) in names}
        return next((self._long_ring(ring, "more") for ring in self.placed.rings.values()
                     if (ring.tile, ring.name) in waited), None)

    def add_slack(self) -> None:
        """More blocks for rings that other tiles fill, if the buffer has room for those of all."""
        for tile, rows in ((tile, rows) for tile in self.placed.tiles for rows in (True, False)):
            before = dict(self.blocks)
            for ring in self.placed.all_rings:
                whole = self.placed.graph.nodes[ring.node].whole and (
                    self.placed.graph.values[ring.value].image.pixels > 1)
                if ring.tile == tile and ring.slot is not None and not whole:
                    more = self.blocks[tile, ring.name] + (more_blocks(self.placed, ring) if rows else SLACK)
                    self.blocks[tile, ring.name] = min(more, MOST_BLOCKS)
            if isinstance(self._place(tile), Full):
                self.blocks = before

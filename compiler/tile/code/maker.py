"""Programs of all tiles in the making: in which order, with which rings, and what has no room.

Rings begin with the least that their windows need. The token machine, which sees no time, says which of them have to be
larger so that nothing gets stuck; those that are filled by other tiles then get :data:`SLACK` blocks more, as far as
buffers have room, so that blocks under way delay nobody.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn

from mho.compiler.network import Network
from mho.compiler.program import Call
from mho.compiler.tile.code.text import TileText, least_blocks, more_blocks
from mho.compiler.tile.placement.order import Steps, in_loops
from mho.compiler.tile.placement.room import FullError
from mho.compiler.tile.placement.runs import Runs
from mho.compiler.tile.placement.sharing import shared
from mho.compiler.tile.placement.software_pipeline import Ahead
from mho.compiler.tile.placement.streams import Placed, Ring
from mho.hw.tile.asm import assemble_named
from mho.hw.tile.interpreter import liveness
from mho.hw.tile.interpreter.tiles import HOST, HostStep, Joined, Place
from mho.hw.tile.interpreter.tokens import TokenMachine
from mho.hw.tile.isa import DESCRIPTORS
from mho.macro_models.errors import InputError

__all__ = ["MOST_BLOCKS", "SLACK", "LongRingError", "Maker"]

SLACK = 3
"""Blocks beyond those that do without latency: one under way, one acknowledged, one read."""

MOST_BLOCKS = DESCRIPTORS["stream"].layout["blocks"].range[1]
Blocks = dict[tuple[str, str], int]


class LongRingError(InputError):
    """A stage takes so many pixels at a time that no ring holds them; None if it is a layer."""

    def __init__(self, stage: int | None, sentence: str) -> None:
        super().__init__(sentence)
        self.stage = stage


def _words(line: str) -> int:
    """Words of a line of the assembler."""
    key = line.partition(" ")[0]
    return 1 + DESCRIPTORS[line.split()[1]].layout.words if key == "set" else int(key not in ("", "}"))


class Maker:
    """Programs of a network whose nodes have their places, made by its methods one after the other."""

    def __init__(self, network: Network, placed: Placed, image: int) -> None:
        self.network, self.image = network, image
        self.placed = self.given_placed = placed
        self.blocks: Blocks = {}
        self.texts: dict[str, str] = {}
        self.places: dict[str, Place] = {}
        self.assembled: dict[str, dict[str, int]] = {}
        self.numbers: dict[tuple[str, str], int] = {}
        self.steps: dict[str, Steps] = {}
        self.ahead: Ahead = {}
        self.crowded: set[str] = set()  # tiles that have no room for what is sent apart

    def put_in_order(self) -> None:
        """The order of nodes on each tile.

        Tiles whose program would be too long begin no product ahead, or do their nodes one by one.
        """
        whole, joined = frozenset[str](), frozenset[str]()
        while True:
            runs = Runs(self.placed.graph, self.placed.members, self.image, whole, joined)
            order = runs.of(self.image)
            self.placed = shared(self.given_placed, order)
            self.blocks = {(r.tile, r.name): least_blocks(self.placed, r) for r in self.placed.all_rings}
            self.steps = {tile: in_loops(runs.again(tile)) for tile in order}
            long, full = set[str](), list[FullError]()
            for tile in order:
                try:
                    long |= {tile} if tile not in whole and self._too_long(tile) else set()
                except FullError as one:
                    full.append(one)
            if full:
                raise FullError.of(full)
            if not long:
                return
            whole |= long & joined
            joined |= long

    def put_ahead(self, ahead: Ahead) -> None:
        """Let nodes of tiles be an image ahead.

        Raises
        ------
        InputError
            If a tile cannot do that.
        """
        nodes, graph = len(self.placed.members), self.placed.graph
        for tile, cut in ahead.items():
            if any(graph.period(k) > 1 for k, some in enumerate(self.placed.members) if tile in some):
                raise InputError(f"tile {tile} must do the same for each image to do layers of two images")
            if tile not in self.placed.tiles or not 0 < cut < nodes:
                raise InputError(f"a tile in use may have the first of {nodes} nodes ahead, not those before {cut} of "
                                 f"tile {tile!r}")
            rings = [ring.name for ring in self.placed.all_rings if ring.tile == tile]
            flows = [flow for some in self.placed.flows.values() for flow in some if flow.sender == tile]
            if len({*rings}) < len(rings) or len({*flows}) < len(flows):
                raise InputError(f"tile {tile} must have a ring for each value to do layers of two images")
            before, behind = ({self._layer(k) for k, some in enumerate(self.placed.members)
                               if tile in some and k in self.placed.parts and (k < cut) == early}
                              for early in (True, False))
            if before & behind:
                raise InputError(f"tile {tile} must do all steps of a layer of one image")
        self.ahead = ahead

    def _layer(self, k: int) -> int:
        """The layer with which a node begins."""
        op = self.placed.graph.program.stages[self.placed.graph.nodes[k].head or 0].operation
        assert isinstance(op, Call)
        return op.layer

    def _too_long(self, tile: str) -> bool:
        try:
            text = self._text(tile)
        except InputError as error:
            raise FullError(tile, f"what is of {self.placed.layers(tile)} finds no room: {error}") from None
        lines = text.partition("loop forever {")[2].splitlines()
        long = sum(_words(line.strip()) for line in lines) > self.placed.cfgs[tile].instructions
        if long and tile not in self.crowded:
            self.crowded.add(tile)
            return self._too_long(tile)
        return long

    def _blocks(self, tile: str) -> dict[str, int]:
        return {name: count for (t, name), count in self.blocks.items() if t == tile}

    def _text(self, tile: str) -> str:
        given = self.placed, self.network.chip, tile, self._blocks(tile), self.steps[tile], self.image
        ahead = self.ahead.get(tile)
        if tile not in self.crowded:
            made = TileText(*given, ahead=ahead, apart=True)
            with suppress(InputError):
                text = made.text()
                if not made.crowded:
                    return text
            self.crowded.add(tile)
        return TileText(*given, ahead=ahead).text()

    def joined(self) -> Joined:
        """All tiles with their rings as they are now."""
        for ring in self.placed.all_rings:
            blocks = self.blocks[ring.tile, ring.name]
            if blocks > MOST_BLOCKS:
                self._refuse_ring(ring, str(blocks))
        places, full = {}, list[FullError]()
        for tile in self.placed.tiles:
            try:
                places[tile] = self._place(tile)
            except FullError as one:
                full.append(one)
        if full:
            raise FullError.of(full)
        return Joined(tiles=places, flows=self.placed.all_flows, reductions=tuple(self.placed.reductions.values()),
                      host=self._host_steps())

    def _place(self, tile: str) -> Place:
        """A tile with its rings as they are now, made anew where they have changed."""
        blocks = self._blocks(tile)
        if self.assembled.get(tile) != blocks:
            self.places[tile] = self._assembled(tile)
            self.assembled[tile] = blocks
            self.numbers |= {(tile, called): number for number, called in self.places[tile].names.items()}
        return self.places[tile]

    def _host_steps(self) -> tuple[HostStep, ...]:
        """What the host does between layers."""
        graph, ends = self.placed.graph, self.entries()
        flows = {value: next((flow.sender, flow.number) for flow in some if HOST in flow.to)
                 for value, some in self.placed.flows.items() if value in graph.split.results}
        return tuple(HostStep(
            takes={flows[v]: graph.values[v].image.pixels for v in step.takes},
            gives={end: graph.values[v].image.pixels for end, v in ends.items() if v in step.gives},
        ) for step in graph.split.steps)

    def _refuse_ring(self, ring: Ring, blocks: str) -> NoReturn:
        """Say that what takes a value needs too many pixels of it, and which stage that is."""
        graph = self.placed.graph
        taking = [v - 1 for v in graph.nodes[ring.node].values if ring.value in graph.program.stages[v - 1].inputs]
        some = [k for k in taking if not isinstance(graph.program.stages[k].operation, Call)]
        raise LongRingError(some[0] if some else None, (
            f"what takes the pixels behind layer {graph.layer_before(ring.value)!r} must need at most {MOST_BLOCKS} of "
            f"them at a time, not {blocks}, since a ring of a tile has no more blocks"))

    def _assembled(self, tile: str) -> Place:
        """A tile with its rings as they are now, refused if it has no room for what is on it."""
        name = f"tile {tile}"
        try:
            text = self._text(tile)
            program, names = assemble_named(text, name)
            program.check(self.placed.cfgs[tile], name)
            self._check_buffer(tile, names, program.descriptor)
        except InputError as error:
            if tile not in self.crowded:
                self.crowded.add(tile)
                return self._assembled(tile)
            raise FullError(tile, f"what is of {self.placed.layers(tile)} finds no room: {error}") from None
        self.texts[tile] = text
        return Place(program=program, cfg=self.placed.cfgs[tile], names=names)

    def given(self) -> dict[tuple[str, int], int]:
        """What the host sends for each image without waiting."""
        graph = self.placed.graph
        return {end: graph.values[value].image.pixels for end, value in self.entries().items()
                if value not in graph.split.waits}

    def entries(self) -> dict[tuple[str, int], int]:
        """Which value the host sends where."""
        return {(r.tile, self.numbers[r.tile, r.name]): r.value for r in self.placed.rings.values()
                if r.value in self.placed.graph.split.entries}

    def grow(self) -> None:
        """The smallest ring that somebody waits for grows, until two images get through, or twice those that differ."""
        machine, period = TokenMachine(self.joined(), grow=True), self.network.program.period
        for image in range(1, 2 * period + 1) if not self.ahead else ():
            machine.give(self.given())
            self._grow(machine, image)
        for images in liveness.runs_of(period) if self.ahead else ():
            machine = TokenMachine(self.joined().for_images(images), grow=True)
            for _ in range(images):
                machine.give(self.given())
            self._grow(machine, images)

    def _grow(self, machine: TokenMachine, images: int) -> None:
        names = {(tile, number): name for (tile, name), number in self.numbers.items()}
        while not machine.run(images, liveness.MOST):
            rings = [ring for ring in machine.full() if machine.tiles[ring[0]].blocks[ring[1]] < MOST_BLOCKS]
            if not rings:
                self._refuse_longest(machine, names)
                break
            tile, stream = min(rings, key=lambda ring: (machine.tiles[ring[0]].blocks[ring[1]], ring))
            machine.enlarge(tile, stream, machine.tiles[tile].blocks[stream] + 1)
        for (tile, stream), blocks in machine.grown.items():
            if (tile, names[tile, stream]) in self.blocks:
                self.blocks[tile, names[tile, stream]] = blocks

    def _refuse_longest(self, machine: TokenMachine, names: Mapping[tuple[str, int], str]) -> None:
        """Refuse a ring that cannot grow any more, of those that somebody waits for."""
        waited = {(tile, names[tile, stream]) for tile, stream in machine.full() if (tile, stream) in names}
        for ring in self.placed.rings.values():
            if (ring.tile, ring.name) in waited:
                self._refuse_ring(ring, "more")

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
            try:
                self.joined()
            except InputError:
                self.blocks = before

    def _check_buffer(self, tile: str, names: Mapping[int, str], descriptor: object) -> None:
        most = self.placed.cfgs[tile].buffer_bytes
        for number, name in names.items():
            values = descriptor("stream", number)  # type: ignore[operator]
            if values["base"] + values["block"] * values["blocks"] > most:
                raise InputError(f"tile {tile} must hold its rings in {most} bytes; {name!r} of {values['blocks']} "
                                 f"blocks of {values['block']} bytes finds no place")

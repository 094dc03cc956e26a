"""The program of a tile in objects: streams, walks, parameters and the loops of its nodes.

A tile carries out its nodes in an order that was found before (:mod:`mho.compiler.tile.placement.order`), a position
at a time, then goes on to the next image.
"""

from collections.abc import Mapping

import numpy as np

from mho.compiler.tile.code.ir import Code, Instruction, Repeat, TileSource, counted, vec
from mho.compiler.tile.code.layers import layer_code
from mho.compiler.tile.code.stages import Source, stage_code, whole_node
from mho.compiler.tile.code.writer import LOCAL_BLOCKS, Body, Writer
from mho.compiler.tile.graph.graph import Node
from mho.compiler.tile.lowering.operations import window_of
from mho.compiler.tile.placement.order import IMAGE, Loop, Part, Steps, in_loops, unrolled
from mho.compiler.tile.placement.software_pipeline import tile_pipeline
from mho.compiler.tile.placement.streams import Placed, Ring
from mho.hw.config import Chip
from mho.hw.tile.isa import Op
from mho.macro_models.integer.vector import Largest, WeightedSum

Bodies = Mapping[int, list[Code]]
"""Instructions by the numbers of nodes with their parts."""

_NEXT = Instruction(Op.IMAGE)

DEALT = 2
"""Images that wait for a copy that is dealt them, so that none waits for another one's."""


def least_blocks(placed: Placed, ring: Ring) -> int:
    """Blocks that a ring has at least."""
    node = placed.graph.nodes[ring.node]
    if ring.outputs:
        return LOCAL_BLOCKS
    if node.whole and placed.graph.values[ring.value].image.pixels > 1:
        return placed.graph.values[ring.value].image.pixels
    walks = ring.value == node.source and node.head is not None
    return max(node.walk.least if walks else 1, LOCAL_BLOCKS)


def more_blocks(placed: Placed, ring: Ring) -> int:
    """Blocks with which rows are taken without waiting for each other, where a tile makes or takes some of them."""
    node = placed.graph.nodes[ring.node]
    if placed.graph.dealt(ring.node) is not None and ring.value == node.source:
        return DEALT * placed.graph.values[ring.value].image.pixels
    if ring.value in node.sources and node.turns:
        return next((n for n, turn in enumerate(node.turns) if turn != node.turns[0]), 0)
    if ring.outputs or node.head is None or ring.value != node.source or node.whole:
        return 0
    if any(maker.whole and ring.value in maker.values for maker in placed.graph.nodes):
        # Else who sends all pixels of an image at a time waits until this one has done most of the one before.
        return placed.graph.values[ring.value].image.pixels
    return (node.walk.stride_y - 1) * node.walk.width + node.walk.stride_x - 1


class Emitter:
    """The program of one tile, without places for what it declares.

    Parameters
    ----------
    placed, chip
        What is placed, and where cores are.
    blocks
        Blocks of the rings between nodes, by their names.
    steps
        Its nodes in their order: of an image, or of several, each ended by
        :data:`~mho.compiler.tile.placement.order.IMAGE`.
    image
        Number of the first image.
    ahead
        The first node that is not an image ahead of others, None if none is.
    apart
        See :class:`mho.compiler.tile.code.writer.Writer`.
    """

    def __init__(
        self, placed: Placed, chip: Chip, tile: str, blocks: Mapping[str, int], steps: Steps, image: int = 0,
        *, ahead: int | None = None, apart: bool = False,
    ) -> None:
        self.placed, self.chip, self.tile, self.steps, self.image = placed, chip, tile, steps, image
        self.graph, self.program = placed.graph, placed.graph.program
        order = unrolled(steps)
        self.writer = Writer(placed, tile, blocks, order[: order.index(IMAGE)] if IMAGE in order else order,
                             apart=apart, cut=ahead)
        self.crowded, self.ahead = False, ahead

    def source(self) -> TileSource:
        """The whole program.

        Raises NoRoomError if a stage has no form on the tile: one sentence that names the layer.
        """
        for ring in self.placed.all_rings:
            if ring.tile == self.tile:
                self.writer.ring(ring)
        mine = [k for k in range(len(self.graph.nodes)) if self.tile in self.placed.members[k]]
        bodies = {number: body for k in mine for number, body in self._bodies(k, self.graph.nodes[k]).items()}
        bodies[IMAGE] = [_NEXT]
        self.crowded = self.writer.crowded
        code = self._once(bodies) if self.ahead is None else self._pipelined(self.ahead, bodies)
        self.writer.close()
        return TileSource(
            tile=self.tile, code=tuple(code), image=self.image,
            descriptors={kind: tuple(some) for kind, some in self.writer.descriptors.items()},
            data={kind: tuple(some) for kind, some in self.writer.data.items()})

    def _once(self, bodies: Bodies) -> list[Code]:
        """One image after the other, or some after others, where copies of layers are dealt images."""
        again, ends = _code(_folded(self.steps, bodies), bodies), [] if IMAGE in unrolled(self.steps) else [_NEXT]
        return [Repeat((*self.writer.spilled(again), *ends))]

    def _pipelined(self, cut: int, bodies: Bodies) -> list[Code]:
        """A run of images with what is before a node one of them ahead: register 1 has one less than there are."""
        nodes, writer = len(self.graph.nodes), self.writer
        order = tile_pipeline(self.placed, self.chip, self.tile, unrolled(self.steps), cut)
        # What is ahead counts the operations of its products anew behind the first image.
        names = {one.names[0] for number in order.first for one in bodies[number]
                 if isinstance(one, Instruction) and one.op is Op.MVM}
        ahead = {number: [_ahead(one) for one in body] if number % nodes < cut else body
                 for number, body in bodies.items()}
        first, both, last = (writer.spilled(_code(_folded(in_loops(steps), parts), parts)) for steps, parts in (
            (order.first, bodies), (order.both, ahead), (order.last, bodies)))
        again = [one for one in writer.descriptors["mvm"] if one.name in names]
        return [*first, *again, Repeat((*both, _NEXT), register=1), *last, _NEXT, Instruction(Op.HALT)]

    # --- code ---

    def _bodies(self, k: int, node: Node) -> Bodies:
        """Instructions of a node by the numbers of its parts."""
        count = len(self.graph.nodes)
        if node.pixels:
            return {k + count * (Part.TURN + at): self._pixel(k, node, at) for at in range(node.walk.positions)}
        if node.deals:
            return {k + count * (Part.TURN + turn): self._deal(k, node, turn) for turn in range(node.deals)}
        if node.sources:
            return {k + count * (Part.TURN + n): self._node(k, node, value) for n, value in enumerate(node.sources)}
        code = whole_node(self.writer, k, node) if node.whole else self._node(k, node)
        bodies = {k: code}
        if self.graph.held(k):
            bodies[k + count * Part.RELEASE] = self._release(k)
        if self.graph.call(k) is not None:
            # What begins products ahead is the first instruction.
            bodies |= {k + count * Part.PRODUCTS: code[:1], k + count * Part.REST: code[1:]}
        if self.graph.left_out(k):
            bodies[k + count * Part.BEGIN] = self._begin(k, node)
        return bodies

    def _pixel(self, k: int, node: Node, at: int) -> list[Code]:
        """What gives a pixel to those who take it alone."""
        source, body = self._source(k, node.source), Body()
        values = [value for value, pixel in zip(node.values, node.pixels, strict=True) if pixel == at]
        for value in values:
            self.writer.give(k, value, source, body)
        return body.code() if values else [counted(Op.FREE, source)]

    def _deal(self, k: int, node: Node, turn: int) -> list[Code]:
        """What gives a pixel to the copy of a layer that has the image."""
        source, body = self._source(k, node.source), Body()
        self.writer.give(k, node.values[0], source, body, turn)
        return body.code()

    def _begin(self, k: int, node: Node) -> list[Code]:
        """What gives back the pixels that a walk leaves out; then it begins anew, with the oldest one that is there."""
        stream = self.placed.rings[self.tile, k, node.source].name
        return [Repeat((counted(Op.FREE, stream),), times=self.graph.left_out(k)), *self.writer.renewed(stream)]

    def _node(self, k: int, node: Node, turn: int = 0) -> list[Code]:
        """Instructions of a node at one position; of one with sources that at which it takes a pixel of ``turn``."""
        is_layer, is_root, body = self.graph.call(k) is not None, self.tile == self.placed.root(k), Body()
        if is_layer:
            target = self.writer.target(k, node.values[0]) if is_root else ""
            layer_code(self.writer, self.chip, k, node, target, body)
        if is_root:
            made = [value for value in node.values if self.writer.viewed(k, value)[0] == value]
            for value in made[is_layer:]:
                if value - 1 == node.head:
                    self._pool(k, node, value, body)
                elif node.sources and value == node.values[0]:
                    source = self._source(k, turn)
                    body.reads(source, "free_a", turn)
                    body.add(vec(self.writer.copy(turn, source, self.writer.target(k, value)), "push"))
                else:
                    self._make(k, value, body)
            for value in made:
                self.writer.give(k, value, self.writer.target(k, value), body)
        return body.code()

    def _pool(self, k: int, node: Node, value: int, body: Body) -> None:
        """What a window of a value makes."""
        stage, result = self.program.stages[value - 1], self.graph.values[value]
        op, (number,) = stage.operation, stage.inputs
        assert isinstance(op, Largest | WeightedSum)
        source, stream = self.graph.values[number], self._source(k, number)
        # What stands outside of the image is no largest one, and adds nothing.
        outside = (-32768 if source.wide else -128 if source.signed else 0) if isinstance(op, Largest) else 0
        lanes = np.full(source.image.channels, outside).astype("<i2" if source.wide else "i1")
        pad = lanes.view(np.uint8).view(np.int8)
        name = self.writer.vec(
            window_of(op, result.image), result.image.channels, self.writer.target(k, value), wide=result.wide,
            a=self.writer.walk(node.walk, stream, pad, alone=False), a_format=source.format)
        body.add(vec(name, "advance_a", "free_a", "push"))

    def _make(self, k: int, value: int, body: Body) -> None:
        """The operations that make a value."""
        stays = self.graph.held(k)
        taken = [self.writer.viewed(k, v) for v in self.program.stages[value - 1].inputs]
        sources = [Source(v, self._source(k, v), self.graph.values[v].format, v in stays, first) for v, first in taken]
        stage_code(self.writer, k, self.writer.steps(value), sources, self.writer.target(k, value),
                   self.graph.values[value].wide, body)

    def _release(self, k: int) -> list[Code]:
        """What gives back, behind all positions, what a node took at each of them."""
        return [counted(Op.FREE, self._source(k, value)) for value in self.graph.held(k)]

    def _source(self, k: int, value: int) -> str:
        """The ring from which a node takes a value."""
        if value in self.graph.nodes[k].values:
            return self.writer.target(k, value)
        return self.placed.rings[self.tile, k, value].name


def _ahead(one: Code) -> Code:
    """A product of the next image."""
    return one.with_flags("ahead") if isinstance(one, Instruction) and one.op is Op.MVM else one


def _folded(steps: Steps, bodies: Bodies) -> Steps:
    """The steps of a tile, nodes that do the same as one node, so that they are loops, too."""
    first: dict[tuple[Code, ...], int] = {}
    same = {k: first.setdefault(tuple(body), k) for k, body in bodies.items()}
    if all(a == b for a, b in same.items()):
        return steps
    return in_loops([same[k] for k in unrolled(steps)])


def _code(steps: Steps, bodies: Bodies) -> list[Code]:
    """Instructions of nodes in loops."""
    code: list[Code] = []
    for step in steps:
        if isinstance(step, Loop):
            code.append(Repeat(tuple(_code(step.body, bodies)), times=step.times))
        else:
            code += bodies[step]
    return code

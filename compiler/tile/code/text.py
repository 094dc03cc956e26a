"""The program of a tile as text: streams, walks, parameters and the loops of its nodes.

A tile carries out its nodes in an order that was found before (:mod:`mho.compiler.tile.placement.order`), a position
at a time, then goes on to the next image.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mho.compiler.program import Call
from mho.compiler.tile.code.layers import layer_code
from mho.compiler.tile.code.stages import Source, stage_code
from mho.compiler.tile.code.whole import whole_node
from mho.compiler.tile.code.writer import LOCAL_BLOCKS, Body, Writer
from mho.compiler.tile.graph.graph import Node
from mho.compiler.tile.lowering.operations import window_of
from mho.compiler.tile.placement.columns import Part as LayerPart
from mho.compiler.tile.placement.order import IMAGE, Loop, Part, Steps, in_loops, unrolled
from mho.compiler.tile.placement.software_pipeline import pipeline
from mho.compiler.tile.placement.streams import Placed, Ring, tile_name
from mho.hw.config import Chip
from mho.macro_models.integer.vector import Largest, WeightedSum

__all__ = ["TileText", "least_blocks", "more_blocks"]

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
    return (node.walk.stride_y - 1) * node.walk.width + node.walk.stride_x - 1


class TileText:
    """The text of one tile.

    Parameters
    ----------
    placed, chip
        What is placed, and where cores are.
    tile
        Its name.
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
                             apart=apart)
        self.crowded, self.ahead = False, ahead

    def text(self) -> str:
        """The whole text.

        Raises
        ------
        InputError
            If a stage has no form on tiles: one sentence that names the layer.
        """
        for ring in self.placed.all_rings:
            if ring.tile == self.tile:
                self.writer.ring(ring)
        mine = [k for k in range(len(self.graph.nodes)) if self.tile in self.placed.members[k]]
        bodies = {number: lines for k in mine for number, lines in self._bodies(k, self.graph.nodes[k]).items()}
        bodies[IMAGE] = ["image"]
        self.crowded = self.writer.crowded
        code = self._once(bodies) if self.ahead is None else self._pipelined(self.ahead, bodies)
        self.writer.close()
        lines = [f"; Tile {self.tile}: the assembler of docs/explanation/tile.md, written by the compiler.", ""]
        for declared in self.writer.heads.values():
            lines += [*declared, ""] if declared else []
        lines += [f"first_image: {self.image}", ""] if self.image else []
        return "\n".join([*lines, *code]) + "\n"

    def _once(self, bodies: Mapping[int, list[str]]) -> list[str]:
        """One image after the other, or some after others, where copies of layers are dealt images."""
        again, ends = _code(_folded(self.steps, bodies), bodies), [] if IMAGE in unrolled(self.steps) else ["image"]
        return _loop("forever", [*self.writer.spilled(again), *ends])

    def _pipelined(self, cut: int, bodies: Mapping[int, list[str]]) -> list[str]:
        """A run of images with what is before a node one of them ahead: register 1 has one less than there are."""
        nodes, writer = len(self.graph.nodes), self.writer
        single = [k for k, parts in self.placed.parts.items() if self._products(parts) == 1]
        order = pipeline(unrolled(self.steps), nodes, cut, self.placed.parts, single)
        # What is ahead counts the operations of its products anew behind the first image.
        names = {line.split()[1].strip(",") for number in order.first for line in bodies[number]
                 if line.startswith("mvm")}
        ahead = {number: [_ahead(line) for line in lines] if number % nodes < cut else lines
                 for number, lines in bodies.items()}
        first, both, last = (writer.spilled(_code(_folded(in_loops(some), known), known)) for some, known in (
            (order.first, bodies), (order.both, ahead), (order.last, bodies)))
        again = [f"set {head}" for head in writer.heads["mvm"] if head.split()[1].strip(":") in names]
        return [*first, *again, *_loop("register 1", [*both, "image"]), *last, "image", "halt"]

    def _products(self, parts: Sequence[LayerPart]) -> int:
        """Products of a layer on this tile."""
        return sum(tile_name(self.chip, mvm.core) == self.tile for part in parts for mvm in part.mvms)

    # --- code ---

    def _bodies(self, k: int, node: Node) -> dict[int, list[str]]:
        """Instructions of a node by the numbers of its parts."""
        count = len(self.graph.nodes)
        if node.pixels:
            return {k + count * (Part.TURN + at): self._pixel(k, node, at) for at in range(node.walk.positions)}
        if node.deals:
            return {k + count * (Part.TURN + turn): self._deal(k, node, turn) for turn in range(node.deals)}
        if node.sources:
            return {k + count * (Part.TURN + n): self._node(k, node, value) for n, value in enumerate(node.sources)}
        lines = whole_node(self.writer, k, node) if node.whole else self._node(k, node)
        found = {k: lines}
        if self.graph.held(k):
            found[k + count * Part.RELEASE] = self._release(k)
        if node.head is not None and isinstance(self.program.stages[node.head].operation, Call):
            # What begins products ahead is the first instruction.
            found |= {k + count * Part.PRODUCTS: lines[:1], k + count * Part.REST: lines[1:]}
        if self.graph.left_out(k):
            found[k + count * Part.BEGIN] = self._begin(k, node)
        return found

    def _pixel(self, k: int, node: Node, at: int) -> list[str]:
        """What gives a pixel to those who take it alone."""
        source, body = self._source(k, node.source), Body()
        some = [value for value, pixel in zip(node.values, node.pixels, strict=True) if pixel == at]
        for value in some:
            self.writer.give(k, value, source, body)
        return body.lines() if some else [f"free {source} 1"]

    def _deal(self, k: int, node: Node, turn: int) -> list[str]:
        """What gives a pixel to the copy of a layer that has the image."""
        source, body = self._source(k, node.source), Body()
        self.writer.give(k, node.values[0], source, body, turn)
        return body.lines()

    def _begin(self, k: int, node: Node) -> list[str]:
        """What gives back the pixels that a walk leaves out; then it begins anew, with the oldest one that is there."""
        stream = self.placed.rings[self.tile, k, node.source].name
        return [f"loop {self.graph.left_out(k)} {{", f"    free {stream} 1", "}", *self.writer.renewed(stream)]

    def _node(self, k: int, node: Node, turn: int = 0) -> list[str]:
        """Instructions of a node at one position; of one with sources that at which it takes a pixel of ``turn``."""
        op = None if node.head is None else self.program.stages[node.head].operation
        is_root = self.tile == self.placed.root(k)
        body = Body()
        if isinstance(op, Call):
            target = self.writer.target(k, node.values[0]) if is_root else ""
            layer_code(self.writer, self.chip, k, node, target, body)
        if is_root:
            for value in node.values[isinstance(op, Call) :]:
                if value - 1 == node.head:
                    self._pool(k, node, value, body)
                elif node.sources and value == node.values[0]:
                    source = self._source(k, turn)
                    body.reads(source, "free_a", turn)
                    body.add(f"vec {self.writer.copy(turn, source, self.writer.target(k, value))}", ", push")
                else:
                    self._make(k, value, body)
            for value in node.values:
                self.writer.give(k, value, self.writer.target(k, value), body)
        return body.lines()

    def _pool(self, k: int, node: Node, value: int, body: Body) -> None:
        """What a window of a value makes."""
        stage, made = self.program.stages[value - 1], self.graph.values[value]
        op, (taken,) = stage.operation, stage.inputs
        assert isinstance(op, Largest | WeightedSum)
        held, stream = self.graph.values[taken], self._source(k, taken)
        # What stands outside of the image is no largest one, and adds nothing.
        outside = (-32768 if held.wide else -128 if held.signed else 0) if isinstance(op, Largest) else 0
        pad = np.full(held.image.channels, outside).astype("<i2" if held.wide else "i1").view(np.uint8).view(np.int8)
        name = self.writer.vec(
            window_of(op, made.image), made.image.channels, self.writer.target(k, value), wide=made.wide,
            a=self.writer.walk(node.walk, stream, pad, alone=False), a_format=held.format)
        body.add(f"vec {name}", ", advance_a, free_a, push")

    def _make(self, k: int, value: int, body: Body) -> None:
        """The operations that make a value."""
        held = self.graph.held(k)
        sources = [Source(v, self._source(k, v), self.graph.values[v].format, v in held)
                   for v in self.program.stages[value - 1].inputs]
        stage_code(self.writer, k, self.writer.steps(value), sources, self.writer.target(k, value),
                   self.graph.values[value].wide, body)

    def _release(self, k: int) -> list[str]:
        """What gives back, behind all positions, what a node took at each of them."""
        return [f"free {self._source(k, value)} 1" for value in self.graph.held(k)]

    def _source(self, k: int, value: int) -> str:
        """The ring from which a node takes a value."""
        if value in self.graph.nodes[k].values:
            return self.writer.target(k, value)
        return self.placed.rings[self.tile, k, value].name


def _loop(times: str, code: Sequence[str]) -> list[str]:
    return [f"loop {times} {{", *("    " + line for line in code), "}"]


def _ahead(line: str) -> str:
    """A product of the next image."""
    return line + ", ahead" if line.startswith("mvm") else line


def _folded(steps: Steps, bodies: Mapping[int, list[str]]) -> Steps:
    """The steps of a tile, nodes that do the same as one node, so that they are loops, too."""
    first: dict[tuple[str, ...], int] = {}
    same = {k: first.setdefault(tuple(lines), k) for k, lines in bodies.items()}
    if all(a == b for a, b in same.items()):
        return steps
    return in_loops([same[k] for k in unrolled(steps)])


def _code(steps: Steps, bodies: Mapping[int, list[str]]) -> list[str]:
    """Instructions of nodes in loops."""
    lines: list[str] = []
    for step in steps:
        if isinstance(step, Loop):
            lines += _loop(str(step.times), _code(step.body, bodies))
        else:
            lines += bodies[step]
    return lines

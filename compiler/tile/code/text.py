"""The program of a tile as text: streams, walks, parameters and the loops of its nodes.

A tile carries out its nodes in an order that was found before (:mod:`compiler.tile.placed.order`), a position at a
time, then goes on to the next image.
"""

from collections.abc import Mapping

from compiler.program import Call
from compiler.tile.code.layers import layer_code
from compiler.tile.code.whole import whole_node
from compiler.tile.code.writer import LOCAL_BLOCKS, Body, Writer
from compiler.tile.graph.graph import Node
from compiler.tile.placed.order import Loop, Steps
from compiler.tile.placed.streams import Placed, Ring
from hw.config import Chip

__all__ = ["TileText", "least_blocks"]


def least_blocks(placed: Placed, ring: Ring) -> int:
    """Blocks that a ring has at least."""
    node = placed.graph.nodes[ring.node]
    if ring.outputs:
        return LOCAL_BLOCKS
    if node.whole:
        return placed.graph.values[ring.value].image.pixels
    walks = ring.value == node.source and node.head is not None
    return max(node.walk.least if walks else 1, LOCAL_BLOCKS)


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
        Its nodes in their order.
    image
        Number of the first image.
    """

    def __init__(
        self, placed: Placed, chip: Chip, tile: str, blocks: Mapping[str, int], steps: Steps, image: int = 0
    ) -> None:
        self.placed, self.chip, self.tile, self.steps, self.image = placed, chip, tile, steps, image
        self.graph, self.program = placed.graph, placed.graph.program
        self.writer = Writer(placed, tile, blocks)

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
        bodies = {k: whole_node(self.writer, k, node) if node.whole else self._node(k, node)
                  for k, node in enumerate(self.graph.nodes) if self.tile in self.placed.members[k]}
        code = _code(self.steps, bodies)
        lines = [f"; Tile {self.tile}: the assembler of docs/explanation/tile.md, written by the compiler.", ""]
        for declared in self.writer.heads.values():
            lines += [*declared, ""] if declared else []
        lines += [f"first_image: {self.image}", ""] if self.image else []
        return "\n".join([*lines, "loop forever {", *("    " + line for line in code), "    image", "}"]) + "\n"

    # --- code ---

    def _node(self, k: int, node: Node) -> list[str]:
        """Instructions of a node at one position."""
        op = None if node.head is None else self.program.stages[node.head].operation
        is_root = self.tile == self.placed.root(k)
        body = Body()
        if isinstance(op, Call):
            target = self._target(k, node.values[0]) if is_root else ""
            layer_code(self.writer, self.chip, k, node, target, body)
        if is_root:
            for value in node.values[isinstance(op, Call) :]:
                self._make(k, node, value, body)
            for value in node.values:
                self._give(k, value, body)
        return body.lines()

    def _make(self, k: int, node: Node, value: int, body: Body) -> None:
        """The operation that makes a value."""
        stage, made = self.program.stages[value - 1], self.graph.values[value]
        target, operands, flags = self._target(k, value), {}, ""
        one, window = self.writer.vector(value), value - 1 == node.head
        for name, taken in zip("ab", stage.inputs, strict=False):
            stream = self._source(k, taken)
            operands[name] = self.writer.walk(node.walk, stream) if window else stream
            operands[f"{name}_format"] = self.graph.values[taken].format
            if window:
                flags = ", advance_a, free_a"
            else:
                body.reads(stream, f"free_{name}")
        name = self.writer.vec(one, made.image.channels, target, wide=made.wide, **operands)
        body.add(f"vec {name}", flags + ", push")

    def _source(self, k: int, value: int) -> str:
        """The ring from which a node takes a value."""
        if value in self.graph.nodes[k].values:
            return self._target(k, value)
        return self.placed.rings[self.tile, k, value].name

    def _target(self, k: int, value: int) -> str:
        """The ring into which a value is made: that of its only taker, or one of its own."""
        rings = self.writer.rings_of(value)
        alone = len(rings) == 1 and not self.placed.flows.get(value) and not self.writer.within(k, value)
        return rings[0].name if alone else self.writer.stream(f"made{value}", self.graph.values[value].block)

    def _give(self, k: int, value: int, body: Body) -> None:
        """Copies and sends of a value."""
        name = self._target(k, value)
        for ring in self.writer.rings_of(value):
            if ring.name != name:
                body.reads(name, "free_a")
                body.add(f"vec {self.writer.copy(value, name, ring.name)}", ", push")
        for flow in self.placed.flows.get(value, ()):
            body.reads(name, "free")
            body.add(f"send {name}, flow {flow.number}")


def _code(steps: Steps, bodies: Mapping[int, list[str]]) -> list[str]:
    """Instructions of nodes in loops."""
    lines: list[str] = []
    for step in steps:
        if isinstance(step, Loop):
            lines += [f"loop {step.times} {{", *("    " + line for line in _code(step.body, bodies)), "}"]
        else:
            lines += bodies[step]
    return lines

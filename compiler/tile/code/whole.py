"""Nodes that have whole images: they wait for all pixels, and do them as one vector.

A layer that takes a whole value has a scale for each element, so what encodes it has parameters for each; and what
moves elements from pixel to pixel needs all of them. Pixels come into a ring that holds exactly one image, over which
lies a stream whose only block is all of it. A value of a single pixel is its block itself.
"""

from mho.compiler.tile.code.ir import Code, Repeat, counted, send, vec
from mho.compiler.tile.code.stages import Source, stage_code
from mho.compiler.tile.code.writer import ALL, Body, Writer
from mho.compiler.tile.graph.graph import Node
from mho.hw.tile.isa import Op

__all__ = ["whole_node"]


def whole_node(writer: Writer, k: int, node: Node) -> list[Code]:
    """Instructions of such a node for an image."""
    return _Whole(writer, k, node).code()


class _Whole:
    def __init__(self, writer: Writer, k: int, node: Node) -> None:
        self.writer, self.k, self.node, self.values = writer, k, node, writer.graph.values
        self.inner = writer.inner(k)
        self.streams: dict[int, str] = {}
        self.images: dict[str, int] = {}
        self.made: dict[int, str] = {}

    def code(self) -> list[Code]:
        """All of them."""
        writer, body = self.writer, Body()
        for value in dict.fromkeys(self.node.taken):
            name, pixels = writer.placed.rings[writer.tile, self.k, value].name, self.values[value].image.pixels
            self.streams[value] = name
            if pixels > 1:
                self.streams[value], self.images[name] = name + ALL, pixels
                body.add(counted(Op.WAIT, name, pixels))
                body.add(counted(Op.PUSH, name + ALL))
        for value in self.node.values:
            self._open(value, body)
        for value in self.node.values:
            sources = [Source(v, self.streams[v], self.values[v].format)
                       for v in writer.program.stages[value - 1].inputs]
            stage_code(writer, self.k, writer.steps(value, whole=True), sources, self.streams[value],
                       self.values[value].wide, body)
        for name, pixels in self.images.items():
            body.add(counted(Op.FREE, name, pixels))
        for value, name in self.made.items():
            if not writer.within(self.k, value):
                body.add(counted(Op.FREE, name + ALL))
            body.add(counted(Op.PUSH, name, self.values[value].image.pixels))
        for value in self.node.values:
            if value not in self.made:
                writer.give(self.k, value, self.streams[value], body)
        return [*body.code(), *(one for value, name in self.made.items() for one in self._give(value, name))]

    def _open(self, value: int, body: Body) -> None:
        """Where a value is made: what was sent of the last image is written over."""
        writer, layout = self.writer, self.values[value]
        if value in self.inner:
            self.streams[value] = writer.register(self.k, value, whole=True)
        elif layout.image.pixels == 1:
            self.streams[value] = writer.target(self.k, value)
        else:
            name = self.made[value] = writer.aliased(f"made{value}", layout.block, layout.image.pixels)
            self.streams[value] = name + ALL
            body.add(counted(Op.ROOM, name, layout.image.pixels))

    def _give(self, value: int, name: str) -> list[Code]:
        """Sends of all pixels, then copies one by one; the last of them gives the blocks back."""
        writer, pixels = self.writer, self.values[value].image.pixels
        flows, rings = writer.placed.flows.get(value, ()), writer.rings_of(value)
        sends: list[Code] = [
            send(name, flow.number, *(["free"] if flow is flows[-1] and not rings else []), blocks=pixels)
            for flow in flows]
        copies = [vec(writer.copy(value, name, ring.name), *(["free_a"] if ring is rings[-1] else []), "push")
                  for ring in rings]
        return [*sends, Repeat(tuple(copies), times=pixels)] if rings else sends

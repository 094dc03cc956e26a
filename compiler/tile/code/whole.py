"""Nodes that have whole images: they wait for all pixels, and do them as one vector.

A layer that takes a whole value has a scale for each element, so what encodes it has parameters for each; and what
moves elements from pixel to pixel needs all of them. Pixels come into a ring that holds exactly one image, over which
lies a stream whose only block is all of it. A value of a single pixel is its block itself.
"""

from mho.compiler.tile.code.stages import Source, stage_code
from mho.compiler.tile.code.writer import ALL, Body, Writer
from mho.compiler.tile.graph.graph import Node

__all__ = ["whole_node"]


def whole_node(writer: Writer, k: int, node: Node) -> list[str]:
    """Instructions of such a node for an image."""
    return _Whole(writer, k, node).lines()


class _Whole:
    def __init__(self, writer: Writer, k: int, node: Node) -> None:
        self.writer, self.k, self.node, self.values = writer, k, node, writer.graph.values
        self.inner = writer.inner(k)
        self.streams: dict[int, str] = {}
        self.taken: dict[str, int] = {}
        self.given: dict[int, str] = {}

    def lines(self) -> list[str]:
        """All of them."""
        writer, body = self.writer, Body()
        for value in dict.fromkeys(self.node.taken):
            name, pixels = writer.placed.rings[writer.tile, self.k, value].name, self.values[value].image.pixels
            self.streams[value] = name
            if pixels > 1:
                self.streams[value], self.taken[name] = name + ALL, pixels
                body.add(f"wait {name} {pixels}")
                body.add(f"push {name}{ALL} 1")
        for value in self.node.values:
            self._open(value, body)
        for value in self.node.values:
            sources = [Source(v, self.streams[v], self.values[v].format)
                       for v in writer.program.stages[value - 1].inputs]
            stage_code(writer, self.k, writer.steps(value, whole=True), sources, self.streams[value],
                       self.values[value].wide, body)
        for name, pixels in self.taken.items():
            body.add(f"free {name} {pixels}")
        for value, name in self.given.items():
            if not writer.within(self.k, value):
                body.add(f"free {name}{ALL} 1")
            body.add(f"push {name} {self.values[value].image.pixels}")
        for value in self.node.values:
            if value not in self.given:
                writer.give(self.k, value, self.streams[value], body)
        return [*body.lines(), *(line for value, name in self.given.items() for line in self._give(value, name))]

    def _open(self, value: int, body: Body) -> None:
        """Where a value is made: what was sent of the last image is written over."""
        writer, held = self.writer, self.values[value]
        if value in self.inner:
            self.streams[value] = writer.register(self.k, value, whole=True)
        elif held.image.pixels == 1:
            self.streams[value] = writer.target(self.k, value)
        else:
            name = self.given[value] = writer.aliased(f"made{value}", held.block, held.image.pixels)
            self.streams[value] = name + ALL
            body.add(f"room {name} {held.image.pixels}")

    def _give(self, value: int, name: str) -> list[str]:
        """Sends of all pixels, then copies one by one; the last of them gives the blocks back."""
        writer, pixels = self.writer, self.values[value].image.pixels
        flows, rings = writer.placed.flows.get(value, ()), writer.rings_of(value)
        lines = [f"send {name}, flow {flow.number}, blocks {pixels}"
                 + (", free" if flow is flows[-1] and not rings else "") for flow in flows]
        copies = [f"    vec {writer.copy(value, name, ring.name)}{', free_a' if ring is rings[-1] else ''}, push"
                  for ring in rings]
        return [*lines, f"loop {pixels} {{", *copies, "}"] if rings else lines

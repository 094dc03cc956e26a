"""Nodes whose elements differ within a channel: they wait for a whole image, and do it as one vector.

A layer that takes a whole value has a scale for each element, so what encodes it has parameters for each. Its pixels
come into a ring that holds exactly one image, over which lies a stream whose only block is all of it.
"""

from compiler.tile.code.writer import ALL, Body, Writer
from compiler.tile.graph.graph import Node

__all__ = ["whole_node"]


def whole_node(writer: Writer, k: int, node: Node) -> list[str]:
    """Instructions of such a node for an image."""
    body, pixels = Body(), node.walk.image
    taken = [writer.placed.rings[writer.tile, k, value].name for value in dict.fromkeys(node.taken)]
    given = {v: writer.aliased(f"made{v}", writer.graph.values[v].block, pixels)
             for v in node.values if v in node.exports or writer.placed.flows.get(v)}
    for name in taken:
        body.add(f"wait {name} {pixels}")
        body.add(f"push {name}{ALL} 1")
    for name in given.values():
        # What was sent of the last image is written over.
        body.add(f"room {name} {pixels}")
    for value in node.values:
        _make(writer, k, value, given, body)
    for name in taken:
        body.add(f"free {name} {pixels}")
    for value, name in given.items():
        if not writer.within(k, value):
            body.add(f"free {name}{ALL} 1")
        body.add(f"push {name} {pixels}")
    return [*body.lines(), *(line for value, name in given.items() for line in _give(writer, value, name, pixels))]


def _make(writer: Writer, k: int, value: int, given: dict[int, str], body: Body) -> None:
    """The operation that makes all elements of a value."""
    made, operands = writer.graph.values[value], {}
    for name, source in zip("ab", writer.program.stages[value - 1].inputs, strict=False):
        inside = source in writer.graph.nodes[k].values
        ring = _own(writer, source, given) if inside else writer.placed.rings[writer.tile, k, source].name + ALL
        operands |= {name: ring, f"{name}_format": writer.graph.values[source].format}
        body.reads(ring, f"free_{name}")
    one = writer.vector(value, whole=True)
    body.add(f"vec {writer.vec(one, made.image.elements, _own(writer, value, given), wide=made.wide, **operands)}",
             ", push")


def _own(writer: Writer, value: int, given: dict[int, str]) -> str:
    """The stream of all elements of a value of the node."""
    if value in given:
        return given[value] + ALL
    held = writer.graph.values[value]
    return writer.stream(f"made{value}{ALL}", held.block * held.image.pixels, 1)


def _give(writer: Writer, value: int, name: str, pixels: int) -> list[str]:
    """Sends of all pixels, then copies one by one; the last of them gives the blocks back."""
    flows, rings = writer.placed.flows.get(value, ()), writer.rings_of(value)
    lines = [f"send {name}, flow {flow.number}, blocks {pixels}"
             + (", free" if flow is flows[-1] and not rings else "") for flow in flows]
    copies = [f"    vec {writer.copy(value, name, ring.name)}{', free_a' if ring is rings[-1] else ''}, push"
              for ring in rings]
    return [*lines, f"loop {pixels} {{", *copies, "}"] if rings else lines

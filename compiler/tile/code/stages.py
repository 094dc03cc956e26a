"""The instructions of a stage: its vector operations with the streams that they read and write.

Nodes that have whole images wait for all pixels, and do them as one vector. A layer that takes a whole value has a
scale for each element, so what encodes it has parameters for each; and what moves elements from pixel to pixel needs
all of them. Pixels come into a ring that holds exactly one image, over which lies a stream whose only block is all of
it. A value of a single pixel is its block itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mho.compiler.tile.code.ir import Code, Repeat, counted, send, vec
from mho.compiler.tile.code.writer import ALL, Body, Writer
from mho.compiler.tile.graph.graph import Node
from mho.compiler.tile.lowering.vectors import OUT, StepOperand, Taken, Temporary, VectorStep
from mho.hw.tile.isa import Format, Op, Operand


@dataclass(frozen=True)
class Source:
    """The stream of a value, how its bytes are read, whether its block stays, and from which element on it is read."""

    value: int
    stream: str
    format: Format
    stays: bool = False
    first: int = 0


def stage_code(
    writer: Writer, k: int, steps: Sequence[VectorStep], sources: Sequence[Source], target: str, wide: bool, body: Body
) -> None:
    """The steps of a stage of node ``k`` into ``target``, which is shown behind the last of them."""
    last = max(n for n, step in enumerate(steps) if step.target == OUT)
    for n, step in enumerate(steps):
        operands: dict[str, int | str] = {"a": Operand.NONE}
        flags: list[str] = []
        for name, operand, offset in (("a", step.a, step.a_offset), ("b", step.b, step.b_offset)):
            if operand is None:
                continue
            if isinstance(operand, Taken):
                source = sources[operand.number]
                operands |= {name: source.stream, f"{name}_format": source.format}
                offset += source.first
                if not source.stays:
                    body.reads(source.stream, f"free_{name}", source.value)
            elif isinstance(operand, Temporary):
                ring = writer.temporary(k, operand.number, 2 * step.elements)
                operands |= {name: ring, f"{name}_format": Format.LANE}
                flags += [] if _read_again(steps[n + 1 :], operand) else [f"free_{name}"]
            else:
                operands[name] = Operand.ACCUMULATORS
            operands |= {f"{name}_offset": offset} if offset else {}
        if isinstance(step.target, Temporary):
            where, flags = writer.temporary(k, step.target.number, 2 * step.elements), [*flags, "push"]
        elif step.target is OUT:
            where, flags = target, flags + (["push"] if n == last else [])
        else:
            where = Operand.ACCUMULATORS
        operands |= {"target_offset": step.target_offset} if step.target_offset else {}
        name = writer.vec(step.vector, step.elements, where, wide=wide or isinstance(step.target, Temporary),
                          **operands)
        body.add(vec(name, *flags))


def _read_again(steps: Sequence[VectorStep], operand: StepOperand) -> bool:
    """Whether what an operand holds is read before it is made anew."""
    for step in steps:
        if operand in (step.a, step.b):
            return True
        if step.target == operand:
            return False
    return False


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

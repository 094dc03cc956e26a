"""The program of a tile as text: streams, walks, parameters and the loops of its nodes.

A tile carries out its nodes in an order that was found before (:mod:`compiler.tile.order`), a position at a time, then
goes on to the next image.
"""

from collections.abc import Mapping

import numpy as np

from compiler.program import Call, Layer, Mvm
from compiler.tile.geometry import channels_of, rows_of
from compiler.tile.graph import Node
from compiler.tile.operations import Vector, leaf, root
from compiler.tile.order import Loop, Steps
from compiler.tile.placing import CODES_IN, CODES_OUT
from compiler.tile.streams import Placed, Ring, tile_name
from compiler.tile.whole import whole_node
from compiler.tile.writer import LOCAL_BLOCKS, Body, Writer
from hw.config import Chip
from hw.core.layout import pack
from hw.tile.text.fields import unpack_core
from hw.tile.walk import OUTSIDE, Walk
from macro_models.errors import InputError

__all__ = ["TileText", "least_blocks"]


def least_blocks(placed: Placed, ring: Ring) -> int:
    """Blocks that a ring has at least."""
    node = placed.graph.nodes[ring.node]
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
        for ring in self.placed.rings.values():
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
            self._products(k, node, op, body)
        if is_root:
            for value in node.values:
                self._make(k, node, value, body)
            for value in node.values:
                self._give(k, value, body)
        return body.lines()

    def _products(self, k: int, node: Node, call: Call, body: Body) -> None:
        """Products of the tile, each drained after the next one began; their sum goes to the reduction, if any."""
        layer = self.program.layers[call.layer]
        mine = [m for m in layer.mvms if tile_name(self.chip, m.core) == self.tile]
        stream, begun, drains = self.placed.rings[self.tile, k, node.source].name, set[int](), list[str]()
        for number, mvm in enumerate(mine):
            last = number == len(mine) - 1
            body.add(f"mvm {self._mvm(layer, mvm)}, {self._codes(node.walk, call, layer, mvm, stream)}, advance"
                     + (", free" if last else ""))
            made = leaf(layer, mvm, begun)
            assert made.parameters is not None
            drains.append(f"vec {self.writer.vec(made, len(made.parameters), 'accumulators', a='drain')}")
            if number:
                body.add(drains.pop(0))
        for line in drains:
            body.add(line)
        if k in self.placed.reductions:
            part = self.writer.stream(f"part{k}", 2 * layer.outputs)
            copy = Vector(fields={"kind": "max"})
            body.add(f"vec {self.writer.vec(copy, layer.outputs, part, wide=True, a='accumulators')}, push")
            body.add(f"send {part}, context {self.placed.reductions[k].context}, free")

    def _codes(self, walk: Walk, call: Call, layer: Layer, mvm: Mvm, stream: str) -> str:
        """The walk of a product, proven to give the rows of the layer that it takes."""
        first, count = mvm.first // walk.terms, len(mvm.rows) // walk.terms
        rows = rows_of(walk, first, count)
        contiguous = np.array_equal(mvm.rows, mvm.rows[0] + np.arange(len(mvm.rows))) and mvm.rows[0] % CODES_IN == 0
        if not contiguous or not np.array_equal(layer.spread[mvm.first : mvm.first + len(mvm.rows)], rows):
            raise InputError(f"layer {layer.name!r} must have its rows in the order of a walk, as compiled for tiles")
        pads = call.pad[first * walk.terms : (first + count) * walk.terms].reshape(count, walk.terms)
        if (pads != pads[:, :1]).any() and (walk.pixels == OUTSIDE).any():
            raise InputError(f"layer {layer.name!r} must have one padding a channel for tiles")
        return self.writer.walk(channels_of(walk, first, count), stream, pads[:, 0])

    def _mvm(self, layer: Layer, mvm: Mvm) -> str:
        bits = pack(mvm.op)
        core = unpack_core({"op": bits & 0xFFFFFFFF, "op_high": bits >> 32})
        assert core is not None
        rows, columns = mvm.rows, mvm.columns
        fields = {
            "i_first": int(rows[0]) // CODES_IN, "i_last": int(rows[-1]) // CODES_IN,
            "o_first": int(columns[0]) // CODES_OUT, "o_last": int(columns[-1]) // CODES_OUT,
            "operation": mvm.operation, "conversions": layer.conversions, **{n: v for n, v in core.items() if v},
        }
        return self.writer.declared("mvm", "m", ": " + ", ".join(f"{name} {value}" for name, value in fields.items()))

    def _make(self, k: int, node: Node, value: int, body: Body) -> None:
        """The operation that makes a value."""
        stage, made = self.program.stages[value - 1], self.graph.values[value]
        target, operands, op, flags = self._target(k, value), {}, stage.operation, ""
        if isinstance(op, Call):
            one = root(self.program.layers[op.layer].root)
            context = self.placed.reductions.get(k)
            operands["a"] = "accumulators" if context is None else f"result{context.context}"
        else:
            one = self.writer.vector(value)
            window = value - 1 == node.head
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

"""The program of a tile as text: streams, walks, parameters and the loops of its nodes.

A tile does its nodes one after the other, each at all positions of an image, then goes on to the next image. So a ring
between two nodes of one tile holds what the first is ahead, and the order is one that never gets stuck once it does.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from compiler.program import Call, Layer, Mvm
from compiler.tile.geometry import channels_of, rows_of
from compiler.tile.graph import Node
from compiler.tile.operations import NotAlikeError, Vector, leaf, root, vector_of
from compiler.tile.placing import CODES_IN, CODES_OUT
from compiler.tile.streams import Placed, Ring, tile_name
from hw.config import Chip
from hw.core.layout import pack
from hw.tile.text.fields import unpack_core
from hw.tile.walk import OUTSIDE, Walk
from macro_models.errors import InputError

__all__ = ["LOCAL_BLOCKS", "TileText", "least_blocks"]

LOCAL_BLOCKS = 2
"""Blocks of a ring within a node: one is sent while the next is made."""

_WALK = ("kernel_x", "kernel_y", "dilation_x", "dilation_y", "stride_x", "stride_y", "pad_x", "pad_y")
_MOST_BLOCKS = 255


def least_blocks(placed: Placed, ring: Ring) -> int:
    """Blocks that a ring has at least."""
    node = placed.graph.nodes[ring.node]
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
    image
        Number of the first image.
    """

    def __init__(self, placed: Placed, chip: Chip, tile: str, blocks: Mapping[str, int], image: int = 0) -> None:
        self.placed, self.chip, self.tile, self.blocks, self.image = placed, chip, tile, blocks, image
        self.graph, self.program = placed.graph, placed.graph.program
        self.heads: dict[str, list[str]] = {
            kind: [] for kind in ("stream", "bytes", "walk", "mvm", "parameters", "table", "vec")}
        self._known: dict[tuple[str, str], str] = {}
        self._waiting: list[str] = []

    def text(self) -> str:
        """The whole text.

        Raises
        ------
        InputError
            If a stage has no form on tiles: one sentence that names the layer.
        """
        code: list[str] = []
        for ring in self.placed.rings.values():
            if ring.tile == self.tile:
                self._ring(ring)
        for k, node in enumerate(self.graph.nodes):
            if self.tile in self.placed.members[k]:
                code += self._node(k, node)
        lines = [f"; Tile {self.tile}: the assembler of docs/explanation/tile.md, written by the compiler.", ""]
        for kind in self.heads:
            lines += [*self.heads[kind], ""] if self.heads[kind] else []
        lines += [f"first_image: {self.image}", ""] if self.image else []
        return "\n".join([*lines, "loop forever {", *("    " + line for line in code), "    image", "}"]) + "\n"

    # --- declarations ---

    def _ring(self, ring: Ring) -> None:
        value = self.graph.values[ring.value]
        where = f", remote, slot {ring.slot}" if ring.slot is not None else ""
        self.heads["stream"].append(f"stream {ring.name}: block {value.block}, blocks {self.blocks[ring.name]}{where}")

    def _local(self, name: str, size: int) -> str:
        """A ring within a node."""
        self.heads["stream"].append(f"stream {name}: block {size}, blocks {LOCAL_BLOCKS}")
        return name

    def _declared(self, kind: str, prefix: str, content: str) -> str:
        """The name of a declaration; those that are equal are one."""
        key = kind, content
        if key not in self._known:
            self._known[key] = name = f"{prefix}{sum(k == kind for k, _ in self._known)}"
            self.heads[kind].append(f"{kind} {name}{content}")
        return self._known[key]

    def _walk(self, walk: Walk, stream: str, pad: NDArray[np.integer] | None = None) -> str:
        fields = {n: getattr(walk, n) for n in _WALK if getattr(walk, n) != (0 if n.startswith("pad") else 1)}
        fields |= {n: getattr(walk, n) for n in ("width", "height", "positions_x", "positions_y", "run")}
        fields |= {"channel": walk.channel} if walk.channel else {}
        text = ", ".join(f"{name} {value}" for name, value in fields.items())
        if pad is not None and (walk.pixels == OUTSIDE).any():
            text += ", pad " + self._declared("bytes", "pad", " { " + " ".join(map(str, pad.tolist())) + " }")
        return self._declared("walk", "w", f": stream {stream}, {text}")

    def _vec(self, one: Vector, elements: int, target: str, *, wide: bool = False, **operands: str) -> str:
        fields: dict[str, int | str] = {**one.fields, **operands, "target": target, "elements": elements}
        if one.parameters is not None:
            name = self._declared("parameters", "p", " {\n" + "\n".join(_parameter_lines(one.parameters)) + "\n}")
            fields |= {"parameters": name, "period": min(elements, len(one.parameters))}
        if one.entries is not None:
            name = self._declared("table", "", " {\n" + "\n".join(
                "    " + " ".join(map(str, row)) for row in one.entries.reshape(-1, 16).tolist()) + "\n}")
            fields["b"] = name
        text = ", ".join(f"{name} {value}" for name, value in fields.items())
        return self._declared("vec", "v", f": {text}{', wide' if wide else ''}")

    # --- code ---

    def _node(self, k: int, node: Node) -> list[str]:
        """Instructions of a node at all positions of an image."""
        op = None if node.head is None else self.program.stages[node.head].operation
        is_root = self.tile == self.placed.root(k)
        body = _Body()
        if isinstance(op, Call):
            self._products(k, node, op, body)
        if is_root:
            for value in node.values:
                self._make(k, node, value, body)
            for value in node.values:
                self._give(k, value, body)
        lines, positions = body.lines(), node.walk.positions
        return lines if positions == 1 else [f"loop {positions} {{", *("    " + line for line in lines), "}"]

    def _products(self, k: int, node: Node, call: Call, body: "_Body") -> None:
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
            drains.append(f"vec {self._vec(made, len(made.parameters), 'accumulators', a='drain')}")
            if number:
                body.add(drains.pop(0))
        for line in drains:
            body.add(line)
        if k in self.placed.reductions:
            part = self._local(f"part{k}", 2 * layer.outputs)
            copy = Vector(fields={"kind": "max"})
            body.add(f"vec {self._vec(copy, layer.outputs, part, wide=True, a='accumulators')}, push")
            body.add(f"send {part}, context {self.placed.reductions[k].context}, free")

    def _codes(self, walk: Walk, call: Call, layer: Layer, mvm: Mvm, stream: str) -> str:
        """The walk of a product, proven to give the rows of the layer that it takes."""
        first, count = mvm.first // walk.terms, len(mvm.rows) // walk.terms
        rows = rows_of(walk, first, count)
        contiguous = np.array_equal(mvm.rows, mvm.rows[0] + np.arange(len(mvm.rows))) and mvm.rows[0] % CODES_IN == 0
        if not contiguous or not np.array_equal(layer.spread[mvm.first : mvm.first + len(mvm.rows)], rows):
            raise InputError(f"layer {layer.name!r} must have its rows in the order of a walk, as compiled for tiles")
        pads = call.pad[first * walk.terms : (first + count) * walk.terms].reshape(count, walk.terms)
        if (pads != pads[:, :1]).any():
            raise InputError(f"layer {layer.name!r} must have one padding a channel for tiles")
        return self._walk(channels_of(walk, first, count), stream, pads[:, 0])

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
        return self._declared("mvm", "m", ": " + ", ".join(f"{name} {value}" for name, value in fields.items()))

    def _make(self, k: int, node: Node, value: int, body: "_Body") -> None:
        """The operation that makes a value."""
        stage, made = self.program.stages[value - 1], self.graph.values[value]
        target, operands, op, flags = self._target(k, value), {}, stage.operation, ""
        if isinstance(op, Call):
            one = root(self.program.layers[op.layer].root)
            context = self.placed.reductions.get(k)
            operands["a"] = "accumulators" if context is None else f"result{context.context}"
        else:
            one = self._vector(value)
            window = value - 1 == node.head
            for name, taken in zip("ab", stage.inputs, strict=False):
                stream = self._source(k, taken)
                operands[name] = self._walk(node.walk, stream) if window else stream
                operands[f"{name}_format"] = self.graph.values[taken].format
                if window:
                    flags = ", advance_a, free_a"
                else:
                    body.reads(stream, f"free_{name}")
        body.add(f"vec {self._vec(one, made.image.channels, target, wide=made.wide, **operands)}", flags + ", push")

    def _vector(self, value: int) -> Vector:
        stage = self.program.stages[value - 1]
        try:
            return vector_of(stage.operation, self.graph.values[value].image, len(stage.inputs))
        except NotAlikeError:
            names = [self.program.layers[s.operation.layer].name for s in self.program.stages[:value]
                     if isinstance(s.operation, Call)]
            what, where = type(stage.operation).__name__.lower(), names[-1] if names else "input"
            raise InputError(f"layer {where!r} is followed by a {what} whose elements of a channel differ, or whose "
                             "limits do, which tiles cannot do") from None

    def _source(self, k: int, value: int) -> str:
        """The ring from which a node takes a value."""
        if value in self.graph.nodes[k].values:
            return self._target(k, value)
        return self.placed.rings[self.tile, k, value].name

    def _readers(self, k: int, value: int) -> tuple[bool, list[Ring]]:
        """Whether a value is read or sent within its node, and rings of its tile that take it."""
        within = any(value in self.program.stages[v - 1].inputs for v in self.graph.nodes[k].values)
        rings = [r for (tile, _, v), r in self.placed.rings.items() if v == value and tile == self.tile]
        return within or bool(self.placed.flows.get(value)), rings

    def _target(self, k: int, value: int) -> str:
        """The ring into which a value is made: that of its only taker, or one of its own."""
        within, rings = self._readers(k, value)
        if not within and len(rings) == 1:
            return rings[0].name
        name = f"made{value}"
        if not any(line.startswith(f"stream {name}:") for line in self.heads["stream"]):
            self._local(name, self.graph.values[value].block)
        return name

    def _give(self, k: int, value: int, body: "_Body") -> None:
        """Copies and sends of a value."""
        name, held = self._target(k, value), self.graph.values[value]
        _, rings = self._readers(k, value)
        for ring in rings:
            if ring.name != name:
                low, high = (-32768, 32767) if held.wide else (-128, 127) if held.signed else (0, 255)
                copy = Vector(fields={"kind": "max", "lo": low, "hi": high})
                text = self._vec(copy, held.image.channels, ring.name, wide=held.wide, a=name, a_format=held.format)
                body.reads(name, "free_a")
                body.add(f"vec {text}", ", push")
        for flow in self.placed.flows.get(value, ()):
            body.reads(name, "free")
            body.add(f"send {name}, flow {flow.number}")


class _Body:
    """Instructions of a position; whoever reads a ring last gives its block back."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str, list[tuple[str, str]]]] = []
        self._reads: list[tuple[str, str]] = []

    def reads(self, stream: str, flag: str) -> None:
        """The next instruction reads the oldest block of a stream; ``flag`` gives it back."""
        self._reads.append((stream, flag))

    def add(self, text: str, flags: str = "") -> None:
        """An instruction and the flags that it has in any case."""
        self._lines.append((text, flags, self._reads))
        self._reads = []

    def lines(self) -> list[str]:
        """All of them, with the flags that give back."""
        last = {stream: (k, flag) for k, (_, _, reads) in enumerate(self._lines) for stream, flag in reads}
        return [text + "".join(f", {flag}" for stream, flag in dict(reads).items() if last[stream] == (k, flag)) + flags
                for k, (text, flags, reads) in enumerate(self._lines)]


def _parameter_lines(rows: NDArray[np.int64]) -> Sequence[str]:
    names = ("m", "c", "d", "target")
    lines = []
    for row in rows.tolist():
        given = [f"{name} {value}" for name, value in zip(names, row, strict=False) if value or name == "m"]
        lines.append("    " + ", ".join([*given, *(["valid"] if row[4] else []), *(["start"] if row[5] else [])]))
    return lines

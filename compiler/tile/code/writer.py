"""Declarations of a tile's text: streams, walks, parameters, tables, operations; each that is equal is one."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from compiler.tile.graph.operations import NotAlikeError, Vector, vector_of
from compiler.tile.placed.streams import Placed, Ring
from hw.tile.walk import OUTSIDE, Walk
from macro_models.errors import InputError

__all__ = ["ALL", "LOCAL_BLOCKS", "Body", "Writer"]

LOCAL_BLOCKS = 2
"""Blocks of a ring within a node: one is sent while the next is made."""
ALL = "_all"
"""Behind the name of a ring: the stream that sees its image as one block."""
STEP = 8
"""What rings begin at a multiple of."""

_WALK = ("kernel_x", "kernel_y", "dilation_x", "dilation_y", "stride_x", "stride_y", "pad_x", "pad_y")


class Writer:
    """What the text of one tile declares.

    Parameters
    ----------
    placed
        What is placed.
    tile
        Its name.
    blocks
        Blocks of the rings between nodes, by their names.
    """

    def __init__(self, placed: Placed, tile: str, blocks: Mapping[str, int]) -> None:
        self.placed, self.tile, self.blocks = placed, tile, blocks
        self.graph, self.program = placed.graph, placed.graph.program
        self.heads: dict[str, list[str]] = {
            kind: [] for kind in ("stream", "bytes", "walk", "mvm", "parameters", "table", "vec")}
        self._known: dict[tuple[str, str], str] = {}
        self._streams: set[str] = set()
        self._top = placed.cfg.buffer_bytes

    def ring(self, ring: Ring) -> None:
        """The ring of a value at a node of this tile."""
        node, value = self.graph.nodes[ring.node], self.graph.values[ring.value]
        where = f", remote, slot {ring.slot}" if ring.slot is not None else ""
        if ring.outputs:
            self.stream(ring.name, ring.outputs * value.width, self.blocks[ring.name], where)
        elif node.whole:
            self.aliased(ring.name, value.block, value.image.pixels, where)
        else:
            self.stream(ring.name, value.block, self.blocks[ring.name], where)

    def stream(self, name: str, block: int, blocks: int = LOCAL_BLOCKS, more: str = "") -> str:
        """A ring; one of a name."""
        if name not in self._streams:
            self._streams.add(name)
            self.heads["stream"].append(f"stream {name}: block {block}, blocks {blocks}{more}")
        return name

    def aliased(self, name: str, block: int, pixels: int, more: str = "") -> str:
        """A ring of one image, and a stream over the same bytes whose only block is all of it."""
        if name not in self._streams:
            self._top = (self._top - block * pixels) // STEP * STEP
            if self._top < 0:
                raise InputError(f"tile {self.tile} must hold its rings in {self.placed.cfg.buffer_bytes} bytes; "
                                 f"{name!r} of {pixels} blocks of {block} bytes finds no place")
            self.stream(name, block, pixels, f"{more}, base {self._top}")
            self.stream(name + ALL, block * pixels, 1, f", base {self._top}")
        return name

    def declared(self, kind: str, prefix: str, content: str) -> str:
        """The name of a declaration; those that are equal are one."""
        key = kind, content
        if key not in self._known:
            self._known[key] = name = f"{prefix}{sum(k == kind for k, _ in self._known)}"
            self.heads[kind].append(f"{kind} {name}{content}")
        return self._known[key]

    def walk(self, walk: Walk, stream: str, pad: NDArray[np.integer] | None = None) -> str:
        """A walk over a stream; ``pad`` has a code for each channel that it takes."""
        fields = {n: getattr(walk, n) for n in _WALK if getattr(walk, n) != (0 if n.startswith("pad") else 1)}
        fields |= {n: getattr(walk, n) for n in ("width", "height", "positions_x", "positions_y", "run")}
        fields |= {"channel": walk.channel} if walk.channel else {}
        text = ", ".join(f"{name} {value}" for name, value in fields.items())
        if pad is not None and (walk.pixels == OUTSIDE).any():
            text += ", pad " + self.declared("bytes", "pad", " { " + " ".join(map(str, pad.tolist())) + " }")
        return self.declared("walk", "w", f": stream {stream}, {text}")

    def vec(self, one: Vector, elements: int, target: str, *, wide: bool = False, **operands: str) -> str:
        """A vector operation."""
        fields: dict[str, int | str] = {**one.fields, **operands, "target": target, "elements": elements}
        if one.parameters is not None:
            name = self.declared("parameters", "p", " {\n" + "\n".join(_parameter_lines(one.parameters)) + "\n}")
            fields |= {"parameters": name, "period": min(elements, len(one.parameters))}
        if one.entries is not None:
            fields["b"] = self.declared("table", "", " {\n" + "\n".join(
                "    " + " ".join(map(str, row)) for row in one.entries.reshape(-1, 16).tolist()) + "\n}")
        text = ", ".join(f"{name} {value}" for name, value in fields.items())
        return self.declared("vec", "v", f": {text}{', wide' if wide else ''}")

    # --- values ---

    def vector(self, value: int, *, whole: bool = False) -> Vector:
        """The operation that makes a value."""
        stage = self.program.stages[value - 1]
        try:
            return vector_of(stage.operation, self.graph.values[value].image, len(stage.inputs), whole=whole)
        except NotAlikeError:
            what, where = type(stage.operation).__name__.lower(), self.graph.layer_before(value)
            raise InputError(f"layer {where!r} is followed by a {what} whose limits or factors differ, which tiles "
                             "cannot do") from None

    def within(self, k: int, value: int) -> bool:
        """Whether a value is read in its own node."""
        return any(value in self.program.stages[v - 1].inputs for v in self.graph.nodes[k].values)

    def rings_of(self, value: int) -> list[Ring]:
        """Rings of this tile that take a value."""
        return [r for (tile, _, v), r in self.placed.rings.items() if v == value and tile == self.tile]

    def copy(self, value: int, source: str, target: str) -> str:
        """An operation that copies a pixel of a value."""
        held = self.graph.values[value]
        return self.vec(held.copy, held.image.channels, target, wide=held.wide, a=source, a_format=held.format)


class Body:
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

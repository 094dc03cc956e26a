"""Declarations of a tile: streams, walks, parameters, tables, operations; each that is equal is one."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from mho.compiler.tile.code.ir import NAMED, Code, Data, Descriptor, Instruction, Repeat, send, vec
from mho.compiler.tile.lowering.operations import steps_of
from mho.compiler.tile.lowering.vectors import Vector, VectorStep
from mho.compiler.tile.placement.streams import Placed, Ring
from mho.compiler.tile.refusal import NoRoomError
from mho.hw.tile.interpreter.joined import HOST
from mho.hw.tile.isa import DESCRIPTORS, Operand
from mho.hw.tile.isa.window import OUTSIDE, SlidingWindow
from mho.macro_models.integer.vector import Select
from mho.macro_models.types import Integral

LOCAL_BLOCKS = 2
"""Blocks of a ring within a node: one is sent while the next is made."""
MOST_TWICE = 512
"""Bytes from which on such a ring has one block."""
REGISTER = "reg"
ALL = "_all"
"""Behind the name of a ring: the stream that sees its image as one block."""
STEP = 8
"""What rings begin at a multiple of."""

_RESULTS = range(Operand.RESULT, Operand.RESULT + 4)
_WALK = ("kernel_x", "kernel_y", "dilation_x", "dilation_y", "stride_x", "stride_y", "pad_x", "pad_y")


class Writer:
    """What the program of one tile declares.

    Parameters
    ----------
    placed
        What is placed.
    blocks
        Blocks of the rings between nodes, by their names.
    order
        Its nodes as they fire in an image.
    apart
        What is sent and read here as well is copied for the send engine (:meth:`give`).
    cut
        The first node that is not an image ahead of others, if some are.
    """

    def __init__(
        self, placed: Placed, tile: str, blocks: Mapping[str, int], order: Sequence[int] = (), *, apart: bool = False,
        cut: int | None = None,
    ) -> None:
        self.order, self._apart, self._cut = order, apart, cut or 0
        self.placed, self.tile, self.blocks = placed, tile, blocks
        self.graph, self.program = placed.graph, placed.graph.program
        self.descriptors: dict[str, list[Descriptor]] = {kind: [] for kind in DESCRIPTORS}
        self.data: dict[str, list[Data]] = {kind: [] for kind in ("bytes", "parameters", "table")}
        self._known: dict[tuple[str, Hashable], str] = {}
        self._streams: set[str] = set()
        self._once: set[str] = set()
        self._first: dict[int, int | None] = {}
        self._pool: dict[str, int] = {}
        self._registers: dict[int, dict[int, str]] = {}
        self._walks: dict[str, list[Descriptor]] = {}
        self._top = placed.cfgs[tile].buffer_bytes

    def ring(self, ring: Ring) -> None:
        """The ring of a value at a node of this tile."""
        node, value = self.graph.nodes[ring.node], self.graph.values[ring.value]
        remote = {} if ring.slot is None else {"remote": 1, "slot": ring.slot}
        if ring.outputs:
            self.stream(ring.name, ring.outputs * value.width, self.blocks[ring.name], **remote)
        elif node.whole and value.image.pixels > 1:
            self.aliased(ring.name, value.block, value.image.pixels, **remote)
        else:
            self.stream(ring.name, ring.size or value.block, self.blocks[ring.name], **remote)

    def stream(self, name: str, block: int, blocks: int = LOCAL_BLOCKS, **more: int) -> str:
        """A ring; one of a name."""
        if name not in self._streams:
            self._streams.add(name)
            fields = {"block": block, "blocks": blocks, **more}
            self.descriptors["stream"].append(Descriptor("stream", name, tuple(fields.items())))
        return name

    def aliased(self, name: str, block: int, pixels: int, **more: int) -> str:
        """A ring of one image, and a stream over the same bytes whose only block is all of it."""
        if name not in self._streams:
            self._top = (self._top - block * pixels) // STEP * STEP
            if self._top < 0:
                size = self.placed.cfgs[self.tile].buffer_bytes
                raise NoRoomError(f"tile {self.tile} must hold its rings in {size} bytes; "
                                  f"{name!r} of {pixels} blocks of {block} bytes finds no place")
            self.stream(name, block, pixels, **more, base=self._top)
            self.stream(name + ALL, block * pixels, 1, base=self._top)
        return name

    def declared(self, kind: str, prefix: str, fields: Mapping[str, int | str]) -> Descriptor:
        """A descriptor; those with equal fields are one."""
        content = tuple(fields.items())
        name = self._name(kind, prefix, content, len(self.descriptors[kind]))
        if name is not None:
            self.descriptors[kind].append(Descriptor(kind, name, content))
        return Descriptor(kind, self._known[kind, content], content)

    def datum(self, kind: str, prefix: str, content: Integral) -> str:
        """The name of parameters, bytes or a table; those that are equal are one."""
        key = content.shape, content.tobytes()
        name = self._name(kind, prefix, key, len(self.data[kind]))
        if name is not None:
            self.data[kind].append(Data(kind, name, content))
        return self._known[kind, key]

    def _name(self, kind: str, prefix: str, key: Hashable, number: int) -> str | None:
        """A new name, None for what is known."""
        if (kind, key) in self._known:
            return None
        self._known[kind, key] = f"{prefix}{number}"
        return self._known[kind, key]

    def walk(self, walk: SlidingWindow, stream: str, pad: Integral | None = None, *, alone: bool = True) -> str:
        """A walk over a stream; ``pad`` has a code for each channel that it takes.

        It is ``alone`` where no vector operation names it, and it may be written anew before each use.
        """
        fields: dict[str, int | str] = {"stream": stream}
        fields |= {n: getattr(walk, n) for n in _WALK if getattr(walk, n) != (0 if n.startswith("pad") else 1)}
        fields |= {n: getattr(walk, n) for n in ("width", "height", "positions_x", "positions_y", "run")}
        fields |= {"channel": walk.channel} if walk.channel else {}
        if pad is not None and (walk.pixels == OUTSIDE).any():
            fields["pad"] = self.datum("bytes", "pad", pad)
        declared = self.declared("walk", "w", fields)
        if declared not in (walks := self._walks.setdefault(stream, [])):
            walks.append(declared)
        if walk.positions == 1 and alone:
            self._once.add(declared.name)
        return declared.name

    def renewed(self, stream: str) -> list[Code]:
        """What lets all walks over a stream begin with its oldest block."""
        return [*self._walks.get(stream, [])]

    def mvm(self, fields: Mapping[str, int], positions: int) -> str:
        """A product of a layer of so many positions."""
        name = self.declared("mvm", "m", fields).name
        if positions == 1:
            self._once.add(name)
        return name

    def vec(
        self, vector: Vector, elements: int, target: int | str, *, wide: bool = False, **operands: int | str
    ) -> str:
        """A vector operation."""
        fields: dict[str, int | str] = {**vector.fields, **operands, "target": target, "elements": elements}
        if vector.parameters is not None:
            parameters, period = vector.parameters, vector.period or min(elements, len(vector.parameters))
            if period == 1 and elements > 1:
                # A group ends where parameters begin anew.
                period = self.placed.cfgs[self.tile].lanes
                parameters = np.repeat(parameters, period, axis=0)
            fields["parameters"], fields["period"] = self.datum("parameters", "p", parameters), period
        if vector.entries is not None:
            fields["b"] = int(self.datum("table", "", vector.entries))
        return self.declared("vec", "v", {**fields, "wide": 1} if wide else fields).name

    # --- values ---

    def steps(self, value: int, *, whole: bool = False) -> list[VectorStep]:
        """The operations that make a value."""
        stage = self.program.stages[value - 1]
        return steps_of(stage.operation, self.graph.images(value), self.graph.values[value].image, whole=whole)

    def inner(self, k: int) -> dict[int, str]:
        """Values that are gone when their node has fired, with the ring that each has.

        Others have the same ring at other times. What is sent has one whose blocks are as large as it is.
        """
        if k not in self._registers:
            node, busy, rings = self.graph.nodes[k], dict[str, int](), dict[int, str]()
            for i, v in enumerate(node.values):
                if self.viewed(k, v)[0] != v:
                    continue
                if (end := self._until(k, i, v)) is None:
                    continue
                kind = f"out{self.graph.values[v].block}_" if self.placed.flows.get(v) else REGISTER
                names = (f"{kind}{n}" for n in range(len(node.values) + 1))
                rings[v] = next(name for name in names if busy.get(name, -1) < i)
                busy[rings[v]] = end
            self._registers[k] = rings
        return self._registers[k]

    def _until(self, k: int, place: int, value: int) -> int | None:
        """Place of the last value of a node that is made of one; None if it goes where it is taken at once."""
        node = self.graph.nodes[k]
        if self.placed.flows.get(value) or self.rings_of(value):
            many = node.whole and self.graph.values[value].image.pixels > 1
            return None if many or self._alone(k, value) else len(node.values)
        uses = [i for i, w in enumerate(node.values) if value in self.read(k, w)]
        return max(uses, default=place)

    def viewed(self, k: int, value: int) -> tuple[int, int]:
        """Where node ``k`` reads a value: of which value the block, from which element on.

        Elements of a single pixel that are side by side are not made, where the node alone takes them.
        """
        node, layout, stage = self.graph.nodes[k], self.graph.values[value], self.program.stages[value - 1]
        op = stage.operation
        if value not in node.values or not isinstance(op, Select) or len(stage.inputs) != 1 or op.index.ndim > 1:
            return value, 0
        source, first = self.graph.values[stage.inputs[0]], int(op.index[0])
        single = node.walk.positions == layout.image.pixels == source.image.pixels == 1
        if not single or node.whole or node.pixels or node.sources or self.placed.flows.get(value) or (
                self.rings_of(value) or first < 0 or (np.diff(op.index) != 1).any()
                or (source.wide, source.signed) != (layout.wide, layout.signed)):
            return value, 0
        block, offset = self.viewed(k, stage.inputs[0])
        return block, offset + first

    def read(self, k: int, value: int) -> list[int]:
        """Values whose blocks are read where a node makes a value; none where that is not made."""
        made = self.viewed(k, value)[0] == value
        return [self.viewed(k, v)[0] for v in self.program.stages[value - 1].inputs] if made else []

    def register(self, k: int, value: int, *, whole: bool = False) -> str:
        """The ring of a value within its node, which values of other times and nodes have, too."""
        layout = self.graph.values[value]
        return self._pooled(self.inner(k)[value], layout.block * (layout.image.pixels if whole else 1))

    def temporary(self, k: int, number: int, size: int) -> str:
        """A ring for what is between two operations of a stage of a node."""
        mine = [int(name.removeprefix(REGISTER)) for name in self.inner(k).values() if name.startswith(REGISTER)]
        return self._pooled(f"{REGISTER}{max(mine, default=-1) + 1 + number}", size)

    def _pooled(self, name: str, size: int) -> str:
        self._pool[name] = max(self._pool.get(name, 0), size)
        return name

    def close(self) -> None:
        """Declare what is shared, as large as it has to be."""
        for name, size in self._pool.items():
            self.stream(name, size, LOCAL_BLOCKS if size < MOST_TWICE else 1)

    def spilled(self, code: Sequence[Code]) -> list[Code]:
        """Instructions whose descriptors beyond those that the tile has are written before each use.

        All of those have the last place of their kind. A walk begins anew when it is written, a product too: this is
        for layers and windows that have one position in an image. Raises NoRoomError if others are too many.
        """
        result = list[Code]()
        for one in code:
            if isinstance(one, Repeat):
                result.append(replace(one, body=tuple(self.spilled(one.body))))
            elif isinstance(one, Descriptor):
                result.append(one)
            else:
                kinds, names = NAMED.get(one.op, ()), list(one.names)
                for n, (kind, name) in enumerate(zip(kinds, one.names, strict=True)):
                    if (written := self._written.get(kind, {}).get(name)) is not None:
                        result.append(written)
                        names[n] = written.name
                result.append(replace(one, names=tuple(names)))
        return result

    @cached_property
    def _written(self) -> dict[str, dict[str, Descriptor]]:
        """What is written before each use, by kind; from then on it is not among what the tile declares."""
        return {kind: self._spill(kind) for kind in ("vec", "mvm", "walk")}

    @property
    def crowded(self) -> bool:
        """Whether it declares more than a tile has, so that descriptors are written before each use."""
        return any(len(self.descriptors[kind]) > DESCRIPTORS[kind].count for kind in ("stream", "vec"))

    def _spill(self, kind: str) -> dict[str, Descriptor]:
        """What is written before each use, by its name."""
        count, declared = DESCRIPTORS[kind].count, self.descriptors[kind]
        if len(declared) <= count:
            return {}
        once = [one.name for one in declared if kind == "vec" or one.name in self._once]
        # SET waits for the send engine, and an operand of a sum for whoever takes that: nothing may come between them.
        taking = {one.name for one in declared if dict(one.fields).get("a") in _RESULTS}
        once.sort(key=lambda name: name not in taking)
        lasting = [one.name for one in declared if one.name not in once]
        if len(lasting) >= count:
            raise NoRoomError(f"tile {self.tile} must have at most {count} of {kind} that go on from position to "
                              f"position, not {len(lasting)}: spread its layers over more tiles")
        # Those in loops come first, so they keep their places.
        stay = {*lasting, *once[: count - 1 - len(lasting)]}
        place = next(name for name in once if name not in stay)
        self.descriptors[kind] = [one for one in declared if one.name in {*stay, place}]
        return {one.name: replace(one, name=place) for one in declared if one.name not in stay}

    def target(self, k: int, value: int) -> str:
        """The ring into which a value is made: that of its only taker, or one of its own."""
        return self.register(k, value) if value in self.inner(k) else self.rings_of(value)[0].name

    def _alone(self, k: int, value: int) -> bool:
        """Whether nobody reads a value but one node of the tile, by its ring."""
        return len(self.rings_of(value)) == 1 and not self.placed.flows.get(value) and not self.within(k, value)

    def give(self, k: int, value: int, name: str, body: "Body", turn: int | None = None) -> None:
        """Copies and sends of a value that is in a ring; with a ``turn`` to the node alone that has it.

        SEND is issued when no vector operation in hand reads its stream: where one does, the next product would begin
        behind it only. So such a value is sent from a ring that the send engine alone reads, if tiles have room.
        """
        # Values of a node with pixels are in one block.
        flows, node = self.placed.flows.get(value, ()), self.graph.nodes[k]
        rings = self.rings_of(value)
        if turn is not None:
            taker = self.graph.takers(value)[turn]
            rings = [ring for ring in rings if ring.node == taker]
            flows = [flow for flow in flows if {HOST, *self.placed.members[taker]} >= {*flow.to}]
        block = 0 if node.pixels else value
        for ring in rings:
            if ring.name != name:
                body.reads(name, "free_a", block)
                body.add(vec(self.copy(value, name, ring.name), "push"))
        apart = self._apart and not node.pixels and not node.deals and node.walk.positions > 1
        if flows and apart and (self.within(k, value) or self.rings_of(value)):
            sent = self.stream(f"sent{value}", self.graph.values[value].block)
            body.reads(name, "free_a", value)
            body.add(vec(self.copy(value, name, sent), "push"))
            name = sent
        for flow in flows:
            body.reads(name, "free", block)
            body.add(send(name, flow.number))

    def first_position(self, k: int) -> int | None:
        """Number of the first position that the product of node ``k`` counts from, where it goes on from call to call.

        None where the calls of its layer do not come in their order, each done before the next one, or it has none
        other. Those that are an image ahead count for themselves.
        """
        if k not in self._first:
            mine = self.graph.call(k)
            assert mine is not None
            calls = sorted((call.first, j) for j in range(len(self.graph.nodes))
                           if (call := self.graph.call(j)) is not None and call.layer == mine.layer
                           and (j < self._cut) == (k < self._cut))
            order = [j for j in self.order if j in {j for _, j in calls}]
            by_call = [j for _, j in calls for _ in range(self.graph.nodes[j].firings)]
            self._first[k] = calls[0][0] if len(calls) > 1 and order == by_call else None
        return self._first[k]

    def within(self, k: int, value: int) -> bool:
        """Whether a value is read in its own node."""
        return any(value in self.read(k, v) for v in self.graph.nodes[k].values)

    def rings_of(self, value: int) -> list[Ring]:
        """Rings of this tile that take a value."""
        return [r for (tile, _, v), r in self.placed.rings.items() if v == value and tile == self.tile]

    def copy(self, value: int, source: str, target: str) -> str:
        """An operation that copies a pixel of a value."""
        layout = self.graph.values[value]
        return self.vec(layout.copy, layout.image.channels, target, wide=layout.wide, a=source, a_format=layout.format)


class Body:
    """Instructions of a position; whoever reads a block last gives it back."""

    def __init__(self) -> None:
        self._code: list[tuple[Instruction, dict[tuple[str, int], str]]] = []
        self._reads: dict[tuple[str, int], str] = {}

    def reads(self, stream: str, flag: str, value: int = 0) -> None:
        """The next instruction reads the oldest block of a stream; ``flag`` gives it back.

        ``value`` tells values apart that are in one stream one after the other.
        """
        self._reads[stream, value] = flag

    def add(self, instruction: Instruction) -> None:
        """An instruction with the flags that it has in any case."""
        self._code.append((instruction, self._reads))
        self._reads = {}

    def code(self) -> list[Code]:
        """All of them, with the flags that give back."""
        last = {block: k for k, (_, reads) in enumerate(self._code) for block in reads}
        return [instruction.with_flags(*(flag for block, flag in reads.items() if last[block] == k))
                for k, (instruction, reads) in enumerate(self._code)]

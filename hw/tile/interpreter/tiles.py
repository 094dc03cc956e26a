"""The interpreter of one tile and of joined ones: their tokens (:mod:`.token_tile`, :mod:`.tokens`), with data."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.interpreter.joined import HOST, Joined, Place, Reduction
from mho.hw.tile.interpreter.plans import Plan
from mho.hw.tile.interpreter.state import Core, Retired, TrapError
from mho.hw.tile.interpreter.token_tile import TokenNet, TokenTile
from mho.hw.tile.interpreter.tokens import Machine
from mho.hw.tile.isa import ACCUMULATORS, DESCRIPTORS, STREAMS, Cause, Format, Kind, Op, Operand, decode
from mho.hw.tile.isa.rules import is_draw, is_stream, is_walk
from mho.hw.tile.isa.vector import compute, lanes_of
from mho.hw.tile.isa.window import OUTSIDE, sliding_window
from mho.macro_models.errors import InputError
from mho.macro_models.integer.draws import draws

Bytes = NDArray[np.uint8]
Fields = Mapping[str, int]
_FORMATS: dict[Format, np.dtype[np.integer]] = {
    Format.UNSIGNED: np.dtype("u1"), Format.SIGNED: np.dtype("i1"), Format.LANE: np.dtype("<i2"),
}


def _sum(values: NDArray[np.integer]) -> int:
    return int(values.astype(np.int64).sum()) & 0xFFFFFFFF


class TileMachine(TokenTile):
    """One tile with data; parameters as of :class:`mho.hw.tile.interpreter.token_tile.TokenTile`.

    Attributes
    ----------
    rings
        Descriptors of its streams.
    buffer
        Its bytes.
    sums, lanes
        Sums of reductions that came, by context; those that were taken last.
    """

    def __init__(
        self, name: str, place: Place, net: TokenNet, watch: Callable[[Retired], None] | None = None
    ) -> None:
        cfg, program = place.cfg, place.program
        program.check(cfg, name)
        super().__init__(name, place, net, watch)
        self._core, self._tables = place.core, program.tables
        self.rings = [program.descriptor("stream", k) for k in range(STREAMS)]
        self.buffer: Bytes = np.zeros(cfg.buffer_bytes, np.uint8)
        self.buffer[: len(program.buffer)] = np.frombuffer(program.buffer, np.uint8)
        self._parameters = np.zeros(cfg.parameters, np.uint64)
        self._parameters[: len(program.parameters)] = program.parameters
        self._accumulators = np.zeros(ACCUMULATORS, np.int32)
        self._results: deque[NDArray[np.int16]] = deque()
        self._numbers: dict[int, int] = {}
        self._drawn, self._key = -1, program.key
        self.lanes = np.zeros(0, np.int16)
        self.sums = [self.lanes] * 4

    # --- the buffer ---

    def block(self, stream: int, offset: int = 0) -> bytes:
        """Bytes of a block, the oldest one or one behind it."""
        ring = self.rings[stream]
        start = ring["base"] + (self.freed[stream] + offset) % ring["blocks"] * ring["block"]
        return self.buffer[start : start + ring["block"]].tobytes()

    def sent_block(self) -> bytes:
        """The block that the send engine gives."""
        assert self.sending is not None
        return self.block(self.sending.send.stream, self.sending.offset)

    def put(self, stream: int, block: bytes) -> None:
        """Write a block into a ring that has room, and show it: what others send."""
        self._write(stream, 0, np.frombuffer(block, np.uint8))
        self.came[stream] += 1

    def _write(self, stream: int, offset: int, data: Bytes) -> None:
        """Write bytes into the next block, from byte ``offset`` on."""
        ring = self.rings[stream]
        start = ring["base"] + self.came[stream] % ring["blocks"] * ring["block"] + offset
        self.buffer[start : start + len(data)] = data

    def _gather(self, number: int, kind: np.dtype, offset: int, elements: int) -> NDArray[np.integer]:
        """Elements of each pixel of a walk's window, (terms, elements)."""
        at, pad = self._walk(number), self.descriptor("walk", number)["pad"]
        ring, pixels = self.rings[at.stream], at.window.window(at.number)
        starts = ring["base"] + (at.origin + pixels) % ring["blocks"] * ring["block"] + at.window.channel
        starts = np.where(pixels == OUTSIDE, pad, starts) + offset * kind.itemsize
        return self.buffer[starts[:, None] + np.arange(elements * kind.itemsize)].view(kind)

    def _sent_sum(self) -> int:
        return sum(self.sent_block()) & 0xFFFFFFFF

    # --- instructions ---

    def _compute(self, plan: Plan) -> None:
        self.op_id = self.checksum = 0
        fields = decode(self._words[self.at])[1]
        match plan.op:
            case Op.SET:
                for number in DESCRIPTORS["mvm"].written(plan.first, plan.words):
                    self._numbers.pop(number, None)
            case Op.IMAGE:
                self._numbers.clear()
                self._drawn = -1
            case Op.MVM:
                self._product(fields)
            case Op.VEC:
                self._vector(fields)
            case Op.CORE:
                self._command(fields)
            case _:
                pass

    def _product(self, fields: Fields) -> None:
        number, mvm = fields["walk"], self.descriptor("mvm", fields["mvm"])
        values = self.descriptor("walk", number)
        walk = sliding_window(values)
        window = np.tile(self._gather(number, np.dtype("u1"), 0, walk.run).ravel(), walk.repeat)
        behind = values["pad"] + walk.run
        codes = np.zeros(4 * (mvm["i_last"] - mvm["i_first"] + 1), np.uint8)
        codes[: walk.codes] = np.concatenate([window, self.buffer[behind : behind + walk.tail]])
        operation = self._numbers.get(fields["mvm"], mvm["operation"])
        self._numbers[fields["mvm"]] = operation + mvm["conversions"] & 0xFFFFFFFF
        image = self.image + fields["ahead"] & 0xFFFFFFFF
        self.op_id, self.checksum = image << 32 | operation, _sum(codes)
        try:
            op = mvm["op"] | mvm["op_high"] << 32
            results = self._there().product(op, self.op_id, mvm["i_first"], codes)
        except InputError as error:
            raise TrapError(Cause.CORE) from error
        self._results.append(results[2 * mvm["o_first"] : 2 * mvm["o_last"] + 2].astype(np.int16))

    def _there(self) -> Core:
        if self._core is None:
            raise InputError("the tile has no core")
        return self._core

    def _command(self, fields: Fields) -> None:
        block = self.block(fields["source"])
        try:
            self._there().write_masks(block)
        except InputError as error:
            raise TrapError(Cause.CORE) from error
        self.checksum = _sum(np.frombuffer(block, np.uint8))

    def _vector(self, fields: Fields) -> None:
        vec = self.descriptor("vec", fields["vec"])
        second = vec["kind"] != Kind.TABLE and vec["b"] != Operand.NONE
        self._drawn += is_draw(vec)
        a = self._source(vec, "a") if vec["a"] != Operand.NONE else None
        b = self._source(vec, "b") if second else None
        results = compute(vec, self._parameters, self._tables, self._accumulators, a, b)
        if results is not None:
            kind = np.dtype("<i2") if vec["wide"] else np.dtype("u1")
            self._write(vec["target"], vec["target_offset"] * kind.itemsize, results.astype(kind).view(np.uint8))
            self.checksum = _sum(results)

    def _source(self, vec: Fields, name: str) -> NDArray[np.integer]:
        """Terms of a source, (terms, elements); the first ones of the core and of reductions are taken."""
        operand, elements, offset = vec[name], vec["elements"], vec[f"{name}_offset"]
        kind = _FORMATS[Format(vec[f"{name}_format"])]
        if is_walk(operand):
            return self._gather(operand - Operand.WALK, kind, offset, elements)
        if is_stream(operand):
            return np.frombuffer(self.block(operand), kind, elements, offset * kind.itemsize)[None]
        if operand == Operand.DRAIN:
            return self._results.popleft()[None, :elements]
        if operand == Operand.DRAW:
            return draws(self._key, self.image, self._drawn, elements, vec[f"{name}_format"])[None]
        if operand == Operand.ACCUMULATORS:
            return lanes_of(self._accumulators[offset : offset + elements])[None]
        return self.lanes[None, :elements]


class Tiles(Machine[TileMachine]):
    """The interpreter of joined tiles.

    Parameters
    ----------
    joined
        The tiles. What a host does on the way is its user's.
    images
        Images after which each tile obeys a stop of the host, None for none.
    watch
        Is told (tile, what retired).

    Attributes
    ----------
    tiles
        Machines by name.
    received
        Blocks that the host got, by (tile, flow).
    lost
        Blocks of flows that are none: nodes drop and count them.
    """

    def __init__(
        self, joined: Joined, *, images: int | None = None, watch: Callable[[str, Retired], None] | None = None
    ) -> None:
        super().__init__(replace(joined, host=()), TileMachine, watch=watch)
        self._images = images
        self._to_host = {(flow.sender, flow.number) for flow in joined.flows if HOST in flow.to}
        self._queued: dict[tuple[str, int], deque[bytes]] = {}
        self._operands: dict[tuple[int, str], bytes] = {}
        self.received: dict[tuple[str, int], list[bytes]] = {}
        self.lost = 0

    def give(self, tile: str, stream: int, blocks: Iterable[bytes | NDArray[np.integer]]) -> None:
        """Blocks that the host sends to a remote stream of a tile, when they fit there.

        A block is bytes, or an array of int8 or uint8 (a byte an element) or int16 (two, the lower one first).

        Raises InputError if the stream is not remote and legal, or a block has not its size or another type.
        """
        size = self.tiles[tile].rings[stream]["block"]
        contents = [_bytes_of(block, stream, tile) for block in blocks]
        if stream not in self.slots[tile].values():
            raise InputError(f"stream {stream} of tile {tile!r} must be remote and legal for blocks of the host")
        for block in contents:
            if len(block) != size:
                raise InputError(
                    f"blocks for stream {stream} of tile {tile!r} must have {size} bytes, not {len(block)}")
        self._queued.setdefault((tile, stream), deque()).extend(contents)
        self.expect({(tile, stream): len(contents)})

    def run(
        self, images: int | None = None, limit: int = 1 << 40, *, most: int = 1 << 20,
        order: Callable[[list[str]], Iterable[str]] = list,
    ) -> bool:
        """As :meth:`Machine.run`, of the images of this run."""
        return super().run(self._images if images is None else images, limit, most=most, order=order)

    # --- what tiles see ---

    def arrive(self, tile: TileMachine, stream: int, count: int) -> None:
        """Blocks of the host."""
        queue = self._queued[tile.name, stream]
        for _ in range(count):
            tile.put(stream, queue.popleft())

    def send(self, tile: str, flow: int) -> bool:
        key, block = (tile, flow), self.tiles[tile].sent_block()
        rings = self._flows.get(key, [])
        for receiver, stream in rings:
            if len(block) != (size := receiver.rings[stream]["block"]):
                raise InputError(f"flow {flow} of tile {tile!r} has blocks of {len(block)} bytes, but stream "
                                 f"{stream} of tile {receiver.name!r} of {size}")
        if any(receiver.room(stream) < 1 for receiver, stream in rings):
            return False
        self.lost += key not in self._flows
        for receiver, stream in rings:
            receiver.put(stream, block)
        if key in self._to_host:
            self.received.setdefault(key, []).append(block)
        return True

    def offer(self, tile: str, context: int) -> bool:
        self.lost += (context, tile) not in self._members
        self._operands[context, tile] = self.tiles[tile].sent_block()
        return super().offer(tile, context)

    def add(self, reduction: Reduction, lanes: int) -> None:
        """Operands of all members come to the root."""
        context = reduction.context
        blocks = {name: self._operands[context, name] for name in reduction.members}
        if len({len(block) for block in blocks.values()}) > 1:
            raise InputError(f"operands in context {context} must have one size, not " + ", ".join(
                f"{len(block)} bytes of tile {name!r}" for name, block in blocks.items()))
        total = np.zeros(lanes, np.int16)
        for block in blocks.values():
            total[: len(block) // 2] += np.frombuffer(block, "<i2")
        root = self.tiles[reduction.root]
        root.sums[context] = np.concatenate([root.sums[context], total])

    def take_lanes(self, tile: str, context: int, count: int) -> bool:
        if not super().take_lanes(tile, context, count):
            return False
        root = self.tiles[tile]
        root.lanes, root.sums[context] = root.sums[context][:count], root.sums[context][count:]
        return True


def _bytes_of(block: bytes | NDArray[np.integer], stream: int, tile: str) -> bytes:
    if isinstance(block, np.ndarray) and block.dtype not in (np.int8, np.uint8, np.int16):
        raise InputError(
            f"blocks for stream {stream} of tile {tile!r} must be bytes, int8, uint8 or int16, not {block.dtype}")
    return bytes(block) if not isinstance(block, np.ndarray) else block.astype(block.dtype.newbyteorder("<")).tobytes()

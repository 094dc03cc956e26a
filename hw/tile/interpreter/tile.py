"""The interpreter of one tile: its tokens (:mod:`.token_tile`), and what its instructions do to data."""

from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.interpreter.joined import Place
from mho.hw.tile.interpreter.plans import Plan
from mho.hw.tile.interpreter.state import Core, Retired, TrapError
from mho.hw.tile.interpreter.token_tile import TokenNet, TokenTile
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

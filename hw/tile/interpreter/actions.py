"""What instructions do to what a tile holds, each as a generator of what it waits for."""

from collections import deque
from collections.abc import Generator, Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.state import TrapError, Wait
from mho.hw.tile.interpreter.store import Bytes, Store
from mho.hw.tile.isa import ACCUMULATORS, DESCRIPTORS, Cause, Format, Kind, Op, Operand
from mho.hw.tile.isa.legality import is_stream, is_walk
from mho.hw.tile.isa.program import Program
from mho.hw.tile.isa.vector import compute, lanes_of
from mho.hw.tile.isa.window import sliding_window
from mho.macro_models.errors import InputError

__all__ = ["Actions", "Core", "Fields", "Sums"]

Fields = Mapping[str, int]
_FORMATS: dict[Format, np.dtype[np.integer]] = {
    Format.UNSIGNED: np.dtype("u1"), Format.SIGNED: np.dtype("i1"), Format.LANE: np.dtype("<i2"),
}


class Core(Protocol):
    """What the tile needs of a core."""

    def product(self, op: int, op_id: int, first: int, codes: Bytes) -> NDArray[np.integer]:
        """All output codes of an operation; ``codes`` are the bytes of its input words from word ``first`` on.

        Raises
        ------
        InputError
            If the operation is illegal: the tile traps.
        """
        ...

    def write_masks(self, block: bytes) -> None:
        """Writes a block of masks, pairs of 32-bit words: address and data.

        Raises
        ------
        InputError
            If the core has none, or the block no whole pairs: the tile traps.
        """
        ...


class Sums(Protocol):
    """Where the sums of reductions come from."""

    def __call__(self, context: int, count: int) -> NDArray[np.integer] | None:
        """The next ``count`` lanes of a context, None while operands are missing."""
        ...


def _sum(values: NDArray[np.integer]) -> int:
    return int(values.astype(np.int64).sum()) & 0xFFFFFFFF


class Actions:
    """Instructions but SEND and those that steer the program.

    Parameters
    ----------
    cfg, program, store
        The tile's sizes, what was loaded, what it holds.
    core, sums
        Its core, None without one; sums of reductions.

    Attributes
    ----------
    products
        Codes of products that were not drained.
    image
        Number of the image.
    op_id, checksum
        Of the instruction that is carried out, see :class:`mho.hw.tile.interpreter.state.Retired`.
    """

    def __init__(self, cfg: TileConfig, program: Program, store: Store, core: Core | None, sums: Sums) -> None:
        self.cfg, self.store, self.core, self._sums = cfg, store, core, sums
        self.tables, self.image = program.tables, program.image
        self.parameters = np.zeros(cfg.parameters, np.uint64)
        self.parameters[: len(program.parameters)] = program.parameters
        self.accumulators = np.zeros(ACCUMULATORS, np.int32)
        self.products: deque[NDArray[np.int16]] = deque()
        self.op_id = self.checksum = 0
        self._numbers: dict[int, int] = {}

    def run(self, op: Op, fields: Fields, words: list[int]) -> Iterator[Wait]:
        """Carry out a legal instruction; ``words`` are those of SET.

        Raises
        ------
        TrapError
            ``RING`` or ``CORE``.
        """
        self.op_id = self.checksum = 0
        self.store.taken, self.store.shown = {}, {}
        match op:
            case Op.WAIT:
                yield from self.store.until_there(fields["stream"], fields["n"])
            case Op.ROOM:
                yield from self.store.until_room(fields["stream"], fields["n"])
            case Op.FREE:
                yield from self.store.until_there(fields["stream"], fields["n"])
                self.store.give_back(fields["stream"], fields["n"])
            case Op.PUSH:
                yield from self.store.until_room(fields["stream"], fields["n"])
                self.store.show(fields["stream"], fields["n"])
            case Op.SET:
                self.store.set(fields["first"], words)
                for number in DESCRIPTORS["mvm"].written(fields["first"], len(words)):
                    self._numbers.pop(number, None)
            case Op.IMAGE:
                self._numbers.clear()
            case Op.MVM:
                yield from self._product(fields)
            case Op.VEC:
                yield from self._vector(fields)
            case Op.CORE:
                yield from self._command(fields)
            case _:
                return

    def _product(self, fields: Fields) -> Iterator[Wait]:
        number, mvm = fields["walk"], self.store.values("mvm", fields["mvm"])
        if fields["restart"]:
            self.store.walks[number].number = 0
        yield from self.store.until_there(*self.store.window(number))
        values = self.store.values("walk", number)
        walk = sliding_window(values)
        window = np.tile(self.store.gather(number, np.dtype("u1"), 0, walk.run).ravel(), walk.repeat)
        behind = values["pad"] + walk.run
        codes = np.zeros(4 * (mvm["i_last"] - mvm["i_first"] + 1), np.uint8)
        codes[: walk.codes] = np.concatenate([window, self.store.buffer[behind : behind + walk.tail]])
        operation = self._numbers.get(fields["mvm"], mvm["operation"])
        self._numbers[fields["mvm"]] = operation + mvm["conversions"] & 0xFFFFFFFF
        image = self.image + fields["ahead"] & 0xFFFFFFFF
        self.op_id, self.checksum = image << 32 | operation, _sum(codes)
        try:
            op = mvm["op"] | mvm["op_high"] << 32
            results = self._there().product(op, self.op_id, mvm["i_first"], codes)
        except InputError as error:
            raise TrapError(Cause.CORE) from error
        self.products.append(results[2 * mvm["o_first"] : 2 * mvm["o_last"] + 2].astype(np.int16))
        if fields["advance"]:
            yield from self.store.go_on(number, bool(fields["free"]))

    def _there(self) -> Core:
        if self.core is None:
            raise InputError("the tile has no core")
        return self.core

    def _command(self, fields: Fields) -> Iterator[Wait]:
        source = fields["source"]
        yield from self.store.until_there(source, 1)
        block = self.store.block(source)
        try:
            self._there().write_masks(block)
        except InputError as error:
            raise TrapError(Cause.CORE) from error
        self.checksum = _sum(np.frombuffer(block, np.uint8))
        if fields["free"]:
            self.store.give_back(source, 1)

    def _vector(self, fields: Fields) -> Iterator[Wait]:
        vec = self.store.values("vec", fields["vec"])
        names = ["a"] if vec["kind"] == Kind.TABLE or vec["b"] == Operand.NONE else ["a", "b"]
        names = [name for name in names if vec[name] != Operand.NONE]
        needs = [self.store.window(vec[name] - Operand.WALK) for name in names if is_walk(vec[name])]
        for stream, count in [*needs, *((vec[name], 1) for name in names if is_stream(vec[name]))]:
            yield from self.store.until_there(stream, count)
        if is_stream(vec["target"]):
            yield from self.store.until_room(vec["target"], 1)
        operands: dict[str, NDArray[np.integer] | None] = {"a": None, "b": None}
        for name in names:
            operands[name] = yield from self._source(vec, name)
        results = compute(vec, self.parameters, self.tables, self.accumulators, operands["a"], operands["b"])
        if results is not None:
            kind = np.dtype("<i2") if vec["wide"] else np.dtype("u1")
            self.store.write(vec["target"], vec["target_offset"] * kind.itemsize, results.astype(kind).view(np.uint8))
            self.checksum = _sum(results)
        # Walks first: one of them may wait for what it gives back.
        for name in names:
            if is_walk(vec[name]) and fields[f"advance_{name}"]:
                yield from self.store.go_on(vec[name] - Operand.WALK, bool(fields[f"free_{name}"]))
        for name in names:
            if is_stream(vec[name]) and fields[f"free_{name}"]:
                self.store.give_back(vec[name], 1)
        if fields["push"]:
            self.store.show(vec["target"], 1)

    def _source(self, vec: Fields, name: str) -> Generator[Wait, None, NDArray[np.integer]]:
        """Terms of a source, (terms, elements); the first ones of the core and of reductions are taken."""
        operand, elements, offset = vec[name], vec["elements"], vec[f"{name}_offset"]
        kind = _FORMATS[Format(vec[f"{name}_format"])]
        if is_walk(operand):
            return self.store.gather(operand - Operand.WALK, kind, offset, elements)
        if is_stream(operand):
            return np.frombuffer(self.store.block(operand), kind, elements, offset * kind.itemsize)[None]
        if operand == Operand.DRAIN:
            return self.products.popleft()[None, :elements]
        if operand == Operand.ACCUMULATORS:
            return lanes_of(self.accumulators[offset : offset + elements])[None]
        context = operand - Operand.RESULT
        whole = -(-2 * elements // self.cfg.flit_bytes) * (self.cfg.flit_bytes // 2)
        while (lanes := self._sums(context, whole)) is None:
            yield Wait("sum", n=context)
        return lanes[None, :elements]

"""Places for what a tile's program names: numbers of descriptors, addresses of data, rings in the buffer."""

from collections.abc import Iterable, Mapping

import numpy as np

from mho.compiler.tile.code.ir import NAMED, Code, Descriptor, Repeat, TileSource
from mho.compiler.tile.refusal import NoRoomError
from mho.hw.tile import isa
from mho.hw.tile.asm.assembler import complete
from mho.hw.tile.asm.data import place
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa.program import LIMITS, Program
from mho.hw.tile.isa.vector import pack_parameters

STEP = 8
"""What rings and bytes begin at a multiple of, where their place is left open."""


def allocate(source: TileSource, cfg: TileConfig) -> tuple[Program, dict[int, str]]:
    """The program of a tile, and what its streams are called, by their numbers.

    Raises NoRoomError if the tile has no room for it.
    """
    allocation = _Allocation(source)
    program = allocation.program(cfg)
    for what, size, limit in (
        ("instructions", len(program.words), cfg.instructions), ("parameters", len(program.parameters), cfg.parameters),
        ("bytes of the buffer", len(program.buffer), cfg.buffer_bytes),
    ):
        if size > limit:
            raise NoRoomError(f"tile {source.tile}: the tile has {limit} {what}, not {size}")
    return program, {number: name for name, number in allocation.numbers["stream"].items()}


class _Allocation:
    def __init__(self, source: TileSource) -> None:
        self.source = source
        self.numbers = {kind: self._numbered(kind, some) for kind, some in source.descriptors.items()}
        self.streams: dict[int, dict[str, int]] = {}
        self.addresses: dict[str, int] = {}

    def program(self, cfg: TileConfig) -> Program:
        """Everything at its place."""
        parameters, buffer, memory = self._parameters(), self._buffer(cfg), [0] * isa.DESCRIPTOR_WORDS
        for kind, some in self.source.descriptors.items():
            for one in some:
                number = self.numbers[kind][one.name]
                memory[isa.DESCRIPTORS[kind].at(number)] = self._packed(one, number)
        return Program(
            words=tuple(self._words(self.source.code)), descriptors=tuple(memory), parameters=parameters,
            tables=self._tables(), buffer=buffer, image=self.source.image)

    def _refuse(self, sentence: str) -> NoRoomError:
        return NoRoomError(f"tile {self.source.tile}: {sentence}")

    def _numbered(self, kind: str, some: Iterable[Descriptor]) -> dict[str, int]:
        numbers = {one.name: number for number, one in enumerate(some)}
        if len(numbers) > (count := isa.DESCRIPTORS[kind].count):
            raise self._refuse(f"there is no place for {kind} {list(numbers)[count]!r}: the tile has {count}")
        return numbers

    # --- data ---

    def _parameters(self) -> np.ndarray:
        """The parameter memory: one declaration behind the other."""
        try:
            words = [pack_parameters(*one.content.T) for one in self.source.data["parameters"]]
        except ValueError as error:
            raise self._refuse(str(error)) from None
        ends = np.cumsum([0, *map(len, words)]).tolist()
        if ends[-1] > LIMITS.parameters:
            raise self._refuse(f"there is no place for {ends[-1]} parameters, {LIMITS.parameters} at most")
        self.addresses |= {one.name: at for one, at in zip(self.source.data["parameters"], ends, strict=False)}
        return np.concatenate([np.zeros(0, np.uint64), *words])

    def _buffer(self, cfg: TileConfig) -> bytes:
        """The buffer's contents; rings get their places beside them."""
        data, rings = self.source.data["bytes"], [dict(one.fields) for one in self.source.descriptors["stream"]]
        values = [complete("stream", {name: int(value) for name, value in ring.items()}, {}) for ring in rings]
        sizes = [*(len(one.content) for one in data), *(ring["block"] * ring["blocks"] for ring in values)]
        fixed = [*([None] * len(data)), *(None if "base" not in ring else int(ring["base"]) for ring in rings)]
        names = [one.name for one in (*data, *self.source.descriptors["stream"])]
        try:
            bases = place(sizes, fixed, STEP, LIMITS.buffer_bytes)
        except ValueError as error:
            raise self._refuse(f"there is no place for {names[error.args[0]]!r} in the buffer") from None
        for name, size, base in zip(names[len(data) :], sizes[len(data) :], bases[len(data) :], strict=True):
            if base + size > cfg.buffer_bytes:
                raise self._refuse(f"{name!r} of {size} bytes finds no place in a buffer of {cfg.buffer_bytes}")
        self.streams = {number: ring | {"base": base}
                        for number, (ring, base) in enumerate(zip(values, bases[len(data) :], strict=True))}
        self.addresses |= {one.name: base for one, base in zip(data, bases, strict=False)}
        buffer = bytearray(max((base + len(one.content) for one, base in zip(data, bases, strict=False)), default=0))
        for one, base in zip(data, bases, strict=False):
            buffer[base : base + len(one.content)] = one.content.astype(np.uint8).tobytes()
        return bytes(buffer)

    def _tables(self) -> np.ndarray:
        tables, declared = np.zeros((isa.TABLES, isa.TABLE_ENTRIES), np.int16), self.source.data["table"]
        if len(declared) > isa.TABLES:
            raise self._refuse(f"there is no place for {len(declared)} tables: the tile has {isa.TABLES}")
        for number, one in enumerate(declared):
            tables[number] = one.content.ravel()
        return tables

    # --- fields ---

    def _packed(self, one: Descriptor, number: int | None = None) -> tuple[int, ...]:
        """Words of a descriptor; a stream's are known by its number."""
        layout = isa.DESCRIPTORS[one.kind].layout
        values = self.streams[number] if one.kind == "stream" and number is not None else complete(
            one.kind, {name: self._value(one.kind, name, value) for name, value in one.fields}, self.streams)
        wrong = layout.illegal(values)
        if wrong is not None:
            low, high = wrong.range
            raise self._refuse(
                f"{wrong.name} of {one.kind} {one.name!r} must be {low} to {high}, not {values[wrong.name]}")
        return layout.pack(values)

    def _value(self, kind: str, field: str, value: int | str) -> int:
        """What a field holds: a number, or the place of what it names."""
        if not isinstance(value, str):
            return int(value)
        if value in self.addresses:
            return self.addresses[value]
        if value in self.numbers["stream"]:
            return self.numbers["stream"][value]
        return isa.Operand.WALK + self.numbers["walk"][value]

    # --- code ---

    def _words(self, code: Iterable[Code], depth: int = 0) -> list[int]:
        words: list[int] = []
        for one in code:
            if isinstance(one, Repeat):
                body = self._words(one.body, depth + 1)
                if depth == isa.LOOP_DEPTH:
                    raise self._refuse(f"loops nest {isa.LOOP_DEPTH} deep at most")
                words += [self._encoded(isa.Op.LOOP, {"body": len(body), "n": one.times, "reg": one.register}), *body]
            elif isinstance(one, Descriptor):
                content = self._packed(one)
                first = isa.DESCRIPTORS[one.kind].at(self.numbers[one.kind][one.name]).start
                words += [self._encoded(isa.Op.SET, {"first": first, "words": len(content)}), *content]
            else:
                kinds = NAMED.get(one.op, ())
                named = {kind: self.numbers[kind][name] for kind, name in zip(kinds, one.names, strict=True)}
                words.append(self._encoded(one.op, {**named, **dict(one.fields)}))
        return words

    def _encoded(self, op: isa.Op, values: Mapping[str, int]) -> int:
        for name, value in values.items():
            field = isa.INSTRUCTIONS[op].layout[name]
            if not field.holds(value):
                raise self._refuse(f"{name} of {op.name} must be {field.range[0]} to {field.range[1]}, not {value}")
        return isa.encode(op, **values)

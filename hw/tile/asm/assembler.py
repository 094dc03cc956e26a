"""From text to a program. The language is explained in ``docs/explanation/tile.md``."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from mho.hw.tile.asm.data import DATA, Data
from mho.hw.tile.asm.instructions import Instructions
from mho.hw.tile.asm.reader import Item, Source, Statement
from mho.hw.tile.isa import DESCRIPTOR_WORDS, DESCRIPTORS, Format, Kind, Operand
from mho.hw.tile.isa.program import LIMITS, REGISTERS, Program
from mho.macro_models.integer.operation import MAX_BITS, MOST_OUT_BITS

REQUIRED = {
    "stream": ("block",), "walk": ("stream",), "mvm": ("i_last", "o_last"), "vec": ("a", "target", "elements"),
}
"""Fields that have to be given."""

ALWAYS = {
    "stream": ("base", "block"), "walk": ("stream", "run", "positions_x", "positions_y"), "mvm": ("i_last", "o_last"),
    "vec": ("a", "b", "target", "a_format", "b_format", "elements", "period", "lo", "hi"),
}
"""Fields that are always written, since what stands for them depends on others."""

_CORE_BITS = 38
_WIDTHS = {"in_bits": MAX_BITS, "out_bits": MOST_OUT_BITS}
"""Most bits that some core has."""


@cache
def core_fields() -> dict[str, tuple[int, int]]:
    """Lowest bit and width of the fields of a transposable core's operation, without its number."""
    from mho.hw.core.layout import OpLayout

    fields = {name: (place.offset, place.width) for name, place in OpLayout()}
    return {name: place for name, place in fields.items() if name != "op_id"}


def core_range(name: str) -> tuple[int, int]:
    """Least and largest value of a field of the operation: widths that some core has, of others all that fit."""
    return (1, _WIDTHS[name]) if name in _WIDTHS else (0, (1 << core_fields()[name][1]) - 1)


def pack_core(values: Mapping[str, int]) -> dict[str, int]:
    """The fields ``op`` and ``op_high`` of an mvm descriptor."""
    bits = sum(value << core_fields()[name][0] for name, value in values.items())
    return {"op": bits & 0xFFFFFFFF, "op_high": bits >> 32}


def unpack_core(values: Mapping[str, int]) -> dict[str, int] | None:
    """Fields of the operation in an mvm descriptor, None if it has bits beyond them, or a width that no core has."""
    bits = values["op"] | values["op_high"] << 32
    fields = {name: bits >> low & (1 << width) - 1 for name, (low, width) in core_fields().items()}
    return None if bits >> _CORE_BITS or any(fields[name] > most for name, most in _WIDTHS.items()) else fields


def names_of(kind: str) -> list[str]:
    """Names that items of a declaration may have."""
    return [f.name for f in DESCRIPTORS[kind].layout.fields] + (list(core_fields()) if kind == "mvm" else [])


def plain(kind: str, name: str) -> int:
    """What stands for a field that is left out, whatever the others are."""
    return DESCRIPTORS[kind].layout[name].low or 0


def complete(kind: str, written: Mapping[str, int], streams: Mapping[int, Mapping[str, int]]) -> dict[str, int]:
    """All fields of a descriptor, those that are left out by what usually goes with the others."""
    values = {f.name: plain(kind, f.name) for f in DESCRIPTORS[kind].layout.fields} | dict(written)
    usual: dict[str, int] = {}
    if kind == "walk":
        usual["run"] = streams.get(values["stream"], {}).get("block", 1)
        for side, size in (("x", "width"), ("y", "height")):
            reach = (values[f"kernel_{side}"] - 1) * values[f"dilation_{side}"] + 1
            room = values[size] + 2 * values[f"pad_{side}"] - reach
            usual[f"positions_{side}"] = max(room, 0) // values[f"stride_{side}"] + 1
    if kind == "vec":
        usual["b"] = Operand.NONE
        values |= {"b": written.get("b", usual["b"])}
        for name in ("a", "b"):
            inner = Operand.DRAIN <= values[name] < Operand.NONE
            usual[f"{name}_format"] = Format.LANE if inner else Format.SIGNED
        low, high = (-32768, 32767) if values["wide"] else (-128, 127)
        usual |= {"period": min(values["elements"], 1023), "lo": low, "hi": high}
    return values | {name: value for name, value in usual.items() if name not in written}


KINDS = tuple(DESCRIPTORS)
OPERANDS = {name: Operand[name.upper()] for name in ("drain", "accumulators", "draw", "none")} | {
    f"result{k}": Operand.RESULT + k for k in range(4)}


class Assembled(NamedTuple):
    """What a text becomes: the program, its streams' names by their numbers, and the line that each word comes from."""

    program: Program
    streams: dict[int, str]
    lines: list[int]


def assemble(text: str, name: str = "program.s") -> Program:
    """The program of a text; ``name`` is that of the file, for messages.

    Raises InputError, naming the line, what is wrong, and what would be right.
    """
    return assemble_named(text, name).program


def assemble_named(text: str, name: str = "program.s") -> Assembled:
    """The program of a text, with names and lines for those who read messages about it.

    Raises InputError as :func:`assemble`.
    """
    assembler = _Assembler(Source(name, text))
    program = assembler.run()
    streams = {number: called for called, number in assembler.names["stream"].items()}
    return Assembled(program, streams, assembler.lines)


class _Assembler:
    def __init__(self, source: Source) -> None:
        self.source, self.data, self.buffer = source, Data(source), b""
        self.names: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
        self.memory = [0] * DESCRIPTOR_WORDS
        self.registers, self.image, self.key = [0] * REGISTERS, 0, 0
        self.streams: dict[int, dict[str, int]] = {}
        self.lines: list[int] = []
        self._given: set[str] = set()

    def run(self) -> Program:
        declared: list[Statement] = []
        code: list[Statement] = []
        for statement in self.source.statements():
            (declared if statement.declares and statement.key != "set" else code).append(statement)
        self._number([s for s in declared if s.key in KINDS])
        for statement in declared:
            self._declare(statement)
        parameters = self.data.parameters()
        self._streams([s for s in declared if s.key == "stream"])
        for kind in ("walk", "mvm", "vec"):
            for statement in (s for s in declared if s.key == kind):
                number = self.names[kind][statement.name]
                self.put(kind, number, self.values(kind, statement.line, statement.rest))
        for statement in (s for s in declared if s.key == "raw"):
            self._raw(statement)
        instructions = Instructions(self.source, self.names, self.values)
        words, self.lines = instructions.run(code), instructions.lines
        if len(words) > LIMITS.instructions:
            self.source.fail(code[-1].line, f"a program has {LIMITS.instructions} words at most, not {len(words)}")
        return Program(
            words=tuple(words), descriptors=tuple(self.memory), parameters=parameters.astype(np.uint64),
            tables=self.data.tables(), buffer=self.buffer, registers=tuple(self.registers), image=self.image,
            key=self.key,
        )

    # --- names ---

    def _number(self, statements: list[Statement]) -> None:
        """Numbers of descriptors: those that are given, then the lowest that are free."""
        for kind in KINDS:
            mine = [s for s in statements if s.key == kind]
            numbered = {s.name: self._at(s, DESCRIPTORS[kind].count) for s in mine if s.at}
            free = (k for k in range(DESCRIPTORS[kind].count) if k not in numbered.values())
            for s in mine:
                if not s.name or s.name.isdigit():
                    self.source.fail(s.line, f"{kind} must have a name, as in '{kind} first: ...'")
                if s.name in OPERANDS or any(s.name in names for names in self.names.values()):
                    self.source.fail(s.line, f"the name {s.name!r} is taken")
                number = numbered[s.name] if s.at else next(free, -1)
                if number < 0 or number in self.names[kind].values():
                    what = "one of that number" if s.at else f"{DESCRIPTORS[kind].count}"
                    self.source.fail(s.line, f"there is no place for {kind} {s.name!r}: the tile has {what}")
                self.names[kind][s.name] = number

    def _at(self, statement: Statement, count: int) -> int:
        number = self.source.number(statement.line, statement.at, "what stands behind @")
        if not 0 <= number < count:
            self.source.fail(statement.line, f"what stands behind @ must be 0 to {count - 1}, not {number}")
        return number

    def _declare(self, statement: Statement) -> None:
        line, key = statement.line, statement.key
        if key in DATA:
            self.data.add(statement)
        elif key == "register":
            number = self.source.number(line, statement.name or "?", "the number of a register")
            if not 1 <= number <= REGISTERS:
                self.source.fail(line, f"registers are 1 to {REGISTERS}, not {number}")
            self._once(statement, f"register {number}", "register 1: 3")
            self.registers[number - 1] = self.source.bounded(line, statement.rest, f"register {number}", 2**16)
        elif key == "first_image":
            self._once(statement, key, "first_image: 3")
            self.image = self.source.bounded(line, statement.rest, key, 2**32)
        elif key == "draw_key":
            self._once(statement, key, "draw_key: 0x1600000000")
            self.key = self.source.bounded(line, statement.rest, key, 2**64)
        elif key not in (*KINDS, "raw"):
            self.source.unknown(line, "declaration", key, [*KINDS, *DATA, "register", "first_image", "draw_key"])

    def _once(self, statement: Statement, what: str, example: str) -> None:
        """Refuse what is there twice, or has a name or a place that it does not take."""
        if what in self._given:
            self.source.fail(statement.line, f"{what} is there twice")
        if statement.at or (statement.name and statement.key in ("first_image", "draw_key")):
            self.source.fail(statement.line, f"{what} has a value only, as in '{example}'")
        self._given.add(what)

    def _streams(self, statements: list[Statement]) -> None:
        """Streams and data of the buffer, whose places are found together."""
        written = [self._fields("stream", s.line, s.rest) for s in statements]
        whole = [complete("stream", values, {}) for values in written]
        sizes = [v["block"] * v["blocks"] for v in whole]
        self.buffer, bases = self.data.buffer(statements, sizes, [values.get("base") for values in written])
        for statement, values, base in zip(statements, whole, bases, strict=True):
            number = self.names["stream"][statement.name]
            values["base"] = base
            self.streams[number] = values
            self.put("stream", number, values)

    def _raw(self, statement: Statement) -> None:
        kind, line = statement.name, statement.line
        if kind not in KINDS or not statement.at:
            self.source.fail(line, "raw words are those of a descriptor, as in 'raw stream @0: 0x0 0x0'")
        number, layout = self._at(statement, DESCRIPTORS[kind].count), DESCRIPTORS[kind].layout
        if f"{kind} {number}" in self._given or number in self.names[kind].values():
            self.source.fail(line, f"{kind} {number} is there twice")
        self._given.add(f"{kind} {number}")
        words = [self.source.bounded(line, word, "a word", 2**32) for word in statement.rest.split()]
        if len(words) != layout.words:
            self.source.fail(line, f"a {kind} has {layout.words} words, not {len(words)}")
        self.memory[DESCRIPTORS[kind].at(number)] = words

    # --- fields ---

    def put(self, kind: str, number: int, values: dict[str, int]) -> None:
        """Write a descriptor."""
        self.memory[DESCRIPTORS[kind].at(number)] = DESCRIPTORS[kind].layout.pack(values)

    def values(self, kind: str, line: int, rest: str) -> dict[str, int]:
        """All fields of a descriptor from its items."""
        return complete(kind, self._fields(kind, line, rest), self.streams)

    def _fields(self, kind: str, line: int, rest: str) -> dict[str, int]:
        items = self.source.items(line, rest)
        names = names_of(kind)
        for item in items:
            if item.name not in names:
                self.source.unknown(line, f"field of {kind}", item.name, names)
        missing = [name for name in REQUIRED[kind] if name not in [item.name for item in items]]
        if missing:
            self.source.fail(line, f"{kind} must have {missing[0]}")
        layout, core = DESCRIPTORS[kind].layout, core_fields() if kind == "mvm" else {}
        table = any(item.name == "kind" and item.value in ("table", str(int(Kind.TABLE))) for item in items)
        values: dict[str, int] = {}
        operation: dict[str, int] = {}
        for item in items:
            if item.name in core:
                operation[item.name] = self._field(kind, item, core_range(item.name), table)
            else:
                values[item.name] = self._field(kind, item, layout[item.name].range, table)
        return values | (pack_core(operation) if operation else {})

    def _field(self, kind: str, item: Item, ends: tuple[int, int], table: bool) -> int:
        low, high = ends
        if not item.value:
            if high != 1:
                self.source.fail(item.line, f"{item.name} must have a value, {low} to {high}")
            return 1
        number = self._symbol(kind, item, table)
        if number is None:
            number = self.source.number(item.line, item.value, item.name)
        if not low <= number <= high:
            self.source.fail(item.line, f"{item.name} must be {low} to {high}, not {item.value}")
        return number

    def _symbol(self, kind: str, item: Item, table: bool) -> int | None:
        """What a name stands for in a field, None if the value is no name."""
        if not (item.value[0].isalpha() or item.value[0] == "_"):
            return None
        field_ = DESCRIPTORS[kind].layout[item.name] if item.name in DESCRIPTORS[kind].layout.low else None
        symbols: dict[str, int] | None = None
        if field_ is not None and field_.names is Operand:
            symbols = {name: int(value) for name, value in OPERANDS.items()} | self.names["stream"]
            if item.name != "target":
                symbols |= {name: Operand.WALK + k for name, k in self.names["walk"].items()}
            if table and item.name == "b":
                return None
        elif field_ is not None and field_.names is not None:
            symbols = {member.name.lower(): int(member) for member in field_.names}
        elif (kind, item.name) == ("walk", "stream"):
            symbols = self.names["stream"]
        elif (kind, item.name) == ("vec", "parameters"):
            symbols = self.data.addresses("parameters")
        elif (kind, item.name) == ("walk", "pad"):
            symbols = self.data.addresses("bytes", "lanes")
        if symbols is None:
            return None
        if item.value not in symbols:
            self.source.unknown(item.line, item.name, item.value, sorted(symbols))
        return symbols[item.value]

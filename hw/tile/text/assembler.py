"""From text to a program. The language is explained in ``docs/explanation/tile.md``."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hw.tile.isa import DESCRIPTOR_WORDS, DESCRIPTORS, PARAMETER, TABLE_ENTRIES, TABLES, Kind, Operand
from hw.tile.program import LIMITS, REGISTERS, Program
from hw.tile.text import fields as text_fields
from hw.tile.text.instructions import Instructions
from hw.tile.text.memory import place
from hw.tile.text.reader import Item, Source, Statement
from hw.tile.vector import pack_parameters

__all__ = ["assemble", "stream_names"]

KINDS = tuple(DESCRIPTORS)
DATA = ("parameters", "bytes", "lanes", "table")
OPERANDS = {"drain": Operand.DRAIN, "accumulators": Operand.ACCUMULATORS, "none": Operand.NONE} | {
    f"result{k}": Operand.RESULT + k for k in range(4)}
STEP = 8
"""What streams and data begin at a multiple of, where their place is left open."""


def assemble(text: str, name: str = "program.s") -> Program:
    """The program of a text; ``name`` is that of the file, for messages.

    Raises
    ------
    InputError
        Naming the line, what is wrong, and what would be right.
    """
    return _Assembler(Source(name, text)).run()


def stream_names(text: str, name: str = "program.s") -> dict[int, str]:
    """What the streams of a text are called, by their numbers.

    Raises
    ------
    InputError
        As :func:`assemble`.
    """
    made = _Assembler(Source(name, text))
    made.run()
    return {number: called for called, number in made.names.numbers["stream"].items()}


@dataclass
class _Region:
    """Data that gets a place in a memory."""

    statement: Statement
    size: int
    wanted: int | None
    content: np.ndarray
    at: int = 0


@dataclass
class _Names:
    """What is declared, by kind and name."""

    numbers: dict[str, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    regions: dict[str, dict[str, _Region]] = field(default_factory=lambda: {kind: {} for kind in DATA})


class _Assembler:
    def __init__(self, source: Source) -> None:
        self.source, self.names = source, _Names()
        self.memory = [0] * DESCRIPTOR_WORDS
        self.registers, self.image = [0] * REGISTERS, 0
        self.streams: dict[int, dict[str, int]] = {}

    def run(self) -> Program:
        declared: list[Statement] = []
        code: list[Statement] = []
        for statement in self.source.statements():
            (declared if statement.declares and statement.key != "set" else code).append(statement)
        self._number([s for s in declared if s.key in KINDS])
        for statement in declared:
            self._declare(statement)
        parameters = self._memory("parameters", 1, LIMITS.parameters)
        self._streams([s for s in declared if s.key == "stream"])
        for kind in ("walk", "mvm", "vec"):
            for statement in (s for s in declared if s.key == kind):
                number = self.names.numbers[kind][statement.name]
                self.put(kind, number, self.values(kind, statement.line, statement.rest))
        for statement in (s for s in declared if s.key == "raw"):
            self._raw(statement)
        words = Instructions(self.source, self.names.numbers, self.values).run(code)
        if len(words) > LIMITS.instructions:
            self.source.fail(code[-1].line, f"a program has {LIMITS.instructions} words at most, not {len(words)}")
        return Program(
            words=tuple(words), descriptors=tuple(self.memory), parameters=parameters.astype(np.uint64),
            tables=self._tables(), buffer=self.buffer, registers=tuple(self.registers), image=self.image,
        )

    # --- names ---

    def _number(self, statements: list[Statement]) -> None:
        """Numbers of descriptors: those that are given, then the lowest that are free."""
        for kind in KINDS:
            mine = [s for s in statements if s.key == kind]
            given = {s.name: self._at(s, DESCRIPTORS[kind].count) for s in mine if s.at}
            free = (k for k in range(DESCRIPTORS[kind].count) if k not in given.values())
            for s in mine:
                if not s.name or s.name.isdigit():
                    self.source.fail(s.line, f"{kind} must have a name, as in '{kind} first: ...'")
                if s.name in OPERANDS or any(s.name in names for names in self.names.numbers.values()):
                    self.source.fail(s.line, f"the name {s.name!r} is taken")
                number = given[s.name] if s.at else next(free, -1)
                if number < 0 or number in self.names.numbers[kind].values():
                    what = "one of that number" if s.at else f"{DESCRIPTORS[kind].count}"
                    self.source.fail(s.line, f"there is no place for {kind} {s.name!r}: the tile has {what}")
                self.names.numbers[kind][s.name] = number

    def _at(self, statement: Statement, count: int) -> int:
        number = self.source.number(statement.line, statement.at, "what stands behind @")
        if not 0 <= number < count:
            self.source.fail(statement.line, f"what stands behind @ must be 0 to {count - 1}, not {number}")
        return number

    def _declare(self, statement: Statement) -> None:
        line, key = statement.line, statement.key
        if key in DATA:
            self._data(statement)
        elif key == "register":
            number = self.source.number(line, statement.name or "?", "the number of a register")
            if not 1 <= number <= REGISTERS:
                self.source.fail(line, f"registers are 1 to {REGISTERS}, not {number}")
            self.registers[number - 1] = self._bounded(line, statement.rest, f"register {number}", 2**16)
        elif key == "first_image":
            self.image = self._bounded(line, statement.rest, key, 2**32)
        elif key not in (*KINDS, "raw"):
            self.source.unknown(line, "declaration", key, [*KINDS, *DATA, "register", "first_image"])

    def _bounded(self, line: int, text: str, what: str, top: int) -> int:
        number = self.source.number(line, text, what)
        if not 0 <= number < top:
            self.source.fail(line, f"{what} must be 0 to {top - 1}, not {number}")
        return number

    # --- memories ---

    def _data(self, statement: Statement) -> None:
        line, key = statement.line, statement.key
        if not statement.name:
            self.source.fail(line, f"{key} must have a name, as in '{key} first {{ ... }}'")
        if statement.name in self.names.regions[key]:
            self.source.fail(line, f"the name {statement.name!r} is taken")
        wanted = self.source.number(line, statement.at, "what stands behind @") if statement.at else None
        if key == "parameters":
            content = np.concatenate([np.zeros(0, np.uint64), *(self._parameter(*row) for row in statement.block)])
        else:
            low, high = (-128, 255) if key == "bytes" else (-32768, 32767)
            values = np.array([v for row in statement.block for v in self._values(*row, low, high)], dtype=np.int64)
            content = values.astype("u1") if key == "bytes" else values.astype("<i2").view("u1")
        self.names.regions[key][statement.name] = _Region(statement, len(content), wanted, content)

    def _values(self, line: int, text: str, low: int, high: int) -> list[int]:
        """Numbers of a line, ``n * v`` for one that is repeated."""
        found: list[int] = []
        words = text.replace(",", " ").replace("*", " * ").split()
        while words:
            times, value = (words[0], words[2]) if words[1:2] == ["*"] and len(words) > 2 else ("1", words[0])
            number = self.source.number(line, value, "data")
            if not low <= number <= high:
                self.source.fail(line, f"data must be {low} to {high}, not {number}")
            found += [number] * self._bounded(line, times, "how often a number is repeated", 1 << 17)
            words = words[3 if words[1:2] == ["*"] else 1 :]
        return found

    def _parameter(self, line: int, text: str) -> np.ndarray:
        """Parameters of a line, ``n * fields`` for several; a value ``v..`` grows by 1 with each."""
        times, star, rest = text.partition("*")
        count = self._bounded(line, times.strip(), "how often a parameter is repeated", 1025) if star else 1
        given: dict[str, np.ndarray] = {}
        for item in self.source.items(line, rest if star else text):
            if item.name not in PARAMETER.low:
                self.source.unknown(line, "field of a parameter", item.name, list(PARAMETER.low))
            grows, field_ = item.value.endswith(".."), PARAMETER[item.name]
            flag = item.value == "" and field_.width == 1
            start = 1 if flag else self.source.number(line, item.value.removesuffix(".."), item.name)
            values = start + np.arange(count) * grows
            low, high = field_.range
            if (values < low).any() or (values > high).any():
                self.source.fail(line, f"{item.name} must be {low} to {high}, not {values.max()}")
            given[item.name] = values
        return np.broadcast_to(pack_parameters(**({"m": 0} | given)), count).copy()

    def _memory(self, key: str, step: int, most: int) -> np.ndarray:
        """The contents of a memory from its regions."""
        regions = list(self.names.regions[key].values())
        self._place([r.size for r in regions], [r.wanted for r in regions], step, most, [r.statement for r in regions],
                    lambda k, at: setattr(regions[k], "at", at))
        memory = np.zeros(self._end(regions, most), np.uint64)
        for region in regions:
            memory[region.at : region.at + region.size] = region.content
        return memory

    def _place(
        self, sizes: list[int], wanted: list[int | None], step: int, most: int, whose: list[Statement],
        found: Callable[[int, int], None],
    ) -> None:
        try:
            for k, at in enumerate(place(sizes, wanted, step, most)):
                found(k, at)
        except ValueError as error:
            one = whose[error.args[0]]
            self.source.fail(one.line, f"{one.key} {one.name!r} must end within {most}, and there is no place for it")

    def _end(self, regions: list[_Region], most: int) -> int:
        """Where the last region ends."""
        for region in regions:
            if not 0 <= region.at <= most - region.size:
                one = region.statement
                self.source.fail(one.line, f"{one.key} {one.name!r} must be within 0 to {most - 1}, not at {region.at}")
        return max((region.at + region.size for region in regions), default=0)

    def _streams(self, statements: list[Statement]) -> None:
        """Streams and data of the buffer, whose places are found together."""
        regions = [*self.names.regions["bytes"].values(), *self.names.regions["lanes"].values()]
        given = [self._fields("stream", s.line, s.rest) for s in statements]
        whole = [text_fields.complete("stream", one, {}) for one in given]
        sizes = [r.size for r in regions] + [v["block"] * v["blocks"] for v in whole]
        wanted = [r.wanted for r in regions] + [one.get("base") for one in given]

        def found(k: int, at: int) -> None:
            if k < len(regions):
                regions[k].at = at
            else:
                whole[k - len(regions)]["base"] = at

        whose = [r.statement for r in regions] + statements
        self._place(sizes, wanted, STEP, LIMITS.buffer_bytes, whose, found)
        for statement, values in zip(statements, whole, strict=True):
            number = self.names.numbers["stream"][statement.name]
            self.streams[number] = values
            self.put("stream", number, values)
        buffer = bytearray(self._end(regions, LIMITS.buffer_bytes))
        for region in regions:
            buffer[region.at : region.at + region.size] = region.content.tobytes()
        self.buffer = bytes(buffer)

    def _tables(self) -> np.ndarray:
        tables = np.zeros((TABLES, TABLE_ENTRIES), np.int16)
        for name, region in self.names.regions["table"].items():
            if name not in ("0", "1"):
                self.source.fail(region.statement.line, f"tables are 0 and 1, not {name!r}")
            entries = region.content.view("<i2")
            if len(entries) != TABLE_ENTRIES:
                self.source.fail(region.statement.line, f"a table has {TABLE_ENTRIES} entries, not {len(entries)}")
            tables[int(name)] = entries
        return tables

    def _raw(self, statement: Statement) -> None:
        kind, line = statement.name, statement.line
        if kind not in KINDS or not statement.at:
            self.source.fail(line, "raw words are those of a descriptor, as in 'raw stream @0: 0x0 0x0'")
        number, layout = self._at(statement, DESCRIPTORS[kind].count), DESCRIPTORS[kind].layout
        words = [self._bounded(line, word, "a word", 2**32) for word in statement.rest.split()]
        if len(words) != layout.words:
            self.source.fail(line, f"a {kind} has {layout.words} words, not {len(words)}")
        self.memory[DESCRIPTORS[kind].at(number)] = words

    # --- fields ---

    def put(self, kind: str, number: int, values: dict[str, int]) -> None:
        """Write a descriptor."""
        self.memory[DESCRIPTORS[kind].at(number)] = DESCRIPTORS[kind].layout.pack(values)

    def values(self, kind: str, line: int, rest: str) -> dict[str, int]:
        """All fields of a descriptor from its items."""
        return text_fields.complete(kind, self._fields(kind, line, rest), self.streams)

    def _fields(self, kind: str, line: int, rest: str) -> dict[str, int]:
        items = self.source.items(line, rest)
        missing = [name for name in text_fields.REQUIRED[kind] if name not in [item.name for item in items]]
        if missing:
            self.source.fail(line, f"{kind} must have {missing[0]}")
        layout, core = DESCRIPTORS[kind].layout, text_fields.core_fields() if kind == "mvm" else {}
        table = any(item.name == "kind" and item.value in ("table", str(int(Kind.TABLE))) for item in items)
        values: dict[str, int] = {}
        operation: dict[str, int] = {}
        for item in items:
            if item.name in core:
                operation[item.name] = self._field(kind, item, (0, (1 << core[item.name][1]) - 1), table)
            elif item.name in layout.low:
                values[item.name] = self._field(kind, item, layout[item.name].range, table)
            else:
                self.source.unknown(line, f"field of {kind}", item.name, text_fields.names_of(kind))
        return values | (text_fields.pack_core(operation) if operation else {})

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
        known: dict[str, int] | None = None
        if field_ is not None and field_.names is Operand:
            known = {name: int(value) for name, value in OPERANDS.items()} | self.names.numbers["stream"]
            if item.name != "target":
                known |= {name: Operand.WALK + k for name, k in self.names.numbers["walk"].items()}
            if table and item.name == "b":
                return None
        elif field_ is not None and field_.names is not None:
            known = {one.name.lower(): int(one) for one in field_.names}
        elif (kind, item.name) == ("walk", "stream"):
            known = self.names.numbers["stream"]
        elif (kind, item.name) == ("vec", "parameters"):
            known = {name: region.at for name, region in self.names.regions["parameters"].items()}
        elif (kind, item.name) == ("walk", "pad"):
            regions = self.names.regions["bytes"] | self.names.regions["lanes"]
            known = {name: region.at for name, region in regions.items()}
        if known is None:
            return None
        if item.value not in known:
            self.source.unknown(item.line, item.name, item.value, sorted(known))
        return known[item.value]



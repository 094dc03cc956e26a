"""Data in text: parameters, bytes, lanes and tables, and where they lie in the tile's memories."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mho.hw.tile.asm.reader import Source, Statement
from mho.hw.tile.isa import PARAMETER, TABLE_ENTRIES, TABLES
from mho.hw.tile.isa.program import LIMITS
from mho.hw.tile.isa.vector import pack_parameters


def place(sizes: Sequence[int], fixed: Sequence[int | None], step: int, limit: int) -> list[int]:
    """The first address of each region, in order; ``fixed`` ones stay where they are and may lie over each other.

    Raises ValueError with the number of the region for which there is no place below ``limit``.
    """
    starts, ends = _taken([(at, at + size) for at, size in zip(fixed, sizes, strict=True) if at is not None and size])
    # Of each size nothing is free below the last one's place, so that many regions take no long search.
    lowest: dict[int, int] = {}
    addresses = []
    for number, (at, size) in enumerate(zip(fixed, sizes, strict=True)):
        if at is None:
            at = lowest.get(size, 0)
            while (k := bisect_right(ends, at)) < len(ends) and starts[k] < at + size:
                at = -(-ends[k] // step) * step
            lowest[size] = at
            if at + size > limit:
                raise ValueError(number)
            if size:
                starts.insert(k, at)
                ends.insert(k, at + size)
        addresses.append(at)
    return addresses


def _taken(regions: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Starts and ends of what regions cover, in order, with nothing over each other."""
    starts, ends = list[int](), list[int]()
    for start, end in sorted(regions):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


DATA = ("parameters", "bytes", "lanes", "table")
STEP = 8
"""What streams and data begin at a multiple of, where their place is left open."""
TIMES = 16
"""How often the data of a text may fill its memory at most: some may lie over others."""


@dataclass
class _Region:
    """Data that gets a place in a memory."""

    statement: Statement
    size: int
    wanted: int | None
    content: np.ndarray
    at: int = 0


class Data:
    """The data of a text."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.regions: dict[str, dict[str, _Region]] = {kind: {} for kind in DATA}
        self._left = {"parameters": TIMES * LIMITS.parameters, "data": TIMES * LIMITS.buffer_bytes}

    def addresses(self, *kinds: str) -> dict[str, int]:
        """Where regions of some kinds begin, by their names."""
        return {name: region.at for kind in kinds for name, region in self.regions[kind].items()}

    def add(self, statement: Statement) -> None:
        """Take a declaration."""
        line, key = statement.line, statement.key
        if not statement.name:
            self.source.fail(line, f"{key} must have a name, as in '{key} first {{ ... }}'")
        if statement.name in self.regions[key]:
            self.source.fail(line, f"the name {statement.name!r} is taken")
        if not statement.braces:
            self.source.fail(line, f"what {key} holds stands in braces, as in '{key} {statement.name} {{ ... }}'")
        if key == "table" and statement.at:
            self.source.fail(line, f"a table has a place of its own, and cannot be at {statement.at}")
        wanted = self.source.number(line, statement.at, "what stands behind @") if statement.at else None
        if key == "parameters":
            content = self._parameters(statement.block)
        else:
            low, high = (-128, 255) if key == "bytes" else (-32768, 32767)
            values = np.array([v for row in statement.block for v in self._values(*row, low, high)], dtype=np.int64)
            content = values.astype("u1") if key == "bytes" else values.astype("<i2").view("u1")
        self.regions[key][statement.name] = _Region(statement, len(content), wanted, content)

    def _values(self, line: int, text: str, low: int, high: int) -> list[int]:
        """Numbers of a line, ``n * v`` for one that is repeated."""
        values: list[int] = []
        words = text.replace(",", " ").replace("*", " * ").split()
        while words:
            repeated = words[1:2] == ["*"]
            if repeated and len(words) < 3:
                self.source.fail(line, f"data that are repeated are 'TIMES * NUMBER', not '{words[0]} *'")
            times, value = (words[0], words[2]) if repeated else ("1", words[0])
            number = self.source.number(line, value, "data")
            if not low <= number <= high:
                self.source.fail(line, f"data must be {low} to {high}, not {number}")
            count = self.source.bounded(line, times, "how often a number is repeated", 1 << 17)
            self._count(line, "data", count)
            values += [number] * count
            words = words[3 if repeated else 1 :]
        return values

    def _count(self, line: int, what: str, count: int) -> None:
        """Count what a line gives, before it takes time and memory."""
        self._left[what] -= count
        if self._left[what] < 0:
            self.source.fail(line, f"the {what} of all declarations must fill their memory at most {TIMES} times")

    def _parameters(self, block: Sequence[tuple[int, str]]) -> np.ndarray:
        """Parameters of a block, a line each or several of it."""
        counts: list[int] = []
        starts: dict[str, list[int]] = {name: [] for name in PARAMETER.low}
        steps: dict[str, list[int]] = {name: [] for name in PARAMETER.low}
        for line, text in block:
            count, fields = self._parameter(line, text)
            counts.append(count)
            for name in PARAMETER.low:
                start, step = fields.get(name, (0, 0))
                starts[name].append(start)
                steps[name].append(step)
        many = np.array(counts, dtype=np.int64)
        place = np.arange(many.sum()) - np.repeat(many.cumsum() - many, many)
        return pack_parameters(**{
            name: np.repeat(np.array(starts[name], np.int64), many)
            + place * np.repeat(np.array(steps[name], np.int64), many) for name in PARAMETER.low})

    def _parameter(self, line: int, text: str) -> tuple[int, dict[str, tuple[int, int]]]:
        """How many parameters a line has, ``n * fields`` for several, and the first value of each field that it names.

        With a value ``v..``, which grows by 1 with each, the second number is 1.
        """
        times, star, rest = text.partition("*")
        count = self.source.bounded(line, times.strip(), "how often a parameter is repeated", 1025) if star else 1
        self._count(line, "parameters", count)
        fields: dict[str, tuple[int, int]] = {}
        for item in self.source.items(line, rest if star else text):
            if item.name not in PARAMETER.low:
                self.source.unknown(line, "field of a parameter", item.name, list(PARAMETER.low))
            grows, field_ = item.value.endswith(".."), PARAMETER[item.name]
            flag = item.value == "" and field_.width == 1
            start = 1 if flag else self.source.number(line, item.value.removesuffix(".."), item.name)
            low, high = field_.range
            last = start + (count - 1) * grows
            if count and not low <= start <= last <= high:
                self.source.fail(line, f"{item.name} must be {low} to {high}, not {last}")
            fields[item.name] = start, int(grows)
        return count, fields

    def parameters(self) -> np.ndarray:
        """The parameter memory."""
        regions, limit = list(self.regions["parameters"].values()), LIMITS.parameters
        starts = self._place(regions, [], [], [], 1, limit)
        for region, at in zip(regions, starts, strict=True):
            region.at = at
        memory = np.zeros(self._end(regions, limit), np.uint64)
        for region in regions:
            memory[region.at : region.at + region.size] = region.content
        return memory

    def _place(
        self, regions: list[_Region], statements: Sequence[Statement], sizes: Sequence[int],
        places: Sequence[int | None], step: int, limit: int,
    ) -> list[int]:
        """Places of regions, and of what else lies in their memory."""
        whose = [*(r.statement for r in regions), *statements]
        try:
            return place(
                [*(r.size for r in regions), *sizes], [*(r.wanted for r in regions), *places], step, limit)
        except ValueError as error:
            statement = whose[error.args[0]]
            self.source.fail(
                statement.line,
                f"{statement.key} {statement.name!r} must end within {limit}, and there is no place for it")

    def _end(self, regions: list[_Region], limit: int) -> int:
        """Where the last region ends."""
        for region in regions:
            if not 0 <= region.at <= limit - region.size:
                line, name = region.statement.line, f"{region.statement.key} {region.statement.name!r}"
                self.source.fail(line, f"{name} must be within 0 to {limit - 1}, not at {region.at}")
        return max((region.at + region.size for region in regions), default=0)

    def buffer(
        self, statements: Sequence[Statement], sizes: Sequence[int], places: Sequence[int | None]
    ) -> tuple[bytes, list[int]]:
        """The buffer's contents, and where rings of ``sizes`` begin that streams declare."""
        regions = [*self.regions["bytes"].values(), *self.regions["lanes"].values()]
        starts = self._place(regions, statements, sizes, places, STEP, LIMITS.buffer_bytes)
        for region, at in zip(regions, starts, strict=False):
            region.at = at
        buffer = bytearray(self._end(regions, LIMITS.buffer_bytes))
        for region in regions:
            buffer[region.at : region.at + region.size] = region.content.tobytes()
        return bytes(buffer), starts[len(regions):]

    def tables(self) -> np.ndarray:
        """Both tables."""
        tables = np.zeros((TABLES, TABLE_ENTRIES), np.int16)
        for name, region in self.regions["table"].items():
            if name not in ("0", "1"):
                self.source.fail(region.statement.line, f"tables are 0 and 1, not {name!r}")
            entries = region.content.view("<i2")
            if len(entries) != TABLE_ENTRIES:
                self.source.fail(region.statement.line, f"a table has {TABLE_ENTRIES} entries, not {len(entries)}")
            tables[int(name)] = entries
        return tables

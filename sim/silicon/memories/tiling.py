"""Memories of a design on macros: the tiling of least area, and the energy of a memory on it.

A memory is cut into columns, each of macros of one width, and a column into rows of macros of any depth. Or it is one
column with several words in a row, where macros have a mask of bits; what selects the word is not counted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mho.macro_models.errors import InputError
from mho.sim.silicon.liberty.cell import Cells
from mho.sim.silicon.memories.macro import MemoryMacro, read_memory_macros


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Words, bits a word, and parts of a word that are written apart, of a wrapper; whether it reads at an edge."""

    depth: int
    width: int
    lanes: int
    registered: bool

    @classmethod
    def of(cls, module: str, prefix: str) -> "Shape":
        """From the name of a wrapper, as ``mem_64x32_we4`` (:class:`mho.rtl_gen.verilog.memories.MemoryShape`)."""
        match = re.match(rf"{prefix}mem_(\d+)x(\d+)(?:_we(\d+))?(_async)?", module)
        assert match is not None
        return cls(depth=int(match[1]), width=int(match[2]), lanes=int(match[3] or 1), registered=match[4] is None)


@dataclass(frozen=True, kw_only=True)
class MemoryWork:
    """What a memory does in some cycles."""

    cycles: float
    writes: float
    reads: float
    both: float
    """Cycles, those in which it writes, in which it reads, in which it does both."""
    data: float
    address: float
    lanes: float
    """Changes of all bits of the word that is written, of both addresses, and of the enables of lanes."""


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """A memory on macros."""

    shape: Shape
    """Of the memory."""
    columns: tuple[tuple[tuple[MemoryMacro, float], ...], ...]
    """Of each column its macros from the first row on, and the part of the words that each holds."""
    words: int
    """Words in a row."""

    @property
    def macros(self) -> list[MemoryMacro]:
        """All macros."""
        return [macro for column in self.columns for macro, _ in column]

    @property
    def area(self) -> float:
        """um2."""
        return sum(macro.area for macro in self.macros)

    @property
    def leakage(self) -> float:
        """W."""
        return sum(macro.leakage for macro in self.macros)

    @property
    def two_ports(self) -> bool:
        """Whether all macros write and read in the same cycle."""
        return all(macro.pair is not None for macro in self.macros)

    def named(self) -> str:
        """``2 x A, B``: macros and how many."""
        counts = {macro.name: 0 for macro in self.macros}
        for macro in self.macros:
            counts[macro.name] += 1
        words = f", {self.words} words a row" if self.words > 1 else ""
        return ", ".join(name if count == 1 else f"{count} x {name}" for name, count in counts.items()) + words

    def energy(self, work: MemoryWork) -> float:
        """J of some cycles, without leakage."""
        return sum(self._macro(macro, part, work) for column in self.columns for macro, part in column)

    def still(self, cycles: float) -> float:
        """J of cycles in which nothing is done, without leakage."""
        nothing = MemoryWork(cycles=cycles, writes=0, reads=0, both=0, data=0, address=0, lanes=0)
        return self.energy(nothing)

    def _macro(self, macro: MemoryMacro, part: float, work: MemoryWork) -> float:
        """J of one macro, which holds a part of the words of its column; words are taken to be equally in use."""
        writes, reads, both = work.writes * part, work.reads * part, work.both * part
        pair = macro.pair
        if pair is not None:
            write, read = pair
            edges = (write.write or 0.0) * writes + write.idle * (work.cycles - writes)
            edges += (read.read or 0.0) * reads + read.idle * (work.cycles - reads)
            edges += sum(port.idle for port in macro.ports if port not in pair) * work.cycles
        else:
            [port] = [p for p in macro.ports if p.write is not None and p.read is not None][:1]
            rest = work.cycles - writes - reads + both
            edges = (port.write or 0.0) * writes + (port.read or 0.0) * reads + port.idle * rest
        share = self.words / len(self.columns)
        lane = self.shape.width // self.shape.lanes if self.shape.lanes > 1 else 0
        pins = macro.data * work.data * share + macro.address * work.address + macro.mask * work.lanes * lane * share
        return edges + pins


def cheapest(shape: Shape, macros: Sequence[MemoryMacro]) -> Tiling | None:
    """The tiling of least area; None if none fits: to what reads in the same cycle, or without a mask that it needs."""
    if not shape.registered:
        return None
    usable = [macro for macro in macros  # that write and read
              if macro.pair is not None or any(None not in (port.write, port.read) for port in macro.ports)]
    plain = [macro for macro in usable if shape.lanes == 1 or _masks(macro, shape.width // shape.lanes)]
    tilings = [_columns(shape, plain)]
    words = 2
    while words < 2 * shape.depth:
        fits = [
            macro for macro in usable
            if _masks(macro, shape.width // shape.lanes) and macro.width >= words * shape.width
        ]
        column = _column(-(-shape.depth // words), fits)
        tilings.append(None if column is None else Tiling(shape=shape, columns=(column,), words=words))
        words *= 2
    return min((tiling for tiling in tilings if tiling is not None), key=lambda tiling: tiling.area, default=None)


def _masks(macro: MemoryMacro, bits: int) -> bool:
    """Whether a macro can write parts of some bits alone."""
    return macro.granularity < macro.width and bits % macro.granularity == 0


def _columns(shape: Shape, macros: Sequence[MemoryMacro]) -> Tiling | None:
    """Columns side by side, each of macros of one width."""
    widths = sorted({macro.width for macro in macros})
    kinds = {width: _column(shape.depth, [macro for macro in macros if macro.width == width]) for width in widths}
    areas = [(width, sum(macro.area for macro, _ in column)) for width, column in kinds.items() if column]
    chosen = _cover(shape.width, tuple(areas))
    if chosen is None:
        return None
    columns = tuple(column for width in chosen if (column := kinds[width]) is not None)
    return Tiling(shape=shape, columns=columns, words=1)


def _column(depth: int, macros: Sequence[MemoryMacro]) -> tuple[tuple[MemoryMacro, float], ...] | None:
    """Rows one after the other, the deepest first, each with its part of the words."""
    best = {size: min((macro for macro in macros if macro.depth == size), key=lambda macro: macro.area)
            for size in {macro.depth for macro in macros}}
    chosen = _cover(depth, tuple((size, macro.area) for size, macro in sorted(best.items())))
    if chosen is None:
        return None
    rows, left = [], depth
    for size in sorted(chosen, reverse=True):
        rows.append((best[size], min(size, left) / depth))
        left -= min(size, left)
    return tuple(rows)


@cache
def _cover(need: int, items: tuple[tuple[int, float], ...]) -> tuple[int, ...] | None:
    """Sizes of least cost that add up to ``need`` or more."""
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for size in range(1, need + 1):
        rest = [(best[max(size - width, 0)], width, cost) for width, cost in items]
        choices = [(before[0] + cost, (*before[1], width)) for before, width, cost in rest]
        if not choices:
            return None
        best.append(min(choices))
    return best[need][1]


_MOST_BITS = 8192
"""Bits up to which a memory that no macro can be is flip-flops."""


class Memories:
    """The macros that a user names, beside the flip-flops of a library.

    Raises InputError if a file is no Liberty file of memories.
    """

    def __init__(self, files: Sequence[Path], cells: Cells) -> None:
        self.macros = [macro for file in files for macro in read_memory_macros(file)]
        self._flip_flop = cells.least_flip_flop()
        self._files = files

    def tiling(self, module: str, prefix: str) -> Tiling | None:
        """Macros of a memory; None where it must be flip-flops.

        Raises InputError if it is too large for these.
        """
        shape = Shape.of(module, prefix)
        tiling = cheapest(shape, self.macros)
        if tiling is None and shape.depth * shape.width > _MOST_BITS:
            need = f"a mask of {shape.width // shape.lanes} bits" if shape.registered else "reading in the same cycle"
            raise InputError(
                f"{self._files[0]}: no macro can be {module.removeprefix(prefix)}, which takes {need}, and it is too "
                "large for flip-flops"
            )
        return tiling

    def may_be_flip_flops(self, tiling: Tiling | None) -> bool:
        """Whether the flip-flops of a memory alone are smaller than its macros."""
        if tiling is None:
            return True
        return tiling.shape.depth * tiling.shape.width * self._flip_flop < tiling.area

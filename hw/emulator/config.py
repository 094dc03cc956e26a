"""Static parameters of an emulated macro, and the words of its load port."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from amaranth.lib import data

from mho.hw.host.core.blocks import CoreBlocks
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import STEP_WIDTH

CELLS, TABLES, TAGS, EXTRA = range(4)
"""Regions of the load port. The last is the kind's own."""


def index_width(cfg: "EmulatorConfig") -> int:
    """Bits of the index of a word within a region of the load port."""
    return (cfg.load_words - 1).bit_length()


class LoadLayout(data.StructLayout):
    """A word of the load port: ``index`` of a word in a ``region``, and the word.

    Region 0: cells, :attr:`EmulatorConfig.chunk_cells` a word, the lowest column lowest, each in ``32 / chunk_cells``
    bits. Region 1: tables, that of slot 0 first. Region 2: tags of the slots, what a table is for and above it a 1.
    """

    def __init__(self, cfg: "EmulatorConfig") -> None:
        super().__init__({"index": index_width(cfg), "region": 2, "data": 32})


@dataclass(frozen=True)
class LoadWord:
    """A word of the load port, see :class:`LoadLayout`."""

    region: int
    index: int
    data: int


MEMORIES = ("block", "spram")
"""Memories of the cells: block RAM as the tools infer it, or the single-ported RAM of an iCE40 UP5K."""

SPRAM_WORDS = 2**14
SPRAM_WIDTH = 16


@dataclass(frozen=True, kw_only=True)
class EmulatorConfig(ABC):
    """Static parameters of an :class:`mho.hw.emulator.macro.EmulatedMacro`.

    Raises InputError if a value is out of range.
    """

    blocks: CoreBlocks
    """The core."""
    conversions: int
    """Sums that are converted, a column of cells each."""
    g_bits: int
    """Bits of what a cell, or all cells of a weight, add to a sum."""
    digit_bits: int = 1
    """Bits that a row is driven with at a time."""
    lanes: int = 8
    """Cells that meet their input in one cycle: a power of two, a divisor of ``conversions``."""
    slots: int = 2
    """Tables that are held: a power of two."""
    memory: str = "block"
    """Of :data:`MEMORIES`. With ``spram`` cells are in SPRAM where their words fit, else in block RAM."""
    noise: bool = False
    """Whether a shift register makes read noise."""

    matrices: ClassVar[int] = 1
    """Matrices that are held, of which the pins name one."""
    table_fields: ClassVar[int] = 1
    """Words of a table that are read together; they have as many places as a power of two."""
    signed: ClassVar[bool] = True
    """Whether what a cell adds is in two's complement."""

    def __post_init__(self) -> None:
        if self.lanes < 1 or self.lanes & (self.lanes - 1) or self.conversions % self.lanes:
            raise InputError(f"lanes must be a power of two that divides {self.conversions}, not {self.lanes!r}")
        if self.slots < 1 or self.slots & (self.slots - 1):
            raise InputError(f"slots must be a power of two, not {self.slots!r}")
        if self.memory not in MEMORIES:
            raise InputError(f"memory must be one of {', '.join(MEMORIES)}, not {self.memory!r}")
        fits = self.word_bits % SPRAM_WIDTH == self.chunk_bits % SPRAM_WIDTH == 0 and self.cell_words <= SPRAM_WORDS
        if self.memory == "spram" and not fits:
            object.__setattr__(self, "memory", "block")

    @property
    def core(self) -> Any:
        """Configuration of the core."""
        return self.blocks.cfg

    @property
    def lines(self) -> int:
        """Lines of the core, as its description counts them."""
        return self.core.lines

    @property
    @abstractmethod
    def rows(self) -> int:
        """Rows that are driven."""

    @property
    @abstractmethod
    def summed_bits(self) -> int:
        """Bits of an input that one conversion has the sum of."""

    @property
    @abstractmethod
    def slot_words(self) -> int:
        """Words of a table: a power of two."""

    @property
    def tag_bits(self) -> int:
        """Bits of what an operation finds its table by."""
        return STEP_WIDTH

    @property
    def groups(self) -> int:
        """Groups of lanes."""
        return self.conversions // self.lanes

    @property
    def cell_words(self) -> int:
        """Words of the memory of cells: matrix by matrix, row by row, group by group."""
        return self.matrices * self.rows * self.groups

    @property
    def word_bits(self) -> int:
        """Bits of such a word."""
        return self.lanes * self.g_bits

    @property
    def chunk_cells(self) -> int:
        """Cells in a word of the load port: a power of two."""
        return min(2 ** (32 // self.g_bits).bit_length() // 2, self.lanes)

    @property
    def chunk_bits(self) -> int:
        """Bits that a word of the load port writes."""
        return self.chunk_cells * self.g_bits

    @property
    def sum_bits(self) -> int:
        """Bits of a sum, its sign included, and of a word of a table."""
        return self.g_bits + self.summed_bits + (self.rows - 1).bit_length() + 1

    @property
    def verify_bits(self) -> int | None:
        """Width of the code of a verify read; None: cells are loaded and not programmed by pulses."""
        return None if self.blocks.write is None else self.blocks.write.verify_bits

    @property
    def load_words(self) -> int:
        """Words of the largest region of the load port."""
        return max(self.cell_words * self.lanes // self.chunk_cells, self.slots * self.slot_words)

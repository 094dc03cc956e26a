"""Static parameters of the emulated macro of a core of rows and columns."""

from dataclasses import dataclass
from typing import Any, ClassVar

from mho.hw.emulator.config import SPRAM_WIDTH, SPRAM_WORDS
from mho.hw.host.core.blocks import CoreBlocks
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MAX_BITS

__all__ = ["RowEmulatorConfig"]


@dataclass(frozen=True, kw_only=True)
class RowEmulatorConfig:
    """Static parameters of a :class:`mho.hw.emulator.rows.RowMacro`.

    Parameters
    ----------
    blocks
        The core, on a :class:`mho.hw.core.row_core.RowCore` that does not program its cells.
    conversions
        Codes that leave the macro, those of a group at the pins beside each other.
    code_bits
        Bits of a code, two's complement; the lowest one is that of a sum below all thresholds.
    g_bits
        Bits of what a cell, or all cells of a weight, add to a sum: two's complement.
    digit_bits, row_groups
        Bits that a row is driven with at a time, and groups of rows that are driven one after the other.
    each_step
        Each step that rows are driven in is converted; else all are, at the strobe ``convert``.
    tables
        Thresholds of so many converters are held; each has as many columns beside each other.
    lanes
        Weights that meet their input in one cycle: a power of two, a divisor of ``conversions``.
    slots
        Step codes whose tables are held: a power of two. Of one only there is no question which.
    memory
        ``spram``: where its words fit, the weights are in SPRAM; else, as ``block``, in block RAM.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    blocks: CoreBlocks
    conversions: int
    code_bits: int
    g_bits: int
    digit_bits: int = 1
    row_groups: int = 1
    each_step: bool = False
    tables: int = 1
    lanes: int = 8
    slots: int = 1
    memory: str = "block"

    noise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.lanes < 1 or self.lanes & (self.lanes - 1) or self.conversions % self.lanes:
            raise InputError(f"lanes must be a power of two that divides {self.conversions}, not {self.lanes!r}")
        if self.slots < 1 or self.slots & (self.slots - 1):
            raise InputError(f"slots must be a power of two, not {self.slots!r}")
        shared, rest = divmod(self.conversions, self.tables)
        if rest or (self.tables > 1 and shared & (shared - 1)):
            raise InputError(
                f"tables must be for a power of two of {self.conversions} conversions each, not {self.tables!r}"
            )
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
    def rows(self) -> int:
        """Rows that are driven."""
        return self.core.rows

    @property
    def groups(self) -> int:
        """Groups of lanes."""
        return self.conversions // self.lanes

    @property
    def cell_words(self) -> int:
        """Words of the memory of weights: group by group of a row after the other."""
        return self.rows * self.groups

    @property
    def word_bits(self) -> int:
        """Bits of such a word."""
        return self.lanes * self.g_bits

    @property
    def chunk_cells(self) -> int:
        """Weights in a word of the load port: a power of two."""
        return min(2 ** (32 // self.g_bits).bit_length() // 2, self.lanes)

    @property
    def chunk_bits(self) -> int:
        """Bits that a word of the load port writes."""
        return self.chunk_cells * self.g_bits

    @property
    def sum_bits(self) -> int:
        """Bits of a sum, its sign included: of all rows, and of all bits of an input where they are summed."""
        inputs = self.digit_bits if self.each_step else MAX_BITS
        return self.g_bits + inputs + (self.rows - 1).bit_length() + 1

    @property
    def slot_words(self) -> int:
        """Words of the thresholds in a slot: a power of two."""
        return 1 << (self.tables - 1).bit_length() + self.code_bits

    @property
    def load_words(self) -> int:
        """Words of the larger region of the load port."""
        return max(self.cell_words * self.lanes // self.chunk_cells, self.slots * self.slot_words)

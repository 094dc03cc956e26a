"""Static parameters of the emulated macro of a core of rows and columns."""

from dataclasses import dataclass

from mho.hw.emulator.config import EmulatorConfig
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MAX_BITS


@dataclass(frozen=True, kw_only=True)
class RowEmulatorConfig(EmulatorConfig):
    """Static parameters of a :class:`mho.hw.emulator.rows.RowMacro`, of a :class:`mho.hw.core.row_core.RowCore`.

    Parameters
    ----------
    blocks, conversions, g_bits, digit_bits, lanes, slots
        As those of :class:`EmulatorConfig`. Codes of a group are at the pins beside each other.
    code_bits
        Bits of a code, two's complement; the lowest one is that of a sum below all thresholds.
    row_groups
        Groups of rows that are driven one after the other.
    each_step
        Each step that rows are driven in is converted; else all are, at the strobe ``convert``.
    tables
        Thresholds of so many converters are held; each has as many columns beside each other.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    code_bits: int
    row_groups: int = 1
    each_step: bool = False
    tables: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        shared, rest = divmod(self.conversions, self.tables)
        if rest or (self.tables > 1 and shared & (shared - 1)):
            raise InputError(
                f"tables must be for a power of two of {self.conversions} conversions each, not {self.tables!r}"
            )

    @property
    def rows(self) -> int:
        """Rows that are driven."""
        return self.core.rows

    @property
    def summed_bits(self) -> int:
        """Of all of an input, where steps are not converted."""
        return self.digit_bits if self.each_step else MAX_BITS

    @property
    def slot_words(self) -> int:
        """Thresholds of all converters."""
        return 1 << (self.tables - 1).bit_length() + self.code_bits

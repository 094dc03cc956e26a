"""Static parameters of an emulated macro behind its pins.

Region 3 of its load port holds, by the index of the word:

* ``256 * polarity + amplitude``: the part of the way to the end of its window, in 2**-14, that a pulse moves a cell of
  the mean threshold;
* :data:`SEED`: seed of what distinguishes the cells; :data:`SPREAD`: deviation of the thresholds of the cells, in steps
  of the amplitude (bits 4:0), and from pulse to pulse of a cell (bits 12:8);
* ``ENDS + polarity``: the end of the window, in codes of a cell;
* ``LINES + slot * mask_words + word``: word lines of the table in a slot.
"""

from dataclasses import dataclass

from hw.macro.emulator.config import EmulatorConfig
from macro_models.errors import InputError
from macro_models.exact.pulse import AMPLITUDE_BITS

__all__ = [
    "ENDS", "END_BITS", "LINES", "PART_BITS", "PULSE_WORDS", "SEED", "SPREAD", "SPREAD_BITS", "PinEmulatorConfig",
]  # fmt: skip

PULSE_WORDS = 4 * 2**AMPLITUDE_BITS
"""Words of the table of the answer to pulses, 256 for each polarity."""

SEED, SPREAD, ENDS, LINES = PULSE_WORDS, PULSE_WORDS + 1, PULSE_WORDS + 4, PULSE_WORDS + 512
"""Indices in region 3, see the module."""

PART_BITS = 14
"""A pulse moves a cell by a part of its way, a multiple of 2**-14."""

END_BITS = 2
"""Bits of the end of a window beyond those of a cell."""

SPREAD_BITS = 5


@dataclass(frozen=True, kw_only=True)
class PinEmulatorConfig(EmulatorConfig):
    """Static parameters of a :class:`hw.macro.emulator.PinLevelMacro`.

    Parameters
    ----------
    core, g_bits, lanes, slots
        As those of :class:`EmulatorConfig`. ``memory`` is ``block``, and there is no ``noise``.
    converters
        Lines that take a decrement in one cycle: a power of two, 2..``core.lines``.
    verify_bits
        Width of the code of a verify read, 8..12; None: cells are loaded and not programmed by pulses.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    converters: int = 8
    verify_bits: int | None = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory != "block":
            raise InputError(f"memory must be block at the level of the pins, not {self.memory!r}")
        if self.noise:
            raise InputError("noise must be False at the level of the pins")
        count = self.converters
        if not isinstance(count, int) or not 2 <= count <= self.lines or count & (count - 1):
            raise InputError(f"converters must be a power of two between 2 and {self.lines}, not {count!r}")
        bits = self.verify_bits
        if bits is not None and (not isinstance(bits, int) or not 8 <= bits <= 12):
            raise InputError(f"verify_bits must be between 8 and 12, not {bits!r}")

    @property
    def tags_hold_lines(self) -> bool:
        """Whether a table is known by the word lines that are on, and not by the number of their mask."""
        return True

    @property
    def load_words(self) -> int:
        """Words of the largest region of the load port."""
        return max(super().load_words, LINES + self.slots * self.core.mask_words)

    @property
    def rest_bits(self) -> int:
        """Bits of what is left of half a charge, the sign included: a search oversteps by its largest step."""
        return self.step_bits + 8

    @property
    def groups(self) -> int:
        """Groups of lines that take a decrement one after the other."""
        return self.lines // self.converters

    @property
    def accumulate_hold(self) -> int:
        """Largest number of cycles for which the first compare of a conversion holds."""
        return self.cell_words + self.lanes * self.row_words + self.tree_levels + 8

    @property
    def decrement_hold(self) -> int:
        """Cycles for which a decrement holds."""
        return self.groups + 3

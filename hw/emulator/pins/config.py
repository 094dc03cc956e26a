"""Static parameters of an emulated macro behind its pins, and where things are in region 3 of its load port.

Word lines of the tables in all slots are from :data:`~mho.hw.emulator.layout.LINES` on, ``mask_words`` a slot; where
there is noise, key and step of the shift register from :data:`NOISE_BASE` on. What programming by pulses needs, for the
law of :mod:`mho.macro_models.integer.pulse`:

* from :data:`MOVED_TABLE` on its table; from :data:`CONSTANTS` on its constants and the key of its draws
  (:class:`mho.macro_models.integer.pulse.LawWords`);
* from :data:`NORMALS` on the upper half of :data:`mho.macro_models.integer.random.NORMAL_TABLE`, two entries a word, 16
  bits each, the lower one first;
* from :attr:`PinEmulatorConfig.records` on what distinguishes the cells, :data:`RECORD_WORDS` words each
  (:class:`mho.macro_models.integer.pulse.PulseRecord`), row by row.

The records can be read too, and the log of pulses, oldest first: how many there are at :data:`LOG_LEVEL`, the next one
at each of the :data:`LOG_WINDOW` words from :data:`LOG` on (:class:`LogLayout`; 0 where there is none).
"""

from dataclasses import dataclass

from amaranth.lib import data

from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import LINES
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.integer.pulse import AMPLITUDE_BITS, RECORD_WORDS

__all__ = [
    "CONSTANTS", "LOG", "LOG_DEPTH", "LOG_LEVEL", "LOG_WINDOW", "MOVED_TABLE", "NOISE_BASE", "NORMALS",
    "LogLayout", "PinEmulatorConfig",
]

MOVED_TABLE, CONSTANTS, LOG_LEVEL, LOG, NOISE_BASE, NORMALS = 0, 2048, 2176, 2304, 3072, 16384
"""Indices in region 3, see the module."""

LOG_WINDOW = 256
"""Words at which the log is read: one queue, so that it can be read in blocks."""

LOG_DEPTH = 512
"""Pulses that the log holds; the macro holds the core where it is full."""


class LogLayout(data.StructLayout):
    """A pulse in the log: which, on which cell (``row * lines + col``); ``valid`` is 0 where there is none."""

    def __init__(self) -> None:
        super().__init__({"amplitude": AMPLITUDE_BITS, "polarity": 2, "cell": 20, "reserved": 1, "valid": 1})


@dataclass(frozen=True, kw_only=True)
class PinEmulatorConfig(EmulatorConfig):
    """Static parameters of a :class:`mho.hw.emulator.PinLevelMacro`.

    Parameters
    ----------
    core, g_bits, lanes, slots, noise
        As those of :class:`EmulatorConfig`. ``memory`` is ``block``.
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
    def cell_bits(self) -> int:
        """Bits of the number of a cell."""
        return 2 * (self.lines - 1).bit_length()

    @property
    def records(self) -> int:
        """Index of the first record in region 3: a power of two beyond everything else."""
        return max(2 * NORMALS, RECORD_WORDS * self.lines**2)

    @property
    def load_words(self) -> int:
        """Words of the largest region of the load port."""
        pulses = 0 if self.verify_bits is None else 2 * self.records
        return max(super().load_words, LINES + self.slots * self.core.mask_words, pulses)

    @property
    def noise_base(self) -> int:
        """Index in the region of noise from which on key and step of the shift register are."""
        return NOISE_BASE

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
        accumulate = self.cell_words + self.lanes * self.row_words + self.tree_levels + 8
        return accumulate + self.draw_hold + self.noise_cycles

    @property
    def draw_hold(self) -> int:
        """Cycles of these in which the noise of the conversion is drawn: its levels are read for that, one a cycle."""
        return self.lines + 2 + self.draw_cycles(MvmOperation()) if self.noise else 0

    @property
    def decrement_hold(self) -> int:
        """Cycles for which a decrement holds."""
        return self.groups + 3

"""Static parameters of the emulated transposable macro, and where things are in region 3 of its load port.

What region 3 has of programming by pulses: :mod:`mho.hw.emulator.pulses.records`. Besides, word lines of the tables in
all slots from :data:`LINES` on, ``mask_words`` a slot; where there is noise, key and step of the shift register from
:data:`NOISE` on.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.pulses.records import records_from
from mho.hw.kinds.tnsa.blocks import TnsaBlocks
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, STEP_WIDTH

NOISE, LINES = 3072, 3584
"""Indices in region 3, see the module."""


@dataclass(frozen=True, kw_only=True)
class TnsaEmulatorConfig(EmulatorConfig):
    """Static parameters of a :class:`mho.hw.emulator.kinds.tnsa.macro.TnsaMacro`.

    Its memory has the cells ``[bit line, source line]`` and, behind them, their transpose.

    Raises InputError if a value is out of range.

    Parameters
    ----------
    blocks, conversions, g_bits, lanes, slots, noise
        As those of :class:`EmulatorConfig`; there are as many conversions as lines.
    serial
        The digital part of the core is serial, too (:class:`mho.hw.emulator.kinds.tnsa.serial.SerialCore`).
    """

    serial: bool = False

    converters: ClassVar[int] = 8
    """Lines that take a decrement in one cycle."""
    matrices: ClassVar[int] = 2
    table_fields: ClassVar[int] = 3
    signed: ClassVar[bool] = False

    @classmethod
    def of(
        cls, core: TnsaCoreConfig, write: WriteVerifyConfig | None = None, **fields: Any
    ) -> "TnsaEmulatorConfig":
        """Of a core of no description."""
        blocks = TnsaBlocks.of(core, write)
        return cls(blocks=blocks, conversions=core.lines, **{"g_bits": 8, **fields})

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("trim", "manual"):
            if getattr(self.core, name):
                raise InputError(f"core.{name} must be false where the array is emulated: it has no analog time")

    @property
    def rows(self) -> int:
        """Lines that are driven."""
        return self.lines

    @property
    def summed_bits(self) -> int:
        """Planes of a conversion."""
        return LSB_SEGMENT_BITS

    @property
    def slot_words(self) -> int:
        """Four words a line: half its offset, half steps from positive and from negative charges, nothing."""
        return 4 * self.lines

    @property
    def tag_bits(self) -> int:
        """Step code, the direction above it and, where no pins have word lines, the number of their mask."""
        return STEP_WIDTH + (4 if self.serial else 1)

    @property
    def step_bits(self) -> int:
        """Bits of half a converter step, and of the magnitude of half a charge: offset and ``15 * sum_g`` fit."""
        return self.sum_bits - 1

    @property
    def rest_bits(self) -> int:
        """Bits of what is left of half a charge, the sign included: a search oversteps by its largest step."""
        return self.step_bits + 8

    @property
    def converter_groups(self) -> int:
        """Groups of lines that take a decrement one after the other."""
        return self.lines // self.converters

    @property
    def load_words(self) -> int:
        pulses = 0 if self.verify_bits is None else 2 * records_from(self)
        return max(super().load_words, LINES + self.slots * self.core.mask_words, pulses)

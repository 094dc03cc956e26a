"""``[programming]``: how cells are written by pulses and read back, for the kinds whose cells are."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from mho.hw.config.chip import Chip, CoreSection
from mho.hw.config.keys import ChipError, check_section, key
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pulse import AMPLITUDE_BITS

if TYPE_CHECKING:
    from mho.macro_models.cells.pulses import PulseConfig


def _volts(default: float, doc: str) -> float:
    return key(default, doc, low=-100.0, high=100.0)


def _width(default: float, doc: str, **shapes: tuple[str, ...]) -> float:
    return key(default, doc, low=0.0, high=1e9, **shapes)


def _limit(default: int, doc: str, high: int) -> int:
    return key(default, doc, low=0, high=high)


@dataclass(frozen=True, kw_only=True)
class ProgrammingSection:
    """``[programming]``: pulses, verify reads, and when a cell is done or given up."""

    engine: bool = key(
        True, "The core has the write-verify engine and the macro its pins; false: cells are programmed from outside.",
        shapes=("core", "emulator"),
    )
    pulses: bool = key(
        False, "The engine can also give pulses to listed cells without reading them, for learning on the chip.",
        shapes=("core",), later=True,
    )
    accept_uS: float = key(
        1.0, "Half width of the band around the target in which a cell is done, in microsiemens.", low=0.0, high=1000.0
    )
    guard_uS: float = key(
        0.1, "Part of accept_uS that the hardware leaves to rounding and noise of the last read, in microsiemens.",
        low=0.0, high=1000.0,
    )
    confirmations: int = _limit(1, "Further reads that must lie in the band.", 3)
    passes: int = key(3, "Passes over the array.", low=1, high=15)
    t_wait_s: float = key(1.0, "Wait between two passes, in which cells relax, in seconds.", low=0.0, high=1e4)
    v_base_V: float = _volts(0.0, "Amplitude of code 0 of the pulse converter, in volts.")
    v_step_mV: float = key(20.0, "Step of the pulse converter, in millivolts; it has 8 bits.", low=0.1, high=1000.0)
    set_start_V: float = _volts(1.2, "Amplitude of the first SET pulse, and after a reversal, in volts.")
    set_step_V: float = key(0.1, "Increment from one SET pulse to the next, in volts.", low=0.0, high=10.0)
    set_ceiling_V: float = _volts(3.3, "Largest amplitude of a SET pulse, in volts.")
    reset_start_V: float = _volts(1.5, "Amplitude of the first RESET pulse, and after a reversal, in volts.")
    reset_step_V: float = key(0.1, "Increment from one RESET pulse to the next, in volts.", low=0.0, high=10.0)
    reset_ceiling_V: float = _volts(3.3, "Largest amplitude of a RESET pulse, in volts.")
    form_start_V: float = _volts(4.2, "Amplitude of the first forming pulse, in volts.")
    form_step_V: float = key(0.1, "Increment from one forming pulse to the next, in volts.", low=0.0, high=10.0)
    form_ceiling_V: float = _volts(4.5, "Largest amplitude of a forming pulse, in volts.")
    formed_uS: float = key(
        1.25, "Conductance from which on a cell is formed, in microsiemens.", low=0.0, high=10_000.0
    )
    t_set_pulse_ns: float = _width(1000.0, "Width of a SET pulse, in ns.")
    t_reset_pulse_ns: float = _width(1000.0, "Width of a RESET pulse, in ns.")
    t_form_pulse_ns: float = _width(1e6, "Width of a forming pulse, in ns.")
    t_setup_ns: float = _width(100.0, "From a new amplitude to the pulse, in ns.", shapes=("core",))
    t_verify_ns: float = _width(200.0, "Shortest verify read, settling included, in ns.", shapes=("core",))
    verify_bits: int = key(
        10, "Bits of the verify converter over 0 to cells.g_full_scale_uS.", low=8, high=12,
        shapes=("core", "emulator"),
    )
    max_reversals: int = _limit(30, "Changes of polarity after which a cell is given up.", 255)
    max_at_ceiling: int = _limit(30, "Pulses at the ceiling after which a cell is given up.", 255)
    max_pulses: int = _limit(500, "Pulses in one pass after which a cell is given up.", 65_535)

    def __post_init__(self) -> None:
        check_section(self, "programming.")
        if self.guard_uS > self.accept_uS:
            raise ChipError(
                "programming.guard_uS",
                f"programming.guard_uS must be at most accept_uS = {self.accept_uS:g}, not {self.guard_uS:g}",
            )
        for kind in ("set", "reset", "form"):
            start, top = getattr(self, f"{kind}_start_V"), getattr(self, f"{kind}_ceiling_V")
            if start > top:
                name = f"programming.{kind}_start_V"
                raise ChipError(name, f"{name} must be at most {kind}_ceiling_V = {top:g}, not {start:g}")
            for what in ("start_V", "ceiling_V"):
                self._check_range(f"{kind}_{what}")

    def _check_range(self, name: str) -> None:
        highest_V = self.v_base_V + (2**AMPLITUDE_BITS - 1) * self.v_step_mV / 1000.0
        value = getattr(self, name)
        if not self.v_base_V <= value <= highest_V:
            raise ChipError(
                f"programming.{name}",
                f"programming.{name} must be {self.v_base_V:g} to {highest_V:g} V, which the pulse converter reaches "
                f"(v_base_V, v_step_mV), not {value:g}",
            )

    def amplitude(self, volts: float) -> int:
        """The code of the pulse converter that is nearest to an amplitude."""
        return round((volts - self.v_base_V) * 1000.0 / self.v_step_mV)


@dataclass(frozen=True, kw_only=True)
class PulseCoreSection(CoreSection):
    """``[core]``: a core whose macro is strobed, in products and in pulses."""

    trim: bool = key(
        True, "Durations of analog operations and limits of the converters are registers; false: constants.",
        shapes=("core",), later=True,
    )
    manual: bool = key(
        False, "Registers can drive each pin of the macro and read those back that it drives, for bring-up.",
        shapes=("core",), later=True,
    )
    synchronise: tuple[str, ...] = key(
        (), "Pins of the macro that pass through two flip-flops of the core: cmp, hold, verify_valid.",
        pattern=r"cmp|hold|verify_valid", expects="cmp, hold or verify_valid", shapes=("core",), later=True,
    )


@dataclass(frozen=True, kw_only=True)
class PulseChip(Chip):
    """A chip whose cells are written by pulses, each followed by a verify read."""

    core: PulseCoreSection = field(default_factory=PulseCoreSection)
    programming: ProgrammingSection = field(default_factory=ProgrammingSection)

    @classmethod
    def of(cls, chip: Chip) -> Self:
        """``chip``, if it is one.

        Raises InputError if it is not.
        """
        if not isinstance(chip, cls):
            kind = chip.core.kind
            raise InputError(f"{chip.name}: core.kind must be one whose cells are written by pulses, not {kind}")
        return chip

    @property
    def bias(self) -> str:
        """Of lines that are not selected while a cell is pulsed; empty: transistors keep the pulse from others."""
        return ""

    @property
    def float_lines(self) -> bool:
        """Whether they float at verify reads, where they have a :attr:`bias`."""
        return False

    @property
    def source_lines(self) -> int:
        """Source lines, which cross the bit lines of a core."""
        return self.lines

    def pulse_config(self) -> "PulseConfig":
        """Scales of the numpy model of cells that are programmed by pulses."""
        # Imported here: the description itself needs no scipy.
        from mho.macro_models.cells.pulses import PulseConfig

        return PulseConfig(
            lines=self.lines,
            columns=None if self.source_lines == self.lines else self.source_lines,
            v_base_V=self.programming.v_base_V,
            v_step_V=self.programming.v_step_mV / 1000.0,
            verify_bits=self.programming.verify_bits,
            g_full_scale_uS=self.cells.g_full_scale_uS,
            cycle_s=1e-6 / self.clock.f_clk_MHz,
            wait_s=self.programming.t_wait_s,
            bias=self.bias,
            float_lines=self.float_lines,
        )

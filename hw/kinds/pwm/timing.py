"""How long the operations of a phase-change core take."""

from dataclasses import dataclass

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.core.timing import FixedTiming
from mho.macro_models.integer.operation import MvmOperation

__all__ = ["PwmTiming"]


@dataclass(frozen=True, kw_only=True)
class PwmTiming(FixedTiming):
    """Durations in cycles: they depend on no data.

    Parameters
    ----------
    start_cycles, window_cycles, switch_cycles, convert_cycles
        From the start to the first window; one window; what follows each of four windows, the last of them back to
        rest; counters settle and are read.
    phases
        Windows, 1 or 4.
    """

    start_cycles: int
    window_cycles: int
    switch_cycles: int
    convert_cycles: int
    phases: int

    @classmethod
    def from_chip(cls, chip: Chip) -> "PwmTiming":
        """The durations of a chip's description."""
        chip = PwmChip.of(chip)
        took = chip.operation_cycles
        return cls(
            start_cycles=took["start"], window_cycles=chip.window_cycles, switch_cycles=took["switch"],
            convert_cycles=took["convert"], phases=chip.read.phases,
        )

    @property
    def pin_cycles(self) -> int:
        """Cycles of the operations at the pins of one product."""
        switches = self.switch_cycles * self.phases if self.phases > 1 else 0
        return self.start_cycles + self.phases * self.window_cycles + switches + self.convert_cycles

    def product_cycles(self, op: MvmOperation) -> int:
        """Cycles of the operations at the pins of one product."""
        return self.pin_cycles

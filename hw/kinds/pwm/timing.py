"""How long the operations of a phase-change core take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.core.timing import Timing
from mho.macro_models.integer.operation import MvmOperation

__all__ = ["PwmTiming"]


@dataclass(frozen=True, kw_only=True)
class PwmTiming(Timing):
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

    def conversion_cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles of the operations at the pins of the one conversion that there is, of shape (..., 1)."""
        return np.full((*np.shape(steps)[:-1], 1), self.pin_cycles, dtype=np.int64)

    def worst_cycles(self, op: MvmOperation) -> int:
        """The most that ``cycles`` can be."""
        return self.pin_cycles + self.overhead_cycles

    def most_steps(self, op: MvmOperation, codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], bool]:
        """Nothing is decremented: zeros of shape (vectors, segments), exactly."""
        return np.zeros((len(codes), op.segments), dtype=np.int64), True

"""Static parameters of a core, and how long its operations take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.config import Chip
from hw.config.kinds.tnsa import TnsaChip
from macro_models.errors import InputError
from macro_models.exact.operation import Converter, MvmOperation

__all__ = ["MASKS", "MASK_WORD", "OVERHEAD_CYCLES", "CoreConfig"]

OVERHEAD_CYCLES = 1
"""Cycles of one conversion beyond its operations at the pins: the result moves to its bank, the next operation to the
line registers."""

MASKS = 18
"""Masks of a core: eight of word lines, eight of converted lines, dead bit lines, dead source lines."""

MASK_WORD = 32
"""Bits of a word of the mask stream."""


@dataclass(frozen=True, kw_only=True)
class CoreConfig:
    """Static parameters of a :class:`hw.core.Core`.

    The defaults are those of the preset ``neurram-core``.

    Parameters
    ----------
    lines
        Bit lines, source lines and word lines of the array: 16, 64 or 256.
    reset_cycles, plane_cycles, sample_cycles, decrement_cycles
        Duration of an operation at the macro's pins, in cycles, 1..65535: precharge; line registers to the first
        sample; one sample; one decrement.
    compare_cycles
        Duration of a compare, in cycles, 2..65535: its result, valid in the second, decides what comes next.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    lines: int = 256
    reset_cycles: int = 10
    plane_cycles: int = 2
    sample_cycles: int = 10
    compare_cycles: int = 2
    decrement_cycles: int = 2

    def __post_init__(self) -> None:
        if self.lines not in (16, 64, 256):
            raise InputError(f"lines must be 16, 64 or 256, not {self.lines!r}")
        for name in ("reset_cycles", "plane_cycles", "sample_cycles", "compare_cycles", "decrement_cycles"):
            value = getattr(self, name)
            low = 2 if name == "compare_cycles" else 1
            if not isinstance(value, int) or not low <= value <= 65535:
                raise InputError(f"{name} must be between {low} and 65535, not {value!r}")

    @classmethod
    def from_chip(cls, chip: Chip) -> "CoreConfig":
        """The core of a chip: durations in cycles are those of its description."""
        durations = TnsaChip.of(chip).operation_cycles.items()
        return cls(lines=chip.lines, **{f"{name}_cycles": cycles for name, cycles in durations})

    @property
    def mask_words(self) -> int:
        """Words of one mask."""
        return max(self.lines // MASK_WORD, 1)

    @property
    def output_words(self) -> int:
        """Words of the output stream that one operation gives."""
        return self.lines // 2

    @property
    def drain_lines(self) -> int:
        """Lines whose codes leave the counters in one cycle, a power of two and at least those of an output word.

        As few as let the last one go before the first compare of the next conversion ends, whatever the operation.
        """
        shortest = self.reset_cycles + self.plane_cycles + self.sample_cycles + self.compare_cycles + OVERHEAD_CYCLES
        lines = 2
        while self.lines > lines * shortest:
            lines *= 2
        return lines

    @property
    def drain_rows(self) -> int:
        """Cycles in which the codes leave the counters."""
        return self.lines // self.drain_lines

    def input_words(self, op: MvmOperation) -> int:
        """Words of the input stream that one operation takes."""
        return self.lines // 4 if op.direction else self.lines // 8

    def segment_cycles(self, planes: int, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles of the operations at the pins of one conversion, for ``steps`` decrements (any shape)."""
        fixed = self.reset_cycles + planes * self.plane_cycles + (2**planes - 1) * self.sample_cycles
        step = self.decrement_cycles + self.compare_cycles
        return fixed + self.compare_cycles + step * np.asarray(steps, dtype=np.int64)

    def analog_cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles of the operations at the pins.

        ``steps`` are the decrements that were made, of shape (..., segments), most significant segment first. Returns
        shape (...).
        """
        steps = np.asarray(steps, dtype=np.int64)
        if steps.shape[-1:] != (op.segments,):
            raise ValueError(f"Steps must have shape (..., {op.segments}), not {steps.shape!r}")
        parts = [self.segment_cycles(planes, steps[..., k]) for k, planes in enumerate(op.segment_planes)]
        return np.asarray(np.sum(parts, axis=0, dtype=np.int64))

    def cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles from the start of an operation to the earliest start of the next, for ``steps`` as above.

        This is what ``status.cycles_total`` grows by, unless the macro holds or the last result is still being read.
        """
        return self.analog_cycles(op, steps) + OVERHEAD_CYCLES * op.segments

    def worst_cycles(self, op: MvmOperation) -> int:
        """The most that :meth:`cycles` can be: converters make all their decrements."""
        most = op.out_bits - 1 if op.converter is Converter.BINARY else op.max_steps
        return int(self.cycles(op, np.full(op.segments, most)))

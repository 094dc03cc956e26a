"""Static parameters of a phase-change core, and the energy of its operations."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.core.digital.groups import group_drain
from mho.hw.core.shape import CoreShape, Drain, FixedTiming, check_lines
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Masks, MvmOperation
from mho.macro_models.integer.pwm.converter import COUNTER_BITS
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS, PwmOperation


@dataclass(frozen=True, kw_only=True)
class PwmCoreConfig(CoreShape, FixedTiming):
    """Static parameters of a :class:`mho.hw.kinds.pwm.core.PwmCore`.

    Parameters
    ----------
    lines
        Rows of weights, and columns: 16 to 256, a multiple of 8.
    cells
        Devices of a weight, 2 or 4: a row has so many word lines.
    start_cycles, window_cycles, switch_cycles, convert_cycles
        Cycles from the start to the first window; of one window; of what follows each of four windows, the last of them
        back to rest; until the counters have settled.
    phases
        Windows of a product, 1 or 4.
    lsb_cycles
        Cycles of the pulse of an input of 1.
    lanes
        Columns that the digital unit takes in a cycle, a power of two from 2 on.
    gain_code
        Digital gain of all columns after reset, in 1/128.
    ranged
        An operation gives the words that come with its descriptor, and no others.
    engine
        The core takes commands (:class:`mho.hw.kinds.pwm.engine.layout.Command`).
    pulse_cycles
        Cycles of a programming pulse.
    top_counts
        Counts of an oscillator at its highest frequency in one window.

    Raises
    ------
    InputError
        If a value is out of range, or a window has not as many cycles as 128 pulses of an input of 1.
    """

    operation_type = PwmOperation

    lines: int = 256
    cells: int = 4
    start_cycles: int
    window_cycles: int
    switch_cycles: int
    convert_cycles: int
    phases: int
    lsb_cycles: int = 1
    lanes: int = 2
    gain_code: int = 192
    ranged: bool = False
    engine: bool = False
    pulse_cycles: int = 100
    top_counts: int = 422

    def __post_init__(self) -> None:
        check_lines(self.lines)
        if self.cells not in (2, 4):
            raise InputError(f"cells must be 2 or 4, not {self.cells!r}")
        if self.lanes not in (2, 4, 8, 16, 32, 64) or self.lines % self.lanes or 2 * self.lanes > self.lines:
            limit = f"at most {self.lines // 2}, a divisor of lines"
            raise InputError(f"lanes must be a power of two from 2 to 64 and {limit}, not {self.lanes!r}")
        if not 1 <= self.gain_code <= 255:
            raise InputError(f"gain_code must be between 1 and 255, not {self.gain_code!r}")
        if not 1 <= self.pulse_cycles <= 65_535:
            raise InputError(f"pulse_cycles must be between 1 and 65535, not {self.pulse_cycles!r}")
        if self.window_cycles != self.lsb_cycles << MAGNITUDE_BITS:
            raise InputError(f"window_cycles must be {self.lsb_cycles << MAGNITUDE_BITS}, not "
                             f"{self.window_cycles!r}")

    @classmethod
    def from_chip(cls, chip: Chip, *, ranged: bool = False) -> "PwmCoreConfig":
        """The core of a chip."""
        chip = PwmChip.of(chip)
        took = chip.operation_cycles
        return cls(
            lines=chip.lines, cells=2 * chip.core.devices, start_cycles=took["start"],
            window_cycles=chip.window_cycles, switch_cycles=took["switch"], convert_cycles=took["convert"],
            phases=chip.read.phases, lsb_cycles=took["lsb"], lanes=chip.digital.lanes, ranged=ranged,
            gain_code=chip.macro_config().nominal_gain_code, top_counts=chip.macro_config().top_counts,
            engine=chip.programming.engine, pulse_cycles=chip.clock.cycles(chip.programming.t_pulse_ns),
        )

    @property
    def rows(self) -> int:
        """Word lines of all devices."""
        return self.lines * self.cells

    @property
    def columns_at(self) -> int:
        """First word behind the masks: a power of two. A word for each column: gain, offset."""
        return 1 << (super().setting_words - 1).bit_length()

    @property
    def trims_at(self) -> int:
        """First word of the trim registers, a word for each column: at a multiple of a power of two."""
        return self.columns_at + (1 << (self.lines - 1).bit_length())

    @property
    def range_at(self) -> int:
        """Word of the range register."""
        return 2 * self.trims_at - self.columns_at

    @property
    def writing_at(self) -> int:
        """Word of the parameters of write-verify."""
        return self.range_at + 1

    @property
    def setting_words(self) -> int:
        """Words of all settings."""
        return self.range_at + 1 + self.engine

    @property
    def most_input_words(self) -> int:
        """The most that a descriptor takes: a command takes 16 bits a column beside the codes of a vector."""
        return self.input_words() + self.output_words * self.engine

    @property
    def longest_cycles(self) -> int:
        """The longest operation at the pins."""
        return max(self.start_cycles, self.window_cycles, self.switch_cycles, self.convert_cycles)

    def product_cycles(self, op: MvmOperation) -> int:
        switches = self.switch_cycles * self.phases if self.phases > 1 else 0
        return self.start_cycles + self.phases * self.window_cycles + switches + self.convert_cycles

    @property
    def count_bits(self) -> int:
        """Width of a counter at the pins."""
        return COUNTER_BITS

    @property
    def drain(self) -> Drain:
        """How a result leaves: through the three stages of the digital unit and its memory."""
        return group_drain(self, 2)


@dataclass(frozen=True, kw_only=True)
class PwmEnergy:
    """Energy of operations: modulators and converters count in every window, devices for as long as they are driven.

    Where nobody says the inputs, devices are driven for half of each window, and are those in the mean.
    """

    chip: PwmChip

    @classmethod
    def from_chip(cls, chip: Chip) -> "PwmEnergy":
        """That of a chip's description."""
        return cls(chip=PwmChip.of(chip))

    def operation(self, op: MvmOperation, masks: Masks, steps: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """See :class:`mho.hw.kinds.Energy`: ``rows``, ``oscillators``, ``conversion``."""
        e, windows, columns = self.chip.energy, self.chip.read.phases, int(masks.enabled(op).sum())
        by_part = {
            "rows": e.row_pJ * windows * self._rows(op, masks),
            "oscillators": e.oscillators_pJ * windows * columns,
            "conversion": e.conversion_pJ * columns,
        }
        return {name: np.full(np.shape(steps)[:-1], value) for name, value in by_part.items() if value}

    def weight(self, magnitude: NDArray[np.int64]) -> NDArray[np.int64]:
        """See :class:`mho.hw.kinds.Energy`: the width of the pulse."""
        return magnitude

    def inputs(
        self, op: MvmOperation, masks: Masks, vectors: int, weights: NDArray[np.int64],
        row_uS: NDArray[np.float64] | None,
    ) -> Mapping[str, float]:
        """See :class:`mho.hw.kinds.Energy`: ``rows``."""
        chip = self.chip
        share = chip.modulator_pJ / (chip.modulator_pJ + chip.devices_pJ)
        mean, half = 2 * chip.core.devices * chip.lines * chip.mean_g_uS, 2 ** (MAGNITUDE_BITS - 1)
        devices = weights / half * (1.0 if row_uS is None else row_uS / mean)
        parts = share * vectors * self._rows(op, masks) + (1.0 - share) * float(devices.sum())
        return {"rows": chip.energy.row_pJ * chip.read.phases * parts} if chip.energy.row_pJ else {}

    def _rows(self, op: MvmOperation, masks: Masks) -> int:
        """Rows that are on; each device of one is a driven line."""
        return int(masks.word_lines(op).sum()) // (2 * self.chip.core.devices)

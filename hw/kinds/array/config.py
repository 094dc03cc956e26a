"""Static parameters of a core whose columns share converters, and the energy of its operations."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.core.digital.config import ColumnConverter, RowConfig
from mho.hw.core.digital.sequencer import Phase
from mho.hw.core.layout import INPUTS_PER_WORD
from mho.macro_models.integer.array.operation import ArrayOperation, Steps
from mho.macro_models.integer.operation import MAX_BITS, MOST_OUT_BITS, Masks, MvmOperation

_READ_CYCLES = 2
"""From the number of a group at the macro until its codes have been added."""


@dataclass(frozen=True, kw_only=True)
class ArrayCoreConfig(RowConfig):
    """Static parameters of an :class:`mho.hw.kinds.array.core.ArrayCore`."""

    operation_type = ArrayOperation

    lines: int
    """Rows: 8 to 256, a multiple of 8."""
    columns: int = 128  # pyright: ignore[reportIncompatibleMethodOverride]
    """Columns of cells, the same."""
    column_lines: int = 2
    """Columns of cells of an output, 1 or 2."""
    codes: int = 1
    """Codes of an output in a conversion: 2, if each array has converters of its own."""
    converter: ColumnConverter
    """What converts the columns of weights."""
    lanes: int
    """Columns of weights whose codes leave the macro in a cycle."""
    steps: Steps
    """In which steps rows are driven."""
    digital: bool = True
    """Each step is converted; else all together."""
    chop: bool = False  # pyright: ignore[reportIncompatibleMethodOverride]
    """Some steps drive rows the other way, and their codes are subtracted."""
    weighted: bool = False
    """A step lasts as long as it counts."""
    sample_cycles: int
    """Cycles from new inputs until a column has settled, or for which a bit is integrated."""
    word_lines: bool = True
    """Cells have transistors."""
    update_cycles: int = 0
    """Cycles of a pulse of an update of all cells at once; 0: there is none."""
    ranged: bool = False
    """An operation gives the words that come with its descriptor, and no others."""

    @classmethod
    def from_chip(cls, chip: Chip, *, ranged: bool = False) -> "ArrayCoreConfig":
        """The core of a chip."""
        chip = ArrayChip.of(chip)
        adc, code_cycles, writes = chip.adc, chip.code_steps * chip.clock.cycles(chip.adc.t_step_ns), chip.programming
        return cls(
            lines=chip.lines, columns=chip.core.columns, column_lines=chip.cells_a_weight,
            codes=2 if chip.core.weights == "arrays" else 1, lanes=adc.lanes, ranged=ranged, steps=chip.steps,
            converter=ColumnConverter(bits=adc.bits, columns=adc.columns, code_cycles=code_cycles),
            digital=chip.read.accumulate == "digital", weighted=chip.input.drive == "pulse",
            chop=chip.read.chop and chip.read.accumulate == "digital",
            update_cycles=chip.clock.cycles(writes.t_update_ns) if writes.update else 0,
            word_lines=chip.core.access == "transistor", sample_cycles=max(2, chip.clock.cycles(chip.read.t_sample_ns)),
        )

    @property
    def most_out_bits(self) -> int:
        """An output is a sum of codes."""
        return MOST_OUT_BITS

    @property
    def loaded(self) -> int:
        """Codes of rows, and of columns too if they are pulsed at once."""
        return self.rows + self.columns if self.update_cycles else self.rows

    @property
    def most_input_words(self) -> int:
        """Those of all codes."""
        return self.loaded // INPUTS_PER_WORD

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Where each step is converted, its codes are read while the next one is: it lasts as long at least."""
        sample = self.sample_cycles
        if not self.digital:
            steps = Phase("sample", sample, planes=True, weighted=self.weighted, groups=self.row_groups)
            return steps, Phase("convert", self.converter.cycles)
        return (Phase("sample", max(sample + self.converter.cycles, self.group_rows + _READ_CYCLES), planes=True),)

    @property
    def digit_bits(self) -> int:
        """Bits of an input that a row drives at a time."""
        return self.steps.digit_bits

    @property
    def row_groups(self) -> int:
        """Groups of rows that are driven one after the other."""
        return self.steps.row_groups


@dataclass(frozen=True, kw_only=True)
class ArrayEnergy:
    """Energy of operations: rows that are driven, codes and their sums by the description, cells by Ohm's law.

    A cell takes ``V**2 G t`` of the voltage of its row's digit while it conducts; what is left to ``energy.supply_V``
    the driver of its row takes. Where nobody says the inputs, digits are uniform, and cells those in the mean.
    """

    chip: ArrayChip
    cfg: ArrayCoreConfig

    @classmethod
    def from_chip(cls, chip: Chip) -> "ArrayEnergy":
        """That of a chip's description."""
        return cls(chip=ArrayChip.of(chip), cfg=ArrayCoreConfig.from_chip(chip))

    def operation(self, op: MvmOperation, masks: Masks, steps: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """See :class:`mho.hw.kinds.Energy`; rows are driven once for each digit that is not 0.

        Names are ``rows``, ``cells``, ``drivers``, ``clamps``, ``conversion`` and ``adders``.
        """
        e, cfg, rows = self.chip.energy, self.cfg, int(masks.word_lines(op).sum())
        columns, digits = int(masks.enabled(op).sum()), -(-op.planes // cfg.digit_bits)
        conversions = columns // cfg.column_lines * cfg.codes * (cfg.steps_of(op) if cfg.digital else 1)
        top = self._top
        # Rows that are on are a whole number of times: of each digit one group after the other.
        mean = (2**op.planes - 1) / 2.0 if cfg.weighted else digits * top * (2 * top + 1) / 6.0
        window_ns = cfg.product_cycles(op) * self._cycle_ns
        cells_pJ = self._cell_pJ * mean * rows * cfg.columns * self.chip.mean_g_uS
        by_part = {
            "rows": e.row_pJ * digits * rows * top / (top + 1),
            "cells": cells_pJ,
            "drivers": cells_pJ * self._drivers,
            "clamps": e.clamp_uW * window_ns * columns / 1000.0,
            "conversion": e.conversion_pJ * conversions,
            "adders": e.add_pJ * conversions,
        }
        return {name: np.full(np.shape(steps)[:-1], value) for name, value in by_part.items() if value}

    def weight(self, magnitude: NDArray[np.int64]) -> NDArray[np.int64]:
        """See :class:`mho.hw.kinds.Energy`: squares of the digits, or how long a row is pulsed."""
        if self.cfg.weighted:
            return magnitude
        bits = self.cfg.digit_bits
        digits = (magnitude >> k & (1 << bits) - 1 for k in range(0, MAX_BITS, bits))
        return sum((digit**2 for digit in digits), start=np.zeros_like(magnitude))

    def inputs(
        self, op: MvmOperation, masks: Masks, vectors: int, weights: NDArray[np.int64],
        row_uS: NDArray[np.float64] | None,
    ) -> Mapping[str, float]:
        """See :class:`mho.hw.kinds.Energy`: ``cells``, ``drivers``, and ``rows`` of one bit at a time."""
        conductance = self.cfg.columns * self.chip.mean_g_uS if row_uS is None else row_uS
        cells_pJ, row_pJ = self._cell_pJ * float((weights * conductance).sum()), self.chip.energy.row_pJ
        parts = {"cells": cells_pJ, "drivers": cells_pJ * self._drivers} if self._drivers else {"cells": cells_pJ}
        return parts | {"rows": row_pJ * float(weights.sum())} if row_pJ and self._counted else parts

    @property
    def _top(self) -> int:
        """Highest digit of a row."""
        return 2**self.cfg.digit_bits - 1

    @property
    def _counted(self) -> bool:
        """Whether the weight of an input is how often its row is driven."""
        return self._top == 1 and not self.cfg.weighted

    @property
    def _drivers(self) -> float:
        """What drivers take beside cells; of several levels that in the mean."""
        supply, top = self.chip.energy.supply_V, self._top
        return max(0.0, supply / self.chip.read.v_read_V * 3 * top / (2 * top + 1) - 1.0) if supply else 0.0

    @property
    def _cycle_ns(self) -> float:
        return 1000.0 / self.chip.clock.f_clk_MHz

    @property
    def _cell_pJ(self) -> float:
        """What 1 uS takes in a step of the lowest digit."""
        volts, held = self.chip.read.v_read_V / self._top, self.chip.energy.conduct == "sample"
        return volts**2 * (self.cfg.sample_cycles if held else self.cfg.phases[0].cycles) * self._cycle_ns / 1000.0

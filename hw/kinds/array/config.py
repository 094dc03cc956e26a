"""Static parameters of a core whose columns share converters."""

from dataclasses import dataclass

from mho.hw.config import Chip
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.core.digital.config import ColumnConverter, CountingConverter, RampConverter, RowConfig, SarConverter
from mho.hw.core.digital.sequencer import Phase
from mho.macro_models.integer.array.operation import ArrayOperation, Steps
from mho.macro_models.integer.operation import MOST_OUT_BITS

_READ_CYCLES = 2
"""From the number of a group at the macro until its codes have been added."""


@dataclass(frozen=True, kw_only=True)
class ArrayCoreConfig(RowConfig):
    """Static parameters of an :class:`mho.hw.kinds.array.core.ArrayCore`."""

    operation_type = ArrayOperation

    lines: int
    """Rows: 16 to 256, a multiple of 8."""
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
    ranged: bool = False
    """An operation gives the words that come with its descriptor, and no others."""

    @classmethod
    def from_chip(cls, chip: Chip, *, ranged: bool = False) -> "ArrayCoreConfig":
        """The core of a chip."""
        chip = ArrayChip.of(chip)
        adc, converters = chip.adc, {"sar": SarConverter, "ramp": RampConverter, "count": CountingConverter}
        step = {"bit_cycles" if adc.kind == "sar" else "step_cycles": chip.clock.cycles(adc.t_step_ns)}
        return cls(
            lines=chip.lines, columns=chip.core.columns, column_lines=chip.cells_a_weight,
            codes=2 if chip.core.weights == "arrays" else 1, lanes=adc.lanes, ranged=ranged, steps=chip.steps,
            converter=converters[adc.kind](bits=adc.bits, columns=adc.columns, **step),
            digital=chip.read.accumulate == "digital", weighted=chip.input.drive == "pulse",
            chop=chip.read.chop and chip.read.accumulate == "digital",
            word_lines=chip.core.access == "transistor", sample_cycles=max(2, chip.clock.cycles(chip.read.t_sample_ns)),
        )

    @property
    def most_out_bits(self) -> int:
        """An output is a sum of codes."""
        return MOST_OUT_BITS

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

"""What follows for a core of rows and columns from its phases, and the converters that it may have."""

from abc import abstractmethod
from dataclasses import dataclass

from mho.hw.core.digital.groups import group_drain
from mho.hw.core.digital.sequencer import Phase, phase_cycles
from mho.hw.core.layout import CODE_WIDTH
from mho.hw.core.shape import CoreShape, Drain, FixedTiming
from mho.macro_models.errors import check_whole
from mho.macro_models.integer.operation import MAX_BITS, Direction, MvmOperation


@dataclass(frozen=True, kw_only=True)
class ColumnConverter:
    """A converter of columns, whose code is a two's complement number of ``bits`` bits: of c, what is above c steps.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    bits: int
    """Bits of a code, 1 to 15: an output is the odd number of half steps in the middle of a step, 16 bits wide."""
    columns: int = 1
    """Columns that it converts, one after the other."""
    code_cycles: int
    """Cycles of one code."""

    def __post_init__(self) -> None:
        check_whole("bits", self.bits, 1, CODE_WIDTH - 1)
        check_whole("columns", self.columns, 1, 256)

    @property
    def cycles(self) -> int:
        """Cycles until all its columns have their codes."""
        return self.columns * self.code_cycles


class RowConfig(CoreShape, FixedTiming):
    """Configuration of a :class:`mho.hw.core.row_core.RowCore`: a kind says ``columns`` and ``phases``."""

    converter: ColumnConverter
    """What converts the columns."""

    @property
    @abstractmethod
    def phases(self) -> tuple[Phase, ...]:
        """Operations at the pins, in their order; those of a step last two cycles or more."""

    @property
    def most_out_bits(self) -> int:
        """Most bits of an output: those of the converter."""
        return self.converter.bits

    @property
    def digit_bits(self) -> int:
        """Planes that are on a row at a time: a power of two."""
        return 1

    @property
    def row_groups(self) -> int:
        """Groups of rows that are driven one after the other: a power of two."""
        return 1

    @property
    def chop(self) -> bool:
        """Some steps drive rows the other way, see :meth:`mho.macro_models.integer.array.operation.Steps.chopped`."""
        return False

    @property
    def drive_steps(self) -> int:
        """The most steps in which rows are driven: a digit after the other, each by groups of rows."""
        return MAX_BITS // self.digit_bits * self.row_groups

    def steps_of(self, op: MvmOperation) -> int:
        """Steps of an operation."""
        return -(-op.planes // self.digit_bits) * self.row_groups

    def inputs(self, direction: Direction = Direction.FORWARD) -> int:
        """An input code a row."""
        return self.rows

    @property
    def outputs(self) -> int:
        """An output code a column of weights."""
        return self.columns // self.column_lines

    @property
    def drain(self) -> Drain:
        """How a result leaves."""
        return group_drain(self, 1)

    def product_cycles(self, op: MvmOperation) -> int:
        return phase_cycles(self.phases, self.steps_of(op))

    @property
    def longest_cycles(self) -> int:
        """Cycles of the longest operation."""
        return max(phase.cycles << (MAX_BITS - 1 if phase.weighted else 0) for phase in self.phases)

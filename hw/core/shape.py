"""The shape of a core, the words of its streams, how long operations take: what everybody asks, whatever its kind."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config.chip import LINE_STEP, LINES
from mho.hw.core.layout import INPUTS_PER_WORD, OUTPUTS_PER_WORD
from mho.macro_models.errors import InputError, check_whole
from mho.macro_models.integer.operation import Direction, MvmOperation

OVERHEAD_CYCLES = 1
"""Cycles of each conversion beyond its operations at the pins: the result moves to its bank, the next operation takes
its place."""

_ROOM = 4
_DURATION_BITS = 16


def duration_bits(cycles: int) -> int:
    """Bits of the register of a duration: it reaches four times the duration of the description, at most 65535."""
    return min((_ROOM * cycles - 1).bit_length(), _DURATION_BITS)


@dataclass(frozen=True)
class Drain:
    """How a result leaves a core while the next conversion runs."""

    latency: int
    """Cycles from the end of the last conversion to the first word at the output."""
    row_words: int
    """Words of a result that leave the counters in a cycle."""
    rows: int
    """Cycles in which all do."""
    settle: int = 0
    """Cycles beyond those until the counters may take the next result."""


class Timing(ABC):
    """Cycles of operations, which are conversions one behind the other; ``steps`` are the decrements that were made."""

    overhead_cycles: ClassVar[int] = OVERHEAD_CYCLES
    """:data:`OVERHEAD_CYCLES`, unless a kind has others."""

    @abstractmethod
    def conversion_cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles at the pins of each conversion, (..., conversions), for ``steps`` of shape (..., segments)."""

    def worst_steps(self, op: MvmOperation) -> NDArray[np.int64]:
        """The most decrements that an operation can make, of shape (segments,): none where nothing is decremented."""
        return np.zeros(op.segments, dtype=np.int64)

    def worst_cycles(self, op: MvmOperation) -> int:
        """The most that :meth:`cycles` can be."""
        return int(self.cycles(op, self.worst_steps(op)))

    @abstractmethod
    def most_steps(self, op: MvmOperation, codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], bool]:
        """Decrements that follow from the output codes of an operation, and whether they are exactly those.

        ``codes`` of shape (vectors, columns) are in half steps; the steps are of shape (vectors, segments). Else they
        are at least as many as were made.
        """

    def analog_cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles of the operations at the pins, for ``steps`` of shape (..., segments); of shape (...)."""
        return self.conversion_cycles(op, steps).sum(axis=-1)

    def cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles from the start of an operation to the earliest start of the next, of the same shape.

        This is what a core's own counter grows by, unless the macro holds or the last result is still being read.
        """
        return (self.conversion_cycles(op, steps) + self.overhead_cycles).sum(axis=-1)

    def whole_cycles(self, op: MvmOperation, analog: NDArray[np.int64]) -> NDArray[np.int64]:
        """:meth:`cycles` where those at the pins are counted already, in ``analog`` of any shape."""
        conversions = self.conversion_cycles(op, np.zeros(op.segments, dtype=np.int64)).shape[-1]
        return analog + self.overhead_cycles * conversions


class FixedTiming(Timing):
    """Of a core whose operations are one conversion each, and take as long whatever the data."""

    @abstractmethod
    def product_cycles(self, op: MvmOperation) -> int:
        """Cycles of the operations at the pins of one product."""

    def conversion_cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles of the operations at the pins of the one conversion that there is, of shape (..., 1)."""
        return np.full((*np.shape(steps)[:-1], 1), self.product_cycles(op), dtype=np.int64)

    def most_steps(self, op: MvmOperation, codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], bool]:
        """Nothing is decremented: zeros of shape (vectors, segments), exactly."""
        return np.zeros((len(codes), op.segments), dtype=np.int64), True


MASKS = 18
"""Masks of a core: eight of word lines, eight of converted lines, dead driven lines, dead converted lines."""

MASK_WORD = 32
"""Bits of a word of the mask stream."""


def check_lines(lines: int, least: int = LINES[0], most: int = LINES[1]) -> None:
    """Refuse what no core has: ``least`` to ``most`` lines each way in steps of 8.

    Raises InputError if ``lines`` is something else.
    """
    check_whole("lines", lines, least, most)
    if lines % LINE_STEP:
        raise InputError(f"lines must be a multiple of {LINE_STEP}, not {lines}")


class CoreShape:
    """Shape of a core: the configuration of every kind is one, and says of this what is otherwise in its kind."""

    lines: int
    """Lines each way, as the chip description counts them."""
    ranged: bool
    """An operation gives the words that come with its descriptor (``words`` of the vector port) and no others."""
    lanes: int
    """Of columns that are read in groups, those of a group: a power of two from 2 on, a divisor of the outputs."""
    column_lines: int = 1
    """Physical lines of an output, where there are more than one."""
    operation_type: ClassVar[type[MvmOperation]] = MvmOperation
    """What an operation can be."""

    @property
    def rows(self) -> int:
        """Physical lines that a forward product drives, each with a word line."""
        return self.lines

    @property
    def columns(self) -> int:
        """Physical lines that a forward product converts."""
        return self.lines

    def inputs(self, direction: Direction = Direction.FORWARD) -> int:
        """Input codes of a product, a multiple of four."""
        return self.lines

    @property
    def loaded(self) -> int:
        """Codes for which a core whose rows are driven has room while an operation waits."""
        return self.inputs()

    @property
    def outputs(self) -> int:
        """Output codes of an operation, an even number."""
        return self.lines

    @property
    def two_way(self) -> bool:
        """Whether products go backward, too."""
        return False

    def input_words(self, op: MvmOperation | None = None) -> int:
        """Words of the input stream that one operation takes; without ``op``, the most that a product takes."""
        directions = (op.direction,) if op else tuple(Direction) if self.two_way else (Direction.FORWARD,)
        return max(map(self.inputs, directions)) // INPUTS_PER_WORD

    @property
    def longest_cycles(self) -> int:
        """Cycles of the longest operation: of a kind."""
        raise NotImplementedError

    @property
    def most_input_words(self) -> int:
        """The most words that a descriptor takes, whatever it asks for."""
        return self.input_words()

    @property
    def output_words(self) -> int:
        """Words of the output stream that one operation gives."""
        return self.outputs // OUTPUTS_PER_WORD

    @property
    def group_rows(self) -> int:
        """Cycles in which all columns are read, where they are read in groups."""
        return self.outputs // self.lanes

    @property
    def mask_lines(self) -> int:
        """Lines of one mask: those of the longer side, of which a mask of the other takes the first."""
        return max(self.rows, self.columns)

    @property
    def mask_words(self) -> int:
        """Words of one mask: a power of two, so that an address is a mask and a word."""
        return 1 << (-(-self.mask_lines // MASK_WORD) - 1).bit_length()

    @property
    def masks_cycles(self) -> int:
        """Cycles behind that of its descriptor in which the masks of an operation are looked up: it does not begin."""
        return 4 * self.mask_words + 1

    @property
    def mask_width(self) -> int:
        """Bits of a word of a mask that there are."""
        return min(self.mask_lines, MASK_WORD)

    @property
    def setting_words(self) -> int:
        """Words that a host writes into the core before products: those of the masks, and what a kind has behind."""
        return MASKS * self.mask_words

    @property
    def address_bits(self) -> int:
        """Bits of the address of one of them."""
        return (self.setting_words - 1).bit_length()

"""The shape of a core, and the words of its streams: what everybody around a core asks, whatever its kind."""

from typing import ClassVar

from mho.hw.config.chip import LINE_STEP, LINES
from mho.hw.core.layout import INPUTS_PER_WORD, OUTPUTS_PER_WORD
from mho.macro_models.errors import InputError, check_whole
from mho.macro_models.integer.operation import Direction, MvmOperation

MASKS = 18
"""Masks of a core: eight of word lines, eight of converted lines, dead driven lines, dead converted lines."""

MASK_WORD = 32
"""Bits of a word of the mask stream."""


def check_lines(lines: int, most: int = LINES[1]) -> None:
    """Refuse what no core has: 16 to ``most`` lines each way in steps of 8.

    Raises
    ------
    InputError
        If ``lines`` is something else.
    """
    check_whole("lines", lines, LINES[0], most)
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

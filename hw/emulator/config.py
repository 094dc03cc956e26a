"""Static parameters of an emulated core: what it holds, how many cells it meets in a cycle, how long it takes."""

from dataclasses import dataclass, field

from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MAX_BITS, MvmOperation

__all__ = ["LATENCY_CYCLES", "MEMORIES", "EmulatorConfig", "chunk_cells"]

MEMORIES = ("block", "spram")
"""Memories of the cells: block RAM as the tools infer it, or the single-ported RAM of an iCE40 UP5K."""

SPRAM_WORDS = 2**14
SPRAM_WIDTH = 16

LATENCY_CYCLES = 6
"""Cycles from the read of a cell to its line's entry into the converter, its way through the adder tree left out."""

DRAW_CYCLES = 14
"""Cycles in which :class:`mho.hw.emulator.vector.noise.ConversionNoise` makes what one conversion begins with."""

INPUT_LANES = 8
"""Lines that a word of the vector port drives, forward."""

_DIVIDER_BITS = MAX_BITS - 1
_NOISE_BITS = 13  # of a deviate without its sign


def chunk_cells(g_bits: int) -> int:
    """Cells in one word of 32 bits of the load port, the largest power of two that fits: the least of lanes."""
    return 2 ** (32 // g_bits).bit_length() // 2


@dataclass(frozen=True, kw_only=True)
class EmulatorConfig:
    """Static parameters of a :class:`mho.hw.emulator.VectorEmulator`.

    Parameters
    ----------
    core
        The core that is emulated: its lines, and the durations from which the analog time is reckoned.
    g_bits
        Width of the code of a cell, 2..16.
    lanes
        Cells that meet their input in one cycle: a power of two, 4..``core.lines``, and
        no fewer than one word of the load port has.
    slots
        Tables of offsets and steps that are held at a time, one for each combination of direction, word-line mask and
        step code: a power of two, 2..16.
    noise
        Whether a shift register makes read noise, :class:`mho.macro_models.integer.shift_register.ShiftRegister`.
    memory
        Of :data:`MEMORIES`. ``spram`` takes words of ``lanes * g_bits`` bits, a multiple of 16, and up to 16,384 of
        them.

    search_width
        Bits of a count that a stage of the converter searches in one cycle, 1, 2 or 4: fewer stages, a longer path.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    core: TnsaCoreConfig = field(default_factory=TnsaCoreConfig)
    g_bits: int = 8
    lanes: int = 8
    slots: int = 2
    memory: str = "block"
    noise: bool = False
    search_width: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.g_bits, int) or not 2 <= self.g_bits <= 16:
            raise InputError(f"g_bits must be between 2 and 16, not {self.g_bits!r}")
        if self.core.trim:
            raise InputError("core.trim must be false where the array is emulated: it has no analog time to trim")
        if self.core.manual:
            raise InputError("core.manual must be false where the array is emulated: there are no pins to drive")
        for name, low, high in (("lanes", max(4, self.chunk_cells), self.lines), ("slots", 2, 16)):
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high or value & (value - 1):
                raise InputError(f"{name} must be a power of two between {low} and {high}, not {value!r}")
        if self.search_width not in (1, 2, 4):
            raise InputError(f"search_width must be 1, 2 or 4, not {self.search_width!r}")
        if self.memory not in MEMORIES:
            raise InputError(f"memory must be one of {', '.join(MEMORIES)}, not {self.memory!r}")
        if self.memory == "spram":
            if self.word_bits % SPRAM_WIDTH or self.cell_words > SPRAM_WORDS or self.chunk_bits % SPRAM_WIDTH:
                raise InputError(
                    f"memory spram needs words of a multiple of 16 bits and at most {SPRAM_WORDS} of them, "
                    f"not {self.cell_words} of {self.lanes} cells of {self.g_bits} bits"
                )

    @property
    def lines(self) -> int:
        """Bit lines, source lines and word lines."""
        return self.core.lines

    @property
    def row_words(self) -> int:
        """Words of the cell memory that hold the cells of one bit line."""
        return self.lines // self.lanes

    @property
    def input_lanes(self) -> int:
        """Levels in a word of the memory of inputs: a word of codes may give eight."""
        return max(self.lanes, INPUT_LANES)

    @property
    def input_words(self) -> int:
        """Words of that memory for one segment of a vector."""
        return self.lines // self.input_lanes

    @property
    def word_bits(self) -> int:
        """Bits of a word of the cell memory: what one cycle reads."""
        return self.lanes * self.g_bits

    @property
    def cell_words(self) -> int:
        """Words of the cell memory."""
        return self.lines * self.row_words

    @property
    def chunk_cells(self) -> int:
        """Cells in one word of 32 bits of the load port: the largest power of two that fits."""
        return chunk_cells(self.g_bits)

    @property
    def chunk_bits(self) -> int:
        """Bits of the cell memory that one word of the load port writes."""
        return self.chunk_cells * self.g_bits

    @property
    def sum_bits(self) -> int:
        """Bits of the sum of all cells of a line."""
        return self.g_bits + (self.lines - 1).bit_length()

    @property
    def step_bits(self) -> int:
        """Bits of half a converter step, and of the magnitude of half a charge: offset and ``15 * sum_g`` fit."""
        return self.sum_bits + 4

    @property
    def charge_bits(self) -> int:
        """Bits of half a charge on its way to the converter, its sign included: noise may take it beyond all cells."""
        return self.step_bits + 1 + self.noise

    @property
    def noise_digits(self) -> int:
        """Bits of the noise of a line that are made in one cycle, so that it is complete when the next line comes."""
        return -(-_NOISE_BITS // min(self.row_words, _NOISE_BITS))

    @property
    def noise_cycles(self) -> int:
        """Cycles by which noise delays a line."""
        return 2 + -(-_NOISE_BITS // self.noise_digits) if self.noise else 0

    def draw_cycles(self, op: MvmOperation) -> int:
        """Cycles from the last code of an operation to its earliest start, beyond one, in which noise is drawn."""
        return 1 + DRAW_CYCLES * op.segments if self.noise else 0

    @property
    def tags_hold_lines(self) -> bool:
        """Whether a table is known by the word lines that are on, and not by the number of their mask."""
        return False

    @property
    def noise_base(self) -> int:
        """Index in the region of noise from which on key and step of the shift register are."""
        return 0

    @property
    def load_words(self) -> int:
        """Words of the largest region of the load port."""
        noise = self.noise_base + 2 if self.noise else 0
        return max(self.lines**2 // self.chunk_cells, 4 * self.slots * self.lines, noise)

    @property
    def banks(self) -> int:
        """Results that may wait or be under way; two suffice where a product is several times as long as its vector."""
        return 4 if self.row_words <= 2 else 2

    @property
    def divider_cycles(self) -> int:
        """Cycles that a stage of the converter spends on a line, at most as many as a row has words."""
        return min(self.row_words, -(-_DIVIDER_BITS // self.search_width))

    @property
    def divider_stages(self) -> int:
        """Stages of the converter, so that it takes a line every ``divider_cycles`` cycles."""
        return -(-_DIVIDER_BITS // (self.divider_cycles * self.search_width))

    @property
    def search_bits(self) -> int:
        """Bits of a count that the stages search, the first of them none if it is one more than a count has."""
        return self.divider_stages * self.divider_cycles * self.search_width

    @property
    def tree_levels(self) -> int:
        """Levels of the tree that adds the products of one word."""
        return (self.lanes - 1).bit_length()

    def conversion_cycles(self) -> int:
        """Cycles of one conversion: each word of the cell memory is read once."""
        return self.cell_words

    def cycles(self, op: MvmOperation) -> int:
        """Cycles from the start of an operation to the earliest start of the next one in the same direction."""
        return op.segments * self.conversion_cycles()

    def latency(self, op: MvmOperation) -> int:
        """Cycles from the start of an operation to ``status.done``."""
        convert = 1 + self.divider_stages * self.divider_cycles + LATENCY_CYCLES + self.noise_cycles
        if op.direction:
            return self.cycles(op) + self.tree_levels + convert
        return self.cycles(op) + (self.lanes - 1) * self.row_words + convert

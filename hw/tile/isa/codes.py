"""Numbers of the instruction set: opcodes, engines, kinds, formats, operands, causes of a trap, sizes."""

from enum import IntEnum

OPCODE_LOW = 27
"""Lowest bit of the opcode."""
LOOP_DEPTH = 4
"""Loops that may be open at a time."""
STREAMS = 16
"""Streams of a tile."""
ACCUMULATORS = 256
"""Accumulators of the vector unit, 32 bits each."""
TABLES, TABLE_ENTRIES = 2, 1024
"""Tables of the vector unit and their entries of 16 bits."""
PRODUCTS = 2
"""Products that may be issued and not yet drained: one at the pins, one whose result waits."""


class Op(IntEnum):
    """Opcodes. 12 to 15 are free, 16 to 31 illegal."""

    HALT = 0
    LOOP = 1
    SET = 2
    WAIT = 3
    ROOM = 4
    FREE = 5
    PUSH = 6
    IMAGE = 7
    MVM = 8
    VEC = 9
    SEND = 10
    CORE = 11


FIRST_ILLEGAL = 16
"""First opcode that no later instruction will have."""


class Engine(IntEnum):
    """What carries out an instruction. The last three issue in order, each with a queue of its own."""

    SEQUENCER = 0
    LOAD = 1
    VECTOR = 2
    SEND = 3


class Kind(IntEnum):
    """What a vector operation computes. 4 to 7 are free."""

    AFFINE = 0
    """``clip(((sum_k (a_k - c) m) >> shift) + d, lo, hi)``, ``>>`` rounding half up."""
    MAX = 1
    """``clip(max_k a_k, lo, hi)``; of one term: a copy with limits."""
    PRODUCT = 2
    """``clip((sum_k a_k b_k) >> shift, lo, hi)``."""
    TABLE = 3
    """``table[clip(((sum_k (a_k - c) m) >> shift) + d, lo, hi)]``."""


class Format(IntEnum):
    """How bytes of a stream are read. A result of 8 bits is the low byte of what was clipped."""

    UNSIGNED = 0
    """A byte, 0..255."""
    SIGNED = 1
    """A byte, -128..127."""
    LANE = 2
    """Two bytes, low one first, -32768..32767."""


class Operand(IntEnum):
    """Sources and targets of the vector unit, beside the streams (0..15)."""

    WALK = 16
    """The first of the eight walks."""
    DRAIN = 24
    """Output codes of the core, in the order of the products."""
    ACCUMULATORS = 25
    """The low 16 bits of the accumulators, signed."""
    RESULT = 26
    """Sums of the reduction in context 0; 27 to 29: in contexts 1 to 3."""
    DRAW = 30
    """Random numbers, of tiles with ``draws``: by format a uniform byte, four nibbles less 30, or 16 uniform bits."""
    NONE = 31


class Command(IntEnum):
    """What CORE tells the core. 0, 1 and 3 to 7 are free."""

    MASKS = 2
    """A block of mask writes goes to the core."""


class Cause(IntEnum):
    """Why a tile stopped. Of several the one with the least number is reported."""

    NONE = 0
    OPCODE = 1
    """The opcode is 16 or more."""
    RESERVED = 2
    """The opcode, kind or command is free, or a bit that belongs to no field is 1."""
    LOOP = 3
    """A loop too deep, or whose body leaves its surroundings or is entered or left within a SET."""
    END = 4
    """The program ran off the end of its memory."""
    FIELD = 5
    """A field of an instruction or of a descriptor that it names is out of its range."""
    ADDRESS = 6
    """Something outside of the buffer, a block, the parameters, the accumulators, or the words of the core."""
    RING = 7
    """More blocks than a ring has, or a pixel that was given back."""
    OWNER = 8
    """A block is made in a stream that others fill."""
    PRODUCT = 9
    """A product too many before a drain, or a drain that does not take what its product gives."""
    CORE = 10
    """The core refuses the operation."""
    WATCHDOG = 11
    """Nothing retired for as long as the host allows."""

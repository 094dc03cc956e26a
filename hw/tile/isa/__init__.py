"""The instruction set of a tile, as data: instructions, descriptors, causes of a trap, durations.

This is the one definition. Encoder and decoder are here; the assembler and disassembler (:mod:`mho.hw.tile.asm`), the
interpreter and the token machine (:mod:`mho.hw.tile.interpreter`), random programs, the C header,
``docs/reference/isa.md`` and the hardware (:mod:`mho.hw.tile.rtl`) are made from it. What is legal beyond the range of
a field is in :mod:`mho.hw.tile.isa.legality`.

An instruction is a word of 32 bits, its opcode in bits 31 to 27, its fields from bit 0 on. What it works on is in
descriptors, which have a memory of their own of :data:`DESCRIPTOR_WORDS` words. No field straddles a word, and every
bit that belongs to none is 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from mho.hw.tile.isa.fields import Field, Layout

__all__ = [
    "ACCUMULATORS",
    "DESCRIPTORS",
    "DESCRIPTOR_WORDS",
    "DURATIONS",
    "FIRST_ILLEGAL",
    "INSTRUCTIONS",
    "LOOP_DEPTH",
    "OPCODE_LOW",
    "PARAMETER",
    "PRODUCTS",
    "STATUS",
    "STREAMS",
    "TABLES",
    "TABLE_ENTRIES",
    "Cause",
    "Command",
    "Descriptor",
    "Duration",
    "Engine",
    "Format",
    "Instruction",
    "Kind",
    "Op",
    "Operand",
    "decode",
    "encode",
]

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
    """Opcodes. 12 is kept for a dot product over lanes, 13 to 15 are free, 16 to 31 illegal."""

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
    """What a vector operation computes. 5 to 7 are free."""

    AFFINE = 0
    """``clip(((sum_k (a_k - c) m) >> shift) + d, lo, hi)``, ``>>`` rounding half up."""
    MAX = 1
    """``clip(max_k a_k, lo, hi)``; of one term: a copy with limits."""
    PRODUCT = 2
    """``clip((sum_k a_k b_k) >> shift, lo, hi)``."""
    TABLE = 3
    """``table[clip(((sum_k (a_k - c) m) >> shift) + d, lo, hi)]``."""
    SAMPLE = 4
    """Kept for comparison with addressed draws; not built."""


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
    NONE = 31


class Command(IntEnum):
    """What CORE tells the core. 3 to 7 are free."""

    UPDATE = 0
    """Kept for outer-product updates; not built."""
    WRITE = 1
    """Write-verify: a block of targets goes to the core, a block of results comes back."""
    MASKS = 2
    """A block of mask writes goes to the core."""


class Cause(IntEnum):
    """Why a tile stopped. Of several the one with the least number is reported."""

    NONE = 0
    OPCODE = 1
    """The opcode is 16 or more."""
    RESERVED = 2
    """The opcode, kind or command is kept or free, or a bit that belongs to no field is 1."""
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


@dataclass(frozen=True)
class Instruction:
    """An instruction: its opcode, who carries it out, its fields, what it does."""

    op: Op
    engine: Engine
    doc: str
    layout: Layout


def _instruction(op: Op, engine: Engine, doc: str, *fields: Field) -> Instruction:
    return Instruction(op, engine, doc, Layout(op.name.lower(), 1, fields, OPCODE_LOW))


def _flag(name: str, doc: str, word: int = 0) -> Field:
    return Field(name, 1, doc, word=word)


_STREAM = Field("stream", 4)
_BLOCKS = Field("n", 8, "Blocks.", low=1)

INSTRUCTIONS: dict[Op, Instruction] = {one.op: one for one in (
    _instruction(Op.HALT, Engine.SEQUENCER, "Ends the program; the engines finish what they have."),
    _instruction(
        Op.LOOP, Engine.SEQUENCER,
        "The next `body` words `n` times. With `n` = 0 as often as host register `reg` says, not at all where that is "
        "0; register 0 means for ever. With `n` > 0 `reg` is 0.",
        Field("body", 9, "Words of the body.", low=1), Field("reg", 2, "Host register."), Field("n", 16, "Times."),
    ),
    _instruction(
        Op.SET, Engine.SEQUENCER,
        "The next `words` words into descriptor memory from word `first` on, when the engines are idle. Walks that are "
        "written begin anew. Streams belong to the host: `first` is behind them.",
        Field("first", 8, "First word of descriptor memory."), Field("words", 5, "How many.", low=1),
    ),
    _instruction(
        Op.WAIT, Engine.SEQUENCER, "Waits until the engines are idle and `n` blocks are there.", _STREAM, _BLOCKS,
    ),
    _instruction(
        Op.ROOM, Engine.SEQUENCER, "Waits until the engines are idle and `n` blocks fit.", _STREAM, _BLOCKS,
    ),
    _instruction(
        Op.FREE, Engine.SEQUENCER, "Gives back the `n` oldest blocks, when the engines are idle and they are there.",
        _STREAM, _BLOCKS,
    ),
    _instruction(
        Op.PUSH, Engine.SEQUENCER,
        "Shows `n` new blocks as they are in the ring, when the engines are idle and they fit.", _STREAM, _BLOCKS,
    ),
    _instruction(
        Op.IMAGE, Engine.LOAD,
        "The next image: its number grows by 1, operation numbers begin anew, a stop that the host asked for is "
        "obeyed. Nothing is drained.",
    ),
    _instruction(
        Op.MVM, Engine.LOAD, "A matrix-vector product: a walk gives the input codes. Waits for its last pixel.",
        Field("mvm", 3, "Descriptor."), Field("walk", 3, "Descriptor."),
        _flag("advance", "The walk goes on to its next position."),
        _flag("free", "Pixels that no later position needs are given back; with `advance`."),
        _flag("restart", "The walk first returns to position 0 of its image."),
        _flag("ahead", "The product is of the next image: the number of its conversion has that one's."),
    ),
    _instruction(
        Op.VEC, Engine.VECTOR,
        "A vector operation. Waits for the blocks that it reads and, where the target is a stream, for a free one.",
        Field("vec", 4, "Descriptor."),
        _flag("advance_a", "The walk that is source a goes on."), _flag("advance_b", "The same for source b."),
        _flag("free_a", "Source a gives back its oldest block, or what no later position of its walk needs."),
        _flag("free_b", "The same for source b."), _flag("push", "The block that was written is shown."),
    ),
    _instruction(
        Op.SEND, Engine.SEND,
        "Sends `n` blocks from the oldest on, one by one: to the members of a flow when all have room, or as operands "
        "of a reduction.",
        _STREAM, Field("flow", 4, "Flow; context of a reduction."), _BLOCKS,
        _flag("reduce", "The blocks are operands of a reduction."),
        _flag("free", "Each is given back when it was sent."),
    ),
    _instruction(
        Op.CORE, Engine.LOAD, "A command to the core, when the engines are idle and all products are drained.",
        Field("command", 3, "What.", names=Command), Field("source", 4, "Stream whose oldest block is given."),
        Field("target", 4, "Stream that takes what comes back (`write`)."),
        _flag("free", "The block of the source is given back."), _flag("push", "The block of the target is shown."),
    ),
)}
"""All instructions by their opcode."""


def _some(word: int, *fields: Field) -> list[Field]:
    return [Field(f.name, f.width, f.doc, f.low, f.high, f.signed, word, f.names) for f in fields]


@dataclass(frozen=True)
class Descriptor:
    """A kind of descriptor: how many there are, at which words of descriptor memory, their bits."""

    first: int
    count: int
    doc: str
    layout: Layout

    def at(self, number: int) -> slice:
        """Words of one of them."""
        start = self.first + number * self.layout.words
        return slice(start, start + self.layout.words)

    def values(self, memory: Sequence[int], number: int) -> dict[str, int]:
        """Values of the fields of one of them in descriptor memory, legal or not."""
        return self.layout.unpack(memory[self.at(number)])

    def written(self, first: int, count: int) -> list[int]:
        """Numbers of those that have a word among ``count`` of descriptor memory from word ``first`` on."""
        return [n for n in range(self.count) if first < self.at(n).stop and self.at(n).start < first + count]


_STREAM_FIELDS = [
    *_some(
        0, Field("base", 16, "Byte of the buffer at which the ring begins."),
        Field("block", 12, "Bytes of a block.", low=1), Field("slot", 4, "Slot of the node that fills it, if remote."),
    ),
    *_some(
        1, Field("blocks", 8, "Blocks of the ring; two are free at least when it is remote.", low=1),
        Field("first", 8, "Blocks that are there at the start."), _flag("remote", "Others fill it."),
    ),
]

_WALK_FIELDS = [
    *_some(
        0, Field("stream", 4, "Stream of pixels, a block each, row by row."),
        Field("run", 12, "Bytes that are taken of a pixel.", low=1), Field("channel", 12, "First of these bytes."),
        Field("repeat", 4, "How often the whole window is given.", low=1),
    ),
    *_some(
        1, Field("kernel_x", 5, low=1), Field("kernel_y", 5, low=1), Field("dilation_x", 4, low=1),
        Field("dilation_y", 4, low=1), Field("stride_x", 3, low=1), Field("stride_y", 3, low=1),
        Field("pad_x", 4, "Columns before the image."), Field("pad_y", 4, "Rows before the image."),
    ),
    *_some(
        2, Field("width", 10, "Pixels of a row.", low=1), Field("height", 10, "Rows.", low=1),
        Field("positions_x", 10, "Positions in a row.", low=1),
    ),
    *_some(
        3, Field("positions_y", 10, "Rows of positions.", low=1),
        Field("pad", 16, "Byte of the buffer at which what stands for a pixel outside of the image begins."),
        Field("tail", 6, "Bytes behind it that follow the window: rows that take a constant."),
    ),
]

_MVM_FIELDS = [
    *_some(0, Field("operation", 32, "Number of the first conversion at position 0.")),
    *_some(1, Field("op", 32, "Descriptor of the core without its number, low bits.")),
    *_some(
        2, Field("op_high", 16, "Its high bits."),
        Field("conversions", 16, "Numbers from one position to the next.", low=1),
    ),
    *_some(
        3, Field("i_first", 6, "First word that the core takes."), Field("i_last", 6, "Last one."),
        Field("o_first", 7, "First word that it gives."), Field("o_last", 7, "Last one."),
    ),
]

_VEC_FIELDS = [
    *_some(
        0, Field("kind", 3, names=Kind), Field("a", 5, "Source.", names=Operand),
        Field("b", 5, "Second source, or number of the table.", names=Operand),
        Field("target", 5, "Stream, or accumulators.", names=Operand),
        Field("a_format", 2, high=2, names=Format), Field("b_format", 2, high=2, names=Format),
        _flag("wide", "Results are lanes, else bytes."), _flag("add", "Sums begin at the accumulators, all 32 bits."),
        Field("shift", 5),
    ),
    *_some(
        1, Field("elements", 11, "Elements of the result.", low=1, high=1024),
        Field("parameters", 10, "Its first parameter."),
        Field("period", 10, "Elements after which parameters begin anew; those of b follow those of a.", low=1),
    ),
    *_some(
        2, Field("lo", 16, "Least result.", signed=True), Field("hi", 16, "Largest result.", signed=True),
    ),
    *_some(
        3, Field("a_offset", 10, "First element of a block that is taken."), Field("b_offset", 10),
        Field("target_offset", 10, "First element of a block that is written."),
    ),
]

DESCRIPTORS: dict[str, Descriptor] = {
    "stream": Descriptor(0, STREAMS, "A ring of blocks in the buffer.", Layout("stream", 2, _STREAM_FIELDS)),
    "walk": Descriptor(32, 8, "A window that moves over an image in a ring.", Layout("walk", 4, _WALK_FIELDS)),
    "mvm": Descriptor(64, 8, "A product.", Layout("mvm", 4, _MVM_FIELDS)),
    "vec": Descriptor(96, 16, "A vector operation.", Layout("vec", 4, _VEC_FIELDS)),
}
"""Kinds of descriptors by name."""

DESCRIPTOR_WORDS = 160
"""Words of descriptor memory."""

PARAMETER = Layout("parameter", 2, [
    *_some(0, Field("m", 16, "Multiplier.", signed=True), Field("c", 16, "Taken off the source.", signed=True)),
    *_some(
        1, Field("d", 17, "Added after the shift.", signed=True), Field("target", 8, "Accumulator of the element."),
        _flag("valid", "The element goes there; without it, nowhere."),
        _flag("start", "The accumulator begins at 0 here."),
    ),
])
"""A word of 64 bits of the parameter memory, low half first. Bits that belong to no field are ignored."""

STATUS = Layout("status", 2, [
    *_some(0, Field("cause", 4, names=Cause), Field("engine", 2, names=Engine), Field("pc", 9), Field("stream", 4)),
    *_some(1, Field("image", 32)),
])
"""What the host reads of a tile that trapped. ``stream`` is 0 where none is concerned."""


@dataclass(frozen=True)
class Duration:
    """Cycles of an instruction that is alone and waits for nothing: ``fixed``, and so many for each of some units.

    ``per`` has these by what is counted.
    """

    fixed: int
    per: Mapping[str, int] = field(default_factory=dict)

    def cycles(self, **units: int) -> int:
        """Cycles for so many of each unit; one with blanks is named with underscores."""
        return self.fixed + sum(self.per[unit.replace("_", " ")] * count for unit, count in units.items())

    def __str__(self) -> str:
        counted = [f"{cycles} a {unit}" for unit, cycles in self.per.items()]
        return ", ".join([str(self.fixed), *counted] if self.fixed or not counted else counted)


DURATIONS: dict[Op, Duration] = {
    Op.HALT: Duration(2), Op.LOOP: Duration(3), Op.SET: Duration(2, {"word": 2}), Op.WAIT: Duration(3),
    Op.ROOM: Duration(3), Op.FREE: Duration(3, {"block": 1}), Op.PUSH: Duration(3, {"block": 1}),
    Op.IMAGE: Duration(3), Op.MVM: Duration(69),
    Op.VEC: Duration(16, {"stream": 2, "group of lanes and term": 1, "flag": 1}),
    Op.SEND: Duration(3, {"block": 6, "flit": 1}), Op.CORE: Duration(0, {"word of 32 bits": 2}),
}
"""How long each instruction takes: in the sequencer, beside the cycle in which it is decoded; of MVM, VEC, SEND and
CORE in their engine, from when it has the instruction to when it has nothing in hand. The page, the model of cycles
(:mod:`mho.hw.tile.timing`) and a test against the hardware are made from this."""


def encode(op: Op, **values: int) -> int:
    """The word of an instruction, of values that are legal or not; fields that are not given are 0."""
    return op << OPCODE_LOW | INSTRUCTIONS[op].layout.pack(values)[0]


def decode(word: int) -> tuple[Op | None, dict[str, int], Cause]:
    """The instruction in a word, its fields, and what is wrong with the word itself.

    The opcode is None, without fields, where there is no such instruction. Whether the fields are legal is not asked.
    """
    number = word >> OPCODE_LOW
    if number >= FIRST_ILLEGAL or number not in INSTRUCTIONS:
        return None, {}, Cause.OPCODE if number >= FIRST_ILLEGAL else Cause.RESERVED
    op, rest = Op(number), (word & (1 << OPCODE_LOW) - 1,)
    layout = INSTRUCTIONS[op].layout
    return op, layout.unpack(rest), Cause.RESERVED if layout.spare(rest) else Cause.NONE

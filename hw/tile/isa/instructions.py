"""Instructions: one table of their fields, who carries them out and how long that takes; encoder and decoder."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mho.hw.tile.isa.codes import FIRST_ILLEGAL, OPCODE_LOW, Cause, Command, Engine, Op
from mho.hw.tile.isa.descriptors import Field, Layout


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


@dataclass(frozen=True)
class Instruction:
    """An instruction: its opcode, who carries it out, how long that takes, what it does, its fields.

    ``duration`` is that in the sequencer, beside the cycle in which it is decoded; of MVM, VEC, SEND and CORE that in
    their engine, from when it has the instruction to when it has nothing in hand. What is legal between fields is in
    :data:`mho.hw.tile.isa.rules.RULES`.
    """

    op: Op
    engine: Engine
    duration: Duration
    doc: str
    layout: Layout


def _instruction(op: Op, engine: Engine, duration: Duration, doc: str, *fields: Field) -> Instruction:
    return Instruction(op, engine, duration, doc, Layout(op.name.lower(), 1, fields, OPCODE_LOW))


def _flag(name: str, doc: str) -> Field:
    return Field(name, 1, doc)


_STREAM = Field("stream", 4)
_BLOCKS = Field("n", 8, "Blocks.", low=1)

INSTRUCTIONS: dict[Op, Instruction] = {instruction.op: instruction for instruction in (
    _instruction(Op.HALT, Engine.SEQUENCER, Duration(2), "Ends the program; the engines finish what they have."),
    _instruction(
        Op.LOOP, Engine.SEQUENCER, Duration(3),
        "The next `body` words `n` times. With `n` = 0 as often as host register `reg` says, not at all where that is "
        "0; register 0 means for ever. With `n` > 0 `reg` is 0.",
        Field("body", 9, "Words of the body.", low=1), Field("reg", 2, "Host register."), Field("n", 16, "Times."),
    ),
    _instruction(
        Op.SET, Engine.SEQUENCER, Duration(2, {"word": 2}),
        "The next `words` words into descriptor memory from word `first` on, when the engines are idle. Walks that are "
        "written begin anew. Streams belong to the host: `first` is behind them.",
        Field("first", 8, "First word of descriptor memory."), Field("words", 5, "How many.", low=1),
    ),
    _instruction(
        Op.WAIT, Engine.SEQUENCER, Duration(3),
        "Waits until the engines are idle and `n` blocks are there.", _STREAM, _BLOCKS,
    ),
    _instruction(
        Op.ROOM, Engine.SEQUENCER, Duration(3),
        "Waits until the engines are idle and `n` blocks fit.", _STREAM, _BLOCKS,
    ),
    _instruction(
        Op.FREE, Engine.SEQUENCER, Duration(3, {"block": 1}),
        "Gives back the `n` oldest blocks, when the engines are idle and they are there.",
        _STREAM, _BLOCKS,
    ),
    _instruction(
        Op.PUSH, Engine.SEQUENCER, Duration(3, {"block": 1}),
        "Shows `n` new blocks as they are in the ring, when the engines are idle and they fit.", _STREAM, _BLOCKS,
    ),
    _instruction(
        Op.IMAGE, Engine.LOAD, Duration(3),
        "The next image: its number grows by 1, operation numbers begin anew, a stop that the host asked for is "
        "obeyed. Nothing is drained.",
    ),
    _instruction(
        Op.MVM, Engine.LOAD, Duration(69),
        "A matrix-vector product: a walk gives the input codes. Waits for its last pixel.",
        Field("mvm", 3, "Descriptor."), Field("walk", 3, "Descriptor."),
        _flag("advance", "The walk goes on to its next position."),
        _flag("free", "Pixels that no later position needs are given back; with `advance`."),
        _flag("restart", "The walk first returns to position 0 of its image."),
        _flag("ahead", "The product is of the next image: the number of its conversion has that one's."),
    ),
    _instruction(
        Op.VEC, Engine.VECTOR, Duration(15, {"source stream": 2, "group of lanes and term": 1, "push": 1}),
        "A vector operation. Waits for the blocks that it reads and, where the target is a stream, for a free one "
        "by then. One that reads no stream takes a cycle more. An image's first draw begins 25 cycles after its engine "
        "has it, others 26 behind the last operands of the one before, or later.",
        Field("vec", 4, "Descriptor."),
        _flag("advance_a", "The walk that is source a goes on."), _flag("advance_b", "The same for source b."),
        _flag("free_a", "Source a gives back its oldest block, or what no later position of its walk needs."),
        _flag("free_b", "The same for source b."), _flag("push", "The block that was written is shown."),
    ),
    _instruction(
        Op.SEND, Engine.SEND, Duration(3, {"block": 6, "flit": 1}),
        "Sends `n` blocks from the oldest on, one by one: to the members of a flow when all have room, or as operands "
        "of a reduction.",
        _STREAM, Field("flow", 4, "Flow; context of a reduction."), _BLOCKS,
        _flag("reduce", "The blocks are operands of a reduction."),
        _flag("free", "Each is given back when it was sent."),
    ),
    _instruction(
        Op.CORE, Engine.LOAD, Duration(0, {"word of 32 bits": 2}),
        "A command to the core, when the engines are idle and all products are drained.",
        Field("command", 3, "What.", names=Command), Field("source", 4, "Stream whose oldest block is given."),
        _flag("free", "The block is given back."),
    ),
)}
"""All instructions by their opcode. The page, the assembler, the decoder, the model of cycles
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

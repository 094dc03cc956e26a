"""What is wrong with an instruction by itself: made from the instruction set."""

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.tile.fields import Field
from hw.tile.isa import (
    DESCRIPTOR_WORDS,
    DESCRIPTORS,
    FIRST_ILLEGAL,
    INSTRUCTIONS,
    OPCODE_LOW,
    Cause,
    Command,
    Instruction,
    Op,
)

__all__ = ["Decoder", "field"]


def field(word: Value, op: Op, name: str) -> Value:
    """A field of an instruction."""
    layout = INSTRUCTIONS[op].layout
    low = layout.low[name]
    return word[low : low + layout[name].width]


class Decoder(wiring.Component):
    """Looks at the bits of an instruction alone, by :data:`hw.tile.isa.INSTRUCTIONS` and the rules between its fields.

    Members
    -------
    word : In(32)
        The instruction.
    cause : Out(4)
        The least cause of a trap that its own bits are, of ``OPCODE``, ``RESERVED``, ``FIELD`` and ``ADDRESS``.
    """

    word: Value
    cause: Signal

    def __init__(self) -> None:
        super().__init__({"word": In(32), "cause": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.word[OPCODE_LOW:]
        m.d.comb += self.cause.eq(Cause.RESERVED)
        with m.If(op >= FIRST_ILLEGAL):
            m.d.comb += self.cause.eq(Cause.OPCODE)
        with m.Else(), m.Switch(op):
            for one in INSTRUCTIONS.values():
                with m.Case(one.op):
                    self._instruction(m, one)
        return m

    def _instruction(self, m: Module, one: Instruction) -> None:
        used = sum(f.width for f in one.layout.fields)
        spare = self.word[used:OPCODE_LOW].any() if used < OPCODE_LOW else Const(0)
        reserved, wrong, outside = spare, self._out_of_range(one), Const(0)

        def of(name: str) -> Value:
            return field(self.word, one.op, name)

        if one.op is Op.LOOP:
            wrong |= (of("n") != 0) & (of("reg") != 0)
        elif one.op is Op.SET:
            behind, end = DESCRIPTORS["walk"].first, DESCRIPTOR_WORDS
            outside = (of("first") < behind) | (of("first") + of("words") > end)
        elif one.op is Op.MVM:
            wrong |= of("free") & ~of("advance")
        elif one.op is Op.CORE:
            writes = of("command") == Command.WRITE
            reserved |= ~writes & (of("command") != Command.MASKS)
            wrong |= of("push") & ~writes
        m.d.comb += self.cause.eq(Cause.NONE)
        for bad, cause in ((outside, Cause.ADDRESS), (wrong, Cause.FIELD), (reserved, Cause.RESERVED)):
            with m.If(bad):
                m.d.comb += self.cause.eq(cause)

    def _out_of_range(self, one: Instruction) -> Value:
        found = [bad for f in one.layout.fields for bad in _beyond(f, field(self.word, one.op, f.name))]
        return _any(found)


def _beyond(one: Field, value: Value) -> Sequence[Value]:
    low, high = one.range
    return [value < low] * (low > 0) + [value > high] * (high < (1 << one.width) - 1)


def _any(values: Sequence[Value]) -> Value:
    found: Value = Const(0)
    for value in values:
        found |= value
    return found

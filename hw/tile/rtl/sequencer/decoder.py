"""What is wrong with an instruction by itself: made from the instruction set."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from mho.hw.tile.isa import (
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
from mho.hw.tile.rtl.layouts import beyond

__all__ = ["CAUSES", "Decoder", "field"]

CAUSES = (Cause.OPCODE, Cause.RESERVED, Cause.FIELD, Cause.ADDRESS)
"""What an instruction's own bits can be the cause of, the least one first."""

def field(word: Value, op: Op, name: str) -> Value:
    """A field of an instruction."""
    layout = INSTRUCTIONS[op].layout
    low = layout.low[name]
    return word[low : low + layout[name].width]


class Decoder(wiring.Component):
    """Looks at the bits of an instruction alone, by :data:`mho.hw.tile.isa.INSTRUCTIONS` and the rules between fields.

    Members
    -------
    word : In(32)
        The instruction.
    wrong : Out(4)
        Whether its own bits are the cause of a trap, a bit for each of :data:`CAUSES`.
    """

    word: Value
    wrong: Signal

    def __init__(self) -> None:
        super().__init__({"word": In(32), "wrong": Out(len(CAUSES))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.word[OPCODE_LOW:]
        found: dict[Cause, list[Value]] = {cause: [] for cause in CAUSES}
        known = _any([op == one.op for one in INSTRUCTIONS.values()])
        found[Cause.OPCODE].append(op >= FIRST_ILLEGAL)
        found[Cause.RESERVED].append(~known & (op < FIRST_ILLEGAL))
        for one in INSTRUCTIONS.values():
            for cause, bad in self._instruction(one):
                found[cause].append((op == one.op) & bad)
        m.d.comb += self.wrong.eq(Cat(_any(bits) for bits in found.values()))
        return m

    def _instruction(self, one: Instruction) -> list[tuple[Cause, Value]]:
        used = sum(f.width for f in one.layout.fields)
        spare = self.word[used:OPCODE_LOW].any() if used < OPCODE_LOW else Const(0)
        found = [(Cause.RESERVED, spare), (Cause.FIELD, self._out_of_range(one))]

        def of(name: str) -> Value:
            return field(self.word, one.op, name)

        if one.op is Op.LOOP:
            found.append((Cause.FIELD, (of("n") != 0) & (of("reg") != 0)))
        elif one.op is Op.SET:
            behind, end = DESCRIPTORS["walk"].first, DESCRIPTOR_WORDS
            found.append((Cause.ADDRESS, (of("first") < behind) | (of("first") + of("words") > end)))
        elif one.op is Op.MVM:
            found.append((Cause.FIELD, of("free") & ~of("advance")))
        elif one.op is Op.CORE:
            writes = of("command") == Command.WRITE
            found += [
                (Cause.RESERVED, ~writes & (of("command") != Command.MASKS)), (Cause.FIELD, of("push") & ~writes),
            ]
        return found

    def _out_of_range(self, one: Instruction) -> Value:
        return _any([beyond(field(self.word, one.op, f.name), *f.range) for f in one.layout.fields])


def _any(values: Sequence[Value]) -> Value:
    return Cat(values).any() if values else Const(0)

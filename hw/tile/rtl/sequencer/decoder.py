"""What is wrong with an instruction by itself: made from the instruction set."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Value

from mho.hw.ports import Component, In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import FIRST_ILLEGAL, INSTRUCTIONS, OPCODE_LOW, Cause, Instruction, Op
from mho.hw.tile.isa.rules import RULES, Use
from mho.hw.tile.rtl.layouts import beyond

CAUSES = (Cause.OPCODE, Cause.RESERVED, Cause.FIELD, Cause.ADDRESS)
"""What an instruction's own bits can be the cause of, the least one first."""


def field(word: Value, op: Op, name: str) -> Value:
    """A field of an instruction."""
    layout = INSTRUCTIONS[op].layout
    low = layout.low[name]
    return word[low : low + layout[name].width]


def fields_of(word: Value, op: Op) -> dict[str, Value]:
    """All fields of an instruction."""
    return {each.name: field(word, op, each.name) for each in INSTRUCTIONS[op].layout.fields}


class Decoder(Component):
    """Looks at the bits of an instruction alone, by :data:`.INSTRUCTIONS` and the rules between fields."""

    word = In(32)
    """The instruction."""
    wrong = Out(len(CAUSES))
    """Whether its own bits are the cause of a trap, a bit for each of :data:`CAUSES`."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.word[OPCODE_LOW:]
        wrongs: dict[Cause, list[Value]] = {cause: [] for cause in CAUSES}
        defined = _any([op == instruction.op for instruction in INSTRUCTIONS.values()])
        wrongs[Cause.OPCODE].append(op >= FIRST_ILLEGAL)
        wrongs[Cause.RESERVED].append(~defined & (op < FIRST_ILLEGAL))
        for instruction in INSTRUCTIONS.values():
            for cause, bad in self._instruction(instruction):
                wrongs[cause].append((op == instruction.op) & bad)
        # All instructions are judged at once, each masked by its opcode.
        m.d.comb += self.wrong.eq(Cat(_any(bits) for bits in wrongs.values()))
        return m

    def _instruction(self, instruction: Instruction) -> list[tuple[Cause, Value]]:
        used = sum(f.width for f in instruction.layout.fields)
        spare = self.word[used:OPCODE_LOW].any() if used < OPCODE_LOW else Const(0)
        use = Use(instruction.op, fields_of(self.word, instruction.op), TileConfig())
        return [
            (Cause.RESERVED, spare), (Cause.FIELD, self._out_of_range(instruction)),
            *((rule.cause, rule.breaks(use)) for rule in RULES if rule.by_itself and instruction.op in rule.ops),
        ]

    def _out_of_range(self, instruction: Instruction) -> Value:
        return _any([beyond(field(self.word, instruction.op, f.name), *f.range) for f in instruction.layout.fields])


def _any(values: Sequence[Value]) -> Value:
    return Cat(values).any() if values else Const(0)

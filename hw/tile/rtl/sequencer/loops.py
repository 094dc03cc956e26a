"""What an instruction word is, and the loop stack."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.ports import Component, In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import FIRST_ILLEGAL, INSTRUCTIONS, LOOP_DEPTH, OPCODE_LOW, Cause, Instruction, Op
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
        out_of_range = [beyond(field(self.word, instruction.op, f.name), *f.range) for f in instruction.layout.fields]
        return [
            (Cause.RESERVED, spare), (Cause.FIELD, _any(out_of_range)),
            *((rule.cause, rule.breaks(use)) for rule in RULES if rule.by_itself and instruction.op in rule.ops),
        ]


def _any(values: Sequence[Value]) -> Value:
    return Cat(values).any() if values else Const(0)


_PC = 9


class LoopLayout(data.StructLayout):
    """A loop that is open: first and last word of its body, how often it is still run, whether it ends at all."""

    def __init__(self) -> None:
        super().__init__({"first": _PC, "last": _PC, "left": 16, "endless": 1})


class LoopStack(Resettable):
    """Loops that are open. Reference: :class:`mho.hw.tile.interpreter.state.LoopStack`."""

    clear = In(1)
    """Close all loops."""
    push = In(1)
    first = In(_PC)
    last = In(_PC)
    times = In(16)
    endless = In(1)
    """Open a loop. Only unless ``full``."""
    full = Out(1)
    """As many are open as there may be."""
    around = Out(_PC)
    bounded = Out(1)
    """Last word of the innermost loop, if one is open."""
    at = In(_PC)
    """Last word of an instruction that ends."""
    ends = In(1)
    """It ends: the innermost loop, if this is its last word, goes on or is closed."""
    again = Out(1)
    closes = Out(1)
    beyond = Out(1)
    """``at`` is the last word of the innermost loop, which is run once more, from ``back`` on; or not, so that the loop
    around it is to be asked next; or it is beyond that word."""
    back = Out(_PC)
    """First word of the innermost loop."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # How many are open; the innermost one is the last row that is in use.
        depth = Signal(range(LOOP_DEPTH + 1))
        inner = Signal(LoopLayout())
        last = Signal()
        body = Cat(self.first, self.last, self.endless)
        goes_on = self.ends & self.again & ~self.push
        bodies = _rows(m, "bodies", depth, body, depth, self.push)
        # What is left changes, bodies do not: two memories, each with one port to write.
        left = _rows(
            m, "left", depth, Mux(self.push, self.times, inner.left - 1), Mux(self.push, depth, depth - 1),
            self.push | goes_on)
        m.d.comb += [
            Cat(inner.first, inner.last, inner.endless).eq(bodies), inner.left.eq(left),
            self.full.eq(depth == LOOP_DEPTH), self.bounded.eq(depth != 0), self.around.eq(inner.last),
            self.back.eq(inner.first), last.eq(self.bounded & (self.at == inner.last)),
            self.beyond.eq(self.bounded & (self.at > inner.last)),
            self.again.eq(last & (inner.endless | (inner.left > 1))), self.closes.eq(last & ~self.again),
        ]
        with m.If(self.clear):
            m.d.sync += depth.eq(0)
        with m.Elif(self.push):
            m.d.sync += depth.eq(depth + 1)
        with m.Elif(self.ends & self.closes):
            m.d.sync += depth.eq(depth - 1)
        return self.resets(m)


def _rows(m: Module, name: str, depth: Value, data: Value, row: Value, writes: Value) -> Value:
    """A row for each loop: what the innermost one has."""
    memory = Memory(shape=unsigned(len(data)), depth=LOOP_DEPTH, init=[])
    m.submodules[name] = memory
    write = memory.write_port()
    read = memory.read_port(domain="comb")
    m.d.comb += [
        write.addr.eq(row), write.data.eq(data), write.en.eq(writes), read.addr.eq(depth - 1),
    ]
    return read.data

"""The loop stack."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.hw.tile.isa import LOOP_DEPTH

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
        inner, last = Signal(LoopLayout()), Signal()
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
    write, read = memory.write_port(), memory.read_port(domain="comb")
    m.d.comb += [
        write.addr.eq(row), write.data.eq(data), write.en.eq(writes), read.addr.eq(depth - 1),
    ]
    return read.data

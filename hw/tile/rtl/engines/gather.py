"""Bytes of a window, and what follows it, as words of four codes."""

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.hw.tile.rtl.buffer import ADDRESS_BITS, ReadPort
from mho.hw.tile.rtl.lanes.operands import TermLayout
from mho.hw.tile.rtl.layouts import DescriptorLayout

_CODES = 4
_DEPTH = 4


class Gather(Resettable):
    """Reads ``run`` bytes of each pixel of a window, the whole ``repeat`` times, then the bytes of the tail.

    Four bytes a cycle, fewer where a run ends or does not begin a word. The last word is filled with 0.
    """

    walk = In(DescriptorLayout("walk"))
    """The walk, where it starts."""
    start = In(1)
    busy = Out(1)
    """Strobe: begin; something is to be read from the buffer."""
    term = In(stream.Signature(TermLayout()))
    """Pixels of the window, again and again."""
    read = Out(ReadPort())
    """The buffer."""
    o = Out(stream.Signature(unsigned(32)))
    """Words."""
    last = Out(1)
    """It is the last one."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        walk = Signal(DescriptorLayout("walk"), reset_less=True)
        tail = Signal(ADDRESS_BITS, name="tail_at", reset_less=True)
        with m.If(self.start):
            m.d.sync += [walk.eq(self.walk), tail.eq(self.walk.pad + self.walk.run)]
        # What is read lands where it belongs in its word: `at` is that of the word's first byte.
        at = Signal(signed(13))
        left = Signal(12)
        windows = Signal(4)
        in_window = Signal()
        in_tail = Signal()
        goes = Signal()
        room = Signal()
        fill = Signal(2)
        count = Signal(3)
        filled = Signal(3)
        ends = Signal()
        over = Signal()
        # How many bytes are taken: what is left of the run, and of the word.
        free = Signal(3)
        m.d.comb += [
            free.eq(_CODES - fill), count.eq(Mux(left < free, left, free)), ends.eq(count == left),
            filled.eq(fill + count),
            self.read.address.eq(at + Mux(in_tail, tail, self.term.p.address)),
            self.read.valid.eq(room & (in_tail | (in_window & self.term.valid))),
            goes.eq(self.read.valid & self.read.ready), self.term.ready.eq(goes & ~in_tail & ends),
        ]
        window_ends = ends & self.term.p.last & (windows == 1)
        m.d.comb += [
            over.eq(Mux(in_tail, ends, window_ends & (walk.tail == 0))), self.busy.eq(in_window | in_tail),
        ]
        with m.If(self.start):
            m.d.sync += [
                in_window.eq(1), in_tail.eq(0), at.eq(0), left.eq(self.walk.run), windows.eq(self.walk.repeat),
                fill.eq(0),
            ]
        with m.Elif(goes):
            # What does not end fills its word.
            m.d.sync += [fill.eq(filled), at.eq(at + _CODES), left.eq(left - count)]
            with m.If(ends):
                m.d.sync += [at.eq(-filled[:2]), left.eq(walk.run)]
                with m.If(self.term.p.last & ~in_tail):
                    m.d.sync += windows.eq(windows - 1)
            with m.If(window_ends & ~in_tail):
                m.d.sync += [in_window.eq(0), in_tail.eq(walk.tail != 0), left.eq(walk.tail)]
            with m.If(over):
                m.d.sync += in_tail.eq(0)
        self._collect(m, goes, over, fill, filled, room)
        return self.resets(m)

    def _collect(self, m: Module, goes: Value, over: Value, fill: Value, filled: Value, room: Signal) -> None:
        """Puts bytes that were read two cycles ago into words, and keeps these until they are taken."""
        landed = Signal()
        late_over = Signal()
        late_fill = Signal(2)
        late_filled = Signal(3)
        partial = Signal(32, reset_less=True)
        word = Signal(32)
        full = Signal()
        now, then = Cat(goes, over, fill, filled), Cat(landed, late_over, late_fill, late_filled)
        between = Signal(len(now), name="between")
        m.d.sync += [between.eq(now), then.eq(between)]
        # Bytes that were there before; of the others those that came.
        before = [*(late_fill > k for k in range(_CODES - 1)), C(0)]
        fresh = [~was_there & (late_filled > k) for k, was_there in enumerate(before)]
        old_mask, new_mask = (Cat(bit.replicate(8) for bit in bits) for bits in (before, fresh))
        m.d.comb += [
            word.eq((partial & old_mask) | (self.read.data[:32] & new_mask)),
            full.eq(landed & (late_over | (late_filled == _CODES))),
        ]
        with m.If(landed):
            m.d.sync += partial.eq(word)
        m.submodules.queue = memory = Memory(shape=unsigned(33), depth=_DEPTH, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        head = Signal(range(_DEPTH))
        tail = Signal(range(_DEPTH))
        waiting = Signal(range(_DEPTH + 1))
        goes_out = self.o.valid & self.o.ready
        m.d.comb += [
            write.addr.eq(tail), write.data.eq(Cat(word, late_over)), write.en.eq(full), read.addr.eq(head),
            Cat(self.o.payload, self.last).eq(read.data), self.o.valid.eq(waiting != 0),
            # Of what was asked for, each may be a word.
            room.eq(waiting + landed + between[0] < _DEPTH),
        ]
        m.d.sync += [head.eq(head + goes_out), tail.eq(tail + full), waiting.eq(waiting + full - goes_out)]

"""What a walker adds up, a bit of a factor a cycle, and what it keeps of it."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib.memory import Memory

from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.rtl.windows.layouts import CORNER

TOTAL = 23
"""Bits of a number of pixels, and of the total."""
_TIMES = 12
"""Bits of the second factor of a product."""
_WALKS = DESCRIPTORS["walk"].count


class Sums:
    """Logic of a walker: one adder for all products and sums, and memories with a row for each walk.

    A product takes a cycle, and one for each bit of its second factor.

    Parameters
    ----------
    m, number
        The walker, and its walk.
    bits
        Bits of an address.

    Attributes
    ----------
    total, ready
        What was added up, and whether that is all.
    adds_row
        Set: the first factor is added to the total in this cycle.
    kept, keeps
        By name: what is kept of the walk, and that the total is kept. First column and row of the window
        (``corner_x``, ``corner_y``), first pixel of that row (``top``); pixels from one of its rows to the next
        (``row_pixels``), members of :class:`mho.hw.tile.rtl.windows.layouts.PlanLayout`.
    """

    def __init__(self, m: Module, number: Value, bits: int) -> None:
        self._m = m
        self.total, times = Signal(TOTAL, name="total"), Signal(_TIMES, name="times")
        factor = Signal(TOTAL, name="factor", reset_less=True)
        self.adds_row, self.ready = Signal(name="adds_row"), Signal(name="ready")
        # What is loaded: all three, or all but the total.
        self._loads, self._goes_on = Signal(name="loads"), Signal(name="goes_on")
        self._total, self._factor, self._times = (
            Signal(len(register), name=f"next_{register.name}") for register in (self.total, factor, times))
        m.d.comb += self.ready.eq(times == 0)
        # Shift and add, a bit of the second factor a cycle: so one adder does for all products.
        with m.If(self._loads & ~self._goes_on):
            m.d.sync += self.total.eq(self._total)
        with m.Elif(times[0] | self.adds_row):
            m.d.sync += self.total.eq(self.total + factor)
        with m.If(self._loads):
            m.d.sync += [factor.eq(self._factor), times.eq(self._times)]
        with m.Else():
            m.d.sync += times.eq(times >> 1)
            with m.If(~self.ready):
                m.d.sync += factor.eq(factor << 1)
        self.kept, self.keeps = dict[str, Value](), dict[str, Value]()
        for name, width in (
            ("corner_x", CORNER), ("corner_y", CORNER), ("top", TOTAL), ("row_pixels", CORNER), ("row_step", bits),
            ("column_step", bits), ("size", bits + 1), ("end", bits + 1),
        ):
            m.submodules[name] = memory = Memory(shape=unsigned(width), depth=_WALKS, init=[])
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [read.addr.eq(number), write.addr.eq(number), write.data.eq(self.total)]
            self.kept[name], self.keeps[name] = read.data, write.en

    def load(self, total: Value | int | None, factor: Value, times: Value | int, when: Value | int = 1) -> None:
        """Begins with a total, or goes on with what it is, and adds a product to it."""
        m = self._m
        m.d.comb += [self._loads.eq(when), self._factor.eq(factor), self._times.eq(times)]
        if total is None:
            m.d.comb += self._goes_on.eq(1)
        else:
            m.d.comb += self._total.eq(total)

    def chain(self, steps: Sequence[tuple[str, str, Any, Value, Value | int, str]]) -> None:
        """States that keep the total of the one before by a name, if any, and load the next; the state that follows."""
        m = self._m
        for state, name, total, factor, times, following in steps:
            with m.State(state):
                if name:
                    m.d.comb += self.keeps[name].eq(1)
                self.load(total, factor, times, self.ready)
                with m.If(self.ready):
                    m.next = following

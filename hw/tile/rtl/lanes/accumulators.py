"""Memories of the vector unit: its accumulators and its parameters."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.ports import Component, In, Out, array
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import ACCUMULATORS
from mho.hw.tile.rtl.lanes.lane import TagLayout
from mho.hw.tile.rtl.layouts import ParameterLayout, rotated, rows

AT_A_TIME = 2
"""Accumulators that are read or added to in a cycle: as many as the core gives codes."""

_INDEX = (ACCUMULATORS - 1).bit_length()
_SUM = 32


class Accumulators(Resettable):
    """Sums of 32 bits in as many banks as are reached at a time; sum t is in bank t mod n.

    Elements that are added go on together where their targets follow each other, and else one by one, in order.
    """

    index = In(_INDEX)
    read = In(1)
    """Number of the first sum; read it and those behind it. Not while something is added, nor in the cycle behind
    that."""
    o = array(Out(signed(_SUM)), AT_A_TIME)
    """What was read last, from the cycle after on."""
    valid = In(1)
    """There are elements to be added."""
    made = array(In(signed(_SUM)), AT_A_TIME)
    tag = array(In(TagLayout()), AT_A_TIME)
    """The elements and where they go. They stay until ``ready``."""
    live = In(AT_A_TIME)
    """Lanes that hold one."""
    ready = Out(1)
    """The last of them is taken in this cycle."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        lanes = AT_A_TIME
        low = (lanes - 1).bit_length()
        by, goes = self._choose(m, low)
        first = Signal(low)
        with m.If(self.read):
            m.d.sync += first.eq(self.index[:low])
        # To the banks: lane j is bank j + by.
        back = (-by)[:low]
        adding = rotated([Cat(bit & self.valid) for bit in goes], back)
        targets = rotated([tag.target[low:] for tag in self.tag], back)
        starts = rotated([Cat(tag.start) for tag in self.tag], back)
        values = rotated(list(self.made), back)
        words = []
        for k, row in enumerate(rows(self.index, lanes)):
            memory = Memory(shape=unsigned(_SUM), depth=ACCUMULATORS // lanes, init=[])
            m.submodules[f"bank_{k}"] = memory
            write = memory.write_port()
            read = memory.read_port()
            at = Signal.like(write.addr, name=f"at_{k}")
            value = Signal(_SUM, name=f"value_{k}", reset_less=True)
            add = Signal(name=f"add_{k}")
            start = Signal(name=f"start_{k}")
            # What was written in the cycle in which it was read.
            same = Signal(name=f"same_{k}")
            written = Signal(_SUM, name=f"written_{k}", reset_less=True)
            m.d.sync += add.eq(adding[k])
            with m.If(adding[k]):
                m.d.sync += [
                    at.eq(targets[k]), start.eq(starts[k]), value.eq(values[k]), same.eq(add & (at == targets[k])),
                ]
            with m.If(add):
                m.d.sync += written.eq(write.data)
            m.d.comb += [
                read.addr.eq(Mux(self.read, row, targets[k])), read.en.eq(self.read | adding[k]),
                write.addr.eq(at), write.en.eq(add),
                write.data.eq(value + Mux(start, 0, Mux(same, written, read.data))),
            ]
            words.append(read.data)
        m.d.comb += [port.eq(word) for port, word in zip(self.o, rotated(words, first), strict=True)]
        return self.resets(m)

    def _choose(self, m: Module, low: int) -> tuple[Value, list[Value]]:
        """The turn of the first element that is left, and the elements behind it that go with it."""
        lanes = AT_A_TIME
        done = Signal(lanes)
        left = Signal(lanes)
        by = Signal(low)
        turns = [(tag.target[:low] - j)[:low] for j, tag in enumerate(self.tag)]
        m.d.comb += left.eq(self.live & Cat(tag.valid for tag in self.tag) & ~done)
        for j in reversed(range(lanes)):
            with m.If(left[j]):
                m.d.comb += by.eq(turns[j])
        # Neighbours of one turn lie in different banks; the first one that does not fit ends the group.
        fits = [~left[j] | (turns[j] == by) for j in range(lanes)]
        goes = [left[j] & Cat(fits[: j + 1]).all() for j in range(lanes)]
        m.d.comb += self.ready.eq(Cat(fits).all())
        with m.If(self.valid):
            m.d.sync += done.eq(Mux(self.ready, 0, done | Cat(goes)))
        return by, goes


INDEX_BITS = 10
"""Bits of the number of a parameter."""


class Parameters(Component[TileConfig]):
    """Memory of parameters, which gives as many neighbours at a time as there are lanes.

    Parameters
    ----------
    cfg
        The tile; with ``cfg.copies`` each lane has a memory of all of them: what comes out of banks has to be turned.
    """

    index = In(INDEX_BITS)
    read = In(1)
    """Number of the first one; read it and those behind it, unless one is written."""
    o = array(Out(ParameterLayout()), lambda self: self.cfg.lanes)
    """What was read last, from the cycle after on."""
    write = In(1)
    write_index = In(INDEX_BITS)
    write_data = In(64)
    """Writes one."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.cfg.copies:
            self._copies(m)
            return m
        lanes = self.cfg.lanes
        low = (lanes - 1).bit_length()
        first = Signal(low)
        words = []
        with m.If(self.read):
            m.d.sync += first.eq(self.index[:low])
        for k, row in enumerate(rows(self.index, lanes)):
            memory = Memory(shape=unsigned(64), depth=-(-self.cfg.parameters // lanes), init=[])
            m.submodules[f"bank_{k}"] = memory
            read = memory.read_port()
            write = memory.write_port()
            m.d.comb += [
                read.addr.eq(row), read.en.eq(self.read & ~self.write),
                write.addr.eq(self.write_index[low:]), write.data.eq(self.write_data),
                write.en.eq(self.write & (self.write_index[:low] == k)),
            ]
            words.append(read.data)
        # Banks give the words in their own order: turned so that lane 0 has the first.
        m.d.comb += [port.as_value().eq(word) for port, word in zip(self.o, rotated(words, first), strict=True)]
        return m

    def _copies(self, m: Module) -> None:
        """A memory for each lane."""
        # Block RAMs of FPGAs are deep enough, and no mux stands behind them.
        for k, port in enumerate(self.o):
            memory = Memory(shape=unsigned(64), depth=self.cfg.parameters, init=[])
            m.submodules[f"copy_{k}"] = memory
            read = memory.read_port()
            write = memory.write_port()
            m.d.comb += [
                read.addr.eq(self.index + k), read.en.eq(self.read & ~self.write), port.as_value().eq(read.data),
                write.addr.eq(self.write_index), write.data.eq(self.write_data), write.en.eq(self.write),
            ]

"""Memories of the vector unit: its accumulators and its parameters."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.memory import ParityBanks, block_memory, has_one_port
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

    Elements that are added go on together where their targets follow each other or are one, and else one by one, in
    order.
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
    same = In(1)
    """The two targets are one. From a register: what waits for the accumulators is most of a cycle behind this."""
    ready = Out(1)
    """The last of them is taken in this cycle."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        lanes = AT_A_TIME
        low = (lanes - 1).bit_length()
        # Of memories with one port a bank is two, by parity: what would read the one that is written waits for a cycle.
        waits = Signal(name="waits") if has_one_port(platform, ACCUMULATORS // lanes // 2) else None
        by, goes, joined = self._choose(m, low, waits)
        first = Signal(low)
        with m.If(self.read):
            m.d.sync += first.eq(self.index[:low])
        # To the banks: lane j is bank j + by.
        back = (-by)[:low]
        adding = rotated([Cat(bit & self.valid) for bit in goes], back)
        targets = rotated([tag.target[low:] for tag in self.tag], back)
        starts = rotated([Cat(tag.start) for tag in self.tag], back)
        # Two elements of one sum are one: the codes of both lines of a row, above all.
        both = (self.made[0] + (self.made[1] & joined.replicate(_SUM)).as_signed())[:_SUM]
        values = rotated([both, *self.made[1:]], back)
        words, conflicts, wanted = [], [], adding
        if waits is not None:
            adding = [bit & ~waits for bit in wanted]
        for k, row in enumerate(rows(self.index, lanes)):
            read, write = self._bank(m, f"bank_{k}", waits is not None)
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
            reads: Value = adding[k]
            if waits is not None:
                # Nothing is read of a sum that begins, or that is written in this cycle.
                # Compared before it is known which element is this bank's: the ports of memories wait for it.
                repeats = rotated([Cat(at == tag.target[low:]) for tag in self.tag], back)[k]
                needs = ~starts[k] & ~(add & repeats)
                conflicts.append(wanted[k] & needs & add & (at[0] == targets[k][0]))
                reads = reads & needs
            m.d.comb += [
                read.addr.eq(Mux(self.read, row, targets[k])), read.en.eq(self.read | reads),
                write.addr.eq(at), write.en.eq(add),
                write.data.eq(value + Mux(start, 0, Mux(same, written, read.data))),
            ]
            words.append(read.data)
        if waits is not None:
            m.d.comb += waits.eq(Cat(conflicts).any())
        m.d.comb += [port.eq(word) for port, word in zip(self.o, rotated(words, first), strict=True)]
        return self.resets(m)

    def _bank(self, m: Module, name: str, parities: bool) -> tuple[Any, Any]:
        """Ports of a memory of every second sum, to read and to write."""
        depth = ACCUMULATORS // AT_A_TIME
        m.submodules[name] = memory = (
            ParityBanks(_SUM, depth) if parities else Memory(shape=unsigned(_SUM), depth=depth, init=[])
        )
        if isinstance(memory, ParityBanks):
            return memory.read, memory.write
        write = memory.write_port()
        read = memory.read_port()
        return read, write

    def _choose(self, m: Module, low: int, waits: Value | None) -> tuple[Value, list[Value], Value]:
        """The turn of the first element that is left, the elements that go with it, whether two go as one.

        In a cycle that ``waits`` none goes, although this does not say so.
        """
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
        joined = Signal(name="joined")
        m.d.comb += joined.eq(left.all() & self.same & ~self.tag[1].start)
        all_go = Cat(fits).all() | joined
        m.d.comb += self.ready.eq(all_go if waits is None else all_go & ~waits)
        with m.If(self.valid if waits is None else self.valid & ~waits):
            m.d.sync += done.eq(Mux(self.ready, 0, done | Cat(goes)))
        return by, goes, joined


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
            self._copies(m, platform)
            return m
        lanes = self.cfg.lanes
        low = (lanes - 1).bit_length()
        first = Signal(low)
        words = []
        with m.If(self.read):
            m.d.sync += first.eq(self.index[:low])
        for k, row in enumerate(rows(self.index, lanes)):
            memory = block_memory(platform, 64, -(-self.cfg.parameters // lanes))
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

    def _copies(self, m: Module, platform: object) -> None:
        """A memory for each lane."""
        # Block RAMs of FPGAs are deep enough, and no mux stands behind them.
        for k, port in enumerate(self.o):
            memory = block_memory(platform, 64, self.cfg.parameters)
            m.submodules[f"copy_{k}"] = memory
            read = memory.read_port()
            write = memory.write_port()
            m.d.comb += [
                read.addr.eq(self.index + k), read.en.eq(self.read & ~self.write), port.as_value().eq(read.data),
                write.addr.eq(self.write_index), write.data.eq(self.write_data), write.en.eq(self.write),
            ]

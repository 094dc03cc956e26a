"""The parameters of the vector unit."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib.memory import Memory

from mho.hw.ports import Component, In, Out, array
from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.layouts import ParameterLayout, rotated, rows

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
        first, words = Signal(low), []
        with m.If(self.read):
            m.d.sync += first.eq(self.index[:low])
        for k, row in enumerate(rows(self.index, lanes)):
            memory = Memory(shape=unsigned(64), depth=-(-self.cfg.parameters // lanes), init=[])
            m.submodules[f"bank_{k}"] = memory
            read, write = memory.read_port(), memory.write_port()
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
            read, write = memory.read_port(), memory.write_port()
            m.d.comb += [
                read.addr.eq(self.index + k), read.en.eq(self.read & ~self.write), port.as_value().eq(read.data),
                write.addr.eq(self.write_index), write.data.eq(self.write_data), write.en.eq(self.write),
            ]

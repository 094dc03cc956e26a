"""Memories of blocks, and what a process has for them: SRAM of two ports, or of one.

A memory that is read at a clock edge has one port where a process has no more: its block never writes and reads it in
one cycle. Who waits then is said where it is made. Smaller ones, and those that are read in the same cycle, are
flip-flops there.
"""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal, unsigned
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.utils import ceil_log2

from mho.hw.ports import Component, Out

LEAST_WORDS = 16
"""Of a memory that has one port. What is smaller is flip-flops in any process."""


def has_one_port(platform: object, depth: int) -> bool:
    """Whether a memory of ``depth`` words has one port on a platform; on one that does not say it, it has two."""
    return getattr(platform, "one_port", False) and depth >= LEAST_WORDS


class OnePortMemory(Memory):
    """A memory with a port to read and one to write that are never enabled both: one port of an SRAM can be they."""

    def elaborate(self, platform: Any) -> Any:
        """What is simulated without Verilog: the memory, and a claim that this is so."""
        inner = super().elaborate(platform)
        if hasattr(platform, "get_memory"):
            return inner
        m = Module()
        m.submodules.words = inner
        (read,), (write,) = self.read_ports, self.write_ports
        m.d.sync += Assert(~(read.en & write.en.any()), "a memory of one port is written and read in one cycle")
        return m


def block_memory(platform: object, width: int, depth: int) -> Memory:
    """A memory of ``depth`` words of ``width`` bits for one port to read at a clock edge and one to write.

    Where :func:`has_one_port`, the block that makes it must never enable both.
    """
    kind = OnePortMemory if has_one_port(platform, depth) else Memory
    return kind(shape=unsigned(width), depth=depth, init=[])


class ParityBanks(Component):
    """Memory of two banks of one port each: word w is in bank w mod 2.

    A read and a write go on in one cycle where their words are in different banks. Whoever uses it sees to that.

    Parameters
    ----------
    width, depth
        Bits a word, and words, an even number.
    """

    read = Out(lambda self: ReadPort.Signature(addr_width=ceil_log2(self.depth), shape=self.width))
    """Reads: its data are there from the cycle after on."""
    write = Out(lambda self: WritePort.Signature(addr_width=ceil_log2(self.depth), shape=self.width))
    """Writes."""

    def __init__(self, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        odd = Signal()
        words = []
        for parity, name in enumerate(("even", "odd")):
            memory = OnePortMemory(shape=unsigned(self.width), depth=self.depth // 2, init=[])
            m.submodules[name] = memory
            read, write = memory.read_port(), memory.write_port()
            m.d.comb += [
                read.addr.eq(self.read.addr[1:]), read.en.eq(self.read.en & (self.read.addr[0] == parity)),
                write.addr.eq(self.write.addr[1:]), write.en.eq(self.write.en & (self.write.addr[0] == parity)),
                write.data.eq(self.write.data),
            ]
            words.append(read.data)
        with m.If(self.read.en):
            m.d.sync += odd.eq(self.read.addr[0])
        m.d.comb += self.read.data.eq(Mux(odd, words[1], words[0]))
        return m

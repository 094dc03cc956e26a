"""The load port of an emulator as words of an address space."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from mho.hw.emulator.config import EXTRA, EmulatorConfig, LoadLayout, index_width
from mho.hw.emulator.pulses.records import peek_members, peekable
from mho.hw.host.bus import RegisterBus

_REGION_BITS = 2


def load_address_width(cfg: EmulatorConfig) -> int:
    """Bits of a byte address of the load port."""
    return index_width(cfg) + _REGION_BITS + 2


def load_offset(cfg: EmulatorConfig, region: int, index: int) -> int:
    """Byte address of a word within the load port."""
    return 4 * (region << index_width(cfg) | index)


class LoadPort(wiring.Component):
    """Writes of whole words go to the load port, two cycles each and longer while the emulator reads its cells.

    The word at byte address ``4 * (region << index_width | index)`` is that of ``index`` in ``region``. Where cells are
    programmed by pulses, their records and the log of pulses (:mod:`mho.hw.emulator.pulses.records`) can be read, three
    cycles each and longer while the emulator uses the records. Every other read, and a write of a part of a word,
    answer with an error.

    Members
    -------
    bus : In(RegisterBus)
        The bus.
    load : Out(stream of LoadLayout)
        To the emulator.
    peek : Out(stream of an index), peeked : In(32)
        Reads of the emulator, where there is something to read (:func:`mho.hw.emulator.pulses.records.peek_members`).
    """

    bus: Any
    load: stream.Interface
    peek: stream.Interface
    peeked: Value

    def __init__(self, cfg: EmulatorConfig) -> None:
        self.cfg = cfg
        super().__init__({
            "bus": In(RegisterBus(load_address_width(cfg))),
            "load": Out(stream.Signature(LoadLayout(cfg))),
            **{name: member.flip() for name, member in peek_members(cfg).items()},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request, response, width = self.bus.request, self.bus.response, index_width(self.cfg)
        legal = Signal()
        m.d.comb += [
            legal.eq(request.p.write & request.p.strobe.all()),
            self.load.valid.eq(request.valid & legal & ~response.valid),
            self.load.p.index.eq(request.p.address), self.load.p.region.eq(request.p.address[width:]),
            self.load.p.data.eq(request.p.data),
            request.ready.eq(~response.valid & (~legal | self.load.ready)),
        ]
        with m.If(response.ready):
            m.d.sync += response.valid.eq(0)
        with m.If(request.valid & request.ready):
            m.d.sync += [response.valid.eq(1), response.p.error.eq(~legal)]
        if "peek" in self.signature.members:
            self._add_reads(m)
        return m

    def _add_reads(self, m: Module) -> None:
        """Reads of what the emulator lets be read: its word is there in the second cycle after the transfer."""
        request, response, width = self.bus.request, self.bus.response, index_width(self.cfg)
        index, region = request.p.address[:width], request.p.address[width:]
        reads = Signal()
        fetching = Signal()
        gives = Signal()
        m.d.comb += [
            reads.eq(~request.p.write & (region == EXTRA) & peekable(self.cfg, index)),
            self.peek.payload.eq(index), self.peek.valid.eq(request.valid & reads & ~response.valid & ~fetching),
            response.p.data.eq(Mux(gives, self.peeked, 0)),
        ]
        with m.If(fetching):
            m.d.comb += [request.ready.eq(0), self.load.valid.eq(0)]
            m.d.sync += [fetching.eq(0), gives.eq(1), response.valid.eq(1), response.p.error.eq(0)]
        with m.Elif(reads):
            m.d.comb += request.ready.eq(~response.valid & self.peek.ready)
            with m.If(request.valid & request.ready):
                m.d.sync += [fetching.eq(1), response.valid.eq(0)]
        with m.If(response.valid & response.ready):
            m.d.sync += gives.eq(0)

"""The end of requests at a node: packets of words to accesses of a register bus, and their answers."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream

from mho.hw.host.bus import RegisterBus
from mho.hw.noc.channel import Arrival
from mho.hw.noc.fifo import FlitFifo
from mho.hw.noc.registers.packet import BURST, NODE_BITS, HeaderLayout, StatusLayout
from mho.hw.ports import Component, In, Out


class RegisterServer(Component):
    """Turns a packet into accesses, word by word, and answers it.

    It takes what arrives in any cycle: a packet has at most as many words as there is room for, and the next one comes
    after the answer. An access that fails is noted, and the next one follows. Words that were read leave as they come;
    the status is the last word.

    Parameters
    ----------
    longest
        Words of the longest packet, a power of two.

    Members
    -------
    request : In(Arrival(32))
        Words of a packet: :class:`.packet.HeaderLayout`, then what is written.
    answer : Out(stream of 32 bits)
        Words that were read, then :class:`.packet.StatusLayout`.
    bus : Out(RegisterBus(NODE_BITS))
        The registers.
    """

    request = In(Arrival(32))
    answer = Out(stream.Signature(32))
    bus = Out(RegisterBus(NODE_BITS))

    def __init__(self, longest: int = BURST) -> None:
        self.longest = longest
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = words = FlitFifo(32, self.longest)
        request, response = self.bus.request, self.bus.response
        header: Any = Signal(HeaderLayout())
        busy = Signal()  # a packet is under way
        more = Signal()  # words of it have no response yet
        waiting = Signal()  # for a response
        index = Signal(range(BURST))  # of the word
        status: Any = Signal(StatusLayout())
        requested, answered = request.valid & request.ready, response.valid & response.ready
        m.d.comb += [
            words.i.eq(self.request.payload), words.put.eq(self.request.valid & busy & words.ready),
            request.valid.eq(busy & more & ~waiting & (~header.write | words.valid)),
            request.p.address.eq(header.address), request.p.write.eq(header.write), request.p.data.eq(words.o),
            request.p.strobe.eq(header.strobe), words.take.eq(requested & header.write),
            response.ready.eq(waiting & (header.write | self.answer.ready)),
            self.answer.valid.eq(Mux(more, waiting & ~header.write & response.valid, busy)),
            self.answer.payload.eq(Mux(more, response.p.data, status.as_value())),
        ]
        with m.If(requested):
            m.d.sync += waiting.eq(1)
        with m.If(answered):
            m.d.sync += [
                waiting.eq(0), header.address.eq(header.address + 1), index.eq(index + 1),
                more.eq(index != header.last), status.error.eq(status.error | response.p.error),
            ]
            with m.If(response.p.error & ~status.error):
                m.d.sync += status.first.eq(index)
        with m.If(busy & ~more & self.answer.ready):
            m.d.sync += busy.eq(0)
        with m.If(self.request.valid & ~busy):
            m.d.sync += [
                header.as_value().eq(self.request.payload), busy.eq(1), more.eq(1), index.eq(0), status.eq(0),
            ]
        return m

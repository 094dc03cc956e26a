"""The beginning of requests at the host: a register bus and a bus of bursts to packets, and their answers."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream

from mho.hw.host.bus import RegisterBus
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.fifo import FlitFifo, RoundRobin
from mho.hw.noc.flit import Arrival, coordinate_bits
from mho.hw.noc.registers.packet import (
    BURST,
    NODE_BITS,
    BurstBus,
    StatusLayout,
    burst_layout,
    host_address_bits,
)
from mho.hw.ports import Component, In, Out

_LOCAL = NODE_BITS - 2


class WordLayout(data.StructLayout):
    """A word on its way to the node at ``column``, ``row``."""

    def __init__(self, cfg: MeshConfig) -> None:
        super().__init__({"word": 32, "column": coordinate_bits(cfg.columns), "row": coordinate_bits(cfg.rows)})


class RegisterMaster(Component[MeshConfig]):
    """Sends one packet at a time: the next one goes when all of the answer is here and has been taken.

    So an answer always finds its place, and no more than one is under way. A request to a node that does not exist,
    and a burst that would run out of its node, is answered by an error at its first word, and nothing goes out.

    Parameters
    ----------
    longest
        Words of the longest burst, a power of two.
    """

    bus = In(lambda self: RegisterBus(host_address_bits(self.cfg)))
    """Accesses of single words."""
    burst = In(lambda self: BurstBus(host_address_bits(self.cfg)))
    """Accesses of several; both take turns."""
    word = Out(lambda self: stream.Signature(WordLayout(self.cfg)))
    """Packets."""
    answer = In(Arrival(32))
    """Answers."""

    def __init__(self, cfg: MeshConfig, longest: int = BURST) -> None:
        self.longest = longest
        super().__init__(cfg)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.turn = turn = RoundRobin(2)
        m.submodules.words = words = FlitFifo(32, self.longest)
        single, several = self.bus.request, self.burst.request
        header: Any = Signal(burst_layout(host_address_bits(self.cfg)))
        from_bus = Signal()  # where a request came from
        word = Signal(32)  # what is written, if it came from there
        left = Signal(range(BURST))  # words that are to be sent, or to come; less one
        legal, source = self._legal(header), from_bus | self.burst.data.valid
        status: Any = Signal(StatusLayout())
        taken = Signal()
        one = Cat(single.p.address, Const(0, len(header.last)), single.p.strobe, single.p.write)
        m.d.comb += [
            self.word.p.column.eq(header.address[_LOCAL:]),
            self.word.p.row.eq(header.address[_LOCAL + coordinate_bits(self.cfg.columns) :]),
            words.i.eq(self.answer.payload),
            self.bus.response.p.data.eq(Mux(words.valid, words.o, 0)), self.bus.response.p.error.eq(status.error),
            self.burst.answer.p.data.eq(Mux(words.valid, words.o, status.first)),
            self.burst.answer.p.error.eq(status.error), self.burst.answer.p.last.eq(~words.valid),
            words.take.eq(taken & words.valid),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [
                    turn.request[0].eq(single.valid), turn.request[1].eq(several.valid),
                    single.ready.eq(turn.grant[0]), several.ready.eq(turn.grant[1]),
                ]
                m.d.sync += [
                    from_bus.eq(turn.grant[0]), word.eq(single.p.data), status.eq(0),
                    header.as_value().eq(Mux(turn.grant[0], one, several.p.as_value())),
                ]
                with m.If(turn.grant.any()):
                    m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += [self.word.valid.eq(legal), self.word.p.word.eq(_without_node(header))]
                m.d.sync += [left.eq(header.last), status.error.eq(~legal)]
                with m.If(~legal | self.word.ready):
                    with m.If(header.write):
                        m.next = "DATA"
                    with m.Elif(legal):
                        m.next = "WORDS"
                    with m.Else():
                        m.next = "DELIVER"
            with m.State("DATA"):
                m.d.comb += [
                    self.word.valid.eq(legal & source), self.word.p.word.eq(Mux(from_bus, word, self.burst.data.p)),
                    self.burst.data.ready.eq(~from_bus & (self.word.ready | ~legal)),
                ]
                with m.If(source & (self.word.ready | ~legal)):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.next = "STATUS"
                        with m.If(~legal):
                            m.next = "DELIVER"
            with m.State("WORDS"):
                m.d.comb += words.put.eq(self.answer.valid & words.ready)
                with m.If(self.answer.valid):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.next = "STATUS"
            with m.State("STATUS"):
                m.d.sync += status.as_value().eq(self.answer.payload)
                with m.If(self.answer.valid):
                    m.next = "DELIVER"
            with m.State("DELIVER"):
                m.d.comb += [
                    self.bus.response.valid.eq(from_bus), self.burst.answer.valid.eq(~from_bus),
                    taken.eq(Mux(from_bus, self.bus.response.ready, self.burst.answer.ready)),
                ]
                with m.If(taken & (from_bus | ~words.valid)):
                    m.next = "IDLE"
        return m

    def _legal(self, header: Any) -> Value:
        """Whether the node exists, and has room for the whole burst."""
        ok = [~(header.address[:_LOCAL] + header.last)[_LOCAL]]
        for number, size in ((self.word.p.column, self.cfg.columns), (self.word.p.row, self.cfg.rows)):
            if size != 1 << len(number):
                ok.append(number < size)
        return Cat(ok).all()


def _without_node(header: Any) -> Value:
    """The first word of a packet, in the order of ``HeaderLayout``."""
    return Cat(header.address[:_LOCAL], header.last, header.strobe, header.write)

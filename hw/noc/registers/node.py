"""The registers of a node and of its tile: what begins requests to them at the host, and what serves them."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import connect, flipped

from mho.hw.host.bank import RegisterBank
from mho.hw.host.bus import RegisterBus
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.fifo import FlitFifo, RoundRobin
from mho.hw.noc.flit import Arrival, coordinate_bits
from mho.hw.noc.interface.interface import CountersLayout, TableWrite
from mho.hw.noc.interface.tables import Counter
from mho.hw.noc.reduction.router import SetupLayout
from mho.hw.noc.registers.map import node_map
from mho.hw.noc.registers.packet import (
    BURST,
    NODE_BITS,
    PAGE_BITS,
    BurstBus,
    HeaderLayout,
    StatusLayout,
    burst_layout,
    host_address_bits,
)
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
    """

    request = In(Arrival(32))
    """Words of a packet: :class:`.packet.HeaderLayout`, then what is written."""
    answer = Out(stream.Signature(32))
    """Words that were read, then :class:`.packet.StatusLayout`."""
    bus = Out(RegisterBus(NODE_BITS))
    """The registers."""

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


class NodeRegisters(Component[MeshConfig]):
    """Serves requests of the host: to the tile in the lower half of the node's addresses, to the node in the upper one.

    What is beyond the node's own registers is answered by an error, two cycles after it was asked, as they answer;
    so is what is meant for the tile while that stands still.
    """

    request = In(Arrival(32))
    answer = Out(stream.Signature(32))
    """The interface, for packets."""
    tile = Out(RegisterBus(NODE_BITS - 1))
    """Registers of the tile."""
    tables = Out(TableWrite())
    """The interface's tables."""
    counters = In(CountersLayout())
    """And its counters."""
    stopped = Out(1)
    power_off = Out(1)
    """The tile's clock stands still; its power is to be off (the clock stands still then too)."""
    setup = Out(lambda self: SetupLayout(self.cfg), when=lambda self: self.cfg.contexts)
    """Writes entries of the reduction router; only if ``cfg.contexts``."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.server = server = RegisterServer()
        bank: Any = RegisterBank(node_map(self.cfg))
        m.submodules.bank = bank
        connect(m, flipped(self.request), server.request)
        connect(m, server.answer, flipped(self.answer))
        request, response = server.bus.request, server.bus.response
        own = request.p.address[-1]
        inside = Signal()
        nowhere = Signal()
        missing = Signal()  # an access to what is not there has its answer now
        m.d.comb += [
            inside.eq(~request.p.address[PAGE_BITS - 2 : -1].any()), nowhere.eq(Mux(own, ~inside, self.stopped)),
            self.power_off.eq(bank.power.off), self.stopped.eq(bank.power.stopped | bank.power.off),
        ]
        for bus, mine in ((self.tile, ~own), (bank.bus, own)):
            m.d.comb += [
                *(bus.request.p[name].eq(request.p[name]) for name in ("address", "write", "data", "strobe")),
                bus.request.valid.eq(request.valid & mine & ~nowhere), bus.response.ready.eq(response.ready),
            ]
        m.d.comb += [
            request.ready.eq(Mux(own, bank.bus.request.ready, self.tile.request.ready) | nowhere),
            # One access at a time: nobody else answers.
            response.valid.eq(missing | bank.bus.response.valid | (self.tile.response.valid & ~self.stopped)),
            response.p.data.eq(Mux(missing, 0, Mux(own, bank.bus.response.p.data, self.tile.response.p.data))),
            response.p.error.eq(missing | Mux(own, bank.bus.response.p.error, self.tile.response.p.error)),
        ]
        with m.If(response.ready):
            m.d.sync += missing.eq(0)
        with m.If(request.valid & nowhere):
            m.d.sync += missing.eq(1)
        self._join(m, bank)
        return m

    def _join(self, m: Module, bank: Any) -> None:
        """The bank to the interface and the reduction router."""
        tables = self.tables
        windows = {"flow": bank.flow, "members": bank.members, "slot": bank.slot}
        m.d.comb += [
            # Rows of all windows are the lowest bits of an address.
            tables.row.eq(bank.flow.address), tables.value.eq(bank.flow.data),
            *(getattr(tables, name).eq(window.enable) for name, window in windows.items()),
            *(window.ready.eq(tables.ready) for window in windows.values()),
            *(getattr(bank, name).value.eq(self.counters[name]) for name in (c.name.lower() for c in Counter)),
        ]
        if self.cfg.contexts:
            m.d.comb += [
                self.setup.valid.eq(bank.reduction.enable), bank.reduction.ready.eq(1),
                self.setup.context.eq(bank.reduction.address),
                self.setup.entry.as_value().eq(bank.reduction.data),
            ]


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
                first = Cat(header.address[:_LOCAL], header.last, header.strobe, header.write)  # as HeaderLayout has it
                m.d.comb += [self.word.valid.eq(legal), self.word.p.word.eq(first)]
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

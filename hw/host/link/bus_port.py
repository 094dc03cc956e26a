"""Accesses of the host link to the register bus, none of which lasts for ever."""

from amaranth.hdl import Module, Mux, Signal, Value

from mho.hw.host.bus import RegisterBus
from mho.hw.host.link.format import LinkConfig, Status
from mho.hw.ports import Component, In, Out


class BusMaster(Component[LinkConfig]):
    """One access at a time, given up when the bus does not answer.

    The bus cannot take a request back, so an access that was given up stays in the way: while ``waiting`` its address
    and data must stay and no other may start. Its late answer is dropped.
    """

    start = In(1)
    write = In(1)
    """An access; all but ``start`` keep their values while ``waiting``."""
    address = In(32)
    data = In(32)
    strobe = In(4)

    done = Out(1)
    """It has ended, at least two cycles after ``start``."""
    status = Out(4)
    """How, while ``done``; the word that was read, until the next access ends."""
    word = Out(32)

    waiting = Out(1)
    """The bus has not answered yet."""
    bus = Out(lambda self: RegisterBus(self.cfg.address_width))
    """The bus."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request, response = self.bus.request, self.bus.response
        active = Signal()
        left = Signal(range(self.cfg.timeout + 1))
        outside: Value = self.address[self.cfg.address_width :].any()
        answered = Signal()
        m.d.comb += [
            request.p.address.eq(self.address[2:]),
            request.p.write.eq(self.write),
            request.p.data.eq(self.data),
            request.p.strobe.eq(self.strobe),
            response.ready.eq(1),
            answered.eq(response.valid & self.waiting),
        ]
        over = Signal()
        # Without an access on the bus it lies outside.
        ended = answered | ~self.waiting
        m.d.comb += over.eq(active & (ended | (left == 0)))
        m.d.sync += self.done.eq(over)
        m.d.sync += self.status.eq(Status.TIMEOUT)
        with m.If(ended):
            m.d.sync += self.status.eq(Mux(response.p.error | ~self.waiting, Status.BUS_ERROR, Status.OK))
        with m.If(answered):
            m.d.sync += self.word.eq(response.p.data)
        with m.If(request.ready):
            m.d.sync += request.valid.eq(0)
        with m.If(answered):
            m.d.sync += self.waiting.eq(0)
        with m.If(self.start):
            m.d.sync += [active.eq(1), left.eq(self.cfg.timeout)]
            m.d.sync += [request.valid.eq(~outside), self.waiting.eq(~outside)]
        with m.Else():
            m.d.sync += left.eq(left - 1)
        with m.If(over):
            m.d.sync += active.eq(0)
        return m

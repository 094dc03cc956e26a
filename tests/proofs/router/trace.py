"""Two flits, picked by the solver, on their way through a router."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data

from mho.hw.noc.flit import WANTS, ChannelLayout, FlitLayout, Port
from mho.hw.noc.router.router import Router
from tests.proofs.harness import State, assume, claim, free, witness
from tests.proofs.queue import fifo_holds, word_behind
from tests.proofs.router.routes import at_place
from tests.proofs.router.surroundings import RouterHarness, body

__all__ = ["TraceClaims"]


class _Traced:
    """What is known of a flit that is followed: whether it is inside, how many are in front, who has had it."""

    def __init__(self, m: Module, claims: "TraceClaims", mark: int) -> None:
        cfg, entry = claims.dut.cfg, claims.entry
        self.mark = mark
        self.inside, self.gone, self.enters = (Signal(name=f"{n}_{mark}") for n in ("inside", "gone", "enters"))
        self.flit: Any = Signal(FlitLayout(cfg, entry), name=f"flit_{mark}")
        self.want, self.sent, self.leaves = (
            Signal(len(WANTS[entry]), name=f"{n}_{mark}") for n in ("want", "sent", "leaves")
        )
        self.before = Signal(range(cfg.depth + 1), name=f"before_{mark}")
        channel = claims.channel(entry, "i")
        accepted = channel.valid & channel.ready
        m.d.comb += self.enters.eq(free(m, 1, f"pick_{mark}") & accepted & ~self.inside & ~self.gone)

    def marks(self, flit: Any) -> Value:
        """Whether a flit has the mark."""
        return Value.cast(flit.payload)[self.mark]


class TraceClaims(RouterHarness):
    """Two flits of one input leave by the outputs that they want and by no other, once by each, unchanged, in order.

    Bits 0 and 1 of the payload mark the two, and no other flit has them.

    Parameters
    ----------
    dut
        The router.
    entry
        The input that they enter.
    """

    def __init__(self, dut: Router, entry: Port) -> None:
        super().__init__(dut)
        self.entry = entry

    def specify(self, m: Module, state: State) -> None:
        self.surround(m)
        traced = [_Traced(m, self, mark) for mark in range(2)]
        for port in Port:
            flit = body(self.channel(port, "i"), port)
            for trace in traced:
                assume(m, trace.marks(flit) == (trace.enters if port is self.entry else 0))
            fifo, inner, served = self.queue(state, port)
            count = fifo_holds(m, fifo, inner, port.name)
            with m.If(~fifo.valid):
                claim(m, "nothing is served of an empty queue", served == 0)
            for trace in traced:
                self._place(m, trace, fifo, inner, count, port)
                if port is self.entry:
                    self._enter(m, trace, count - fifo.take)
        fifo, _, served = self.queue(state, self.entry)
        for trace in traced:
            self._leave(m, trace)
            with m.If(trace.inside):
                self._advance(m, trace, fifo, served)
        self._order(m, *traced)

    def _enter(self, m: Module, trace: _Traced, before: Value) -> None:
        flit = body(self.channel(self.entry, "i"), self.entry)
        with m.If(trace.enters):
            want = at_place(self.dut.cfg, self.dut.place, flit, self.entry)
            m.d.sync += [trace.inside.eq(1), Value.cast(trace.flit).eq(Value.cast(flit)), trace.want.eq(want)]
            m.d.sync += trace.before.eq(before)
        with m.If(~trace.inside & ~trace.gone):
            claim(m, "what has not come is not sent", trace.sent == 0)

    def _leave(self, m: Module, trace: _Traced) -> None:
        wants = WANTS[self.entry]
        for leave in Port:
            o = self.channel(leave, "o")
            flit = body(o, leave)
            if leave not in wants:
                claim(m, f"no turn to {leave.name}", ~(o.valid & trace.marks(flit)))
                continue
            k = wants.index(leave)
            m.d.comb += trace.leaves[k].eq(o.valid & trace.marks(flit))
            with m.If(trace.leaves[k]):
                claim(m, f"it leaves by {leave.name} because it wants to", trace.inside & trace.want[k])
                claim(m, f"it leaves by {leave.name} once", ~trace.sent[k])
                bits = Value.cast(flit)
                claim(m, f"it leaves by {leave.name} unchanged", bits == Value.cast(trace.flit)[: len(bits)])
        m.d.sync += trace.sent.eq(trace.sent | trace.leaves)

    def _advance(self, m: Module, trace: _Traced, fifo: Any, served: Value) -> None:
        """While it is in a queue."""
        claim(m, "only what is wanted is sent", (trace.sent & ~trace.want) == 0)
        with m.If(trace.before == 0):
            done = (trace.sent | trace.leaves) == trace.want
            claim(m, "its place is free when all that want it have had it, and not before", fifo.take == done)
            claim(m, "served is what was sent", served == trace.sent)
        with m.Else():
            claim(m, "only the head is sent", trace.sent == 0)
        with m.If(fifo.take):
            m.d.sync += [
                trace.before.eq(trace.before - 1), trace.inside.eq(trace.before != 0), trace.gone.eq(trace.before == 0)
            ]

    def _place(self, m: Module, trace: _Traced, fifo: Any, inner: State, count: Signal, port: Port) -> None:
        """The mark is in the place of the flit and in no other, with all that came with it."""
        at_entry = port is self.entry
        for behind in range(fifo.depth):
            word = word_behind(m, fifo, inner, behind, f"{port.name}_{trace.mark}_{behind}")
            view: Any = data.View(ChannelLayout(self.dut.cfg, port), word)
            here = trace.inside & (trace.before == behind) if at_entry else 0
            with m.If(count > behind):
                claim(m, "the mark is where the flit is", trace.marks(view.flit) == here)
                if at_entry:
                    with m.If(here):
                        claim(m, "its word is unchanged", word == Cat(Value.cast(trace.flit), trace.want))
        if at_entry:
            with m.If(trace.inside):
                claim(m, "it is among those inside", trace.before < count)

    def _order(self, m: Module, first: _Traced, second: _Traced) -> None:
        for trace in (first, second):
            claim(m, "inside or gone", ~(trace.inside & trace.gone))
            with m.If(trace.gone):
                claim(m, "all that want it have had it", trace.sent == trace.want)
        begun = first.inside | first.gone
        assume(m, ~second.enters | begun)
        claim(m, "the second comes second", ~(second.inside | second.gone) | begun)
        with m.If(second.inside):
            claim(m, "the second is behind", ~first.inside | (first.before < second.before))
        claim(m, "each output has had the first before the second", (second.leaves & first.want & ~first.sent) == 0)
        claim(m, "the second leaves after the first", ~second.gone | first.gone)
        witness(m, "both have left, the first to all sides", first.gone & second.gone & first.sent.all())

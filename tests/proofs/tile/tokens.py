"""Claims of the tokens: what is in a ring is never more than it has, and never less than nothing."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal

from mho.hw.tile.isa import STREAMS
from mho.hw.tile.rtl.layouts import DescriptorLayout
from mho.hw.tile.rtl.rings import RingScoreboard, StateLayout
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, witness

__all__ = ["ScoreboardClaims"]

_IDLE, _EMPTY, _FILL = range(3)


class ScoreboardClaims(Harness):
    """One stream of any descriptor, which the solver picks; what the memories say of others is free.

    Those who fill it keep to what is proven of them elsewhere: who gives back has seen a block there, who makes one in
    the tile has seen room. A sender has two blocks under way at most: that is all it knows.
    """

    def __init__(self, dut: RingScoreboard) -> None:
        self.stream = Signal(range(STREAMS), name="stream")
        super().__init__(dut, self.stream)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        m.d.comb += [self.stream.eq(constant(m, range(STREAMS), "any_stream")), dut.soft_reset.eq(0)]
        assume(m, self.stream < dut.streams)
        changes = dut.change
        drive_freely(m, dut.start, dut.claim, dut.fill_stream, dut.acknowledge.ready, dut.write, dut.write_index,
                     dut.write_data, *(p.payload for p in changes), *(p.valid for p in changes))
        for k in range(dut.asks):
            port = dut.ask[k]
            drive_freely(m, port.valid, port.stream, port.again)
        # The host writes descriptors, then starts, once.
        begun = Signal()
        m.d.sync += begun.eq(begun | dut.start)
        assume(m, ~begun | ~(dut.start | dut.write))
        assume(m, ~dut.start | ~dut.write)
        ring, descriptor = Signal(StateLayout()), Signal(DescriptorLayout("stream"))
        m.d.comb += [ring.eq(state["rings.word_0"]), descriptor.eq(state["streams.word_0"])]
        for name in ("asked", "filled"):
            claim(m, f"{name}: it is told what is", (state[f"{name}_rings.word_0"] == ring.as_value()) & (
                state[f"{name}_streams.word_0"] == descriptor.as_value()))
        self._answers(m, dut, state, changes)
        judged = self._begins(m, dut, state, begun, ring, descriptor)
        comes, frees = self._changes(m, dut, changes, begun, ring, descriptor)
        legal = judged & (ring.wrong == 0)
        self._acknowledges(m, dut, state, legal, comes, ring, descriptor)
        present, blocks = ring.there, descriptor.blocks
        with m.If(legal):
            claim(m, "no more are there than the ring has", present <= blocks)
            claim(m, "a block that comes has room", ~comes | (present != blocks))
            claim(m, "a block that is given back is there", ~frees | (present != 0))
            for end in ("head", "tail"):
                left = ring[f"{end}_left"]
                claim(m, f"{end}: it is a place of the ring", (left != 0) & (left <= blocks))
            left = ring.head_left
            claim(m, "from one end to the other it is as far as blocks are there",
                  ring.tail_left == Mux(left > present, left - present, left + blocks - present))
        claim(m, "what arrives does not wait", ~(dut.ready & begun) | dut.change[0].ready)
        witness(m, "it is full of blocks that came", legal & comes & (present + 1 == blocks) & (descriptor.first == 0))

    def _begins(self, m: Module, dut: Any, state: State, begun: Any, ring: Any, descriptor: Any) -> Signal:
        """What is so while rings take their first blocks; whether this one has them."""
        judged, at, row = Signal(), state["fsm_state"], state["row"]
        left, room, first = state["left"], state["room"], descriptor.first
        here = (at == _FILL) & (row == self.stream)
        with m.If(here & (room == 0)):
            m.d.sync += judged.eq(1)
        claim(m, "it is started", begun | (at == _IDLE))
        claim(m, "states", at <= _FILL)
        claim(m, "it has its first blocks when its turn was", judged == (begun & ((at == _IDLE) | (row > self.stream))))
        claim(m, "turns are those of rings, from the first on", Mux(at == _IDLE, begun | (row == 0), row < dut.streams))
        with m.If(here):
            claim(m, "what it breaks by itself is known", state["of_itself"][1] | (
                (first + 2 * descriptor.remote <= descriptor.blocks) & (descriptor.blocks != 0)))
            claim(m, "some have come", left + ring.there == first)
            claim(m, "no more than it has", room <= descriptor.blocks)
            claim(m, "one each cycle, while there is room", Mux(
                left != 0, ring.there + room == descriptor.blocks, first + room <= descriptor.blocks))
            claim(m, "ends are where they are", (ring.head_left == descriptor.blocks) & (
                ring.tail_left == Mux(ring.there == descriptor.blocks, ring.there, descriptor.blocks - ring.there)) & (
                ring.unacked == 0))
        with m.If(judged & (ring.wrong == 0)):
            claim(m, "a legal one has room for what is under way", first + 2 * descriptor.remote <= descriptor.blocks)
            claim(m, "a legal ring has blocks", descriptor.blocks != 0)
        return judged

    def _changes(
        self, m: Module, dut: Any, changes: Any, begun: Any, ring: Any, descriptor: Any
    ) -> tuple[Any, Any]:
        """Who changes what: only legal streams, those that others fill by the first port, which claims its cycle."""
        comes, frees = Signal(), Signal()
        for k, port in enumerate(changes):
            applies = port.valid & port.ready & (port.payload.stream == self.stream)
            assume(m, ~port.valid | (begun & (port.payload.stream < dut.streams)))
            assume(m, ~applies | (ring.wrong == 0))
            assume(m, ~(applies & port.payload.free) | (ring.there != 0))
            with m.If(applies):
                m.d.comb += [comes.eq(~port.payload.free), frees.eq(port.payload.free)]
            if k:
                assume(m, ~(applies & ~port.payload.free) | (~descriptor.remote & (ring.there != descriptor.blocks)))
            else:
                assume(m, ~port.valid | (dut.claim & ~port.payload.free))
                assume(m, ~applies | descriptor.remote)
        return comes, frees

    def _answers(self, m: Module, dut: Any, state: State, changes: Any) -> None:
        """What has changed since a question was granted, which its answer does not tell, is known."""
        answers, news, before, could = state["answers"], state["news"], Signal(dut.asks), Signal(dut.asks)
        ports = dut.ask
        changed = Cat(port.valid & port.ready for port in changes).any()
        since = before & ~answers
        m.d.sync += [
            before.eq(since | changed.replicate(dut.asks)),
            could.eq(Cat(port.valid & (~port.again | news[k]) for k, port in enumerate(ports))),
        ]
        claim(m, "who asks again is asked for when something has changed since", (since & ~news) == 0)
        claim(m, "who asks again is answered when there is something new alone", (answers & ~could) == 0)
        witness(m, "who asks again is answered", (answers & Cat(port.again & port.valid for port in ports)).any())

    def _acknowledges(
        self, m: Module, dut: Any, state: State, legal: Any, comes: Any, ring: Any, descriptor: Any
    ) -> None:
        """A block is acknowledged when two of the ring are free beside those that were."""
        acks, pending, under, first = Signal(), Signal(), Signal(2), Signal(range(STREAMS))
        owing, remote, before, present = state["owing"], descriptor.remote, ring.unacked, ring.there
        owes, goes = owing.bit_select(self.stream, 1), dut.acknowledge.valid & dut.acknowledge.ready
        for k in reversed(range(dut.streams)):
            with m.If(owing[k]):
                m.d.comb += first.eq(k)
        idle = dut.ready & ~dut.claim & (dut.who == 0) & (~dut.acknowledge.valid | dut.acknowledge.ready)
        m.d.comb += acks.eq(idle & owes & (first == self.stream))
        m.d.sync += [
            pending.eq(Mux(goes | ~dut.acknowledge.valid, acks, pending)),
            under.eq(under + (comes & remote) - (goes & pending)),
        ]
        # All that a sender knows.
        assume(m, ~(comes & remote) | (under < 2))
        claim(m, "under way are those that were not acknowledged", under == before + (pending & dut.acknowledge.valid))
        claim(m, "nothing has come before it has its first blocks", legal | (before == 0))
        claim(m, "of those in the tile nobody is told", remote | (before == 0))
        with m.If(legal & remote):
            claim(m, "two blocks are kept for what is under way", present + 2 <= descriptor.blocks + before)
        with m.If(owes):
            claim(m, "what is acknowledged came, and two blocks are still kept",
                  legal & remote & (before != 0) & (present + 2 < descriptor.blocks + before))
        with m.If(state["wrote"] & (state["which"] == self.stream)):
            claim(m, "what is looked at is what is there", (state["unacked"] == before)
                  & (state["there"] == present) & (state["remote"] == remote)
                  & (state["blocks"] == descriptor.blocks))
        witness(m, "one is acknowledged", goes & pending)

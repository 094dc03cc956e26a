"""Claims of the engine of SEND: in order; it reads blocks that have arrived, and gives back those that are there."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal

from hw.tile.engines.send import SendEngine
from hw.tile.isa import Op
from hw.tile.sequencer.decoder import field
from sim.formal.harness import Harness, State, assume, claim, constant, drive_freely, free, witness

__all__ = ["SendClaims"]

_IDLE, _ASK = 0, 1


class SendClaims(Harness):
    """One stream, which others fill whenever it has room and which only this engine gives back."""

    def __init__(self, dut: SendEngine) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        drive_freely(m, dut.i.payload, dut.i.valid, dut.conflict, dut.read.ready, dut.read.data, dut.ask.ready,
                     dut.change.ready, dut.o.ready)
        m.d.comb += dut.soft_reset.eq(0)
        ring, blocks, comes = dut.ask.ring, constant(m, 8, "blocks"), free(m, 1, "comes")
        there, frees = Signal(8), dut.change.valid & dut.change.ready
        drive_freely(m, ring.head, ring.tail, ring.base, ring.block, ring.freed, ring.remote, ring.index, ring.wrong)
        m.d.comb += [ring.there.eq(there), ring.blocks.eq(blocks)]
        m.d.sync += there.eq(there + (comes & (there < blocks)) - frees)
        assume(m, blocks != 0)
        word = dut.i.p.word
        # What the sequencer has found legal.
        legal = (field(word, Op.SEND, "n") != 0) & (field(word, Op.SEND, "free") | (
            field(word, Op.SEND, "n") <= blocks))
        assume(m, ~dut.i.valid | legal)
        sends, sent, waits = state["word"], state["sent"], state["waiting"]
        n, frees_it = field(sends, Op.SEND, "n"), field(sends, Op.SEND, "free")
        offset = Mux(frees_it, 0, sent)
        at_work, asks = state["fsm_state"] != _IDLE, state["fsm_state"] == _ASK
        with m.If(at_work):
            claim(m, "it is at one of its blocks", sent <= n)
            claim(m, "what it sends is legal", (n != 0) & (frees_it | (n <= blocks)))
        with m.If(state["waits"]):
            waiting_n = field(waits, Op.SEND, "n")
            claim(m, "what waits is legal", (waiting_n != 0) & (field(waits, Op.SEND, "free") | (waiting_n <= blocks)))
        # What was taken last, and before that.
        last, before = Signal(32), Signal(32)
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += [last.eq(word), before.eq(last)]
        claim(m, "what waits was taken last", ~state["waits"] | (waits == last))
        claim(m, "it is at work on what was taken first", ~at_work | (sends == Mux(state["waits"], before, last)))
        claim(m, "no more are there than the ring has", there <= blocks)
        with m.If(at_work & asks):
            claim(m, "a block is left", sent < n)
            with m.If(~frees_it):
                claim(m, "blocks that were sent are still there", there >= sent)
        gives = Signal()
        m.d.comb += gives.eq(state["fsm_state"] == _FREE)
        with m.If(at_work & ~asks & ~gives):
            claim(m, "the block that it sends has arrived", there > offset)
            claim(m, "it is one of those that it is to send", sent < n)
        with m.If(gives):
            claim(m, "what it has sent is there", there >= Mux(frees_it, 1, sent))
            claim(m, "it has sent one", sent != 0)
        with m.If(dut.read.valid):
            claim(m, "it reads a block that has arrived", there > offset)
        with m.If(dut.change.valid):
            claim(m, "it gives back what is there", there != 0)
        witness(m, "it has given one back", frees)


_FREE = 5

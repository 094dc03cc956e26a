"""Claims of the engine of SEND: in order; it reads blocks that have arrived, and gives back those that are there."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, Value

from mho.hw.tile.isa import Op
from mho.hw.tile.rtl.engines.send import WAITING, SendEngine
from mho.hw.tile.rtl.sequencer.loops import field
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, free, witness

__all__ = ["SendClaims"]


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
        present, frees = Signal(8), dut.change.valid & dut.change.ready
        drive_freely(
            m, ring.head, ring.tail, ring.base, ring.block, ring.freed, ring.remote, ring.head_left, ring.wrong)
        m.d.comb += [ring.there.eq(present), ring.blocks.eq(blocks)]
        m.d.sync += present.eq(present + (comes & (present < blocks)) - frees)
        assume(m, blocks != 0)
        word = dut.i.p.word
        # What the sequencer has found legal.
        legal = (field(word, Op.SEND, "n") != 0) & (field(word, Op.SEND, "free") | (
            field(word, Op.SEND, "n") <= blocks))
        assume(m, ~dut.i.valid | legal)
        sends, sent, waits = state["word"], state["sent"], state["waits"]
        n, frees_it = field(sends, Op.SEND, "n"), field(sends, Op.SEND, "free")
        offset = Mux(frees_it, 0, sent)
        at_work, asks, gives = ~state.at("Idle"), state.at("Ask"), state.at("Free")
        with m.If(at_work):
            claim(m, "it is at one of its blocks", sent <= n)
            claim(m, "what it sends is legal", (n != 0) & (frees_it | (n <= blocks)))
        # What was taken last, and before that.
        history = [Signal(32, name=f"taken_{k}") for k in range(WAITING + 1)]
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += [history[0].eq(word), *(older.eq(newer) for newer, older in pairwise(history))]
        behind = Value.cast(0)
        for k in reversed(range(WAITING)):
            waiting = state[f"waiting_{k}"]
            with m.If(waits[k]):
                waiting_n = field(waiting, Op.SEND, "n")
                claim(m, f"what waits is legal, {k}",
                      (waiting_n != 0) & (field(waiting, Op.SEND, "free") | (waiting_n <= blocks)))
                claim(m, f"what waits was taken in this order, {k}", waiting == Array(history)[behind])
            behind = behind + waits[k]
        claim(m, "it is at work on what was taken first", ~at_work | (sends == Array(history)[behind]))
        claim(m, "no more are there than the ring has", present <= blocks)
        with m.If(at_work & asks):
            claim(m, "a block is left", sent < n)
            with m.If(~frees_it):
                claim(m, "blocks that were sent are still there", present >= sent)
        with m.If(at_work & ~asks & ~gives):
            claim(m, "the block that it sends has arrived", present > offset)
            claim(m, "it is one of those that it is to send", sent < n)
        claim(m, "it gives back behind a block, if it is to", state["frees"] == (at_work & gives & frees_it))
        with m.If(gives):
            claim(m, "what it has sent is there", present >= Mux(frees_it, 1, sent))
            claim(m, "it has sent one", sent != 0)
        with m.If(dut.read.valid):
            claim(m, "it reads a block that has arrived", present > offset)
        with m.If(dut.change.valid):
            claim(m, "it gives back what is there", present != 0)
        witness(m, "it has given one back", frees)

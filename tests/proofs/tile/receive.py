"""Claims of what arrives: it never waits, is written within the block that comes, and shown with its last flit."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal

from mho.hw.tile.isa import STREAMS
from mho.hw.tile.rtl.buffer import Buffer
from mho.hw.tile.rtl.engines.receive import Receiver
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, free, witness

__all__ = ["ReceiverClaims"]


class ReceiverClaims(Harness):
    """Flits of any slots, and one stream that the solver picks, with blocks of any size; the buffer has other ports."""

    def __init__(self, dut: Receiver) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        size, ring = dut.cfg.flit_bytes, dut.ring
        buffer: Any = Buffer(dut.cfg, 1, 3)
        m.submodules.buffer = buffer
        writes: Any = buffer.write
        drive_freely(
            m, dut.i.payload, dut.i.valid, dut.start, dut.map, dut.map_slot, dut.map_stream, ring.base, ring.tail,
            ring.there, ring.freed, ring.head, ring.blocks, ring.remote, ring.head_left, ring.wrong,
            buffer.read[0].valid, buffer.read[0].address, *(x for p in writes for x in (p.address, p.data, p.bytes)),
            *(p.valid for p in writes[1:]))
        m.d.comb += [dut.soft_reset.eq(0), writes[0].valid.eq(dut.write.valid)]
        which, block = constant(m, range(STREAMS), "which"), constant(m, 12, "block")
        selected = dut.claim & (dut.number == which)
        m.d.comb += ring.block.eq(Mux(dut.number == which, block, free(m, 12, "other_block")))
        assume(m, block != 0)
        # Nothing comes from a start on until it is ready, and nothing is under way then.
        assume(m, ~dut.i.valid | (dut.ready & ~dut.start))
        assume(m, ~dut.start | ~(state["valid"] | dut.claim | dut.write.valid))
        words = state.words("filled")
        offset, flits, known = Signal(12), Signal(12), Signal(2)
        for k, word in enumerate(words):
            with m.If(which == k):
                m.d.comb += [offset.eq(word & -4), known.eq(word)]
        shows = selected & dut.change.valid
        with m.If(dut.start | shows):
            m.d.sync += flits.eq(0)
        with m.Elif(selected):
            m.d.sync += flits.eq(flits + 1)
        going, cleared = dut.ready, state["clearing"] > which
        claim(m, "nothing is under way while it is not ready", dut.ready | ~(state["valid"] | dut.claim))
        with m.If(going | cleared):
            claim(m, "as much of the block is there as flits have come", offset == flits * size)
            claim(m, "a block that is not shown is not full", offset < block)
            claim(m, "whether the next flit is the last one is known", known == Mux(
                offset == 0, 0, 1 | ((offset + size >= block) << 1)))
        with m.If(~dut.ready):
            claim(m, "of a new start no flit has come", flits == 0)
        with m.If(selected):
            claim(m, "a block is shown with its last flit, and not before", shows == (offset + size >= block))
        claim(m, "only what comes is shown", ~dut.change.valid | (dut.claim & ~dut.change.p.free))
        claim(m, "what arrives does not wait for the buffer", writes[0].ready)
        self._writes(m, dut, selected, offset, block)
        witness(m, "a block of two flits has come", shows & (flits == 1))

    def _writes(self, m: Module, dut: Any, selected: Any, offset: Any, block: Any) -> None:
        """What is written a cycle behind."""
        wrote, at, start = Signal(), Signal(12), Signal(16)
        m.d.sync += [wrote.eq(selected), at.eq(offset), start.eq(dut.ring.tail)]
        with m.If(wrote):
            claim(m, "it is written where the block that comes is", dut.write.valid & (
                dut.write.address == (start + at)[:16]))
            claim(m, "no byte behind the block is written", (dut.write.bytes != 0) & (at + dut.write.bytes <= block))

"""Claims of the order in which instructions retire: each once, before the next one is decoded."""

from typing import Any

from amaranth.hdl import Module, Signal, Value

from mho.hw.tile.rtl.sequencer.sequencer import Sequencer
from tests.proofs.harness import Harness, State, assume, claim, drive_freely, witness

__all__ = ["RetireClaims"]

_AT_WORK = ("Halt", "Loop", "Settle", "Set", "Write", "Ask", "Change", "Check", "Block", "Given",
            "Issue", "Next")


class RetireClaims(Harness):
    """Any program; engines and tokens answer anything at any time."""

    def __init__(self, dut: Sequencer) -> None:
        super().__init__(dut, forgetful=True)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        drive_freely(
            m, dut.start, dut.stop, *dut.registers, dut.issue.ready, dut.idle, dut.quiet, dut.undrained, dut.ask.ready,
            dut.ask.ring, dut.change.ready, dut.set.ready, dut.trapped, dut.write, dut.write_index, dut.write_data,
            dut.look)
        m.d.comb += dut.soft_reset.eq(0)
        assume(m, ~dut.ask.ready | dut.ask.valid)
        decoded, last_pc, count = Signal(), Signal.like(dut.retired.pc), Signal(2)
        with m.If(state.at("Decode")):
            m.d.sync += [decoded.eq(1), last_pc.eq(dut.retired.pc)]
        with m.Elif(dut.retire | ~dut.running):
            m.d.sync += decoded.eq(0)
        at_work: Value = Signal(1)
        for name in _AT_WORK:
            at_work |= state.at(name)
        with m.If(at_work):
            claim(m, "what is carried out was decoded, and has not retired", decoded & (dut.retired.pc == last_pc))
        with m.If(state.at("Fetch") | state.at("Decode")):
            claim(m, "before the next one is decoded it has retired", ~decoded)
        with m.If(dut.retire):
            claim(m, "what retires was decoded last, and retires once", decoded & at_work & (dut.retired.pc == last_pc))
        m.d.sync += count.eq(count + (dut.retire & (count != 3)))
        witness(m, "three have retired", count == 3)

"""Claims of the loop stack: each loop is run as often as it was opened for, and ends within those around it."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal

from mho.hw.tile.isa import LOOP_DEPTH
from mho.hw.tile.rtl.sequencer.loops import LoopLayout, LoopStack
from tests.proofs.harness import Harness, State, assume, claim, drive_freely, free, witness

__all__ = ["LoopClaims"]


class LoopClaims(Harness):
    """The solver picks a loop when it is opened, at any depth; what is opened inside of it and around it is free."""

    def __init__(self, dut: LoopStack) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        drive_freely(m, dut.clear, dut.push, dut.first, dut.last, dut.times, dut.endless, dut.at, dut.ends)
        m.d.comb += dut.soft_reset.eq(0)
        # What the sequencer keeps to: room, a loop that is run at all, and one thing in a cycle.
        assume(m, ~dut.push | (~dut.full & ((dut.times != 0) | dut.endless) & ~dut.ends))
        depth, opens = state["depth"], dut.push & ~dut.clear
        claim(m, "no more are open than fit", depth <= LOOP_DEPTH)
        claim(m, "it is full if and only if so many are open", dut.full == (depth == LOOP_DEPTH))
        pick, inside, level = free(m, 1, "pick"), Signal(), Signal.like(depth)
        # The loop that was picked, and how often its body was begun.
        loop, runs, closed = Signal(LoopLayout()), Signal(17), Signal()
        innermost = inside & (depth == level)
        at_end = innermost & (dut.at == loop.last)
        m.d.sync += closed.eq(0)
        with m.If(dut.clear):
            m.d.sync += inside.eq(0)
        with m.Elif(opens & pick & ~inside):
            m.d.sync += [inside.eq(1), level.eq(depth + 1), runs.eq(1), *(
                loop[name].eq(value) for name, value in (
                    ("first", dut.first), ("last", dut.last), ("left", dut.times), ("endless", dut.endless)))]
        with m.Elif(dut.ends & at_end & dut.again):
            # Of a loop without end nobody counts.
            m.d.sync += runs.eq(Mux(loop.endless, 1, runs + 1))
        with m.Elif(dut.ends & at_end & dut.closes):
            m.d.sync += [inside.eq(0), closed.eq(1)]
        stored = Signal(LoopLayout())
        for k, (body, left) in enumerate(zip(state.words("bodies"), state.words("left"), strict=True)):
            with m.If(level == k + 1):
                m.d.comb += [Cat(stored.first, stored.last, stored.endless).eq(body), stored.left.eq(left)]
        with m.If(inside):
            claim(m, "it is open, and those inside of it are counted", (depth >= level) & (level != 0))
            claim(m, "it is as it was opened", (stored.first == loop.first) & (stored.last == loop.last) & (
                stored.endless == loop.endless))
            with m.If(~loop.endless):
                claim(m, "what is left and what was run are what it was opened for",
                      (stored.left + runs == loop.left + 1) & (runs != 0) & (runs <= loop.left))
        with m.If(innermost):
            claim(m, "its end is asked where its body ends", dut.again | dut.closes == (dut.at == loop.last))
            claim(m, "it goes back to its first word", dut.back == loop.first)
            claim(m, "an instruction that goes beyond it is told", dut.beyond == (dut.at > loop.last))
            claim(m, "a loop that is opened inside of it is asked to end in it", dut.around == loop.last)
        with m.If(at_end):
            claim(m, "it is run once more if and only if it was not run as often as it was opened for",
                  dut.again == (loop.endless | (runs < loop.left)))
        witness(m, "it has ended after three times inside of another one", closed & (level == 2) & (runs == 3))

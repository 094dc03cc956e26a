"""Claims of the queue of an engine: instructions are carried out in the order in which they were taken."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.tile.isa import STREAMS
from mho.hw.tile.rtl.engines.issue_queue import InstructionAge, IssueQueue
from tests.proofs.harness import Harness, State, claim, drive_freely, free, witness

__all__ = ["IssueQueueClaims", "queue_of"]


class _Kept(data.StructLayout):
    """What is kept here of an instruction."""

    def __init__(self) -> None:
        super().__init__({"pc": 9, "order": InstructionAge(), "reads": STREAMS})


def queue_of(depth: int) -> IssueQueue:
    """A queue of instructions without descriptors."""
    return IssueQueue(_Kept(), depth)


class IssueQueueClaims(Harness):
    """The solver picks an instruction when it is taken; it goes as it was, behind those that were taken before."""

    def __init__(self, dut: IssueQueue) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        depth = self.dut.depth
        drive_freely(m, dut.i.payload, dut.i.valid, dut.o.ready)
        m.d.comb += dut.soft_reset.eq(0)
        takes, goes = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        valid, count = state["valid"], Signal(range(depth + 1))
        m.d.sync += count.eq(count + takes - goes)
        total: Value = valid[0]
        for k in range(1, depth):
            total = total + valid[k]
        claim(m, "as many are in hand as were taken and have not gone", total == count)
        claim(m, "the engine is busy while any is in hand", dut.busy == (count != 0))
        for k in range(depth):
            place: Any = _Kept()(state[f"place_{k}"])
            claim(m, f"streams are those of what is there: {k}", state[f"reads_{k}"] == Mux(valid[k], place.reads, 0))
        pick, inside, gone = free(m, 1, "pick"), Signal(), Signal()
        before, tracked = Signal(range(depth + 1)), Signal(_Kept())
        with m.If(pick & takes & ~inside & ~gone):
            m.d.sync += [inside.eq(1), tracked.eq(dut.i.payload), before.eq(count - goes)]
        with m.Elif(inside & goes):
            m.d.sync += [before.eq(before - 1), inside.eq(before != 0), gone.eq(before == 0)]
        in_hand: Value = Signal(1)
        ahead: Value = Value.cast(0)
        for k in range(depth):
            matches = valid[k] & (ahead == before) & (state[f"place_{k}"] == tracked.as_value())
            in_hand = in_hand | matches
            ahead = ahead + valid[k]
        with m.If(inside):
            claim(m, "it is in hand, unchanged, behind those that were taken before", in_hand)
            claim(m, "its streams are among those that are read", (dut.reads & tracked.reads) == tracked.reads)
            with m.If(before == 0):
                claim(m, "it is the oldest", dut.oldest == tracked.order.age)
            with m.If((before == 0) & goes):
                claim(m, "it goes as it was taken", dut.o.payload.as_value() == tracked.as_value())
        witness(m, "it has gone", gone)
        witness(m, "no more fit", Mux(dut.i.ready, 0, count == depth))

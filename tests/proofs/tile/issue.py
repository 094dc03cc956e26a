"""Claims of what engines have in hand: no two read the same stream, and an MVM ends once."""

from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from amaranth.hdl import Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import OPCODE_LOW, STREAMS, Op
from mho.hw.tile.rtl.controller import TileController
from mho.hw.tile.rtl.engines import vector_control
from mho.hw.tile.rtl.engines.load import LoadEngine
from mho.hw.tile.rtl.engines.send import SendEngine
from mho.hw.tile.rtl.engines.vector_issue import VectorIssue
from mho.hw.tile.rtl.layouts import IssueLayout
from mho.hw.tile.rtl.windows.addresses import WalkRequest
from tests.proofs.harness import Harness, State, assume, claim, drive_freely, witness
from tests.proofs.tile.execution import AnyUnit

__all__ = ["IssueClaims", "Issued"]

_ISSUED = ("i", "conflict", "order", "others", "settled", "soft_reset")


class Issued(Elaboratable):
    """The engines of a tile, and what gives each its instructions there."""

    def __init__(self, cfg: TileConfig) -> None:
        self.load, self.vector, self.send = LoadEngine(cfg), VectorIssue(cfg), SendEngine(cfg)
        self.issue: Any = stream.Signature(IssueLayout()).create()
        self.settled, self.busy = Signal(), Signal(3)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.load, m.submodules.vector, m.submodules.send = self.load, self.vector, self.send
        sequencer: Any = SimpleNamespace(issue=self.issue, quiet=Signal(), idle=Signal())
        TileController._issue(cast(TileController, self), m, sequencer, self.load, self.vector, self.send,
                    cast(Any, SimpleNamespace(ready=self.settled)))
        return m


class IssueClaims(Harness):
    """Any instructions and descriptors; buffer, tokens, walks, core and vector unit answer anything at any time."""

    def __init__(self, dut: Issued) -> None:
        super().__init__(dut, forgetful=True)

    def elaborate(self, platform: object) -> Module:
        with patch.object(vector_control, "VectorDatapath", AnyUnit):
            return super().elaborate(platform)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        engines = {"load": dut.load, "vector": dut.vector, "send": dut.send}
        for engine in engines.values():
            for path, member, value in engine.signature.flatten(engine):
                if member.flow == In and path[0] not in _ISSUED:
                    drive_freely(m, value)
            m.d.comb += engine.soft_reset.eq(0)
        drive_freely(m, dut.issue.valid, dut.issue.payload, dut.settled)
        op = dut.issue.p.word[OPCODE_LOW:]
        issued: Value = Signal(1)
        for kind in (Op.MVM, Op.IMAGE, Op.CORE, Op.VEC, Op.SEND):
            issued = issued | (op == kind)
        assume(m, ~dut.issue.valid | issued)
        # The sequencer offers an instruction until it is taken, or stops for good.
        offered, stopped, previous = Signal(), Signal(), Signal.like(dut.issue.payload.as_value())
        m.d.sync += [
            offered.eq(dut.issue.valid & ~dut.issue.ready), previous.eq(dut.issue.payload.as_value()),
            stopped.eq(stopped | (offered & ~dut.issue.valid)),
        ]
        unchanged = dut.issue.payload.as_value() == previous
        assume(m, (~offered | ~dut.issue.valid | unchanged) & ~(stopped & dut.issue.valid))
        with m.If(state.at("Look", "load.look_state") | state.at("Order", "load.look_state")):
            claim(m, "load: what it looks at is offered to it, or nothing is", stopped | (
                offered & (Value.cast(previous)[OPCODE_LOW : OPCODE_LOW + 5] == Op.MVM)))
        for first, second in (("load", "vector"), ("load", "send"), ("vector", "send")):
            claim(m, f"{first} and {second} have nothing in hand that reads the same stream",
                  (engines[first].reads & engines[second].reads) == 0)
        waiting: Any = state.part("load.waiting")
        for k in range(waiting.depth):
            place: Any = waiting.o.p.shape()(state[f"load.waiting.place_{k}"])
            claim(m, f"load: streams are those of what waits: {k}", state[f"load.waiting.reads_{k}"] == Mux(
                state["load.waiting.valid"][k], place.reads, 0))
        for name, engine in engines.items():
            takes, wants = Signal(name=f"{name}_takes"), Signal(STREAMS, name=f"{name}_wants")
            m.d.sync += [
                takes.eq(engine.i.valid & engine.i.ready & ((op == Op.MVM) | (op == Op.VEC) | (op == Op.SEND))),
                wants.eq(engine.wants),
            ]
            with m.If(takes):
                claim(m, f"{name}: what it has taken it reads", (engine.reads & wants) == wants)
                claim(m, f"{name}: it is at work on that", engine.busy)
            witness(m, f"{name}: it has taken what reads a stream", takes & (wants != 0))
        self._window(m, dut.load, state)

    def _window(self, m: Module, load: Any, state: State) -> None:
        """The codes of a product: read while its stream is among those of the engine; then it ends, once."""
        gather, window = state.part("load.gather"), state.part("load.window")
        first = state["load.waiting.valid"][0]
        job = state.part("load.waiting").o.p
        at = {name: state.at(name, "load.fsm_state") for name in ("Window", "Operation", "Leave")}
        walks, job_reads, begins = load.walks, Signal(STREAMS), state["load.start"]
        # As the walker does.
        assume(m, ~walks.done | (walks.valid & ~walks.wrong & ~(walks.hold & (walks.todo == WalkRequest.PLAN))))
        with m.If(window.opens):
            m.d.sync += job_reads.eq(job.reads)
        with m.If(at["Operation"] | at["Leave"]):
            claim(m, "load: it is at work on something", first)
        with m.If(begins):
            claim(m, "load: a window that has opened is that of the product at hand",
                  at["Operation"] & (job.reads == job_reads) & (state["load.gathered"] == job_reads))
        with m.If(gather.busy):
            claim(m, "load: it knows what is read", state["load.gathered"] == job_reads)
        with m.If(gather.busy | begins):
            claim(m, "load: while codes are read it has their stream in hand", (load.reads & job_reads) == job_reads)
        pending, gone, begun = state["load.pending"], state["load.gone"], Signal(2)
        m.d.sync += begun.eq(begun + (load.op.valid & load.op.ready) - load.ends)
        claim(m, "load: of those that have begun one has not ended at most, and each ends once", begun == pending)
        claim(m, "load: the walk of what has begun has gone on before the next", Mux(
            at["Leave"], pending & ~gone, ~pending | gone))
        witness(m, "load: a product has ended", load.ends)

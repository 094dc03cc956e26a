"""The engine of VEC: whether a vector operation is legal, and its order among others."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw.core.port import join
from mho.hw.ports import In, Out
from mho.hw.tile.isa import STREAMS, Cause, Engine, Op, Operand
from mho.hw.tile.isa.rules import TARGET_RULES, Use, is_draw
from mho.hw.tile.rtl.engines.checks import SourceLayout, VecCheck
from mho.hw.tile.rtl.engines.descriptors import Fetcher
from mho.hw.tile.rtl.engines.issue_queue import IssueQueue, IssuingEngine
from mho.hw.tile.rtl.engines.vector_control import FLAGS, VecLayout, VectorControl, VectorPorts, sources
from mho.hw.tile.rtl.layouts import IssueLayout
from mho.hw.tile.rtl.rings import AskPort
from mho.hw.tile.rtl.sequencer.loops import field
from mho.hw.tile.rtl.windows.addresses import WalkRequest

_WAITING = 5
"""Instructions that are taken, the one that is carried out among them."""


class OperationQueue(IssueQueue):
    """Operations that were taken."""

    def __init__(self, draws: bool = False) -> None:
        self.draws = draws
        super().__init__(VecLayout(draws), _WAITING)


class VectorIssue(IssuingEngine, VectorPorts):
    """Carries out VEC, one at a time, while the next one is looked at and four more wait.

    An instruction is taken from ``i`` when it is found legal: in order with those of other engines, and when none of
    these is at work on a stream that both read.
    """

    drains = Out(1)
    none = In(1)
    codes = In(9)
    """Strobe: one is taken that takes a product of the core; there is none; how many codes the oldest one gives."""
    look_ask = Out(AskPort())
    """The tokens, for what is looked at."""
    begins = In(1, when=lambda self: self.cfg.draws)
    """Of a tile that draws: a strobe with which another image begins."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.submodules.execution = execution = VectorControl(self.cfg)
        m.submodules.waiting = waiting = OperationQueue(self.cfg.draws)
        m.submodules.fetch_vec = fetch = Fetcher("vec")
        connect(m, waiting.o, execution.i)
        join(m, wiring.Signature(VectorPorts.ports_for(self.cfg)), execution, flipped(self))
        connect(m, fetch.fetch, flipped(self.fetch))
        issue = Signal(IssueLayout(), reset_less=True)
        entry, vec = waiting.i.p, fetch.o
        looks = {name: Signal(SourceLayout(), name=f"look_{name}") for name in "ab"}
        walk, of_stream = sources(vec)
        # A bit for each stream: what other engines ask is whether any is read by both.
        reads = {name: Signal(STREAMS, name=f"reads_{name}") for name in looks}
        for name in looks:
            with m.If(walk[name] | of_stream[name]):
                m.d.comb += reads[name].eq(1 << looks[name].number)
        m.d.comb += [
            fetch.number.eq(field(issue.word, Op.VEC, "vec")), self.wants.eq(reads["a"] | reads["b"]),
            *(entry.flags[name].eq(field(issue.word, Op.VEC, name)) for name in FLAGS), entry.pc.eq(issue.pc),
            entry.vec.eq(vec), entry.order.eq(self.order), entry.reads.eq(self.wants),
            entry.a.eq(looks["a"].number), entry.b.eq(looks["b"].number),
            self.busy.eq(waiting.busy), self.oldest.eq(waiting.oldest), self.reads.eq(waiting.reads),
            self.ends.eq(waiting.o.valid & waiting.o.ready),
        ]
        self._look(m, issue, fetch, looks, waiting)
        if self.cfg.draws:
            first = Signal(name="first_draw")
            m.d.comb += entry.first.eq(first)
            with m.If(self.begins):
                m.d.sync += first.eq(1)
            with m.Elif(waiting.i.valid & waiting.i.ready & is_draw(vec)):
                m.d.sync += first.eq(0)
        return self.resets(m)

    def _look(self, m: Module, issue: data.View, fetch: Fetcher, looks: dict[str, Any], waiting: IssueQueue) -> None:
        vec = fetch.o
        walk, of_stream = sources(vec)
        m.submodules.check = check = VecCheck(self.cfg)
        m.d.comb += [
            check.word.eq(issue.word), check.vec.eq(vec), check.walk.eq(self.look.walk),
            check.wrongs.eq(self.look.wrongs), check.look.eq(self.look.look),
            check.block.eq(self.look_ask.ring.block), check.wrong.eq(self.look_ask.ring.wrong),
            check.a.eq(looks["a"]), check.b.eq(looks["b"]),
        ]
        breaks = Signal(len(TARGET_RULES), name="target_breaks")
        wrong = Signal(2)
        cause = Signal(4)
        about = Signal(4)
        m.d.comb += [check.target_breaks.eq(breaks), check.target_wrong.eq(wrong)]
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += issue.eq(self.i.payload)
                m.d.sync += [breaks.eq(0), wrong.eq(0)]
                with m.If(self.i.valid & self.settled):
                    m.d.comb += fetch.start.eq(1)
                    m.next = "Descriptor"
            with m.State("Descriptor"):
                with m.If(fetch.done):
                    m.next = "Look a"
            self._source(m, "a", "Look b", walk["a"], of_stream["a"], vec.a, check, looks["a"])
            self._source(m, "b", "Judge", walk["b"], of_stream["b"], vec.b, check, looks["b"], of_stream["target"])
            with m.State("Look target"):
                ring = self.look_ask.ring
                use = Use(Op.VEC, {}, self.cfg, vec=vec, streams={"target": ring})
                m.d.comb += [self.look_ask.stream.eq(vec.target[:4]), self.look_ask.valid.eq(1)]
                m.d.sync += [breaks.eq(Cat(rule.breaks(use) for rule in TARGET_RULES)), wrong.eq(ring.wrong)]
                with m.If(self.look_ask.ready):
                    m.next = "Judge"
            with m.State("Judge"):
                # All products before it were issued, and the oldest one stays until this is taken.
                drains = vec.a == Operand.DRAIN
                odd = Signal()
                # The core gives codes two in a word: one may be left over.
                m.d.comb += odd.eq((vec.elements != self.codes) & (vec.elements + 1 != self.codes))
                m.d.sync += [cause.eq(check.cause), about.eq(check.stream)]
                with m.If((check.cause == 0) & drains & (self.none | odd)):
                    m.d.sync += cause.eq(Cause.PRODUCT)
                m.next = "Order"
            with m.State("Order"):
                self._order(m, issue, vec, cause, about, waiting)

    def _order(
        self, m: Module, issue: data.View, vec: data.View, cause: Value, about: Value, waiting: IssueQueue,
    ) -> None:
        """Takes the instruction, or traps when nothing that is older may."""
        with m.If(~self.i.valid):
            # The program has stopped.
            m.next = "Idle"
        with m.Elif(cause != 0):
            # What is older may trap too, and has the first say.
            with m.If(~waiting.busy & ~self.others):
                m.d.comb += [
                    self.found.trap.cause.eq(cause), self.found.trap.engine.eq(Engine.SEQUENCER),
                    self.found.trap.pc.eq(issue.pc), self.found.order.eq(self.order),
                    self.found.trap.stream.eq(about),
                ]
        with m.Elif(~self.conflict & waiting.i.ready):
            m.d.comb += [self.i.ready.eq(1), self.drains.eq(vec.a == Operand.DRAIN), waiting.i.valid.eq(1)]
            m.next = "Idle"

    def _source(
        self, m: Module, name: str, following: str, walk: Value, stream: Value, operand: Value, check: VecCheck,
        source: Signal, target: Value | None = None,
    ) -> None:
        """What is wrong with a source."""
        with m.State(f"Look {name}"):
            m.d.comb += [
                check.second.eq(name == "b"), self.look.number.eq(operand), self.look.todo.eq(WalkRequest.LOOK),
                self.look.valid.eq(walk), self.look_ask.stream.eq(operand[:4]), self.look_ask.valid.eq(stream),
            ]
            # Both sources go through one check, so what it found of the first one is kept.
            m.d.sync += source.eq(check.found)
            with m.If(Mux(walk, self.look.done, self.look_ask.ready | ~stream)):
                m.next = following
                if target is not None:
                    with m.If(target):
                        m.next = "Look target"

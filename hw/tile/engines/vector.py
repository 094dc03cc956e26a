"""The engine of VEC: what a vector operation needs, and what it leaves."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.block import Resettable
from hw.tile.buffer import ReadPort, WritePort
from hw.tile.config import TileConfig
from hw.tile.engines.checks import SourceLayout, VecCheck
from hw.tile.engines.descriptors import FetchPort
from hw.tile.engines.fetcher import Fetcher
from hw.tile.isa import STREAMS, Cause, Engine, Kind, Op, Operand
from hw.tile.lanes import VectorUnit
from hw.tile.lanes.unit import MemoryWrite
from hw.tile.sequencer import IssueLayout
from hw.tile.sequencer.decoder import field
from hw.tile.sequencer.sequencer import TrapLayout
from hw.tile.tokens import AskPort, Change
from hw.tile.walker import Todo, WalkPort, Window

__all__ = ["VectorEngine"]


class VectorEngine(Resettable):
    """Carries out VEC, one at a time: fetches its descriptors, waits for its blocks, gives back and shows.

    An instruction is taken from ``i`` when it begins to wait for blocks: in order with those of other engines, and when
    none of these is at work on a stream that both read or both write.

    Members
    -------
    i : In(stream of IssueLayout())
        Instructions.
    settled, conflict : In(1)
        Walks are where they are to be; another engine is at work on the same stream.
    busy, reads, writes : Out(1), Out(16), Out(16)
        One is at hand; streams that it reads and writes.
    drains, none, codes : Out(1), In(1), In(9)
        Strobe: it begins, and takes a product of the core; there is none; how many codes the oldest one gives.
    trap : Out(TrapLayout())
        Why it stopped, for a cycle.
    fetch, walks : Out(FetchPort()), Out(WalkPort())
        Descriptor memory, and the walks.
    ask, change : Out(AskPort()), Out(stream of Change())
        The tokens.
    read, write, drain, result, summing, memory
        As at :class:`hw.tile.lanes.VectorUnit`.
    sum_context : Out(2)
        Context of the sums that it takes.
    """

    i: stream.Interface
    settled: Value
    conflict: Value
    busy: Value
    reads: Value
    writes: Value
    drains: Value
    none: Value
    codes: Value
    trap: Any
    fetch: Any
    walks: Any
    ask: Any
    change: stream.Interface
    read: Any
    write: Any
    drain: stream.Interface
    result: stream.Interface
    memory: stream.Interface
    sum_context: Value
    summing: Value

    def __init__(self, cfg: TileConfig) -> None:
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(IssueLayout())), "settled": In(1), "conflict": In(1), "busy": Out(1),
            "reads": Out(STREAMS), "writes": Out(STREAMS), "drains": Out(1), "none": In(1), "codes": In(9),
            "trap": Out(TrapLayout()),
            "fetch": Out(FetchPort()), "walks": Out(WalkPort()),
            "ask": Out(AskPort()), "change": Out(stream.Signature(Change())),
            "read": Out(ReadPort()), "write": Out(WritePort()), "drain": In(stream.Signature(unsigned(32))),
            "result": In(stream.Signature(unsigned(cfg.payload_bits))), "sum_context": Out(2), "summing": Out(1),
            "memory": In(stream.Signature(MemoryWrite())),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.submodules.unit = unit = VectorUnit(self.cfg)
        m.submodules.fetch_vec = fetch = Fetcher("vec")
        windows = {"a": Window(), "b": Window()}
        word, pc = Signal(32, reset_less=True), Signal.like(self.trap.pc, reset_less=True)
        vec = fetch.o
        both = (vec.kind != Kind.TABLE) & (vec.b != Operand.NONE)
        is_walk = {"a": vec.a[4] & ~vec.a[3], "b": both & vec.b[4] & ~vec.b[3]}
        is_stream = {"a": ~vec.a[4], "b": both & ~vec.b[4], "target": ~vec.target[4]}
        for name in ("read", "write", "drain", "result", "memory"):
            connect(m, getattr(unit, name), flipped(getattr(self, name)))
        m.d.comb += [unit.job.eq(vec), fetch.number.eq(field(word, Op.VEC, "vec")), self.sum_context.eq(vec.a[:2] - 2)]
        m.d.comb += self.summing.eq(unit.summing)
        connect(m, fetch.fetch, flipped(self.fetch))
        looks = {name: Signal(SourceLayout(), name=f"look_{name}") for name in windows}
        reads = {name: Signal(STREAMS, name=f"reads_{name}") for name in windows}
        for name, window in windows.items():
            m.submodules[f"window_{name}"] = window
            connect(m, window.o, getattr(unit, f"{name}_term"))
            m.d.comb += [window.walk.eq(self.walks.walk), window.plan.eq(self.walks.plan)]
            with m.If(is_walk[name] | is_stream[name]):
                m.d.comb += reads[name].eq(1 << looks[name].number)
        made = Signal(STREAMS)
        with m.If(is_stream["target"]):
            m.d.comb += made.eq(1 << vec.target[:4])
        m.d.comb += [self.reads.eq(reads["a"] | reads["b"]), self.writes.eq(made)]
        self._run(m, word, pc, fetch, windows, looks, unit, is_walk, is_stream)
        return self.resets(m)

    def _run(
        self, m: Module, word: Signal, pc: Signal, fetch: Fetcher, windows: dict[str, Window], looks: dict[str, Any],
        unit: Any, is_walk: dict[str, Value], is_stream: dict[str, Value],
    ) -> None:
        vec = fetch.o
        m.submodules.check = check = VecCheck(self.cfg)
        m.d.comb += [
            check.word.eq(word), check.vec.eq(vec), check.walk.eq(self.walks.walk), check.wrongs.eq(self.walks.wrongs),
            check.look.eq(self.walks.look), check.block.eq(self.ask.ring.block), check.wrong.eq(self.ask.ring.wrong),
            check.a.eq(looks["a"]), check.b.eq(looks["b"]),
        ]
        outside, remote, wrong = Signal(), Signal(), Signal(2)
        m.d.comb += [check.outside.eq(outside), check.remote.eq(remote), check.target_wrong.eq(wrong)]
        there = {name: Signal(name=f"{name}_there") for name in windows}
        missing = {name: is_walk[name] & ~there[name] for name in windows}
        with m.FSM() as machine:
            with m.State("Idle"):
                m.d.sync += [word.eq(self.i.p.word), pc.eq(self.i.p.pc)]
                with m.If(self.i.valid & self.settled):
                    m.next = "Fetch"
            with m.State("Fetch"):
                m.d.comb += fetch.start.eq(1)
                m.next = "Descriptor"
            with m.State("Descriptor"):
                with m.If(fetch.done):
                    m.next = "Look a"
            self._look(m, "a", "Look b", is_walk["a"], is_stream["a"], vec.a, check, looks["a"])
            self._look(m, "b", "Look target", is_walk["b"], is_stream["b"], vec.b, check, looks["b"])
            with m.State("Look target"):
                ring, end, wanted = self.ask.ring, Signal(12), is_stream["target"]
                m.d.comb += [
                    self.ask.stream.eq(vec.target[:4]), self.ask.valid.eq(wanted),
                    end.eq(vec.target_offset + vec.elements),
                ]
                m.d.sync += [
                    outside.eq(wanted & (Mux(vec.wide, end << 1, end) > ring.block)), remote.eq(wanted & ring.remote),
                    wrong.eq(Mux(wanted, ring.wrong, 0)),
                ]
                with m.If(~wanted | self.ask.ready):
                    m.next = "Order"
            with m.State("Order"):
                drains, odd = vec.a == Operand.DRAIN, Signal()
                m.d.comb += odd.eq((vec.elements != self.codes) & (vec.elements + 1 != self.codes))
                with m.If(check.cause != 0):
                    m.d.comb += [
                        self.trap.cause.eq(check.cause), self.trap.engine.eq(Engine.SEQUENCER), self.trap.pc.eq(pc),
                        self.trap.stream.eq(check.stream),
                    ]
                with m.Elif(drains & (self.none | odd)):
                    m.d.comb += [
                        self.trap.cause.eq(Cause.PRODUCT), self.trap.engine.eq(Engine.SEQUENCER), self.trap.pc.eq(pc),
                    ]
                with m.Elif(~self.conflict):
                    m.d.comb += [self.i.ready.eq(1), self.drains.eq(drains)]
                    m.d.sync += [one.eq(0) for one in there.values()]
                    m.next = "Ask a"
                    with m.If(is_walk["a"] | is_walk["b"]):
                        m.next = "Plan a"
            self._plan(m, "a", "Plan b", missing, vec.a, windows["a"], there)
            self._plan(m, "b", "Planned", missing, vec.b, windows["b"], there)
            with m.State("Planned"):
                m.next = "Ask a"
                with m.If(missing["a"] | missing["b"]):
                    m.next = "Plan a"
            with m.State("Wrong"):
                # For ever, as what is illegal.
                pass
            self._ask(m, "a", "Ask b", is_stream["a"], vec.a, unit.a_block)
            self._ask(m, "b", "Ask target", is_stream["b"], vec.b, unit.b_block)
            self._ask(m, "target", "Start", is_stream["target"], vec.target, unit.target_block)
            with m.State("Start"):
                m.d.comb += unit.start.eq(1)
                m.next = "Run"
            with m.State("Run"):
                with m.If(unit.done):
                    m.next = "Leave a"
            self._leave(m, word, "a", "Leave b", is_walk["a"], vec.a)
            self._leave(m, word, "b", "Free a", is_walk["b"], vec.b)
            free = {name: field(word, Op.VEC, f"free_{name}") & is_stream[name] for name in ("a", "b")}
            self._change(m, "Free a", "Free b", free["a"], vec.a, True)
            self._change(m, "Free b", "Show", free["b"], vec.b, True)
            self._change(m, "Show", "Idle", field(word, Op.VEC, "push"), vec.target, False)
        m.d.comb += self.busy.eq(~machine.ongoing("Idle"))
        with m.If(self.walks.wrong):
            m.d.comb += [
                self.trap.cause.eq(Cause.RING), self.trap.engine.eq(Engine.VECTOR), self.trap.pc.eq(pc),
                self.trap.stream.eq(Mux(machine.ongoing("Plan b"), looks["b"].number, looks["a"].number)),
            ]

    def _look(
        self, m: Module, name: str, following: str, walk: Value, stream: Value, operand: Value, check: Any,
        found: Signal,
    ) -> None:
        """What is wrong with a source."""
        with m.State(f"Look {name}"):
            m.d.comb += [
                check.second.eq(name == "b"), self.walks.number.eq(operand), self.walks.todo.eq(Todo.LOOK),
                self.walks.valid.eq(walk), self.ask.stream.eq(operand[:4]), self.ask.valid.eq(stream),
            ]
            m.d.sync += found.eq(check.found)
            with m.If(Mux(walk, self.walks.done, self.ask.ready | ~stream)):
                m.next = following

    def _plan(
        self, m: Module, name: str, following: str, missing: dict[str, Value], operand: Value, window: Window,
        there: dict[str, Signal],
    ) -> None:
        """Waits for a window, not longer than for the other one: each of them may be wrong."""
        other = "b" if name == "a" else "a"
        with m.State(f"Plan {name}"):
            m.d.comb += [
                self.walks.number.eq(operand), self.walks.todo.eq(Todo.PLAN), self.walks.hasty.eq(missing[other]),
                self.walks.valid.eq(missing[name]), window.opens.eq(self.walks.done),
            ]
            with m.If(self.walks.done):
                m.d.sync += there[name].eq(1)
            with m.If(self.walks.done | self.walks.later | ~missing[name]):
                m.next = following
            with m.If(self.walks.wrong):
                m.next = "Wrong"

    def _leave(self, m: Module, word: Value, name: str, following: str, walk: Value, operand: Value) -> None:
        """A walk goes on."""
        wanted = walk & field(word, Op.VEC, f"advance_{name}")
        with m.State(f"Leave {name}"):
            m.d.comb += [
                self.walks.number.eq(operand), self.walks.todo.eq(Todo.GO), self.walks.valid.eq(wanted),
                self.walks.advance.eq(1), self.walks.free.eq(field(word, Op.VEC, f"free_{name}")),
            ]
            with m.If(self.walks.done | ~wanted):
                m.next = following

    def _ask(self, m: Module, name: str, following: str, wanted: Value, number: Value, block: Value) -> None:
        """Waits for a block, or for room, and remembers where it is."""
        ring, at = self.ask.ring, Signal(16, name=f"{name}_at", reset_less=True)
        m.d.comb += block.eq(at)
        good = ring.there != ring.blocks if name == "target" else ring.there != 0
        with m.State(f"Ask {name}"):
            m.d.comb += [self.ask.stream.eq(number[:4]), self.ask.valid.eq(wanted)]
            m.d.sync += at.eq(ring.base + (ring.tail if name == "target" else ring.head))
            with m.If(~wanted | (self.ask.ready & good)):
                m.next = following

    def _change(self, m: Module, state: str, following: str, wanted: Value, number: Value, free: bool) -> None:
        with m.State(state):
            m.d.comb += [
                self.change.valid.eq(wanted), self.change.p.stream.eq(number[:4]), self.change.p.free.eq(int(free)),
            ]
            with m.If(~wanted | self.change.ready):
                m.next = following

"""The engine of VEC: what a vector operation needs, and what it leaves."""

from typing import Any

from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.block import Resettable
from hw.tile.buffer import ReadPort, WritePort
from hw.tile.config import TileConfig
from hw.tile.engines.checks import VecCheck
from hw.tile.engines.descriptors import PLACES, FetchPort
from hw.tile.engines.fetcher import Fetcher
from hw.tile.isa import STREAMS, Cause, Engine, Kind, Op, Operand
from hw.tile.lanes import VectorUnit
from hw.tile.lanes.unit import MemoryWrite
from hw.tile.sequencer import IssueLayout
from hw.tile.sequencer.decoder import field
from hw.tile.sequencer.sequencer import DescriptorWrite, TrapLayout
from hw.tile.tokens import AskPort, Change
from hw.tile.walker import Walker

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
    fetch, place : Out(FetchPort()), Out(stream of DescriptorWrite())
        Descriptor memory.
    ask, ask_a, ask_b, change, change_a, change_b
        The tokens, its own and those of its walks.
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
    place: stream.Interface
    ask: Any
    ask_a: Any
    ask_b: Any
    change: stream.Interface
    change_a: stream.Interface
    change_b: stream.Interface
    read: Any
    write: Any
    drain: stream.Interface
    result: stream.Interface
    memory: stream.Interface
    sum_context: Value
    summing: Value

    def __init__(self, cfg: TileConfig) -> None:
        self.cfg = cfg
        change = Out(stream.Signature(Change()))
        super().__init__({
            "i": In(stream.Signature(IssueLayout())), "settled": In(1), "conflict": In(1), "busy": Out(1),
            "reads": Out(STREAMS), "writes": Out(STREAMS), "drains": Out(1), "none": In(1), "codes": In(9),
            "trap": Out(TrapLayout()),
            "fetch": Out(FetchPort()), "place": Out(stream.Signature(DescriptorWrite())),
            "ask": Out(AskPort()), "ask_a": Out(AskPort()), "ask_b": Out(AskPort()),
            "change": change, "change_a": change, "change_b": change,
            "read": Out(ReadPort()), "write": Out(WritePort()), "drain": In(stream.Signature(unsigned(32))),
            "result": In(stream.Signature(unsigned(cfg.payload_bits))), "sum_context": Out(2), "summing": Out(1),
            "memory": In(stream.Signature(MemoryWrite())),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.submodules.unit = unit = VectorUnit(self.cfg)
        m.submodules.fetch_vec = fetch = Fetcher("vec")
        m.submodules.fetch_a = fetch_a = Fetcher("walk")
        m.submodules.fetch_b = fetch_b = Fetcher("walk")
        m.submodules.walker_a = walker_a = Walker()
        m.submodules.walker_b = walker_b = Walker()
        word, pc = Signal(32, reset_less=True), Signal.like(self.trap.pc, reset_less=True)
        vec = fetch.o
        both = (vec.kind != Kind.TABLE) & (vec.b != Operand.NONE)
        is_walk = {"a": vec.a[4] & ~vec.a[3], "b": both & vec.b[4] & ~vec.b[3]}
        is_stream = {"a": ~vec.a[4], "b": both & ~vec.b[4], "target": ~vec.target[4]}
        walkers, fetchers = {"a": walker_a, "b": walker_b}, {"a": fetch_a, "b": fetch_b}
        for name in ("read", "write", "drain", "result", "memory"):
            connect(m, getattr(unit, name), flipped(getattr(self, name)))
        m.d.comb += [unit.job.eq(vec), fetch.number.eq(field(word, Op.VEC, "vec")), self.sum_context.eq(vec.a[:2] - 2)]
        m.d.comb += self.summing.eq(unit.summing)
        for name in ("a", "b"):
            walker, fetcher = walkers[name], fetchers[name]
            connect(m, walker.o, getattr(unit, f"{name}_term"))
            connect(m, walker.ask, flipped(getattr(self, f"ask_{name}")))
            connect(m, walker.change, flipped(getattr(self, f"change_{name}")))
            m.d.comb += [
                fetcher.number.eq(vec[name][:3]), walker.walk.eq(fetcher.o), walker.place.eq(fetcher.place),
                walker.advance.eq(field(word, Op.VEC, f"advance_{name}")),
                walker.free.eq(field(word, Op.VEC, f"free_{name}")),
            ]
        self._share_fetch(m, (fetch, fetch_a, fetch_b))
        sources = [Signal(STREAMS, name=f"reads_{name}") for name in ("a", "b")]
        for name, mask in zip(("a", "b"), sources, strict=True):
            with m.If(is_walk[name]):
                m.d.comb += mask.eq(1 << fetchers[name].o.stream)
            with m.Elif(is_stream[name]):
                m.d.comb += mask.eq(1 << vec[name][:4])
        made = Signal(STREAMS)
        with m.If(is_stream["target"]):
            m.d.comb += made.eq(1 << vec.target[:4])
        m.d.comb += [self.reads.eq(sources[0] | sources[1]), self.writes.eq(made)]
        self._run(m, word, pc, fetch, fetchers, walkers, unit, is_walk, is_stream)
        return self.resets(m)

    def _share_fetch(self, m: Module, fetchers: tuple[Fetcher, ...]) -> None:
        """One port for fetchers of which one reads at a time."""
        for one in fetchers:
            m.d.comb += [one.fetch.ready.eq(self.fetch.ready), one.fetch.data.eq(self.fetch.data)]
            with m.If(one.fetch.valid):
                m.d.comb += [self.fetch.valid.eq(1), self.fetch.index.eq(one.fetch.index)]

    def _run(
        self, m: Module, word: Signal, pc: Signal, fetch: Fetcher, fetchers: dict[str, Fetcher],
        walkers: dict[str, Walker], unit: Any, is_walk: dict[str, Value], is_stream: dict[str, Value],
    ) -> None:
        vec = fetch.o
        m.submodules.check = check = VecCheck(self.cfg)
        m.d.comb += [
            check.word.eq(word), check.vec.eq(vec), check.walk_a.eq(fetchers["a"].o), check.walk_b.eq(fetchers["b"].o),
        ]
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
                    m.next = "Fetch a"
            self._fetch_walk(m, "a", "Fetch b", fetchers["a"], is_walk["a"])
            self._fetch_walk(m, "b", "Order", fetchers["b"], is_walk["b"])
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
                    m.d.comb += [walkers[name].start.eq(is_walk[name]) for name in walkers]
                    m.next = "Ask a"
            self._ask(m, "a", "Ask b", is_stream["a"], vec.a, unit.a_block)
            self._ask(m, "b", "Ask target", is_stream["b"], vec.b, unit.b_block)
            self._ask(m, "target", "Start", is_stream["target"], vec.target, unit.target_block)
            with m.State("Start"):
                there = [walkers[name].o.valid | ~is_walk[name] for name in walkers]
                with m.If(there[0] & there[1]):
                    m.d.comb += unit.start.eq(1)
                    m.next = "Run"
            with m.State("Run"):
                with m.If(unit.done):
                    m.d.comb += [walkers[name].finish.eq(is_walk[name]) for name in walkers]
                    m.next = "Place a"
            self._keep(m, "a", "Place b", walkers["a"], is_walk["a"], vec.a)
            self._keep(m, "b", "Free a", walkers["b"], is_walk["b"], vec.b)
            free = {name: field(word, Op.VEC, f"free_{name}") & is_stream[name] for name in ("a", "b")}
            self._change(m, "Free a", "Free b", free["a"], vec.a, True)
            self._change(m, "Free b", "Show", free["b"], vec.b, True)
            self._change(m, "Show", "Idle", field(word, Op.VEC, "push"), vec.target, False)
        m.d.comb += self.busy.eq(~machine.ongoing("Idle"))
        for name, walker in walkers.items():
            with m.If(walker.wrong):
                m.d.comb += [
                    self.trap.cause.eq(Cause.RING), self.trap.engine.eq(Engine.VECTOR), self.trap.pc.eq(pc),
                    self.trap.stream.eq(fetchers[name].o.stream),
                ]

    def _fetch_walk(self, m: Module, name: str, following: str, fetcher: Fetcher, wanted: Value) -> None:
        with m.State(f"Fetch {name}"):
            m.d.comb += fetcher.start.eq(wanted)
            m.next = f"Walk {name}"
            with m.If(~wanted):
                m.next = following
        with m.State(f"Walk {name}"), m.If(fetcher.done):
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

    def _keep(self, m: Module, name: str, following: str, walker: Walker, wanted: Value, operand: Value) -> None:
        """Waits until a walk has gone on, and writes where it is."""
        row = PLACES + (operand[:3] << 1)
        with m.State(f"Place {name}"), m.If(~walker.busy | ~wanted):
            m.next = f"Column {name}"
            with m.If(~wanted):
                m.next = following
        for state, after, offset, what in (
            (f"Column {name}", f"Origin {name}", 0, walker.next.as_value()[:20]),
            (f"Origin {name}", following, 1, walker.next.origin),
        ):
            with m.State(state):
                m.d.comb += [self.place.valid.eq(1), self.place.p.index.eq(row + offset), self.place.p.word.eq(what)]
                with m.If(self.place.ready):
                    m.next = after

    def _change(self, m: Module, state: str, following: str, wanted: Value, number: Value, free: bool) -> None:
        with m.State(state):
            m.d.comb += [
                self.change.valid.eq(wanted), self.change.p.stream.eq(number[:4]), self.change.p.free.eq(int(free)),
            ]
            with m.If(~wanted | self.change.ready):
                m.next = following

"""What a vector operation waits for, and what it leaves."""

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw.core.draws import Draws
from mho.hw.core.port import join
from mho.hw.ports import In, Out
from mho.hw.tile.isa import STREAMS, Cause, Engine, Kind, Operand
from mho.hw.tile.isa.rules import is_draw
from mho.hw.tile.rtl.engines.issue_queue import IMAGE_BITS, InstructionAge, PendingTrap
from mho.hw.tile.rtl.lanes.datapath import DatapathPorts, VectorDatapath
from mho.hw.tile.rtl.layouts import PC_BITS, DescriptorLayout
from mho.hw.tile.rtl.rings import AskPort, Change
from mho.hw.tile.rtl.windows.addresses import AddressGenerator, WalkPort, WalkRequest
from mho.macro_models.integer.draws import NUMBER_BITS

FLAGS = ("advance_a", "advance_b", "free_a", "free_b", "push")
"""Fields of VEC of one bit."""


class VecLayout(data.StructLayout):
    """A VEC that was taken.

    ``pc``, ``flags``, ``vec``: the instruction and its descriptor; ``order`` among those in hand; ``reads``: its
    streams, a bit each; ``a``, ``b``: numbers of those of its sources; of a tile that ``draws`` whether it is the
    ``first`` one of its image that does.
    """

    def __init__(self, draws: bool) -> None:
        super().__init__({
            "pc": PC_BITS, "flags": data.StructLayout(dict.fromkeys(FLAGS, 1)), "vec": DescriptorLayout("vec"),
            "order": InstructionAge(), "reads": STREAMS, "a": 4, "b": 4, **({"first": 1} if draws else {}),
        })


def sources(vec: data.View) -> tuple[dict[str, Value], dict[str, Value]]:
    """Which sources are walks; which ones, and whether the target, are streams."""
    both = (vec.kind != Kind.TABLE) & (vec.b != Operand.NONE)
    walks = {"a": vec.a[4] & ~vec.a[3], "b": both & vec.b[4] & ~vec.b[3]}
    return walks, {"a": ~vec.a[4], "b": both & ~vec.b[4], "target": ~vec.target[4]}


class VectorPorts(DatapathPorts):
    """What carries out VEC reaches."""

    found = Out(PendingTrap())
    """Why it stopped, from then on."""
    walks = Out(WalkPort())
    ask = Out(AskPort())
    change = Out(stream.Signature(Change()))
    """Walks and tokens."""
    moved = In(1)
    """A block of some ring came or was given back in the cycle before."""
    sum_context = Out(2)
    """Context of the sums that it takes."""
    key = In(64, when=lambda self: self.cfg.draws)
    image = In(32, when=lambda self: self.cfg.draws)
    """Of a tile that draws: the key, and the number of the image that instructions are issued for."""


class VectorControl(VectorPorts):
    """Carries out VEC, one at a time: waits for its windows and blocks, computes, gives back and shows.

    Only what an operation needs takes time: of one that takes the drain and adds to accumulators three cycles beside
    those of the vector unit, one or two more for each stream that it reads, one for a block that it shows. Room for its
    target is asked for while operands are taken, and when all are, it gives back what it read while results are made.
    """

    i = In(lambda self: stream.Signature(VecLayout(self.cfg.draws)))
    """What was taken; it goes when it is done."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.submodules.unit = unit = VectorDatapath(self.cfg)
        m.submodules.window = window = AddressGenerator(self.cfg.buffer_bytes, count=2)
        job = self.i.p
        vec = job.vec
        self._walk, self._stream = sources(vec)
        self._begins = Signal(name="begins")
        join(m, wiring.Signature(DatapathPorts.ports_for(self.cfg)), unit, flipped(self))
        m.d.comb += [
            unit.job.eq(vec), self.sum_context.eq(vec.a[:2] - 2),
            self.found.order.eq(job.order), self.found.trap.engine.eq(Engine.VECTOR),
            self.found.trap.pc.eq(job.pc),
        ]
        connect(m, window.o, unit.term)
        m.d.comb += [
            window.walk.eq(self.walks.walk), window.plan.eq(self.walks.plan), window.asked.eq(unit.second),
        ]
        draws = self._draws(m, unit) if self.cfg.draws else None
        self._run(m, unit, window, draws)
        return self.resets(m)

    def _draws(self, m: Module, unit: VectorDatapath) -> Draws:
        """Random numbers of the operation, by the number of its draw and that of its image."""
        m.submodules.draws = draws = Draws()
        job = self.i.p
        number = Signal(NUMBER_BITS)
        drawing = Signal()
        # Behind the last numbers of a draw those of the next one are mixed: an image's first one alone waits for that.
        begins = Signal(name="first_begins")
        m.d.sync += drawing.eq(unit.active & is_draw(job.vec))
        m.d.comb += [
            begins.eq(self._begins & job.first & is_draw(job.vec)), draws.start.eq(begins | (drawing & ~unit.active)),
        ]
        low = self.image[:IMAGE_BITS]
        # The image may be some behind the one of what is issued now: the difference is in the low bits.
        m.d.comb += [
            draws.key.eq(self.key), draws.number.eq(number),
            draws.image.eq(Cat(job.order.image, self.image[IMAGE_BITS:] - (job.order.image > low))),
            unit.drawn.eq(draws.word), draws.next.eq(unit.draws),
        ]
        with m.If(draws.start):
            m.d.sync += number.eq(Mux(begins, 0, number + 1))
        return draws

    def _run(
        self, m: Module, unit: VectorDatapath, window: AddressGenerator, draws: Draws | None
    ) -> None:
        job, walk, stream = self.i.p, self._walk, self._stream
        vec, flags = job.vec, job.flags
        planned = {name: Signal(name=f"{name}_there") for name in "ab"}
        missing = {name: walk[name] & ~planned[name] for name in planned}
        # Something came or went since the first window was waited for; the block or room was not there.
        wrong = Signal()
        news = Signal()
        again = Signal()
        asks = [(stream[name], f"Ask {name}") for name in "ab"] + [(None, "Start")]
        self._leaves = [
            *((walk[name] & flags[f"advance_{name}"], f"Leave {name}") for name in "ab"),
            *((stream[name] & flags[f"free_{name}"], f"Free {name}") for name in "ab"), (None, "Flush"),
        ]
        # Whether room for the target is still asked for.
        asking = Signal()
        target_at = Signal(16, name="target_at", reset_less=True)
        m.d.sync += unit.holds.eq(asking)
        # What changes a ring is in registers: what chooses among all who do takes the time of a cycle.
        changes = Signal()
        change = Signal(Change(), name="changed", reset_less=True)
        m.d.comb += [
            self.change.valid.eq(changes), self.change.payload.eq(change), self.ask.again.eq(again),
            unit.target_block.eq(target_at),
        ]
        with m.If(self.moved):
            m.d.sync += news.eq(1)
        self._again = again
        self._effects = {
            name: [changes.eq(1), change.stream.eq(number[:4]), change.free.eq(free)]
            for name, number, free in (("Free a", vec.a, 1), ("Free b", vec.b, 1), ("Show", vec.target, 0))}
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [flag.eq(0) for flag in planned.values()]
                with m.If(self.i.valid):
                    m.d.comb += self._begins.eq(1)
                    _go(m, [(walk["a"] | walk["b"], "Plan a"), *asks])
                    # The answer is there a cycle later at the earliest.
                    m.d.comb += [
                        self.ask.stream.eq(Mux(stream["a"], vec.a, vec.b)[:4]),
                        self.ask.valid.eq(~(walk["a"] | walk["b"]) & (stream["a"] | stream["b"])),
                    ]
            self._plan(m, "a", "Plan b", missing, vec.a, window, planned, wrong, news)
            self._plan(m, "b", "Planned", missing, vec.b, window, planned, wrong)
            # Both windows are tried before it waits: where one of them is illegal it traps, and does not wait for the
            # other.
            with m.State("Planned"):
                with m.If(~(missing["a"] & missing["b"]) | news):
                    _go(m, [(missing["a"] | missing["b"], "Plan a"), *asks])
            # The descriptors are known to be legal; a window that reaches beyond its ring is found only here.
            with m.State("Wrong"):
                # For ever.
                m.d.comb += [
                    self.found.trap.cause.eq(Cause.RING), self.found.trap.stream.eq(Mux(wrong, job.b, job.a)),
                ]
            self._ask(m, "a", asks[1:], vec.a, unit.a_block)
            self._ask(m, "b", asks[2:], vec.b, unit.b_block)
            with m.State("Start"):
                m.d.comb += [
                    unit.start.eq(1 if draws is None else draws.ready | ~is_draw(vec)),
                    self.ask.stream.eq(vec.target[:4]), self.ask.valid.eq(stream["target"] & unit.start),
                ]
                with m.If(unit.start):
                    m.d.sync += asking.eq(stream["target"])
                    m.next = "Run"
            with m.State("Run"):
                m.d.comb += [self.ask.stream.eq(vec.target[:4]), self.ask.valid.eq(asking)]
                m.d.sync += target_at.eq(self.ask.ring.tail)
                with m.If(self.ask.ready):
                    good = self.ask.ring.there != self.ask.ring.blocks
                    m.d.sync += [again.eq(~good), asking.eq(~good)]
                with m.If(~unit.active & ~asking):
                    _go(m, self._leaves, self._effects)
            self._leave(m, 0, "a", vec.a, flags)
            self._leave(m, 1, "b", vec.b, flags)
            for place, name in ((3, "Free a"), (4, "Free b")):
                with m.State(name), m.If(self.change.ready):
                    m.d.sync += changes.eq(0)
                    _go(m, self._leaves[place:], self._effects)
            with m.State("Flush"), m.If(unit.done):
                m.d.comb += self.i.ready.eq(~flags.push)
                _go(m, [(flags.push, "Show"), (None, "Idle")], self._effects)
            with m.State("Show"), m.If(self.change.ready):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += changes.eq(0)
                m.next = "Idle"

    def _plan(
        self, m: Module, name: str, following: str, missing: dict[str, Value], operand: Value, window: AddressGenerator,
        planned: dict[str, Signal], wrong: Signal, news: Signal | None = None,
    ) -> None:
        """Waits for a window, not longer than for the other one: each of them may be wrong."""
        second = "b" if name == "a" else "a"
        with m.State(f"Plan {name}"):
            m.d.comb += [
                self.walks.number.eq(operand), self.walks.todo.eq(WalkRequest.PLAN),
                self.walks.hasty.eq(missing[second]),
                self.walks.valid.eq(missing[name]), window.opens.eq(self.walks.done),
                window.which.eq(name == "b"),
            ]
            m.d.sync += wrong.eq(name == "b")
            with m.If(self.walks.done):
                m.d.sync += planned[name].eq(1)
            with m.If(self.walks.done | self.walks.later | ~missing[name]):
                m.next = following
            with m.If(self.walks.wrong):
                m.next = "Wrong"
            if news is not None:
                with m.If(self.walks.later):
                    m.d.sync += news.eq(self.moved)

    def _leave(self, m: Module, place: int, name: str, operand: Value, flags: data.View) -> None:
        """A walk goes on."""
        with m.State(f"Leave {name}"):
            m.d.comb += [
                self.walks.number.eq(operand), self.walks.todo.eq(WalkRequest.GO), self.walks.valid.eq(1),
                self.walks.advance.eq(1), self.walks.free.eq(flags[f"free_{name}"]),
            ]
            with m.If(self.walks.done):
                _go(m, self._leaves[place + 1 :], self._effects)

    def _ask(self, m: Module, name: str, rest: Sequence[tuple[Value | None, str]], number: Value, block: Value) -> None:
        """Waits for a block, and remembers where it is."""
        # The address is kept: the ring may move before the datapath starts, but not past a block that is not given
        # back.
        ring = self.ask.ring
        at = Signal(16, name=f"{name}_at", reset_less=True)
        m.d.comb += block.eq(at)
        good = ring.there != 0
        with m.State(f"Ask {name}"):
            m.d.comb += [self.ask.stream.eq(number[:4]), self.ask.valid.eq(1)]
            m.d.sync += at.eq(ring.head)
            with m.If(self.ask.ready):
                m.d.sync += self._again.eq(~good)
                with m.If(good):
                    _go(m, rest)


def _go(
    m: Module, states: Sequence[tuple[Value | None, str]], effects: Mapping[str, Sequence[Any]] | None = None
) -> None:
    """To the first state whose condition holds, with what begins with it."""
    for k, (condition, name) in enumerate(states):
        if condition is None and k == 0:
            m.next = name
            return
        with m.Else() if condition is None else m.If(condition) if k == 0 else m.Elif(condition):
            m.next = name
            m.d.sync += (effects or {}).get(name, ())

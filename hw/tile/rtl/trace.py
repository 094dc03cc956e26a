"""The trace of a tile: what its engines ended, as simulation and proofs are compared with the interpreter."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from mho.hw.block import Resettable
from mho.hw.tile.isa import OPCODE_LOW, Engine, Op
from mho.hw.tile.rtl.rings import ChangedLayout
from mho.hw.tile.rtl.sequencer import IssueLayout
from mho.hw.tile.rtl.sequencer.decoder import field

__all__ = ["ENGINES", "EventLayout", "Trace", "TraceQueue", "connect_trace"]

ENGINES = tuple(engine.name.lower() for engine in Engine)
"""Channels of a trace, one for each engine."""

_WORD = 32
_ORDER = 64
_DEPTH = 16
"""Instructions that an engine may have in hand."""


class EventLayout(data.StructLayout):
    """What an engine tells in a cycle.

    ``valid``: the instruction ``word`` at ``pc`` ended, for SEND: one of its blocks was sent. ``order``: how many ended
    in this engine before. ``image``, ``op_id``, ``checksum``: as at :class:`mho.hw.tile.interpreter.state.Retired`.
    ``changed``: a block that the instruction at hand makes or gives back, in the cycle of its end at the latest.
    """

    def __init__(self) -> None:
        super().__init__({
            "valid": 1, "order": _ORDER, "pc": 9, "word": _WORD, "image": _WORD, "op_id": 2 * _WORD, "checksum": _WORD,
            "changed": ChangedLayout(),
        })


class TakenLayout(data.StructLayout):
    """An instruction that an engine took, and its image."""

    def __init__(self) -> None:
        super().__init__({"at": IssueLayout(), "image": _WORD})


class TraceQueue(Resettable):
    """Instructions that an engine has in hand, in the order in which it took them.

    Members
    -------
    i, puts : In(TakenLayout()), In(1)
        One that it takes.
    o, valid, takes : Out(TakenLayout()), Out(1), In(1)
        The oldest one, if there is one; it ended.
    """

    i: Any
    puts: Value
    o: Any
    valid: Value
    takes: Value

    def __init__(self) -> None:
        super().__init__({
            "i": In(TakenLayout()), "puts": In(1), "o": Out(TakenLayout()), "valid": Out(1), "takes": In(1)})

    def elaborate(self, platform: object) -> Any:
        m = Module()
        places = [Signal(TakenLayout(), name=f"place_{k}", reset_less=True) for k in range(_DEPTH)]
        count, end = Signal(range(_DEPTH + 1)), Signal(range(_DEPTH + 1))
        m.d.comb += [self.o.eq(places[0]), self.valid.eq(count != 0), end.eq(count - self.takes)]
        with m.If(self.takes):
            m.d.sync += [place.eq(after) for place, after in pairwise(places)]
        for k, place in enumerate(places):
            with m.If(self.puts & (end == k)):
                m.d.sync += place.eq(self.i)
        m.d.sync += count.eq(end + self.puts)
        return self.resets(m)


class Trace(wiring.Component):
    """Puts together what the engines of a tile tell.

    Members
    -------
    clear : In(1)
        Strobe: a program begins.
    <sequencer, load, vector, send>_at : In(IssueLayout())
        What it takes or, of the sequencer, ends with.
    <..>_begins, <..>_ends : In(1)
        Strobes: it takes an instruction; it ended its oldest one, or a block of that.
    <..>_adds, <..>_sum : In(1), In(32)
        Strobe: this belongs to the checksum of the oldest one.
    <..>_changed : In(ChangedLayout())
        Tokens.
    image, op_id, numbers : In(32), In(64), In(1)
        The image at hand; number of a conversion that begins, and that it does.
    <sequencer, load, vector, send> : Out(EventLayout())
        The trace.
    """

    clear: Value
    image: Value
    op_id: Value
    numbers: Value

    def __init__(self) -> None:
        members: dict[str, Any] = {"clear": In(1), "image": In(_WORD), "op_id": In(2 * _WORD), "numbers": In(1)}
        for name in ENGINES:
            members |= {
                f"{name}_at": In(IssueLayout()), f"{name}_begins": In(1), f"{name}_ends": In(1), f"{name}_adds": In(1),
                f"{name}_sum": In(_WORD), f"{name}_changed": In(ChangedLayout()), name: Out(EventLayout()),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number, name in enumerate(ENGINES):
            event, ends = getattr(self, name), Signal(name=f"{name}_tells")
            # What is added from then on belongs to the next one.
            begins = Signal(name=f"{name}_anew")
            order, total = Signal(_ORDER, name=f"{name}_order"), Signal(_WORD, name=f"{name}_total")
            m.d.comb += [
                event.valid.eq(ends), event.order.eq(order), event.checksum.eq(total),
                event.changed.eq(getattr(self, f"{name}_changed")), ends.eq(getattr(self, f"{name}_ends")),
                begins.eq(ends),
            ]
            with m.If(self.clear):
                m.d.sync += [order.eq(0), total.eq(0)]
            with m.Else():
                adds, given = getattr(self, f"{name}_adds"), getattr(self, f"{name}_sum")
                m.d.sync += [order.eq(order + ends), total.eq(Mux(begins, 0, total) + Mux(adds, given, 0))]
            if number == Engine.SEQUENCER:
                at = self.sequencer_at  # pyright: ignore[reportAttributeAccessIssue]
                m.d.comb += [event.pc.eq(at.pc), event.word.eq(at.word), event.image.eq(self.image)]
            else:
                self._engine(m, Engine(number), event, ends, begins)
        held = Signal(2 * _WORD)
        with m.If(self.numbers):
            m.d.sync += held.eq(self.op_id)
        load: Any = self.load  # pyright: ignore[reportAttributeAccessIssue]
        with m.If(load.word[OPCODE_LOW:] == Op.MVM):
            m.d.comb += load.op_id.eq(held)
        return m

    def _engine(self, m: Module, engine: Engine, event: Any, ends: Signal, begins: Signal) -> None:
        """What the oldest instruction of an engine is, and when it goes."""
        name = engine.name.lower()
        m.submodules[f"{name}_queue"] = queue = TraceQueue()
        oldest = queue.o.at
        m.d.comb += [
            queue.soft_reset.eq(self.clear), queue.i.at.eq(getattr(self, f"{name}_at")), queue.i.image.eq(self.image),
            queue.puts.eq(getattr(self, f"{name}_begins")), queue.takes.eq(ends), event.pc.eq(oldest.pc),
            event.word.eq(oldest.word), event.image.eq(queue.o.image),
        ]
        if engine is Engine.LOAD:
            # IMAGE ends when it is taken, and is told in its turn.
            with m.If(queue.valid & (oldest.word[OPCODE_LOW:] == Op.IMAGE)):
                m.d.comb += [ends.eq(1), begins.eq(0), event.checksum.eq(0)]
        if engine is Engine.SEND:
            sent = Signal(8)
            last = sent + 1 == field(oldest.word, Op.SEND, "n")
            m.d.comb += queue.takes.eq(ends & last)
            with m.If(self.clear):
                m.d.sync += sent.eq(0)
            with m.Elif(ends):
                m.d.sync += sent.eq(Mux(last, 0, sent + 1))


def bytes_of(word: Value) -> Value:
    """Sum of the bytes of a word."""
    total: Value = word[:8]
    for low in range(8, len(word), 8):
        total = total + word[low : low + 8]
    return total


def connect_trace(m: Module, tile: Any, parts: dict[str, Any]) -> None:
    """The trace of the parts of a tile to its ports."""
    m.submodules.trace = trace = Trace()
    sequencer, tokens, walks, load = (parts[name] for name in ("sequencer", "tokens", "walks", "load"))
    any_trace: Any = trace
    op, changed = sequencer.retired.word[OPCODE_LOW:], tokens.changed
    # Of CORE the sequencer sees to the tokens, after the load engine.
    core, gives = op == Op.CORE, load.mask.valid & load.mask.ready
    m.d.comb += [
        trace.clear.eq(sequencer.start), trace.image.eq(load.image),
        any_trace.sequencer_at.eq(sequencer.retired), any_trace.sequencer_begins.eq(sequencer.retire),
        # SEND is handed over, and ends in the sequencer too.
        any_trace.sequencer_ends.eq(sequencer.retire & ((op < Op.IMAGE) | (op == Op.SEND))),
        trace.op_id.eq(load.op.p.op_id), trace.numbers.eq(load.op.valid & load.op.ready),
    ]
    for name in ENGINES[1:]:
        engine = parts[name]
        ends = engine.ends | (sequencer.retire & core) if engine is load else engine.ends
        m.d.comb += [
            getattr(trace, f"{name}_at").eq(engine.i.payload), getattr(trace, f"{name}_ends").eq(ends),
            getattr(trace, f"{name}_begins").eq(engine.i.valid & engine.i.ready),
        ]
    sums = {
        "load": (
            load.codes.valid & load.codes.ready | gives,
            Mux(gives, bytes_of(load.mask.payload), bytes_of(load.codes.payload))),
        "vector": (parts["vector"].adds, parts["vector"].total),
        "send": (parts["send"].o.valid & parts["send"].o.ready, bytes_of(parts["send"].o.p.payload)),
    }
    for name, (adds, total) in sums.items():
        m.d.comb += [getattr(trace, f"{name}_adds").eq(adds), getattr(trace, f"{name}_sum").eq(total)]
    # Ports of the tokens: receiver, walks, vector, send, sequencer.
    by = {
        "load": (tokens.who[1] & ~walks.serves) | (tokens.who[4] & core),
        "vector": tokens.who[2] | (tokens.who[1] & walks.serves),
        "send": tokens.who[3], "sequencer": tokens.who[4] & ~core,
    }
    for name, its in by.items():
        target = getattr(trace, f"{name}_changed")
        m.d.comb += [target.eq(changed), target.valid.eq(changed.valid & its)]
    for name in ENGINES:
        m.d.comb += getattr(tile, f"trace_{name}").eq(getattr(trace, name))

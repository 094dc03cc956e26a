"""The trace of a tile: what its engines ended, as simulation and proofs are compared with the interpreter."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.block import Resettable
from mho.hw.ports import Component, In, Out, array
from mho.hw.tile.isa import OPCODE_LOW, Engine, Op
from mho.hw.tile.rtl.layouts import IssueLayout
from mho.hw.tile.rtl.rings import ChangedLayout
from mho.hw.tile.rtl.sequencer.loops import field

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
    """Instructions that an engine has in hand, in the order in which it took them."""

    i = In(TakenLayout())
    puts = In(1)
    """One that it takes."""
    o = Out(TakenLayout())
    valid = Out(1)
    takes = In(1)
    """The oldest one, if there is one; it ended."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        places = [Signal(TakenLayout(), name=f"place_{k}", reset_less=True) for k in range(_DEPTH)]
        count = Signal(range(_DEPTH + 1))
        end = Signal(range(_DEPTH + 1))
        m.d.comb += [self.o.eq(places[0]), self.valid.eq(count != 0), end.eq(count - self.takes)]
        with m.If(self.takes):
            m.d.sync += [place.eq(after) for place, after in pairwise(places)]
        for k, place in enumerate(places):
            # Taken and put in one cycle: the new one goes behind what has moved up.
            with m.If(self.puts & (end == k)):
                m.d.sync += place.eq(self.i)
        m.d.sync += count.eq(end + self.puts)
        return self.resets(m)


class Trace(Component):
    """Puts together what the engines of a tile tell."""

    clear = In(1)
    """Strobe: a program begins."""
    image = In(_WORD)
    op_id = In(2 * _WORD)
    numbers = In(1)
    """The image at hand; number of a conversion that begins, and that it does."""
    at = array(In(IssueLayout()), len(Engine))
    """Of each engine, as of all that follows: what it takes or, of the sequencer, ends with."""
    begins = array(In(1), len(Engine))
    ends = array(In(1), len(Engine))
    """Strobes: it takes an instruction; it ended its oldest one, or a block of that."""
    adds = array(In(1), len(Engine))
    summand = array(In(_WORD), len(Engine))
    """Strobe: this belongs to the checksum of the oldest one."""
    changed = array(In(ChangedLayout()), len(Engine))
    """Tokens."""
    event = array(Out(EventLayout()), len(Engine))
    """The trace."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for engine, name in zip(Engine, ENGINES, strict=True):
            event = self.event[engine]
            ends = Signal(name=f"{name}_tells")
            # What is added from then on belongs to the next one.
            begins = Signal(name=f"{name}_anew")
            order = Signal(_ORDER, name=f"{name}_order")
            total = Signal(_WORD, name=f"{name}_total")
            m.d.comb += [
                event.valid.eq(ends), event.order.eq(order), event.checksum.eq(total),
                event.changed.eq(self.changed[engine]), ends.eq(self.ends[engine]), begins.eq(ends),
            ]
            with m.If(self.clear):
                m.d.sync += [order.eq(0), total.eq(0)]
            with m.Else():
                summand = Mux(self.adds[engine], self.summand[engine], 0)
                m.d.sync += [order.eq(order + ends), total.eq(Mux(begins, 0, total) + summand)]
            if engine is Engine.SEQUENCER:
                at = self.at[engine]
                m.d.comb += [event.pc.eq(at.pc), event.word.eq(at.word), event.image.eq(self.image)]
            else:
                self._engine(m, engine, ends, begins)
        last_id = Signal(2 * _WORD)
        load = self.event[Engine.LOAD]
        with m.If(self.numbers):
            m.d.sync += last_id.eq(self.op_id)
        with m.If(load.word[OPCODE_LOW:] == Op.MVM):
            m.d.comb += load.op_id.eq(last_id)
        return m

    def _engine(self, m: Module, engine: Engine, ends: Signal, begins: Signal) -> None:
        """What the oldest instruction of an engine is, and when it goes."""
        m.submodules[f"{ENGINES[engine]}_queue"] = queue = TraceQueue()
        event, oldest = self.event[engine], queue.o.at
        m.d.comb += [
            queue.soft_reset.eq(self.clear), queue.i.at.eq(self.at[engine]), queue.i.image.eq(self.image),
            queue.puts.eq(self.begins[engine]), queue.takes.eq(ends), event.pc.eq(oldest.pc),
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
    sequencer, rings, walks, load = (parts[name] for name in ("sequencer", "tokens", "walks", "load"))
    op = sequencer.retired.word[OPCODE_LOW:]
    # Of CORE the sequencer sees to the tokens, after the load engine.
    core, gives = op == Op.CORE, load.mask.valid & load.mask.ready
    m.d.comb += [
        trace.clear.eq(sequencer.start), trace.image.eq(load.image),
        trace.at[Engine.SEQUENCER].eq(sequencer.retired), trace.begins[Engine.SEQUENCER].eq(sequencer.retire),
        # SEND is handed over, and ends in the sequencer too.
        trace.ends[Engine.SEQUENCER].eq(sequencer.retire & ((op < Op.IMAGE) | (op == Op.SEND))),
        trace.op_id.eq(load.op.p.op_id), trace.numbers.eq(load.op.valid & load.op.ready),
    ]
    # A VEC may end in the cycle in which its last results are written: it is told behind these.
    computed = Signal()
    m.d.sync += computed.eq(parts["vector"].ends)
    ends = {Engine.LOAD: load.ends | (sequencer.retire & core), Engine.VECTOR: computed,
            Engine.SEND: parts["send"].ends}
    for engine, told in ends.items():
        part = parts[ENGINES[engine]]
        m.d.comb += [
            trace.at[engine].eq(part.i.payload), trace.begins[engine].eq(part.i.valid & part.i.ready),
            trace.ends[engine].eq(told),
        ]
    sums = {
        Engine.LOAD: (
            load.codes.valid & load.codes.ready | gives,
            Mux(gives, bytes_of(load.mask.payload), bytes_of(load.codes.payload))),
        Engine.VECTOR: (parts["vector"].adds, parts["vector"].total),
        Engine.SEND: (parts["send"].o.valid & parts["send"].o.ready, bytes_of(parts["send"].o.p.payload)),
    }
    for engine, (adds, summand) in sums.items():
        m.d.comb += [trace.adds[engine].eq(adds), trace.summand[engine].eq(summand)]
    # Ports of the rings: receiver, walks, vector, send, sequencer.
    by_engine = {
        Engine.LOAD: (rings.who[1] & ~walks.serves) | (rings.who[4] & core),
        Engine.VECTOR: rings.who[2] | (rings.who[1] & walks.serves),
        Engine.SEND: rings.who[3], Engine.SEQUENCER: rings.who[4] & ~core,
    }
    for engine, changes in by_engine.items():
        changed = trace.changed[engine]
        m.d.comb += [changed.eq(rings.changed), changed.valid.eq(rings.changed.valid & changes)]
    for engine, name in zip(Engine, ENGINES, strict=True):
        m.d.comb += getattr(tile, f"trace_{name}").eq(trace.event[engine])

"""The engine of SEND: blocks to the network."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import STREAMS, Op
from mho.hw.tile.rtl.buffer import ADDRESS_BITS, ReadPort
from mho.hw.tile.rtl.layouts import IssueLayout
from mho.hw.tile.rtl.rings import AskPort, Change
from mho.hw.tile.rtl.sequencer.loops import field

WAITING = 3
"""Instructions that wait behind the one that is carried out: products behind them are issued meanwhile."""
_FLITS = 4
"""Flits that were read and wait for the network."""


class OutLayout(data.StructLayout):
    """A flit: its ``payload``, the ``flow`` or context, whether it is the ``last`` of a block, or an operand."""

    def __init__(self, cfg: TileConfig) -> None:
        super().__init__({"payload": cfg.payload_bits, "flow": 4, "last": 1, "operand": 1})


class SendEngine(Resettable[TileConfig]):
    """Carries out SEND: one block after the other as they come, a flit a cycle; others wait here.

    Members
    -------
    i, conflict, busy, reads, wants
        As at :class:`mho.hw.tile.rtl.engines.vector_issue.VectorIssue`.
    read : Out(ReadPort())
        The buffer.
    ask, change : Out(AskPort()), Out(stream of Change())
        The tokens.
    o : Out(stream of OutLayout(cfg))
        Flits. What is behind the end of a block is 0.
    ends : Out(1)
        For a trace: a block was sent.
    """

    i = In(stream.Signature(IssueLayout()))
    conflict = In(1)
    busy = Out(1)
    reads = Out(STREAMS)
    wants = Out(STREAMS)
    read = Out(ReadPort())
    ask = Out(AskPort())
    change = Out(stream.Signature(Change()))
    o = Out(lambda self: stream.Signature(OutLayout(self.cfg)))
    ends = Out(1)

    def elaborate(self, platform: object) -> Any:
        m = Module()
        size, ring = self.cfg.flit_bytes, self.ask.ring
        word = Signal(32, name="word", reset_less=True)
        at = Signal(ADDRESS_BITS)
        left = Signal(12)
        # Blocks from the one that is sent to the end of the ring.
        behind = Signal(8, name="behind")
        blocks = Signal(8)
        sent = Signal(8)
        sending = Signal()
        begins = Signal()
        room = Signal()
        none = Signal()
        frees = Signal()
        again = Signal(name="again")
        waits, waiting, theirs, reads = self._queue(m, begins)
        own_reads = Signal(STREAMS, name="own_reads")
        free, number = field(word, Op.SEND, "free"), field(word, Op.SEND, "stream")
        # The block behind the one that was sent, if that stays.
        around, offset = behind == 1, Mux(free, 0, sent)
        oldest = free | (sent == 0)
        # Bytes of the flit that is read.
        now = Signal(range(size + 1))
        last = Signal()
        m.d.comb += [
            self.reads.eq(own_reads | reads),
            self.ask.stream.eq(number), self.ask.again.eq(again), self.change.p.stream.eq(number),
            self.change.p.free.eq(1), self.change.valid.eq(frees), self.read.address.eq(at),
            self.o.p.flow.eq(field(word, Op.SEND, "flow")), self.o.p.operand.eq(field(word, Op.SEND, "reduce")),
            self.wants.eq(1 << field(self.i.p.word, Op.SEND, "stream")), blocks.eq(field(word, Op.SEND, "n")),
            last.eq(left <= size), now.eq(Mux(last, left, size)),
        ]
        # A block begins, or a flit of it is read.
        takes = Signal(name="takes_block")
        reading = self.read.valid & self.read.ready
        with m.If(reading | takes):
            m.d.sync += left.eq(Mux(takes, ring.block, left - now))
        with m.If(reading | (takes & (oldest | around))):
            m.d.sync += at.eq(Mux(reading, at + now, Mux(oldest, ring.head, ring.base)))
        with m.If(takes):
            m.d.sync += behind.eq(Mux(oldest, ring.head_left, Mux(around, ring.blocks, behind - 1)))
        self._flits(m, now, last, room, none)
        with m.FSM() as machine:
            with m.State("Idle"):
                m.d.sync += [word.eq(waiting), own_reads.eq(theirs), sent.eq(0)]
                m.d.comb += begins.eq(1)
                with m.If(waits[0]):
                    m.next = "Ask"
            with m.State("Ask"):
                m.d.comb += self.ask.valid.eq(1)
                with m.If(self.ask.ready):
                    m.d.sync += again.eq(1)
                    with m.If(ring.there > offset):
                        m.d.comb += takes.eq(1)
                        m.d.sync += again.eq(0)
                        m.next = "Read"
            with m.State("Read"):
                m.d.comb += self.read.valid.eq(room)
                with m.If(room & self.read.ready & last):
                    m.next = "Give"
            # It is given back, and counted as sent, when the network has all of its flits.
            with m.State("Give"), m.If(none):
                m.d.sync += [sent.eq(sent + 1), frees.eq(free)]
                m.next = "Free"
            with m.State("Free"):
                with m.If(~frees | self.change.ready):
                    m.d.comb += self.ends.eq(1)
                    m.d.sync += frees.eq(0)
                    m.next = "Ask"
                    with m.If(sent == blocks):
                        m.d.sync += own_reads.eq(0)
                        m.next = "Idle"
        m.d.comb += [sending.eq(~machine.ongoing("Idle")), self.busy.eq(sending | waits.any())]
        return self.resets(m)

    def _flits(self, m: Module, now: Value, last: Value, room: Value, none: Value) -> None:
        """Keeps flits that were read until they go; whether there is room for another one, and whether all went."""
        landed = Signal()
        late = Signal()
        count = Signal.like(now)
        # What is read comes two cycles later.
        reads, then = Cat(self.read.valid & self.read.ready, last, now), Cat(landed, late, count)
        between = Signal(len(reads), name="between")
        m.d.sync += [between.eq(reads), then.eq(between)]
        flit = Cat(self.read.data.word_select(k, 8) & (count > k).replicate(8) for k in range(self.cfg.flit_bytes))
        m.submodules.queue = memory = Memory(shape=unsigned(len(flit) + 1), depth=_FLITS, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        head = Signal(range(_FLITS))
        tail = Signal(range(_FLITS))
        waiting = Signal(range(_FLITS + 1))
        goes = self.o.valid & self.o.ready
        m.d.comb += [
            write.addr.eq(tail), write.data.eq(Cat(flit, late)), write.en.eq(landed), read.addr.eq(head),
            Cat(self.o.p.payload, self.o.p.last).eq(read.data), self.o.valid.eq(waiting != 0),
            room.eq(waiting + landed + between[0] < _FLITS), none.eq((waiting == goes) & ~landed & ~between[0]),
        ]
        m.d.sync += [head.eq(head + goes), tail.eq(tail + landed), waiting.eq(waiting + landed - goes)]

    def _queue(self, m: Module, begins: Value) -> tuple[Signal, Value, Value, Value]:
        """Which places of the queue hold an instruction, the first of these, and streams: its own, that all read."""
        places = [Signal(32, name=f"waiting_{k}", reset_less=True) for k in range(WAITING)]
        # None of a place that holds nothing.
        streams = [Signal(STREAMS, name=f"reads_{k}") for k in range(WAITING)]
        valid = Signal(WAITING, name="waits")
        goes, reads = begins, Value.cast(0)
        accepts = self.i.valid & self.i.ready
        for k, place in enumerate(places):
            takes = Signal(name=f"takes_{k}")
            # Gaps close by themselves, a place a cycle.
            m.d.comb += takes.eq(~valid[k] | goes)
            behind = k + 1 < WAITING
            with m.If(takes):
                m.d.sync += [
                    place.eq(places[k + 1] if behind else self.i.p.word),
                    streams[k].eq(streams[k + 1] if behind else self.wants & accepts.replicate(STREAMS)),
                    valid[k].eq(valid[k + 1] if behind else accepts),
                ]
            goes = takes
            reads = reads | streams[k]
        m.d.comb += self.i.ready.eq(goes & ~self.conflict)
        return valid, places[0], streams[0], reads

"""The engine of SEND: blocks to the network."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.block import Resettable
from hw.tile.buffer import ADDRESS_BITS, ReadPort
from hw.tile.config import TileConfig
from hw.tile.isa import STREAMS, Op
from hw.tile.sequencer import IssueLayout
from hw.tile.sequencer.decoder import field
from hw.tile.tokens import AskPort, Change

__all__ = ["OutLayout", "SendEngine"]


class OutLayout(data.StructLayout):
    """A flit: its ``payload``, the ``flow`` or context, whether it is the ``last`` of a block, or an operand."""

    def __init__(self, cfg: TileConfig) -> None:
        super().__init__({"payload": cfg.payload_bits, "flow": 4, "last": 1, "operand": 1})


class SendEngine(Resettable):
    """Carries out SEND: one block after the other as they come, two cycles a flit; a second SEND waits here.

    Members
    -------
    i, conflict, busy, reads, wants
        As at :class:`hw.tile.engines.vector.VectorEngine`.
    read : Out(ReadPort())
        The buffer.
    ask, change : Out(AskPort()), Out(stream of Change())
        The tokens.
    o : Out(stream of OutLayout(cfg))
        Flits. What is behind the end of a block is 0.
    ends : Out(1)
        For a trace: a block was sent.
    """

    i: stream.Interface
    conflict: Value
    busy: Value
    reads: Value
    wants: Value
    read: Any
    ask: Any
    change: stream.Interface
    o: stream.Interface
    ends: Value

    def __init__(self, cfg: TileConfig) -> None:
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(IssueLayout())), "conflict": In(1), "busy": Out(1), "reads": Out(STREAMS),
            "wants": Out(STREAMS),
            "read": Out(ReadPort()), "ask": Out(AskPort()), "change": Out(stream.Signature(Change())),
            "o": Out(stream.Signature(OutLayout(cfg))), "ends": Out(1),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        size, ring = self.cfg.flit_bytes, self.ask.ring
        word, payload = Signal(32, name="word", reset_less=True), Signal(self.cfg.payload_bits, reset_less=True)
        at, index, left = Signal(ADDRESS_BITS), Signal(8), Signal(12)
        blocks, sent = Signal(8), Signal(8, name="sent")
        # A second instruction.
        waits, waiting, sending = Signal(name="waits"), Signal(32, name="waiting", reset_less=True), Signal()
        free, number = field(word, Op.SEND, "free"), field(word, Op.SEND, "stream")
        # The block behind the one that was sent, if that stays.
        around, offset = index + 1 == ring.blocks, Mux(free, 0, sent)
        oldest = free | (sent == 0)
        m.d.comb += [
            self.reads.eq(Mux(sending, 1 << number, 0) | Mux(waits, 1 << field(waiting, Op.SEND, "stream"), 0)),
            self.ask.stream.eq(number), self.change.p.stream.eq(number),
            self.change.p.free.eq(1), self.read.address.eq(at), self.o.p.payload.eq(payload),
            self.o.p.flow.eq(field(word, Op.SEND, "flow")), self.o.p.operand.eq(field(word, Op.SEND, "reduce")),
            self.o.p.last.eq(left == 0),
        ]
        m.d.comb += [
            self.wants.eq(1 << field(self.i.p.word, Op.SEND, "stream")), self.i.ready.eq(~waits & ~self.conflict),
            blocks.eq(field(word, Op.SEND, "n")),
        ]
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += [waits.eq(1), waiting.eq(self.i.p.word)]
        # Bytes of the flit that is read, of the one that was read last.
        now, count = Signal(range(size + 1)), Signal(range(size + 1))
        m.d.comb += now.eq(Mux(left < size, left, size))
        with m.If(self.read.valid & self.read.ready):
            m.d.sync += [at.eq(at + now), left.eq(left - now), count.eq(now)]
        with m.FSM() as machine:
            with m.State("Idle"):
                m.d.sync += [word.eq(waiting), sent.eq(0)]
                with m.If(waits):
                    m.d.sync += waits.eq(0)
                    m.next = "Ask"
            with m.State("Ask"):
                m.d.comb += self.ask.valid.eq(1)
                with m.If(self.ask.ready & (ring.there > offset)):
                    m.d.sync += [
                        left.eq(ring.block), index.eq(Mux(oldest, ring.index, Mux(around, 0, index + 1))),
                        at.eq(Mux(oldest, ring.base + ring.head, Mux(around, ring.base, at))),
                    ]
                    m.next = "Read"
            with m.State("Read"):
                m.d.comb += self.read.valid.eq(1)
                with m.If(self.read.ready):
                    m.next = "Take"
            with m.State("Take"):
                m.d.sync += payload.eq(self.read.data)
                for k in range(size):
                    with m.If(count <= k):
                        m.d.sync += payload.word_select(k, 8).eq(0)
                m.next = "Give"
            with m.State("Give"):
                # What follows is read in the cycle in which this goes.
                m.d.comb += [self.o.valid.eq(1), self.read.valid.eq(self.o.ready & ~self.o.p.last)]
                with m.If(self.o.ready):
                    m.next = "Read"
                    with m.If(self.read.ready):
                        m.next = "Take"
                    with m.If(self.o.p.last):
                        m.d.sync += sent.eq(sent + 1)
                        m.next = "Free"
            with m.State("Free"):
                m.d.comb += self.change.valid.eq(free)
                with m.If(~free | self.change.ready):
                    m.d.comb += self.ends.eq(1)
                    m.next = "Ask"
                    with m.If(sent == blocks):
                        m.next = "Idle"
        m.d.comb += [sending.eq(~machine.ongoing("Idle")), self.busy.eq(sending | waits)]
        return self.resets(m)

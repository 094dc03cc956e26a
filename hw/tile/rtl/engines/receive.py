"""What arrives from the network, into the rings of its slots; and words of the core, to who drains them."""

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect, flipped

from mho.hw.block import Resettable
from mho.hw.core.digital.groups import WordRange
from mho.hw.noc.flit import Arrival
from mho.hw.ports import In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import PRODUCTS, STREAMS
from mho.hw.tile.rtl.buffer import WritePort
from mho.hw.tile.rtl.rings import Change, RingLayout

_SLOT = 4


class InLayout(data.StructLayout):
    """A flit that came: ``payload``, ``slot``."""

    def __init__(self, cfg: TileConfig) -> None:
        super().__init__({"payload": cfg.payload_bits, "slot": _SLOT})


class Receiver(Resettable[TileConfig]):
    """Writes flits into the next block of the stream of their slot, and shows it with the last one.

    It never waits: its ports of buffer and tokens go before all others. A flit is written three cycles after it came,
    and its block shown a cycle before that: nobody reads it earlier.
    """

    i = In(lambda self: Arrival(InLayout(self.cfg)))
    """Flits; nothing comes from ``start`` on until ``ready``. Those of a slot without a stream are dropped."""
    start = In(1)
    ready = Out(1)
    """Strobe: no block is begun, and no slot has a stream; in 16 cycles that is so."""
    map = In(1)
    map_slot = In(_SLOT)
    map_stream = In(_SLOT)
    """Strobe: a slot has a stream, if it has none. Of several streams with one slot the first has it."""
    number = Out(_SLOT)
    claim = Out(1)
    ring = In(RingLayout())
    """A ring as it is now, of which a block may come."""
    write = Out(WritePort())
    change = Out(stream.Signature(Change()))
    """The buffer; a block came."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        size = self.cfg.flit_bytes
        valid = Signal()
        flit = Signal(InLayout(self.cfg), reset_less=True)
        m.submodules.slots = slots = Memory(shape=unsigned(_SLOT), depth=STREAMS, init=[])
        m.submodules.filled = filled = Memory(shape=unsigned(12), depth=STREAMS, init=[])
        find = slots.write_port()
        stream_of = slots.read_port(domain="comb")
        put = filled.write_port()
        progress = filled.read_port(domain="comb")
        clearing = Signal(range(STREAMS + 1), name="clearing", init=STREAMS)
        mapped = Signal(1 << _SLOT, name="mapped")
        # What is told of a stream is found by a search, and taken in a cycle later.
        maps = Signal(name="maps")
        map_slot = Signal(_SLOT, name="its_slot")
        map_stream = Signal(_SLOT, name="its_stream")
        has = mapped.bit_select(map_slot, 1)
        left = Signal(12)
        last = Signal()
        soon = Signal()
        count = Signal(12)
        # Which stream; where in its ring; the write.
        here = Signal()
        number = Signal(_SLOT)
        payload = Signal(self.cfg.payload_bits, reset_less=True)
        m.d.sync += [
            valid.eq(self.i.valid), maps.eq(self.map), map_slot.eq(self.map_slot), map_stream.eq(self.map_stream),
            here.eq(valid & mapped.bit_select(flit.slot, 1)), self.write.valid.eq(here),
        ]
        # Nothing can wait here: a flit is looked up in one cycle and written in the next, with the first port of the
        # buffer and of the rings.
        with m.If(self.i.valid):
            m.d.sync += flit.eq(self.i.payload)
        with m.If(valid):
            m.d.sync += [number.eq(stream_of.data), payload.eq(flit.payload)]
        with m.If(here):
            m.d.sync += [
                self.write.data.eq(payload), self.write.address.eq(self.ring.tail + count),
                self.write.bytes.eq(Mux(last, left, size)),
            ]
        m.d.comb += [
            find.addr.eq(map_slot), find.data.eq(map_stream), find.en.eq(maps & ~has),
            stream_of.addr.eq(flit.slot),
            self.number.eq(number), self.claim.eq(here), progress.addr.eq(number), self.ready.eq(clearing[-1]),
            # A multiple of four bytes: below the count is whether some came, and whether the next flit is the last one.
            count.eq(progress.data & -4), left.eq(self.ring.block - count), soon.eq(left <= 2 * size),
            last.eq(Mux(progress.data[0], progress.data[1], self.ring.block <= size)),
            self.change.p.stream.eq(number), self.change.p.free.eq(0), self.change.valid.eq(here & last),
            put.addr.eq(Mux(self.ready, number, clearing)), put.en.eq(here | ~self.ready),
            put.data.eq(Mux(last | ~self.ready, 0, Cat(C(1, 1), soon, (count + size)[2:12]))),
        ]
        with m.If(maps):
            m.d.sync += has.eq(1)
        # Counts of blocks are in a memory, which is cleared row by row.
        with m.If(self.start):
            m.d.sync += [clearing.eq(0), mapped.eq(0)]
        with m.Elif(~self.ready):
            m.d.sync += clearing.eq(clearing + 1)
        return self.resets(m)


_WORD = 7


class DrainRange(Resettable[TileConfig]):
    """Passes the words from ``first`` to ``last`` of each product, and takes the others.

    Parameters
    ----------
    cfg
        The tile, whose core gives ``cfg.output_words`` a product, or with ``cfg.ranged`` the words that are wanted.
    """

    add = In(1)
    first = In(_WORD)
    last = In(_WORD)
    """Strobe: a product is issued, of which these words are wanted. Only unless ``full``."""
    take = In(1)
    """Strobe: a vector operation begins that takes those of the oldest product."""
    full = Out(1)
    none = Out(1)
    """As many products were issued and not begun to be taken as there may be; none was."""
    codes = Out(_WORD + 2)
    """Codes that the oldest one gives."""
    i = In(stream.Signature(unsigned(32)))
    o = Out(stream.Signature(unsigned(32)))
    """Words of the core; those that are wanted."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        # A power of two, so that places return to 0 by themselves.
        tail, oldest = (Signal(range(PRODUCTS), name=name) for name in ("tail", "oldest"))
        count = Signal(range(PRODUCTS + 1))
        m.submodules.counted = memory = Memory(shape=unsigned(2 * _WORD), depth=PRODUCTS, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        first, last = read.data[:_WORD], read.data[_WORD:]
        m.d.comb += [
            write.addr.eq(tail), write.data.eq(Cat(self.first, self.last)), write.en.eq(self.add), read.addr.eq(oldest),
            self.full.eq(count == PRODUCTS), self.none.eq(count == 0),
            self.codes.eq((last - first + 1)[: _WORD + 1] << 1),
        ]
        m.d.sync += [
            count.eq(count + self.add - self.take), tail.eq(tail + self.add), oldest.eq(oldest + self.take),
        ]
        # The core itself gives only what is wanted.
        if self.cfg.ranged:
            connect(m, flipped(self.i), flipped(self.o))
            return self.resets(m)
        m.submodules.word_range = word_range = WordRange(self.cfg.output_words)
        m.d.comb += [
            word_range.accept.eq(self.add), word_range.words.first.eq(self.first), word_range.words.last.eq(self.last),
        ]
        connect(m, flipped(self.i), word_range.i)
        connect(m, word_range.o, flipped(self.o))
        return self.resets(m)

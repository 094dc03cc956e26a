"""What arrives from the network, into the rings of its slots."""

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.noc.flit import Arrival
from mho.hw.ports import In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import STREAMS
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
        valid, flit = Signal(name="valid"), Signal(InLayout(self.cfg), name="flit", reset_less=True)
        m.submodules.slots = slots = Memory(shape=unsigned(_SLOT), depth=STREAMS, init=[])
        m.submodules.filled = filled = Memory(shape=unsigned(12), depth=STREAMS, init=[])
        find, stream_of = slots.write_port(), slots.read_port(domain="comb")
        put, progress = filled.write_port(), filled.read_port(domain="comb")
        clearing = Signal(range(STREAMS + 1), name="clearing", init=STREAMS)
        mapped = Signal(1 << _SLOT, name="mapped")
        # What is told of a stream is found by a search, and taken in a cycle later.
        maps = Signal(name="maps")
        map_slot, map_stream = Signal(_SLOT, name="its_slot"), Signal(_SLOT, name="its_stream")
        has = mapped.bit_select(map_slot, 1)
        left, last, soon, count = Signal(12), Signal(), Signal(), Signal(12)
        # Which stream; where in its ring; the write.
        here, number, payload = Signal(), Signal(_SLOT), Signal(self.cfg.payload_bits, reset_less=True)
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

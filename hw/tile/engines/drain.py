"""Output words of the core: of each product those that it names."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.block import Resettable
from hw.tile.config import TileConfig
from hw.tile.isa import PRODUCTS

__all__ = ["DrainRange"]

_WORD = 7


class DrainRange(Resettable):
    """Passes the words from ``first`` to ``last`` of each product, and takes the others.

    Parameters
    ----------
    cfg
        The tile, whose core gives ``cfg.output_words`` a product, or with ``cfg.ranged`` the words that are wanted.

    Members
    -------
    add, first, last : In(1), In(7), In(7)
        Strobe: a product is issued, of which these words are wanted. Only unless ``full``.
    take : In(1)
        Strobe: a vector operation begins that takes those of the oldest product.
    full, none : Out(1)
        As many products were issued and not begun to be taken as there may be; none was.
    codes : Out(8)
        Codes that the oldest one gives.
    i, o : In(stream of 32 bits), Out(stream of 32 bits)
        Words of the core; those that are wanted.
    """

    add: Value
    first: Value
    last: Value
    take: Value
    full: Value
    none: Value
    codes: Value
    i: stream.Interface
    o: stream.Interface

    def __init__(self, cfg: TileConfig) -> None:
        self.cfg = cfg
        words = stream.Signature(unsigned(32))
        super().__init__({
            "add": In(1), "first": In(_WORD), "last": In(_WORD), "take": In(1), "full": Out(1), "none": Out(1),
            "codes": Out(_WORD + 2), "i": In(words), "o": Out(words),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        # More places than products: those that are being taken, or passed over, count no more.
        places = 4 * PRODUCTS
        tail, oldest, draining = (Signal(range(places), name=name) for name in ("tail", "oldest", "draining"))
        count, word = Signal(range(PRODUCTS + 1)), Signal(range(self.cfg.output_words))
        counted = self._range(m, "counted", tail, oldest)
        m.d.sync += count.eq(count + self.add - self.take)
        m.d.comb += [
            self.full.eq(count == PRODUCTS), self.none.eq(count == 0),
            self.codes.eq((counted[_WORD:] - counted[:_WORD] + 1)[: _WORD + 1] << 1),
        ]
        m.d.sync += [tail.eq(tail + self.add), oldest.eq(oldest + self.take)]
        if self.cfg.ranged:
            connect(m, flipped(self.i), flipped(self.o))
            return self.resets(m)
        drained = self._range(m, "drained", tail, draining)
        wanted = (word >= drained[:_WORD]) & (word <= drained[_WORD:])
        m.d.comb += [
            self.o.payload.eq(self.i.payload), self.o.valid.eq(self.i.valid & wanted),
            self.i.ready.eq(~wanted | self.o.ready),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += word.eq(word + 1)
            with m.If(word == self.cfg.output_words - 1):
                m.d.sync += [word.eq(0), draining.eq(draining + 1)]
        return self.resets(m)

    def _range(self, m: Module, name: str, tail: Value, at: Value) -> Value:
        """First and last word of one of the products that were issued."""
        m.submodules[name] = memory = Memory(shape=unsigned(2 * _WORD), depth=4 * PRODUCTS, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(tail), write.data.eq(Cat(self.first, self.last)), write.en.eq(self.add), read.addr.eq(at),
        ]
        return read.data

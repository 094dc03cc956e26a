"""Output words of the core: of each product those that it names."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect, flipped

from mho.hw.block import Resettable
from mho.hw.core.digital.groups import WordRange
from mho.hw.ports import In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import PRODUCTS

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
        write, read = memory.write_port(), memory.read_port(domain="comb")
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

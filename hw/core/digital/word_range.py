"""Of the results of a core that gives all words, those that each operation names."""

from typing import Any

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.counting import following, last
from mho.hw.core.layout import WordsLayout
from mho.hw.ports import In, Out

_PLACES = 8
"""Operations between their descriptor and their last word: more than any core has."""


class WordRange(Resettable):
    """Passes the words from the first to the last that an operation names, and takes the others.

    Parameters
    ----------
    output_words
        Words that the core gives an operation.
    """

    accept = In(1)
    words = In(lambda self: WordsLayout(self.output_words))
    """Strobe: an operation is taken of which these words are wanted."""
    i = In(stream.Signature(unsigned(32)))
    o = Out(stream.Signature(unsigned(32)))
    """Words of the core; those that are wanted."""

    def __init__(self, output_words: int) -> None:
        self.output_words = output_words
        super().__init__()

    def elaborate(self, platform: object) -> Any:
        m = Module()
        layout = WordsLayout(self.output_words)
        m.submodules.ranges = memory = Memory(shape=unsigned(layout.size), depth=_PLACES, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        tail, head, word = Signal(range(_PLACES)), Signal(range(_PLACES)), Signal(range(self.output_words))
        found, wanted = Signal(layout), Signal()
        m.d.comb += [
            write.addr.eq(tail), write.data.eq(self.words.as_value()), write.en.eq(self.accept), read.addr.eq(head),
            found.eq(read.data), wanted.eq((word >= found.first) & (word <= found.last)),
            self.o.payload.eq(self.i.payload), self.o.valid.eq(self.i.valid & wanted),
            self.i.ready.eq(~wanted | self.o.ready),
        ]
        m.d.sync += tail.eq(tail + self.accept)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += word.eq(following(word, self.output_words))
            with m.If(last(word, self.output_words)):
                m.d.sync += head.eq(head + 1)
        return self.resets(m)

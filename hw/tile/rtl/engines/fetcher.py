"""Reads descriptors into registers."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.rtl.engines.descriptors import PLACE_WORDS, FetchPort, descriptor_at, place_at
from mho.hw.tile.rtl.layouts import DescriptorLayout
from mho.hw.tile.rtl.windows import PlaceLayout

_WORD = 32


class Fetcher(Resettable):
    """Reads a descriptor, and of a walk where it is.

    Parameters
    ----------
    kind
        Kind of descriptor.

    Members
    -------
    number, start : In(4), In(1)
        Which, and a strobe. The number stays.
    done : Out(1)
        Strobe: all of it is there, from now on.
    o : Out(DescriptorLayout(kind))
        The descriptor.
    place : Out(PlaceLayout())
        Where the walk is.
    fetch : Out(FetchPort())
        Descriptor memory.
    """

    number = In(4)
    start = In(1)
    done = Out(1)
    o = Out(lambda self: DescriptorLayout(self.kind))
    place = Out(PlaceLayout())
    fetch = Out(FetchPort())

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__()

    def elaborate(self, platform: object) -> Any:
        m = Module()
        descriptor = DESCRIPTORS[self.kind]
        own_words = descriptor.layout.words
        words = own_words + PLACE_WORDS * (self.kind == "walk")
        registers = [Signal(_WORD, name=f"word_{k}", reset_less=True) for k in range(words)]
        step, arrived = Signal(range(words + 1), init=words), Signal(range(words + 1), init=words)
        reads = step != words
        m.d.comb += [
            self.o.as_value().eq(Cat(registers[:own_words])), self.fetch.valid.eq(reads),
            self.fetch.index.eq(descriptor_at(self.kind, self.number, step)),
        ]
        if self.kind == "walk":
            # Four words of the walk, then two of its place.
            with m.If(step[own_words.bit_length() - 1]):
                m.d.comb += self.fetch.index.eq(place_at(self.number, step))
            m.d.comb += [
                Cat(self.place[name] for name in ("x", "y", "placed", "known")).eq(registers[own_words]),
                self.place.origin.eq(registers[own_words + 1]),
            ]
        # A word comes a cycle behind its address: `arrived` says which one, `words` is none.
        m.d.sync += [arrived.eq(words), self.done.eq(arrived == words - 1)]
        with m.If(self.start):
            m.d.sync += step.eq(0)
        with m.Elif(reads & self.fetch.ready):
            m.d.sync += [step.eq(step + 1), arrived.eq(step)]
        for k, word in enumerate(registers):
            with m.If(arrived == k):
                m.d.sync += word.eq(self.fetch.data)
        return self.resets(m)

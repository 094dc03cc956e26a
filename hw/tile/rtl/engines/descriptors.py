"""Descriptor memory, and where walks are."""

from typing import Any

from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.lib import stream

from mho.hw.block import Resettable
from mho.hw.memory import block_memory, has_one_port
from mho.hw.ports import Bundle, In, Out, array
from mho.hw.tile.isa import DESCRIPTOR_WORDS, DESCRIPTORS
from mho.hw.tile.rtl.layouts import DescriptorLayout, DescriptorWrite
from mho.hw.tile.rtl.rings import AskPort
from mho.hw.tile.rtl.windows.addresses import PlaceLayout

_INDEX = 8
_WORD = 32
_WALKS = DESCRIPTORS["walk"].count

_PLACES, PLACE_WORDS = DESCRIPTOR_WORDS, 2
"""Behind the descriptors: where each walk is, column and row in a word, and the block of its image in the next one."""


def descriptor_at(kind: str, number: Value, word: Value | int) -> Value:
    """Index of a word of a descriptor, ``number`` of its kind."""
    descriptor = DESCRIPTORS[kind]
    return _at(descriptor.first, descriptor.layout.words, number[: (descriptor.count - 1).bit_length()], word)


def place_at(number: Value, word: Value | int) -> Value:
    """Index of a word of where a walk is."""
    return _at(_PLACES, PLACE_WORDS, number[: (_WALKS - 1).bit_length()], word)


def _at(first: int, words: int, number: Value, word: Value | int) -> Value:
    """Numbers that are put together: the first begins at a multiple of its words, mostly of all of its kind."""
    low = (words - 1).bit_length()
    row, bits = first >> low, _INDEX - low
    above = C(row >> len(number), bits - len(number))
    at = Cat(number, above) if row % (1 << len(number)) == 0 else (number + row)[:bits]
    return Cat(C(word, low) if isinstance(word, int) else word[:low], at)


class FetchPort(Bundle):
    """Reads a word, seen from whoever reads."""

    index = Out(_INDEX)
    valid = Out(1)
    """Which, and that it is wanted."""
    ready = In(1)
    data = In(_WORD)
    """It is read in this cycle; it is there in the next one."""


class Descriptors(Resettable):
    """Words of walks, products and vector operations, and two for the place of each walk.

    A walk one of whose words is written by the program begins anew: at position 0 of an image whose first block is the
    oldest one that is there. That takes a few cycles, in which it is not ``ready``.

    Parameters
    ----------
    ports
        Readers.
    """

    start = In(1)
    """Strobe: all walks begin anew."""
    ready = Out(1)
    """All walks are where they are to be."""
    fetch = array(In(FetchPort()), lambda self: self.ports)
    """Those who read; the one with the least number goes first."""
    place = In(stream.Signature(DescriptorWrite()))
    """Who writes places."""
    set = In(stream.Signature(DescriptorWrite()))
    load = In(stream.Signature(DescriptorWrite()))
    """Words that the program and the host write. The host's change no place."""
    ask = Out(AskPort())
    """The tokens."""

    def __init__(self, ports: int) -> None:
        self.ports = ports
        super().__init__()

    def elaborate(self, platform: object) -> Any:
        m = Module()
        depth = _PLACES + PLACE_WORDS * _WALKS
        shared = has_one_port(platform, depth)
        m.submodules.memory = memory = block_memory(platform, _WORD, depth)
        read = memory.read_port()
        write = memory.write_port()
        # Walks that were written and have not been set back yet.
        stale = Signal(_WALKS)
        origin = Signal(_WORD)
        walk = Signal(range(_WALKS))
        second = Signal()
        renews = Signal()
        number = Signal(4)
        renew = (place_at(walk, second), origin)
        m.d.comb += self.ready.eq(~stale.any())
        # With one port what is written goes first, and this block reads and writes in cycles of their own.
        looks = Signal(name="looks") if shared else renews
        self._fetch(m, read, looks, descriptor_at("walk", walk, 0), write.en if shared else None)
        self._write(m, write, renews, renew)
        for k in reversed(range(_WALKS)):
            with m.If(stale[k]):
                m.d.comb += walk.eq(k)
        m.d.comb += self.ask.stream.eq(number)
        # Column and row are 0.
        with m.If(self.ask.valid):
            m.d.sync += origin.eq(self.ask.ring.freed)
        with m.Else():
            m.d.sync += origin.eq(0)
        with m.FSM():
            with m.State("Idle"):
                with m.If(stale.any() & ~self.set.valid):
                    m.next = "Read"
            with m.State("Read"):
                if shared:
                    m.d.comb += looks.eq(1)
                    with m.If(~write.en):
                        m.next = "Place"
                else:
                    # What is written meanwhile is the place.
                    m.d.comb += renews.eq(1)
                    m.next = "Stream"
            if shared:
                with m.State("Place"):
                    m.d.comb += renews.eq(1)
                    m.next = "Stream"
            # The place of a walk counts blocks of its stream: that is in its first word.
            with m.State("Stream"):
                m.d.sync += number.eq(read.data[:4])
                m.next = "Ask"
            with m.State("Ask"):
                m.d.comb += self.ask.valid.eq(1)
                with m.If(self.ask.ready):
                    m.next = "Origin"
            with m.State("Origin"):
                m.d.comb += [renews.eq(1), second.eq(1)]
                m.d.sync += stale.bit_select(walk, 1).eq(0)
                m.next = "Idle"
        first = DESCRIPTORS["walk"].first
        with m.If(self.start):
            m.d.sync += stale.eq(-1)
        with m.Elif(self.set.valid & self.set.ready):
            for k in range(_WALKS):
                with m.If((self.set.p.index >> 2) == (first >> 2) + k):
                    m.d.sync += stale[k].eq(1)
        return self.resets(m)

    def _fetch(self, m: Module, read: Any, looks: Value, index: Value, writes: Value | None) -> None:
        """The first of those who read, after this block itself; none while something is written through the port."""
        busy = looks if writes is None else looks | writes
        m.d.comb += [read.en.eq(looks if writes is None else looks & ~writes), read.addr.eq(index)]
        for k, port in enumerate(self.fetch):
            before = Signal(name=f"before_{k}")
            m.d.comb += [before.eq(busy), port.ready.eq(~before), port.data.eq(read.data)]
            with m.If(port.valid & ~before):
                m.d.comb += [read.addr.eq(port.index), read.en.eq(1)]
            busy = before | port.valid

    def _write(self, m: Module, write: Any, renews: Value, renew: tuple[Value, Value]) -> None:
        """The first of those who write, after this block itself."""
        # A place goes first: whether it is written must not depend on the state of the sequencer.
        ports = [self.place, self.set, self.load]
        busy: Value = renews
        # Whose word it is, in two bits: a mux of four.
        chosen = Signal(range(1 + len(ports)), name="writer")
        for k, port in enumerate(ports):
            before = Signal(name=f"write_before_{k}")
            m.d.comb += [before.eq(busy), port.ready.eq(~before)]
            with m.If(~before):
                m.d.comb += chosen.eq(k + 1)
            busy = before | port.valid
        m.d.comb += write.en.eq(busy)
        with m.Switch(chosen):
            for k, (index, word) in enumerate([renew, *((port.p.index, port.p.word) for port in ports)]):
                with m.Case(k):
                    m.d.comb += [write.addr.eq(index), write.data.eq(word)]


class Fetcher(Resettable):
    """Reads a descriptor, and of a walk where it is.

    Parameters
    ----------
    kind
        Kind of descriptor.
    """

    number = In(4)
    start = In(1)
    """Which, and a strobe. The number stays."""
    done = Out(1)
    """Strobe: all of it is there, from now on."""
    o = Out(lambda self: DescriptorLayout(self.kind))
    """The descriptor."""
    place = Out(PlaceLayout())
    """Where the walk is."""
    fetch = Out(FetchPort())
    """Descriptor memory."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__()

    def elaborate(self, platform: object) -> Any:
        m = Module()
        descriptor = DESCRIPTORS[self.kind]
        own_words = descriptor.layout.words
        words = own_words + PLACE_WORDS * (self.kind == "walk")
        registers = [Signal(_WORD, name=f"word_{k}", reset_less=True) for k in range(words)]
        step = Signal(range(words + 1), init=words)
        arrived = Signal(range(words + 1), init=words)
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

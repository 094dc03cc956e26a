"""Instructions that an engine has taken and not yet carried out, in their order."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, stream

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import STREAMS
from mho.hw.tile.rtl.engines.descriptors import FetchPort
from mho.hw.tile.rtl.layouts import IssueLayout, TrapLayout
from mho.hw.tile.rtl.windows.addresses import WalkPort

AGE_BITS = 5
"""Bits of the number of an instruction among those that the engines have in hand, which wraps."""

AGES = 1 << AGE_BITS - 1
"""Instructions from the oldest one in hand on that may be issued: fewer, so that numbers tell which is older."""

IMAGE_BITS = AGE_BITS - 1
"""Low bits of the number of an image, which tell those of instructions in hand."""


class InstructionAge(data.StructLayout):
    """Where an instruction is among others: its ``age``, the larger the later, and its ``image``, low bits."""

    def __init__(self) -> None:
        super().__init__({"age": AGE_BITS, "image": IMAGE_BITS})


class PendingTrap(data.StructLayout):
    """A ``trap`` of an engine, and where its instruction is among others (``order``)."""

    def __init__(self) -> None:
        super().__init__({"trap": TrapLayout(), "order": InstructionAge()})


class IssuingEngine(Resettable[TileConfig]):
    """What an engine whose instructions may trap has around it."""

    i = In(stream.Signature(IssueLayout()))
    order = In(InstructionAge())
    """Instructions, and where the one that is offered is among all."""
    settled = In(1)
    conflict = In(1)
    """Walks are where they are to be; another engine is at work on the same stream, or nothing is to be taken."""
    others = In(1)
    """Another engine that traps has something in hand."""
    busy = Out(1)
    oldest = Out(AGE_BITS)
    reads = Out(STREAMS)
    wants = Out(STREAMS)
    """Some are at hand; number of the oldest one; streams that they read; those of the one that is offered."""
    found = Out(PendingTrap())
    """Why it stopped, from then on."""
    fetch = Out(FetchPort())
    look = Out(WalkPort())
    walks = Out(WalkPort())
    """Descriptor memory, and the walks: to be looked at, and to be carried out."""
    ends = Out(1)
    """For a trace: the oldest one ended."""


class IssueQueue(Resettable):
    """A queue of registers, from which the oldest one is taken when it is carried out. Base of those of engines.

    Parameters
    ----------
    layout
        What is kept of an instruction; ``reads`` of it are streams, a bit each, ``order`` its number.
    depth
        How many there are, the one that is carried out among them.
    """

    i = In(lambda self: stream.Signature(self.layout))
    o = Out(lambda self: stream.Signature(self.layout))
    """What is taken, while there was room in the cycle before; the oldest one, which goes with the transfer."""
    reads = Out(STREAMS)
    """Streams that some of them read."""
    busy = Out(1)
    oldest = Out(AGE_BITS)
    """There is one, on its way to the front or there; the number of the oldest one."""

    def __init__(self, layout: Any, depth: int) -> None:
        self.layout, self.depth = layout, depth
        super().__init__()

    def elaborate(self, platform: object) -> Any:
        m = Module()
        places = [Signal.like(self.i.payload, name=f"place_{k}", reset_less=True) for k in range(self.depth)]
        valid = Signal(self.depth)
        takes = [Signal(name=f"takes_{k}") for k in range(self.depth)]
        # Whether one goes is known late in a cycle, so whether another one fits does not depend on it.
        comes = Signal(name="comes")
        m.d.comb += [self.i.ready.eq(~valid.all()), comes.eq(self.i.valid & self.i.ready)]
        # Of a place that holds nothing there are none.
        streams = [Signal(STREAMS, name=f"reads_{k}") for k in range(self.depth)]
        reads: Value = streams[0]
        for k, place in enumerate(places):
            m.d.comb += takes[k].eq(~valid[k] | (takes[k - 1] if k else self.o.ready))
            last = k == self.depth - 1
            with m.If(takes[k] & (self.i.valid if last else valid[k + 1])):
                m.d.sync += place.eq(self.i.payload if last else places[k + 1])
            with m.If(takes[k]):
                m.d.sync += [
                    valid[k].eq(comes if last else valid[k + 1]),
                    streams[k].eq(self.i.p.reads & comes.replicate(STREAMS) if last else streams[k + 1]),
                ]
            if k:
                reads |= streams[k]
        m.d.comb += [
            self.busy.eq(valid.any()),
            self.o.valid.eq(valid[0]), self.o.payload.eq(places[0]), self.reads.eq(reads),
        ]
        # Places move up by themselves, so the oldest one is in the first that is taken.
        for k, place in reversed(list(enumerate(places))):
            with m.If(valid[k]):
                m.d.comb += self.oldest.eq(place.order.age)
        return self.resets(m)

"""The vector port: where a core meets what drives it."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import stream, wiring

from mho.hw.core.counting import tally
from mho.hw.ports import Bundle, In, Out

PRODUCTS = ("op", "i", "o", "words")
"""Members of a vector port that products go through: in a tile they are the program's."""


class CoreStatus(Bundle):
    """What a core says of itself."""

    busy = Out(1)
    """From the transfer of a descriptor to that of the last word of its result."""
    done = Out(1)
    """Strobe, once an operation: its result begins to drain."""
    error = Out(1)
    """An illegal descriptor was dropped. Stays until reset."""
    mvms = Out(32)
    """Conversions that ended: two for an operation of two segments."""
    cycles_total = Out(48)
    """Cycles in which an operation was in progress."""
    cycles_analog = Out(48)
    cycles_hold = Out(48)
    """Of these, cycles of operations at the pins, without and with ``hold``."""


class VectorPort(Bundle):
    """The vector port, seen from the core: what every kind of core has, and all that its surroundings know of it.

    The port's own are the members and their order in time: one descriptor, then its input words, then its output words,
    in the order of the descriptors; masks that are in force for the descriptors that are transferred later; 32-bit
    words; the status. The kind's own are the bits of a descriptor and of a mask, how many words an operation takes and
    gives, what a code means, and the members of its engine. Both ends have the members flat, as ports of their own.

    Parameters
    ----------
    op, mask
        Shapes of a descriptor and of a write of a mask.
    engine
        The members by which the core programs its cells, if it does.
    trim
        The member by which the core is trimmed, if it can be: ``trim``. An operation takes the values as they are when
        it starts, the limits when its descriptor is transferred, a run of write-verify when it begins.
    manual
        The member by which the macro's pins are driven by hand, if they can be: ``manual``.
    words
        Shape of a range of output words, if an operation gives only some.
    """

    soft_reset = In(1)
    """Resets the core and its masks, see :class:`mho.hw.block.Resettable`."""
    op = In(lambda self: stream.Signature(self.op_shape))
    """What to do. An illegal descriptor is dropped and sets ``status.error``. The operation uses the masks as they are
    when its descriptor is transferred."""
    i = In(stream.Signature(unsigned(32)))
    o = Out(stream.Signature(unsigned(32)))
    """Input and output codes of the operations in their order."""
    mask = In(lambda self: stream.Signature(self.mask_shape))
    """Writes of masks."""
    status = Out(CoreStatus())
    """State and counters."""
    words = In(lambda self: self.words_shape, when=lambda self: self.words_shape is not None)
    """First and last word of those that the operation gives, taken with its descriptor."""

    def __init__(
        self, op: ShapeLike, mask: ShapeLike, engine: wiring.Signature | None = None,
        trim: Mapping[str, Any] | None = None, manual: Mapping[str, Any] | None = None, words: ShapeLike | None = None,
    ) -> None:
        self.op_shape, self.mask_shape, self.words_shape = op, mask, words
        self.op_bits, self.mask_bits = Shape.cast(op).width, Shape.cast(mask).width
        super().__init__({**({} if engine is None else engine.members), **(trim or {}), **(manual or {})})


class VectorMembers:
    """What a type checker knows of the members of a vector port, in whatever has some of them flat."""

    soft_reset: Signal
    op: stream.Interface
    i: stream.Interface
    o: stream.Interface
    mask: stream.Interface
    status: Any
    words: Any
    target: stream.Interface
    cell: stream.Interface
    parameters: Any
    write_start: Value
    write_stop: Value
    map_addr: Value
    map_data: Value
    write_status: Any
    trim: Any
    manual: Any


def join(m: Module, port: wiring.Signature, core: Any, driver: Any, *, but: tuple[str, ...] = ()) -> None:
    """Connect the members of ``port`` of ``core`` with those of ``driver``, but for the members of the names ``but``.

    A component that passes the port on is a driver of the core within as ``flipped(self)``.
    """
    for name, member in port.members.items():
        inner, outer = getattr(core, name), getattr(driver, name)
        if name in but:
            continue
        if member.is_signature:
            wiring.connect(m, core=inner, driver=outer)
        else:
            m.d.comb += outer.eq(inner) if member.flow is wiring.Out else inner.eq(outer)


def count_operations(
    m: Module, status: Any, sequencer: Any, *, hold: Value, busy: Value, error: Value, converted: Value, done: Value
) -> None:
    """Drive the members of :class:`mho.hw.core.port.CoreStatus`.

    Parameters
    ----------
    sequencer
        What has ``running`` and ``analog``.
    converted, done
        A conversion ended; an operation did, which is seen a cycle later.
    """
    m.d.comb += status.busy.eq(busy)
    m.d.sync += status.done.eq(done)
    with m.If(error):
        m.d.sync += status.error.eq(1)
    with m.If(converted):
        m.d.sync += status.mvms.eq(status.mvms + 1)
    tally(m, status.cycles_total, sequencer.running, "total")
    tally(m, status.cycles_analog, sequencer.analog & ~hold, "analog")
    tally(m, status.cycles_hold, sequencer.analog & hold, "hold")

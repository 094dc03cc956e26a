"""Counters that go round, of any number of steps."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


def last(counter: Value, count: int) -> Value:
    """Whether ``counter`` is the last of ``count`` steps from 0, as ``Signal(range(count))`` counts them."""
    return counter.all() if count == 1 << len(counter) else counter == count - 1


def following(counter: Value, count: int) -> Value:
    """What follows ``counter``: behind the last step comes 0, which a power of two does by itself."""
    return counter + 1 if count == 1 << len(counter) else Mux(counter == count - 1, 0, counter + 1)


def padded(vector: Value, width: int) -> Value:
    """``vector`` with zeros to whole words of ``width`` bits, so that none of them lies beyond its end."""
    return Cat(vector, Const(0, -len(vector) % width)) if len(vector) % width else vector


_PIECE = 16
"""Bits through which a carry goes in one cycle."""


def tally(m: Module, counter: Value, when: Value, name: str) -> list[Signal]:
    """Add 1 to ``counter`` in each cycle of ``when``, exactly.

    It counts in pieces of 16 bits. That a piece is full, so that the next one counts with it, has a flip-flop.

    Returns
    -------
    list of Signal
        These flip-flops; who sets the counter to 0 sets them to 0 too.
    """
    full: list[Signal] = []
    for low in range(0, len(counter), _PIECE):
        piece = counter[low : low + _PIECE]
        with m.If(when):
            m.d.sync += piece.eq(piece + 1)
            if low + _PIECE < len(counter):
                full.append(Signal(name=f"{name}_full_{low // _PIECE}"))
                m.d.sync += full[-1].eq(piece == 2**_PIECE - 2)
        when = when & full[-1] if full else when
    return full

"""Counters of many bits without a carry through all of them."""

from amaranth.hdl import Module, Signal, Value

__all__ = ["tally"]

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

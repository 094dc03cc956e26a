"""Counters that go round, of any number of steps."""

from amaranth.hdl import Cat, Const, Mux, Value

__all__ = ["following", "last", "padded"]


def last(counter: Value, count: int) -> Value:
    """Whether ``counter`` is the last of ``count`` steps from 0, as ``Signal(range(count))`` counts them."""
    return counter.all() if count == 1 << len(counter) else counter == count - 1


def following(counter: Value, count: int) -> Value:
    """What follows ``counter``: behind the last step comes 0, which a power of two does by itself."""
    return counter + 1 if count == 1 << len(counter) else Mux(counter == count - 1, 0, counter + 1)


def padded(vector: Value, width: int) -> Value:
    """``vector`` with zeros to whole words of ``width`` bits, so that none of them lies beyond its end."""
    return Cat(vector, Const(0, -len(vector) % width)) if len(vector) % width else vector

"""Neighbouring words of a memory at a time: word w is in bank w mod n, n a power of two."""

from collections.abc import Sequence

from amaranth.hdl import Mux, Value

__all__ = ["rows", "turn"]


def rows(index: Value, banks: int) -> list[Value]:
    """Rows of the banks that hold the words ``index``, ``index + 1`` and so on, in the order of the banks."""
    low = (banks - 1).bit_length()
    later = [index[:low] > bank if bank < banks - 1 else 0 for bank in range(banks)]
    return [(index[low:] + one)[: len(index) - low] for one in later]


def turn(values: Sequence[Value], by: Value) -> list[Value]:
    """Values in the order ``values[by]``, ``values[by + 1]`` and so on, round and round."""
    found, count = list(values), len(values)
    for k, bit in enumerate(by):
        found = [Mux(bit, found[(place + (1 << k)) % count], value) for place, value in enumerate(found)]
    return found

"""Neighbouring words of a memory at a time: word w is in bank w mod n, n a power of two."""

from amaranth.hdl import Value

__all__ = ["rows"]


def rows(index: Value, banks: int) -> list[Value]:
    """Rows of the banks that hold the words ``index``, ``index + 1`` and so on, in the order of the banks."""
    low = (banks - 1).bit_length()
    later = [index[:low] > bank if bank < banks - 1 else 0 for bank in range(banks)]
    return [(index[low:] + carry)[: len(index) - low] for carry in later]

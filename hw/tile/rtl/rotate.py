"""Values in another order of a ring."""

from collections.abc import Sequence

from amaranth.hdl import Mux, Value


def rotated(values: Sequence[Value], by: Value) -> list[Value]:
    """Values in the order ``values[by]``, ``values[by + 1]`` and so on, round and round."""
    turned, count = list(values), len(values)
    # The largest step first: where the last values are not wanted, what is before them is less than all.
    for k, bit in reversed(list(enumerate(by))):
        turned = [Mux(bit, turned[(place + (1 << k)) % count], value) for place, value in enumerate(turned)]
    return turned


def rows(index: Value, banks: int) -> list[Value]:
    """Rows of the banks that hold the words ``index``, ``index + 1`` and so on, in the order of the banks."""
    low = (banks - 1).bit_length()
    later = [index[:low] > bank if bank < banks - 1 else 0 for bank in range(banks)]
    return [(index[low:] + carry)[: len(index) - low] for carry in later]

"""Values in another order of a ring."""

from collections.abc import Sequence

from amaranth.hdl import Mux, Value

__all__ = ["rotated"]


def rotated(values: Sequence[Value], by: Value) -> list[Value]:
    """Values in the order ``values[by]``, ``values[by + 1]`` and so on, round and round."""
    turned, count = list(values), len(values)
    # The largest step first: where the last values are not wanted, what is before them is less than all.
    for k, bit in reversed(list(enumerate(by))):
        turned = [Mux(bit, turned[(place + (1 << k)) % count], value) for place, value in enumerate(turned)]
    return turned

"""Places in a memory: what is declared without one gets the lowest that is free."""

from bisect import bisect_right
from collections.abc import Sequence


def place(sizes: Sequence[int], fixed: Sequence[int | None], step: int, limit: int) -> list[int]:
    """The first address of each region, in order; ``fixed`` ones stay where they are and may lie over each other.

    Raises
    ------
    ValueError
        With the number of the region for which there is no place below ``limit``.
    """
    starts, ends = _taken([(at, at + size) for at, size in zip(fixed, sizes, strict=True) if at is not None and size])
    # Of each size nothing is free below the last one's place, so that many regions take no long search.
    lowest: dict[int, int] = {}
    addresses = []
    for number, (at, size) in enumerate(zip(fixed, sizes, strict=True)):
        if at is None:
            at = lowest.get(size, 0)
            while (k := bisect_right(ends, at)) < len(ends) and starts[k] < at + size:
                at = -(-ends[k] // step) * step
            lowest[size] = at
            if at + size > limit:
                raise ValueError(number)
            if size:
                starts.insert(k, at)
                ends.insert(k, at + size)
        addresses.append(at)
    return addresses


def _taken(regions: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Starts and ends of what regions cover, in order, with nothing over each other."""
    starts, ends = list[int](), list[int]()
    for start, end in sorted(regions):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends

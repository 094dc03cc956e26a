"""Places in a memory: what is declared without one gets the lowest that is free."""

from collections.abc import Sequence

__all__ = ["place"]


def place(sizes: Sequence[int], wanted: Sequence[int | None], step: int, most: int) -> list[int]:
    """The first address of each region, in order; ``wanted`` ones stay where they are and may lie over each other.

    Raises
    ------
    ValueError
        With the number of the region for which there is no place below ``most``.
    """
    taken = [(at, at + size) for at, size in zip(wanted, sizes, strict=True) if at is not None]
    found = []
    for number, (at, size) in enumerate(zip(wanted, sizes, strict=True)):
        if at is None:
            at = 0
            while blocker := next((end for start, end in taken if start < at + size and at < end), 0):
                at = -(-blocker // step) * step
            taken.append((at, at + size))
            if at + size > most:
                raise ValueError(number)
        found.append(at)
    return found

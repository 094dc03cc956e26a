"""Trees of sections as dotted keys."""

from collections.abc import Iterator, Mapping

__all__ = ["dotted"]


def dotted(tree: Mapping[str, object], under: str = "") -> Iterator[tuple[str, object]]:
    """Each key of a tree with those of the sections above it, as in ``adc.bits``, and its value.

    A key that itself has dots, written in quotes, comes as it is; so a name may come twice.
    """
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{under}{key}.")
        else:
            yield f"{under}{key}", value

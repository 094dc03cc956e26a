"""Energy of one image by module and tile, and its sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Row", "block_sums", "sums", "tile_sums"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """Energy of one image in J of instances of a module in a tile, or around the tiles (None).

    ``image`` by the activity seen, ``average`` by an average one, ``still`` of clock and leakage alone; ``memory`` is
    the part of ``image`` that accesses to a macro of a memory take.
    """

    tile: str | None
    module: str
    image: float
    average: float
    still: float
    memory: float = 0.0


def sums(rows: Sequence[Row]) -> dict[str, float]:
    """The sums of some rows in pJ."""
    kinds = ("image", "average", "still", "memory")
    return {f"{key}_pJ": 1e12 * float(sum(getattr(row, key) for row in rows)) for key in kinds}


def block_sums(rows: Sequence[Row], prefix: str) -> list[dict[str, Any]]:
    """Sums over all instances of each module, most first."""
    by_module: dict[str, list[Row]] = {}
    for row in rows:
        by_module.setdefault(row.module, []).append(row)
    blocks = [{"block": module.removeprefix(prefix), **sums(powers)} for module, powers in by_module.items()]
    return sorted(blocks, key=lambda row: -row["image_pJ"])


def tile_sums(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Sums of each tile, in the order of the rows of the mesh; what is around them last. Empty for a core."""
    by_tile: dict[str | None, list[Row]] = {}
    for row in rows:
        by_tile.setdefault(row.tile, []).append(row)
    if len(by_tile) == 1:
        return []
    order = sorted(by_tile, key=lambda tile: (tile is None, *reversed([int(k) for k in (tile or "0").split(",")])))
    return [{"tile": tile, **sums(by_tile[tile])} for tile in order]

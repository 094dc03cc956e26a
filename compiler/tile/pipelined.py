"""The programs of a network, with nodes of tiles an image ahead where the array would wait in each image otherwise.

What an order of nodes takes is what :mod:`compiler.tile.cycles` predicts. Where images take longer than the busiest
array works, cuts are tried: nodes before one are an image ahead on every tile that has layers on both sides of it. The
best of them is kept if it gains enough, and so on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from compiler.tile.cycles import TileCycles, expected_cycles
from compiler.tile.file import tile_code
from compiler.tile.placed.ahead import Ahead, both_sides
from compiler.tile.placed.streams import Placed
from compiler.tile.programs import tile_programs
from macro_models.errors import InputError

if TYPE_CHECKING:
    from compiler.network import Network

__all__ = ["with_programs"]

GAIN = 0.03
"""What a cut has to save of an image's cycles, and what is left to save before one is tried."""
MOST_CUTS = 6
"""Cuts that are tried, those of the busiest tiles."""
BUSY = 0.5
"""Part of the work of the busiest array from which on the order of a tile's layers is worth a try."""


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """A network with its programs, how they are placed, and the cycles that are predicted."""

    network: "Network"
    placed: Placed
    cycles: TileCycles
    ahead: Ahead


def with_programs(network: "Network", x: NDArray[np.floating]) -> tuple["Network", TileCycles | None]:
    """A network with the programs of its tiles, and the cycles of inputs like ``x`` that are predicted.

    There are none where the prediction finds no end, which the programs were proven to have.

    Raises
    ------
    InputError
        As of :func:`compiler.tile.programs.tile_programs`.
    """
    made = tile_programs(network)
    first = replace(network, tiles=tile_code(made))
    try:
        best = _Tried(network=first, placed=made.placed, cycles=expected_cycles(first, x), ahead={})
    except ValueError:
        return first, None
    while found := [one for ahead in _cuts(best) if (one := _tried(network, ahead, x)) is not None]:
        one = min(found, key=lambda one: one.cycles.each)
        if one.cycles.each > (1 - GAIN) * best.cycles.each:
            break
        best = one
    return best.network, best.cycles


def _tried(network: "Network", ahead: Ahead, x: NDArray[np.floating]) -> _Tried | None:
    """The network with nodes ahead; None if its tiles have no room for that."""
    try:
        made = tile_programs(network, ahead=ahead)
        found = replace(network, tiles=tile_code(made))
        return _Tried(network=found, placed=made.placed, cycles=expected_cycles(found, x), ahead=ahead)
    except (InputError, ValueError):
        return None


def _cuts(best: _Tried) -> Iterator[Ahead]:
    """What may be ahead, beyond what is: each set of nodes once."""
    analog, members, layers = best.cycles.analog, best.placed.members, sorted(best.placed.parts)
    most = max(analog.values())
    if best.cycles.each <= (1 + GAIN) * most:
        return
    found: dict[frozenset[tuple[str, tuple[int, ...]]], tuple[float, Ahead]] = {}
    for cut in layers:
        tiles = [tile for tile in both_sides(members, layers, cut) if tile not in best.ahead]
        works = max((analog[tile] for tile in tiles), default=0.0)
        if works < BUSY * most:
            continue
        key = frozenset((tile, tuple(k for k in layers if k < cut and tile in members[k])) for tile in tiles)
        found.setdefault(key, (works, {**best.ahead, **dict.fromkeys(tiles, cut)}))
    yield from (ahead for _, ahead in sorted(found.values(), key=lambda one: -one[0])[:MOST_CUTS])

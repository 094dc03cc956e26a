"""The programs of a network, with nodes of tiles an image ahead where the array would wait in each image otherwise.

What an order of nodes takes is what :mod:`mho.compiler.tile.cycles` predicts. Where images take longer than the busiest
array works, cuts are tried: nodes before one are an image ahead on every tile that has layers on both sides of it. The
best of them is kept if it gains enough, and so on.
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler.tile.cycles import TileCycles, expected_cycles
from mho.compiler.tile.file import tile_code
from mho.compiler.tile.placement.links import link_flits
from mho.compiler.tile.placement.needs import needs_of
from mho.compiler.tile.placement.room import Room
from mho.compiler.tile.placement.software_pipeline import Ahead, both_sides
from mho.compiler.tile.placement.streams import Placed, tile_name
from mho.compiler.tile.programs import tile_programs
from mho.compiler.tile.refusal import Refusal
from mho.macro_models.errors import InputError

if TYPE_CHECKING:
    from mho.compiler.network import Network

__all__ = ["Programmed", "with_programs", "write_programs"]

GAIN = 0.03
"""What a cut has to save of an image's cycles, and what is left to save before one is tried."""
MOST_CUTS = 6
"""Cuts that are tried, those of the busiest tiles."""
BUSY = 0.5
"""Part of the work of the busiest array from which on the order of a tile's layers is worth a try."""


@dataclass(frozen=True, kw_only=True)
class Programmed:
    """A network with its programs, how they are placed, and the cycles that are predicted.

    There are none where the prediction finds no end, which the programs were proven to have.
    """

    network: "Network"
    placed: Placed
    cycles: TileCycles | None
    room: Room

    def facts(self) -> dict[str, Any] | None:
        """For JSON: cycles, layers and memories of the tiles, the clock, and flits of an image on the links."""
        chip, code, layers = self.network.chip, self.network.tiles, dict[str, list[str]]()
        if self.cycles is None or code is None:
            return None
        takes = {tile: asdict(one) for tile, one in needs_of(code.programs).items()}
        for layer in self.network.layers:
            for core in dict.fromkeys(mvm.core for mvm in layer.mvms):
                layers.setdefault(tile_name(chip, core), []).append(layer.name)
        told = self.cycles.facts()
        tiles = [{**one, "layers": layers.get(one["tile"], []), "takes": takes[one["tile"]]} for one in told["tiles"]]
        return {**told, "tiles": tiles, "links": link_flits(self.placed, chip), "f_clk_MHz": chip.clock.f_clk_MHz}


def write_programs(network: "Network", x: NDArray[np.floating]) -> Programmed | Refusal:
    """:func:`with_programs`, or why there are none."""
    try:
        return with_programs(network, x)
    except InputError as error:
        return Refusal(str(error))


def with_programs(network: "Network", x: NDArray[np.floating]) -> Programmed:
    """A network with the programs of its tiles, and the cycles of inputs like ``x``.

    Raises
    ------
    InputError
        As of :func:`mho.compiler.tile.programs.tile_programs`.
    """
    best = _tried(network, {}, x)
    room = best.room
    while found := [one for ahead in _cuts(best) if (one := _if_it_fits(network, ahead, x, room)) is not None]:
        one = min(found, key=_each)
        if _each(one) > (1 - GAIN) * _each(best):
            break
        best = one
    return best


def _each(one: Programmed) -> float:
    return math.inf if one.cycles is None else one.cycles.interval


def _tried(network: "Network", ahead: Ahead, x: NDArray[np.floating], room: Room | None = None) -> Programmed:
    """The network with nodes ahead."""
    made = tile_programs(network, ahead=ahead, room=room)
    found = replace(network, tiles=tile_code(made))
    cycles = None
    with suppress(ValueError):
        cycles = expected_cycles(found, x)
    return Programmed(network=found, placed=made.placed, cycles=cycles, room=made.room)


def _if_it_fits(network: "Network", ahead: Ahead, x: NDArray[np.floating], room: Room) -> Programmed | None:
    """The same; None if tiles have no room for that."""
    try:
        return _tried(network, ahead, x, room)
    except InputError:
        return None


def _cuts(best: Programmed) -> Iterator[Ahead]:
    """What may be ahead, beyond what is: each set of nodes once."""
    if best.cycles is None or best.network.tiles is None:
        return
    analog, members, layers = best.cycles.analog, best.placed.members, sorted(best.placed.parts)
    most, before = max(analog.values()), best.network.tiles.ahead
    if best.cycles.interval <= (1 + GAIN) * most:
        return
    found: dict[frozenset[tuple[str, tuple[int, ...]]], tuple[float, Ahead]] = {}
    for cut in layers:
        tiles = [tile for tile in both_sides(members, layers, cut) if tile not in before]
        works = max((analog[tile] for tile in tiles), default=0.0)
        if works < BUSY * most:
            continue
        key = frozenset((tile, tuple(k for k in layers if k < cut and tile in members[k])) for tile in tiles)
        found.setdefault(key, (works, {**before, **dict.fromkeys(tiles, cut)}))
    yield from (ahead for _, ahead in sorted(found.values(), key=lambda one: -one[0])[:MOST_CUTS])

"""The programs of a network, with nodes of tiles an image ahead where the array would wait in each image otherwise.

What an order of nodes takes is what :mod:`mho.compiler.tile.cycles` predicts. Where images take longer than the busiest
array works, cuts are tried: nodes before one are an image ahead on every tile that has layers on both sides of it. The
best of them is kept if it gains enough, and so on.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mho.compiler.tile.cycles import TileCycles, expected_cycles
from mho.compiler.tile.placement.room import Room, needs_of
from mho.compiler.tile.placement.software_pipeline import Cuts, both_sides
from mho.compiler.tile.placement.streams import Placed, place_of, tile_name
from mho.compiler.tile.programs import tile_code, try_programs
from mho.compiler.tile.refusal import Refusal
from mho.compiler.types import Facts
from mho.hw.config import Chip
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.reduction.trees import Edge, path
from mho.hw.tile.interpreter.joined import HOST

if TYPE_CHECKING:
    from mho.compiler.network import Network


def link_flits(placed: Placed, chip: Chip) -> list[Facts]:
    """Flits of an image on each link that has some, for JSON: ``start``, ``end`` (tiles) and ``flits``.

    Blocks go along a row, then along a column; a multicast crosses a link once, and so does a sum. For each block a
    flit comes back from each receiver, by which the next but one may go. The host is at tile 0,0. No program depends
    on data, so the numbers are exact.
    """
    return _Links(placed, chip).found()


class _Links:
    def __init__(self, placed: Placed, chip: Chip) -> None:
        self._placed, self._chip, self._mesh = placed, chip, MeshConfig.from_chip(chip)
        self._count: Counter[Edge] = Counter()

    def found(self) -> list[Facts]:
        """All of them."""
        placed = self._placed
        values = placed.graph.values
        for value, flows in placed.flows.items():
            for flow in flows:
                self._blocks(flow.sender, flow.to, values[value].image.pixels, values[value].block)
        sent: dict[tuple[int, int | None], list[str]] = {}
        for ring in placed.rings.values():
            if ring.value in placed.graph.split.entries:
                sent.setdefault((ring.value, ring.slot), []).append(ring.tile)
        for (value, _), tiles in sent.items():
            self._blocks(HOST, tiles, values[value].image.pixels, values[value].block)
        for (k, p), (_, flow) in placed.columns.items():
            value = values[placed.graph.nodes[k].values[0]]
            self._blocks(flow.sender, flow.to, value.image.pixels, placed.parts[k][p].count * value.width)
        for (k, p), reduction in placed.reductions.items():
            edges = {edge for tile in reduction.members for edge in self._way(tile, reduction.root)}
            self._add(edges, placed.graph.nodes[k].walk.positions * self._flits(2 * placed.parts[k][p].count))
        return [{"start": tile_name(self._chip, a), "end": tile_name(self._chip, b), "flits": flits}
                for (a, b), flits in sorted(self._count.items())]

    def _blocks(self, sender: str, to: Iterable[str], blocks: int, size: int) -> None:
        """Blocks from a tile to others, and what comes back."""
        ends = list(to)
        self._add({edge for tile in ends for edge in self._way(sender, tile)}, blocks * self._flits(size))
        for tile in ends:
            self._add(self._way(tile, sender), blocks)

    def _flits(self, size: int) -> int:
        return -(-size // self._placed.flit_bytes)

    def _add(self, edges: Iterable[Edge], flits: int) -> None:
        self._count.update(dict.fromkeys(edges, flits))

    def _way(self, start: str, end: str) -> list[Edge]:
        """Links from one tile to another."""
        return list(pairwise(node for node, _ in path(self._mesh, self._node(start), self._node(end))))

    def _node(self, tile: str) -> int:
        return self._mesh.node(*(0, 0) if tile == HOST else place_of(tile))


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

    def facts(self) -> Facts | None:
        """For JSON: cycles, layers and memories of the tiles, the clock, and flits of an image on the links."""
        chip, code, layers = self.network.chip, self.network.tiles, dict[str, list[str]]()
        if self.cycles is None or code is None:
            return None
        takes = {tile: asdict(needs) for tile, needs in needs_of(code.programs).items()}
        for layer in self.network.layers:
            for core in dict.fromkeys(mvm.core for mvm in layer.mvms):
                layers.setdefault(tile_name(chip, core), []).append(layer.name)
        facts = self.cycles.facts()
        tiles = [{**tile, "layers": layers.get(tile["tile"], []), "takes": takes[tile["tile"]]}
                 for tile in facts["tiles"]]
        return {**facts, "tiles": tiles, "links": link_flits(self.placed, chip), "f_clk_MHz": chip.clock.f_clk_MHz}


def with_programs(network: "Network", x: NDArray[np.floating]) -> Programmed:
    """:func:`write_programs`, which must find room.

    Raises InputError as of :func:`mho.compiler.tile.programs.tile_programs`.
    """
    programmed = write_programs(network, x)
    if isinstance(programmed, Refusal):
        raise programmed.error()
    return programmed


def write_programs(network: "Network", x: NDArray[np.floating]) -> Programmed | Refusal:
    """A network with the programs of its tiles, and the cycles of inputs like ``x``, or why there are none."""
    best = _tried(network, {}, x)
    if isinstance(best, Refusal):
        return best
    room = best.room
    while trials := [trial for cuts in _cuts(best) if isinstance(trial := _tried(network, cuts, x, room), Programmed)]:
        fastest = min(trials, key=_interval)
        if _interval(fastest) > (1 - GAIN) * _interval(best):
            break
        best = fastest
    return best


def _interval(programmed: Programmed) -> float:
    return math.inf if programmed.cycles is None else programmed.cycles.interval


def _tried(network: "Network", cuts: Cuts, x: NDArray[np.floating], room: Room | None = None) -> Programmed | Refusal:
    """The network with nodes ahead, if tiles have room for that."""
    programs = try_programs(network, ahead=cuts, room=room)
    if isinstance(programs, Refusal):
        return programs
    programmed, cycles = replace(network, tiles=tile_code(programs)), None
    with suppress(ValueError):
        cycles = expected_cycles(programmed, x)
    return Programmed(network=programmed, placed=programs.placed, cycles=cycles, room=programs.room)


def _cuts(best: Programmed) -> Iterator[Cuts]:
    """What may be ahead, beyond what is: each set of nodes once."""
    if best.cycles is None or best.network.tiles is None:
        return
    analog, members, layers = best.cycles.analog, best.placed.members, sorted(best.placed.parts)
    longest, before = max(analog.values()), best.network.tiles.ahead
    if best.cycles.interval <= (1 + GAIN) * longest:
        return
    trials: dict[frozenset[tuple[str, tuple[int, ...]]], tuple[float, Cuts]] = {}
    middles = _middles(best.placed)
    for cut in layers:
        tiles = [tile for tile in both_sides(members, layers, cut) if tile not in before]
        # Of steps of a layer half are an image ahead.
        if any(first < cut <= last and cut != middle for first, middle, last in middles):
            continue
        works = max((analog[tile] for tile in tiles), default=0.0)
        if works < BUSY * longest:
            continue
        key = frozenset((tile, tuple(k for k in layers if k < cut and tile in members[k])) for tile in tiles)
        trials.setdefault(key, (works, {**before, **dict.fromkeys(tiles, cut)}))
    yield from (cuts for _, cuts in sorted(trials.values(), key=lambda trial: -trial[0])[:MOST_CUTS])


def _middles(placed: Placed) -> list[tuple[int, int, int]]:
    """Of each layer with several calls the first, the middle and the last of their nodes."""
    calls: dict[int, list[int]] = {}
    for k in sorted(placed.parts):
        call = placed.graph.call(k)
        assert call is not None
        calls.setdefault(call.layer, []).append(k)
    return [(nodes[0], nodes[len(nodes) // 2], nodes[-1]) for nodes in calls.values() if len(nodes) > 1]

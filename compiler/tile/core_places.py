"""Which tile of the mesh each core becomes, so that values travel few hops.

What is counted are hop-bytes: bytes of an image times the links that they cross. A flit goes along its row, then along
its column; a multicast crosses a link once for all tiles behind it, and so does a sum. The host is at the corner 0,0.
Cores take as few rows of the mesh as hold them, so that a file has few empty ones. They begin in a line up and down the
columns; then pairs change places, and changes for the worse are kept at times, ever fewer (annealing, fixed seeds).
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from mho.compiler.calibration.outputs import converters_of
from mho.compiler.network import CoreImage, Network
from mho.compiler.program import Program
from mho.compiler.tile.graph.builder import tile_graph
from mho.compiler.tile.graph.graph import Graph
from mho.compiler.tile.graph.images import Image
from mho.compiler.tile.placement import streams
from mho.compiler.tile.placement.room import Needs
from mho.compiler.tile.programs import tile_needs
from mho.hw.config import Chip
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import HOST

MOVES = 12_000
"""Changes that are tried from each of the seeds, of which a network on 20 tiles takes a second."""
SEEDS = 3
HEAT = 0.4
"""Worsening that is kept at first, of the hop-bytes of a transfer."""
REFUSED = 1 << 40
"""Hop-bytes that a sum without a context, or a tile that is too small, counts."""

Place = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """``size`` bytes of an image from a tile, or the host, to others; for a sum from ``to`` to ``sender``."""

    size: int
    sender: str
    to: tuple[str, ...]
    sums: bool = False


@dataclass(frozen=True, kw_only=True)
class CorePlaces:
    """Hop-bytes of an image ``before`` and ``after``, and the core that each core becomes."""

    before: int
    after: int
    core: Mapping[int, int]


def transfers(graph: Graph, chip: Chip) -> list[Transfer]:
    """What goes from tile to tile, by the names that tiles have now."""
    parts, tiles, members = streams.member_tiles(graph, chip)
    moves: list[Transfer] = []
    for value, (maker, ends) in streams.sent(graph, members).items():
        layout = graph.values[value]
        size, groups = layout.image.pixels * layout.block, streams.destinations(graph, value, ends)
        for group in groups:
            to = tuple(dict.fromkeys(tile for tile, _ in group if tile != maker))
            moves += [Transfer(size=-(-size // len(groups)), sender=maker or HOST, to=to)] if to else []
        moves += [Transfer(size=size, sender=maker, to=(HOST,))] if maker and value in graph.split.results else []
    for (k, p), part_tiles in tiles.items():
        value, count = graph.values[graph.nodes[k].values[0]], parts[k][p].count
        root, *senders = part_tiles
        if senders:
            moves.append(Transfer(size=2 * count * value.image.pixels, sender=root, to=tuple(senders), sums=True))
        if root != members[k][0]:
            size = count * value.width * value.image.pixels
            moves.append(Transfer(size=size, sender=root, to=(members[k][0],)))
    return moves


def hop_bytes(moved: Sequence[Transfer], place: Mapping[str, Place]) -> int:
    """Hop-bytes of transfers between tiles at some places."""
    return sum(_cost(transfer, place) for transfer in moved)


def place_cores(graph: Graph, chip: Chip, needs: Mapping[str, Needs] = MappingProxyType({})) -> CorePlaces:
    """Places for the tiles of a graph, which have what these ``needs``, by the names that they have now."""
    moved = transfers(graph, chip)
    cores = {m.core for layer in graph.program.layers for m in layer.mvms}
    rows = -(-len(cores) // chip.mesh.columns)
    best_run = _Annealing(moved, sorted(cores), chip, rows, needs)
    best, refused = best_run.run()
    while refused and rows < chip.mesh.rows:
        rows += 1
        best_run = _Annealing(moved, sorted(cores), chip, rows, needs)
        best, refused = best_run.run()
    place = {name: best_run.at(core) for core, name in enumerate(best_run.named)} | {HOST: (0, 0)}
    return CorePlaces(
        before=hop_bytes(moved, place), after=hop_bytes(moved, best),
        core={core: x + chip.mesh.columns * y for core in cores for x, y in [best[best_run.named[core]]]})


def _cost(transfer: Transfer, place: Mapping[str, Place]) -> int:
    whole = transfer.sums or transfer.sender == HOST
    return transfer.size * _hops(place[transfer.sender], tuple(map(place.__getitem__, transfer.to)), whole)


@lru_cache(maxsize=1 << 18)
def _hops(start: Place, to: tuple[Place, ...], whole: bool) -> int:
    """Links that a flit for some places crosses, or one for each part of them that a flit can name."""
    ends = frozenset(to)
    return _links(start, ends) if whole else sum(_links(start, box) for box in streams.boxes_of(ends))


def _links(start: Place, ends: frozenset[Place]) -> int:
    """Links of the tree of XY routes from one place to some; the host's own one counts as any other."""
    left = right = start[0]
    spans: dict[int, tuple[int, int]] = {}
    for x, y in ends:
        left, right = x if x < left else left, x if x > right else right
        first, last = spans[x] if x in spans else (start[1], start[1])
        spans[x] = y if y < first else first, y if y > last else last
    return right - left + sum([last - first for first, last in spans.values()])


class _Annealing:
    """The places of cores in the first rows of the mesh; free places change with taken ones."""

    def __init__(
        self, moved: Sequence[Transfer], cores: Sequence[int], chip: Chip, rows: int, needs: Mapping[str, Needs]
    ) -> None:
        self.chip, self.rows, self.transfers = chip, rows, moved
        self.named = [streams.tile_name(chip, core) for core in range(chip.cores)]
        self.names = [self.named[core] for core in cores]
        self.of = {name: [t for t in moved if name == t.sender or name in t.to] for name in self.named}
        self.sums = [(t.sender, *t.to) for t in moved if t.sums]
        self.bound = {name for names in self.sums for name in names}
        self.contexts = chip.mesh.contexts
        cfgs = TileConfig.of_tiles(chip)
        self.small = {name: {streams.place_of(tile) for tile, cfg in cfgs.items() if not needs[name].met_by(cfg)}
                      for name in self.names if name in needs}
        self.bound |= {name for name, names in self.small.items() if names}

    def at(self, core: int) -> Place:
        """Where a core is without being moved."""
        return core % self.chip.mesh.columns, core // self.chip.mesh.columns

    def run(self) -> tuple[dict[str, Place], int]:
        """The best places that were seen, and how many sums have no context there."""
        line = [(x, y if x % 2 == 0 else self.rows - 1 - y) for x in range(self.chip.mesh.columns)
                for y in range(self.rows)]
        starts = [line, [self.at(k) for k in range(len(line))]]
        best = min((dict(zip([*self.names, HOST], [*at[: len(self.names)], (0, 0)], strict=True)) for at in starts),
                   key=self._all)
        if len(self.names) > 1:
            best = min((self._annealed(dict(best), line, seed) for seed in range(SEEDS)), key=self._all)
        # What has no weights may be at a tile that holds none.
        free = iter(sorted(set(map(self.at, range(self.chip.cores))) - set(best.values())))
        best |= {name: next(free) for name in self.named if name not in best and self.of[name]}
        return best, self._refused(best)

    def _all(self, place: Mapping[str, Place]) -> int:
        return hop_bytes(self._among(self.transfers), place) + REFUSED * self._refused(place)

    def _among(self, transfers: Sequence[Transfer]) -> list[Transfer]:
        """Transfers between the tiles that are placed."""
        placed = {*self.names, HOST}
        return [t for t in transfers if t.sender in placed and placed.issuperset(t.to)]

    def _refused(self, place: Mapping[str, Place]) -> int:
        """Sums that find no context, and tiles that are too small."""
        places = [tuple(map(place.__getitem__, names)) for names in self.sums]
        sums = streams.contexts_of(places, self.contexts).count(None)
        return sums + sum(place[name] in names for name, names in self.small.items())

    def _annealed(self, place: dict[str, Place], nodes: Sequence[Place], seed: int) -> dict[str, Place]:
        occupants = {at: name for name, at in place.items() if name != HOST}
        of = {name: {id(t): t for t in self._among(self.of[name])} for name in self.names}
        rng = random.Random(seed)
        refused, best, lowest, now = self._refused(place), dict(place), 0, 0
        costs = {number: _cost(t, place) for transfers in of.values() for number, t in transfers.items()}
        heat = max(1.0, HEAT * hop_bytes(self._among(self.transfers), place) / max(1, len(self.transfers)))

        def swap(name: str, to: Place) -> None:
            here, neighbour = place[name], occupants.pop(to, None)
            place[name], occupants[to] = to, name
            if neighbour is None:
                del occupants[here]
            else:
                place[neighbour], occupants[here] = here, neighbour

        for move in range(MOVES):
            name, to = rng.choice(self.names), rng.choice(nodes)
            here, occupant = place[name], occupants.get(to)
            if occupant == name:
                continue
            touched = of[name] | of[occupant] if occupant else of[name]
            swap(name, to)
            change, moved = 0, dict[int, int]()
            for number, transfer in touched.items():
                moved[number] = _cost(transfer, place)
                change += moved[number] - costs[number]
            then = self._refused(place) if self.bound & {name, occupant} else refused
            change += REFUSED * (then - refused)
            warm = heat * (1 - move / MOVES) ** 2
            if change > 0 and (change >= 30 * warm or rng.random() >= math.exp(-change / max(warm, 1e-9))):
                swap(name, here)
                continue
            now, refused, costs = now + change, then, costs | moved
            if now < lowest:
                best, lowest = dict(place), now
        return best


def move_cores(network: Network, entry: Image) -> Network:
    """The network with its cores where they are near each other; ``entry`` is the image of its input.

    What programs need is known once each sum has its context, so cores are placed again where tiles differ.
    """
    first = place_cores(tile_graph(network.program, entry), network.chip)
    moved = _moved(network, first, first.before)
    if needs := tile_needs(moved):
        moved = _moved(moved, place_cores(tile_graph(moved.program, entry), network.chip, needs), first.before)
    return moved


def _moved(network: Network, places: CorePlaces, before: int) -> Network:
    """The network with its cores at other places; ``before`` are its hop-bytes where they were."""
    cores = _cores_at(network.cores, places.core, network.chip)
    calibration = replace(network.calibration, hop_bytes=(before, places.after),
                          converters=converters_of(network.chip, network.device, len(cores)))
    return replace(network, program=_program_at(network.program, places.core), cores=cores, calibration=calibration)


def _program_at(program: Program, core: Mapping[int, int]) -> Program:
    layers = [replace(layer, mvms=tuple(replace(m, core=core[m.core]) for m in layer.mvms)) for layer in program.layers]
    return replace(program, layers=tuple(layers))


def _cores_at(cores: Sequence[CoreImage], core: Mapping[int, int], chip: Chip) -> tuple[CoreImage, ...]:
    """Cores at other places; nothing is in those between them."""
    driven, converted = chip.macro_config().cell_map.absent
    empty = CoreImage(
        targets_uS=np.full_like(cores[0].targets_uS, chip.cells.g_min_uS), bl_skip=driven, sl_skip=converted,
        word_lines=np.ones_like(cores[0].word_lines), converted_lines=np.ones_like(cores[0].converted_lines),
    )
    placed = {place: cores[k] for k, place in core.items()}
    return tuple(placed.get(k, empty) for k in range(max(placed) + 1))

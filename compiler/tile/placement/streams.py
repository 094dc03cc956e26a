"""Nodes on tiles, and the streams between them: who has which ring, which slot, flow and context.

A value goes from the tile that makes it to every node that takes it: by a copy on the same tile, by one flow to all
other tiles. A node has a stream of its own for each value that it takes, so that a stream has one producer and one
consumer; a layer on several tiles has one on each of them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mho.compiler.program import Layer, Mvm
from mho.compiler.tile.graph.graph import Graph, Node
from mho.compiler.tile.refusal import NoRoomError
from mho.hw.config import Chip
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import HOST, Flow, Reduction
from mho.hw.tile.isa import ACCUMULATORS
from mho.macro_models.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Part:
    """``count`` outputs from ``first`` on, and the products that make them."""

    first: int
    count: int
    mvms: tuple[Mvm, ...]

    @property
    def cores(self) -> set[int]:
        """Cores that hold its weights."""
        return {mvm.core for mvm in self.mvms}


def parts_of(layer: Layer) -> Sequence[Part]:
    """The parts of a layer, in the order of their outputs; those of one tile are one.

    Raises InputError if products share some of their outputs and not others.
    """
    by_columns: dict[tuple[int, int], list[Mvm]] = {}
    for mvm in layer.mvms:
        by_columns.setdefault((int(mvm.outputs.min()), int(mvm.outputs.max()) + 1), []).append(mvm)
    ends = sorted(by_columns)
    if [a for a, _ in ends] != [0, *(b for _, b in ends[:-1])] or ends[-1][1] != layer.outputs:
        raise InputError(f"layer {layer.name!r} must be cut between its outputs for tiles")
    parts: list[Part] = []
    for a, b in ends:
        part = Part(first=a, count=b - a, mvms=tuple(by_columns[a, b]))
        last = parts[-1] if parts else None
        if last is not None and len(last.cores | part.cores) == 1 and last.count + part.count <= ACCUMULATORS:
            parts[-1] = Part(first=last.first, count=last.count + part.count, mvms=(*last.mvms, *part.mvms))
        else:
            parts.append(part)
    return parts


@dataclass(frozen=True, kw_only=True)
class Ring:
    """The stream of a value at a node of a tile. ``slot`` is None where the tile itself fills it.

    With ``outputs`` it has so many of a layer's, which another tile makes for its root. Blocks have ``size`` bytes, or
    as many as the value needs.
    """

    name: str
    value: int
    node: int
    tile: str
    slot: int | None
    outputs: int = 0
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A graph on tiles.

    ``cfgs`` are the sizes of all tiles of the chip. ``members`` are the tiles of each node, its root first; ``parts``
    those of its layer, if it has one; ``rings`` by (tile, node, value), ``flows`` by value; ``columns`` (what comes
    from where to the root), ``reductions`` and ``roots`` (at which tile it comes together) by node and part.
    """

    graph: Graph
    cfgs: Mapping[str, TileConfig]
    members: tuple[tuple[str, ...], ...]
    rings: Mapping[tuple[str, int, int], Ring]
    flows: Mapping[int, tuple[Flow, ...]]
    parts: Mapping[int, Sequence[Part]]
    columns: Mapping[tuple[int, int], tuple[Ring, Flow]]
    reductions: Mapping[tuple[int, int], Reduction]
    roots: Mapping[tuple[int, int], str]

    @property
    def flit_bytes(self) -> int:
        """Bytes of the payload of a flit."""
        return next(iter(self.cfgs.values())).flit_bytes

    @property
    def tiles(self) -> tuple[str, ...]:
        """Tiles that have a node."""
        return tuple(sorted({tile for names in self.members for tile in names}))

    @property
    def all_rings(self) -> tuple[Ring, ...]:
        """Rings between nodes and between parts of a layer."""
        return (*self.rings.values(), *(ring for ring, _ in self.columns.values()))

    @property
    def all_flows(self) -> tuple[Flow, ...]:
        """Flows of all tiles; several values may have one."""
        return tuple(dict.fromkeys((
            *(flow for flows in self.flows.values() for flow in flows), *(flow for _, flow in self.columns.values()))))

    def root(self, node: int) -> str:
        """The tile at which what a node makes comes together."""
        return self.members[node][0]

    def layers(self, tile: str) -> str:
        """What is on a tile: the first layers behind which its nodes are."""
        mine = [k for k, tiles in enumerate(self.members) if tile in tiles]
        names = dict.fromkeys(self.graph.layer_before(v) for k in mine for v in self.graph.nodes[k].values[:1])
        return "layer " + " and ".join(repr(name) for name in list(names)[:2])


def tile_name(chip: Chip, core: int) -> str:
    """The tile of a core: column and row."""
    return f"{core % chip.mesh.columns},{core // chip.mesh.columns}"


def place_nodes(
    graph: Graph, chip: Chip, *, watched: bool | Collection[int] = False, moved: Mapping[int, str] | None = None
) -> Placed:
    """Nodes on the tiles of their weights; the host gets ``watched`` values too, or all.

    What has no weights goes where its value is made, what is done to the input where it is taken, or where ``moved``
    says. What takes rows, or images, of several tiles in turn goes to the nearest tile that has nothing, if there is
    one: it does all of them, of which each of those does some. So does what makes the value that all of them take: on
    the tile of a copy it would be done between two rows of that, in a hurry.

    Flows and slots are as many as there would have to be: :func:`mho.compiler.tile.placement.sharing.shared` makes them
    fit. Raises NoRoomError if a tile has no context left.
    """
    if isinstance(watched, bool):
        watched = range(len(graph.values)) if watched else ()
    # A copy that is dealt images has a value of some of them alone.
    watched = set(watched).difference(*(node.sources for node in graph.nodes if node.dealt))
    parts, tiles, members = member_tiles(graph, chip, _apart(graph, chip, moved or {}))
    rings: dict[tuple[str, int, int], Ring] = {}
    flows: dict[int, tuple[Flow, ...]] = {}
    slots: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for value, (maker, ends) in sent(graph, members).items():
        for tile, k in ends:
            if tile == maker:
                rings[tile, k, value] = Ring(name=f"in{k}_{value}", value=value, node=k, tile=tile, slot=None)
        for group in _flows(graph, maker, value, ends):
            # A flow has one slot for all: each tile is in it once.
            slot = max(slots.get(tile, 0) for tile in group)
            for tile, k in group.items():
                slots[tile] = slot + 1
                rings[tile, k, value] = Ring(name=f"in{k}_{value}", value=value, node=k, tile=tile, slot=slot)
            if maker is not None:
                flows[value] = (*flows.get(value, ()), Flow(
                    sender=maker, number=_next(numbers, maker), to=tuple(group), slot=slot))
        if maker is not None and (value in graph.split.results or value in watched):
            flows[value] = (*flows.get(value, ()), Flow(sender=maker, number=_next(numbers, maker), to=(HOST,)))
    columns: dict[tuple[int, int], tuple[Ring, Flow]] = {}
    for (k, p), group in tiles.items():
        end, value = members[k][0], graph.nodes[k].values[0]
        if group[0] != end:
            slot = slots.get(end, 0)
            slots[end] = slot + 1
            ring = Ring(name=f"col{k}_{p}", value=value, node=k, tile=end, slot=slot, outputs=parts[k][p].count)
            columns[k, p] = ring, Flow(sender=group[0], number=_next(numbers, group[0]), to=(end,), slot=slot)
    return Placed(
        graph=graph, cfgs=TileConfig.of_tiles(chip), members=members, rings=rings, flows=flows, parts=parts,
        columns=columns, reductions=_reductions(graph, tiles, chip.mesh.contexts),
        roots={key: group[0] for key, group in tiles.items()},
    )


def _flows(graph: Graph, maker: str | None, value: int, ends: Sequence[tuple[str, int]]) -> list[dict[str, int]]:
    """The tiles of other makers' that each flow of a value goes to, with the node that takes it there."""
    groups = list[dict[str, int]]()
    for group in destinations(graph, value, ends):
        remote: list[tuple[str, int]] = [end for end in group if end[0] != maker]
        while remote:
            members: dict[str, int] = dict(reversed(remote))
            if maker is not None:
                box = boxes_of(frozenset(map(place_of, members)))[0]
                members = {tile: k for tile, k in members.items() if place_of(tile) in box}
            remote = [end for end in remote if members.get(end[0]) != end[1]]
            groups.append(members)
    return groups


def destinations(graph: Graph, value: int, ends: Sequence[tuple[str, int]]) -> list[list[tuple[str, int]]]:
    """Who takes an image of a value: all of them at a time, or each copy to which images are dealt."""
    if not any(node.deals and value in node.values for node in graph.nodes):
        return [[*ends]]
    return [[end for end in ends if end[1] == k] for k in graph.takers(value)]


def _apart(graph: Graph, chip: Chip, moved: Mapping[int, str]) -> dict[int, str]:
    """``moved``, with tiles of their own for what takes rows or images of copies in turn, and for what feeds copies."""
    places = dict(moved)
    joining = [k for k, node in enumerate(graph.nodes) if node.sources]
    for k in dict.fromkeys((*joining, *graph.feeding())):
        _, _, members = member_tiles(graph, chip, places)
        occupied = {place_of(tile) for names in members for tile in names}
        x, y = place_of(members[k][0])
        free = [at for at in (place_of(tile_name(chip, core)) for core in range(chip.cores)) if at not in occupied]
        if k not in places and free:
            column, row = min(free, key=lambda at: (abs(at[0] - x) + abs(at[1] - y), at))
            places[k] = f"{column},{row}"
    return places


Parts = dict[int, Sequence[Part]]
PartTiles = dict[tuple[int, int], tuple[str, ...]]


def member_tiles(
    graph: Graph, chip: Chip, moved: Mapping[int, str] | None = None
) -> tuple[Parts, PartTiles, tuple[tuple[str, ...], ...]]:
    """Parts of the layers of nodes, the tiles of each part, and those of each node, roots first."""
    parts = _parts(graph)
    tiles = {(k, p): tuple(dict.fromkeys(tile_name(chip, m.core) for m in part.mvms))
             for k, node_parts in parts.items() for p, part in enumerate(node_parts)}
    return parts, tiles, _members(graph, tiles, chip, moved or {})


def sent(graph: Graph, members: Sequence[tuple[str, ...]]) -> dict[int, tuple[str | None, list[tuple[str, int]]]]:
    """Of each value the tile that makes it, None for the host, and who takes it: tile and node."""
    makers = {v: members[k][0] for k, node in enumerate(graph.nodes) for v in node.values}
    return {value: (makers.get(value), [(tile, k) for k in graph.takers(value)
                                        for tile in _takers(graph.nodes[k], value, members[k])])
            for value in range(len(graph.values))}


def _parts(graph: Graph) -> dict[int, Sequence[Part]]:
    """Parts of the layers of nodes."""
    calls = {k: graph.call(k) for k in range(len(graph.nodes))}
    return {k: parts_of(graph.program.layers[call.layer]) for k, call in calls.items() if call is not None}


def _next(numbers: dict[str, int], tile: str) -> int:
    numbers[tile] = numbers.get(tile, -1) + 1
    return numbers[tile]


def place_of(tile: str) -> tuple[int, int]:
    """Column and row of a tile, by its name."""
    x, y = tile.split(",")
    return int(x), int(y)


@lru_cache(maxsize=1 << 16)
def boxes_of(places: frozenset[tuple[int, int]]) -> tuple[frozenset[tuple[int, int]], ...]:
    """Places in parts, each all of some columns and rows, as a flit names its destinations: those of a row first."""
    boxes, left = list[frozenset[tuple[int, int]]](), set(places)
    while left:
        row = min(y for _, y in left)
        columns = [x for x, y in left if y == row]
        rows = {y for _, y in left if all((x, y) in left for x in columns)}
        boxes.append(frozenset((x, y) for y in rows for x in columns))
        left -= boxes[-1]
    return tuple(boxes)


def _takers(node: Node, value: int, members: tuple[str, ...]) -> tuple[str, ...]:
    """Tiles of a node that take a value: all what the layer takes, the root alone what is joined."""
    return members if value == node.source else members[:1]


def _members(
    graph: Graph, parts: Mapping[tuple[int, int], tuple[str, ...]], chip: Chip, moved: Mapping[int, str]
) -> tuple[tuple[str, ...], ...]:
    nodes: list[tuple[str, ...]] = []
    makers: dict[int, str] = {}
    tiles: dict[int, tuple[str, ...]] = {}
    for (k, _), names in parts.items():
        tiles[k] = tuple(dict.fromkeys((*tiles.get(k, ()), *names)))
    for k, node in enumerate(graph.nodes):
        if k in tiles:
            nodes.append(tiles[k])
        elif k in moved:
            nodes.append((moved[k],))
        elif node.source in makers:
            nodes.append((makers[node.source],))
        else:
            later = next((tiles[j] for j in range(k + 1, len(graph.nodes)) if j in tiles), (tile_name(chip, 0),))
            nodes.append(later[:1])
        makers |= dict.fromkeys(node.values, nodes[-1][0])
    return tuple(nodes)


def _reductions(
    graph: Graph, tiles: Mapping[tuple[int, int], tuple[str, ...]], limit: int
) -> dict[tuple[int, int], Reduction]:
    """A context for each part of a layer on several tiles."""
    split = {key: names for key, names in tiles.items() if len(names) > 1}
    contexts = contexts_of([[place_of(tile) for tile in names] for names in split.values()], limit)
    reductions: dict[tuple[int, int], Reduction] = {}
    for ((k, p), names), context in zip(split.items(), contexts, strict=True):
        if context is None:
            name = graph.layer_before(graph.nodes[k].values[0])
            raise NoRoomError(f"layer {name!r} must share its part of the mesh with at most {limit} layers that "
                             "are cut over several tiles: mesh.contexts")
        reductions[k, p] = Reduction(context=context, members=names, root=names[0])
    return reductions


def contexts_of(groups: Sequence[Sequence[tuple[int, int]]], contexts: int) -> list[int | None]:
    """A context for each group of places, in turn: trees of one context must not meet. None if there is none left."""
    chosen: list[int | None] = []
    boxes: list[tuple[int, ...]] = []
    for places in groups:
        left, right, top, bottom = box = _box(tuple(places))
        occupied = set[int | None]()
        for (a, b, c, d), context in zip(boxes, chosen, strict=True):
            if a <= right and left <= b and c <= bottom and top <= d:
                occupied |= {context}
        context = 0
        while context in occupied:
            context += 1
        boxes += [box]
        chosen += [context if context < contexts else None]
    return chosen


@lru_cache(maxsize=1 << 16)
def _box(places: tuple[tuple[int, int], ...]) -> tuple[int, int, int, int]:
    """The first and last column, and row, of some places."""
    x, y = zip(*places, strict=True)
    return min(x), max(x), min(y), max(y)

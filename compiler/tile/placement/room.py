"""What is where else, so that every tile has room for what is on it; what tiles need at least.

A tile has so many parameters, streams, descriptors and bytes. What is on one that has not enough goes elsewhere,
one thing after the other: nodes without weights to the tile with the fewest; what is done behind a layer, or half of
what a node does, into a node of its own on such a tile; at last a stage to the host.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mho.compiler.program import Call
from mho.compiler.tile.graph.graph import Graph
from mho.compiler.tile.lowering.operations import NotAlikeError, steps_of
from mho.compiler.tile.placement.streams import Placed, place_of, tile_name
from mho.hw.config import Chip
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import STREAMS
from mho.hw.tile.isa.program import Program


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Bytes of the ``buffer``, words of ``parameters`` and of ``instructions`` that a tile has to have."""

    buffer: int
    parameters: int
    instructions: int

    def met_by(self, cfg: TileConfig) -> bool:
        """Whether a tile has all of that."""
        return (self.buffer <= cfg.buffer_bytes and self.parameters <= cfg.parameters
                and self.instructions <= cfg.instructions)


def roomy(chip: Chip) -> Chip:
    """The chip with all tiles as large as the largest one in each respect."""
    cfgs = TileConfig.of_tiles(chip).values()
    largest = {name: max(getattr(cfg, name) for cfg in cfgs) for name in ("buffer_kib", "parameters", "instructions")}
    return replace(chip, tile=replace(chip.tile, at={}, **largest))


def largest_buffer(chip: Chip) -> int:
    """Bytes of the largest buffer of a tile."""
    return max(cfg.buffer_bytes for cfg in TileConfig.of_tiles(chip).values())


def needs_of(programs: Mapping[str, Program]) -> dict[str, Needs]:
    """What each tile needs for its program, with the rings that this has."""
    return {tile: Needs(buffer=_bytes(program), parameters=len(program.parameters), instructions=len(program.words))
            for tile, program in programs.items()}


def _bytes(program: Program) -> int:
    """Bytes of the buffer that are in use: some rings are at its end, and streams may be over the same bytes."""
    rings = [program.descriptor("stream", number) for number in range(STREAMS)]
    used, behind = 0, 0
    for first, size in sorted([(0, len(program.buffer)), *((r["base"], r["block"] * r["blocks"]) for r in rings)]):
        used += max(0, first + size - max(first, behind))
        behind = max(behind, first + size)
    return used


MOST_TAKEN = 10
"""Values beyond which a stage finds no room on any tile, as a rule, that takes them all at a time."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is not where it would be of itself.

    ``host`` are stages of the host, ``apart`` those with which a node begins; ``moved`` says on which tile a node
    is, by the first value that it makes.
    """

    host: frozenset[int] = frozenset()
    apart: frozenset[int] = frozenset()
    moved: Mapping[int, str] = field(default_factory=dict[int, str])

    def places(self, graph: Graph) -> dict[int, str]:
        """Tiles of the nodes of a graph that are moved."""
        return {k: self.moved[node.values[0]] for k, node in enumerate(graph.nodes) if node.values[0] in self.moved}


def more_room(room: Room, placed: Placed, chip: Chip, tiles: Sequence[str], *, moves: bool = False) -> Room | None:
    """What gives some tiles more room, None if nothing does; with ``moves`` nodes stay as they are.

    Steps of a recurrent layer that do the same stay alike, so that they are a loop.
    """
    names = [tile_name(chip, core) for core in range(chip.cores)]
    held = {name: sum(name in members for members in placed.members) for name in names}
    for tile in tiles:
        more = _eased(room, placed, held, tile, moves=moves)
        if more is None:
            return None
        for end in {*more.moved.values()}:
            # What goes to a tile counts there at once.
            held[end] += sum(more.moved[v] == end and room.moved.get(v) != end for v in more.moved)
        room = more
    return room


def _eased(room: Room, placed: Placed, held: Mapping[str, int], tile: str, *, moves: bool) -> Room | None:
    """The same for one tile; ``held`` are nodes of all tiles."""
    graph, names = placed.graph, list(held)
    end = min((name for name in names if name != tile), default=tile,
              key=lambda name: (held[name], _distance(name, tile), names.index(name)))
    mine = [k for k, members in enumerate(placed.members) if members[0] == tile]
    free = [k for k in mine if k not in placed.parts and graph.nodes[k].values[0] not in room.moved]
    if free and len(mine) > 1 and held[end] < held[tile]:
        most = max(free, key=lambda k: (sum(_parameters(graph, k, v) for v in graph.nodes[k].values), k))
        some = _alike(graph, mine, most)
        return replace(room, moved={**room.moved, **{graph.nodes[k].values[0]: end for k in some}})
    if moves:
        return None
    many = [v - 1 for k in mine for v in graph.nodes[k].values if not graph.nodes[k].turns
            and len({*graph.program.stages[v - 1].inputs}) > MOST_TAKEN]
    if many:
        return replace(room, host=room.host | {many[-1]})
    cuts = [(sum(_parameters(graph, k, v) for v in graph.nodes[k].values[at:]), k, at)
            for k in mine if (at := _place_to_cut(graph, k, k in placed.parts))]
    if cuts and end != tile:
        _, k, at = max(cuts)
        begun = [graph.nodes[j].values[at] for j in _alike(graph, mine, k)]
        moved = {**room.moved, **dict.fromkeys(begun, end)}
        return replace(room, apart=room.apart | {v - 1 for v in begun}, moved=moved)
    stages = [(_parameters(graph, k, v), v - 1) for k in mine for v in graph.nodes[k].values
              if not isinstance(graph.program.stages[v - 1].operation, Call)]
    return replace(room, host=room.host | {max(stages)[1]}) if stages else None


def _alike(graph: Graph, nodes: Sequence[int], k: int) -> list[int]:
    """Those of some nodes that do what another one does, if layers are called at several steps."""
    calls = [stage.operation.layer for stage in graph.program.stages if isinstance(stage.operation, Call)]
    if len({*calls}) == len(calls):
        return [k]

    def does(j: int) -> tuple[object, ...]:
        node, call = graph.nodes[j], graph.call(j)
        kinds = [type(graph.program.stages[v - 1].operation) for v in node.values]
        return call and call.layer, kinds, node.walk, node.whole, node.pixels, node.turns

    return [j for j in nodes if does(j) == does(k)]


def _distance(one: str, other: str) -> int:
    return sum(abs(a - b) for a, b in zip(place_of(one), place_of(other), strict=True))


def _place_to_cut(graph: Graph, k: int, layer: bool) -> int:
    """From which of its values on a node becomes another one, 0 for none: behind its layer, else half of it."""
    node = graph.nodes[k]
    if len(node.values) < 2 or node.pixels or node.deals:
        return 0
    return 1 if layer else _half([_parameters(graph, k, v) for v in node.values])


def _half(sizes: Sequence[int]) -> int:
    """The place at which what is before is most like what is behind."""
    return min(range(1, len(sizes)), key=lambda at: abs(sum(sizes[:at]) - sum(sizes[at:])))


def _parameters(graph: Graph, k: int, value: int) -> int:
    """Parameters of what makes a value in a node."""
    node, stage, made = graph.nodes[k], graph.program.stages[value - 1], graph.values[value].image
    try:
        steps = steps_of(stage.operation, graph.images(value), made, whole=node.whole)
    except (NotAlikeError, KeyError, AttributeError):
        return made.channels
    return sum(0 if one.vector.parameters is None else len(one.vector.parameters) for one in steps)

"""From a compiled network to the programs of all tiles, which have room for them; the rest is the host's."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from compiler.network import Network
from compiler.tile.code.maker import FullError, LongRingError, Maker
from compiler.tile.graph.builder import tile_graph
from compiler.tile.graph.graph import Graph
from compiler.tile.graph.images import entry_image
from compiler.tile.placed.ahead import Ahead
from compiler.tile.placed.needs import Needs, needs_of, roomy
from compiler.tile.placed.streams import Placed, place_nodes, tile_name
from hw.config import Chip
from hw.tile.machine.liveness import check_liveness, check_runs
from hw.tile.machine.tiles import Joined
from macro_models.errors import InputError

__all__ = ["TilePrograms", "graph_of", "tile_needs", "tile_programs"]


@dataclass(frozen=True, kw_only=True)
class TilePrograms:
    """Programs of all tiles.

    Attributes
    ----------
    placed
        Which node is where.
    texts
        In the language of the assembler, by tile.
    joined
        The programs, and what joins the tiles.
    given, entries
        Blocks that the host sends for each image without waiting, by (tile, stream); of which value everything that it
        sends is the pixels.
    instructions
        Instructions of all tiles for one image.
    ahead
        Tiles some of whose nodes are an image ahead: the first node that is not.
    """

    placed: Placed
    texts: Mapping[str, str]
    joined: Joined
    given: Mapping[tuple[str, int], int]
    entries: Mapping[tuple[str, int], int]
    instructions: int
    ahead: Ahead


def graph_of(network: Network, moved: Collection[int] = ()) -> Graph:
    """The tile graph of a network; the host does stages that are ``moved``, too.

    Raises
    ------
    InputError
        If something has no form on tiles.
    """
    program = network.program
    entry = entry_image(program.stages, network.model.input_shape, program.input.offset.size)
    return tile_graph(program, entry, moved)


def tile_programs(
    network: Network, *, image: int = 0, watched: bool | Collection[int] = False, ahead: Ahead | None = None
) -> TilePrograms:
    """The programs of a network that was compiled for tiles, proven not to get stuck.

    Parameters
    ----------
    network
        See :func:`compiler.tile.compile_tiles`.
    image
        Number of the first image.
    watched
        Whether the host gets every value too, as tests want it, or which of them.
    ahead
        Tiles some of whose nodes are an image ahead; those that the network says, if it is None.

    Raises
    ------
    InputError
        If something has no form on tiles, or does not fit; one sentence.
    """
    made = _made(network, image, watched, _of(network) if ahead is None else ahead)
    placed = made.placed
    joined, given = made.joined(), made.given()
    fired = (check_runs if made.ahead else check_liveness)(joined, given, period=network.program.period)
    return TilePrograms(placed=placed, texts=made.texts, joined=joined, given=given, entries=made.entries(),
                        instructions=fired, ahead=made.ahead)


def tile_needs(network: Network) -> dict[str, Needs]:
    """What the tiles of a network need at least, by their names; nothing where tiles are alike, or too small for it."""
    if not network.chip.tile.at:
        return {}
    try:
        made = _made(replace(network, chip=roomy(network.chip)), 0, False, {}, slack=False)
        return needs_of({tile: place.program for tile, place in made.joined().tiles.items()})
    except InputError:
        return {}


def _of(network: Network) -> Ahead:
    """What is ahead in the programs that a network has."""
    return {} if network.tiles is None else network.tiles.ahead


def _made(
    network: Network, image: int, watched: bool | Collection[int], ahead: Ahead, *, slack: bool = True
) -> Maker:
    """Programs with rings that do.

    From a tile that has no room for all, what has no weights goes to others. What needs more blocks than a ring has
    goes to the host.
    """
    chip, host = network.chip, list[int]()
    while True:
        try:
            made = _with_room(network, graph_of(network, host), chip, image, watched, ahead)
            if slack:
                made.add_slack()
            return made
        except LongRingError as long:
            if long.stage is None or long.stage in host:
                raise InputError(str(long)) from None
            host.append(long.stage)


def _with_room(
    network: Network, graph: Graph, chip: Chip, image: int, watched: bool | Collection[int], ahead: Ahead
) -> Maker:
    moved: dict[int, str] = {}
    while True:
        placed = place_nodes(graph, chip, watched=watched, moved=moved)
        try:
            made = Maker(network, placed, image)
            made.put_in_order()
            made.put_ahead(ahead)
            made.grow()
            return made
        except FullError as full:
            some = [k for k, members in enumerate(placed.members) if members == (full.tile,)]
            free = [k for k in some if k not in placed.parts and k not in moved]
            names = [tile_name(chip, k) for k in range(chip.cores)]
            held = {name: sum(name in members for members in placed.members) for name in names}
            end = min(names, key=lambda name: (held[name], names.index(name)))
            if not free or len(some) < 2 or held[end] >= held[full.tile]:
                raise InputError(str(full)) from None
            moved[free[-1]] = end

"""From a compiled network to the programs of all tiles, which have room for them; the rest is the host's."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from mho.compiler.network import Network
from mho.compiler.tile.code.maker import LongRingError, Maker
from mho.compiler.tile.graph.builder import tile_graph
from mho.compiler.tile.graph.graph import Graph
from mho.compiler.tile.graph.images import entry_image
from mho.compiler.tile.placement.needs import Needs, needs_of, roomy
from mho.compiler.tile.placement.room import FullError, Room, more_room
from mho.compiler.tile.placement.software_pipeline import Ahead
from mho.compiler.tile.placement.streams import Placed, place_nodes
from mho.hw.tile.interpreter.liveness import check_liveness, check_runs
from mho.hw.tile.interpreter.tiles import Joined
from mho.macro_models.errors import InputError

__all__ = ["TilePrograms", "graph_of", "tile_needs", "tile_programs"]

MOST_ROUNDS = 24
"""How often something more goes elsewhere."""


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
    room
        What had to be elsewhere.
    """

    placed: Placed
    texts: Mapping[str, str]
    joined: Joined
    given: Mapping[tuple[str, int], int]
    entries: Mapping[tuple[str, int], int]
    instructions: int
    ahead: Ahead
    room: Room


def graph_of(network: Network, moved: Collection[int] = (), apart: Collection[int] = ()) -> Graph:
    """The tile graph of a network; the host does stages that are ``moved``, too, and nodes begin with those ``apart``.

    Raises
    ------
    InputError
        If something has no form on tiles.
    """
    program = network.program
    entry = entry_image(program.stages, network.model.input_shape, program.input.offset.size)
    return tile_graph(program, entry, moved, apart)


def tile_programs(
    network: Network, *, image: int = 0, watched: bool | Collection[int] = False, ahead: Ahead | None = None,
    room: Room | None = None,
) -> TilePrograms:
    """The programs of a network that was compiled for tiles, proven not to get stuck.

    Parameters
    ----------
    network
        See :func:`mho.compiler.passes.compile_tiles`.
    image
        Number of the first image.
    watched
        Whether the host gets every value too, as tests want it, or which of them.
    ahead
        Tiles some of whose nodes are an image ahead; those that the network says, if it is None.
    room
        What has to be elsewhere when none is ahead, if that is known.

    Raises
    ------
    InputError
        If something has no form on tiles, or does not fit; one sentence.
    """
    made, room = _made(network, image, watched, _of(network) if ahead is None else ahead, room)
    placed = made.placed
    joined, given = made.joined(), made.given()
    fired = (check_runs if made.ahead else check_liveness)(joined, given, period=network.program.period)
    return TilePrograms(placed=placed, texts=made.texts, joined=joined, given=given, entries=made.entries(),
                        instructions=fired, ahead=made.ahead, room=room)


def tile_needs(network: Network) -> dict[str, Needs]:
    """What the tiles of a network need at least, by their names; nothing where tiles are alike, or too small for it."""
    if not network.chip.tile.at:
        return {}
    try:
        made, _ = _with_room(replace(network, chip=roomy(network.chip)), 0, False, {}, Room(), slack=False)
        return needs_of({tile: place.program for tile, place in made.joined().tiles.items()})
    except InputError:
        return {}


def _of(network: Network) -> Ahead:
    """What is ahead in the programs that a network has."""
    return {} if network.tiles is None else network.tiles.ahead


def _made(
    network: Network, image: int, watched: bool | Collection[int], ahead: Ahead, room: Room | None
) -> tuple[Maker, Room]:
    """Programs with rings that do, and what had to be elsewhere for them.

    What has no room on its tile goes elsewhere, to the host what needs more blocks than a ring has. Numbers of nodes
    say which are an image ahead: so these are the same nodes as without, on other tiles at most.
    """
    if room is None or not ahead:
        made, room = _with_room(network, image, watched, {}, room or Room())
        if not ahead:
            return made, room
    return _with_room(network, image, watched, ahead, room, moves=True)


def _with_room(
    network: Network, image: int, watched: bool | Collection[int], ahead: Ahead, room: Room, *, moves: bool = False,
    slack: bool = True,
) -> tuple[Maker, Room]:
    """Programs, and what had to be elsewhere for them; with ``moves`` nodes stay as they are."""
    chip, refused = network.chip, list[FullError]()
    while True:
        graph = graph_of(network, room.host, room.apart)
        placed = place_nodes(graph, chip, watched=watched, moved=room.places(graph))
        try:
            made = Maker(network, placed, image)
            made.put_in_order()
            made.put_ahead(ahead)
            made.grow()
            if slack:
                made.add_slack()
            return made, room
        except FullError as full:
            more = more_room(room, placed, chip, full.tiles, moves=moves)
            refused.append(full)
            if more is None or len(refused) > MOST_ROUNDS:
                raise refused[0] from None
            room = more
        except LongRingError as long:
            if moves or long.stage is None or long.stage in room.host:
                raise
            room = replace(room, host=room.host | {long.stage})

"""From a compiled network to the programs of all tiles, which have room for them; the rest is the host's."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from mho.compiler.network import Network
from mho.compiler.network.tiles import HeldValue, TileCode
from mho.compiler.program import Program
from mho.compiler.tile.code.maker import Maker
from mho.compiler.tile.graph.builder import tile_graph
from mho.compiler.tile.graph.graph import Graph, Value
from mho.compiler.tile.graph.host import Split
from mho.compiler.tile.graph.images import entry_image
from mho.compiler.tile.placement.room import Needs, Room, more_room, needs_of, roomy
from mho.compiler.tile.placement.software_pipeline import Cuts
from mho.compiler.tile.placement.streams import Placed, place_nodes
from mho.compiler.tile.refusal import Full, LongRing, NoRoomError, Refusal
from mho.hw.config import Chip
from mho.hw.tile.asm import disassemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import HOST, HostStep, Joined
from mho.hw.tile.interpreter.liveness import check_liveness, check_runs
from mho.macro_models.errors import InputError

MOST_ROUNDS = 24
"""How often something more goes elsewhere."""


@dataclass(frozen=True, kw_only=True)
class TilePrograms:
    """Programs of all tiles."""

    placed: Placed
    """Which node is where."""
    joined: Joined
    """The programs, and what joins the tiles."""
    given: Mapping[tuple[str, int], int]
    entries: Mapping[tuple[str, int], int]
    """Blocks that the host sends for each image without waiting, by (tile, stream); of which value everything that it
    sends is the pixels."""
    instructions: int
    """Instructions of all tiles for one image."""
    ahead: Cuts
    """Tiles some of whose nodes are an image ahead: the first node that is not."""
    room: Room
    """What had to be elsewhere."""

    @property
    def texts(self) -> dict[str, str]:
        """In the language of the assembler, by tile; streams have the names that the compiler gave them."""
        return {tile: disassemble(place.program, place.names) for tile, place in self.joined.tiles.items()}


def graph_of(network: Network, moved: Collection[int] = (), apart: Collection[int] = ()) -> Graph:
    """The tile graph of a network; the host does stages that are ``moved``, too, and nodes begin with those ``apart``.

    Raises InputError if something has no form on tiles.
    """
    program = network.program
    entry = entry_image(program.stages, network.model.input_shape, program.input.offset.size)
    return tile_graph(program, entry, moved, apart)


def tile_programs(
    network: Network, *, image: int = 0, watched: bool | Collection[int] = False, ahead: Cuts | None = None,
) -> TilePrograms:
    """The programs of a network that was compiled for tiles, proven not to get stuck.

    Raises InputError if something has no form on tiles, or does not fit; one sentence.

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
    """
    programs = try_programs(network, image=image, watched=watched, ahead=ahead)
    if isinstance(programs, Refusal):
        raise programs.error()
    return programs


def try_programs(
    network: Network, *, image: int = 0, watched: bool | Collection[int] = False, ahead: Cuts | None = None,
    room: Room | None = None,
) -> TilePrograms | Refusal:
    """:func:`tile_programs`, or why the tiles have no room for them.

    ``room`` is what has to be elsewhere when none is ahead, if that is known.
    """
    made = _made(network, image, watched, _of(network) if ahead is None else ahead, room)
    if isinstance(made, Refusal):
        return made
    maker, room = made
    joined, given = maker.joined(), maker.given()
    if isinstance(joined, Refusal):
        return joined
    try:
        fired = (check_runs if maker.cuts else check_liveness)(joined, given, period=network.program.period)
    except InputError as stuck:
        return Refusal(str(stuck))
    return TilePrograms(placed=maker.placed, joined=joined, given=given, entries=maker.entries(),
                        instructions=fired, ahead=maker.cuts, room=room)


def tile_needs(network: Network) -> dict[str, Needs]:
    """What the tiles of a network need at least, by their names; nothing where tiles are alike, or too small for it."""
    if not network.chip.tile.at:
        return {}
    made = _with_room(replace(network, chip=roomy(network.chip)), 0, False, {}, Room(), slack=False)
    joined = made if isinstance(made, Refusal) else made[0].joined()
    if isinstance(joined, Refusal):
        return {}
    return needs_of({tile: place.program for tile, place in joined.tiles.items()})


def _of(network: Network) -> Cuts:
    """What is ahead in the programs that a network has."""
    return {} if network.tiles is None else network.tiles.ahead


def _made(
    network: Network, image: int, watched: bool | Collection[int], cuts: Cuts, room: Room | None
) -> tuple[Maker, Room] | Refusal:
    """Programs with rings that do, and what had to be elsewhere for them.

    What has no room on its tile goes elsewhere, to the host what needs more blocks than a ring has. Numbers of nodes
    say which are an image ahead: so these are the same nodes as without, on other tiles at most.
    """
    if room is None or not cuts:
        programs = _with_room(network, image, watched, {}, room or Room())
        if not cuts or isinstance(programs, Refusal):
            return programs
        room = programs[1]
    return _with_room(network, image, watched, cuts, room, moves=True)


def _with_room(
    network: Network, image: int, watched: bool | Collection[int], cuts: Cuts, room: Room, *, moves: bool = False,
    slack: bool = True,
) -> tuple[Maker, Room] | Refusal:
    """Programs, and what had to be elsewhere for them; with ``moves`` nodes stay as they are."""
    chip, refused = network.chip, list[Full]()
    while True:
        graph = graph_of(network, room.host, room.apart)
        try:
            placed = place_nodes(graph, chip, watched=watched, moved=room.places(graph))
        except NoRoomError as error:
            return Refusal(str(error))
        maker = Maker(network, placed, image)
        refusal = maker.put_in_order(cuts) or maker.grow()
        if refusal is None:
            if slack:
                maker.add_slack()
            return maker, room
        if isinstance(refusal, Full):
            more = more_room(room, placed, chip, refusal.tiles, moves=moves)
            refused.append(refusal)
            if more is None or len(refused) > MOST_ROUNDS:
                return refused[0]
            room = more
        elif isinstance(refusal, LongRing) and not (moves or refusal.stage is None or refusal.stage in room.host):
            room = replace(room, host=room.host | {refusal.stage})
        else:
            return refusal


def held(value: Value) -> HeldValue:
    """How a value lies in rings."""
    image = value.image
    return HeldValue(channels=image.channels, pixels=image.pixels, wide=value.wide, signed=value.signed)


def tile_code(programs: "TilePrograms") -> TileCode:
    """What is in the file, from what the compiler made."""
    graph, split = programs.placed.graph, programs.placed.graph.split
    return TileCode(
        programs={tile: replace(place.program, image=0) for tile, place in programs.joined.tiles.items()},
        flows=programs.joined.flows, reductions=programs.joined.reductions,
        given=tuple((tile, stream, value) for (tile, stream), value in programs.entries.items()),
        inputs={value: held(graph.values[value]) for value in sorted(set(programs.entries.values()))},
        values={value: (flow.sender, flow.number, held(graph.values[value]))
                for value, flows in programs.placed.flows.items() for flow in flows if HOST in flow.to},
        before=split.before, between=split.between, behind=split.behind, instructions=programs.instructions,
        ahead=programs.ahead,
    )


def joined_of(code: TileCode, program: Program, chip: Chip) -> Joined:
    """The tiles for the interpreter, without cores, with what the host does on the way."""
    steps = list[HostStep]()
    for step in Split.of(program, code).steps:
        takes = {(sender, flow): layout.pixels for sender, flow, layout in (code.values[v] for v in step.takes)}
        gives = {(tile, stream): code.inputs[v].pixels for tile, stream, v in code.given if v in step.gives}
        steps.append(HostStep(takes=takes, gives=gives))
    return replace(code.joined(TileConfig.of_tiles(chip)), host=tuple(steps))

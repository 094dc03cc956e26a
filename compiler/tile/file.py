"""The programs of all tiles as a network file holds them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from mho.compiler.network.tiles import HeldValue, TileCode
from mho.compiler.program import Program
from mho.compiler.tile.graph.graph import Value
from mho.compiler.tile.graph.host import Split
from mho.hw.config import Chip
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import HOST, HostStep, Joined

if TYPE_CHECKING:
    from mho.compiler.tile.programs import TilePrograms


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

"""The programs of all tiles as a network file holds them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.network.tiles import HeldValue, TileCode
from compiler.tile.graph.graph import Value
from hw.tile.machine.tiles import HOST

if TYPE_CHECKING:
    from compiler.tile.programs import TilePrograms

__all__ = ["held", "tile_code"]


def held(value: Value) -> HeldValue:
    """How a value lies in rings."""
    image = value.image
    return HeldValue(channels=image.channels, pixels=image.pixels, wide=value.wide, signed=value.signed)


def tile_code(made: "TilePrograms") -> TileCode:
    """What is in the file, from what the compiler made."""
    graph, split = made.placed.graph, made.placed.graph.split
    return TileCode(
        programs={tile: replace(place.program, image=0) for tile, place in made.joined.tiles.items()},
        flows=made.joined.flows, reductions=made.joined.reductions,
        given=tuple((tile, stream, value) for (tile, stream), value in made.entries.items()),
        inputs={value: held(graph.values[value]) for value in sorted(set(made.entries.values()))},
        values={value: (flow.sender, flow.number, held(graph.values[value]))
                for value, flows in made.placed.flows.items() for flow in flows if HOST in flow.to},
        before=split.before, behind=split.behind, instructions=made.instructions,
    )

"""Which tile would hold what of a network, without calibrating it."""

from collections.abc import Sequence

from mho.compiler.facts import PlannedTile, PlannedTiles
from mho.compiler.mapping import Placement
from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.model import FloatNetwork
from mho.compiler.tile.graph.shapes import Shape, shapes_of
from mho.compiler.tile.placement.placing import fewest_tiles, place_on_tiles
from mho.compiler.tile.placement.room import largest_buffer
from mho.compiler.tile.placement.streams import tile_name
from mho.hw.config import Chip
from mho.hw.kinds import timing
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MvmOperation

__all__ = ["planned_tiles", "tile_shapes"]


def tile_shapes(net: FloatNetwork, chip: Chip) -> list[Shape]:
    """The layers of a network as tiles of a chip take them.

    Raises
    ------
    InputError
        If something has no form on tiles.
    """
    return list(shapes_of(net, chip.macro_config().cell_map.rows, largest_buffer(chip)))


def planned_tiles(
    net: FloatNetwork, chip: Chip, op: MvmOperation, *, slices: Sequence[int], faults: FaultMaps | None = None
) -> tuple[PlannedTiles, Placement | None]:
    """Tiles of a network; and where its weights are, None without room.

    The names of tiles are those before compiling puts them where values have short ways.

    Parameters
    ----------
    net, chip
        The network and the chip.
    op
        The operation of all products, as it is assumed.
    slices, faults
        As of :func:`mho.compiler.tile.placement.placing.place_on_tiles`.
    """
    cell_map, worst = chip.macro_config().cell_map, timing(chip).worst_cycles(op)
    try:
        shapes = tile_shapes(net, chip)
        placement = place_on_tiles(shapes, cell_map, chip.cores, slices=slices, faults=faults)
    except InputError as error:
        return {"tiles": [], "refused": str(error), "least": _least(net, chip, slices)}, None
    tiles = list[PlannedTile]()
    for core in range(placement.cores):
        mine = [block for block in placement.blocks if block.core == core]
        products = sum(shapes[block.layer].walk.positions for block in mine)
        tiles.append({
            "tile": tile_name(chip, core), "layers": list(dict.fromkeys(shapes[block.layer].name for block in mine)),
            "cells": cell_map.cells * sum(len(block.rows) * len(block.columns) for block in mine),
            "products": products, "cycles": products * worst,
        })
    return {"tiles": tiles, "refused": None, "least": placement.least}, placement


def _least(net: FloatNetwork, chip: Chip, slices: Sequence[int]) -> int | None:
    """Tiles that would do; None if none do, however many."""
    try:
        return fewest_tiles(tile_shapes(net, chip), chip.macro_config().cell_map, slices=slices)
    except InputError:
        return None

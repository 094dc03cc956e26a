"""The interpreter of all tiles against the program that they were compiled from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from compiler.program import Call, Operation, Program, RunMvm, run_call
from compiler.tile.graph.graph import Value
from compiler.tile.placed.streams import tile_name
from compiler.tile.programs import TilePrograms
from hw.config import Chip
from hw.tile.machine.actions import Core
from hw.tile.machine.tiles import HOST, Joined, Tiles
from macro_models.errors import InputError

__all__ = ["result_of", "run_tiles", "values_of"]

Lanes = NDArray[np.int16]


def run_tiles(
    programs: TilePrograms, chip: Chip, cores: Sequence[Core], lanes: Lanes
) -> dict[int, Lanes]:
    """What the host gets of some images, by the numbers of values, each (images, elements).

    Parameters
    ----------
    programs
        What tiles are loaded with.
    chip, cores
        The chip, and the core of each tile in the order of the network.
    lanes
        The network's input, (images, elements).

    Raises
    ------
    InputError
        If a tile traps or the run gets stuck.
    """
    placed, graph = programs.placed, programs.placed.graph
    by_tile = {tile_name(chip, k): core for k, core in enumerate(cores)}
    joined = programs.joined
    tiles = Tiles(Joined(
        tiles={name: replace(place, core=by_tile.get(name)) for name, place in joined.tiles.items()},
        flows=joined.flows, reductions=joined.reductions), images=len(lanes))
    values = graph.split.enter(lanes)
    for (tile, stream), value in programs.entries.items():
        tiles.give(tile, stream, _blocks(values[value], graph.values[value]))
    if not tiles.run():
        trapped = [f"{name}: {tile.status}" for name, tile in tiles.tiles.items() if tile.status is not None]
        raise InputError("tiles did not end: " + ("; ".join(trapped) or "they wait for each other"))
    found: dict[int, Lanes] = {}
    for value, flows in placed.flows.items():
        for flow in flows:
            if HOST in flow.to:
                found[value] = _lanes(tiles.received[flow.sender, flow.number], graph.values[value], len(lanes))
    return found


def result_of(programs: TilePrograms, lanes: Lanes, found: Mapping[int, Lanes]) -> Lanes:
    """The last value: what the host makes of those that it got, and of what it had."""
    split = programs.placed.graph.split
    return split.finish({**split.enter(lanes), **found})


def values_of(program: Program, lanes: Lanes, images: NDArray[np.integer], mvm: RunMvm) -> list[Lanes]:
    """All values of a program, by their numbers: what :func:`run_tiles` must give."""
    made = [lanes]

    def kept(operation: Operation, taken: Lanes) -> Lanes:
        if isinstance(operation, Call):
            return run_call(operation, program.layers[operation.layer], taken, images, mvm)
        return operation.compute(taken)

    for stage in program.stages:
        parts = [made[v] for v in stage.inputs]
        made.append(kept(stage.operation, parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)))
    return made


def _blocks(lanes: Lanes, value: Value) -> list[bytes]:
    """Pixels of images, row by row."""
    image = value.image
    pixels = lanes.reshape(len(lanes), image.channels, image.pixels).transpose(0, 2, 1)
    kind = "<i2" if value.wide else "u1"
    return [row.tobytes() for row in pixels.reshape(-1, image.channels).astype(kind)]


def _lanes(blocks: Sequence[bytes], value: Value, images: int) -> Lanes:
    image = value.image
    kind = "<i2" if value.wide else "i1" if value.signed else "u1"
    pixels = np.frombuffer(b"".join(blocks), kind).astype(np.int16)
    return pixels.reshape(images, image.pixels, image.channels).transpose(0, 2, 1).reshape(images, -1)

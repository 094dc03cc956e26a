"""The interpreter of all tiles against the program that they were compiled from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network.tiles import HeldValue
from mho.compiler.program import Call, Operation, Program, RunMvm, run_call
from mho.compiler.tile.graph.host import HostRun
from mho.compiler.tile.placement.streams import tile_name
from mho.compiler.tile.programs import TilePrograms, held
from mho.hw.config import Chip
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined
from mho.hw.tile.interpreter.state import Core, Retired
from mho.hw.tile.interpreter.tiles import Tiles
from mho.macro_models.errors import InputError

__all__ = ["result_of", "run_tiles", "values_of"]

Lanes = NDArray[np.int16]


def run_tiles(
    programs: TilePrograms, chip: Chip, cores: Sequence[Core], lanes: Lanes,
    watch: Callable[[str, Retired], None] | None = None,
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
    watch
        Is told (tile, what retired).

    Raises
    ------
    InputError
        If a tile traps or the run gets stuck.
    """
    placed, graph = programs.placed, programs.placed.graph
    by_tile = {tile_name(chip, k): core for k, core in enumerate(cores)}
    joined = programs.joined.for_images(len(lanes))
    tiles = Tiles(Joined(
        tiles={name: replace(place, core=by_tile.get(name)) for name, place in joined.tiles.items()},
        flows=joined.flows, reductions=joined.reductions), images=len(lanes), watch=watch)
    host = HostRun(graph.split, lanes)
    sent, received, ended = host.begin(), dict[int, Lanes](), False
    while sent:
        for (tile, stream), value in programs.entries.items():
            if value in sent:
                blocks = held(graph.values[value]).blocks(sent[value])
                tiles.give(tile, stream, [row.tobytes() for row in blocks])
        ended = tiles.run()
        received = {value: _received(tiles, flow, held(graph.values[value]))
                 for value, flows in placed.flows.items() for flow in flows if HOST in flow.to}
        sent = host.answer(received)
    if not ended:
        trapped = [f"{name}: {tile.status}" for name, tile in tiles.tiles.items() if tile.status is not None]
        raise InputError("tiles did not end: " + ("; ".join(trapped) or "they wait for each other"))
    return received


def _received(tiles: Tiles, flow: Flow, layout: HeldValue) -> Lanes:
    """What the host has got of a flow, whole images alone."""
    blocks = tiles.received.get((flow.sender, flow.number), [])
    whole = blocks[: len(blocks) // layout.pixels * layout.pixels]
    return layout.lanes(np.frombuffer(b"".join(whole), np.uint8).reshape(-1, layout.block))


def result_of(programs: TilePrograms, lanes: Lanes, received: Mapping[int, Lanes]) -> Lanes:
    """The last value: what the host makes of those that it got, and of what it had."""
    split = programs.placed.graph.split
    return split.finish({**split.enter(lanes), **received})


def values_of(program: Program, lanes: Lanes, images: NDArray[np.integer], mvm: RunMvm) -> list[Lanes]:
    """All values of a program, by their numbers: what :func:`run_tiles` must give."""
    values = [lanes]

    def kept(operation: Operation, operand: Lanes) -> Lanes:
        if isinstance(operation, Call):
            return run_call(operation, program.layers[operation.layer], operand, images, mvm)
        return operation.compute(operand)

    for stage in program.stages:
        parts = [values[v] for v in stage.inputs]
        values.append(kept(stage.operation, parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)))
    return values

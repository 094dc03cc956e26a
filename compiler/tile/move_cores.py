"""Cores of a network where values travel few hops, at tiles that have room for their programs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mho.compiler.calibration.facts import converters_of
from mho.compiler.network import CoreImage, Network
from mho.compiler.program import Program
from mho.compiler.tile.graph.builder import tile_graph
from mho.compiler.tile.graph.images import Image
from mho.compiler.tile.placement.core_places import CorePlaces, place_cores
from mho.compiler.tile.programs import tile_needs
from mho.hw.config import Chip

__all__ = ["move_cores"]


def move_cores(network: Network, entry: Image) -> Network:
    """The network with its cores where they are near each other; ``entry`` is the image of its input.

    What programs need is known once each sum has its context, so cores are placed again where tiles differ.
    """
    first = place_cores(tile_graph(network.program, entry), network.chip)
    moved = _moved(network, first, first.before)
    if needs := tile_needs(moved):
        moved = _moved(moved, place_cores(tile_graph(moved.program, entry), network.chip, needs), first.before)
    return moved


def _moved(network: Network, places: CorePlaces, before: int) -> Network:
    """The network with its cores at other places; ``before`` are its hop-bytes where they were."""
    cores = _cores_at(network.cores, places.core, network.chip)
    calibration = replace(network.calibration, hop_bytes=(before, places.after),
                          converters=converters_of(network.chip, network.device, len(cores)))
    return replace(network, program=_program_at(network.program, places.core), cores=cores, calibration=calibration)


def _program_at(program: Program, core: Mapping[int, int]) -> Program:
    layers = [replace(layer, mvms=tuple(replace(m, core=core[m.core]) for m in layer.mvms)) for layer in program.layers]
    return replace(program, layers=tuple(layers))


def _cores_at(cores: Sequence[CoreImage], core: Mapping[int, int], chip: Chip) -> tuple[CoreImage, ...]:
    """Cores at other places; nothing is in those between them."""
    driven, converted = chip.macro_config().cell_map.absent
    empty = CoreImage(
        targets_uS=np.full_like(cores[0].targets_uS, chip.cells.g_min_uS), bl_skip=driven, sl_skip=converted,
        word_lines=np.ones_like(cores[0].word_lines), converted_lines=np.ones_like(cores[0].converted_lines),
    )
    placed = {place: cores[k] for k, place in core.items()}
    return tuple(placed.get(k, empty) for k in range(max(placed) + 1))

"""What compiling a network would take, without calibrating it; whether it fits, and what would do."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from mho.compiler.calibration.assembly.elementwise import is_elementwise
from mho.compiler.calibration.finer import may_be_in_two
from mho.compiler.calibration.quantisers import formats
from mho.compiler.calibration.search.layer import FEWEST_OUT_BITS
from mho.compiler.facts import Candidate, Fitting, NetworkPlan, Plan, PlannedTile, PlannedTiles
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.inputs import load_input
from mho.compiler.mapping import Placement, place
from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.redundancy import MOST_PRODUCTS
from mho.compiler.model import FloatNetwork
from mho.compiler.model.stages import Evaluated
from mho.compiler.network import Network
from mho.compiler.network.report import cores_of
from mho.compiler.options import CompileOptions, LayerOptions
from mho.compiler.plan import overflow, plan, products_of_placement
from mho.compiler.tile.graph.shapes import Shape, shapes_of
from mho.compiler.tile.placement.placing import fewest_tiles, place_on_tiles
from mho.compiler.tile.placement.room import largest_buffer
from mho.compiler.tile.placement.streams import tile_name
from mho.hw.config import Chip, load_chip, preset_names
from mho.hw.kinds import timing
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MvmOperation


def tile_shapes(net: FloatNetwork, chip: Chip) -> list[Shape]:
    """The layers of a network as tiles of a chip take them.

    Raises InputError if something has no form on tiles.
    """
    return list(shapes_of(net, chip.macro_config().cell_map.rows, largest_buffer(chip)))


MOST_CORES = 4096
"""Cores up to which a packing on another chip is tried."""


def fitting(
    net: FloatNetwork, slices: Sequence[int], chip: Chip, *, cores: int, least: int, bound: int
) -> Fitting:
    """Whether the layers of a network fit a chip, and what would do.

    ``cores`` are taken, ``least`` would do, below ``bound`` nothing does.
    """
    missing = max(0, least - chip.cores)
    return {
        "there": chip.cores, "cores": cores, "least": least, "bound": bound, "missing": missing,
        "would_fit": _presets(net, slices, chip) if missing else [],
        "mesh": _mesh(least) if missing else None, "figures": overflow(chip, cores)["figures"],
    }


def fitting_of(network: Network) -> Fitting:
    """Whether a network fits its chip, see :func:`fitting`; of old files what is taken is the least."""
    facts, cores = network.calibration, cores_of(network)
    return fitting(
        network.model, facts.slices, network.chip, cores=cores, least=facts.cores_least or cores,
        bound=facts.cores_bound or 1,
    )


def _fewest(net: FloatNetwork, slices: Sequence[int], chip: Chip) -> int | None:
    """Cores that do, by the placement of the chip's tiles, or of a host; None if no number does."""
    cell_map = chip.macro_config().cell_map
    with suppress(InputError):  # a core narrower than the slices of one output, or no form on its tiles
        if chip.tile.programs:
            return fewest_tiles(tile_shapes(net, chip), cell_map, slices=slices)
        return place([layer.shape for layer in net.layers], cell_map, copies=1, slices=slices).least
    return None


def _presets(net: FloatNetwork, slices: Sequence[int], chip: Chip) -> list[Candidate]:
    """Presets of the chip's kind on which the network fits, those of the fewest cells first."""
    fitting_presets: list[tuple[int, Candidate]] = []
    shapes = [(*layer.shape, 1)[:3] for layer in net.layers]
    weights = sum(rows * columns // groups * n for (rows, columns, groups), n in zip(shapes, slices, strict=True))
    for name in preset_names():
        preset = load_chip(name)
        cell_map = preset.macro_config().cell_map
        limit = min(preset.cores, MOST_CORES)
        if preset.core.kind != chip.core.kind or weights > limit * cell_map.rows * cell_map.columns:
            continue
        fewest = _fewest(net, slices, preset)
        if fewest is not None and fewest <= preset.cores:
            cells = cell_map.rows * cell_map.columns * preset.cores
            fitting_presets.append((cells, {"chip": name, "least": fewest, "there": preset.cores}))
    return [entry for _, entry in sorted(fitting_presets, key=lambda pair: (pair[0], pair[1]["chip"]))]


def _mesh(cores: int) -> list[int] | None:
    """Columns and rows of a mesh with so many cores; None beyond what a mesh can be."""
    columns = math.isqrt(cores - 1) + 1
    rows = -(-cores // columns)
    return [columns, rows] if columns <= 16 else None


MOST_TRIED, TRIED = 1 << 22, 2
"""Multiplications up to which the programs of tiles are tried, which takes seconds; inputs for that."""

MOST_GROWN = 128
"""Rectangles of weights up to which copies are placed, too: of more it takes longer than a second."""


def dry_run(
    model: str | Path | bytes | onnx.ModelProto | FloatNetwork,
    chip: Chip,
    *,
    options: CompileOptions | None = None,
    faults: FaultMaps | None = None,
    freeze: "Mapping[str, str | Path | NDArray[np.floating]] | None" = None,
    input_shape: Mapping[str, Sequence[int]] | None = None,
) -> Plan:
    """Reads a network, places it, and says what it takes; for those that do not fit, too.

    Parameters as of :func:`~mho.compiler.passes.compile_model`. Raises InputError if the model or an option is wrong:
    one sentence.
    """
    options = CompileOptions() if options is None else options
    net = model if isinstance(model, FloatNetwork) else import_onnx(
        model, output=options.output, frozen={name: load_input(value) for name, value in (freeze or {}).items()},
        shapes=input_shape, digital=options.digital,
    )
    shapes = [layer.shape for layer in net.layers]
    of_layers = options.of_layers([layer.name for layer in net.layers])
    slices = [chosen.slices for chosen in of_layers]
    cell_map, common = chip.macro_config().cell_map, {"slices": slices, "faults": faults, "cores": chip.cores}
    placement = place(shapes, cell_map, copies=1, **common)
    grown = len(placement.blocks) <= MOST_GROWN and options.copies != 1
    if grown:
        placement = place(shapes, cell_map, copies=options.copies, **common)

    parts, (few, assumed, many) = options.in_parts or 1, _operations(chip, (of_layers or [LayerOptions()])[0])
    tiles, on_tiles = _tiles(net, chip, assumed, slices or [1] * len(shapes), faults, options)
    fit = _fit(net, chip, slices, placement, tiles)
    placement, grown = on_tiles or placement, grown and on_tiles is None

    def planned(op: MvmOperation) -> NetworkPlan:
        return plan(
            net, chip, products_of_placement(placement, len(shapes), chip, op, parts), parts=parts,
            host=_host(net) if chip.tile.programs else None)

    ends, content = [planned(op) for op in (few, many)], planned(assumed)
    times = 1, 2 if may_be_in_two(net, options) else 1
    return {
        "model": net.name,
        "chip": chip.name,
        "plan": content,
        "fit": fit,
        "assumed": {
            "in_bits": assumed.in_bits, "out_bits": assumed.out_bits,
            "conversions": [end["conversions"] * k for end, k in zip(ends, times, strict=True)],
            "cycles_serial": [end["cycles_serial"] * k for end, k in zip(ends, times, strict=True)],
        },
        "copies": grown,
        "tiles": tiles,
        "numbers": MOST_PRODUCTS if _may_grow(net, options) else 0,
        "warnings": list(net.warnings),
    }


def _tiles(
    net: FloatNetwork, chip: Chip, op: MvmOperation, slices: Sequence[int], faults: FaultMaps | None,
    options: CompileOptions,
) -> tuple[PlannedTiles | None, Placement | None]:
    """What tiles would hold, if they have programs, and where weights are: nothing if programs find no room there.

    The names of tiles are those before compiling puts them where values have short ways.
    """
    if not chip.tile.programs:
        return None, None
    cell_map, worst = chip.macro_config().cell_map, timing(chip).worst_cycles(op)
    try:
        shapes = tile_shapes(net, chip)
        placement = place_on_tiles(shapes, cell_map, chip.cores, slices=slices, faults=faults)
    except InputError as error:
        return {"tiles": [], "refused": str(error), "least": _fewest(net, slices, chip)}, None
    tiles = list[PlannedTile]()
    for core in range(placement.cores):
        mine = [block for block in placement.blocks if block.core == core]
        products = sum(shapes[block.layer].walk.positions for block in mine)
        tiles.append({
            "tile": tile_name(chip, core), "layers": list(dict.fromkeys(shapes[block.layer].name for block in mine)),
            "cells": cell_map.cells * sum(len(block.rows) * len(block.columns) for block in mine),
            "products": products, "cycles": products * worst,
        })
    sentence = _without_room(net, chip, faults, options) if net.multiplications <= MOST_TRIED else None
    if sentence is not None:
        return {"tiles": [], "refused": sentence, "least": None}, None
    return {"tiles": tiles, "refused": None, "least": placement.least}, placement


def _without_room(
    net: FloatNetwork, chip: Chip, faults: FaultMaps | None, options: CompileOptions
) -> str | None:
    """Why programs find no room on tiles whose cells have room for the weights, None if they do.

    Buffers, streams and parameters of tiles are what programs need: a network is compiled for a few random inputs on
    perfect cells, with as few copies as there may be, and its programs are asked.
    """
    from mho.compiler.passes import compile_tiles
    from mho.compiler.tile.programs import tile_programs

    x = np.random.default_rng(0).uniform(-1.0, 1.0, (TRIED, net.features)).astype(np.float32)
    quick = replace(options, samples=TRIED, seeds=1, duplicates=1, copies=options.copies or 1)
    try:
        tile_programs(compile_tiles(net, chip, calibrate=x, device="ideal", faults=faults, options=quick))
    except InputError as error:
        return str(error)
    return None


def _fit(
    net: FloatNetwork, chip: Chip, slices: Sequence[int], placement: Placement, tiles: PlannedTiles | None
) -> Fitting | None:
    """Whether it fits: on a chip of tiles by their own placement; None where it has no form on any number of them."""
    if tiles is None:
        return fitting(net, slices, chip, cores=placement.cores, least=placement.least, bound=placement.bound)
    if (fewest := tiles["least"]) is None:
        return None
    # Fewer than a host's least do not do for tiles, whose rectangles lie on shelves.
    return fitting(net, slices, chip, cores=len(tiles["tiles"]) or fewest, least=fewest, bound=placement.bound)


def _host(net: FloatNetwork) -> set[int]:
    """Steps that tiles leave to the host: what is no function of one element, and no products and sums of two."""
    steps = enumerate(step.operation for step in net.steps)
    return {k for k, op in steps if isinstance(op, Evaluated) and not (op.pointwise or is_elementwise(op))}


def _may_grow(net: FloatNetwork, options: CompileOptions) -> bool:
    """Whether calibration may take more cells, cores and products, see :mod:`mho.compiler.mapping.redundancy`."""
    if options.copies == 1:
        return False
    return net.gives_numbers if options.error is None else options.error < 1.0


def _operations(chip: Chip, options: LayerOptions) -> tuple[MvmOperation, MvmOperation, MvmOperation]:
    """Operations of the fewest cycles that calibration may choose, as it does as a rule, and of the most."""
    signed, unsigned = formats(True, chip, options), formats(False, chip, options)
    fewest, assumed, largest = (
        chip.operation(in_bits=f.bits, in_signed=f.signed, out_bits=options.out_bits)
        for f in (signed[0], unsigned[0], unsigned[-1])
    )
    if options.out_bits is None:
        fewest = replace(fewest, out_bits=min(FEWEST_OUT_BITS, fewest.out_bits))
    return fewest, assumed, largest

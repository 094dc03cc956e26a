"""Compiling for tiles: placement in the order of walks, and calibration.

Layers count their inputs channel by channel, a walk gives them pixel by pixel. The layer's ``spread`` says which input
each row takes, so that the same network runs with the same cells, the same numbers of operations and the same noise on
tiles and on every other backend.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from mho.compiler.calibration.calibrate import Calibrated, Calibrator
from mho.compiler.calibration.converters import converter_registers
from mho.compiler.calibration.outputs import output_warnings
from mho.compiler.calibration.trials.bench import representative_time
from mho.compiler.compile import check_shape, core_image
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.inputs import load_inputs
from mho.compiler.mapping import SkipMaps
from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.placement import Placement
from mho.compiler.mapping.redundancy import shortfall
from mho.compiler.model import FloatNetwork
from mho.compiler.model.centred import centred
from mho.compiler.model.stages import Linear, Step
from mho.compiler.network import CoreImage, Network
from mho.compiler.network.ranges import InputRange, calibration_warnings
from mho.compiler.options import CompileOptions
from mho.compiler.program import Program
from mho.compiler.tile.cell_noise import CellNoise
from mho.compiler.tile.duplicates import choose, duplicate
from mho.compiler.tile.graph.builder import tile_graph
from mho.compiler.tile.graph.hoist_moves import hoist_moves
from mho.compiler.tile.graph.images import Image, entry_image
from mho.compiler.tile.graph.shapes import MOST_ELEMENTS, MOST_PIXELS, Shape, shapes_of, with_shapes
from mho.compiler.tile.placement.core_places import CorePlaces, place_cores
from mho.compiler.tile.placement.needs import largest_buffer
from mho.compiler.tile.placement.placing import place_on_tiles
from mho.compiler.tile.programs import tile_needs
from mho.compiler.tile.prune_copies import Judge, prune_copies
from mho.hw.config import Chip, check_device, default_device
from mho.macro_models.devices import Device, load_device
from mho.macro_models.devices.sections.programming import Stuck
from mho.macro_models.integer.vector import PAD

__all__ = ["compile_tiles"]

_FIXED = "no layer is duplicated, since lines or cells are known to be faulty and weights are where they are for that"

def compile_tiles(
    model: str | Path | bytes | onnx.ModelProto | FloatNetwork,
    chip: Chip,
    *,
    calibrate: Any,
    device: Device | str | None = None,
    options: CompileOptions | None = None,
    skip: SkipMaps | None = None,
    faults: FaultMaps | None = None,
    progress: Callable[[int, int], None] | None = None,
    judge: Judge | None = None,
) -> Network:
    """A network for the tiles of a chip, one core each; it runs on the host-scheduled backends as well.

    Parameters
    ----------
    model, calibrate, device, options, skip, faults, progress
        As in :func:`mho.compiler.compile_model`, but an input takes one row. Layers are repeated in free columns as
        often as ``copies`` says; else as often as ``error`` takes, in more pieces where there are tiles; else 4 times
        where noise of the cells would be more than a tenth of the outputs, by estimate, or where outputs are not right
        without, as of recurrent layers, whose errors add up over the steps; else not: copies take time, as a tile
        drains and adds them.
    chip
        Chip with ``mesh.columns`` times ``mesh.rows`` tiles.
    judge
        Cycles of an image of a network with copies, so that none is made that gains nothing.

    Raises
    ------
    InputError
        If the model, the inputs or an option is wrong, or something has no form on tiles: one sentence.
    """
    options = CompileOptions() if options is None else options
    given = load_inputs(calibrate)
    net = model if isinstance(model, FloatNetwork) else import_onnx(model, output=options.output, x=given)
    device = default_device(chip) if device is None else load_device(device) if isinstance(device, str) else device
    check_device(chip, device)
    samples = check_shape(given, net)
    digest = hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()
    most = min(len(samples), options.samples)
    x = samples[np.arange(most) * len(samples) // most].astype(np.float64)
    net = centred(net, x)
    cell_map = chip.macro_config().cell_map
    shapes = shapes_of(net, cell_map.rows, largest_buffer(chip))
    names = [layer.name for layer in net.layers]
    slices = options.slices_of(names)
    tied = _tied(net, shapes, chip.tile.parameters)
    # Where the faults are known, chips of the trials have no others.
    trial = replace(device, stuck=Stuck()) if faults else device
    cells = CellNoise.of(net, chip, device, options, x)

    def put(copies: int) -> Placement:
        wide = cells.asked and not options.copies
        return place_on_tiles(shapes, cell_map, chip.cores, copies=copies, wide=wide, slices=slices, faults=faults,
                              skip=skip)

    def calibrated(copies: int) -> tuple[Placement, Calibrated, list[str]]:
        placed = put(copies)
        found = Calibrator(tied, placed, chip, trial, options, x, progress, products=True).run()
        return placed, found, output_warnings(found.outputs, net.layers[found.at_fault].name)

    copies, *more = [options.copies] if options.copies else cells.copies()
    placement, result, wrong = calibrated(copies)
    if wrong and more:
        placement, result, wrong = calibrated(*more)
    redundancy = cells.redundancy(placement, put(1), net.positions)
    program = result.program
    entry = entry_image(program.stages, net.input_shape, program.input.offset.size)
    program = hoist_moves(with_shapes(program, shapes, entry))
    program.check()
    cores = tuple(core_image(placement, k, result.targets[k], chip) for k in range(placement.cores))
    # Where lines or cells are known to be faulty, weights are where they are for a reason.
    fixed = bool(placement.skip or placement.faults)

    def network(most: int, until: float) -> Network:
        counts, warnings = choose(program, result.cycles, chip, len(cores), most, until)
        made = duplicate(net, program, cores, counts, chip, entry)
        here = Network(
            chip=chip, device=device, options=options, model=made.model, program=made.program, cores=made.cores,
            calibration={
                "hop_bytes": None,
                **converter_registers(chip, device, len(made.cores)),
                "cores_least": placement.least, "cores_bound": placement.bound, "samples": result.images,
                "sha256": digest, "time_s": representative_time(chip, device, options),
                "errors": made.of(result.errors),
                "cycles": [cycles * part for cycles, part in zip(made.of(result.cycles), made.share, strict=True)],
                "redundancy": None if redundancy is None else asdict(redundancy),
                "slices": made.of(slices), "slice_bits": made.of(result.slice_bits),
                "clipped": made.of(result.clipped),
                "outputs": [asdict(one) for one in result.outputs],
                "warnings": [
                    *net.warnings, *([_FIXED] if fixed and options.duplicates > 1 else warnings),
                    *calibration_warnings(x, names, result.clipped), *wrong,
                    *shortfall(redundancy, options.error),
                ],
            },
            range=InputRange.of(x),
        )
        return here if fixed else _placed(here, entry)

    return prune_copies(network, 1 if fixed else options.duplicates, len(program.layers), judge)


def _placed(network: Network, entry: Image) -> Network:
    """The network with its cores where values travel few hops, at tiles that have room for their programs.

    What programs need is known once each sum has its context, so cores are placed again where tiles differ.
    """
    first = place_cores(tile_graph(network.program, entry), network.chip)
    found = _nearer(network, first, first.before)
    if needs := tile_needs(found):
        found = _nearer(found, place_cores(tile_graph(found.program, entry), network.chip, needs), first.before)
    return found


def _nearer(network: Network, found: CorePlaces, before: int) -> Network:
    """The network with its cores at the places that were found."""
    held = _at(network.cores, found.core, network.chip)
    calibration = {**network.calibration, "hop_bytes": [before, found.after],
                   **converter_registers(network.chip, network.device, len(held))}
    return replace(network, program=_moved(network.program, found.core), cores=held, calibration=calibration)


def _moved(program: Program, core: Mapping[int, int]) -> Program:
    """The program with its cores at other places."""
    layers = [replace(layer, mvms=tuple(replace(m, core=core[m.core]) for m in layer.mvms)) for layer in program.layers]
    return replace(program, layers=tuple(layers))


def _at(cores: Sequence[CoreImage], core: Mapping[int, int], chip: Chip) -> tuple[CoreImage, ...]:
    """Cores at other places; nothing is in those between them."""
    driven, converted = chip.macro_config().cell_map.absent
    empty = CoreImage(
        targets_uS=np.full_like(cores[0].targets_uS, chip.cells.g_min_uS), bl_skip=driven, sl_skip=converted,
        word_lines=np.ones_like(cores[0].word_lines), converted_lines=np.ones_like(cores[0].converted_lines),
    )
    found = {to: cores[k] for k, to in core.items()}
    return tuple(found.get(k, empty) for k in range(max(found) + 1))


@dataclass(frozen=True, kw_only=True)
class _TiedLinear(Linear):
    """A layer whose inputs of one channel are encoded alike, at all ``pixels`` of an image of so many.

    ``each`` is the channel of each input.
    """

    each: NDArray[np.int64]
    pixels: int

    @property
    def ties(self) -> NDArray[np.int32]:
        """More rows, one for each pixel, in which all inputs of a channel take it."""
        every = self.each * self.pixels + np.arange(self.pixels)[:, None]
        return np.concatenate([self.patches, every.astype(np.int32)])


def _tied(net: FloatNetwork, shapes: Sequence[Shape], parameters: int) -> FloatNetwork:
    """The network with such layers, where codes of a channel would differ between pixels and tiles could not do that.

    Windows that reach beyond the image have one padding a channel; an image that is large, or has more elements than a
    tile ``parameters``, is encoded pixel by pixel. What is put side by side is as it was.
    """
    most = min(parameters, MOST_ELEMENTS - 1)
    shape_of = {shape.name: shape for shape in shapes}

    def one(step: Step) -> Step:
        op = step.operation
        if not isinstance(op, Linear):
            return step
        shape = shape_of[op.layer.name]
        image, walk = shape.image, shape.walk
        large = image.pixels > MOST_PIXELS or (image.pixels > 1 and image.elements > most)
        if any(shape.put) or not (large or (op.patches == PAD).any()):
            return step
        each = walk.channel + np.arange(op.patches.shape[1]) // walk.terms
        return replace(step, operation=_TiedLinear(
            layer=op.layer, patches=op.patches, pad=op.pad, window=op.window, each=each, pixels=image.pixels))

    return replace(net, steps=tuple(map(one, net.steps)))

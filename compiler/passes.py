"""From an ONNX model to a network: the passes, in order.

* :func:`~mho.compiler.job.read_job`: model, inputs and options -> a :class:`~mho.compiler.job.Job`.
* Where a host schedules the cores (:func:`compile_model`):
  :func:`calibrate_on_cores` -> :class:`~mho.compiler.job.CalibratedLayers`.
* On tiles (:func:`compile_tiles`): :func:`~mho.compiler.tile.graph.shapes.shapes_of`, the walk of each layer;
  :func:`~mho.compiler.tile.layers.calibrate_on_tiles` -> layers; :func:`~mho.compiler.tile.layers.with_walks`, what
  walks take is put side by side.
* :func:`~mho.compiler.job.network_of` -> a :class:`~mho.compiler.network.Network`, which every backend runs. On tiles
  then, network to network: :func:`~mho.compiler.tile.duplicates.duplicate_layers`, copies of the slowest layers;
  :func:`~mho.compiler.tile.core_places.move_cores`, cores near each other;
  :func:`~mho.compiler.tile.duplicates.prune_copies`, fewer copies where they gain nothing; and
  :func:`~mho.compiler.tile.pipelined.write_programs`, the programs of the tiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mho.compiler.calibration.finer import calibrated
from mho.compiler.calibration.outputs import output_warnings, unseen_warnings
from mho.compiler.footprint import compile_bytes
from mho.compiler.inputs import Inputs, Source
from mho.compiler.job import CalibratedLayers, Job, Model, Progress, network_of, read_job, warned
from mho.compiler.mapping import Placement, place
from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.redundancy import Redundancy, place_within
from mho.compiler.model.operators.bounds import budget
from mho.compiler.network import Network
from mho.compiler.network.report import copies_of
from mho.compiler.options import CompileOptions
from mho.compiler.tile.core_places import move_cores
from mho.compiler.tile.duplicates import Judge, duplicate_layers, prune_copies
from mho.compiler.tile.graph.images import Image, entry_image
from mho.compiler.tile.graph.shapes import shapes_of
from mho.compiler.tile.layers import calibrate_on_tiles, with_walks
from mho.compiler.tile.pipelined import Programmed, write_programs
from mho.compiler.tile.placement.room import largest_buffer
from mho.compiler.tile.refusal import Refusal
from mho.hw.config import Chip
from mho.macro_models.devices import Device
from mho.macro_models.errors import InputError, argument
from mho.macro_models.files import check_memory
from mho.macro_models.files.memory import freed_memory_kept


def calibrate_on_cores(job: Job) -> CalibratedLayers:
    """Layers on cores as near each other as rectangles pack, calibrated there."""
    net, options = job.net, job.options
    placement, redundancy = _placed(job)
    check_memory(
        compile_bytes(net, placement, 1 + options.chips_for(net.multiplications), len(job.x)),
        f"compiling {net.name} with {len(job.x)} inputs for {placement.cores} cores", "take fewer inputs or seeds"
    )
    result, (placement, redundancy) = calibrated(
        net, (placement, redundancy), partial(_placed, job), job.chip, job.trial_device, options, job.x, job.progress)
    warnings = output_warnings(result.outputs, net.layers[result.at_fault].name) or unseen_warnings(result.unseen)
    return CalibratedLayers(placement=placement, redundancy=redundancy, result=result, warnings=tuple(warnings))


def _placed(job: Job, copies: int | None = None) -> tuple[Placement, Redundancy | None]:
    """Where the weights go; where outputs are numbers, or the user wants it, so that noise of the cells is small."""
    shapes, cell_map = [layer.shape for layer in job.net.layers], job.chip.macro_config().cell_map
    common: dict[str, Any] = {"copies": job.options.copies or copies, "cores": job.chip.cores,
                              "slices": job.slices, "faults": job.faults}
    if not job.noise.matters:
        return place(shapes, cell_map, noise=job.noise.weights, **common), None
    return place_within(
        shapes, cell_map, noise=job.noise.layers, limit=job.noise.limit, ends=job.noise.ends,
        positions=job.net.positions, **common,
    )

COMPILE_WORK = 6e10
"""Nanoseconds that the host's operators of a model may take while it is calibrated."""

FIRST_INPUTS = 128
"""Inputs of a run that serve for calibration where none are given."""

LONGEST_SENTENCE = 200
"""Characters."""


@freed_memory_kept()
@budget(COMPILE_WORK)
def compile_for_chip(
    model: Model,
    chip: Chip,
    *,
    calibrate: "Source | Inputs | Mapping[str, Source]",
    device: Device | str | None = None,
    options: CompileOptions | None = None,
    faults: FaultMaps | None = None,
    freeze: Mapping[str, Source] | None = None,
    input_shape: Mapping[str, Sequence[int]] | None = None,
    progress: Progress | None = None,
) -> Network:
    """Quantises a network, maps it to cores, and calibrates it on the device model.

    With ``tile.programs`` the network holds the programs of its tiles; else a host schedules the products of its cores.

    Raises InputError if the model, the inputs or an option is wrong, or something has no form on the tiles: one
    sentence.

    Parameters
    ----------
    model
        ONNX file, its bytes, a loaded model, or what :func:`~mho.compiler.importer.onnx_import.import_onnx` returned.
    chip
        Chip to compile for.
    calibrate
        Typical inputs in the units of the model, of shape (samples, ...): an array, what
        :func:`~mho.compiler.inputs.load_inputs` reads, or arrays by the names of several inputs.
    device
        Device on whose model the layers are calibrated. None: that of the chip.
    options
        See :class:`CompileOptions`.
    faults
        Dead lines and faulty cells of the cores of one chip: lines are left unused, weights live with the cells.
    freeze, input_shape
        Inputs of the model that are constants, and whole shapes of inputs, by name.
    progress
        Called with (layers calibrated, layers).
    """
    if not chip.tile.programs and options is not None and options.duplicates > 1:
        raise InputError(f"compile option {argument('duplicates')} must be 1 where a host schedules the cores, not "
                         f"{options.duplicates}: it is of tiles, which tile.programs is for")
    job = read_job(model, chip, calibrate=calibrate, device=device, options=options, faults=faults, freeze=freeze,
                   input_shape=input_shape, progress=progress)
    if not chip.tile.programs:
        return _on_cores(job)
    try:
        return _with_programs(job)
    except InputError as error:
        more = "; a host schedules it with --set tile.programs=false"
        if len(str(error) + more) > LONGEST_SENTENCE:
            raise
        raise InputError(str(error) + more) from None


@budget(COMPILE_WORK)
def compile_model(model: Model, chip: Chip, **request: Any) -> Network:
    """A network whose products a host schedules, whatever the chip has; parameters as of :func:`read_job`."""
    return _on_cores(read_job(model, chip, **request))


@budget(COMPILE_WORK)
def compile_tiles(model: Model, chip: Chip, **request: Any) -> Network:
    """A network for the tiles of a chip, one core each, without their programs; parameters as of :func:`read_job`.

    It runs on the host-scheduled backends as well.
    """
    return _on_tiles(read_job(model, chip, **request))


@budget(COMPILE_WORK)
def layers_for_chip(job: Job) -> tuple[Network, CalibratedLayers]:
    """The layers of a job on the cores or tiles of its chip, without programs of tiles, and the network of them."""
    layers = _layers_on_tiles(job)[0] if job.chip.tile.programs else calibrate_on_cores(job)
    return network_of(job, layers), layers


def _on_cores(job: Job) -> Network:
    return network_of(job, calibrate_on_cores(job))


def _layers_on_tiles(job: Job) -> tuple[CalibratedLayers, Image]:
    """Layers on tiles, and the image of the network's input."""
    shapes = shapes_of(job.net, job.chip.macro_config().cell_map.rows, largest_buffer(job.chip))
    layers = calibrate_on_tiles(job, shapes)
    entry = entry_image(layers.program.stages, job.net.input_shape, layers.program.input.offset.size)
    return with_walks(layers, shapes, entry), entry


def _on_tiles(job: Job, judge: Judge | None = None) -> Network:
    layers, entry = _layers_on_tiles(job)
    network, placement = network_of(job, layers), layers.placement
    if placement.faults:
        # Where lines or cells are known to be faulty, weights are where they are for a reason.
        return warned(network, [_FIXED] if job.options.duplicates > 1 else [])

    def copied(limit: int, until: float) -> Network:
        return move_cores(duplicate_layers(network, entry, limit, until), entry)

    return prune_copies(copied, job.options.duplicates, len(network.layers), judge)


def _with_programs(job: Job) -> Network:
    """A network on tiles with their programs, with fewer copies in columns where tiles have no room for more."""
    attempts: dict[int, tuple[Network, Programmed | Refusal]] = {}

    def programs(network: Network) -> Programmed | Refusal:
        if id(network.program) not in attempts:
            attempts[id(network.program)] = network, write_programs(network, job.samples)
        return attempts[id(network.program)][1]

    def judge(network: Network) -> float | Refusal:
        programmed = programs(network)
        if isinstance(programmed, Refusal):
            return programmed
        return 0.0 if programmed.cycles is None else programmed.cycles.interval

    network = _on_tiles(job, judge)
    while isinstance(programmed := programs(network), Refusal):
        copies = max(copies_of(network))
        if job.options.copies or copies == 1:
            raise programmed.error()
        # Nobody asked for so many copies, and there is no room for what adds them.
        network = _on_tiles(replace(job, options=replace(job.options, copies=copies // 2)), judge)
    return replace(programmed.network, calibration=replace(network.calibration, tile_cycles=programmed.facts()))


_FIXED = "no layer is duplicated, since lines or cells are known to be faulty and weights are where they are for that"

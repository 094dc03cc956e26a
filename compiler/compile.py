"""From an ONNX model to a network: import, placement, calibration."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from mho.compiler.calibration.cell_error import cell_error, error_of_outputs
from mho.compiler.calibration.converters import converter_registers
from mho.compiler.calibration.finer import calibrated
from mho.compiler.calibration.outputs import output_warnings, unseen_warnings
from mho.compiler.calibration.trials.bench import representative_time
from mho.compiler.calibration.trials.gradients import IMAGES
from mho.compiler.calibration.trials.influence import weight_noise
from mho.compiler.footprint import compile_bytes
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.inputs import Inputs, NamedInputs, load_input, load_inputs
from mho.compiler.mapping import Placement, SkipMaps, place
from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.redundancy import Redundancy, place_within, shortfall
from mho.compiler.model import FloatNetwork
from mho.compiler.model.centred import centred
from mho.compiler.model.operators.bounds import budget
from mho.compiler.network import CoreImage, Network
from mho.compiler.network.ranges import InputRange, calibration_warnings
from mho.compiler.options import CompileOptions
from mho.hw.config import Chip, check_device, default_device
from mho.macro_models.devices import Device, load_device
from mho.macro_models.devices.sections.programming import Stuck
from mho.macro_models.errors import InputError
from mho.macro_models.files import check_memory

__all__ = ["FIRST_INPUTS", "NO_ERROR", "check_shape", "compile_model", "core_image", "output_noise",
           "wanted_error"]

ERROR_OF_NUMBERS = 0.06
"""Error by noise of the cells up to which outputs that are numbers take no more of them: with rounding it is 0.1."""

COMPILE_WORK = 6e10
"""Nanoseconds that the host's operators of a model may take while it is calibrated."""

NO_ERROR = 1e-9
"""Error of a weight below which cells have none."""

FIRST_INPUTS = 128
"""Inputs of a run that serve for calibration where none are given."""


@budget(COMPILE_WORK)
def compile_model(
    model: str | Path | bytes | onnx.ModelProto | FloatNetwork,
    chip: Chip,
    *,
    calibrate: "str | Path | NDArray[np.floating] | Mapping[str, str | Path | NDArray[np.floating]] | NamedInputs",
    device: Device | str | None = None,
    options: CompileOptions | None = None,
    skip: SkipMaps | None = None,
    faults: FaultMaps | None = None,
    freeze: "Mapping[str, str | Path | NDArray[np.floating]] | None" = None,
    input_shape: Mapping[str, Sequence[int]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Network:
    """Quantises a network, maps it to cores, and calibrates it on the device model.

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
    skip
        Dead lines: core -> (bit lines, source lines), boolean. They are left unused.
    faults
        Dead lines and faulty cells of the cores of one chip: lines are left unused, weights live with the cells.
    freeze, input_shape
        Inputs of the model that are constants, and whole shapes of inputs, by name.
    progress
        Called with (layers calibrated, layers).

    Raises
    ------
    InputError
        If the model, the inputs or an option is wrong: one sentence.
    """
    options = CompileOptions() if options is None else options
    given = load_inputs(calibrate)
    net = model if isinstance(model, FloatNetwork) else import_onnx(
        model, output=options.output, frozen={name: load_input(value) for name, value in (freeze or {}).items()},
        shapes=input_shape, x=given,
    )
    if device is None:
        device = default_device(chip)
    elif isinstance(device, str):
        device = load_device(device)
    check_device(chip, device)
    x = check_shape(given, net)
    digest = hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()
    x = _spread(x, options.samples)
    slices = options.slices_of([layer.name for layer in net.layers])
    x = x.astype(np.float64)
    net = centred(net, x)
    put = partial(_placed, net, chip, device, options, x, skip=skip, slices=slices, faults=faults)
    placement, redundancy = put()
    check_memory(
        compile_bytes(net, placement, 1 + options.chips_for(net.multiplications), len(x)),
        f"compiling {net.name} with {len(x)} inputs for {placement.cores} cores", "take fewer inputs or seeds"
    )
    # Where the faults are known, chips of the trials have no others.
    trial = replace(device, stuck=Stuck()) if faults else device
    result, (placement, redundancy) = calibrated(
        net, (placement, redundancy), lambda copies: put(copies=copies), chip, trial, options, x, progress
    )
    result.program.check()
    return Network(
        chip=chip, device=device, options=options, model=net, program=result.program,
        cores=tuple(core_image(placement, k, result.targets[k], chip) for k in range(placement.cores)),
        calibration={
            **converter_registers(chip, device, placement.cores),
            "cores_least": placement.least, "cores_bound": placement.bound, "samples": result.images, "sha256": digest,
            "time_s": representative_time(chip, device, options),
            "errors": list(result.errors), "cycles": list(result.cycles),
            "redundancy": None if redundancy is None else asdict(redundancy),
            "slices": slices, "slice_bits": list(result.slice_bits), "clipped": list(result.clipped),
            "outputs": [asdict(one) for one in result.outputs],
            "warnings": [
                *net.warnings, *calibration_warnings(x, [layer.name for layer in net.layers], result.clipped),
                *(output_warnings(result.outputs, net.layers[result.at_fault].name) or unseen_warnings(result.unseen)),
                *shortfall(redundancy, options.error),
            ],
        },
        range=InputRange.of(x),
    )


def _placed(
    net: FloatNetwork, chip: Chip, device: Device, options: CompileOptions, x: NDArray[np.float64],
    copies: int | None = None, **lines: Any,
) -> tuple[Placement, Redundancy | None]:
    """Where the weights go; where outputs are numbers, or the user wants it, so that noise of the cells is small."""
    shapes = [layer.shape for layer in net.layers]
    noise, cell_map = weight_noise(net, x), chip.macro_config().cell_map
    common = {"copies": options.copies or copies, "cores": chip.cores, **lines}
    wanted = wanted_error(net, options)
    error, ends = cell_error(chip, device, representative_time(chip, device, options)) if wanted < 1.0 else (0.0, 1.0)
    if error < NO_ERROR:
        return place(shapes, cell_map, noise=noise, **common), None
    return place_within(
        shapes, cell_map, noise=output_noise(net, error, noise, x), wanted=wanted, ends=ends,
        positions=net.positions, **common,
    )


def wanted_error(net: FloatNetwork, options: CompileOptions) -> float:
    """Error of the outputs by noise of the cells above which weights take more of them; 1: none do."""
    if options.error is not None:
        return options.error
    return ERROR_OF_NUMBERS if net.gives_numbers else 1.0


def output_noise(
    net: FloatNetwork, error: float, noise: Sequence[float], x: NDArray[np.float64]
) -> list[float]:
    """Squared error of the outputs, relative to them, that each layer makes with one cell a weight, by estimate.

    ``error`` is that of a cell (:func:`~mho.compiler.calibration.cell_error.cell_error`), ``noise`` what it does
    (:func:`~mho.compiler.calibration.trials.influence.weight_noise`).
    """
    squared = (error * error_of_outputs(net, x[:: -(-len(x) // IMAGES)])) ** 2
    return [squared * one for one in noise]


def core_image(placement: Placement, core: int, targets_uS: NDArray[np.float32], chip: Chip) -> CoreImage:
    """What a core holds, its faulty cells what they have."""
    if core not in placement.faults:
        return CoreImage.from_placement(placement, core, targets_uS)
    # A faulty cell may be beyond what the verify converter reads.
    held = np.minimum(placement.faults[core].g_uS, chip.cells.g_full_scale_uS)
    return CoreImage.from_placement(placement, core, targets_uS, held)


def check_shape(x: Inputs, net: FloatNetwork) -> NDArray[np.float32]:
    """Inputs as (samples, features).

    Raises
    ------
    InputError
        If the shape is neither (samples, *input_shape) nor (samples, features), or several are not those of the model.
    """
    if isinstance(x, NamedInputs):
        return x.side_by_side(net.inputs)
    if x.ndim == 1 and net.features == 1:
        x = x[:, None]
    if x.shape[1:] not in (net.input_shape, (net.features,)):
        wanted = ", ".join(map(str, net.input_shape))
        raise InputError(f"input {net.input_name!r} of the model needs shape [samples, {wanted}], not {list(x.shape)}")
    return x.reshape(len(x), -1)


def _spread(x: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """At most ``most`` samples, evenly taken."""
    if len(x) <= most:
        return x
    return x[np.arange(most) * len(x) // most]

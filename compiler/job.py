"""What is compiled, and what calibration made of it: the values that passes hand on."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from mho.compiler.calibration.calibrate import Calibrated
from mho.compiler.calibration.cell_noise import CellNoise
from mho.compiler.calibration.outputs import Calibration, converters_of
from mho.compiler.calibration.trials.bench import representative_time
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.importer.reading.pytorch import TorchModel, as_onnx
from mho.compiler.inputs import Inputs, NamedInputs, Source, load_input, load_inputs
from mho.compiler.mapping import Placement
from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.mapping.redundancy import Redundancy, shortfall
from mho.compiler.model import FloatNetwork
from mho.compiler.model.centred import centred
from mho.compiler.network import CoreImage, Network
from mho.compiler.network.ranges import InputRange, calibration_warnings
from mho.compiler.options import CompileOptions
from mho.compiler.program import Program
from mho.compiler.types import Float
from mho.hw.config import Chip, check_device, default_device
from mho.macro_models.devices import Device, load_device
from mho.macro_models.devices.sections.programming import Stuck
from mho.macro_models.errors import InputError

Model = str | Path | bytes | onnx.ModelProto | FloatNetwork | TorchModel
"""ONNX file, its bytes, a loaded model, what the importer made of one, or a module or exported program of PyTorch."""

Progress = Callable[[int, int], None]
"""Called with (layers calibrated, layers)."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A network, what it is compiled for, and typical inputs.

    ``samples`` are all inputs, float32 of shape (samples, features), ``x`` those that calibrate, float64. ``slices``
    are those of the weights of each layer, ``faults`` dead lines and faulty cells of the cores of one chip.
    """

    net: FloatNetwork
    chip: Chip
    device: Device
    options: CompileOptions
    samples: NDArray[np.float32]
    x: Float
    slices: list[int]
    faults: FaultMaps | None = None
    progress: Progress | None = None

    @property
    def trial_device(self) -> Device:
        """The device of the chips of the trials: where the faults are known, these have no others."""
        return replace(self.device, stuck=Stuck()) if self.faults else self.device

    @property
    def layer_names(self) -> list[str]:
        """Names of the layers."""
        return [layer.name for layer in self.net.layers]

    @cached_property
    def noise(self) -> CellNoise:
        """What noise of the cells does."""
        return CellNoise(self.net, self.chip, self.device, self.options, self.x)

    @property
    def digest(self) -> str:
        """Hash of all inputs."""
        return hashlib.sha256(np.ascontiguousarray(self.samples).tobytes()).hexdigest()


def read_job(
    model: Model, chip: Chip, *, calibrate: Source | Inputs | Mapping[str, Source],
    device: Device | str | None = None, options: CompileOptions | None = None,
    faults: FaultMaps | None = None, freeze: Mapping[str, Source] | None = None,
    input_shape: Mapping[str, Sequence[int]] | None = None, progress: Progress | None = None, prune: bool = True,
) -> Job:
    """Reads the model and its inputs; the parameters are those of :func:`mho.compiler.passes.compile_for_chip`.

    ``prune``: as of :func:`mho.compiler.importer.onnx_import.import_onnx`.

    Raises InputError if the model, the inputs or an option is wrong: one sentence.
    """
    options, inputs = CompileOptions() if options is None else options, load_inputs(calibrate)
    net = model if isinstance(model, FloatNetwork) else import_onnx(
        as_onnx(model, inputs), output=options.output, shapes=input_shape, x=inputs, digital=options.digital,
        prune=prune, frozen={name: load_input(value) for name, value in (freeze or {}).items()},
    )
    device = default_device(chip) if device is None else load_device(device) if isinstance(device, str) else device
    check_device(chip, device)
    samples = chip.sensor.model.responses(check_shape(inputs, net))
    count = min(len(samples), options.samples)
    x = samples[np.arange(count) * len(samples) // count].astype(np.float64)
    slices = [chosen.slices for chosen in options.of_layers([layer.name for layer in net.layers])]
    return Job(net=centred(net, x), chip=chip, device=device, options=options, samples=samples, x=x, slices=slices,
               faults=faults, progress=progress)


def check_shape(x: Inputs, net: FloatNetwork) -> NDArray[np.float32]:
    """Inputs as (samples, features).

    Raises InputError if the shape is neither (samples, *input_shape) nor (samples, features), or several are not those
    of the model.
    """
    if isinstance(x, NamedInputs):
        return x.side_by_side(net.inputs)
    if x.ndim == 1 and net.features == 1:
        x = x[:, None]
    if x.shape[1:] not in (net.input_shape, (net.features,)):
        shape = ", ".join(map(str, net.input_shape))
        raise InputError(f"input {net.input_name!r} of the model needs shape [samples, {shape}], not {list(x.shape)}")
    return x.reshape(len(x), -1)


@dataclass(frozen=True, kw_only=True)
class CalibratedLayers:
    """Where the layers of a network are, and what calibration made of them; ``warnings`` are on its outputs."""

    placement: Placement
    redundancy: Redundancy | None
    result: Calibrated
    warnings: tuple[str, ...]

    @property
    def copies(self) -> int:
        """How often a layer is repeated in columns, at most."""
        return max(block.copies for block in self.placement.blocks)

    @property
    def program(self) -> Program:
        """The program of the network."""
        return self.result.program

    def core_image(self, core: int, chip: Chip) -> CoreImage:
        """What a core holds, its faulty cells what they have."""
        targets_uS, faults = self.result.targets[core], self.placement.faults.get(core)
        if faults is None:
            return CoreImage.from_placement(self.placement, core, targets_uS)
        # A faulty cell may be beyond what the verify converter reads.
        stuck = np.minimum(faults.g_uS, chip.cells.g_full_scale_uS)
        return CoreImage.from_placement(self.placement, core, targets_uS, stuck)


def network_of(job: Job, layers: CalibratedLayers) -> Network:
    """The network of calibrated layers."""
    result, placement = layers.result, layers.placement
    layers.program.check()
    cores = tuple(layers.core_image(core, job.chip) for core in range(placement.cores))
    return Network(
        chip=job.chip, device=job.device, options=job.options, model=job.net, program=layers.program, cores=cores,
        calibration=Calibration(
            samples=result.images, sha256=job.digest, time_s=representative_time(job.chip, job.device, job.options),
            errors=result.errors, cycles=result.cycles, slices=tuple(job.slices), slice_bits=result.slice_bits,
            clipped=result.clipped, outputs=result.outputs, cores_least=placement.least, cores_bound=placement.bound,
            redundancy=layers.redundancy, converters=converters_of(job.chip, job.device, len(cores)),
            warnings=(
                *job.net.warnings,
                *calibration_warnings(job.x, job.layer_names, result.clipped, result.limited),
                *layers.warnings,
                *shortfall(layers.redundancy, job.options.error),
            ),
        ),
        range=InputRange.of(job.x),
    )


def warned(network: Network, sentences: Sequence[str]) -> Network:
    """The network with more warnings, behind those on its model."""
    if not sentences:
        return network
    count, sentences_known = len(network.model.warnings), network.calibration.warnings
    warnings = (*sentences_known[:count], *sentences, *sentences_known[count:])
    return replace(network, calibration=replace(network.calibration, warnings=warnings))

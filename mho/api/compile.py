"""From models and files to networks: what a user of Python calls first."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from mho.api.chip import Chip, chip_description
from mho.api.device import Device, device_model
from mho.api.inputs import InputsLike, PathLike, as_source, read_cells, read_inputs
from mho.api.net import Net
from mho.api.spending import spend as spend_conversions
from mho.compiler import CompileOptions, Network, compile_for_chip, load_input
from mho.compiler.dry_run import dry_run
from mho.compiler.facts import Plan
from mho.compiler.importer.reading.pytorch import TorchModel
from mho.hw.config import Chip as ChipDescription
from mho.hw.config import default_device
from mho.macro_models.threads import one_thread

if TYPE_CHECKING:
    from mho.sim.programming.instance import Cells

ModelLike = PathLike | bytes | TorchModel
"""An ONNX file, its bytes, or a module or an exported program of PyTorch."""

Option = float | str | int | Mapping[str, int] | None
"""Value of an option of the compiler."""


def compile(
    model: "ModelLike",
    chip: "Chip | PathLike",
    *,
    calibrate: "InputsLike",
    device: "Device | PathLike | None" = None,
    cells: "Cells | PathLike | None" = None,
    freeze: "Mapping[str, ArrayLike | PathLike] | None" = None,
    input_shape: Mapping[str, Sequence[int]] | None = None,
    progress: Callable[[int, int], None] | None = None,
    spend: float | None = None,
    **options: "Option",
) -> Net:
    """Quantise a model after training, map it to a chip's cores and calibrate it on the device model.

    Raises InputError if the model has an operator that is not supported, or an input or option is wrong.

    Parameters
    ----------
    model
        ONNX file, its bytes, or a module or an exported program of PyTorch.
    chip
        Chip to compile for.
    calibrate
        Typical inputs in the model's units, (samples, ...): an array, a ``.npy`` file or ``"X.npz:key"``; several by
        name as in :meth:`Net.run`.
    device
        Device whose model the calibration uses; ``None``: that of ``cells``, or the chip's.
    cells
        Cells of one chip, which :meth:`Net.program` gave, or the file of them: their dead lines are left unused, and
        weights avoid their faulty cells. The network is for that chip then.
    freeze
        Inputs of the model that are constants, by name: arrays or their files.
    input_shape
        Whole shapes of inputs by name, 0 for the batch, where the model leaves them open.
    progress
        Called with (layers calibrated, layers).
    spend
        Times the conversions that may be spent where they are measured to win most, 1 or more: finer inputs, slices,
        copies, on no more cores than the chip has. A network is compiled for each; ``spent`` of the result lists them.
    options
        Those of the compiler: ``in_bits``, ``in_parts``, ``out_bits``, ``tolerance``, ``weight_clip``, ``copies``,
        ``duplicates``, ``time_s``, ``error``, ``seeds``, ``samples``, ``slices``, ``output``.
    """
    description, chip_cells = _chip_and_cells(chip, cells)
    if spend is not None:
        build = partial(compile, model, chip, calibrate=calibrate, device=device, cells=cells, freeze=freeze,
                        input_shape=input_shape, progress=progress)
        return spend_conversions(build, calibrate, options, spend)
    default = default_device(description) if chip_cells is None else chip_cells.device
    with one_thread():
        constants = {name: load_input(as_source(value)) for name, value in (freeze or {}).items()}
        network = compile_for_chip(
            Path(model) if isinstance(model, os.PathLike) else model, description, calibrate=read_inputs(calibrate),
            device=device_model(device, default), options=CompileOptions.from_dict(options),
            faults=None if chip_cells is None else chip_cells.core_faults(), progress=progress,
            freeze=constants, input_shape=input_shape,
        )
    if chip_cells is not None:
        network = replace(network, calibration=replace(network.calibration, cells=chip_cells.provenance()))
    return Net(network)


def _chip_and_cells(
    chip: "Chip | PathLike", cells: "Cells | PathLike | None"
) -> "tuple[ChipDescription, Cells | None]":
    """The description of a chip, and cells of one such chip where they are given."""
    description = chip_description(chip)
    chip_cells = None if cells is None else read_cells(cells)
    if chip_cells is not None:
        chip_cells.check_chip(description)
    return description, chip_cells


def plan(
    model: "PathLike | bytes",
    chip: "Chip | PathLike",
    *,
    cells: "Cells | PathLike | None" = None,
    freeze: "Mapping[str, ArrayLike | PathLike] | None" = None,
    input_shape: Mapping[str, Sequence[int]] | None = None,
    **options: "Option",
) -> Plan:
    """Say what an ONNX model takes on a chip, without calibrating it: plain numbers, strings, lists and dicts.

    Parameters as of :func:`compile`.

    Raises InputError if the model has an operator that is not supported, or an input or option is wrong.
    """
    description, chip_cells = _chip_and_cells(chip, cells)
    return dry_run(
        Path(model) if isinstance(model, os.PathLike) else model, description,
        options=CompileOptions.from_dict(options), faults=None if chip_cells is None else chip_cells.core_faults(),
        freeze={name: load_input(as_source(value)) for name, value in (freeze or {}).items()}, input_shape=input_shape,
    )


def load(path: PathLike) -> Net:
    """Read a network file (``.mho``).

    Raises InputError if it is missing, cut, altered, of another version, or no network file.
    """
    return Net(Network.load(Path(path)))

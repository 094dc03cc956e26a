"""From a module of PyTorch to one that computes as a chip does."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mho.api.chip import Chip, chip_description
from mho.api.compile import ModelLike, Option
from mho.api.device import Device, PathLike, device_model
from mho.api.inputs import InputsLike, read_inputs
from mho.compiler import CompileOptions
from mho.compiler.job import read_job
from mho.compiler.passes import layers_for_chip
from mho.hw.config import default_device
from mho.macro_models.errors import InputError
from mho.macro_models.threads import one_thread
from mho.torch.cells import CellTables
from mho.torch.kinds import smooth_class
from mho.torch.network import AnalogNetwork
from mho.units import parse_time


def convert(
    module: ModelLike,
    chip: Chip | PathLike,
    *,
    calibrate: InputsLike,
    device: Device | PathLike | None = None,
    time: str | float = "1d",
    layers: Mapping[str, Mapping[str, int | bool]] | None = None,
    **options: Option,
) -> AnalogNetwork:
    """Compile a module for a chip, and give one whose forward pass is the chip's.

    Its ranges, steps and cells are those that the compiler found; weights, biases and ranges are parameters. Everything
    between layers is the program's, too: normalisations are folded into layers, so that nothing of ``module`` remains.

    Raises InputError if the chip's cores are of a kind that has no form here, or as :func:`mho.compile`.

    Parameters
    ----------
    module, chip, calibrate, options
        As of :func:`mho.compile`; ``in_parts`` is 1.
    device
        What cells do; None: the chip's.
    time
        Since programming: seconds, or a number with s, m, h, d or y.
    layers
        What layers have of their own, by their names: ``in_bits``, ``out_bits``, ``slices``; or ``digital``, as in
        ``{"fc1": {"slices": 2}, "fc2": {"digital": True}}``: the host computes the layer.
    """
    description = chip_description(chip)
    smooth_class(description.core.kind)  # refused before anything is compiled
    cells = device_model(device, default_device(description))
    if "wire" in description.macro_config().active_causes(cells):
        warnings.warn("the wires of the chip, and cells that are not linear, are left out in training", stacklevel=2)
    samples: Any = calibrate
    if isinstance(samples, torch.Tensor):
        samples = samples.detach().cpu().numpy()
    with one_thread():
        model = Path(module) if isinstance(module, os.PathLike) else module
        job = read_job(model, description, calibrate=read_inputs(samples), device=cells, prune=False,
                       options=CompileOptions.from_dict({"in_parts": 1, **options, **_of_layers(layers or {})}))
        network, calibrated = layers_for_chip(job)
    return AnalogNetwork(network, calibrated, CellTables(description, cells, parse_time(time)))


def _of_layers(layers: Mapping[str, Mapping[str, int | bool]]) -> dict[str, Any]:
    """Options of the compiler for what layers have of their own."""
    options: dict[str, Any] = {"digital": [name for name, own in layers.items() if own.get("digital")]}
    for name, own in layers.items():
        for key, value in own.items():
            if key not in ("in_bits", "out_bits", "slices", "digital"):
                raise InputError(f"layers[{name!r}] has {key!r}; known are in_bits, out_bits, slices and digital")
            if key != "digital":
                options.setdefault(key, {})[name] = value
    return options

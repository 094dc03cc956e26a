"""What calibration found for the converters of a core, as JSON types: network files keep it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pwm.converter import CURVE_TRIMS, GAIN_MOST, GAIN_TRIMS, OFFSET_RANGE, DigitalUnits, Trim
from mho.macro_models.pwm.config import PwmConfig
from mho.macro_models.pwm.model import PwmModel
from mho.macro_models.types import Indices


def converters(config: PwmConfig, device: Device, seed: int, core: int) -> dict[str, Any]:
    """What the core's own calibration finds: trims of both oscillators, digital gains and offsets."""
    empty = np.zeros(config.cell_map.shape)
    model = PwmModel.from_measured(config, empty, device=device, seed=seed, core=core, causes=frozenset({"adc"}))
    trim, digital = model.calibration.trim, model.calibration.digital
    return {
        "trim_gain": trim.gain.tolist(), "trim_curve": trim.curve.tolist(), "gain": digital.gain.tolist(),
        "offset": digital.offset.tolist(),
    }


def restore(model: PwmModel, registers: Mapping[str, Any]) -> None:
    """Set the registers of a core whose converters have errors; one without is as after reset.

    Raises InputError if registers are missing, or are not whole numbers of their ranges, one for each converter.
    """
    n = model.config.lines

    def whole(name: str, shape: tuple[int, ...], low: int, high: int) -> Indices:
        try:
            values = np.array(registers[name])
        except (KeyError, TypeError, ValueError):
            values = np.zeros(0)
        if values.shape != shape or values.dtype.kind != "i" or values.min() < low or values.max() > high:
            raise InputError(f"calibration.converters: {name} must be whole numbers {low} to {high} of shape {shape}")
        return values.astype(np.int32)

    trim = Trim(
        gain=whole("trim_gain", (2, n), GAIN_TRIMS[0], GAIN_TRIMS[-1]),
        curve=whole("trim_curve", (2, n), CURVE_TRIMS[0], CURVE_TRIMS[-1]),
    )
    digital = DigitalUnits(gain=whole("gain", (n,), 0, GAIN_MOST), offset=whole("offset", (n,), *OFFSET_RANGE))
    if model.has_converter_errors:
        model.calibration = replace(model.calibration, trim=trim, digital=digital)

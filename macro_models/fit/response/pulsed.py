"""Devices with a fitted response to pulses: alone, or beside what the cells do after programming."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from macro_models.devices.device import Device
from macro_models.devices.sections.fit import Fit
from macro_models.devices.sections.noise import ConverterNoise
from macro_models.devices.sections.programming import Programming, Range
from macro_models.errors import InputError
from macro_models.fit.response.pulse_law import fit_pulses
from macro_models.fit.response.updates import fit_updates
from macro_models.fit.tables.pulses import Pulses

__all__ = ["add_pulses", "pulsed_device"]

_PULSE_S = 1e-6


def add_pulses(device: Device, data: Pulses, progress: Callable[[int, int], None] | None = None) -> Device:
    """The device with the response to the pulses of the data, and the cells that pulses do not move.

    Stuck cells that the device has already, from readings over time, stay.

    Raises
    ------
    InputError
        As in :func:`macro_models.fit.response.pulse_law.fit_pulses`.
    """
    found = fit_pulses(data, device.programming.pulse_s, progress)
    stuck = found.stuck if device.stuck.fraction == 0.0 else device.stuck
    return replace(device, pulse=found.pulse, stuck=stuck, pulse_fit=found.agreement, update=fit_updates(data))


def pulsed_device(
    data: Pulses, *, name: str, description: str = "", g_min_uS: float | None = None, g_max_uS: float | None = None,
    command: str = "", progress: Callable[[int, int], None] | None = None,
) -> Device:
    """A device that is known by its response to pulses alone: nothing changes after programming.

    Parameters
    ----------
    g_min_uS, g_max_uS
        Range of targets, in uS; by default what the cells went through, less the ends that not all of them reach.

    Raises
    ------
    InputError
        As in :func:`add_pulses`, or if the range is empty.
    """
    bare = Device(
        name=name, description=description or f"response to pulses of {data.path.name}",
        programming=Programming(pulse_s=_PULSE_S, source="the width of pulse to which the rates refer"),
        converter=ConverterNoise(source="not part of the data"),
        fit=Fit(
            file=data.path.name, sha256=data.sha256, command=command, cells=data.cells,
            readings=len(data.volts) + data.cells, dropped="nothing", source="readings after pulses only",
        ),
    )
    device = add_pulses(bare, data, progress)
    low, high = (float(v) for v in np.quantile(data.after_uS, [0.05, 0.95]))
    law = device.pulse
    # Nearly all cells must be able to reach a target.
    reach = 0.9 * law.g_high_uS * math.exp(-3.0 * law.high_spread)
    low = float(f"{max(low, 1.2 * law.g_low_uS):.2g}") if g_min_uS is None else g_min_uS
    high = float(f"{min(high, reach):.2g}") if g_max_uS is None else g_max_uS
    if not low < high:
        raise InputError(f"the range of conductances must begin below its end, not at {low:g} and {high:g} uS")
    return replace(device, range=Range(g_min_uS=low, g_max_uS=high, source=f"conductances of {data.path.name}"))

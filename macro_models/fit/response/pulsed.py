"""Devices with a fitted response to pulses: alone, or beside what the cells do after programming."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.sections.fit import Fit
from mho.macro_models.devices.sections.noise import ConverterNoise
from mho.macro_models.devices.sections.programming import Programming, Range
from mho.macro_models.devices.sections.update import Update
from mho.macro_models.errors import InputError
from mho.macro_models.fit.response.identified import about_moves
from mho.macro_models.fit.response.pulse_law import fit_pulses
from mho.macro_models.fit.response.updates import fit_updates
from mho.macro_models.fit.tables.pulses import Pulses

__all__ = ["add_pulses", "pulsed_device"]

_PULSE_S = 1e-6


def add_pulses(device: Device, data: Pulses, progress: Callable[[int, int], None] | None = None) -> Device:
    """The device with the response to the pulses of the data, and the cells that pulses do not move.

    Stuck cells that the device has already, from readings over time, stay. Where a response cannot be fitted, but runs
    of identical pulses can, the device has these alone, and a warning says why.

    Raises
    ------
    InputError
        As in :func:`mho.macro_models.fit.response.pulse_law.fit_pulses`, if there are no runs of identical pulses
        either.
    """
    update, doubts = fit_updates(data), list[str]()
    if update.model:
        device = replace(device, update=update)
        doubts += _about_update(data, update)
    try:
        fit = fit_pulses(data, device.programming.pulse_s, progress)
    except InputError as error:
        if not update.model:
            raise
        reason = str(error).removeprefix(f"{data.path}: ").removeprefix(f"{data.path.name}: ")
        doubts.append(f"[pulse] is not fitted, so that write-verify cannot program these cells: {reason}")
    else:
        stuck = fit.stuck if device.stuck.fraction == 0.0 else device.stuck
        device = replace(device, pulse=fit.pulse, stuck=stuck, pulse_fit=fit.agreement)
        doubts += fit.doubts
    return replace(device, fit=replace(device.fit, warnings=(*device.fit.warnings, *doubts)))


def _about_update(data: Pulses, update: Update) -> list[str]:
    """What runs of identical pulses do not say, or their law does not follow."""
    volts = np.where(data.volts > 0.0, update.up_V, update.down_V)
    alike = data.where((np.abs(data.volts - volts) < 1e-3) & (volts != 0.0))
    before = np.clip(alike.before_uS, update.g_min_uS, update.g_max_uS)
    steps = np.where(alike.volts > 0.0, update.step(before, 1), update.step(before, -1))
    doubts = about_moves(alike, steps, "[update]")
    if not (update.up_V and update.down_V):
        way, opposite = ("upwards", "downwards") if update.up_V else ("downwards", "upwards")
        doubts.append(f"identical pulses {way} only: [update] has no steps {opposite}, which the data do not show")
    return doubts


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
    reach = 0.9 * law.g_high_uS * math.exp(-3.0 * law.high_spread) if law.set_rate > 0.0 else high
    low = float(f"{max(low, 1.2 * law.g_low_uS):.2g}") if g_min_uS is None else g_min_uS
    high = float(f"{min(high, reach):.2g}") if g_max_uS is None else g_max_uS
    if not low < high:
        raise InputError(f"the range of conductances must begin below its end, not at {low:g} and {high:g} uS")
    return replace(device, range=Range(g_min_uS=low, g_max_uS=high, source=f"conductances of {data.path.name}"))

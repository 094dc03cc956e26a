"""Conductances of a programmed array at some time: every cell drawn from the device by counter."""

import numpy as np
from numpy.typing import NDArray

from macro_models.devices.device import Device
from macro_models.exact.random import NORMAL_ONE, Purpose, bits16, normal_codes

__all__ = ["programmed_uS"]


def programmed_uS(
    target_uS: NDArray[np.float64], *, device: Device, seed: int, core: int, time_s: float, causes: frozenset[str]
) -> NDArray[np.float64]:
    """Conductances in uS, ``time_s`` seconds after programming.

    ``target_uS`` has any shape; NaN is a dead cell and gives 0. Draws are addressed by the flattened index of the cell:
    two times or two targets of the same cell share them, so that a cell relaxes coherently. ``causes`` switches
    "programming", "relaxation" and "stuck".
    """
    items = target_uS.size
    target = np.nan_to_num(target_uS, nan=0.0)
    g = target.copy()
    if "programming" in causes and device.programming.accept_uS > 0.0:
        uniform = (bits16(Purpose.PROGRAMMING, seed=seed, core=core, items=items) + 0.5) / 32768.0 - 1.0
        g += device.window_uS(target) * uniform.reshape(target.shape)
    if "relaxation" in causes and device.relaxation.times_s and time_s > 0.0:
        normal = normal_codes(Purpose.RELAXATION, seed=seed, core=core, items=items) / NORMAL_ONE
        g += device.relaxation_uS(target, time_s) * normal.reshape(target.shape)
    g = np.maximum(g, 0.0)
    if "stuck" in causes and device.stuck.fraction > 0.0:
        g = _stick(g, device, seed, core)
    return np.where(np.isnan(target_uS), 0.0, g)


def _stick(g: NDArray[np.float64], device: Device, seed: int, core: int) -> NDArray[np.float64]:
    stuck = bits16(Purpose.STUCK, seed=seed, core=core, items=g.size) < round(device.stuck.fraction * 65536)
    values = np.array(device.stuck.values_uS)
    draw = bits16(Purpose.STUCK_VALUE, seed=seed, core=core, items=g.size).astype(np.int64)
    value = values[draw * len(values) >> 16]
    return np.where(stuck.reshape(g.shape), value.reshape(g.shape), g)

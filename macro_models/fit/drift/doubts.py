"""What the data of cells that drift do not show, or the law does not follow: one sentence each."""

import math

import numpy as np

from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.fit.drift.law import DriftFit
from mho.macro_models.fit.law.doubts import Beside, about_ends, about_uncertain, about_wide_levels
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Reals

OFF = "the law does not follow the data"
"""What a sentence says where means or deviations are off."""

_FEWEST_TIMES = 4
_OF_START = 0.3  # of ln t_c: an error from which on it is hardly known
_UNKNOWN = 5.0
_OF_FALL = 0.05
_ONE_STEP = 0.75  # of the whole fall
_FEW_DIES = 10
_OFF, _ERRORS, _LEAST = 0.1, 3.0, 10


def about_all(beside: Beside) -> str:
    """Names the time if the deviations of the levels, as drawn, are off all together; "" if they are not."""
    data, model, count = beside.data, beside.model, beside.count
    usable = (count >= _LEAST) & (data[:, 1] > 0.0) & (model[:, 1] > 0.0)
    if not usable.any():
        return ""
    weight = np.where(usable, count, 0) / count[usable].sum()
    ratio = np.where(usable, model[:, 1], 1.0) / np.where(usable, data[:, 1], 1.0)
    # Of few cells the deviation is too small.
    off = float((weight * (np.log(ratio) + usable / (-2.0 * np.maximum(count - 1, 1)))).sum())
    error = float(np.sqrt((weight[usable] ** 2 * beside.errors[1][usable] ** 2).sum()))
    if abs(off) < max(_OFF, _ERRORS * error):
        return ""
    return f"at {beside.time_s:g} s the deviations of all targets are {math.expm1(off):+.0%} off"


def about_course(beside: Beside, fall: Reals) -> str:
    """Names the time if the means of all targets together are off by too much of the whole ``fall`` of each, in uS.

    A power of time can be within a small part of the range of a fall that ends early, and be wrong between readings.
    """
    count = beside.count * (fall > 0.0)
    whole = float((count * fall).sum())
    if whole <= 0.0:
        return ""
    off = float((count * (beside.model[:, 0] - beside.data[:, 0])).sum()) / whole
    error = math.sqrt(float((count * beside.data[:, 1] ** 2).sum())) / whole
    if abs(off) < max(_OF_FALL, _ERRORS * error):
        return ""
    return f"at {beside.time_s:g} s the means of all targets are {abs(off):.0%} of the whole fall off"


def about_one_step(t_c_s: float, times_s: Reals) -> list[str]:
    """Names the two readings between which nearly all of the fall is: its course between them nobody has seen."""
    fallen = np.log1p(times_s / t_c_s)
    part = np.diff(fallen) / max(float(fallen[-1] - fallen[0]), 1e-12)
    k = int(np.argmax(part)) if part.size > 1 else 0
    if part.size < 2 or part[k] < _ONE_STEP:
        return []
    return [
        f"{part[k]:.0%} of the fall is between the readings at {times_s[k]:g} and {times_s[k + 1]:g} s: mean and "
        "deviation between them are those of a power of time, which the data do not show; read between them"
    ]


def about_drift(data: Measurements, device: DriftDevice, fit: DriftFit, off: list[str], certain: float) -> list[str]:
    """Sentences of :attr:`Fit.warnings`; ``off`` and ``certain`` of the comparison with the data."""
    limits, times = (device.range.g_min_uS, device.range.g_max_uS), np.unique(data.time_index)
    doubts = [*data.notes, *about_wide_levels(data, fit.levels_uS), *about_ends(data, limits, len(fit.levels_uS))]
    if len(times) < _FEWEST_TIMES:
        doubts.append(f"{len(times)} times only: whether cells follow a power of time is not known from them")
    t_c_error = fit.errors["t_c_s"][0] / device.drift.t_c_s
    if t_c_error > _OF_START:
        certainty = f"to +-{t_c_error:.0%} only" if t_c_error < _UNKNOWN else "or any time before"
        doubts.append(
            f"drift begins at {device.drift.t_c_s:.3g} s {certainty}: what is before the first reading is uncertain"
        )
    doubts += about_one_step(device.drift.t_c_s, data.times_s[times])
    unseen = fit.levels_uS[~fit.visible]
    if unseen.size:
        doubts.append(
            f"nu is not seen from {unseen[0]:.3g} to {unseen[-1]:.3g} uS (noise, or cells at the floor): the curve "
            "of the other targets goes on there"
        )
    doubts += about_uncertain(data.cells, certain)
    if off:
        doubts.append(f"{off[-1]}: {OFF} there ({len(off)} of {len(times)} times)")
    dies = device.confidence.dies
    if 1 < dies < _FEW_DIES:
        doubts.append(f"{dies} dies: what they have in common is in the errors, with Student's factor of so few")
    return doubts

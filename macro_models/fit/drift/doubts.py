"""What the data of cells that drift do not show, or the law does not follow: one sentence each."""

import numpy as np

from macro_models.devices.laws.drift import DriftDevice
from macro_models.fit.drift.law import DriftFit
from macro_models.fit.law.doubts import about_ends, about_uncertain
from macro_models.fit.measurements import Measurements

__all__ = ["about_drift"]

_FEWEST_TIMES = 4
_OF_START = 0.3  # of ln t_c: an error from which on it is hardly known
_UNKNOWN = 5.0
_FEW_DIES = 10


def about_drift(
    data: Measurements, device: DriftDevice, found: DriftFit, off: list[str], certain: list[float]
) -> list[str]:
    """Sentences of :attr:`Fit.warnings`; ``off`` and ``certain`` are of the times, from ``about_levels``."""
    limits, times = (device.range.g_min_uS, device.range.g_max_uS), np.unique(data.time_index)
    doubts = about_ends(data, limits, len(found.levels_uS))
    if len(times) < _FEWEST_TIMES:
        doubts.append(f"{len(times)} times only: whether cells follow a power of time is not known from them")
    t_c_error = found.errors["t_c_s"][0] / device.drift.t_c_s
    if t_c_error > _OF_START:
        known = f"to +-{t_c_error:.0%} only" if t_c_error < _UNKNOWN else "or any time before"
        doubts.append(
            f"drift begins at {device.drift.t_c_s:.3g} s {known}: what is before the first reading is uncertain"
        )
    unseen = found.levels_uS[~found.seen]
    if unseen.size:
        doubts.append(
            f"nu is not seen from {unseen[0]:.3g} to {unseen[-1]:.3g} uS (noise, or cells at the floor): the curve "
            "of the other targets goes on there"
        )
    doubts += about_uncertain(data.cells, max(certain, default=0.0))
    if off:
        doubts.append(f"{off[-1]}: the law does not follow the data there ({len(off)} of {len(times)} times)")
    dies = device.confidence.dies
    if 1 < dies < _FEW_DIES:
        doubts.append(f"{dies} dies: what they have in common is in the errors, with Student's factor of so few")
    return doubts

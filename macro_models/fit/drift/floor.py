"""The least conductance of cells that drift: where readings pile up, and none goes below."""

from typing import NamedTuple

import numpy as np

from mho.macro_models.devices.laws.drift import DriftDevice
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Reals

_LEAST_CELLS = 10
_SIDE, _NEAR = 2.5, 1.5  # deviations of a reading within which a pile lies, and most of it, on either side of the floor
_GAP = 2.0  # and from where on readings are above it
_BELOW = 0.03  # part of the pile that may be below it
_STANDS_OUT, _SURE = 1.5, 3.0  # readings of the pile for each in as wide a window above it, and standard errors
_PASSES = 8
_STARTS = 200
_LARGEST_NOISE = 0.4  # relative: beyond, a pile is too wide to be one


class Floor(NamedTuple):
    """Where the conductance ends."""

    g_uS: float
    error_uS: float
    """Standard error."""
    above_uS: float
    """Up to where a reading may be of a cell that is at the floor."""


def find_floor(data: Measurements, device: DriftDevice) -> Floor | None:
    """The floor that the later readings show, None where they show none.

    Of cells that only drift, fewer and fewer are found the lower one looks. A floor is a value around which, within
    the noise of a reading that ``device`` has, lie ten cells and half as many again as in a window as wide above it, by
    three standard errors of the difference, with next to none below.
    """
    late = (data.time_index > np.median(np.unique(data.time_index))) & (data.g_uS > 0.0)
    if late.sum() < _LEAST_CELLS:
        return None
    noise = device.drift.relative_noise(data.target_uS[late], float(data.times_s[-1]))
    order = np.argsort(data.g_uS[late])
    ln_g, noise, cell = np.log(data.g_uS[late][order]), noise[order], data.cell[late][order]
    for start in range(min(len(ln_g) // 5 + 1, _STARTS)):
        size = float(np.median(noise[start : start + _LEAST_CELLS]))
        ln_floor = _pile(ln_g, ln_g[start], size) if size < _LARGEST_NOISE else None
        if ln_floor is None:
            continue
        inside = np.abs(ln_g - ln_floor) <= _SIDE * size
        cells = len(np.unique(cell[inside]))
        if cells >= _LEAST_CELLS:
            floor = float(np.exp(ln_floor))
            return Floor(floor, floor * size * 1.25 / np.sqrt(cells), floor * float(np.exp(_SIDE * size)))
    return None


def _pile(ln_g: Reals, low: float, noise: float) -> float | None:
    """Middle, in logarithms, of the pile that begins with a reading; None if it is none."""
    middle, side = low + _SIDE * noise, _SIDE * noise
    for turn in range(_PASSES):
        # In the end of the nearest readings only: among those above there are cells that fall still.
        near = np.abs(ln_g - middle) <= (side if turn < _PASSES // 2 else noise)
        if not near.any():
            return None
        middle = float(np.median(ln_g[near]))
    below, pile = int((ln_g < middle - side).sum()), int((np.abs(ln_g - middle) <= _NEAR * noise).sum())
    start = middle + _GAP * noise
    above = int(((ln_g > start) & (ln_g <= start + 2.0 * _NEAR * noise)).sum())
    sure = pile - above > _SURE * np.sqrt(pile + above)
    return middle if sure and below <= _BELOW * pile and pile >= _STANDS_OUT * above else None

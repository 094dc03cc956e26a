"""Cells that do not take their targets: at 0, at the ceiling, or wherever they are."""

import numpy as np

from mho.macro_models.devices.sections.programming import Stuck
from mho.macro_models.types import Flags, Integers, Reals

_VALUES = 8
_NOTHING, _SMALL = 0.01, 0.1  # of the largest target
_FAR_ABOVE = 4.0  # times the conductance of a cell that is stuck at 0: a target that tells
_STILL = 0.01  # of the largest target: what a stuck cell may move
_AWAY = 0.25  # of the largest target: how far above its target a stuck cell is at least
_SPREAD = 0.25  # part of the stuck cells whose targets are in the half of the targets where chance does not lead


def find_stuck(cell: Integers, g_uS: Reals, target_uS: Reals, *, has_target: bool) -> tuple[Flags, Reals]:
    """Readings of cells that are not stuck, and the conductance of each that is, of shape (stuck cells,).

    Without targets nobody knows what a cell should have been: cells that never conduct are left out, and are not
    called stuck. With targets, a cell is stuck if it never conducts (1 % of the largest target) though its target is
    above 10 % of the largest, or if it hardly moves and is far above its target. A heavy tail looks alike where the
    targets are close by, so stuck cells must be found among other targets too, or they are cells like the others.
    """
    cells = int(cell.max(initial=0)) + 1
    highest, lowest, target = np.zeros(cells), np.full(cells, np.inf), np.zeros(cells)
    np.maximum.at(highest, cell, g_uS)
    np.minimum.at(lowest, cell, g_uS)
    target[cell] = target_uS
    readings = np.bincount(cell, minlength=cells)
    if not has_target:
        return ~(highest == 0.0)[cell], np.zeros(0)
    top = float(target.max(initial=0.0))
    low = (readings > 0) & (highest <= _NOTHING * top) & (target > _SMALL * top)
    middle = float(np.median(target[(readings > 0) & (target > _SMALL * top)]))
    if (target[low] > middle).mean() < _SPREAD if low.any() else False:
        low[:] = False
    if low.any():  # cells with small targets have the same
        value = float(highest[low].max())
        low |= (readings > 0) & (highest <= value) & (target > _FAR_ABOVE * value)
    high = (readings > 1) & (lowest > target + _AWAY * top) & (highest - lowest <= _STILL * top)
    if high.sum() < 2 or (target[high] < middle).mean() < _SPREAD:
        high[:] = False
    stuck = low | high
    return ~stuck[cell], ((highest + lowest) / 2.0)[stuck]


def stuck_section(values_uS: Reals, cells: int, source: str) -> Stuck:
    """The section of a device for stuck cells of these conductances, among ``cells`` in all."""
    if not len(values_uS):
        return Stuck(source="no such cell in the data")
    parts = min(len(values_uS), _VALUES)
    values = np.quantile(values_uS, (np.arange(parts) + 0.5) / parts, method="inverted_cdf")
    values = values[:1] if np.ptp(values) <= 1e-3 * max(float(values[-1]), 1e-3) else values
    return Stuck(
        fraction=float(f"{len(values_uS) / cells:.4g}"), values_uS=tuple(float(f"{v:.4g}") for v in values),
        source=f"{source}: {len(values_uS)} of {cells} cells",
    )

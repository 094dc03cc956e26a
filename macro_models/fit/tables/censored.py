"""Readings that are not what cells had (too small, at an end of the range, in steps), and cells that are stuck."""

import numpy as np

from mho.macro_models.devices.sections.programming import Stuck
from mho.macro_models.types import Flags, Integers, Reals

_FEWEST, _PART = 8, 0.01  # readings, and their part of all, from which on they are named
_SURE = 4.0  # standard errors (of the sum of ranks of Mann and Whitney; of a difference of two parts)
_REPEATED = 5.0  # times that a value at the end is there, in units of what is usual for a value
_SHARED, _COARSE = 20.0, 0.5  # readings for each value, a step in deviations of a change: from here on coarse
_LACKS = 0.5  # readings of the least target in units of what others have: below it some are missing
_BELOW = 0.1  # of the largest target: what readings may be below 0 uS by noise
_FEW, _FEW_PART = 5, 0.005  # negative ones, or cells without any, from which on they are named


def from_zero(g_uS: Reals, target_uS: Reals | None) -> tuple[Reals, list[str]]:
    """Readings with those just below 0 uS as 0, which is what a cell at 0 with noise reads like, and a sentence."""
    top = float(np.nanmax(g_uS if target_uS is None else target_uS, initial=0.0))
    below = (g_uS < 0.0) & (g_uS >= -_BELOW * top)
    if below.sum() < max(_FEW, _FEW_PART * len(g_uS)):
        return np.where(below, 0.0, g_uS), []
    return np.where(below, 0.0, g_uS), [
        f"{below.sum()} of {len(g_uS)} readings are negative, down to {g_uS[below].min():.3g} uS (noise or an offset "
        "of the instrument): they count as 0 uS, and so does what the law has below"
    ]


def about_unread(cell: Integers, whole: Flags, good: Flags, target_uS: Reals | None, named: bool) -> list[str]:
    """Names cells that have rows, those that are ``whole``, but no ``good`` reading in any of them."""
    gone, cells = np.setdiff1d(cell[whole], cell[good]), len(np.unique(cell[whole]))
    if len(gone) < max(_FEW, _FEW_PART * cells):
        return []
    if named:
        return [f"{len(gone)} of {cells} cells have no reading that is a number: if they are dead, [stuck] lacks them"]
    of = ""
    if target_uS is not None:
        middle, usual = np.median(target_uS[np.isin(cell, gone) & whole]), np.median(target_uS[whole])
        of = f", with targets of {middle:.3g} uS (median; of all {usual:.3g} uS)"
    return [
        f"{len(gone)} of {cells} readings are missing{of}: whether they are too small for the instrument is not known, "
        "as cells have no names; the law is that of the others"
    ]


def about_missing(cell: Integers, index: Integers, times_s: Reals, g_uS: Reals, condition: Integers) -> list[str]:
    """Whether readings of named cells are missing by what the cells conduct, at the time where it is clearest.

    The last reading before (the first one, where there is none) of cells that were not read at a time is compared with
    that of cells that were, of the same conditions (temperature, cycles). Arrays have one entry for each reading, by
    cell and time.
    """
    cells, times = int(cell.max(initial=0)) + 1, len(times_s)
    table = np.full((cells, times), np.nan)
    table[cell, index] = g_uS
    group = np.zeros(cells, dtype=np.int64)
    group[cell] = condition
    sentence, largest = "", _SURE
    for k in range(times):
        read = np.isfinite(table[:, k])
        expected = np.isin(group, group[read])
        last_uS = np.full(cells, np.nan)
        for j in (*range(times - 1, k, -1), *range(k)):  # the later in this order, the better
            last_uS = np.where(np.isfinite(table[:, j]), table[:, j], last_uS)
        away, here = last_uS[expected & ~read], last_uS[expected & read]
        away, here = away[np.isfinite(away)], here[np.isfinite(here)]
        if len(away) < max(_FEWEST, _PART * (len(away) + len(here))) or not len(here):
            continue
        sure = _ranked(away, here)
        if abs(sure) > largest:
            largest, less = abs(sure), sure < 0.0
            sentence = (
                f"readings at {times_s[k]:g} s are missing of {len(away) / (len(away) + len(here)):.0%} of the cells, "
                f"of those that conduct {'less' if less else 'more'} (median before or after {np.median(away):.3g} uS, "
                f"of the others {np.median(here):.3g} uS): too {'small' if less else 'large'} for the instrument? the "
                "law is that of the cells that were read"
            )
    return [sentence] if sentence else []


def about_least_target(cell: Integers, target_uS: Reals) -> list[str]:
    """Whether the least target has far fewer readings than the others: cells that are never read may have no rows."""
    levels, which = np.unique(target_uS, return_inverse=True)
    readings = np.bincount(which)
    usual = float(np.median(readings[1:])) if len(levels) > 2 else 0.0
    if usual < _FEWEST or readings[0] > _LACKS * usual:
        return []
    return [
        f"target {levels[0]:.3g} uS has {readings[0]} readings of {len(np.unique(cell[which == 0]))} cells, the others "
        f"{usual:.0f} (median): were those left out that are too small? The law there is that of what was read"
    ]


def _ranked(missing: Reals, present: Reals) -> float:
    """How many standard errors the ranks of some values are above those of others (Mann and Whitney, 1947)."""
    m, n = len(missing), len(present)
    _, which, count = np.unique(np.concatenate([missing, present]), return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2.0)[which]
    # Ties take their part of the variance.
    variance = m * n / 12.0 * (m + n + 1.0 - float((count**3.0 - count).sum()) / ((m + n) * max(m + n - 1.0, 1.0)))
    return (float(rank[:m].sum()) - m * (m + n + 1.0) / 2.0) / max(variance, 1e-12) ** 0.5


def about_piles(g_uS: Reals, target_uS: Reals) -> list[str]:
    """Values of readings, one for each, that an instrument made: many alike at an end, or all of them in steps."""
    away = (g_uS > 0.0) & (g_uS != target_uS)
    value, count = np.unique(g_uS[away], return_counts=True)
    if not len(value):
        return []
    notes, usual = [], max(float(np.median(count)), 1.0)
    for at, end, name in ((0, "floor", "least"), (-1, "ceiling", "largest")):
        if count[at] >= max(_FEWEST, _REPEATED * usual, 0.1 * _PART * len(g_uS)):
            notes.append(
                f"{count[at]} readings are exactly {value[at]:.5g} uS, the {name} of all: the {end} of the instrument, "
                "or a flag of it; what the cells had is not known, and the law has them there"
            )
    spread = np.abs((g_uS - target_uS)[away] - np.median((g_uS - target_uS)[away]))
    if len(value) > 2 and len(value) * _SHARED < count.sum():
        step = float(np.median(np.diff(value)))
        if step > _COARSE * 1.4826 * float(np.median(spread)):
            notes.append(
                f"readings come in steps of {step:.3g} uS, as large as what cells scatter by: spread and humps of the "
                "law are those of the instrument"
            )
    return notes


def about_worn(stuck: Flags, cycles: Reals) -> list[str]:
    """Whether more of the cells that were switched more often are stuck; one entry for each cell."""
    finite = np.isfinite(cycles)
    stuck, decade = stuck[finite], np.log10(1.0 + np.maximum(cycles[finite], 0.0))
    if not stuck.any() or float(np.ptp(decade)) < 0.3:
        return []
    slope = decade - decade.mean()
    part = float(stuck.mean())
    sure = float((slope * stuck).sum()) / max(part * (1.0 - part) * float((slope**2).sum()), 1e-12) ** 0.5
    if abs(sure) < _SURE:
        return []
    third = float(np.ptp(decade)) / 3.0
    ends = [stuck[decade <= decade.min() + third], stuck[decade >= decade.max() - third]]
    few, many = (float(end.mean()) for end in ends)
    return [
        f"{few:.2%} of the cells that were switched least are stuck, {many:.2%} of those that were switched most: "
        f"[stuck] holds the mean, {part:.2%}, whatever the number of cycles"
    ]


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

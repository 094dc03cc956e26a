"""How far other cells would have moved a law of drift: a jackknife over groups of cells, or over dies.

Each group is left out in turn, and what the levels say without it moves the numbers of the law: the curves of nu by the
least squares of their line, all of them with the t_c that fits best. Numbers are named as
:attr:`mho.macro_models.devices.laws.drift.MOVABLE`.
"""

import numpy as np

from mho.macro_models.devices.laws.drift import MOVABLE
from mho.macro_models.fit.drift.law import DriftFit, LevelValues, level_values, refined_t_c
from mho.macro_models.fit.drift.lines import lines_of_cells, weight
from mho.macro_models.types import Flags, Integers, Reals

_GROUPS = 30
_WITHIN = 0.15  # of the logarithm of t_c
_LEAST = 3  # cells of a level that are left


def movements(fit: DriftFit) -> tuple[tuple[str, ...], Reals, Reals]:
    """Names of the numbers that are known from these cells, standard errors, and their correlation."""
    used = fit.readings
    groups = min(_GROUPS, len(used.level))
    # Cells of a level one after the other into all groups.
    rank = np.empty(len(used.level), dtype=np.int64)
    rank[np.lexsort((used.target_uS, used.level))] = np.arange(len(used.level))
    covariance = _jackknife(fit, rank % groups)
    if len(np.unique(used.die)) > 1:
        of_dies = _jackknife(fit, np.unique(used.die, return_inverse=True)[1])
        of_cells = np.maximum(np.diag(covariance), 1e-300)
        if float((np.diag(of_dies) / of_cells).mean()) > 1.0:
            # What dies have in common, as far as cells do not say more.
            grow = np.sqrt(np.maximum(np.diag(of_dies), np.diag(covariance)) / np.maximum(np.diag(of_dies), 1e-300))
            covariance = of_dies * np.outer(grow, grow)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    determined = errors > 0.0
    memory = covariance[np.ix_(determined, determined)] / np.outer(errors[determined], errors[determined])
    return tuple(name for name, k in zip(MOVABLE, determined, strict=True) if k), errors[determined], memory


def _jackknife(fit: DriftFit, group: Integers) -> Reals:
    """Covariance of the numbers, by leaving out each group of cells."""
    whole, moved = _numbers(fit, np.ones(len(group), dtype=bool), None), []
    for g in range(int(group.max()) + 1):
        moved.append(_numbers(fit, group != g, whole[1])[0])
    numbers = np.array(moved)
    away = numbers - numbers.mean(axis=0)
    return (len(numbers) - 1.0) / len(numbers) * (away.T @ away)


def _numbers(fit: DriftFit, cells: Flags, whole: LevelValues | None) -> tuple[Reals, LevelValues]:
    """By how much some of the cells move the numbers away from those of all, in the order of ``MOVABLE``."""
    used, chosen = fit.readings.of(cells)
    log_g = fit.log_g[chosen]
    t_c = refined_t_c(used, log_g, fit.clear, fit.drift.t_c_s, _WITHIN)
    lines = lines_of_cells(used.cell, used.time_s, log_g, t_c, weight(used.time_s, t_c))
    values = level_values(used, lines, fit.drift.g_ref_uS, fit.has_target)
    base, drift = values if whole is None else whole, fit.drift
    enough = np.bincount(used.level, minlength=len(used.levels_uS)) >= _LEAST
    log_r = np.log(np.maximum(used.levels_uS / drift.g_ref_uS, 1e-7))
    visible, clear = fit.visible & enough, fit.clear & enough
    mean = _moved(drift.nu_mean, log_r, values.mean - base.mean, base.mean_error, visible)
    std = _moved(drift.nu_std, log_r, values.std - base.std, base.std_error, visible)
    noise = _line(
        base.log_r, np.log(values.noise / base.noise), base.noise_error / base.noise, clear,
        flat=drift.noise[1] == 0.0,
    )
    square = (base.left_uS**2).sum()
    left = 0.5 * np.log(max(float((values.left_uS**2).sum()), 1e-12) / square) if square > 1e-12 else 0.0
    return np.array([np.log(t_c), *mean, *std, noise[1], -noise[0], left]), values


def _moved(curve: tuple[float, ...], log_r: Reals, change: Reals, errors: Reals, visible: Flags) -> tuple[float, ...]:
    """By how much changes of the levels move slope, offset and both limits of a curve.

    A limit moves with the levels that lie at it; without any, it is where the line ends, and moves with the line.
    """
    bend = sum(curve[4:])  # one number, or none
    line = curve[0] * log_r + curve[1] + bend * log_r**2
    slack = 1e-6 + 1e-3 * abs(curve[1])
    sides = visible & (line < curve[2] - slack), visible & (line > curve[3] + slack)
    slope, offset = _line(log_r, change, errors, visible & ~sides[0] & ~sides[1], flat=curve[0] == 0.0)
    ends = []
    for limit, side in zip(curve[2:4], sides, strict=True):
        if side.any():
            ends.append(_line(log_r, change, errors, side, flat=True)[1])
        else:
            ends.append(offset + (slope * (limit - curve[1]) / curve[0] if curve[0] else 0.0))
    return slope, offset, *ends


def _line(log_r: Reals, change: Reals, errors: Reals, used: Flags, *, flat: bool) -> tuple[float, float]:
    """Slope and offset of changes of levels, by weighted least squares; no slope if ``flat``, or of two levels."""
    w = np.where(used, 1.0 / np.maximum(errors, 1e-9) ** 2, 0.0)
    if not w.sum():
        return 0.0, 0.0
    middle, at = float((w * change).sum() / w.sum()), float((w * log_r).sum() / w.sum())
    power = float((w * (log_r - at) ** 2).sum())
    if flat or used.sum() < 3 or power <= 0.0:
        return 0.0, middle
    slope = float((w * (log_r - at) * (change - middle)).sum()) / power
    return slope, middle - slope * at

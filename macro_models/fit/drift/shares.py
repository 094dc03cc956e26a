"""What the cells of a die, and one cell from programming to programming, have in common in a law of drift."""

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.fit.drift.law import DriftFit
from mho.macro_models.fit.drift.lines import lines_of_cells, weight
from mho.macro_models.fit.law.components import Component, kept_again, share_of_groups

__all__ = ["drift_shares"]

_SEEN = 0.1  # part of the scatter of a level that is not the error of the lines, from which the level says something

Reals = NDArray[np.float64]


def drift_shares(fit: DriftFit) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Shares of the variances of the error of programming and of nu: of a die, and of a cell within its die.

    See :attr:`mho.macro_models.devices.sections.drift.Drift.die` and ``cell``; empty where the data do not say, or
    there is none.
    """
    used, values = fit.readings, fit.values
    w = weight(used.time_s, fit.drift.t_c_s)
    lines = lines_of_cells(used.cell, used.time_s, fit.log_g, fit.drift.t_c_s, w)
    numbers = [(np.exp(lines.log_g) - used.target_uS, values.left_uS), (lines.nu, values.std)]
    standard = [_standard(number, true, fit) for number, true in numbers]
    several = len(np.unique(used.die)) > 1
    die = [_of_law(x, used.die) for x in standard] if several else []
    again = len(np.unique(used.body)) < len(used.body)
    cell = kept_again([_of_law(x, used.body) for x in standard], die) if again else ()
    shares = tuple(c.share for c in die)
    return shares if any(shares) else (), cell


def _standard(number: Reals, true: Reals, fit: DriftFit) -> Reals:
    """Numbers of cells less the mean of their level, in units of its ``true`` deviation; NaN where that is not seen."""
    level, levels = fit.readings.level, len(fit.levels_uS)
    count = np.maximum(np.bincount(level, minlength=levels), 1)
    away = number - (np.bincount(level, number, minlength=levels) / count)[level]
    scatter = np.bincount(level, away**2, minlength=levels) / count
    visible = fit.visible & (true**2 > _SEEN * scatter) & (true > 0.0)
    return np.where(visible[level], away / np.maximum(true, 1e-300)[level], np.nan)


def _of_law(standard: Reals, group: NDArray[np.int64]) -> Component:
    """The share in the variance without the error of the lines, of numbers whose variance without it is 1."""
    component = share_of_groups(standard, group)
    finite = standard[np.isfinite(standard)]
    whole = float(np.mean(finite**2)) if finite.size else 1.0
    return component._replace(share=float(f"{min(component.share * whole, 1.0):.4g}"))

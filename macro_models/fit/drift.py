"""The law of cells that drift, from readings of each cell at several times.

Each cell is a line in logarithms, ``ln g = ln g_p - nu ln((t + t_c) / t_c)``, with noise whose variance is ``Q**2``
times the logarithm of time that 1/f noise goes by (:mod:`macro_models.devices.laws.drift`). t_c is where the lines fit
best; what the slopes of the cells of a level scatter by, less the error of a slope, is the spread of nu.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize_scalar

from macro_models.devices.laws.drift import Drift
from macro_models.errors import InputError
from macro_models.fit.levels import choose_levels, nearest_level
from macro_models.fit.measurements import Measurements

__all__ = ["DriftFit", "fit_drift", "lines_of_cells"]

Reals = NDArray[np.float64]

_READ_S = 250e-9
_LIMIT = 0.2
_LEAST_READINGS, _LEAST_CELLS = 3, 10
_PASSES = 3
_CLEAR, _SEEN = 0.2, 0.6
"""Relative noise up to which a level says when drift begins and how noise goes with r, and what nu is: beyond,
logarithms of readings are of no use."""
_DIGITS = 5
_LIMITS = (-0.5, 0.5)


@dataclass(frozen=True, eq=False)
class Lines:
    """A line in logarithms for each cell; arrays of shape (cells,)."""

    log_g: Reals
    """``ln g_p``, g in uS."""
    nu: Reals
    log_variance: Reals
    """Of ``log_g``, in units of the square of Q."""
    nu_variance: Reals
    """The same of ``nu``."""
    square: Reals
    """Weighted sum of the squares of what is left."""
    freedom: Reals
    """Readings less two."""


@dataclass(frozen=True, eq=False)
class DriftFit:
    """A law, and standard errors of its numbers."""

    drift: Drift
    errors: dict[str, tuple[float, ...]]
    levels_uS: Reals
    nu: Reals
    """Mean and deviation of nu at each level, and their standard errors, of shape (levels, 4)."""


def _grown(time_s: Reals, t_c_s: float) -> Reals:
    return np.log((time_s + t_c_s) / t_c_s)


def _weight(time_s: Reals, t_c_s: float) -> Reals:
    return 1.0 / np.log((time_s + t_c_s + _READ_S) / (2.0 * _READ_S))


def lines_of_cells(cell: NDArray[np.int64], time_s: Reals, log_g: Reals, t_c_s: float, w: Reals) -> Lines:
    """Weighted least squares of every cell; ``w`` are the weights of the readings."""
    cells = int(cell.max()) + 1
    x = -_grown(time_s, t_c_s)

    def total(values: Reals) -> Reals:
        return np.bincount(cell, values, minlength=cells).astype(np.float64)

    weight = total(w)
    mean_x, mean_y = total(w * x) / weight, total(w * log_g) / weight
    dx, dy = x - mean_x[cell], log_g - mean_y[cell]
    power = total(w * dx * dx)
    nu = total(w * dx * dy) / power
    left = dy - nu[cell] * dx
    return Lines(
        log_g=mean_y - nu * mean_x, nu=nu, log_variance=1.0 / weight + mean_x**2 / power, nu_variance=1.0 / power,
        square=total(w * left * left), freedom=total(np.ones(len(cell))) - 2.0,
    )


@dataclass(frozen=True, eq=False)
class _Readings:
    """Readings of the cells that have enough of them, renumbered."""

    cell: NDArray[np.int64]
    time_s: Reals
    g_uS: Reals
    target_uS: Reals
    """Of each cell."""
    level: NDArray[np.int64]
    levels_uS: Reals


def _readings(data: Measurements) -> _Readings:
    good = data.g_uS > 0.0
    pairs = np.unique(np.stack([data.cell[good], data.time_index[good]]), axis=1)
    enough = np.bincount(pairs[0], minlength=data.cells) >= _LEAST_READINGS
    good &= enough[data.cell]
    kept, cell = np.unique(data.cell[good], return_inverse=True)
    if len(kept) < _LEAST_CELLS:
        raise InputError(
            f"{data.path}: a law of drift needs {_LEAST_CELLS} cells with readings at {_LEAST_READINGS} times, "
            f"{len(kept)} have them"
        )
    target = np.zeros(len(kept))
    target[cell] = data.target_uS[good]
    levels = choose_levels(target)
    level = nearest_level(levels, target)
    few = np.bincount(level, minlength=len(levels)) < _LEAST_CELLS
    if few.any() and not few.all():
        levels = levels[~few]
        level = nearest_level(levels, target)
    return _Readings(cell, data.times_s[data.time_index[good]], data.g_uS[good], target, level, levels)


def _by_level(values: Reals, level: NDArray[np.int64], levels: int) -> Reals:
    return np.bincount(level, values, minlength=levels).astype(np.float64)


def _find_t_c(data: _Readings, log_g: Reals, w: Reals, clear: NDArray[np.bool_]) -> tuple[float, float]:
    """t_c in seconds by the levels that are ``clear``, and the standard error of its logarithm.

    The weights ``w`` are the same for all: they depend on t_c, too, but little.
    """
    levels = len(data.levels_uS)

    def badness(log_t_c: float) -> float:
        lines = lines_of_cells(data.cell, data.time_s, log_g, math.exp(log_t_c), w)
        freedom = _by_level(lines.freedom, data.level, levels)
        square = _by_level(lines.square, data.level, levels)
        size = np.log(np.maximum(square, 1e-300) / np.maximum(freedom, 1.0))
        return float(np.where(clear & (freedom > 0), freedom * size, 0.0).sum())

    positive = data.time_s[data.time_s > 0.0]
    low, high = math.log(positive.min() / 100.0), math.log(positive.max())
    grid = np.linspace(low, high, 25)
    at = int(np.argmin([badness(v) for v in grid]))
    best = minimize_scalar(
        badness, bounds=(grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]), method="bounded",
        options={"xatol": 1e-3},
    )
    step = 0.1
    bend = (badness(best.x + step) + badness(best.x - step) - 2.0 * badness(best.x)) / step**2
    return math.exp(best.x), math.sqrt(2.0 / bend) if bend > 0.0 else math.inf


_Choice = tuple[float, int, tuple[float, ...], tuple[float, ...]]
"""Sum of squares, free numbers, curve, errors of slope and offset."""


def _curve(logs: Reals, values: Reals, errors: Reals) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The curve through values at ``ln r``, the simplest that agrees with them, and errors of slope and offset."""
    weight = 1.0 / np.maximum(errors, 1e-9)
    flat = float((values * weight**2).sum() / (weight**2).sum())
    flat_error = float((weight**2).sum() ** -0.5)
    cost = float((((values - flat) * weight) ** 2).sum())
    choices: list[_Choice] = [(cost, 1, (0.0, flat, flat, flat), (0.0, flat_error))]
    if len(values) >= 3:
        line, covariance = np.polyfit(logs, values, 1, w=weight, cov="unscaled")
        ends = np.sort(np.polyval(line, logs[[0, -1]]))
        cost = float((((values - np.polyval(line, logs)) * weight) ** 2).sum())
        slope_error, offset_error = np.sqrt(np.diag(covariance))
        choices.append((cost, 2, (*map(float, line), *map(float, ends)), (float(slope_error), float(offset_error))))
    if len(values) >= 6:
        choices.append(_bent(logs, values, weight))
    cost, _, curve, error = min(choices, key=lambda c: c[0] + c[1] * math.log(len(values)) + 2.0 * c[1])
    return curve, error


def _bent(logs: Reals, values: Reals, weight: Reals) -> _Choice:
    """A line between two limits."""

    def left(p: Reals) -> Reals:
        return (np.clip(p[0] * logs + p[1], min(p[2], p[3]), max(p[2], p[3])) - values) * weight

    found = None
    for first in range(0, len(values) - 2):
        for last in range(first + 3, len(values) + 1):
            line = np.polyfit(logs[first:last], values[first:last], 1)
            start = np.array([*line, values.min(), values.max()])
            cost = float((left(start) ** 2).sum())
            if found is None or cost < found[0]:
                found = cost, start
    assert found is not None
    best = least_squares(left, found[1], x_scale=np.maximum(np.abs(found[1]), 1e-3))
    inverse = np.linalg.pinv(best.jac.T @ best.jac)
    slope, offset, low, high = (float(v) for v in best.x)
    errors = tuple(float(v) for v in np.sqrt(np.maximum(np.diag(inverse)[:2], 0.0)))
    return float((best.fun**2).sum()), 4, (slope, offset, min(low, high), max(low, high)), errors


def _power(logs: Reals, values: Reals, errors: Reals) -> tuple[float, float, tuple[float, float]]:
    """Factor and exponent of ``values = factor r**-exponent``, and the errors of both."""
    weight = values / np.maximum(errors, 1e-12)
    if len(values) < 3:
        factor = float(np.exp((np.log(values) * weight**2).sum() / (weight**2).sum()))
        return factor, 0.0, (factor * float((weight**2).sum() ** -0.5), 0.0)
    (slope, offset), covariance = np.polyfit(logs, np.log(values), 1, w=weight, cov="unscaled")
    error = np.sqrt(np.diag(covariance))
    return math.exp(offset), max(-float(slope), 0.0), (math.exp(offset) * float(error[1]), float(error[0]))


def _rounded(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(f"{v:.{_DIGITS}g}") for v in values)


def fit_drift(data: Measurements, g_ref_uS: float) -> DriftFit:
    """The law of drift of measured cells of one temperature.

    Parameters
    ----------
    g_ref_uS
        Conductance at which r is 1.

    Raises
    ------
    InputError
        If fewer than ten cells were read at three times.
    """
    used = _readings(data)
    t_c = float(np.median(used.time_s[used.time_s > 0.0]))
    levels, level = len(used.levels_uS), used.level
    count = np.bincount(level, minlength=levels)
    of_cell, clear = np.zeros(len(level)), np.ones(levels, dtype=bool)
    done = 0
    while True:
        # The logarithm of a noisy reading is too low by half of the variance, while that is small.
        w = _weight(used.time_s, t_c)
        variance = of_cell[used.cell] ** 2 / w
        log_g = np.log(used.g_uS) + 0.5 * variance + 0.75 * np.minimum(variance, 0.1) ** 2
        t_c, t_c_error = _find_t_c(used, log_g, w, clear)
        lines = lines_of_cells(used.cell, used.time_s, log_g, t_c, w)
        freedom = np.maximum(_by_level(lines.freedom, level, levels), 1.0)
        q = np.sqrt(_by_level(lines.square, level, levels) / freedom)
        clear = q**2 / w.min() < _CLEAR**2
        clear = clear if clear.any() else q <= q.min()
        at = _by_level(lines.log_g, level, levels) / count - math.log(g_ref_uS)
        sizes = np.maximum(q, 1e-6)[clear]
        factor, exponent, noise_errors = _power(at[clear], sizes, sizes / np.sqrt(2.0 * freedom[clear]))
        of_cell = np.minimum(factor * np.exp(-exponent * (lines.log_g - math.log(g_ref_uS))), max(_LIMIT, q.max()))
        done += 1
        if done == _PASSES:
            break
    mean = _by_level(lines.nu, level, levels) / count
    scatter = _by_level((lines.nu - mean[level]) ** 2, level, levels) / np.maximum(count - 1, 1)
    blur = q**2 * _by_level(lines.nu_variance, level, levels) / count
    std = np.sqrt(np.maximum(scatter - blur, 0.0))
    mean_error = np.sqrt(scatter / count)
    std_error = scatter / np.sqrt(2.0 * count) / np.maximum(std, 0.3 * np.sqrt(scatter))
    logs = np.log(np.maximum(used.levels_uS / g_ref_uS, 1e-7))
    seen = q**2 / w.min() < _SEEN**2
    seen = seen if seen.any() else clear
    nu_mean, mean_errors = _curve(logs[seen], mean[seen], mean_error[seen])
    nu_std, std_errors = _curve(logs[seen], std[seen], std_error[seen])
    sigma = _programming(data, used, lines, q, g_ref_uS)
    drift = Drift(
        g_ref_uS=g_ref_uS, t_c_s=float(f"{t_c:.4g}"), sigma_uS=sigma, nu_mean=_held(nu_mean), nu_std=_held(nu_std, 0.0),
        noise=_rounded((min(factor, 10.0), min(exponent, 10.0), max(_LIMIT, float(q.max())))), t_read_s=_READ_S,
        temp_C=float(data.temp_C[0]), times_s=tuple(float(t) for t in np.unique(used.time_s) if t > 0.0),
    )
    return DriftFit(
        drift=drift, levels_uS=used.levels_uS, nu=np.stack([mean, std, mean_error, std_error], axis=1),
        errors={
            "t_c_s": (t_c * t_c_error,), "nu_mean": mean_errors, "nu_std": std_errors, "noise": noise_errors,
        },
    )


def _held(curve: tuple[float, ...], least: float = -10.0) -> tuple[float, ...]:
    """A curve rounded for a file, its limits not below ``least``."""
    slope, offset, low, high = _rounded(curve)
    return slope, offset, max(low, least), max(high, least)


def _programming(data: Measurements, used: _Readings, lines: Lines, q: Reals, g_ref_uS: float) -> tuple[float, ...]:
    """Standard deviation of the error of programming, a polynomial of r: of what the lines say cells had at first."""
    if not data.has_target:
        return (0.0,)
    levels, g = len(used.levels_uS), np.exp(lines.log_g)
    error = g - used.target_uS
    count = np.bincount(used.level, minlength=levels)
    mean = _by_level(error, used.level, levels) / count
    scatter = _by_level((error - mean[used.level]) ** 2, used.level, levels) / np.maximum(count - 1, 1)
    blur = _by_level((g * q[used.level]) ** 2 * lines.log_variance, used.level, levels) / count
    std = np.sqrt(np.maximum(scatter - blur, 0.0))
    doubt = np.sqrt(scatter / (2.0 * count)) + 1e-9
    degree = min(2, levels - 1)
    found = np.polyfit(used.levels_uS / g_ref_uS, std, degree, w=1.0 / doubt)
    return _rounded([float(v) for v in found[::-1]])

"""The law of cells that drift, from readings of each cell at several times.

Each cell is a line in logarithms, ``ln g = ln g_p - nu ln((t + t_c) / t_c)``, with noise whose variance is ``Q**2``
times the logarithm of time that 1/f noise goes by (:mod:`mho.macro_models.devices.laws.drift`). t_c is where the lines
fit best; what the slopes of the cells of a level scatter by, less the error of a slope, is the spread of nu.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares, minimize_scalar

from mho.macro_models.devices.sections.drift import Drift
from mho.macro_models.fit.drift.lines import READ_S, Lines, Readings, by_level, lines_of_cells, readings_of, weight
from mho.macro_models.fit.law.statistics import rounded
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Flags, Reals

_Choice = tuple[float, int, tuple[float, ...], tuple[float, ...]]
"""Sum of squares, free numbers, curve, errors of slope and offset."""


def curve(logs: Reals, values: Reals, errors: Reals) -> tuple[tuple[float, ...], tuple[float, ...]]:
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
        choices += [_bent(logs, values, weight), _parabola(logs, values, weight)]
    _, _, simplest, error = min(choices, key=lambda c: c[0] + c[1] * math.log(len(values)) + 2.0 * c[1])
    return simplest, error


def _parabola(logs: Reals, values: Reals, weight: Reals) -> _Choice:
    """With the square of the logarithm, held beyond what it has between the levels."""
    coefficients, covariance = np.polyfit(logs, values, 2, w=weight, cov="unscaled")
    course = np.polyval(coefficients, np.linspace(logs[0], logs[-1], 201))
    bend, slope, offset = (float(v) for v in coefficients)
    _, *errors = (float(v) for v in np.sqrt(np.diag(covariance)))
    cost = float((((values - np.polyval(coefficients, logs)) * weight) ** 2).sum())
    return cost, 3, (slope, offset, float(course.min()), float(course.max()), bend), tuple(errors)


def _bent(logs: Reals, values: Reals, weight: Reals) -> _Choice:
    """A line between two limits."""

    def left(p: Reals) -> Reals:
        return (np.clip(p[0] * logs + p[1], min(p[2], p[3]), max(p[2], p[3])) - values) * weight

    best_line = None
    for first in range(0, len(values) - 2):
        for last in range(first + 3, len(values) + 1):
            line = np.polyfit(logs[first:last], values[first:last], 1)
            start = np.array([*line, values.min(), values.max()])
            cost = float((left(start) ** 2).sum())
            if best_line is None or cost < best_line[0]:
                best_line = cost, start
    assert best_line is not None
    best = least_squares(left, best_line[1], x_scale=np.maximum(np.abs(best_line[1]), 1e-3))
    inverse = np.linalg.pinv(best.jac.T @ best.jac)
    slope, offset, low, high = (float(v) for v in best.x)
    errors = tuple(float(v) for v in np.sqrt(np.maximum(np.diag(inverse)[:2], 0.0)))
    return float((best.fun**2).sum()), 4, (slope, offset, min(low, high), max(low, high)), errors


def power(logs: Reals, values: Reals, errors: Reals) -> tuple[float, float, tuple[float, float]]:
    """Factor and exponent of ``values = factor r**-exponent``, and the errors of both."""
    weight = values / np.maximum(errors, 1e-12)
    if len(values) < 3:
        factor = float(np.exp((np.log(values) * weight**2).sum() / (weight**2).sum()))
        return factor, 0.0, (factor * float((weight**2).sum() ** -0.5), 0.0)
    (slope, offset), covariance = np.polyfit(logs, np.log(values), 1, w=weight, cov="unscaled")
    error = np.sqrt(np.diag(covariance))
    return math.exp(offset), max(-float(slope), 0.0), (math.exp(offset) * float(error[1]), float(error[0]))


_LIMIT = 0.2
_PASSES = 3
_CLEAR, _SEEN = 0.2, 0.6
"""Relative noise up to which a level says when drift begins and how noise goes with r, and what nu is: beyond,
logarithms of readings are of no use."""
_DIGITS = 5


@dataclass(frozen=True, eq=False)
class LevelValues:
    """What the cells of each level say, once it is known when drift begins. Arrays of shape (levels,)."""

    log_r: Reals
    """Mean logarithm of what programming left over ``g_ref``."""
    mean: Reals
    """Of nu."""
    std: Reals
    """Of nu, less the error of a slope."""
    mean_error: Reals
    """Standard errors."""
    std_error: Reals
    noise: Reals
    """Q, at least 1e-6."""
    noise_error: Reals
    left_uS: Reals
    """Deviation of the error of programming; 0 without targets."""
    left_error_uS: Reals


@dataclass(frozen=True, eq=False)
class DriftFit:
    """A law, and what it was made from."""

    drift: Drift
    errors: dict[str, tuple[float, ...]]
    """Standard errors of its numbers, from the scatter of cells around the law."""
    readings: Readings
    log_g: Reals
    """Logarithms of the readings, freed of the bias that noise gives them."""
    values: LevelValues
    clear: Flags
    """Levels that say when drift begins and how large the noise is."""
    visible: Flags
    """Levels that say what nu is."""
    has_target: bool

    @property
    def levels_uS(self) -> Reals:
        """Targets of the levels."""
        return self.readings.levels_uS

    @property
    def nu(self) -> Reals:
        """Mean and deviation of nu at each level, and their standard errors, of shape (levels, 4)."""
        v = self.values
        return np.stack([v.mean, v.std, v.mean_error, v.std_error], axis=1)


def _badness(data: Readings, log_g: Reals, w: Reals, clear: Flags, log_t_c: float) -> float:
    """How badly lines from ``t_c`` on follow the cells of the levels that are ``clear``."""
    levels = len(data.levels_uS)
    lines = lines_of_cells(data.cell, data.time_s, log_g, math.exp(log_t_c), w)
    freedom = by_level(lines.freedom, data.level, levels)
    square = by_level(lines.square, data.level, levels)
    size = np.log(np.maximum(square, 1e-300) / np.maximum(freedom, 1.0))
    return float(np.where(clear & (freedom > 0), freedom * size, 0.0).sum())


def _find_t_c(data: Readings, log_g: Reals, w: Reals, clear: Flags) -> tuple[float, float]:
    """t_c in seconds, and the standard error of its logarithm.

    The weights ``w`` are the same for all: they depend on t_c, too, but little.
    """

    def badness(log_t_c: float) -> float:
        return _badness(data, log_g, w, clear, log_t_c)

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


def refined_t_c(data: Readings, log_g: Reals, clear: Flags, near_s: float, within: float) -> float:
    """t_c in seconds of other cells of the same kind, by parabolas ``within`` so much of its logarithm."""
    w, at = weight(data.time_s, near_s), math.log(near_s)
    for _ in range(2):
        low, middle, high = (_badness(data, log_g, w, clear, at + step) for step in (-within, 0.0, within))
        bend = low + high - 2.0 * middle
        at += float(np.clip(0.5 * (low - high) / bend, -2.0, 2.0)) * within if bend > 0.0 else 0.0
    return math.exp(at)


def level_values(data: Readings, lines: Lines, g_ref_uS: float, has_target: bool) -> LevelValues:
    """What the cells of each level say, from their lines."""
    levels, level = len(data.levels_uS), data.level
    count = np.maximum(by_level(np.ones(len(level)), level, levels), 1.0)
    freedom = np.maximum(by_level(lines.freedom, level, levels), 1.0)
    q = np.sqrt(by_level(lines.square, level, levels) / freedom)

    def scattered(values: Reals, blur: Reals) -> tuple[Reals, Reals, Reals]:
        """Mean, variance as found, and deviation less the errors of the values."""
        mean = by_level(values, level, levels) / count
        scatter = by_level((values - mean[level]) ** 2, level, levels) / np.maximum(count - 1, 1)
        return mean, scatter, np.sqrt(np.maximum(scatter - by_level(blur, level, levels) / count, 0.0))

    mean, scatter, std = scattered(lines.nu, q[level] ** 2 * lines.nu_variance)
    left, left_error = np.zeros(levels), np.zeros(levels)
    if has_target:
        g = np.exp(lines.log_g)
        _, of_g, left = scattered(g - data.target_uS, (g * q[level]) ** 2 * lines.log_variance)
        left_error = np.sqrt(of_g / (2.0 * count)) + 1e-9
    noise = np.maximum(q, 1e-6)
    return LevelValues(
        log_r=by_level(lines.log_g, level, levels) / count - math.log(g_ref_uS), mean=mean, std=std,
        mean_error=np.sqrt(scatter / count),
        std_error=scatter / np.sqrt(2.0 * count) / np.maximum(np.maximum(std, 0.3 * np.sqrt(scatter)), 1e-12),
        noise=noise, noise_error=noise / np.sqrt(2.0 * freedom), left_uS=left, left_error_uS=left_error,
    )


def fit_drift(data: Measurements, g_ref_uS: float, floor_uS: float = 0.0, above_uS: float = 0.0) -> DriftFit:
    """The law of drift of measured cells of one temperature.

    Raises InputError if fewer than ten cells were read at three times.

    Parameters
    ----------
    g_ref_uS
        Conductance at which r is 1.
    floor_uS, above_uS
        Least conductance of a cell, and up to where a reading may be of it: it then ends the line of the cell.
    """
    used = readings_of(data, above_uS)
    t_c = float(np.median(used.time_s[used.time_s > 0.0]))
    of_cell, clear = np.zeros(len(used.level)), np.ones(len(used.levels_uS), dtype=bool)
    done = 0
    while True:
        # The logarithm of a noisy reading is too low by half of the variance, while that is small.
        w = weight(used.time_s, t_c)
        variance = of_cell[used.cell] ** 2 / w
        log_g = np.log(used.g_uS) + 0.5 * variance + 0.75 * np.minimum(variance, 0.1) ** 2
        t_c, t_c_error = _find_t_c(used, log_g, w, clear)
        lines = lines_of_cells(used.cell, used.time_s, log_g, t_c, w)
        values = level_values(used, lines, g_ref_uS, data.has_target)
        q = values.noise
        clear = q**2 / w.min() < _CLEAR**2
        clear = clear if clear.any() else q <= q.min()
        factor, exponent, noise_errors = power(values.log_r[clear], q[clear], values.noise_error[clear])
        of_cell = np.minimum(factor * np.exp(-exponent * (lines.log_g - math.log(g_ref_uS))), max(_LIMIT, q.max()))
        done += 1
        if done == _PASSES:
            break
    logs = np.log(np.maximum(used.levels_uS / g_ref_uS, 1e-7))
    visible = (q**2 / w.min() < _SEEN**2) & ~used.thinned
    visible = visible if visible.any() else clear
    nu_mean, mean_errors = curve(logs[visible], values.mean[visible], values.mean_error[visible])
    nu_std, std_errors = curve(logs[visible], values.std[visible], values.std_error[visible])
    drift = Drift(
        g_ref_uS=g_ref_uS, t_c_s=float(f"{t_c:.4g}"), sigma_uS=_programming(used, values, g_ref_uS, data.has_target),
        nu_mean=_held(nu_mean), nu_std=_held(nu_std, 0.0),
        noise=rounded((min(factor, 10.0), min(exponent, 10.0), max(_LIMIT, float(q.max()))), _DIGITS), t_read_s=READ_S,
        floor_uS=floor_uS, temp_C=float(data.temp_C[0]),
        times_s=tuple(float(t) for t in np.unique(data.times_s[data.time_index]) if t > 0.0),
    )
    errors = {"t_c_s": (t_c * t_c_error,), "nu_mean": mean_errors, "nu_std": std_errors, "noise": noise_errors}
    return DriftFit(
        drift=drift, errors=errors, readings=used, log_g=log_g, values=values, clear=clear, visible=visible,
        has_target=data.has_target,
    )


def _held(fitted: tuple[float, ...], lower_bound: float = -10.0) -> tuple[float, ...]:
    """A curve rounded for a file, its limits not below ``least``."""
    slope, offset, low, high, *bend = rounded(fitted, _DIGITS)
    return slope, offset, max(low, lower_bound), max(high, lower_bound), *bend


def _programming(used: Readings, values: LevelValues, g_ref_uS: float, has_target: bool) -> tuple[float, ...]:
    """Standard deviation of the error of programming, a polynomial of r: of what the lines say cells had at first."""
    if not has_target:
        return (0.0,)
    complete = ~used.thinned if not used.thinned.all() else np.ones(len(used.thinned), dtype=bool)
    r, degree = used.levels_uS[complete] / g_ref_uS, min(2, int(complete.sum()) - 1)
    polynomial = np.polyfit(r, values.left_uS[complete], degree, w=1.0 / values.left_error_uS[complete])
    return rounded(polynomial[::-1], _DIGITS)

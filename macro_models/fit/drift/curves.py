"""Curves over the logarithm of the conductance, the simplest that agree with the values of the levels."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

__all__ = ["curve", "power"]

Reals = NDArray[np.float64]

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

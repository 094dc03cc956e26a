"""Compact models under a voltage: an exponential integrator that takes any drive.

Rates of these models change by tens of decades within a pulse. Each cell has a step of its own, bounded by the error of
an embedded pair (exprb32 of M. Hochbruck, A. Ostermann, "Exponential integrators", Acta Numerica 19 (2010) 209): a
state that falls to a fixed point is solved exactly however large the step is, one that runs away is followed in steps
in which it grows less than e-fold, and both estimates are held within 0..1 before they are compared.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.compact.models import CompactModel
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.types import Reals

_MOST_STEPS = 20_000_000
_FASTEST = 1e250  # rates beyond it are as good as this one, and can still be multiplied
_NUDGE = 1e-7  # of the state, for the slope of a rate
_SERIES = [1.0 / math.factorial(k + 3) for k in range(10, -1, -1)]


@dataclass(frozen=True, kw_only=True)
class Waveform:
    """A voltage over time."""

    at: Callable[[Reals], Reals]
    """Volts at times in seconds, of the same shape; within a segment, smooth."""
    breaks_s: tuple[float, ...] = ()
    """Times at which it is not smooth."""
    longest_s: float = math.inf
    """Longest step that sees it as it is: a part of a period."""


def sine(amplitude_V: float, frequency_Hz: float) -> Waveform:
    """A sine from 0 V upwards."""
    return Waveform(
        at=lambda t: amplitude_V * np.sin(2.0 * np.pi * frequency_Hz * t), longest_s=1.0 / (16.0 * frequency_Hz)
    )


def pulses(volts: ArrayLike, width_s: float) -> Waveform:
    """Rectangular pulses of one width, one after the other, 0 V after the last."""
    levels = np.append(np.asarray(volts, dtype=np.float64), 0.0)
    edges = width_s * np.arange(1, len(levels))

    def at(t: Reals) -> Reals:
        return levels[np.searchsorted(edges, t, side="right")]

    return Waveform(at=at, breaks_s=tuple(edges.tolist()))


def drive(
    model: CompactModel, start: ArrayLike, waveform: Waveform, times_s: ArrayLike, *, tolerance: float = 1e-6
) -> Reals:
    """States of cells at ``times_s``, seconds from the start of the waveform, increasing, at least 0.

    Raises InputError if a state or a time is out of range.

    Parameters
    ----------
    model
        The model of all cells.
    start
        States at 0 s, of shape (cells,), 0..1.
    waveform
        What is across each of them.
    times_s
        Of shape (times,).
    tolerance
        Error of one step, of the range of the state.

    Returns
    -------
    NDArray
        Of shape (times, cells), 0..1.
    """
    x, times = np.atleast_1d(np.asarray(start, dtype=np.float64)).copy(), np.atleast_1d(np.asarray(times_s, np.float64))
    if x.ndim != 1 or not ((x >= 0.0) & (x <= 1.0)).all():
        raise InputError("start must be states between 0 and 1")
    if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times, prepend=0.0) < 0.0).any():
        raise InputError("times_s must be finite, at least 0, and must not decrease")
    states, now = np.empty((len(times), len(x))), 0.0
    stops = np.unique(np.concatenate([times, [b for b in waveform.breaks_s if 0.0 < b < times[-1]]]))
    found, step = {0.0: x.copy()}, np.full(len(x), np.inf)
    breaks = set(waveform.breaks_s)
    with np.errstate(all="ignore"):
        for stop in stops.tolist():
            if stop > now:
                x, step = _advance(model, x, step, waveform, now, stop, tolerance)
            if stop in breaks:
                step = np.full(len(x), np.inf)
            found[stop], now = x, stop
    for k, time in enumerate(times.tolist()):
        states[k] = found[time]
    return states


def _advance(
    model: CompactModel, x: Reals, step: Reals, waveform: Waveform, begin: float, end: float, tolerance: float
) -> tuple[Reals, Reals]:
    """States at the end of a smooth segment, and the steps that cells would take next."""
    x, span = x.copy(), end - begin
    left, step = np.full(len(x), span), step.copy()
    busy = np.arange(len(x))
    for _ in range(_MOST_STEPS):
        if not len(busy):
            return x, step
        h = np.minimum(np.minimum(step[busy], waveform.longest_s), left[busy])
        moved, error, grows = _step(model, x[busy], waveform.at, end - left[busy], h, span)
        # A state that runs away may grow e-fold in one step.
        factor = np.clip(0.9 * np.cbrt(tolerance / np.maximum(error, 1e-300)), 0.2, 5.0)
        good = (error <= tolerance) & (grows <= 1.0)
        # The last step of a segment is short because the segment is: it does not say how long the next may be.
        step[busy] = np.where(good & (h < step[busy]), np.maximum(step[busy], h * factor), h * factor)
        step[busy] = np.where(grows > 1.0, np.minimum(step[busy], 0.5 * h), step[busy])
        done = busy[good]
        x[done], left[done] = moved[good], left[done] - h[good]
        busy = busy[(left[busy] > 1e-15 * span)]
    raise ToolError(f"A compact model took more than {_MOST_STEPS} steps from {begin:g} s to {end:g} s")


def _step(
    model: CompactModel, x: Reals, at: Callable[[Reals], Reals], t: Reals, h: Reals, span: float
) -> tuple[Reals, Reals, Reals]:
    """States after steps h, their errors, and by how many e-folds they run away."""
    inside = np.nextafter(t + h, t)  # still in the segment
    f = _rate(model, x, at(t))
    inwards = np.where(x > 0.5, -_NUDGE, _NUDGE)
    slope = (_rate(model, x + inwards, at(t)) - f) / inwards
    shift = np.minimum(h, 1e-4 * span) * 1e-2
    drift = np.where(shift > 0.0, (_rate(model, x, at(t + shift)) - f) / np.maximum(shift, 1e-300), 0.0)
    z = np.clip(h * slope, -1e30, 2.0)
    phi1, phi2, phi3 = _phi(z)
    second = np.clip(x + h * (phi1 * f + h * phi2 * drift), 0.0, 1.0)
    later = _rate(model, second, at(inside))
    third = np.clip(second + 2.0 * h * phi3 * (later - f - slope * (second - x) - h * drift), 0.0, 1.0)
    bad = ~np.isfinite(third)
    end, error = np.where(bad, x, third), np.where(bad, 1.0, np.abs(third - second))
    # At an end of its range, and pushed against it: it stays, however fast.
    pinned = ((x == 1.0) & (f >= 0.0) & (later >= 0.0)) | ((x == 0.0) & (f <= 0.0) & (later <= 0.0))
    pinned &= second == x
    return np.where(pinned, x, end), np.where(pinned, 0.0, error), np.where(pinned, 0.0, h * slope)


def _rate(model: CompactModel, x: Reals, v: Reals) -> Reals:
    return np.clip(np.nan_to_num(model.rate(x, v), posinf=_FASTEST, neginf=-_FASTEST), -_FASTEST, _FASTEST)


def _phi(z: Reals) -> tuple[Reals, Reals, Reals]:
    """(exp(z) - 1) / z and the next two of its kind: 1, 1/2 and 1/6 at 0."""
    small = np.abs(z) < 0.3
    w = np.where(small, 1.0, z)
    phi1 = np.expm1(w) / w
    phi2 = (phi1 - 1.0) / w
    phi3 = np.where(small, np.polyval(_SERIES, np.where(small, z, 0.0)), (phi2 - 0.5) / w)
    phi2 = np.where(small, 0.5 + z * phi3, phi2)
    return np.where(small, 1.0 + z * phi2, phi1), phi2, phi3

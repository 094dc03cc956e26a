"""Drift of cells, as data: the section ``[drift]`` of a device (:mod:`mho.macro_models.devices.laws.drift`)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.devices.grid import evaluate, exp_of, ln
from mho.macro_models.types import Reals

LEAST_R = 1e-7  # where logarithms stop: aihwkit's clip of a conductance at 0
CURVE = ("slope", "offset", "least", "most")


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The section ``[drift]``. A curve ``[slope, offset, least, most]`` is ``slope ln r + offset`` within its limits.

    A fifth number, ``bend``, adds ``bend (ln r)**2``. A list ``[from, c0, c1, ...]`` beside a curve is the polynomial
    of r that takes its place where r is at least ``from``.
    """

    g_ref_uS: float = 25.0
    """Conductance at which r = 1, in uS."""
    t_c_s: float = 20.0
    """Time from the last pulse to the end of programming, from which the other times count, in seconds."""
    sigma_uS: tuple[float, ...] = (0.0,)
    """Standard deviation of the error of programming in uS, coefficients of the powers of r, lowest first; r is held
    within 0..1."""
    nu_mean: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """Curve of the mean of nu."""
    nu_std: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """Curve of the deviation of nu between cells."""
    nu_mean_above: tuple[float, ...] = ()
    """Polynomial of the mean of nu for large r."""
    nu_std_above: tuple[float, ...] = ()
    """Polynomial of the deviation of nu for large r."""
    die: tuple[float, ...] = ()
    """Shares of the variances of the error of programming and of nu that all cells of a chip have in common, 0..1:
    drawn once for a seed. Empty: none."""
    cell: tuple[float, ...] = ()
    """Shares of both variances, without the chip's, that a cell has again when it is programmed again
    (:attr:`Programming.cycle`), 0..1. Empty: it keeps both for its life."""
    nu_read: float = 0.0
    """Deviation of nu from one read of a cell to the next: nu of a read, kept for its duration."""
    noise: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Factor, exponent and limit of ``Q = min(factor / r**exponent, limit)``, r of what programming left."""
    noise_curve: tuple[float, ...] = ()
    """Curve of Q in place of ``noise``."""
    noise_above: tuple[float, ...] = ()
    """Polynomial of Q for large r."""
    t_read_s: float = 250e-9
    """Duration of a read, in seconds."""
    floor_uS: float = 0.0
    """Least conductance of a cell, in uS."""
    set_uS: float = 0.0
    """Conductance of a cell that no pulse melts, in uS; 0: nothing is known of pulses."""
    melt_from: float = 0.0
    """Amplitude of a pulse from which on it melts a cell, over the largest amplitude."""
    melt_to: float = 0.0
    """Amplitude at which the cell is molten and RESET."""
    melt_spread: float = 0.0
    """Relative deviation of these three between cells."""
    pulse_sigma_uS: float = 0.0
    """Deviation of what a pulse leaves from what it should, in uS."""
    temp_C: float = 25.0
    """Temperature of the data, in degrees Celsius."""
    times_s: tuple[float, ...] = ()
    """Times of the data, in seconds since programming, increasing."""
    source: str = ""

    def nu(self, target_uS: ArrayLike) -> tuple[Reals, Reals]:
        """Mean and deviation of nu of cells with these targets, before the magnitude is taken."""
        r = np.clip(np.asarray(target_uS, dtype=np.float64) / self.g_ref_uS, LEAST_R, 1.0)
        logs = ln(r)
        return (
            _above(self.nu_mean_above, r, _curve(self.nu_mean, logs)),
            _above(self.nu_std_above, r, _curve(self.nu_std, logs)),
        )

    def grown(self, time_s: float) -> float:
        """``ln((t + t_c) / t_c)``, rounded to 2**-20."""
        return float(ln((time_s + self.t_c_s) / self.t_c_s))

    def unit_noise(self, time_s: float) -> float:
        """What 1/f noise has grown by at a time: its relative deviation where Q = 1."""
        return math.sqrt(float(ln(max((time_s + self.t_c_s + self.t_read_s) / (2.0 * self.t_read_s), 1.0))))

    def relative_noise(self, origin_uS: ArrayLike, time_s: float) -> Reals:
        """Deviation of a read over the conductance, of cells that programming left with ``origin_uS``."""
        r = np.maximum(np.asarray(origin_uS, dtype=np.float64) / self.g_ref_uS, LEAST_R)
        if self.noise_curve:
            q = _curve(self.noise_curve, ln(r))
        else:
            factor, exponent, limit = self.noise
            q = np.minimum(factor * exp_of(-exponent * ln(r)), limit)
        flicker = _above(self.noise_above, r, q) * self.unit_noise(time_s)
        if self.nu_read == 0.0:
            return flicker
        return np.sqrt(flicker**2 + (self.nu_read * self.grown(time_s)) ** 2)


def _curve(curve: tuple[float, ...], logs: Reals) -> Reals:
    value = curve[0] * logs + curve[1]
    if len(curve) > len(CURVE):
        value = value + curve[4] * (logs * logs)
    return np.clip(value, curve[2], curve[3])


def _above(polynomial: tuple[float, ...], r: Reals, below: Reals) -> Reals:
    """``below``, but for large r the polynomial, at least 0; see :class:`Drift`."""
    if not polynomial:
        return below
    return np.where(r >= polynomial[0], evaluate(polynomial[1:], r), below)

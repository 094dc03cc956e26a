"""Drift of phase-change cells: ``g = g_p ((t + t_c) / t_c)**-nu``, with a nu of its own for each cell.

Programming leaves ``g_p = max(0, target + sigma(r) N)``, r the target over ``g_ref``. nu is the magnitude of a normal
variable whose mean and deviation depend on r; a cell of a chip keeps its nu for its life, however often it is
programmed, unless the section says what part of the variance it has again. 1/f noise of the reads has grown with the
logarithm of time (Nandakumar et al., ICECS 2019, in the form of aihwkit's ``PCMLikeNoiseModel``):
``sigma = g Q(g_p / g_ref) sqrt(ln((t + t_c + t_read) / (2 t_read)))``.

Logarithms are rounded to 2**-20 and exponentials are + - * of rounded tables in a fixed order, so that a draw is the
same on every machine.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from macro_models.devices.device import Device
from macro_models.devices.draws import Drawn, Draws, anew_step
from macro_models.devices.grid import exp_negative, exp_of, ln
from macro_models.devices.laws import LawKind
from macro_models.devices.memory import shared, with_chip
from macro_models.errors import InputError
from macro_models.exact.random import NORMAL_ONE, Purpose
from macro_models.files.schema import ListOf, Number, shown

__all__ = ["LAW", "MOVABLE", "Drift", "DriftDevice"]

Reals = NDArray[np.float64]

_LEAST_R = 1e-7  # where logarithms stop: aihwkit's clip of a conductance at 0
_NODES = 241  # of the quadrature over nu


_CURVE = ("slope", "offset", "least", "most")
MOVABLE = (
    "ln t_c", *(f"{curve} {part}" for curve in ("nu_mean", "nu_std") for part in _CURVE), "ln noise", "noise exponent",
    "ln sigma",
)
"""Numbers that other cells would have moved: all of curves, ``ln`` of what has a sign."""


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
        r = np.clip(np.asarray(target_uS, dtype=np.float64) / self.g_ref_uS, _LEAST_R, 1.0)
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
        return math.sqrt(float(ln((time_s + self.t_c_s + self.t_read_s) / (2.0 * self.t_read_s))))

    def relative_noise(self, origin_uS: ArrayLike, time_s: float) -> Reals:
        """Deviation of a read over the conductance, of cells that programming left with ``origin_uS``."""
        r = np.maximum(np.asarray(origin_uS, dtype=np.float64) / self.g_ref_uS, _LEAST_R)
        if self.noise_curve:
            q = _curve(self.noise_curve, ln(r))
        else:
            factor, exponent, limit = self.noise
            q = np.minimum(factor * exp_of(-exponent * ln(r)), limit)
        flicker = _above(self.noise_above, r, q) * self.unit_noise(time_s)
        if self.nu_read == 0.0:
            return flicker
        return np.sqrt(flicker**2 + (self.nu_read * self.grown(time_s)) ** 2)


@dataclass(frozen=True, kw_only=True)
class DriftDevice(Device):
    """A device whose cells drift (see the module)."""

    MOVABLE: ClassVar[tuple[str, ...]] = MOVABLE
    LATER_KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {**Device.LATER_KEYS, "drift": ("die", "cell")}

    drift: Drift = field(default_factory=Drift)

    @property
    def relaxes(self) -> bool:
        """See :class:`Device`."""
        return True

    @property
    def errs(self) -> bool:
        """See :class:`Device`."""
        return any(self.drift.sigma_uS)

    @property
    def redraws(self) -> bool:
        """See :class:`Device`."""
        return bool(self.drift.cell)

    @property
    def data_times_s(self) -> tuple[float, ...]:
        """See :class:`Device`."""
        return self.drift.times_s

    @property
    def data_temp_C(self) -> float:
        """See :class:`Device`."""
        return self.drift.temp_C

    def _sigma_uS(self, target_uS: ArrayLike) -> Reals:
        r = np.clip(np.asarray(target_uS, dtype=np.float64) / self.drift.g_ref_uS, 0.0, 1.0)
        value = np.zeros_like(r)
        for coefficient in reversed(self.drift.sigma_uS):
            value = value * r + coefficient
        return np.maximum(value, 0.0)

    def _grown(self, time_s: float, temp_C: float) -> float:
        if self.temperature.acts_on == "time":
            time_s = time_s * self.temperature.factor(temp_C, self.drift.temp_C)
        return self.drift.grown(time_s)

    def _moments(self, target_uS: ArrayLike, time_s: float, temp_C: float) -> tuple[Reals, Reals]:
        """Mean and mean square, over the cells, of what drift multiplies conductances by, down to the floor."""
        mean, std = self.drift.nu(target_uS)
        z = np.linspace(-6.0, 6.0, _NODES)
        weight = np.exp(-0.5 * z * z)
        weight /= weight.sum()
        factor = np.exp(-np.abs(mean[..., None] + std[..., None] * z) * self._grown(time_s, temp_C))
        if self.drift.floor_uS > 0.0:
            least = self.drift.floor_uS / np.maximum(np.asarray(target_uS, dtype=np.float64), _LEAST_R)
            factor = np.maximum(factor, least[..., None])
        return factor @ weight, factor**2 @ weight

    def moved(self, by: Mapping[str, float]) -> "DriftDevice":
        """See :class:`Device`; names are of :data:`MOVABLE`."""
        d, of = self.drift, {name: float(by.get(name, 0.0)) for name in MOVABLE}
        factor, exponent, limit = d.noise
        moved = replace(
            d, t_c_s=d.t_c_s * _times(of["ln t_c"]),
            nu_mean=_curve_moved(d.nu_mean, [of[f"nu_mean {part}"] for part in _CURVE], -10.0),
            nu_std=_curve_moved(d.nu_std, [of[f"nu_std {part}"] for part in _CURVE], 0.0),
            noise=(min(factor * _times(of["ln noise"]), 10.0), max(exponent + of["noise exponent"], 0.0), limit),
            sigma_uS=tuple(c * _times(of["ln sigma"]) for c in d.sigma_uS),
        )
        return replace(self, drift=moved)

    def window_uS(self, target_uS: ArrayLike) -> Reals:
        """See :class:`Device`."""
        return self._sigma_uS(target_uS) * math.sqrt(3.0)

    def mean_uS(self, target_uS: ArrayLike, time_s: float, temp_C: float = 25.0) -> Reals:
        """See :class:`Device`."""
        kept = self._moments(target_uS, time_s, temp_C)[0] * self.heat.read_factor(target_uS, temp_C)
        return np.asarray(target_uS) * (kept - 1.0)

    def sigma_uS(self, target_uS: ArrayLike, time_s: float, temp_C: float = 25.0) -> Reals:
        """See :class:`Device`; read noise is not in it."""
        first, second = self._moments(target_uS, time_s, temp_C)
        target = np.asarray(target_uS, dtype=np.float64)
        spread = np.sqrt((target**2 + self._sigma_uS(target) ** 2) * second - (target * first) ** 2)
        return spread * self.heat.read_factor(target, temp_C)

    def relaxation_uS(self, target_uS: ArrayLike, time_s: float, temp_C: float = 25.0) -> Reals:
        """See :class:`Device`."""
        first, second = self._moments(target_uS, time_s, temp_C)
        return np.asarray(target_uS, dtype=np.float64) * np.sqrt(np.maximum(second - first**2, 0.0))

    def law_noise_uS(self, g_uS: ArrayLike, time_s: float = 0.0, origin_uS: ArrayLike | None = None) -> Reals:
        """See :class:`Device`: 1/f noise by what programming left, if that is known."""
        return np.asarray(g_uS) * self.drift.relative_noise(g_uS if origin_uS is None else origin_uS, time_s)

    def normal_noise_uS(self, g_uS: ArrayLike, time_s: float = 0.0, origin_uS: ArrayLike | None = None) -> Reals:
        """See :class:`Device`: that of the law, and ``[read_noise]``."""
        own = self.law_noise_uS(g_uS, time_s, origin_uS)
        return np.sqrt(own**2 + super().normal_noise_uS(g_uS, time_s) ** 2)

    def warnings(self, time_s: float, temp_C: float) -> list[str]:
        """See :class:`Device`."""
        data, temperature, found = self.drift, self.temperature, []
        if data.times_s and time_s > data.times_s[-1]:
            found.append(
                f"{self.name} is fitted up to {data.times_s[-1]:g} s after programming: for {time_s:g} s its power law "
                "goes on"
            )
        known = (*temperature.fitted_C, data.temp_C)
        if temp_C != data.temp_C and not temperature.acts_on:
            found.append(f"{self.name} is fitted at {data.temp_C:g} C only: {temp_C:g} C changes nothing in the model")
        elif temperature.fitted_C and not min(known) <= temp_C <= max(known):
            found.append(
                f"{self.name} is fitted from {min(known):g} C to {max(known):g} C: {temp_C:g} C is extrapolated by "
                f"Arrhenius' law with {temperature.activation_eV:g} eV"
            )
        if self.heat.note and temp_C != data.temp_C:
            found.append(f"{self.name}: {self.heat.note}")
        return found

    def programmed(
        self, target_uS: Reals, draws: Draws, time_s: float, temp_C: float, causes: frozenset[str]
    ) -> Drawn:
        """See :class:`Device`."""
        g = target_uS
        if "programming" in causes and self.errs:
            g = g + self._sigma_uS(target_uS) * self._place(draws, 0)
        origin = np.maximum(g, self.drift.floor_uS)
        if "relaxation" not in causes:
            return Drawn(origin, origin)
        drifted = self._drifted(origin, target_uS, draws, time_s, temp_C)
        return Drawn(self.read_at(drifted, target_uS, temp_C), origin)

    def settled(self, g_uS: Reals, draws: Draws, time_s: float, temp_C: float) -> Reals:
        """See :class:`Device`."""
        return self._drifted(g_uS, g_uS, draws, time_s, temp_C)

    def _place(self, draws: Draws, which: int) -> Reals:
        """Normal number of each cell: ``which`` 0 of its error of programming, 1 of its nu."""
        purpose = (Purpose.PROGRAMMING, Purpose.DRIFT)[which]
        codes, drift = draws.normal(purpose), self.drift
        if drift.cell:
            codes = shared(drift.cell[which], codes, draws.normal(purpose, anew_step(self.programming.cycle)))
        if drift.die:
            codes = with_chip(drift.die[which], draws.chip(which), codes)
        return codes / NORMAL_ONE

    def _drifted(self, origin_uS: Reals, target_uS: Reals, draws: Draws, time_s: float, temp_C: float) -> Reals:
        grown = self._grown(time_s, temp_C)
        if grown <= 0.0:
            return origin_uS
        mean, std = self.drift.nu(target_uS)
        nu = np.abs(mean + std * self._place(draws, 1))
        return np.maximum(origin_uS * exp_negative(nu * grown), self.drift.floor_uS)


def _times(ln: float) -> float:
    return math.exp(min(max(ln, -5.0), 5.0))


def _curve(curve: tuple[float, ...], logs: Reals) -> Reals:
    value = curve[0] * logs + curve[1]
    if len(curve) > len(_CURVE):
        value = value + curve[4] * (logs * logs)
    return np.clip(value, curve[2], curve[3])


def _above(polynomial: tuple[float, ...], r: Reals, below: Reals) -> Reals:
    """``below``, but for large r the polynomial, at least 0; see :class:`Drift`."""
    if not polynomial:
        return below
    first, *coefficients = polynomial
    value = np.zeros_like(r)
    for coefficient in reversed(coefficients):
        value = value * r + coefficient
    return np.where(r >= first, np.maximum(value, 0.0), below)


def _curve_moved(curve: tuple[float, ...], by: list[float], lowest: float) -> tuple[float, ...]:
    """A curve with its first four numbers moved, the limits not below ``lowest``."""
    slope, offset, least, most = (a + b for a, b in zip(curve, by, strict=False))
    return slope, offset, max(min(least, most), lowest), max(least, most, lowest), *curve[4:]


def _check(device: DriftDevice, where: str) -> None:
    """Refuse a device whose numbers do not fit together."""
    drift = device.drift
    if drift.noise_curve and len(drift.noise_curve) < len(_CURVE):
        raise InputError(f"{where}: drift.noise_curve must be a list of 4 or 5 numbers, not {shown(drift.noise_curve)}")
    for key in ("nu_mean", "nu_std", "noise_curve"):
        curve = getattr(drift, key)
        if curve and curve[2] > curve[3]:
            raise InputError(f"{where}: drift.{key} must have its least value before its largest, not {shown(curve)}")
    for key in ("nu_mean_above", "nu_std_above", "noise_above"):
        if len(getattr(drift, key)) == 1:
            raise InputError(f"{where}: drift.{key} must have a coefficient after the r from which it holds")
    for key in ("die", "cell"):
        if len(getattr(drift, key)) == 1:
            raise InputError(f"{where}: drift.{key} must have two shares, of programming and of nu")
    if device.temperature.acts_on == "change":
        raise InputError(f'{where}: temperature.acts_on must be "time" where cells drift, not "change"')
    if any(later <= earlier for earlier, later in zip(drift.times_s, drift.times_s[1:], strict=False)):
        raise InputError(f"{where}: drift.times_s must increase, not {shown(drift.times_s)}")


_CONDUCTANCE, _NU = Number(0.0, 1e6), Number(-10.0, 10.0)
LAW = LawKind(
    section=Drift, device=DriftDevice, check=_check,
    spec={
        "g_ref_uS": Number(1e-6, 1e6),
        "t_c_s": Number(1e-9, 1e6),
        "sigma_uS": ListOf(Number(-1e9, 1e9), least=1),
        "nu_mean": ListOf(_NU, least=4, most=5),
        "nu_std": ListOf(_NU, least=4, most=5),
        "nu_mean_above": ListOf(_NU, most=8),
        "nu_std_above": ListOf(_NU, most=8),
        "die": ListOf(Number(0.0, 1.0), most=2),
        "cell": ListOf(Number(0.0, 1.0), most=2),
        "nu_read": Number(0.0, 1.0),
        "noise": ListOf(Number(0.0, 10.0), least=3, most=3),
        "noise_curve": ListOf(_NU, most=5),
        "noise_above": ListOf(_NU, most=8),
        "t_read_s": Number(1e-12, 1.0),
        "floor_uS": _CONDUCTANCE,
        "set_uS": _CONDUCTANCE,
        "melt_from": Number(0.0, 1.0),
        "melt_to": Number(0.0, 1.0),
        "melt_spread": Number(0.0, 1.0),
        "pulse_sigma_uS": _CONDUCTANCE,
        "temp_C": Number(-273.15, 1000.0),
        "times_s": ListOf(Number(0.0, 1e11)),
    },
)

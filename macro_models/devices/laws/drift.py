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
from numpy.typing import ArrayLike

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.extrapolated import outside_temperatures
from mho.macro_models.devices.grid import evaluate, exp_negative
from mho.macro_models.devices.laws import LawKind
from mho.macro_models.devices.memory import Drawn, Draws, anew_step, shared, with_chip
from mho.macro_models.devices.sections.drift import CURVE, LEAST_R, Drift, Reals
from mho.macro_models.errors import InputError
from mho.macro_models.files.schema import ListOf, Number, shown
from mho.macro_models.integer.random import NORMAL_ONE, Purpose

_NODES = 241  # of the quadrature over nu


MOVABLE = (
    "ln t_c", *(f"{curve} {part}" for curve in ("nu_mean", "nu_std") for part in CURVE), "ln noise", "noise exponent",
    "ln sigma",
)
"""Numbers that other cells would have moved: all of curves, ``ln`` of what has a sign."""


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
        return evaluate(self.drift.sigma_uS, r)

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
            floor_r = self.drift.floor_uS / np.maximum(np.asarray(target_uS, dtype=np.float64), LEAST_R)
            factor = np.maximum(factor, floor_r[..., None])
        return factor @ weight, factor**2 @ weight

    def moved(self, by: Mapping[str, float]) -> "DriftDevice":
        """See :class:`Device`; names are of :data:`MOVABLE`."""
        d, of = self.drift, {name: float(by.get(name, 0.0)) for name in MOVABLE}
        factor, exponent, limit = d.noise
        moved = replace(
            d, t_c_s=d.t_c_s * _times(of["ln t_c"]),
            nu_mean=_curve_moved(d.nu_mean, [of[f"nu_mean {part}"] for part in CURVE], -10.0),
            nu_std=_curve_moved(d.nu_std, [of[f"nu_std {part}"] for part in CURVE], 0.0),
            noise=(min(factor * _times(of["ln noise"]), 10.0), max(exponent + of["noise exponent"], 0.0), limit),
            sigma_uS=tuple(c * _times(of["ln sigma"]) for c in d.sigma_uS),
        )
        return replace(self, drift=moved)

    def window_uS(self, target_uS: ArrayLike) -> Reals:
        """See :class:`Device`."""
        return self._sigma_uS(target_uS) * math.sqrt(3.0)

    def mean_uS(self, target_uS: ArrayLike, time_s: float, temp_C: float = 25.0) -> Reals:
        """See :class:`Device`."""
        drifted_uS = self._moments(target_uS, time_s, temp_C)[0] * self.heat.read_factor(target_uS, temp_C)
        return np.asarray(target_uS) * (drifted_uS - 1.0)

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
        law_noise = self.law_noise_uS(g_uS, time_s, origin_uS)
        return np.sqrt(law_noise**2 + super().normal_noise_uS(g_uS, time_s) ** 2)

    def warnings(self, time_s: float, temp_C: float) -> list[str]:
        """See :class:`Device`."""
        data, notes = self.drift, []
        if data.times_s and time_s > data.times_s[-1]:
            notes.append(
                f"{self.name} is fitted up to {data.times_s[-1]:g} s after programming: for {time_s:g} s its power law "
                "goes on"
            )
        return notes + outside_temperatures(self.name, data.temp_C, self.temperature, self.heat, temp_C)

    def programmed(self, target_uS: Reals, draws: Draws, time_s: float, temp_C: float, causes: frozenset[str]) -> Drawn:
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


def _curve_moved(curve: tuple[float, ...], by: list[float], lowest: float) -> tuple[float, ...]:
    """A curve with its first four numbers moved, the limits not below ``lowest``."""
    slope, offset, low, high = (a + b for a, b in zip(curve, by, strict=False))
    return slope, offset, max(min(low, high), lowest), max(low, high, lowest), *curve[4:]


def _check(device: DriftDevice, where: str) -> None:
    """Refuse a device whose numbers do not fit together."""
    drift = device.drift
    if drift.noise_curve and len(drift.noise_curve) < len(CURVE):
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


_CONDUCTANCE, _NU, _PART = Number(0.0, 1e6), Number(-10.0, 10.0), Number(0.0, 1.0)
LAW = LawKind(
    device=DriftDevice, check=_check,
    spec=(
        (Number(1e-6, 1e6), "g_ref_uS"), (Number(1e-9, 1e6), "t_c_s"), (ListOf(Number(-1e9, 1e9), least=1), "sigma_uS"),
        (ListOf(_NU, least=4, most=5), "nu_mean nu_std"), (ListOf(_NU, most=5), "noise_curve"),
        (ListOf(_NU, most=8), "nu_mean_above nu_std_above noise_above"), (ListOf(_PART, most=2), "die cell"),
        (_PART, "nu_read melt_from melt_to melt_spread"), (ListOf(Number(0.0, 10.0), least=3, most=3), "noise"),
        (Number(1e-12, 1.0), "t_read_s"), (_CONDUCTANCE, "floor_uS set_uS pulse_sigma_uS"),
        (Number(-273.15, 1000.0), "temp_C"), (ListOf(Number(0.0, 1e11)), "times_s"),
    ),
)

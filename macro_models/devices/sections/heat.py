"""What temperature does beyond one activation energy: the section ``[heat]`` of a device.

Four things, each of which may be missing: laws at further temperatures, where no one activation energy agrees with
the data; an energy of their own for lost cells; the reversible part of the conductance, G(T); and how well the device
agrees at each temperature.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.constants import BOLTZMANN_EV, KELVIN
from mho.macro_models.devices.grid import number_on_grid, on_grid
from mho.macro_models.devices.quantiles import node_moments
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.types import Reals, Rows


@dataclass(frozen=True, kw_only=True)
class Temperature:
    """How temperature speeds up or enlarges what happens after programming (Arrhenius)."""

    acts_on: str = ""
    """``"time"``: a time counts ``factor(temp)`` times; ``"change"``: the change is ``factor(temp)`` times as large;
    ``"table"``: :class:`.heat.Heat` has laws of further temperatures; empty: temperature changes nothing."""
    activation_eV: float = 0.0
    """Activation energy of the factor, in eV."""
    error_eV: float = 0.0
    """Standard error of the activation energy, in eV."""
    fitted_C: tuple[float, ...] = ()
    """Temperatures of the data, in degrees Celsius, increasing."""
    source: str = ""

    def factor(self, temp_C: float, reference_C: float) -> float:
        """``exp(E / k (1 / T_reference - 1 / T))``, rounded to a relative 2**-20."""
        inverse = 1.0 / (reference_C + KELVIN) - 1.0 / (temp_C + KELVIN)
        exponent = min(max(self.activation_eV / BOLTZMANN_EV * inverse, -200.0), 200.0)
        mantissa, power = math.frexp(math.exp(exponent))
        return math.ldexp(number_on_grid(mantissa), power)


REVERSIBLE = ("", "linear", "arrhenius")
"""Forms of the reversible part."""

_BEYOND = 1.0  # of the distance of two temperatures: how far their trend goes on
_SLOPES = (0.2, 2.0)  # of ln H over ln t beyond the known times



def inverse_kT(temp_C: float) -> float:
    """``1 / kT`` in 1/eV."""
    return 1.0 / (BOLTZMANN_EV * (temp_C + KELVIN))


@dataclass(frozen=True, kw_only=True)
class Heat:
    """Temperature, in detail. Without entries there is none, and :class:`Temperature` says all."""

    note: str = ""
    """What a user must know when the device is taken at another temperature than that of its law."""
    row_C: tuple[float, ...] = ()
    """Temperature of each row of ``quantiles_uS``, in degrees Celsius, increasing."""
    row_s: tuple[float, ...] = ()
    """Time of each row, in seconds, increasing at each temperature."""
    kept: tuple[float, ...] = ()
    """As in :class:`Law`, for each row."""
    onset_s: float = 0.0
    """As in :class:`Law`, of all rows."""
    quantiles_uS: tuple[Rows, ...] = ()
    """What each row's time adds at its temperature, as in :class:`Law` (``empirical``), at the levels of the law."""
    lost_eV: float = 0.0
    """Activation energy of the loss of cells, which acts on time, in eV; 0: that of the others."""
    lost_error_eV: float = 0.0
    """Its standard error, in eV."""
    lost_C: float = 25.0
    """Temperature of ``lost_part``, in degrees Celsius."""
    lost_s: tuple[float, ...] = ()
    """Times at which the loss is known, in seconds; empty: the law holds it, or there is none."""
    lost_part: tuple[float, ...] = ()
    """Fraction of the cells that are lost at these times. Between and beyond, ln(-ln(1 - part)) is linear in ln t."""
    lost_levels: tuple[float, ...] = ()
    """Factor on it at each level of the law."""
    lost_uS: float = 0.0
    """Conductance of lost cells, in uS."""
    reversible: str = ""
    """Of :data:`REVERSIBLE`. A cell that is read at T conducts ``1 + c (T - T0)`` times what it does at T0
    (``linear``, c in 1/K), or ``exp(-c (1 / kT - 1 / kT0))`` times (``arrhenius``, c in eV)."""
    reversible_C: float = 25.0
    """T0, in degrees Celsius."""
    reversible_uS: tuple[float, ...] = ()
    """Targets of the coefficients, in uS, increasing; linear between them, held beyond."""
    coefficient: tuple[float, ...] = ()
    """c at these targets."""
    coefficient_error: tuple[float, ...] = ()
    """Standard errors of c."""
    choice: float = 0.0
    """Share of resampled data for which the law that was taken is again the one with the least held-out error."""
    rival: str = ""
    """The other law: what it acts on."""
    rival_eV: float = 0.0
    """Its activation energy, in eV."""
    heldout: float = 0.0
    """Root mean square of the errors at temperatures that were left out of the fit, in units of what is allowed (twice
    the root of: standard error squared and 1 % of the range or 5 % of a deviation squared)."""
    rival_heldout: float = 0.0
    """The same of the other law."""
    at_C: tuple[float, ...] = ()
    """Temperature of each entry of the lists below, in degrees Celsius."""
    at_s: tuple[float, ...] = ()
    """Time of each entry, in seconds."""
    n: tuple[float, ...] = ()
    """Readings."""
    mean_uS: tuple[float, ...] = ()
    """Mean of g - target as measured, lost cells left out, in uS."""
    model_mean_uS: tuple[float, ...] = ()
    """The same of the device."""
    std_uS: tuple[float, ...] = ()
    """Standard deviation of g - target as measured, in uS."""
    model_std_uS: tuple[float, ...] = ()
    """The same of the device."""
    heldout_mean_uS: tuple[float, ...] = ()
    """Mean of the device that is fitted without the readings of this temperature."""
    heldout_std_uS: tuple[float, ...] = ()
    """Deviation of that device."""
    source: str = ""

    @cached_property
    def laws(self) -> dict[float, Law]:
        """The laws of further temperatures, with levels of no meaning: rows are those of the device's law."""
        laws_at: dict[float, Law] = {}
        for temp in dict.fromkeys(self.row_C):
            at = [k for k, t in enumerate(self.row_C) if t == temp]
            laws_at[temp] = Law(
                model="empirical",
                temp_C=temp,
                levels_uS=tuple(float(k) for k in range(len(self.quantiles_uS[0]))),
                times_s=tuple(self.row_s[k] for k in at),
                kept=tuple(self.kept[k] for k in at),
                quantiles_uS=tuple(self.quantiles_uS[k] for k in at), onset_s=self.onset_s,
            )
        return laws_at

    def change(self, law: Law, time_s: float, temp_C: float, pulse_s: float) -> tuple[Reals, float]:
        """What ``time_s`` seconds at ``temp_C`` add, and the share kept, from the laws of all temperatures.

        Between two of them mean and deviation follow exp(-E / kT) each for itself, or are linear in 1/T where they
        change sign; beyond them the trend of the last two goes on as far as these lie apart.
        """
        laws = {law.temp_C: law, **self.laws}
        temps = sorted(laws)
        if temp_C in laws:
            return laws[temp_C].change(time_s, pulse_s), laws[temp_C].kept_at(time_s, pulse_s)
        k = min(max(int(np.searchsorted(temps, temp_C)), 1), len(temps) - 1)
        low, high = laws[temps[k - 1]], laws[temps[k]]
        at, start, end = (inverse_kT(t) for t in (temp_C, low.temp_C, high.temp_C))
        weight = number_on_grid(min(max((start - at) / (start - end), -_BEYOND), 1.0 + _BEYOND))
        change = _between(low.change(time_s, pulse_s), high.change(time_s, pulse_s), weight)
        inside = min(max(weight, 0.0), 1.0)
        return change, low.kept_at(time_s, pulse_s) * (1.0 - inside) + high.kept_at(time_s, pulse_s) * inside

    def lost_at(self, time_s: float, temp_C: float) -> Reals:
        """Fraction of lost cells at each level, of shape (levels,), on a grid of 2**-16."""
        part = self.lost_part_at(time_s, temp_C)
        return np.rint(np.clip(part * np.array(self.lost_levels), 0.0, 1.0) * 65536.0) / 65536.0

    def lost_part_at(self, time_s: float, temp_C: float) -> float:
        """The same of all cells together: Weibull's law between and beyond the known times."""
        time_s = time_s * Temperature(activation_eV=self.lost_eV).factor(temp_C, self.lost_C)
        if time_s <= 0.0:
            return 0.0
        x = [math.log(t) for t in self.lost_s]
        y = [math.log(-math.log1p(-min(max(p, 1e-9), 1.0 - 1e-9))) for p in self.lost_part]
        if len(x) == 1:
            slope, k = 1.0, 0
        else:
            k = min(max(int(np.searchsorted(x, math.log(time_s))), 1), len(x) - 1)
            slope = (y[k] - y[k - 1]) / (x[k] - x[k - 1])
            if not x[0] <= math.log(time_s) <= x[-1]:
                slope = min(max(slope, _SLOPES[0]), _SLOPES[1])
            k = 0 if math.log(time_s) < x[0] else k
        return -math.expm1(-math.exp(min(y[k] + slope * (math.log(time_s) - x[k]), 50.0)))

    def read_factor(self, target_uS: ArrayLike, temp_C: float) -> Reals:
        """Conductance at ``temp_C`` over that at T0, of the shape of ``target_uS``, at least 0."""
        target = np.asarray(target_uS, dtype=np.float64)
        if not self.reversible or temp_C == self.reversible_C:
            return np.ones(target.shape)
        c = np.interp(target, self.reversible_uS, self.coefficient)
        if self.reversible == "linear":
            factor = 1.0 + c * (temp_C - self.reversible_C)
        else:
            factor = np.exp(np.clip(-c * (inverse_kT(temp_C) - inverse_kT(self.reversible_C)), -50.0, 50.0))
        return on_grid(np.maximum(factor, 0.0))


def _between(low: Reals, high: Reals, weight: float) -> Reals:
    """Quantiles (levels, nodes) between those of two temperatures."""
    shapes, moments = [], []
    for quantiles in (low, high):
        mean, deviation = node_moments(quantiles)
        moments.append((mean, deviation))
        shapes.append((quantiles - mean[:, None]) / np.maximum(deviation, 1e-12)[:, None])
    mean, deviation = (_power(moments[0][k], moments[1][k], weight) for k in (0, 1))
    inside = min(max(weight, 0.0), 1.0)
    shape = shapes[0] * (1.0 - inside) + shapes[1] * inside
    return np.maximum.accumulate(on_grid(mean[:, None] + deviation[:, None] * shape), axis=-1)


def _power(a: Reals, b: Reals, weight: float) -> Reals:
    """``a (b / a)**weight`` where both have one sign, else linear."""
    same = a * b > 0.0
    ratio = np.where(same, b / np.where(same, a, 1.0), 1.0)
    return np.where(same, a * np.clip(ratio, 1e-6, 1e6) ** weight, a * (1.0 - weight) + b * weight)

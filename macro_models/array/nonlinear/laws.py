"""Current through a cell and through its access transistor, with the slopes that Newton's method needs.

Temperatures enter where a law has one; conductances are those that a read at a low voltage finds.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mho.macro_models.constants import BOLTZMANN_EV, KELVIN
from mho.macro_models.errors import InputError, check_numbers
from mho.macro_models.types import Reals

_STEEPEST = 600.0  # exponents beyond it overflow on the way to a solution, which is never there


class CellLaw(Protocol):
    """What flows through a cell of conductance g at a voltage."""

    @property
    def step_V(self) -> float:
        """Largest change of a cell's voltage in one step of Newton's method, in V."""
        ...

    def current(self, g_S: Reals, v_V: Reals) -> tuple[Reals, Reals]:
        """Current in A and its slope in S, of the shape of ``v_V``; odd in the voltage, the slope never negative."""
        ...


@dataclass(frozen=True)
class Ohmic:
    """I = g v."""

    step_V: float = math.inf

    def current(self, g_S: Reals, v_V: Reals) -> tuple[Reals, Reals]:
        """See :class:`CellLaw`."""
        return g_S * v_V, g_S


@dataclass(frozen=True, kw_only=True)
class Sinh:
    """I = g V0 sinh(v / V0): 1 V is mild, 0.25 V is strong."""

    v0_V: float

    def __post_init__(self) -> None:
        check_numbers(self, ("v0_V",), positive=True)

    @property
    def step_V(self) -> float:
        """See :class:`CellLaw`."""
        return 5.0 * self.v0_V

    def current(self, g_S: Reals, v_V: Reals) -> tuple[Reals, Reals]:
        """See :class:`CellLaw`."""
        u = np.clip(v_V / self.v0_V, -_STEEPEST, _STEEPEST)
        return g_S * self.v0_V * np.sinh(u), g_S * np.cosh(u)


@dataclass(frozen=True, kw_only=True)
class Cubic:
    """I = g v (1 + c v^2)."""

    per_V2: float
    step_V: float = math.inf

    def __post_init__(self) -> None:
        check_numbers(self, ("per_V2",))

    def current(self, g_S: Reals, v_V: Reals) -> tuple[Reals, Reals]:
        """See :class:`CellLaw`."""
        bent = self.per_V2 * v_V**2
        return g_S * v_V * (1.0 + bent), g_S * (1.0 + 3.0 * bent)


@dataclass(frozen=True, kw_only=True)
class MetalOxide:
    """I = A1 v + A3 v^3 of passive Al2O3/TiO2-x cells.

    A1 = -2.58e-6 + .977 g + 1.166e-7 T and A3 = 1.18 g + 6596 g^2 + 1.605e-3 T^-1.33, with T in degrees Celsius: only
    so is I(0.1 V) the current of a conductance g. Source: H. Nili et al., "Comprehensive compact phenomenological
    modeling of integrated metal-oxide memristors", IEEE Trans. Nanotechnol. 19 (2020) 344, 324 devices, 3 to 316 uS.
    A cell of conductance 0 is a missing one.
    """

    temp_C: float = 25.0
    step_V: float = math.inf

    def __post_init__(self) -> None:
        check_numbers(self, ("temp_C",), positive=True)

    def current(self, g_S: Reals, v_V: Reals) -> tuple[Reals, Reals]:
        """See :class:`CellLaw`."""
        first = np.maximum(-2.58e-6 + 0.977 * g_S + 1.166e-7 * self.temp_C, 0.0)
        third = 1.18 * g_S + 6596.0 * g_S**2 + 1.605e-3 * self.temp_C**-1.33
        there = g_S > 0.0
        return np.where(there, first * v_V + third * v_V**3, 0.0), np.where(there, first + 3.0 * third * v_V**2, 0.0)


@dataclass(frozen=True, kw_only=True)
class Transistor:
    """The access transistor of a cell, from weak to strong inversion, its two ends alike.

    I = 2 n beta Ut^2 (F(Vp - Vs) - F(Vp - Vd)), F(u) = ln(1 + exp(u / 2 Ut))^2, Vp = (Vg - Vt) / n; all voltages are
    from the substrate at 0 V, so that a raised source takes drive away, and a gate that is off leaks. Source of the
    equation: C. Enz, F. Krummenacher, E. Vittoz, "An analytical MOS transistor model valid in all regions of
    operation", Analog Integr. Circuits Signal Process. 8 (1995) 83.
    """

    beta_uA_V2: float = 400.0
    """Transconductance factor, in uA/V^2. Assumed: about 200 uA/V^2 of a 130 nm NMOS, two squares wide."""
    threshold_V: float = 0.45
    """Threshold at 25 C, in V. Assumed, as a 130 nm NMOS has it."""
    slope: float = 1.35
    """Slope factor n. Assumed."""
    temp_C: float = 25.0

    def __post_init__(self) -> None:
        check_numbers(self, ("beta_uA_V2",), positive=True)
        if not self.slope >= 1.0:
            raise InputError(f"slope must be at least 1, not {self.slope!r}")

    @property
    def thermal_V(self) -> float:
        """kT/q, in V."""
        return BOLTZMANN_EV * (self.temp_C + KELVIN)

    def current(self, gate_V: Reals, from_V: Reals, to_V: Reals) -> tuple[Reals, Reals, Reals]:
        """Current from one end to the other in A; its slopes to both voltages in S, the second as a magnitude."""
        ut = self.thermal_V
        pinch = (gate_V - self.threshold_V) / self.slope
        scale = 2e-6 * self.slope * self.beta_uA_V2 * ut**2
        (forward, forward_slope), (reverse, reverse_slope) = (
            _inversion((pinch - v) / (2.0 * ut)) for v in (to_V, from_V)
        )
        return scale * (forward - reverse), scale / ut * reverse_slope, scale / ut * forward_slope


def _inversion(u: Reals) -> tuple[Reals, Reals]:
    """ln(1 + exp(u))^2, and half of its slope."""
    log = np.logaddexp(0.0, u)
    return log**2, log * np.exp(u - log)  # exp(u) / (1 + exp(u)) without an overflow

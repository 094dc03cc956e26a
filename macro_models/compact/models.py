"""Compact models of cells: a state x between 0 and 1, how it moves, and what flows.

Constants are those of the sources named at each class. Exponents are held below overflow, so that a model answers to
any voltage; :func:`~mho.macro_models.compact.transient.drive` keeps the state within its ends.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np

from mho.macro_models.constants import BOLTZMANN_EV
from mho.macro_models.errors import InputError, nearest
from mho.macro_models.types import Reals

_TOP = 500.0
"""Largest exponent."""


def _exp(u: Reals) -> Reals:
    return np.exp(np.clip(u, -_TOP, _TOP))


def _sinh(u: Reals) -> Reals:
    return np.sinh(np.clip(u, -_TOP, _TOP))


class CompactModel(Protocol):
    """A model; ``x`` and ``v`` have the same shape, and so has what it gives."""

    set_sign: ClassVar[int]
    """1 where a voltage above 0 V makes a cell conduct better, -1 where one below does."""

    def current(self, x: Reals, v: Reals) -> Reals:
        """Current in A."""
        ...

    def rate(self, x: Reals, v: Reals) -> Reals:
        """dx/dt in 1/s."""
        ...


@dataclass(frozen=True, kw_only=True)
class StrachanTaOx:
    """TaOx of Strachan et al., "State dynamics and modeling of tantalum oxide memristors", IEEE TED 60 (2013) 2194.

    i = v (gm x + (1 - x) a exp(b sqrt|v|)); for v > 0 dx/dt = rate_on sinh(v / s_on) exp(-(x / x_on)^2 + i v / p_on),
    for v < 0 dx/dt = rate_off sinh(v / s_off) exp(-(x_off / x)^2 + 1 / (1 + beta i v)). Equation and constants as the
    memristor libraries of V. Mladenov have them (K8), which cite the paper; the paper itself was not compared.
    """

    set_sign: ClassVar[int] = 1
    gm_S: float = 0.025
    a_S: float = 7.2e-6
    b: float = 4.7
    rate_off: float = 1e-10
    s_off_V: float = 0.013
    x_off: float = 0.4
    beta: float = 500.0
    rate_on: float = 1e-4
    s_on_V: float = 0.45
    x_on: float = 0.06
    p_on_W: float = 4e-5

    def current(self, x: Reals, v: Reals) -> Reals:
        """See :class:`CompactModel`."""
        return v * (self.gm_S * x + (1.0 - x) * self.a_S * _exp(self.b * np.sqrt(np.abs(v))))

    def rate(self, x: Reals, v: Reals) -> Reals:
        """See :class:`CompactModel`."""
        power = self.current(x, v) * v
        up = self.rate_on * _sinh(v / self.s_on_V) * _exp(-((x / self.x_on) ** 2) + power / self.p_on_W)
        fall = -((self.x_off / np.maximum(x, 1e-9)) ** 2) + 1.0 / (1.0 + self.beta * power)
        return np.where(v > 0.0, up, self.rate_off * _sinh(v / self.s_off_V) * _exp(fall))


@dataclass(frozen=True, kw_only=True)
class Vteam:
    """Kvatinsky et al., "VTEAM: a general model for voltage-controlled memristors", IEEE TCAS-II 62 (2015) 786.

    x is the width w / d: 0 is R_on. Defaults: those of MemTorch and of the Technion's code.
    """

    set_sign: ClassVar[int] = -1
    r_on_ohm: float = 50.0
    r_off_ohm: float = 1000.0
    d_m: float = 3e-9
    k_on: float = -10.0
    k_off: float = 5e-4
    alpha_on: float = 3.0
    alpha_off: float = 1.0
    v_on_V: float = -0.2
    v_off_V: float = 0.02

    def current(self, x: Reals, v: Reals) -> Reals:
        """See :class:`CompactModel`."""
        return v / (self.r_on_ohm + (self.r_off_ohm - self.r_on_ohm) * x)

    def rate(self, x: Reals, v: Reals) -> Reals:
        """See :class:`CompactModel`."""
        off = self.k_off * np.maximum(v / self.v_off_V - 1.0, 0.0) ** self.alpha_off
        on = self.k_on * np.maximum(v / self.v_on_V - 1.0, 0.0) ** self.alpha_on
        return (off + on) / self.d_m


@dataclass(frozen=True, kw_only=True)
class Yakopcic:
    """Yakopcic et al., "A memristor device model", IEEE Electron Device Letters 32 (2011) 1436.

    Defaults: the fit to devices of Oblea et al. (2010), as third-party code has it.
    """

    set_sign: ClassVar[int] = 1
    a_up: float = 0.17
    a_down: float = 0.17
    b: float = 0.05
    v_up_V: float = 0.16
    v_down_V: float = 0.15
    rate_up: float = 4000.0
    rate_down: float = 4000.0
    x_up: float = 0.3
    x_down: float = 0.5
    alpha_up: float = 1.0
    alpha_down: float = 5.0

    def current(self, x: Reals, v: Reals) -> Reals:
        """See :class:`CompactModel`."""
        return np.where(v >= 0.0, self.a_up, self.a_down) * x * _sinh(self.b * v)

    def rate(self, x: Reals, v: Reals) -> Reals:
        """See :class:`CompactModel`."""
        up = self.rate_up * np.maximum(_exp(v) - np.exp(self.v_up_V), 0.0)
        down = self.rate_down * np.maximum(_exp(-v) - np.exp(self.v_down_V), 0.0)
        above, below = np.maximum(x - self.x_up, 0.0), np.minimum(x + self.x_down - 1.0, 0.0)
        up = up * np.exp(-self.alpha_up * above) * (1.0 - above / (1.0 - self.x_up))
        down = down * np.exp(self.alpha_down * below) * (1.0 + below / (1.0 - self.x_down))
        return up - down


@dataclass(frozen=True, kw_only=True)
class StanfordPku:
    """The Stanford-PKU RRAM model 1.0.0 (Verilog-A, nanoHUB), without its variations.

    x = 1 is the smallest gap. I = I0 exp(-g / g0) sinh(v / V0); dg/dt = -velocity exp(-Ea / kT) sinh(gamma a0 v /
    (t_ox kT)) with T = T0 + |v I| r_th and gamma = gamma0 - beta (g / 1 nm)^3; below a field of ``least_V_m`` nothing.
    """

    set_sign: ClassVar[int] = 1
    i0_A: float = 1e-3
    g0_nm: float = 0.25
    v0_V: float = 0.25
    velocity_m_s: float = 10.0
    gamma0: float = 16.0
    beta: float = 0.8
    ea_eV: float = 0.6
    a0_nm: float = 0.25
    tox_nm: float = 12.0
    r_th: float = 2.1e3
    least_V_m: float = 1.4e9
    gap_min_nm: float = 0.2
    gap_max_nm: float = 1.7
    t0_K: float = 298.0

    def gap_nm(self, x: Reals) -> Reals:
        """The gap at a state, in nm."""
        return self.gap_max_nm - (self.gap_max_nm - self.gap_min_nm) * x

    def current(self, x: Reals, v: Reals) -> Reals:
        """See :class:`CompactModel`."""
        return self.i0_A * np.exp(-self.gap_nm(x) / self.g0_nm) * _sinh(v / self.v0_V)

    def rate(self, x: Reals, v: Reals) -> Reals:
        """See :class:`CompactModel`."""
        gap = self.gap_nm(x)
        kt = BOLTZMANN_EV * (self.t0_K + np.abs(v * self.current(x, v)) * self.r_th)
        gamma = self.gamma0 - self.beta * gap**3
        grow = self.velocity_m_s * 1e9 * np.exp(-self.ea_eV / kt) * _sinh(gamma * self.a0_nm * v / (self.tox_nm * kt))
        acts = gamma * np.abs(v) / (self.tox_nm * 1e-9) >= self.least_V_m
        return np.where(acts, grow / (self.gap_max_nm - self.gap_min_nm), 0.0)


MODELS: dict[str, type[Any]] = {
    "strachan-taox": StrachanTaOx, "vteam": Vteam, "yakopcic": Yakopcic, "stanford-pku": StanfordPku,
}
"""By name."""


def compact_model(name: str, **constants: float) -> CompactModel:
    """A compact model by its name, with constants other than its own.

    Raises InputError if there is no such model or constant, or a constant has not the sign of the model's.
    """
    if name not in MODELS:
        near = nearest(name, MODELS)
        hint = f"; did you mean {near}?" if near else ""
        raise InputError(f"compact model must be one of {', '.join(MODELS)}, not {name!r}{hint}")
    usual: dict[str, Any] = {constant.name: constant.default for constant in fields(MODELS[name])}
    for key, value in constants.items():
        if key not in usual:
            raise InputError(f"a constant of {name} must be one of {', '.join(usual)}, not {key!r}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise InputError(f"{key} of {name} must be a finite number, not {value!r}")
        if not value * usual[key] > 0.0:
            sign = "positive" if usual[key] > 0.0 else "negative"
            raise InputError(f"{key} of {name} must be {sign}, not {value!r}")
    return MODELS[name](**constants)

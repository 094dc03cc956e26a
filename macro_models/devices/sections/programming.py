"""What programming leaves and what becomes of it, as published: targets, acceptance, relaxation, stuck cells."""

import math
from dataclasses import dataclass

from mho.macro_models.devices.grid import Polynomial


@dataclass(frozen=True, kw_only=True)
class Range:
    """Targets for which the device's figures hold. Both 0: any target."""

    g_min_uS: float = 0.0
    """Smallest target, in uS."""
    g_max_uS: float = 0.0
    """Largest target, in uS."""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Programming:
    """What write-verify leaves: drawn once for each cell."""

    accept_uS: float = 0.0
    """Half width of the acceptance window around the target, in uS."""
    pulse_s: float = 1e-6
    """Width of a programming pulse, in seconds: the scale on which relaxation sets in."""
    cycle: int = 0
    """Which programming of the chip it is, or how often its cells were switched before: cells of a law with
    :attr:`Law.cell` are drawn anew, but for their share (:mod:`mho.macro_models.devices.resampled` moves the law)."""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """Spread of programmed cells around their targets at some times after programming."""

    g_ref_uS: float = 40.0
    """Conductance at which the argument of all polynomials of the device is 1, in uS. It is held beyond."""
    temp_C: float = 25.0
    """Temperature of the data, in degrees Celsius. The model does not depend on temperature."""
    times_s: tuple[float, ...] = ()
    """Times since programming at which the spread is known, in seconds, increasing. Empty: no relaxation."""
    sigma_uS: tuple[Polynomial, ...] = ()
    """For each time the standard deviation in uS, the scatter of programming included: coefficients of the powers of
    g / g_ref, lowest first."""
    source: str = ""

    def around(self, time_s: float, pulse_s: float) -> tuple[Polynomial, Polynomial, float, float]:
        """Polynomials of the times around ``time_s`` seconds, what the later one weighs, and a factor of what is added.

        The first polynomial is empty where the other one is all; the factor is below 1 before the first time, by the
        logarithm of time counted in pulses of ``pulse_s`` seconds. There must be a time.
        """
        at = max(time_s, self.times_s[0])
        later = next((k for k, t in enumerate(self.times_s) if t >= at), len(self.times_s) - 1)
        before, weight, growth = (), 1.0, 1.0
        if later > 0 and at < self.times_s[later]:
            start, end = math.log(self.times_s[later - 1]), math.log(self.times_s[later])
            before, weight = self.sigma_uS[later - 1], (math.log(at) - start) / (end - start)
        if time_s < self.times_s[0]:
            growth = math.log1p(time_s / pulse_s) / math.log1p(self.times_s[0] / pulse_s)
        return before, self.sigma_uS[later], weight, growth


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """Cells that do not answer to programming: drawn once for each cell."""

    fraction: float = 0.0
    """Probability that a cell is stuck, 0..1, resolved to 1/65536."""
    values_uS: tuple[float, ...] = (0.0,)
    """Conductances of stuck cells, in uS, all equally likely."""
    source: str = ""

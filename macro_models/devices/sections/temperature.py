"""Temperature by one activation energy: the section ``[temperature]`` of a device."""

import math
from dataclasses import dataclass

from mho.macro_models.constants import BOLTZMANN_EV, KELVIN
from mho.macro_models.devices.grid import number_on_grid


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

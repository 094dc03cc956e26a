"""Temperature in the fit: which law, with what energy, how sure, and what cannot be said."""

from mho.macro_models.fit.heat.cases import reference_temperature, usual_reading
from mho.macro_models.fit.heat.fit import fit_heat

__all__ = ["fit_heat", "reference_temperature", "usual_reading"]

"""Temperature in the fit: which law, with what energy, how sure, and what cannot be said."""

from mho.macro_models.fit.heat.fit import fit_heat
from mho.macro_models.fit.heat.reference import reference_temperature, usual_reading

__all__ = ["fit_heat", "reference_temperature", "usual_reading"]

"""Conditions outside the data of a device: one sentence for each, with the range of the data."""

from mho.macro_models.devices.sections.heat import Heat
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.devices.sections.programming import Relaxation
from mho.macro_models.devices.sections.temperature import Temperature

__all__ = ["outside_of_law", "outside_of_published"]


def outside_of_published(name: str, data: Relaxation, time_s: float, temp_C: float) -> list[str]:
    """Of a device with published spreads."""
    found: list[str] = []
    if not data.times_s:
        return found
    first, last = data.times_s[0], data.times_s[-1]
    fitted = f"fitted from {first:g} s to {last:g} s after programming"
    if 0.0 < time_s < first:
        found.append(f"{name} is {fitted}: {time_s:g} s is interpolated from the end of programming")
    if time_s > last:
        found.append(f"{name} is {fitted}: for {time_s:g} s the spread of {last:g} s is held")
    if temp_C != data.temp_C:
        found.append(f"{name} is fitted at {data.temp_C:g} C only: {temp_C:g} C changes nothing in the model")
    return found


def outside_of_law(
    name: str, law: Law, temperature: Temperature, heat: Heat, time_s: float, temp_C: float
) -> list[str]:
    """Of a device with a law."""
    found: list[str] = []
    first, last = law.times_s[min(1, len(law.times_s) - 1)], law.times_s[-1]
    fitted = f"{name} is fitted from {first:g} s to {last:g} s after programming"
    if law.times_s[0] < time_s < first:
        found.append(f"{fitted}: {time_s:g} s is interpolated from the end of programming")
    if time_s > last:
        went_on = "the trend of the last two times goes on" if len(law.times_s) > 1 else "nothing changes"
        found.append(f"{fitted}: for {time_s:g} s {went_on}")
    known = (*temperature.fitted_C, law.temp_C)
    if not temperature.acts_on and temp_C != law.temp_C:
        found.append(f"{name} is fitted at {law.temp_C:g} C only: {temp_C:g} C changes nothing in the model")
    elif not min(known) <= temp_C <= max(known):
        how = "as between the last two temperatures"
        if temperature.acts_on != "table":
            how = f"by Arrhenius' law with {temperature.activation_eV:g} eV"
        found.append(
            f"{name} is fitted from {min(known):g} C to {max(known):g} C: {temp_C:g} C is extrapolated {how}"
        )
    if heat.note and temp_C != law.temp_C:
        found.append(f"{name}: {heat.note}")
    return found

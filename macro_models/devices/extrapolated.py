"""Conditions outside the data of a device: one sentence for each, with the range of the data."""

from mho.macro_models.devices.sections.heat import Heat, Temperature
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.devices.sections.programming import Relaxation


def outside_of_published(name: str, data: Relaxation, time_s: float, temp_C: float) -> list[str]:
    """Of a device with published spreads."""
    notes: list[str] = []
    if not data.times_s:
        return notes
    first, last = data.times_s[0], data.times_s[-1]
    fitted = f"fitted from {first:g} s to {last:g} s after programming"
    if 0.0 < time_s < first:
        notes.append(f"{name} is {fitted}: {time_s:g} s is interpolated from the end of programming")
    if time_s > last:
        notes.append(f"{name} is {fitted}: for {time_s:g} s the spread of {last:g} s is held")
    if temp_C != data.temp_C:
        notes.append(f"{name} is fitted at {data.temp_C:g} C only: {temp_C:g} C changes nothing in the model")
    return notes


def outside_of_law(
    name: str, law: Law, temperature: Temperature, heat: Heat, time_s: float, temp_C: float
) -> list[str]:
    """Of a device with a law."""
    notes: list[str] = []
    first, last = law.times_s[min(1, len(law.times_s) - 1)], law.times_s[-1]
    fitted = f"{name} is fitted from {first:g} s to {last:g} s after programming"
    if law.times_s[0] < time_s < first:
        notes.append(f"{fitted}: {time_s:g} s is interpolated from the end of programming")
    if time_s > last:
        went_on = "the trend of the last two times goes on" if len(law.times_s) > 1 else "nothing changes"
        notes.append(f"{fitted}: for {time_s:g} s {went_on}")
    return notes + outside_temperatures(name, law.temp_C, temperature, heat, temp_C)


def outside_temperatures(name: str, law_C: float, temperature: Temperature, heat: Heat, temp_C: float) -> list[str]:
    """Of a law that was fitted at ``law_C``, read at another temperature."""
    notes, temps_C = list[str](), (*temperature.fitted_C, law_C)
    if not temperature.acts_on and temp_C != law_C:
        notes.append(f"{name} is fitted at {law_C:g} C only: {temp_C:g} C changes nothing in the model")
    elif not min(temps_C) <= temp_C <= max(temps_C):
        how = "as between the last two temperatures"
        if temperature.acts_on != "table":
            how = f"by Arrhenius' law with {temperature.activation_eV:g} eV"
        notes.append(
            f"{name} is fitted from {min(temps_C):g} C to {max(temps_C):g} C: {temp_C:g} C is extrapolated {how}"
        )
    if heat.note and temp_C != law_C:
        notes.append(f"{name}: {heat.note}")
    return notes

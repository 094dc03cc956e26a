"""What a device knows of temperature, as text."""

from typing import TYPE_CHECKING

from mho.units import format_time

if TYPE_CHECKING:
    from mho.macro_models.devices import Device
    from mho.terminal.console import Output

__all__ = ["print_temperature"]

_ACTS = {"time": "time", "change": "the change"}


def print_temperature(device: "Device", out: "Output") -> None:
    """The law of temperature with its errors, what was not taken, and the agreement at each temperature."""
    law, heat = device.temperature, device.heat
    if law.acts_on in _ACTS:
        out.text(f"temperature: {law.activation_eV:g} +- {law.error_eV:g} eV, acts on {_ACTS[law.acts_on]}")
    if heat.rival and law.acts_on in _ACTS:
        out.text(
            f"chosen in {heat.choice:.0%} of resamplings; with a temperature left out its error is {heat.heldout:.2g} "
            f"of what is allowed, that of {_ACTS[heat.rival]} ({heat.rival_eV:g} eV) {heat.rival_heldout:.2g}"
        )
    if heat.reversible:
        unit = "1/K" if heat.reversible == "linear" else "eV"
        values = ", ".join(
            f"{c:.3g} +- {e:.1g} at {g:.3g} uS"
            for g, c, e in zip(heat.reversible_uS, heat.coefficient, heat.coefficient_error, strict=True)
        )
        out.text(f"reversible G(T), {heat.reversible}, from {heat.reversible_C:g} C: {values} ({unit})")
    if heat.lost_eV > 0.0:
        out.text(f"lost cells: {heat.lost_eV:g} +- {heat.lost_error_eV:g} eV, acts on time")
    if heat.at_C:
        out.table(
            ("g - target at", "n", "mean (uS)", "model", "left out", "std (uS)", "model", "left out"), _rows(device)
        )
    if heat.note:
        out.warn(f"{device.name}: {heat.note}")


def _rows(device: "Device") -> list[tuple[str, ...]]:
    heat = device.heat
    columns = (
        heat.at_C,
        heat.at_s,
        heat.n,
        heat.mean_uS,
        heat.model_mean_uS,
        heat.heldout_mean_uS,
        heat.std_uS,
        heat.model_std_uS,
        heat.heldout_std_uS,
    )
    return [
        (f"{temp_C:g} C, {format_time(time_s)}", f"{n:.0f}", *(f"{v:+.3f}" for v in means), *(f"{v:.3f}" for v in stds))
        for temp_C, time_s, n, *rest in zip(*columns, strict=True)
        for means, stds in [(rest[:3], rest[3:])]
    ]

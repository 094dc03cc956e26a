"""How well a fitted device agrees with its data, and how sure it is, as text."""

import math
from typing import TYPE_CHECKING

from mho.terminal.console import Output
from mho.units import format_time

if TYPE_CHECKING:
    from mho.macro_models.devices import Device

_LEVELS_SHOWN = 7
_ACTS = {"time": "time", "change": "the change"}


def print_fit(device: "Device", out: Output) -> None:
    """How well a fitted device agrees with its data."""
    fit = device.fit
    out.text(f"{device.name}: {fit.cells:,} cells, {fit.readings:,} readings of {fit.file}; dropped: {fit.dropped}")
    rows = [
        (
            format_time(t), f"{n:.0f}", f"{mean:+.3f}", f"{model_mean:+.3f}", f"{std:.3f}", f"{model_std:.3f}",
            f"{beyond:.2%}", f"{model_beyond:.2%}",
        )
        for t, n, mean, model_mean, std, model_std, beyond, model_beyond in zip(
            fit.times_s, fit.n, fit.mean_uS, fit.model_mean_uS, fit.std_uS, fit.model_std_uS, fit.beyond,
            fit.model_beyond, strict=True,
        )
        if n
    ]
    if rows:
        headers = ("g - target at", "n", "mean (uS)", "model", "std (uS)", "model", "beyond 3 sigma", "model")
        out.table(headers, rows)
    _print_residuals(device, out)
    _print_parts(device, out)
    _print_temperature(device, out)
    _print_confidence(device, out)
    if device.stuck.fraction > 0.0:
        values = ", ".join(f"{v:.3g}" for v in device.stuck.values_uS)
        out.text(f"stuck: {device.stuck.fraction:.3%} of the cells, at {values} uS")
    pulse = device.pulse
    if pulse.set_rate > 0.0 and pulse.reset_rate > 0.0:
        out.text(
            f"pulses: SET from {pulse.set_threshold_V:.3g} +- {pulse.set_spread_V:.2g} V to {pulse.g_high_uS:.3g} uS, "
            f"RESET from {pulse.reset_threshold_V:.3g} +- {pulse.reset_spread_V:.2g} V to {pulse.g_low_uS:.3g} uS, "
            f"e-fold in {pulse.set_slope_V:.2g} and {pulse.reset_slope_V:.2g} V"
        )
    print_pulses(device, out)


def _print_residuals(device: "Device", out: Output) -> None:
    """Device less data, for each time and some of the levels; the file has all."""
    fit, levels = device.fit, device.fit.levels_uS
    if not fit.residual_mean_uS or len(levels) < 2:
        return
    step = max(1, math.ceil(len(levels) / _LEVELS_SHOWN))
    shown = sorted({*range(0, len(levels), step), len(levels) - 1})
    rows = [
        (format_time(t), *(f"{mean[k]:+.2g} / {std[k]:+.2g}" for k in shown))
        for t, n, mean, std in zip(fit.times_s, fit.n, fit.residual_mean_uS, fit.residual_std_uS, strict=True)
        if n
    ]
    out.table(("model - data, mean / std (uS)", *(f"{levels[k]:.3g} uS" for k in shown)), rows)


def _print_parts(device: "Device", out: Output) -> None:
    """Shares of dies and cells, switching cycles, read noise."""
    fit, law, noise = device.fit, device.law, device.read_noise
    shares = ("a die", fit.share_die, fit.share_die_error), ("a cell", fit.share_cell, fit.share_cell_error)
    for what, share, error in shares:
        if share:
            out.text(f"part of the variance that is of {what}: {share[-1]:.2g} +- {error[-1]:.1g} at the last time")
    if fit.cycles_times_s:
        out.text(
            f"a decade of switching cycles moves the mean at {fit.cycles_times_s[-1]:g} s by "
            f"{fit.cycles_mean_uS[-1]:+.2g} +- {fit.cycles_mean_error_uS[-1]:.1g} uS, the deviation by "
            f"{fit.cycles_spread[-1]:+.1%} +- {fit.cycles_spread_error[-1]:.1%}"
        )
    if law.memory:
        first, last = (math.sqrt(sum(w * w for w in row)) for row in (law.memory[1], law.memory[-1]))
        correlation = sum(a * b for a, b in zip(law.memory[1], law.memory[-1], strict=True)) / (first * last)
        out.text(f"correlation of the change at {law.times_s[1]:g} s and at {law.times_s[-1]:g} s: {correlation:.2f}")
    high = device.g_max_uS or 0.0
    if any(noise.sigma_uS) and fit.times_s:
        out.text(f"read noise: {float(device.read_noise_uS(high)):.3g} uS at {high:g} uS, {noise.source}")
    traps = device.telegraph
    if traps.acts:
        out.text(
            f"telegraph noise: {float(traps.part(high)):.2g} of the cells at {high:g} uS have a trap, which moves them "
            f"by {float(traps.size_uS(high)):.3g} uS (root mean square), e-fold {traps.spread:.2g}"
        )


def _print_temperature(device: "Device", out: Output) -> None:
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
        headers = ("g - target at", "n", "mean (uS)", "model", "left out", "std (uS)", "model", "left out")
        out.table(headers, _temperature_rows(device))
    if heat.note:
        out.warn(f"{device.name}: {heat.note}")


def _temperature_rows(device: "Device") -> list[tuple[str, ...]]:
    heat = device.heat
    means = heat.mean_uS, heat.model_mean_uS, heat.heldout_mean_uS
    columns = (heat.at_C, heat.at_s, heat.n, *means, heat.std_uS, heat.model_std_uS, heat.heldout_std_uS)
    return [
        (f"{temp_C:g} C, {format_time(time_s)}", f"{n:.0f}",
         *(f"{v:+.3f}" for v in mean_texts), *(f"{v:.3f}" for v in deviations))
        for temp_C, time_s, n, *rest in zip(*columns, strict=True)
        for mean_texts, deviations in [(rest[:3], rest[3:])]
    ]


def _print_confidence(device: "Device", out: Output) -> None:
    """The 90 % intervals of mean and deviation over all cells, at each time."""
    confidence = device.confidence
    if not confidence.cells:
        return
    dies = f" on {confidence.dies} dies" if confidence.dies > 1 else ""
    out.text(f"90 % intervals of {confidence.cells:,} cells{dies}:")
    means = confidence.mean_low_uS, confidence.mean_high_uS
    columns = (device.fit.times_s, *means, confidence.std_low_uS, confidence.std_high_uS)
    rows = [
        (format_time(time_s), f"{low:+.3f} to {high:+.3f}", f"{std_low:.3f} to {std_high:.3f}")
        for time_s, low, high, std_low, std_high in zip(*columns, strict=True)
        if std_high > 0.0
    ]
    out.table(("g - target at", "mean (uS)", "std (uS)"), rows)


def print_pulses(device: "Device", out: Output) -> None:
    """Residuals of moves, parameters that are not known, and the law of identical pulses."""
    fit, update = device.pulse_fit, device.update
    if fit.volts:
        columns = (
            fit.volts, fit.n, fit.moved_uS, fit.model_moved_uS, fit.std_uS, fit.model_std_uS,
        )
        rows = [
            (f"{v:+.3g} V", f"{n:.0f}", f"{mean:+.3f}", f"{model:+.3f}", f"{std:.3f}", f"{model_std:.3f}")
            for v, n, mean, model, std, model_std in zip(*columns, strict=True)
        ]
        out.table(("move after", "n", "mean (uS)", "model", "std (uS)", "model"), rows)
    if fit.unknown:
        out.warn(f"{device.name}: the data do not say {fit.unknown}: assumed")
    if not update.model:
        return
    errors = ", ".join(
        f"{name} {error:.1%}"
        for name, error in zip(("linear", "soft", "exponential", "abrupt"), update.heldout, strict=True)
    )
    form = f"{update.model} upwards, {update.down_model} downwards" if update.down_model else update.model
    out.text(
        f"identical pulses: {form}, {update.g_min_uS:.3g} to {update.g_max_uS:.3g} uS, "
        f"steps +{update.up_uS:.3g} and -{update.down_uS:.3g} uS, asymmetry {update.asymmetry:+.2f}, "
        f"{update.states:.0f} states, spread {update.cycle_spread:.0%} a pulse, {update.cell_spread:.0%} a cell"
    )
    out.text(f"error of G(n) for cells left out, of the window: {errors}")
    out.text("[update] is for training in Python (Device.update: step, draw, curve); a chip is programmed by [pulse]")
    rows = [
        (f"{n:+.0f}", f"{g:.2f}", f"{model:.2f}")
        for n, g, model in zip(update.n, update.g_uS, update.model_g_uS, strict=True)
    ]
    out.table(("pulses", "mean G (uS)", "model"), rows)

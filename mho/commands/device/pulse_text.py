"""What a fitted answer to pulses is worth, as text."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.macro_models.devices import Device
    from mho.terminal.console import Output

__all__ = ["print_pulses"]


def print_pulses(device: "Device", out: "Output") -> None:
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

"""How sure a fitted device is, as text."""

from typing import TYPE_CHECKING

from mho.units import format_time

if TYPE_CHECKING:
    from mho.macro_models.devices import Device
    from mho.terminal.console import Output

__all__ = ["print_confidence"]


def print_confidence(device: "Device", out: "Output") -> None:
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

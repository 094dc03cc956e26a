"""How sure a fitted device is, as text."""

from typing import TYPE_CHECKING

from mho.units import format_time

if TYPE_CHECKING:
    from mho.macro_models.devices import Device
    from mho.terminal.console import Output

__all__ = ["print_confidence"]


def print_confidence(device: "Device", out: "Output") -> None:
    """The 90 % intervals of mean and deviation over all cells, at each time."""
    known = device.confidence
    if not known.cells:
        return
    dies = f" on {known.dies} dies" if known.dies > 1 else ""
    out.text(f"90 % intervals of {known.cells:,} cells{dies}:")
    columns = (device.fit.times_s, known.mean_low_uS, known.mean_high_uS, known.std_low_uS, known.std_high_uS)
    rows = [
        (format_time(time_s), f"{low:+.3f} to {high:+.3f}", f"{least:.3f} to {most:.3f}")
        for time_s, low, high, least, most in zip(*columns, strict=True)
        if most > 0.0
    ]
    out.table(("g - target at", "mean (uS)", "std (uS)"), rows)

"""Devices side by side, as ``mho compare`` prints and draws them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mho.terminal.console import Output
from mho.units import format_time

if TYPE_CHECKING:
    from mho.comparisons.devices import Moment

__all__ = ["compare_devices"]

_MOST_ROWS = 40


def compare_devices(names: Sequence[str], output: str | None, out: Output) -> dict[str, object]:
    """Print, draw and return what devices have not alike: every one against the first."""
    from mho.comparisons.devices import compare_devices as compare
    from mho.macro_models.devices import load_device

    devices = [load_device(name) for name in names]
    first, compared = devices[0], []
    for name, device in zip(names[1:], devices[1:], strict=True):
        difference = compare(first, device)
        compared.append({"device": name, **difference.to_dict()})
        out.text(f"{name} beside {names[0]}, g - target at {difference.temp_C:g} C")
        header = ("", "target", "after", names[0], name, "difference", "90 % interval", "")
        out.table(header, [_row(row) for row in difference.moments])
        if difference.keys:
            out.text()
            rows = [row.texts for row in difference.keys[:_MOST_ROWS]]
            out.table(("differs", names[0], name), rows)
        unknown = [model.name for model in (first, device) if not model.confidence.known]
        if unknown:
            out.note(f"no intervals: {' and '.join(unknown)} without errors of the numbers (mho device fit gives them)")
    if output is not None:
        from mho.figures.device.figure import figure_of_devices
        from mho.figures.run import save_figure

        save_figure(figure_of_devices(devices), output, dpi=300)
        out.note(f"wrote {output}")
    return {"first": names[0], "compared": compared}


def _row(moment: "Moment") -> tuple[str, ...]:
    interval = "" if moment.low is None or moment.high is None else f"{moment.low:+.3f} to {moment.high:+.3f}"
    verdict = {None: "", True: "more than chance", False: "no more than chance"}[moment.sure]
    return (
        moment.of, f"{moment.target_uS:.4g} uS", format_time(moment.time_s), f"{moment.first:.3f}",
        f"{moment.second:.3f}",
        f"{moment.difference:+.3f}", interval, verdict,
    )

"""Devices side by side, as ``mho compare`` prints and draws them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mho.terminal.console import Output
from mho.units import format_time

if TYPE_CHECKING:
    from mho.comparisons.devices import Moment

__all__ = ["compare_devices"]

_MOST_ROWS = 40


def compare_devices(names: Sequence[str], output: str | None, out: Output) -> dict[str, Any]:
    """Print, draw and return what devices have not alike: every one against the first."""
    from mho.comparisons.devices import compare_devices as compare
    from mho.macro_models.devices import load_device

    devices = [load_device(name) for name in names]
    first, found = devices[0], []
    for name, device in zip(names[1:], devices[1:], strict=True):
        difference = compare(first, device)
        found.append({"device": name, **difference.to_dict()})
        out.text(f"{name} beside {names[0]}, g - target at {difference.temp_C:g} C")
        header = ("", "target", "after", names[0], name, "difference", "90 % interval", "")
        out.table(header, [_row(each) for each in difference.moments])
        if difference.keys:
            out.text()
            rows = [each.texts for each in difference.keys[:_MOST_ROWS]]
            out.table(("differs", names[0], name), rows)
        unknown = [one.name for one in (first, device) if not one.confidence.known]
        if unknown:
            out.note(f"no intervals: {' and '.join(unknown)} without errors of the numbers (mho device fit gives them)")
    if output is not None:
        from mho.figures.device.figure import figure_of_devices
        from mho.figures.run import save_figure

        save_figure(figure_of_devices(devices), output, dpi=300)
        out.note(f"wrote {output}")
    return {"first": names[0], "compared": found}


def _row(each: "Moment") -> tuple[str, ...]:
    interval = "" if each.low is None or each.high is None else f"{each.low:+.3f} to {each.high:+.3f}"
    verdict = {None: "", True: "more than chance", False: "no more than chance"}[each.sure]
    return (
        each.of, f"{each.target_uS:.4g} uS", format_time(each.time_s), f"{each.first:.3f}", f"{each.second:.3f}",
        f"{each.difference:+.3f}", interval, verdict,
    )

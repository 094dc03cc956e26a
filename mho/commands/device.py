"""``mho device``: the models of memory cells."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from mho.console import Output
from mho.groups import Group
from mho.options import common_options, example
from mho.units import format_time

if TYPE_CHECKING:
    from macro_models.devices import Device

__all__ = ["device_command"]

_TIMES_S = (1.0, 3600.0, 86400.0, 30 * 86400.0)
_POINTS = 5


class _Group(Group):
    planned = {"fit": "fitting a device to measurements"}


@click.group("device", cls=_Group, epilog=example("mho device show rram-neurram"))
def device_command() -> None:
    """List and show device models.

    A device is a TOML file with the source of every constant; the name of a shipped one or the path of your own can
    be given wherever a command takes --device.
    """


@device_command.command("list", epilog=example("mho device list"))
@common_options
def list_command(out: Output) -> None:
    """List the shipped devices."""
    from macro_models.devices import device_names, load_device

    devices = [load_device(name) for name in device_names()]
    out.table(("name", "description"), [(d.name, d.description) for d in devices])
    out.json({"devices": [{"name": d.name, "description": d.description} for d in devices]})


@device_command.command("show", epilog=example("mho device show rram-neurram -o spread.png"))
@click.argument("device", metavar="DEVICE")
@click.option("-o", "--output", metavar="FILE", help="Draw the spread of conductance to a .png, .pdf or .svg file.")
@common_options
def show_command(device: str, output: str | None, out: Output) -> None:
    """Print the constants of a device with their sources, and the spread that follows from them.

    DEVICE is the name of a shipped device or a TOML file.
    """
    from macro_models.devices import load_device

    model = load_device(device)
    if output is not None:
        from mho.figures import plot_device, save_figure

        save_figure(plot_device(model), Path(output))
        out.note(f"wrote {output}")
    _print(model, out)
    out.json(model.to_dict())


def _print(model: "Device", out: Output) -> None:
    out.text(f"{model.name}: {model.description}")
    out.text()
    rows = []
    for section, values in model.to_dict().items():
        if isinstance(values, dict):
            rows += [(f"{section}.{key}", value) for key, value in values.items() if key != "source"]
            rows += [(f"{section}.source", values["source"])] if values["source"] else []
    out.table(("key", "value"), rows)
    if not model.relaxation.times_s:
        return
    targets = np.linspace(model.range.g_min_uS, model.range.g_max_uS or model.relaxation.g_ref_uS, _POINTS)
    out.text()
    out.table(
        ("sigma (uS) at", *(f"{g:.4g} uS" for g in targets)),
        [(format_time(t), *(f"{s:.3f}" for s in model.sigma_uS(targets, t))) for t in _TIMES_S],
    )
    for sentence in dict.fromkeys(w for t in _TIMES_S for w in model.warnings(t, model.relaxation.temp_C)):
        out.warn(sentence)

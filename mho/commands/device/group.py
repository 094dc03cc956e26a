"""``mho device``: the models of memory cells."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from mho.commands.device.crossbar import drive_command, tune_command
from mho.commands.device.fit import fit_command
from mho.commands.device.fit_text import print_fit, print_pulses
from mho.macro_models.errors import InputError
from mho.macro_models.output import write_output
from mho.terminal.console import Output
from mho.terminal.groups import Group
from mho.terminal.options import DEVICE, common_options, example
from mho.terminal.paths import FIGURE, READS, WORD, Writes
from mho.units import format_time

if TYPE_CHECKING:
    from mho.macro_models.devices import Device


@click.command("export", epilog=example("mho device export pcm-generic --to aihwkit -o pcm.py"))
@click.argument("device", metavar="DEVICE", type=DEVICE)
@click.option("--to", "simulator", metavar="NAME", type=WORD, required=True, help="aihwkit or crosssim.")
@click.option("-o", "--output", metavar="FILE.py", type=Writes(ends=(".py",)), required=True, help="The file to write.")
@common_options
def export_command(device: str, simulator: str, output: str, out: Output) -> None:
    """Write a device as Python for another simulator, and say what is lost."""
    from mho.macro_models.devices import load_device
    from mho.macro_models.exchange import EXPORTS

    if simulator not in EXPORTS:
        raise InputError(f"--to must be {' or '.join(EXPORTS)}, not {simulator!r}")
    text, lost = EXPORTS[simulator](load_device(device))
    write_output(Path(output), text.encode())
    for what in lost:
        out.text(f"lost: {what}")
    out.note(f"wrote {output}")
    out.json({"device": device, "to": simulator, "lost": list(lost)})


@click.command("import", epilog=example("mho device import PCMLikeNoiseModel -o pcm.toml"))
@click.argument("source", metavar="FILE|NAME", type=READS)
@click.option("-o", "--output", metavar="D.toml", type=Writes(ends=(".toml",)), required=True, help="The device file.")
@click.option(
    "--g-min-uS", "g_min_us", type=float, default=1.0, show_default=True, metavar="G",
    help="Conductance of the least weight of a preset with soft bounds, in uS.",
)
@click.option(
    "--g-max-uS", "g_max_us", type=float, default=40.0, show_default=True, metavar="G", help="Of the largest weight."
)
@click.option("--name", metavar="NAME", type=WORD, help="Name of the device (default: that of the file).")
@common_options
def import_command(source: str, output: str, g_min_us: float, g_max_us: float, name: str | None, out: Output) -> None:
    """Make a device of one of aihwkit, and say what is lost.

    A preset by its name, or a file with its call (PCMLikeNoiseModel(g_max=25.0)), a dict, or JSON with "class". Nothing
    of the file is run.
    """
    from mho.macro_models.exchange import import_aihwkit
    from mho.macro_models.files import FileKind, read_text
    from mho.macro_models.fit import device_toml

    if not 0.0 <= g_min_us < g_max_us <= 1e6:
        raise InputError(f"--g-min-uS must be at least 0 and below --g-max-uS, not {g_min_us:g} and {g_max_us:g}")
    text = read_text(source, FileKind("device of aihwkit", 1 << 20)) if Path(source).is_file() else source
    lines = [line for line in text.splitlines() if not line.startswith(("#", "from ", "import "))]
    where = source if Path(source).is_file() else "aihwkit"
    device, lost = import_aihwkit(
        "\n".join(lines), name=name or Path(output).stem, g_min_uS=g_min_us, g_max_uS=g_max_us, where=where
    )
    write_output(Path(output), device_toml(device).encode())
    for what in lost:
        out.text(f"lost: {what}")
    out.note(f"wrote {output}")
    out.json(device.to_dict())


_TIMES_S = (1.0, 3600.0, 86400.0, 30 * 86400.0)
_RETENTION_S = (3600.0, 86400.0, 365.25 * 86400.0)
_POINTS = 5


@click.group("device", cls=Group, epilog=example("mho device fit lab.csv -o mine.toml"))
def device_command() -> None:
    """List, show, fit and exchange device models.

    A device is a TOML file with the source of every constant; the name of a shipped one or the path of your own can
    be given wherever a command takes --device.
    """


@click.command("list", epilog=example("mho device list"))
@common_options
def list_command(out: Output) -> None:
    """List the shipped devices."""
    import mho

    devices = [device.model for device in mho.devices().values()]
    out.table(("name", "description"), [(d.name, d.description) for d in devices])
    out.json({"devices": [{"name": d.name, "description": d.description} for d in devices]})


@click.command("show", epilog=example("mho device show rram-neurram -o spread.png"))
@click.argument("devices", metavar="DEVICE...", type=DEVICE, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FIGURE,
    help="Draw what the device does, with its data, to a .png, .pdf or .svg file; several devices in the same panels.",
)
@click.option(
    "--column", metavar="NAME", type=WORD, default="double", show_default=True,
    help="Width of the figure: single (3.5 in) or double (7.16 in) column of a journal.",
)
@common_options
def show_command(devices: tuple[str, ...], output: str | None, column: str, out: Output) -> None:
    """Print the constants of devices with their sources, and what follows from them.

    DEVICE is the name of a shipped device or a TOML file.
    """
    from mho.macro_models.devices import load_device

    models = [load_device(device) for device in devices]
    if column not in ("single", "double"):
        raise InputError(f"--column must be single or double, not {column!r}")
    if output is not None:
        from mho.figures.device.figure import figure_of_device, figure_of_devices
        from mho.figures.run import save_figure

        draw_one = len(models) == 1
        figure = figure_of_device(models[0], column) if draw_one else figure_of_devices(models, column)
        save_figure(figure, output, dpi=300)
        out.note(f"wrote {output}")
    for k, model in enumerate(models):
        if k:
            out.text()
        _print(model, out)
    out.json(models[0].to_dict() if len(models) == 1 else {"devices": [model.to_dict() for model in models]})


for _command in (
    drive_command, export_command, fit_command, import_command, list_command, show_command, tune_command,
):
    device_command.add_command(_command)


def _print(model: "Device", out: Output) -> None:
    from mho.macro_models.devices.sections.pulse import PulseResponse

    out.text(f"{model.name}: {model.description}")
    out.text()
    rows = []
    moves = bool(model.law.model) or (model.relaxes and not model.relaxation.times_s)  # by another law than a spread
    fitted = {"law", "temperature", "fit", "heat", "confidence"}
    hidden = {"pulse_fit"} | ({"relaxation"} if moves else set()) | (set() if model.law.model else {"law"})
    hidden |= set() if model.law.model or model.fit.times_s else fitted
    unused = not (model.pulse.set_rate > 0.0 and model.pulse.reset_rate > 0.0)
    for section, values in model.to_dict().items():
        if not isinstance(values, dict) or section in hidden:
            continue
        source = values.pop("source")
        if section == "fit":
            values.pop("warnings")  # each is a sentence, below
        if section == "pulse" and unused:  # numbers of pulses that nobody gave; what the file says of them is kept
            plain = vars(PulseResponse())
            values = {key: value for key, value in values.items() if value != plain[key]}
        rows += [(f"{section}.{key}", _short(value)) for key, value in values.items() if value not in ([], "")]
        rows += [(f"{section}.source", source)] if source else []
    out.table(("key", "value"), rows)
    if model.fit.times_s:
        out.text()
        print_fit(model, out)
    elif model.pulse_fit.volts:
        out.text()
        print_pulses(model, out)
    for sentence in model.fit.warnings:
        out.text(f"note: {sentence}")
    if not model.relaxes:
        return
    targets = np.linspace(model.range.g_min_uS, model.range.g_max_uS or model.relaxation.g_ref_uS, _POINTS)
    headers = [f"{g:.4g} uS" for g in targets]
    temp_C = model.data_temp_C
    times = dict.fromkeys((0.0, *(model.data_times_s if moves else ()), *_TIMES_S))
    out.text()
    out.table(
        (f"sigma (uS) at {temp_C:g} C", *headers),
        [(format_time(t), *(f"{s:.3f}" for s in model.sigma_uS(targets, t, temp_C))) for t in sorted(times)],
    )
    if moves:
        _print_drift(model, targets, headers, out)
    from mho.figures.device.data import RETENTION_C

    conditions = [*((t, temp_C) for t in _TIMES_S), (_TIMES_S[0], max(RETENTION_C))]
    for sentence in dict.fromkeys(w for t, temp in conditions for w in model.warnings(t, temp)):
        out.warn(sentence)


def _print_drift(model: "Device", targets: np.ndarray, headers: list[str], out: Output) -> None:
    """Mean and spread at the temperatures of retention."""
    from mho.figures.device.data import RETENTION_C

    for name, function in (("mean of g - target", model.mean_uS), ("sigma", model.sigma_uS)):
        out.text()
        out.table(
            (f"{name} (uS) at", *headers),
            [
                (f"{format_time(t)}, {temp_C:g} C", *(f"{v:.3f}" for v in function(targets, t, temp_C)))
                for t in _RETENTION_S
                for temp_C in RETENTION_C
            ],
        )


def _short(value: object) -> str:
    """A list of lists by its shape: the file holds it."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return f"{len(value)} x {len(value[0])} values" + (
            f" of {len(value[0][0])}" if isinstance(value[0][0], list) else ""
        )
    if not isinstance(value, list):
        return str(value)
    if value and isinstance(value[0], str):
        return ", ".join(value)
    text = ", ".join(f"{v:g}" for v in value)
    return text if len(text) <= 100 else f"{len(value)} values from {value[0]:g} to {value[-1]:g}"

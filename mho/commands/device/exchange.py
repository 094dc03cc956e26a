"""``mho device export`` and ``mho device import``: devices for other simulators, and from them."""

from pathlib import Path

import click

from mho.macro_models.errors import InputError
from mho.macro_models.output import write_output
from mho.terminal.console import Output
from mho.terminal.names import DEVICE
from mho.terminal.options import common_options, example
from mho.terminal.paths import READS, WORD, Writes

__all__ = ["export_command", "import_command"]


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

"""``mho device fit``: a device from a lab's table."""

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mho.commands.device.fit_text import print_fit
from mho.terminal.console import Output
from mho.terminal.options import DEVICE, common_options, example
from mho.terminal.paths import READS, WORD, Writes

if TYPE_CHECKING:
    from mho.macro_models.devices import Device

_G_BITS, _MOST_BITS = 12, 16  # of a chip's conductances (core.g_bits)
_CODES = 16.0  # of the least target


@click.command("fit", epilog=example("mho device fit lab.csv -o mine.toml --columns t_s=time,g_S=G --g-max-uS 40"))
@click.argument("data", metavar="DATA.csv", type=READS)
@click.option(
    "-o", "--output", metavar="D.toml", type=Writes(ends=(".toml",)), required=True, help="The device file to write."
)
@click.option(
    "--model", default="auto", show_default=True, metavar="NAME", type=WORD,
    help="parametric (medians, cores and tails), empirical (quantiles as measured), drift (a power law with a spread "
    "of its exponent), or auto: drift where it foresees more, empirical where cells are of two kinds, else parametric.",
)
@click.option(
    "--columns", metavar="NAME=HEADER,..", type=WORD, help="Names of the columns, or their numbers without a header."
)
@click.option("--g-min-uS", "g_min_us", type=float, metavar="G", help="Least target of the chip.")
@click.option(
    "--g-max-uS", "g_max_us", type=float, metavar="G",
    help="Largest target of the chip; cells programmed above it are left out.",
)
@click.option("--temp", type=float, default=25.0, show_default=True, metavar="C", help="Temperature without temp_C.")
@click.option("--temp-max", type=float, metavar="C", help="Leave out readings at higher temperatures.")
@click.option(
    "--temperature-from", metavar="DEVICE", type=DEVICE, help="Take Arrhenius' law from another fitted device."
)
@click.option("--name", metavar="NAME", type=WORD, help="Name of the device (default: that of the file).")
@click.option("--description", metavar="TEXT", type=WORD, default="", help="One line about the device.")
@click.option("--source", metavar="TEXT", type=WORD, default="", help="Where the data come from.")
@common_options
def fit_command(
    data: str, output: str, model: str, columns: str | None, g_min_us: float | None, g_max_us: float | None,
    temp: float, temp_max: float | None, temperature_from: str | None, name: str | None, description: str,
    source: str, out: Output,
) -> None:
    """Fit a device to measured relaxation and retention, from tidy CSV or TSV (.gz too) with a header.

    One row a reading: t_s (since programming) and one of g_uS, g_S, r_ohm; optional cell, die, g_target_uS, temp_C,
    read_temp_C, cycle (which programming of the cell), cycles (how often it was switched before). Without a target,
    the first reading of each cell is its programmed value. Other units are converted (t_h, g_nS, r_kohm, temp_K, or
    i_uA with v_read_V), as they are in brackets behind a title or in a row below the header. A column for each time
    or each cell: --columns g_uS=*. Decimal commas, UTF-16, Windows-1252, sep= and #N/A are read; Parquet, HDF5, MAT and
    xlsx with pip install 'mho[lab]'.

    Rows with a pulse_V are readings after a pulse (SET above 0 V, RESET below), in the order of pulse_n, of width
    pulse_ns: the answer to pulses is fitted to them. A table may have both kinds of rows.
    """
    from mho.api.device import fit
    from mho.macro_models.fit.tables.table import parse_columns

    with out.progress(f"fitting {data}") as progress:
        fitted = fit(
            data, model=model, columns=parse_columns(columns) if columns else None, g_min_uS=g_min_us,
            g_max_uS=g_max_us, temp=temp, temp_max=temp_max, temperature_from=temperature_from,
            name=name or Path(output).stem, description=description, source=source, command=_command(),
            progress=progress,
        )
    fitted.save(output)
    device = fitted.model
    print_fit(device, out)
    for sentence in device.fit.warnings:
        out.warn(sentence)
    _print_use(device, output, out)
    out.note(f"wrote {output}")
    out.json(device.to_dict())


def _command() -> str:
    """The command line that was given, with the names of files instead of their paths."""
    context = click.get_current_context()
    words = ["mho device fit", Path(context.params["data"]).name]
    defaults = {param.name: param for param in context.command.params}
    for key, value in context.params.items():
        param = defaults.get(key)
        noted = key in ("model", "columns", "g_min_us", "g_max_us", "temp", "temp_max", "temperature_from")
        if noted and param is not None and value is not None and value != param.default:
            words += [param.opts[-1], Path(value).name if key == "temperature_from" else f"{value}"]
    return " ".join([words[0], *(shlex.quote(word) for word in words[1:])])


def _print_use(device: "Device", output: str, out: Output) -> None:
    """What a chip needs to take the device."""
    last = (0.0, *device.data_times_s)[-1]
    high = device.g_max_uS or 0.0
    top = high * 1.25 if not device.law.model else high + 3.0 * float(device.sigma_uS(high, last, device.law.temp_C))
    digits = 10.0 ** (math.floor(math.log10(top)) - 1)
    low, full = device.range.g_min_uS, math.ceil(top / digits) * digits
    bits = max(_G_BITS, math.ceil(math.log2(_CODES * full / low))) if low > 0.0 else _G_BITS
    more = f" --set core.g_bits={min(bits, _MOST_BITS)}" if bits > _G_BITS else ""
    out.text(
        f"a chip takes it with: --device {output} --set cells.g_min_uS={low:g} "
        f"--set cells.g_max_uS={high:g} --set cells.g_full_scale_uS={full:g}{more}"
    )
    if bits > _MOST_BITS:
        out.warn(
            f"targets from {low:g} to {high:g} uS are more than {_MOST_BITS} bits of a conductance hold: a chip has "
            f"codes of {full / 2**_MOST_BITS:.2g} uS, coarse for the smallest; raise cells.g_min_uS"
        )

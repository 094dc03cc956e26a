"""``mho device fit``: a device from a lab's table."""

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mho.commands.device.confidence_text import print_confidence
from mho.commands.device.pulse_text import print_pulses
from mho.commands.device.temperature_text import print_temperature
from mho.terminal.console import Output
from mho.terminal.names import DEVICE
from mho.terminal.options import common_options, example
from mho.terminal.paths import READS, WORD, Writes
from mho.units import format_time

if TYPE_CHECKING:
    from mho.macro_models.devices import Device

__all__ = ["fit_command"]

_G_BITS, _MOST_BITS = 12, 16  # of a chip's conductances (core.g_bits)
_CODES = 16.0  # of the least target
_LEVELS_SHOWN = 7


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
    from mho.api.fit import fit
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
        _print_agreement(rows, out)
    _print_residuals(device, out)
    _print_parts(device, out)
    print_temperature(device, out)
    print_confidence(device, out)
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


def _print_agreement(rows: list[tuple[str, ...]], out: Output) -> None:
    headers = ("g - target at", "n", "mean (uS)", "model", "std (uS)", "model", "beyond 3 sigma", "model")
    out.table(headers, rows)


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

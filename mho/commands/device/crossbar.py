"""``mho device tune`` and ``mho device drive``: cells under pulses."""

from typing import TYPE_CHECKING

import click

from mho.terminal.console import Output
from mho.terminal.options import DEVICE, common_options, example
from mho.terminal.paths import FIGURE, READS, WORD, WRITES

if TYPE_CHECKING:
    from mho.macro_models.compact import CompactModel


@click.command("tune", epilog=example("mho device tune rram-passive --rows 16 --columns 16 --scheme third"))
@click.argument("device", metavar="DEVICE", type=DEVICE, default="rram-passive")
@click.option("--rows", type=int, default=64, show_default=True, metavar="N", help="Rows of random targets.")
@click.option("--columns", type=int, default=64, show_default=True, metavar="N", help="Columns of random targets.")
@click.option("--targets", metavar="X.npy", type=READS, help="Targets in uS, in place of random ones.")
@click.option(
    "--scheme", metavar="NAME", type=WORD, default="half", show_default=True,
    help="Bias of unselected lines: half (V/2) or third (V/3).",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="The chip, and random targets.")
@click.option("--fresh", is_flag=True, help="Form the cells first, one by one.")
@click.option("--plot", metavar="F.png", type=FIGURE, help="Draw the errors and the passes (.png, .pdf or .svg).")
@common_options
def tune_command(
    device: str, rows: int, columns: int, targets: str | None, scheme: str, seed: int, fresh: bool,
    plot: str | None, out: Output,
) -> None:
    """Write a crossbar without transistors in passes, and count what was disturbed.

    DEVICE is the name of a shipped device or a TOML file with a section pulse. Random targets are uniform in its range.
    """
    import numpy as np

    import mho
    from mho.compiler import load_input
    from mho.macro_models.devices import load_device
    from mho.macro_models.errors import InputError

    if not (1 <= rows <= 256 and 1 <= columns <= 256):
        raise InputError(f"--rows and --columns must be between 1 and 256, not {rows} and {columns}")
    limits = load_device(device).range
    low, high = (limits.g_min_uS, limits.g_max_uS) if limits.g_max_uS > 0.0 else (10.0, 100.0)
    random = np.random.default_rng(seed).uniform(low, high, (rows, columns))
    target = random if targets is None else np.asarray(load_input(targets), dtype=np.float64)
    result = mho.tune_crossbar(target, device=device, scheme=scheme, seed=seed, fresh=fresh)
    out.table(
        ("pass", "cells pulsed", "pulses", "disturbed since", "moves of others", "in window"),
        [
            (k, each.visited, each.pulses, each.disturbed, each.disturbances, f"{each.within:.2%}")
            for k, each in enumerate(result.passes, 1)
        ],
    )
    silent = int(result.silent.sum())
    out.text(
        f"{result.within:.2%} of cells within {result.window:.0%} of their targets, "
        f"mean error {result.mean_error:.2%}; {result.retouched} touched again, {silent} do not answer"
    )
    if plot is not None:
        from mho.figures.lines import figure_of_tuning
        from mho.figures.run import save_figure

        save_figure(figure_of_tuning(result, f"{result.error.shape[0]} x {result.error.shape[1]}, {scheme}"), plot)
        out.note(f"wrote {plot}")
    out.json({
        "within": result.within, "mean_error": result.mean_error, "window": result.window, "pulses": result.pulses,
        "retouched": result.retouched, "silent": silent, "passes": [vars(each) for each in result.passes],
    })


@click.command("drive", epilog=example("mho device drive strachan-taox --sine 0.5 --frequency 1e8 --cycles 50"))
@click.argument("model", metavar="MODEL", type=WORD)
@click.option("--start", metavar="X,..", type=WORD, default="0.5", show_default=True, help="States at the start, 0..1.")
@click.option("--sine", type=float, metavar="V", help="Amplitude of a sine, in V.")
@click.option("--frequency", type=float, default=1e6, show_default=True, metavar="HZ", help="Its frequency.")
@click.option("--cycles", type=int, default=1, show_default=True, metavar="N", help="Its cycles.")
@click.option("--pulses", "volts", metavar="V,..", type=WORD, help="Amplitudes of rectangular pulses, in V.")
@click.option("--width", type=float, default=1e-6, show_default=True, metavar="S", help="Their width, in seconds.")
@click.option("-o", "--output", metavar="FILE.csv", type=WRITES, help="Readings after pulses, for mho device fit.")
@common_options
def drive_command(
    model: str, start: str, sine: float | None, frequency: float, cycles: int, volts: str | None, width: float,
    output: str | None, out: Output,
) -> None:
    """Put a voltage across cells of a compact model from the literature.

    MODEL is strachan-taox, vteam, yakopcic or stanford-pku, or a device with a section [compact]; a state is 0..1. Of a
    sine the mean of the last cycle is told, of pulses the state and the conductance at 0.1 V after each.
    """
    import numpy as np

    from mho.macro_models.compact import MODELS, compact_model, drive, pulses
    from mho.macro_models.compact import sine as sine_wave
    from mho.macro_models.errors import InputError
    from mho.macro_models.output import write_output

    cell, states = compact_model(model) if model in MODELS else _cell_of(model), _numbers("--start", start)
    if (sine is None) == (volts is None):
        raise InputError("either --sine or --pulses must be given")
    if output is not None and volts is None:
        raise InputError("--output must be left out without --pulses, whose readings it has")
    if not (frequency > 0.0 and width > 0.0 and 1 <= cycles <= 1_000_000):
        raise InputError("--frequency and --width must be positive, and --cycles between 1 and 1,000,000")
    if sine is not None:
        times = (cycles - 1 + np.arange(101) / 100) / frequency
        x = drive(cell, states, sine_wave(sine, frequency), times)
        mean = np.atleast_1d(np.trapezoid(x, axis=0) / 100)
        out.table(("start", "mean of the last cycle", "lowest", "highest"), [
            (f"{s:g}", f"{m:.6f}", f"{low:.6f}", f"{high:.6f}")
            for s, m, low, high in zip(states, mean, x.min(axis=0), x.max(axis=0), strict=True)
        ])
        out.json({"start": states, "mean": mean.tolist()})
        return
    levels = _numbers("--pulses", volts or "")
    x = drive(cell, states, pulses(levels, width), width * np.arange(1, len(levels) + 1))
    g_uS = cell.current(x, np.full(x.shape, 0.1)) / 0.1 * 1e6
    out.table(("pulse (V)", *(f"x from {s:g}" for s in states), *(f"uS from {s:g}" for s in states)), [
        (f"{v:g}", *(f"{s:.6f}" for s in row), *(f"{g:.4g}" for g in line))
        for v, row, line in zip(levels, x, g_uS, strict=True)
    ])
    out.json({"start": states, "volts": levels, "state": x.tolist(), "g_uS": g_uS.tolist()})
    if output is not None:
        first = cell.current(np.array(states), np.full(len(states), 0.1)) / 0.1 * 1e6
        lines = [f"{k},0,,,{g:.9g}" for k, g in enumerate(first.tolist())] + [
            f"{k},{n},{cell.set_sign * volt:g},{width * 1e9:.9g},{g:.9g}"
            for n, (volt, row) in enumerate(zip(levels, g_uS.tolist(), strict=True), 1) for k, g in enumerate(row)
        ]
        write_output(output, "\n".join(["cell,pulse_n,pulse_V,pulse_ns,g_uS", *lines, ""]).encode())
        out.note(f"wrote {output}")


def _cell_of(device: str) -> "CompactModel":
    """The cell of a device with a compact model."""
    from mho.macro_models.compact import MODELS
    from mho.macro_models.devices import device_names, load_device
    from mho.macro_models.errors import InputError

    if not device.endswith(".toml") and device not in device_names():
        names = f"{', '.join(MODELS)}, or a device with a section [compact]"
        raise InputError(f"MODEL must be one of {names}, not {device!r}")
    section = load_device(device).compact
    if not section.model:
        raise InputError(f"{device}: compact.model must be given, one of {', '.join(MODELS)}, to be driven")
    return section.cell


def _numbers(option: str, text: str) -> list[float]:
    from mho.macro_models.errors import InputError

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 1000 or not all(abs(number) < 1e9 for number in numbers):
        raise InputError(f"{option} must be numbers separated by commas, at most 1,000, not {text!r}")
    return numbers

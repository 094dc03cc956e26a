"""``mho program``: the cells of a network's cores, by write-verify or as measured."""

from typing import TYPE_CHECKING, Any

import click

from mho.terminal.console import Output
from mho.terminal.options import DEVICE, backend_option, common_options, example
from mho.terminal.paths import FIGURE, READS, WORD, WRITES

if TYPE_CHECKING:
    from mho.sim.programming.instance import Cells

PUBLISHED = {"pulses_per_cell": 8.5, "passes": 3, "source": "Wan et al., Nature 608, 504 (2022), as quoted"}
"""What is published of the chip that the algorithm is of."""


@click.command(
    "program",
    epilog=example("mho program net.mho -o cells.npz --pulses pulses.csv"),
)
@click.argument("network", metavar="NET.mho", type=READS)
@click.option(
    "--from", "measured", metavar="G.npz", type=READS,
    help="Measured conductances in uS in place of programming; NaN: dead cell.",
)
@click.option("--form", is_flag=True, help="The cells are fresh: form them first.")
@click.option("--screen/--no-screen", default=True, show_default=True, help="Find dead cells near their targets.")
@click.option(
    "-o", "--output", metavar="CELLS.npz", type=WRITES, help="Write the cells, for run --cells and compile --cells."
)
@click.option("--pulses", metavar="P.csv", type=WRITES, help="Write all pulses in their order.")
@click.option(
    "--plot", metavar="F.png", type=FIGURE, help="Draw pulses a cell, errors and the fault map (.png, .pdf or .svg)."
)
@backend_option()
@click.option("--device", metavar="DEVICE", type=DEVICE, help="Device of the cells (default: the network's).")
@click.option(
    "--pulse-law", metavar="DEVICE", type=DEVICE,
    help="Whose answer to pulses (default: the device's, else of rram-neurram).",
)
@click.option(
    "--seed", type=int, metavar="N", help="Which chip (default: the one that the network was compiled for, else 0)."
)
@click.option(
    "--set", "overrides", metavar="programming.KEY=VALUE", type=WORD, multiple=True, help="Change how it is programmed."
)
@common_options
def program_command(
    network: str, measured: str | None, form: bool, screen: bool, output: str | None, pulses: str | None,
    plot: str | None, backend: str, port: str | None, baud: int | None, device: str | None, pulse_law: str | None,
    seed: int | None, overrides: tuple[str, ...], out: Output,
) -> None:
    """Program the cells of one chip for a network, or take measured ones, and write the chip's cells.

    All cells are programmed to what the network wants, those without a weight to g_min, row by row and pass by pass;
    first those that are near their targets already are moved away, because dead ones among them would pass. Cells
    without transistors are tuned from large amplitudes to small ones, in passes that come back to those that pulses for
    others have disturbed. Cells that do not converge are the fault map; lines with more than half of their cells in it
    are dead. mho run --cells runs on exactly these cells, mho compile --cells avoids what is faulty. With --from the
    maps of all cores are one array of shape (cores, N, N) or (N, N), or one array for each core.
    """
    from mho.api.compile import load
    from mho.macro_models.devices import load_device
    from mho.runs.backends import backend_of
    from mho.runs.writing import check_program_options, program_net

    chosen = backend_of(backend, {"port": port, "baud": baud})
    check_program_options(
        seed=seed, backend=chosen, measured=measured is not None, pulses=pulses is not None,
        law=pulse_law is not None, form=form,
    )
    net = load(network).network
    law = None if pulse_law is None else load_device(pulse_law)
    with out.progress("taking measured cells" if measured else f"programming on {backend}") as progress:
        cells = program_net(
            net, device=net.device if device is None else load_device(device), pulse_law=law, seed=seed,
            backend=chosen, measured=measured, form=form, screen=screen, pulses=pulses, progress=progress,
            overrides=overrides, note=out.note, loading=progress,
        )
    if output is not None:
        cells.save(output)
    if plot is not None:
        from mho.figures.run import figure_of_cells, save_figure

        save_figure(figure_of_cells(cells), plot)
    _print(cells, out)
    for path in (output, pulses, plot):
        if path is not None:
            out.note(f"wrote {path}")
    command = {"network": network, "measured": measured, "form": form, "screen": screen, "output": output, "port": port}
    out.json(_content(cells, **command, pulses=pulses, pulse_law=pulse_law))


def _print(cells: "Cells", out: Output) -> None:
    published = cells.report.get("published", PUBLISHED)
    report, plural = cells.report, "core" if len(cells.cores) == 1 else "cores"
    what = "measured" if cells.source == "measured" else f"programmed on {cells.source}"
    out.text(
        f"{report['cells']:,} cells of {len(cells.cores)} {plural} of {cells.chip.name} with {cells.device.name}, "
        f"seed {cells.seed}: {what}"
    )
    rows = [(f"within {report['accept_uS']:g} uS of the target", f"{report['within']:.3%}", "")]
    if cells.source != "measured":
        rows += [
            (f"{name}: cells, pulses, faults", "{cells}, {pulses}, {faults}".format_map(report[name]), "")
            for name in ("forming", "screening")
            if name in report
        ]
        rows += [
            *_tuned(report.get("tuning")),
            ("pulses a cell", f"{report['pulses_per_cell']:.2f}", f"{published['pulses_per_cell']}"),
            ("passes", f"{report['passes']}", f"{published['passes']}"),
            ("cells given up in the last pass", f"{report['given_up']}", ""),
            ("time of the engine (s), waits included", f"{_seconds(cells):.3g}", ""),
        ]
    else:
        rows += [("dead cells (NaN, or lines that read 0)", f"{report['dead']}", "")]
    rows += [
        ("cells in the fault map", f"{report['faults']}", ""),
        ("dead rows", f"{report['dead_rows']}", ""),
        ("dead columns", f"{report['dead_columns']}", ""),
    ]
    if cells.source == "measured":
        out.table(("", "this chip"), [row[:2] for row in rows])
    else:
        out.table(("", "this chip", "published"), rows)
        out.text(f"published: {published['source']}")
    for k, core in enumerate(cells.cores):
        for name, dead in (("rows", core.dead_rows), ("columns", core.dead_columns)):
            if dead.any():
                out.text(f"core {k}: dead {name} {', '.join(map(str, dead.nonzero()[0].tolist()))}")


def _tuned(tuning: "dict[str, Any] | None") -> list[tuple[str, str, str]]:
    """Of cells without transistors."""
    if tuning is None:
        return []
    return [
        (f"within {tuning['window']:.0%} of the target", f"{tuning['within']:.3%}", ""),
        ("mean error", f"{tuning['mean_error']:.2%}", ""),
        ("cells touched again, as others disturbed them", f"{tuning['retouched']}", ""),
        ("cells that do not answer", f"{tuning['silent']}", ""),
        ("energy of pulses (uJ), meant cells", f"{1e6 * tuning['energy_J'][0]:.3g}", ""),
        ("energy of pulses (uJ), the others", f"{1e6 * tuning['energy_J'][1]:.3g}", ""),
    ]


def _seconds(cells: "Cells") -> float:
    """Time of all runs of the engine, one core after the other, in seconds."""
    return float(cells.report["cycles"]) / (cells.chip.clock.f_clk_MHz * 1e6)


def _content(cells: "Cells", **command: object) -> dict[str, object]:
    """What ``--json`` writes."""
    from mho.version import library_versions

    return {
        "command": command,
        "versions": library_versions(),
        "cells": cells.provenance(),
        "report": dict(cells.report),
        "published": cells.report.get("published", PUBLISHED),
        "cores": [
            {
                "faults": int(core.faults.sum()),
                "dead_rows": core.dead_rows.nonzero()[0].tolist(),
                "dead_columns": core.dead_columns.nonzero()[0].tolist(),
                "pulses": int(core.pulses.sum()),
            }
            for core in cells.cores
        ],
        "chip": cells.chip.to_dict(),
        "device": cells.device.to_dict(),
    }

"""What ``mho program --plot`` draws: pulses a cell, how far cells are from their targets, the fault map."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mho.figures.run import COLOURS, in_style, new_figure

if TYPE_CHECKING:
    from mho.sim.noc.verify import NocReport
    from mho.sim.programming.instance import Cells


def _draw_latencies(axes: Axes, report: "NocReport") -> None:
    for latency, colour in zip(report.latencies.values(), COLOURS, strict=False):
        axes.step(latency, np.arange(1, len(latency) + 1) / len(latency), color=colour, linewidth=1.0)
    axes.set(xscale="log", xlabel="latency / cycles", ylabel="part of the flits", ylim=(0, 1))
    axes.set_title("Bare routers: latency, waiting at the source included")


def _draw_rates(axes: Axes, report: "NocReport") -> None:
    rows = [(str(case["traffic"]), float(case["deliveries"]) / float(case["cycles"])) for case in report.cases]
    for stall in dict.fromkeys(job["stall"] for job in report.jobs):
        jobs = [job for job in report.jobs if job["stall"] == stall]
        rate = sum(job["deliveries"] for job in jobs) / sum(job["cycles"] for job in jobs)
        rows.append((f"whole mesh, {stall:.0%} stalls", rate))
    colours = [*COLOURS[: len(report.cases)], *[COLOURS[-1]] * len(rows)]
    rates = [rate / report.mesh.nodes for _, rate in rows]
    axes.barh(range(len(rows)), rates, color=colours[: len(rows)], height=0.6)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set(xlabel="deliveries / cycle / node, start and end included")
    axes.set_title("All of it arrived, once and in order")


@in_style
def figure_of_noc(report: "NocReport") -> Figure:
    """The figure of a report."""
    figure = new_figure(7.2, 2.8)
    left, right = figure.subplots(1, 2)
    _draw_latencies(left, report)
    _draw_rates(right, report)
    m = report.mesh
    figure.suptitle(f"Mesh of {m.columns} x {m.rows}, {m.payload_bits} bits, generated Verilog", fontsize=9)
    return figure


@in_style
def figure_of_cells(cells: "Cells") -> Figure:
    """Three panels; the fault map is that of the core with the most faults."""
    measured = cells.source == "measured"
    figure = new_figure(2.9 * (2 if measured else 3), 2.5)
    axes = figure.subplots(1, 2 if measured else 3)
    if not measured:
        pulses = np.concatenate([core.pulses.ravel() for core in cells.cores])
        top = max(int(np.quantile(pulses, 0.999)), 10)
        axes[0].hist(np.minimum(pulses, top), bins=np.arange(top + 2) - 0.5, color=COLOURS[0])
        axes[0].axvline(pulses.mean(), color="black", linewidth=0.8, label=f"mean {pulses.mean():.2f}")
        axes[0].set_title(f"pulses of {cells.report['passes']} passes")
        axes[0].set_xlabel(f"pulses a cell (last bin: {top} and more)")
        axes[0].set_ylabel("cells")
        axes[0].legend()
    band, error = cells.report["accept_uS"], np.concatenate([(c.g_uS - c.target_uS).ravel() for c in cells.cores])
    reach = (5.0 if measured else 1.5) * band
    axes[-2].hist(np.clip(error, -reach, reach), bins=80, color=COLOURS[2])
    for edge in (-band, band):
        axes[-2].axvline(edge, color="black", linewidth=0.8, linestyle=":")
    axes[-2].set_title(f"{cells.report['within']:.3%} within {band:g} µS")
    axes[-2].set_xlabel("g - target (µS), clipped at the ends")
    axes[-2].set_ylabel("cells")
    worst = max(range(len(cells.cores)), key=lambda k: cells.cores[k].faults.sum())
    core = cells.cores[worst]
    rows, columns = np.nonzero(core.faults)
    axes[-1].scatter(columns, rows, s=2, color=COLOURS[1], linewidths=0)
    lines = len(core.dead_rows)
    axes[-1].set(xlim=(-0.5, lines - 0.5), ylim=(lines - 0.5, -0.5), aspect="equal")
    axes[-1].set_title(f"core {worst}: {core.faults.sum()} faulty cells")
    axes[-1].set_xlabel("source line")
    axes[-1].set_ylabel("bit line")
    return figure

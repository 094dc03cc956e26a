"""What ``mho verify noc`` draws: how long flits took, and how many came in a cycle."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mho.figures.run import COLOURS, in_style, new_figure

if TYPE_CHECKING:
    from mho.sim.noc.verify import NocReport

__all__ = ["figure_of_noc"]


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

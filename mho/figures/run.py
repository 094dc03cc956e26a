"""Figures of runs: plain ``Figure`` objects, so that nothing global is touched and all of Matplotlib's formats work."""

import functools
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mho.macro_models.errors import InputError
from mho.macro_models.output import write_output

if TYPE_CHECKING:
    from mho.sim.noc.verify import NocReport
    from mho.sim.programming.instance import Cells

P = ParamSpec("P")

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""
MARKERS = "osD^vPX"
"""As many as colours, for paper without them."""

_STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "axes.titlelocation": "left",
}
_SCATTER_POINTS = 4000


def in_style(plot: Callable[P, Figure]) -> Callable[P, Figure]:
    """A function that makes a figure, with the project's style in force while it runs."""

    @functools.wraps(plot)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with rc_context(_STYLE):
            return plot(*args, **kwargs)

    return styled


def new_figure(width: float, height: float) -> Figure:
    """A figure of ``width`` x ``height`` inches whose parts keep clear of each other."""
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 200) -> None:
    """Write a figure in the format that the end of the name says.

    Raises InputError if Matplotlib does not know that format. Raises InputError or ToolError if the file cannot be
    written.
    """
    kind = Path(path).suffix.removeprefix(".").lower()
    if kind not in figure.canvas.get_supported_filetypes():
        raise InputError(f"{os.fspath(path)}: the name must end in .png, .pdf or .svg, not {kind!r}")
    write_output(path, figure_bytes(figure, kind, dpi=dpi))


def figure_bytes(figure: Figure, kind: str, *, name: str = "mho", **options: Any) -> bytes:
    """A figure as a file of a format: the same bytes whenever it is drawn, with names inside that are made of ``name``.

    ``options`` are those of Matplotlib's ``savefig``.
    """
    dated = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}}
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format=kind, metadata=dated.get(kind), **options)
    return buffer.getvalue()


def draw_codes(axes: Axes, codes: Mapping[str, NDArray[np.integer]]) -> None:
    """Distribution of each layer's output codes, in half steps."""
    for (layer, values), colour in zip(codes.items(), COLOURS * 4, strict=False):
        used = values[values != 0]
        if used.size:
            width = 2 * (int(np.ptp(used)) // 128 + 1)  # codes are odd: each bin has as many of them
            edges = np.arange(used.min() - 1, used.max() + width, width)
            style = {"histtype": "step", "linewidth": 1.0, "density": True}
            axes.hist(used.ravel(), bins=edges.tolist(), color=colour, label=layer, **style)
    axes.set_xlabel("output code (half steps)")
    axes.set_ylabel("density")
    axes.set_title("codes of the core")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
    axes.legend(loc="upper left")


def _draw_against_float(axes: Axes, reference: NDArray[np.generic], outputs: NDArray[np.generic]) -> None:
    reference, outputs = np.asarray(reference, dtype=np.float64).ravel(), np.asarray(outputs, dtype=np.float64).ravel()
    stride = max(1, reference.size // _SCATTER_POINTS)
    axes.plot(reference[::stride], outputs[::stride], ".", color=COLOURS[0], markersize=1.5, alpha=0.5, rasterized=True)
    ends = [float(reference.min()), float(reference.max())]
    axes.plot(ends, ends, color=COLOURS[6], linewidth=0.7)
    axes.set_xlabel("float model")


def _draw_accuracies(axes: Axes, accuracies: Mapping[int, float], reference: float) -> None:
    values, reference = 100 * np.array([*accuracies.values()]), 100 * reference
    axes.plot(list(accuracies), values, "o", color=COLOURS[1], markersize=3.5, label=f"mean {values.mean():.1f} %")
    axes.axhline(float(values.mean()), color=COLOURS[1], linewidth=0.7)
    axes.axhline(reference, color=COLOURS[6], linewidth=0.7, linestyle="--", label=f"float {reference:.1f} %")
    axes.set_xlabel("seed (which chip)")
    axes.set_ylabel("accuracy (%)")
    axes.set_title("accuracy")
    axes.legend()


@in_style
def plot_run(
    codes: Mapping[str, NDArray[np.integer]], reference: NDArray[np.generic], outputs: NDArray[np.generic], *,
    title: str, chip: str, error: float, accuracies: Mapping[int, float] | None = None, reference_accuracy: float = 0.0,
) -> Figure:
    """A run on several chips.

    Parameters
    ----------
    codes
        Output codes of each layer, in half steps.
    reference, outputs
        Outputs of the float model, and of the first chip.
    title
        Of the whole figure: network, chip, device, time and temperature.
    chip, error
        What the first chip is called, and the relative error of the outputs.
    accuracies, reference_accuracy
        Accuracy for each seed, and of the float model, 0..1.
    """
    panels = 2 if accuracies is None else 3
    figure = new_figure(2.6 * panels, 2.5)
    figure.suptitle(title.replace("$", r"\$"), fontsize=8, x=0.01, ha="left")
    grid = figure.add_gridspec(1, panels)
    draw_codes(figure.add_subplot(grid[0]), codes)
    axes = figure.add_subplot(grid[1])
    _draw_against_float(axes, reference, outputs)
    axes.set_ylabel(chip)
    axes.set_title(f"outputs (relative error {error:.1%})")
    if accuracies is not None:
        _draw_accuracies(figure.add_subplot(grid[2]), accuracies, reference_accuracy)
    return figure


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

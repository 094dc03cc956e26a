"""The demo's figure: one conversion at the pins, what the core gives, and how well it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from numpy.typing import NDArray

from mho.figures import COLOURS, draw_budget, in_style, new_figure
from mho.result import Budget
from mho.units import format_time

if TYPE_CHECKING:
    from mho.demo import Study

__all__ = ["Accuracy", "Trace", "draw_trace", "plot_demo", "plot_demo_of"]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One conversion, recorded at the macro's pins in every clock cycle.

    Parameters
    ----------
    period_ns
        Clock period, in ns.
    strobes
        For each strobe whether it is high, (cycles,).
    plane
        Binary weight of the plane on the line registers, (cycles,).
    charge
        Integrator charge of some lines in decrement steps, (lines, cycles).
    lines
        Which lines.
    codes
        The codes that the core gave for them, in half steps.
    """

    period_ns: float
    strobes: Mapping[str, NDArray[np.bool_]]
    plane: NDArray[np.integer]
    charge: NDArray[np.floating]
    lines: tuple[int, ...]
    codes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Accuracies of one network, 0..1: a name of each case to the values of its seeds."""

    network: str
    cases: Mapping[str, Sequence[float]]


def _draw_strobes(axes: Axes, trace: Trace) -> None:
    names = list(trace.strobes)
    for row, (name, colour) in enumerate(zip(reversed(names), reversed(COLOURS[: len(names)]), strict=True)):
        high = np.asarray(trace.strobes[name], dtype=float)
        t_us = np.arange(high.size + 1) * trace.period_ns / 1000
        axes.stairs(row + 0.72 * high, t_us, baseline=row, fill=True, color=colour, linewidth=0)
        axes.plot(t_us[[0, -1]], [row, row], color=colour, linewidth=0.5)
    axes.set_yticks(np.arange(len(names)) + 0.36, names[::-1])
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=False)
    axes.set_ylim(-0.15, len(names))
    axes.spines["left"].set_visible(False)


def _draw_planes(axes: Axes, trace: Trace) -> None:
    """Shades the time in which each plane is integrated, and names its weight."""
    sampling = np.flatnonzero(trace.strobes["sample"])
    for plane in np.unique(trace.plane[sampling])[::-1]:
        own = sampling[trace.plane[sampling] == plane]
        gap = np.diff(sampling).min() if sampling.size > 1 else 1
        start, stop = own[0] * trace.period_ns / 1000, (own[-1] + gap) * trace.period_ns / 1000
        axes.axvspan(start, stop, color="0.93", linewidth=0, zorder=0)
        text = f"2$^{{{plane}}}$"
        axes.text(
            (start + stop) / 2, 1.0, text, transform=axes.get_xaxis_transform(), ha="center", va="top", fontsize=7
        )


def draw_trace(digital: Axes, analog: Axes, trace: Trace) -> None:
    """Strobes above, charges of some integrators below, on one time axis."""
    _draw_strobes(digital, trace)
    _draw_planes(analog, trace)
    t_us = np.arange(trace.charge.shape[1] + 1) * trace.period_ns / 1000
    for line, charge, code, colour in zip(trace.lines, trace.charge, trace.codes, COLOURS * 2, strict=False):
        analog.stairs(charge, t_us, baseline=None, color=colour, linewidth=1.0, label=f"line {line}: {code / 2:+.1f}")
    analog.axhline(0, color="black", linewidth=0.6)
    analog.set_xlabel("time (µs)")
    analog.set_ylabel("charge (steps)")
    analog.legend(loc="upper right", title="decoded value", title_fontsize=7, ncols=2)
    digital.set_xlim(0, t_us[-1])
    analog.set_xlim(0, t_us[-1])


def _draw_histogram(axes: Axes, codes: Mapping[str, NDArray[np.integer]]) -> None:
    top = max(int(np.abs(c).max(initial=1)) for c in codes.values())
    edges = np.linspace(-top - 1, top + 1, 61)
    for (name, values), colour in zip(codes.items(), (COLOURS[6], COLOURS[1]), strict=False):
        first = name == next(iter(codes))
        axes.hist(
            values[values != 0] / 2, bins=(edges / 2).tolist(), density=True, label=name, linewidth=1.0,
            histtype="stepfilled" if first else "step", color="0.8" if first else colour,
        )  # fmt: skip
    axes.set_xlabel("decoded value (steps)")
    axes.set_ylabel("density")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.25)
    axes.legend(loc="upper left")


def _draw_accuracies(axes: Axes, accuracies: Sequence[Accuracy]) -> None:
    cases = list(accuracies[0].cases)
    width = 0.8 / len(cases)
    for index, (case, colour) in enumerate(zip(cases, ("0.75", COLOURS[5], COLOURS[1]), strict=False)):
        values = [100 * np.asarray(a.cases[case]) for a in accuracies]
        x = np.arange(len(accuracies)) + (index - (len(cases) - 1) / 2) * width
        axes.bar(x, [v.mean() for v in values], width * 0.92, color=colour, label=case)
        for position, value in zip(x, values, strict=True):
            if value.size > 1:
                axes.plot(np.full(value.size, position), value, ".", color="black", markersize=2, alpha=0.6)
            label = f"{value.mean():.1f}"
            axes.text(position, value.max() + 0.6, label, ha="center", va="bottom", fontsize=6.5)
    low = min(float(np.min(a.cases[c])) for a in accuracies for c in cases)
    axes.set_ylim(max(0.0, 100 * low - 12), 108)
    axes.set_xticks(np.arange(len(accuracies)), [a.network for a in accuracies])
    axes.set_ylabel("accuracy (%)")
    axes.legend(loc="upper center", ncols=len(cases), columnspacing=0.8, handlelength=0.9)


@in_style
def plot_demo(
    trace: Trace | None, codes: Mapping[str, NDArray[np.integer]], budget: Budget, accuracies: Sequence[Accuracy]
) -> Figure:
    """The whole figure, 7 inches wide.

    Parameters
    ----------
    trace
        One conversion; without it the upper half is left out.
    codes
        Output codes of a layer, in half steps, for each case by name, the first as reference.
    budget
        Error budget of the first network.
    accuracies
        Accuracies of each network.
    """
    figure = new_figure(7.0, 4.7 if trace is not None else 2.3)
    lower: FigureBase = figure
    if trace is not None:
        grid = figure.add_gridspec(2, 1, height_ratios=(1.15, 1.0))
        upper, lower = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
        digital, analog = upper.subplots(2, 1, height_ratios=(0.75, 1.0), sharex=True)
        draw_trace(digital, analog, trace)
        digital.set_title("(a) one matrix-vector product at the macro's pins")
    left, middle, right = lower.subplots(1, 3, width_ratios=(1.0, 1.0, 1.15))
    _draw_histogram(left, codes)
    left.set_title("(b) what the converters give")
    draw_budget(middle, budget)
    middle.set_title("(c) error budget")
    _draw_accuracies(right, accuracies)
    right.set_title("(d) accuracy")
    return figure


def plot_demo_of(studies: "Sequence[Study]", limit: int | None) -> Figure:
    """The demo's figure from its studies; the first gives the trace, the codes and the budget."""
    from mho.trace import record

    first = studies[0]
    labels = first.sample.y[:limit]
    layer = next(iter(first.chips.codes))
    functional = [c.result for c in first.cases if c.result is not None]
    ideal = next(r for r in functional if r.options.device == "ideal")
    noisy = next(r for r in functional if r.options.device != "ideal")
    name = f"{noisy.options.device}, {format_time(noisy.options.time_s)}"
    accuracies = [
        Accuracy(
            network=s.sample.title,
            cases={
                "float": [s.case("float").accuracy],
                "ideal": [s.case("functional, ideal").accuracy],
                name: s.chips.accuracies(s.sample.y[:limit]),
            },
        )
        for s in studies
    ]
    codes = {"ideal": ideal.runs[0].codes[layer], name: noisy.runs[0].codes[layer]}
    return plot_demo(record(first.net, first.sample.x[0]), codes, first.chips.budget(labels), accuracies)

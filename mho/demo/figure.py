"""The demo's figure: one conversion at the pins, what the core gives, and how well it does."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mho.demo.trace import STROBES, Trace, record
from mho.figures.run import COLOURS, draw_codes, in_style, new_figure
from mho.results.budget import Budget
from mho.units import format_time

if TYPE_CHECKING:
    from mho.demo.study import Study


Accuracies = Mapping[str, Mapping[str, Sequence[float]]]
"""By network and name of a case the values of its seeds, 0..1."""

_SHOWN = 5
"""Lines whose charge is drawn."""


def _draw_strobes(axes: Axes, trace: Trace) -> None:
    for row, (name, colour) in enumerate(zip(reversed(STROBES), COLOURS, strict=False)):
        high = np.asarray(trace.strobes[name], dtype=float)
        t_us = np.arange(high.size + 1) * trace.period_ns / 1000
        axes.stairs(row + 0.72 * high, t_us, baseline=row, fill=True, color=colour, linewidth=0)
        axes.plot(t_us[[0, -1]], [row, row], color=colour, linewidth=0.5)
    axes.set_yticks(np.arange(len(STROBES)) + 0.36, STROBES[::-1])
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=False)
    axes.set_ylim(-0.15, len(STROBES))
    axes.spines["left"].set_visible(False)


def _runs(values: NDArray[np.integer], at: NDArray[np.integer]) -> list[tuple[int, int, int]]:
    """Runs of equal values among the cycles ``at``: (value, first cycle, last cycle)."""
    cuts = np.flatnonzero(np.diff(values[at])) + 1
    return [(int(values[part[0]]), int(part[0]), int(part[-1])) for part in np.split(at, cuts)]


def _draw_planes(axes: Axes, trace: Trace) -> None:
    """Shades the time in which each plane is integrated, and names its weight."""
    sampling = np.flatnonzero(trace.strobes["sample"])
    gap = int(np.diff(sampling).min(initial=trace.plane.size))
    for plane, first, last in _runs(trace.plane, sampling):
        start, stop = first * trace.period_ns / 1000, (last + gap) * trace.period_ns / 1000
        axes.axvspan(start, stop, color="0.94" if plane % 2 else "0.89", linewidth=0, zorder=0)
        text = f"2$^{{{plane}}}$"
        axes.text(
            (start + stop) / 2, 1.0, text, transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=6.5
        )


def _flip(trace: Trace, charge: NDArray[np.floating]) -> int | None:
    """Cycle in which a line's charge changes its sign under the decrements."""
    start = int(np.flatnonzero(trace.strobes["compare"])[0])
    flipped = np.flatnonzero(np.sign(charge[start:]) != np.sign(charge[start]))
    return start + int(flipped[0]) if flipped.size else None


def draw_trace(digital: Axes, analog: Axes, trace: Trace) -> None:
    """Strobes above, charges of some integrators below, on one time axis."""
    _draw_strobes(digital, trace)
    _draw_planes(analog, trace)
    t_us = np.arange(trace.charge.shape[1] + 1) * trace.period_ns / 1000
    lines = np.flatnonzero(trace.enabled)
    ranked = lines[np.argsort(trace.codes[lines], kind="stable")]
    chosen = ranked[np.linspace(0, ranked.size - 1, _SHOWN).round().astype(int)][::-1]
    for line, colour in zip(chosen, COLOURS, strict=False):
        label = f"line {line}: {trace.codes[line] / 2:+.1f}"
        charge = trace.charge[line]
        analog.stairs(charge, t_us, baseline=None, color=colour, linewidth=0.9, label=label)
        flip = _flip(trace, charge)
        if flip is not None:
            analog.plot(t_us[flip], charge[flip], "o", color=colour, markersize=3, zorder=3)
    analog.plot([], [], "o", color=COLOURS[6], markersize=3, label="comparator flips")
    analog.axhline(0, color="black", linewidth=0.6)
    analog.set_xlabel("time (µs)")
    analog.set_ylabel("charge (steps)")
    analog.legend(
        loc="center left", bbox_to_anchor=(1.0, 0.5), title="decoded result", title_fontsize=7, alignment="left"
    )
    for axes in (digital, analog):
        axes.set_xlim(0, t_us[-1])


def _draw_accuracies(axes: Axes, accuracies: Accuracies) -> None:
    networks = list(accuracies.values())
    cases = list(networks[0])
    width = 0.84 / len(cases)
    for index, (case, colour) in enumerate(zip(cases, ("0.75", COLOURS[5], COLOURS[1]), strict=False)):
        values = [100 * np.asarray(network[case]) for network in networks]
        x = np.arange(len(accuracies)) + (index - (len(cases) - 1) / 2) * width
        axes.bar(x, [v.mean() for v in values], width * 0.94, color=colour, label=case)
        for position, value in zip(x, values, strict=True):
            if value.size > 1:
                spread = np.linspace(-0.25, 0.25, value.size) * width
                axes.plot(position + spread, value, ".", color="black", markersize=1.8)
            axes.text(position, value.max() + 0.8, f"{value.mean():.3g}", ha="center", va="bottom", fontsize=5.5)
    low = min(float(np.min(network[case])) for network in networks for case in cases)
    axes.set_ylim(max(0.0, 10 * np.floor(10 * low - 1)), 121)
    axes.set_yticks(np.arange(axes.get_ylim()[0], 101, 10))
    names = [name.replace(" ", "\n", 2) for name in accuracies]
    axes.set_xticks(np.arange(len(accuracies)), names, fontsize=6)
    axes.set_ylabel("accuracy (%)")
    axes.legend(loc="upper left", ncols=2, columnspacing=1.0, handlelength=1.0, borderaxespad=0.1)


def _draw_budget(axes: Axes, budget: Budget) -> None:
    """Share of each cause in the loss, and the loss with it alone on, with the deviation over seeds; all."""
    rows = [row for row in budget if row.name not in ("float", "ideal")]
    shares = [100 * (budget.share(row) or 0.0) for row in rows]
    positions = np.arange(len(rows))[::-1]
    colours = [COLOURS[1] if row.name == "all" else COLOURS[0] for row in rows]
    axes.barh(positions, shares, color=colours, height=0.62, label="share of the loss")
    axes.errorbar(
        [100 * budget.loss(row) for row in rows],
        positions,
        xerr=[100 * row.deviation for row in rows],
        fmt="o",
        color="black",
        markersize=2.5,
        linewidth=0.7,
        capsize=2,
        label="alone",
    )
    axes.set_yticks(positions, [row.name for row in rows])
    axes.axvline(0.0, color="black", linewidth=0.6)
    axes.set_xlabel(f"loss of {budget.measure} (points)")
    axes.set_title("error budget: bars add up, points: alone")


@in_style
def plot_demo(studies: "Sequence[Study]") -> Figure:
    """The demo's figure, 7.2 inches wide, from its studies; the first gives the trace, the codes and the budget."""
    first = studies[0]
    layer = next(iter(first.chips.runs[0].codes))
    functional = [c.result for c in first.cases if c.result is not None]
    ideal = next(r for r in functional if r.options.device == "ideal")
    noisy = next(r for r in functional if r.options.device != "ideal")
    name = f"{noisy.options.device}, {format_time(noisy.options.time_s)}"
    figure = new_figure(7.2, 4.8)
    grid = figure.add_gridspec(2, 1, height_ratios=(1.1, 1.0))
    upper, lower = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    digital, analog = upper.subplots(2, 1, height_ratios=(0.75, 1.0), sharex=True)
    draw_trace(digital, analog, record(first.net.network, first.sample.x[0], time_s=noisy.options.time_s))
    digital.set_title("(a) one matrix-vector product at the macro's pins")
    left, middle, right = lower.subplots(1, 3, width_ratios=(1.1, 0.8, 1.35))
    draw_codes(left, {"ideal": ideal.runs[0].codes[layer], name: noisy.runs[0].codes[layer]})
    left.set_title("(b) codes of the first layer")
    _draw_budget(middle, first.chips.budget(first.labels))
    middle.set_title("(c) error budget")
    _draw_accuracies(right, {
        s.title: {
            "float": [s.case("float").accuracy], "ideal": [s.case("functional, ideal").accuracy],
            name: s.chips.accuracies(s.labels).tolist(),
        }
        for s in studies
    })
    right.set_title("(d) accuracy")
    return figure

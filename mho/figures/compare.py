"""Side by side: scores of runs over time, chips by ratios, designs of a sweep by what they cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mho.figures.device.figure import COLUMN_IN
from mho.figures.run import COLOURS, MARKERS, in_style, new_figure
from mho.units import format_time

MOST_GROUPS = len(MARKERS)
"""Series that readers can tell apart."""
_LOGARITHMIC = 20.0
"""Ratio of the largest to the least cost from which an axis is one of logarithms."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Designs of one colour and one marker: cost and score of each, and how far the intervals go."""

    name: str
    colour: int = 0
    marker: int = 0
    x: Sequence[float]
    x_half: Sequence[float]
    y: Sequence[float]
    down: Sequence[float]
    up: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Designs by one cost."""

    title: str
    series: Sequence[Series]
    best: Sequence[tuple[float, float]]
    """Best trade-offs, from left to right."""


@in_style
def figure_of_trade_offs(panels: Sequence[Panel], title: str) -> Figure:
    """The panels side by side; ``title`` says what the score is."""
    figure = new_figure(max(4.2, 0.6 + 2.6 * len(panels)), 2.9)
    for axes, panel in zip(np.atleast_1d(figure.subplots(1, len(panels), sharey=True)), panels, strict=True):
        axes.plot(*zip(*panel.best, strict=True), color="#555555", linewidth=0.8, zorder=1, drawstyle="steps-post")
        for group in panel.series:
            axes.errorbar(
                group.x, group.y, [group.down, group.up], group.x_half, label=group.name, color=COLOURS[group.colour],
                marker=MARKERS[group.marker], markersize=3.2, linestyle="none", elinewidth=0.5, capsize=1.2, alpha=0.85,
            )
        axes.set_xlabel(panel.title)
        values = [x for group in panel.series for x in group.x if x > 0.0]
        if values and max(values) > _LOGARITHMIC * min(values):
            axes.set_xscale("log")
    first = figure.axes[0]
    first.set_ylabel(title)
    figure.legend(*first.get_legend_handles_labels(), loc="outside upper left", ncols=2 + len(panels))
    return figure


_MOST = 48
_ROW_IN = 0.17


@in_style
def figure_of_chips(first: str, series: Sequence[tuple[str, Mapping[str, float]]]) -> Figure:
    """A row for each number that differs, with its ratio to that of ``first``; others are (name, ratios by key)."""
    keys = list(dict.fromkeys(key for _, ratio in series for key in ratio))[:_MOST]
    figure = new_figure(COLUMN_IN["double"], 0.9 + _ROW_IN * max(len(keys), 3))
    axes = figure.add_subplot()
    for k, (name, ratio) in enumerate(series):
        rows = [(row, ratio[key]) for row, key in enumerate(keys) if key in ratio]
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        axes.plot(
            [at for _, at in rows], [row for row, _ in rows], label=name, linestyle="none", markersize=4, color=colour,
            marker=marker,
        )
        for row, at in rows:
            axes.plot([1.0, at], [row, row], color=colour, linewidth=0.7)
    axes.axvline(1.0, color="0.5", linewidth=0.6)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.45), max(high, 2.2))
    axes.xaxis.set_major_locator(LogLocator(base=10.0, subs=(1.0, 2.0, 5.0), numticks=7))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:g}"))
    axes.set_yticks(range(len(keys)), keys)
    axes.set_ylim(len(keys) - 0.5, -0.5)
    axes.set_xlabel(f"ratio to {first}")
    if keys:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.1)
    return figure


_HEIGHT_IN = 2.4
_AT_ZERO = 0.1  # of the first later time: where the end of programming is drawn on the axis of logarithms


class Point(NamedTuple):
    """A score, and how far its interval goes down and up."""

    time_s: float
    score: float
    down: float
    up: float


@in_style
def figure_of_runs(series: Sequence[tuple[str, Sequence[Point]]], title: str) -> Figure:
    """One line for each series, (its name, its points in order); ``title`` says what the score is."""
    figure = new_figure(COLUMN_IN["single"], _HEIGHT_IN)
    axes = figure.add_subplot()
    times = sorted({point.time_s for _, points in series for point in points})
    zero = min((t for t in times if t > 0.0), default=1.0) * _AT_ZERO
    for k, (name, points) in enumerate(series):
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        axes.errorbar(
            [p.time_s or zero for p in points], [p.score for p in points],
            [[p.down for p in points], [p.up for p in points]], label=name, linewidth=1.0, elinewidth=0.7,
            capsize=2.0, color=colour, marker=marker, markersize=3.5,
        )
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks([time_s or zero for time_s in times], [format_time(time_s) for time_s in times])
    axes.margins(x=0.12)
    axes.set_xlabel("time since programming")
    axes.set_ylabel(title)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.1, fontsize=6.5, handlelength=1.4)
    return figure

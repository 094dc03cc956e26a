"""Scores of runs against the time since programming, in the width of a paper's column."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from mho.figures.device.figure import COLUMN_IN
from mho.figures.run import COLOURS, MARKERS, in_style, new_figure
from mho.units import format_time

__all__ = ["Point", "figure_of_runs"]

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
        style: Any = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)], "markersize": 3.5}
        axes.errorbar(
            [p.time_s or zero for p in points], [p.score for p in points],
            [[p.down for p in points], [p.up for p in points]], label=name, linewidth=1.0, elinewidth=0.7,
            capsize=2.0, **style,
        )
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks([time_s or zero for time_s in times], [format_time(time_s) for time_s in times])
    axes.margins(x=0.12)
    axes.set_xlabel("time since programming")
    axes.set_ylabel(title)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.1, fontsize=6.5, handlelength=1.4)
    return figure

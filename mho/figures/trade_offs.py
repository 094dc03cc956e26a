"""Trade-offs of designs: a score against what it costs, with the interval of each mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from mho.figures.run import COLOURS, MARKERS, in_style, new_figure

__all__ = ["MOST_GROUPS", "Panel", "Series", "figure_of_trade_offs"]

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

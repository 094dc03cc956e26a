"""Chips beside a first one: numbers of their descriptions and what follows, as ratios."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mho.figures.device.figure import COLUMN_IN
from mho.figures.run import COLOURS, MARKERS, in_style, new_figure

__all__ = ["figure_of_chips"]

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
        style: Any = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
        axes.plot([at for _, at in rows], [row for row, _ in rows], label=name, linestyle="none", markersize=4, **style)
        for row, at in rows:
            axes.plot([1.0, at], [row, row], color=style["color"], linewidth=0.7)
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

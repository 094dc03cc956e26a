"""The mesh of a chip as a figure: how much of an input goes over each link."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mho.figures.run import in_style, new_figure
from mho.reports.facts import Facts

LINKS = (
    "Heat map of the links",
    "Flits of one input on each link of the mesh, credits among them, as a part of what it could take meanwhile: one a "
    "cycle. Each direction is drawn on its right-hand side; the host is at tile 0,0.",
)
"""Title, and how to read it."""

_TILE, _SIDE, _MOST_TEXTS = 0.36, 0.09, 24
"""Size of a tile, how far the two ways of a link are apart, links up to which numbers stand at them."""


@in_style
def draw_links(facts: Facts) -> Figure:
    """The figure: tiles as squares, the two ways of a link side by side."""
    assert facts.cost is not None
    mesh, tiles = facts.content["chip"]["mesh"], facts.cost["tiles"]
    assert tiles is not None
    interval = float(facts.cost["interval_cycles"])
    links = [(_place(link["start"]), _place(link["end"]), 100 * link["flits"] / interval) for link in tiles["links"]]
    columns, rows = int(mesh["columns"]), int(mesh["rows"])
    figure = new_figure(min(7.2, 1.6 + 1.1 * columns), min(7.2, 0.5 + 1.1 * rows))
    axes = figure.add_subplot()
    heat = ScalarMappable(Normalize(0, max((share for _, _, share in links), default=1.0)), "YlOrRd")
    names = {entry["tile"] for entry in tiles["tiles"]}
    for x in range(columns):
        for y in range(rows):
            face = "#dddddd" if f"{x},{y}" in names else "none"
            axes.add_patch(Rectangle((x - _TILE / 2, y - _TILE / 2), _TILE, _TILE, facecolor=face, edgecolor="#888888",
                                     linewidth=0.6))
            name = axes.text(x, y, f"{x},{y}", ha="center", va="center", fontsize=6)
            if face != "none":
                name.set_color("#333333")  # else that of the page's text
    for (x, y), (u, v), share in links:
        # Right of where it goes; rows go down.
        dx, dy = u - x, v - y
        aside, half = (-dy * _SIDE, dx * _SIDE), _TILE / 2
        start = (x + dx * half + aside[0], y + dy * half + aside[1])
        end = (u - dx * half + aside[0], v - dy * half + aside[1])
        arrow = {"arrowstyle": "-|>", "color": heat.to_rgba(np.array(share)), "linewidth": 2.5, "shrinkA": 0,
                 "shrinkB": 0, "mutation_scale": 7}
        axes.annotate("", end, start, arrowprops=arrow)
        if len(links) <= _MOST_TEXTS:
            side = "center" if dx else "right" if aside[0] < 0 else "left"
            axes.text((start[0] + end[0]) / 2 + 0.5 * aside[0], (start[1] + end[1]) / 2 + aside[1], f"{share:.3g}",
                      ha=side, va="center", fontsize=6)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
    axes.set_axis_off()
    figure.colorbar(heat, ax=axes, label="part of the link's capacity (%)", shrink=0.8)
    return figure


def _place(tile: str) -> tuple[int, int]:
    x, y = tile.split(",")
    return int(x), int(y)

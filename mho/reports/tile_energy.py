"""Energy of the digital part by tile as a figure: what is there anyway, and what activity adds."""

import numpy as np
from matplotlib.figure import Figure

from mho.figures.run import COLOURS, in_style, new_figure
from mho.reports.facts import Facts

__all__ = ["TILE_ENERGY", "draw_tile_energy"]

TILE_ENERGY = (
    "Energy of the digital part by tile",
    "Of one input. Clock and leakage are there whatever a tile does; the rest is what its work, and its waiting, "
    "changes. Around: what is outside the tiles.",
)
"""Title, and how to read it."""


@in_style
def draw_tile_energy(facts: Facts) -> Figure:
    """The figure: a bar a tile, what is around the tiles last."""
    assert facts.energy is not None
    tiles = facts.energy["tiles"]
    figure = new_figure(7.2, 0.7 + 0.22 * len(tiles))
    axes, left = figure.add_subplot(), np.zeros(len(tiles))
    still = np.array([tile["still_pJ"] for tile in tiles]) / 1000
    memories = np.array([tile.get("memory_pJ", 0.0) for tile in tiles]) / 1000
    changes = np.array([tile["image_pJ"] for tile in tiles]) / 1000 - still - memories
    rows = [("clock and leakage", still, COLOURS[6]), ("changes", changes, COLOURS[1])]
    if memories.any():
        rows.append(("accesses to memories", memories, COLOURS[0]))
    for label, values, colour in rows:
        axes.barh(range(len(tiles)), values, 0.7, left=left, color=colour, label=label)
        left += values
    names = ["around" if tile["tile"] is None else f"tile {tile['tile']}" for tile in tiles]
    axes.set_yticks(range(len(tiles)), names)
    axes.invert_yaxis()
    axes.set_xlabel("nJ an input")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(rows))
    return figure

"""The figures of a report, as Matplotlib's."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mho.figures.run import COLOURS, in_style, new_figure
from mho.reports.facts import Facts
from mho.reports.table import some_tiles

_WIDTH = 7.2
_MOST_LAYERS = 12
_MOST_ROWS = 16
_TRACKS = (("array", COLOURS[1]), ("load", COLOURS[0]), ("vector", COLOURS[2]), ("send", COLOURS[4]))


_KINDS = (("array", COLOURS[1], 1.0), ("digital", COLOURS[0], 1.0), ("waiting", COLOURS[6], 0.25))

_TEXTS = {
    "budget": (
        "Accuracy by cause",
        "Points that are lost. Share: its part of the loss of all together, shares add up to it. Alone: with nothing "
        "else on. The band is the 90 % interval of the score: what is inside it is not told from chance.",
    ),
    "timeline": (
        "What the tiles do",
        "From the host's first flit on; lines are results that came to the host. Where a row is empty, that part of "
        "the tile waits.",
    ),
    "tiles": (
        "Time of the tiles",
        "Of all images: the array converts; something else works and the array does not; nothing does. A tile whose "
        "array is always on limits the throughput.",
    ),
    "links": (
        "Heat map of the links",
        "Flits of one input on each link of the mesh, credits among them, as a part of what it could take meanwhile: "
        "one a cycle. Each direction is drawn on its right-hand side; the host is at tile 0,0.",
    ),
    "cores": (
        "Time of the cores",
        "Cycles of an input in which operations are at the pins of each macro. The longest is the least time between "
        "inputs if all cores work at a time.",
    ),
    "codes": (
        "Codes against the converter's range",
        "How often each part of the range, from its lowest to its highest code, occurs; the scale is logarithmic. A "
        "heap at an end is saturated; codes that stay in the middle waste bits.",
    ),
    "energy": (
        "Energy of the macros by layer",
        "Of one input, by what takes it and by layer, from the energies of the description.",
    ),
    "macros": (
        "Area of the macros by part",
        "All macros of the chip, by the description's own figures. Without the digital part, which a library of "
        "standard cells knows (--liberty).",
    ),
    "area": (
        "Area of the digital part by block",
        "Standard cells, mapped and buffered, without wires, and macros of memories where they are named; bars add up "
        "to the netlist.",
    ),
    "digital": (
        "Energy of the digital part by block",
        "Of one input: from the switching activity of the co-simulation, and from an average activity.",
    ),
    "tile-energy": (
        "Energy of the digital part by tile",
        "Of one input. Clock and leakage are there whatever a tile does; the rest is what its work, and its waiting, "
        "changes. Around: what is outside the tiles.",
    ),
}
"""Title of each figure, and how to read it."""
_BY_ACTIVITY = ("digital", "tile-energy")


def figures_of(facts: Facts) -> Iterator[tuple[str, str, str, Figure]]:
    """Figures for which the run has numbers: a name for a file, a title, how to read it, the figure."""
    cost, energy = facts.cost, facts.energy
    drawn = (
        ("budget", facts.causes, _budget), ("timeline", facts.trace, _timeline), ("tiles", facts.trace, _tiles),
        ("links", facts.links, draw_links), ("cores", cost is not None and facts.trace is None, _cores),
        ("codes", any("codes" in layer for layer in facts.layers), _codes),
        ("energy", cost is not None and cost["energy"], _energy),
        ("macros", cost is not None and cost.get("macro_by_part_mm2"), _macros), ("area", facts.silicon, _area),
        ("digital", energy, _digital), ("tile-energy", energy is not None and energy.get("tiles"), _tile_energy),
    )
    part = None if energy is None else some_tiles(energy)
    for name, numbers, draw in drawn:
        if numbers:
            title, how = _TEXTS[name]
            if part is not None and name in _BY_ACTIVITY:
                how += f" Of {part} alone, since the others have no waves."
            yield name, title, how, draw(facts)


def _plain(name: object) -> str:
    """A name as text: a dollar sign would begin a formula."""
    return str(name).replace("$", r"\$")


def _bars(axes: Axes, names: list[str], left: str) -> None:
    axes.set_yticks(range(len(names)), [_plain(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlabel(left)


@in_style
def _budget(facts: Facts) -> Figure:
    causes = facts.causes
    figure = new_figure(_WIDTH, 0.6 + 0.3 * len(causes))
    axes, at = figure.add_subplot(), np.arange(len(causes))
    if facts.run.half is not None:
        axes.axvspan(-100 * facts.run.half, 100 * facts.run.half, color=COLOURS[6], alpha=0.15, linewidth=0)
    axes.barh(at - 0.19, [100 * share for _, _, share in causes], 0.36, color=COLOURS[0], label="share")
    axes.barh(at + 0.19, [100 * alone for _, alone, _ in causes], 0.36, color=COLOURS[5], label="alone")
    axes.axvline(0, color="black", linewidth=0.6)
    _bars(axes, [name for name, _, _ in causes], "points lost")
    axes.legend(loc="lower right")
    return figure


@in_style
def _timeline(facts: Facts) -> Figure:
    trace = facts.trace
    assert trace is not None
    tiles, first = trace["tiles"][:_MOST_ROWS], trace["first"]
    figure = new_figure(_WIDTH, 0.7 + 0.55 * len(tiles))
    axes = figure.add_subplot()
    for k, tile in enumerate(tiles):
        for track, (kind, colour) in enumerate(_TRACKS):
            spans = [(begin - first, end - begin) for begin, end in tile["intervals"].get(kind, ())]
            axes.broken_barh(spans, (k + 0.2 * track - 0.38, 0.18), facecolors=colour, linewidth=0,
                             label=kind if k == 0 else None)
    for end in trace["image_ends"]:
        if end <= trace["shown_to"]:
            axes.axvline(end - first, color="black", linewidth=0.6, alpha=0.6)
    axes.set_xlim(0, trace["shown_to"] - first)
    _bars(axes, [f"tile {tile['tile']}" for tile in tiles], "cycles")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(_TRACKS))
    return figure


def _stacked(names: list[str], parts: list[tuple[str, NDArray[np.float64], str, float]], unit: str) -> Figure:
    """A bar for each name, of parts one behind the other: their names, values, colours and opacities."""
    figure = new_figure(_WIDTH, 0.7 + 0.22 * len(names))
    axes, left = figure.add_subplot(), np.zeros(len(names))
    for label, values, colour, alpha in parts:
        axes.barh(range(len(names)), values, 0.7, left=left, color=colour, alpha=alpha, label=label)
        left += values
    _bars(axes, names, unit)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(parts))
    return figure


@in_style
def _tiles(facts: Facts) -> Figure:
    trace = facts.trace
    assert trace is not None
    tiles, whole = trace["tiles"], trace["last"] - trace["first"]
    parts = [(kind, np.array([100 * tile[kind] / whole for tile in tiles], float), colour, alpha)
             for kind, colour, alpha in _KINDS]
    figure = _stacked([f"tile {tile['tile']}" for tile in tiles], parts, "part of the time (%)")
    figure.axes[0].set_xlim(0, 100)
    return figure


@in_style
def _tile_energy(facts: Facts) -> Figure:
    assert facts.energy is not None
    tiles = facts.energy["tiles"]
    still = np.array([tile["still_pJ"] for tile in tiles]) / 1000
    memories = np.array([tile.get("memory_pJ", 0.0) for tile in tiles]) / 1000
    changes = np.array([tile["image_pJ"] for tile in tiles]) / 1000 - still - memories
    parts = [("clock and leakage", still, COLOURS[6], 1.0), ("changes", changes, COLOURS[1], 1.0)]
    if memories.any():
        parts.append(("accesses to memories", memories, COLOURS[0], 1.0))
    return _stacked(
        ["around" if tile["tile"] is None else f"tile {tile['tile']}" for tile in tiles], parts, "nJ an input")


@in_style
def _cores(facts: Facts) -> Figure:
    assert facts.cost is not None
    cores = facts.cost["cores"]
    figure = new_figure(_WIDTH, 2.0)
    time, cells = figure.subplots(1, 2)
    time.bar([core["core"] for core in cores], [core["analog_cycles"] for core in cores], color=COLOURS[1])
    time.set(xlabel="core", ylabel="cycles an input at the macro")
    used = [100 * core["cells_used"] / core["cells"] for core in cores]
    cells.bar([core["core"] for core in cores], used, color=COLOURS[2])
    cells.set(xlabel="core", ylabel="cells that hold weights (%)", ylim=(0, 100))
    for axes in (time, cells):
        axes.set_xlim(-0.5, max(len(cores), 4) - 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


@in_style
def _codes(facts: Facts) -> Figure:
    layers = [layer for layer in facts.layers if "codes" in layer][:_MOST_LAYERS]
    columns = min(4, len(layers))
    rows = -(-len(layers) // columns)
    figure = new_figure(_WIDTH, 0.3 + 1.25 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, layer in zip(grid.ravel(), layers, strict=False):
        counts, top = np.array(layer["codes"]["counts"], dtype=float), layer["codes"]["top"]
        edges = np.linspace(-top, top, len(counts) + 1)
        axes.stairs(counts / max(counts.sum(), 1.0), edges, fill=True, color=COLOURS[0], baseline=1e-7)
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(0.5 / max(counts.sum(), 1.0), 1e-7))
        axes.set_xlim(-top, top)
        axes.set_xticks([-top, 0, top])
        axes.set_title(f"{_plain(layer['layer'])}: {layer['saturated']:.2%} at an end", fontsize=7)
    for axes in grid.ravel()[len(layers):]:
        axes.set_axis_off()
    figure.supxlabel("code (half steps)", fontsize=8)
    figure.supylabel("part of the codes", fontsize=8)
    return figure


@in_style
def _energy(facts: Facts) -> Figure:
    assert facts.cost is not None
    energy = facts.cost["energy"]
    assert energy is not None
    layers, parts = energy["by_layer_pJ"], energy["by_part_pJ"]
    figure = new_figure(_WIDTH, max(2.0, 0.7 + 0.2 * len(layers)))
    by_part, by_layer = figure.subplots(1, 2)
    by_part.barh(range(len(parts)), [value / 1000 for value in parts.values()], color=COLOURS[2])
    _bars(by_part, list(parts), "nJ an input")
    by_layer.barh(range(len(layers)), [value / 1000 for value in layers.values()], color=COLOURS[0])
    _bars(by_layer, list(layers), "nJ an input")
    return figure


@in_style
def _macros(facts: Facts) -> Figure:
    assert facts.cost is not None
    parts, whole = facts.cost["macro_by_part_mm2"], facts.cost["macros_mm2"]
    assert parts is not None
    assert whole is not None
    parts = {part: area for part, area in parts.items() if part != "macro"} or parts
    share = whole / sum(parts.values())
    return _blocks([[(part, share * area) for part, area in parts.items()]], [f"{whole:.4g} mm²"], "mm²")


@in_style
def _area(facts: Facts) -> Figure:
    assert facts.silicon is not None
    rows = [(block["module"], block["buffered"] / 1e6) for block in facts.silicon["blocks"]]
    return _blocks([rows], ["buffered"], "mm²" if "memory_mm2" in facts.silicon else "mm², without memories")


@in_style
def _digital(facts: Facts) -> Figure:
    assert facts.energy is not None
    blocks = facts.energy["blocks"]
    series = [[(block["block"], block[key] / 1000) for block in blocks] for key in ("image_pJ", "average_pJ")]
    return _blocks(series, ["switching activity", "average activity"], "nJ an input")


def _blocks(series: list[list[tuple[str, float]]], labels: list[str], unit: str) -> Figure:
    """Bars by block, the largest first, small ones together."""
    order = sorted(range(len(series[0])), key=lambda k: -series[0][k][1])
    shown, rest = order[:_MOST_ROWS], order[_MOST_ROWS:]
    names = [series[0][k][0] for k in shown] + (["others"] if rest else [])
    figure = new_figure(_WIDTH, 0.6 + 0.2 * len(names) * (1 + 0.5 * (len(series) - 1)))
    axes, height = figure.add_subplot(), 0.8 / len(series)
    for number, (rows, label) in enumerate(zip(series, labels, strict=True)):
        values = [rows[k][1] for k in shown] + ([sum(rows[k][1] for k in rest)] if rest else [])
        at = np.arange(len(names)) + height * (number - (len(series) - 1) / 2)
        axes.barh(at, values, height * 0.92, color=COLOURS[number], label=label)
    _bars(axes, names, unit)
    if len(series) > 1:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(series))
    return figure


_TILE, _SIDE, _MOST_TEXTS = 0.36, 0.09, 24
"""Size of a tile, how far the two ways of a link are apart, links up to which numbers stand at them."""


@in_style
def draw_links(facts: Facts) -> Figure:
    """Tiles as squares, the two ways of a link side by side."""
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

"""The figure of a run of soc.py: what is in the computer, and where the cycles of an image went."""

import re
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from mho.figures.run import COLOURS, in_style, new_figure

_BLOCKS = {
    "VexRiscv": (0.0, 0.55), "ROM: firmware,\nnetwork, images": (0.0, 0.0), "RAM": (0.46, 0.0),
    "console,\ntimer": (0.7, 0.0), "tile with\nits array": (0.7, 0.55),
}
"""Places of the blocks around the bus, in shares of the panel."""
_WIDTHS = {"VexRiscv": 0.3, "ROM: firmware,\nnetwork, images": 0.4, "RAM": 0.18}
_BUS = 0.42


def cycles_of(said: str) -> dict[str, int]:
    """Cycles of an image by what they were spent on, as the firmware printed them."""
    (encode, run, softmax), = re.findall(r"cycles of an image: encode (\d+), run (\d+), softmax (\d+)", said)
    (bus, beside, array), = re.findall(r"of the run: bus (\d+), processor beside it (\d+); meanwhile array (\d+)", said)
    named = {"encode": encode, "run": run, "softmax": softmax, "bus": bus, "processor": beside, "array": array}
    return {name: int(value) for name, value in named.items()}


def _draw_blocks(axes: Axes, cycles: dict[str, int]) -> None:
    def join(first: tuple[float, float], second: tuple[float, float], style: str = "-", colour: str = "black") -> None:
        axes.add_patch(FancyArrowPatch(first, second, arrowstyle=style, mutation_scale=7, color=colour, linewidth=0.8))

    for name, (x, y) in _BLOCKS.items():
        width, tile = _WIDTHS.get(name, 0.3), name.startswith("tile with")
        colour = COLOURS[5] if tile else COLOURS[4] if name == "VexRiscv" else "0.9"
        shape = "round,pad=0,rounding_size=0.02"
        axes.add_patch(FancyBboxPatch((x, y), width, 0.28, boxstyle=shape, facecolor=colour, linewidth=0.6))
        axes.text(x + width / 2, y + 0.14, name, ha="center", va="center", fontsize=7)
        join((x + width / 2, _BUS), (x + width / 2, y if y > _BUS else y + 0.28))
    join((0.0, _BUS), (1.0, _BUS))
    axes.text(0.5, _BUS + 0.02, f"Wishbone: {cycles['bus']} cycles", ha="center", va="bottom", fontsize=7)
    join((0.7, 0.76), (0.3, 0.76), "-|>", COLOURS[1])
    axes.text(0.5, 0.78, "interrupt", ha="center", va="bottom", fontsize=7, color=COLOURS[1])
    axes.text(0.85, 0.86, f"busy for {cycles['array']} cycles", ha="center", va="bottom", fontsize=7)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.02, 0.95)
    axes.axis("off")
    axes.set_title("(a) the computer")


def _draw_bars(axes: Axes, rows: Sequence[tuple[str, Sequence[tuple[str, int, str]]]]) -> None:
    for y, (_, parts) in enumerate(reversed(rows)):
        start = 0
        for label, length, colour in parts:
            axes.barh(y, length, left=start, color=colour, height=0.6, label=label)
            start += length
        axes.text(start, y, f" {start:,}", ha="left", va="center", fontsize=7)
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("cycles of an image")
    axes.set_xlim(0, 1.18 * max(sum(length for _, length, _ in parts) for _, parts in rows))


@in_style
def plot_soc(said: str) -> Figure:
    """The figure, 7.2 inches wide, of what the firmware said on its console."""
    cycles = cycles_of(said)
    figure = new_figure(7.2, 2.3)
    left, whole, run = figure.subplots(1, 3, width_ratios=(1.2, 1.0, 1.0))
    _draw_blocks(left, cycles)
    _draw_bars(whole, [(name, [(name, cycles[name], colour)]) for name, colour in
                       (("encode", COLOURS[4]), ("run", COLOURS[0]), ("softmax", COLOURS[4]))])
    whole.set_title("(b) all")
    spent = [("processor", cycles["processor"], COLOURS[4]), ("bus", cycles["bus"], COLOURS[1])]
    _draw_bars(run, [("processor\nand bus", spent), ("array\nmeanwhile", [("array", cycles["array"], COLOURS[5])])])
    run.legend(loc="lower right")
    run.set_title("(c) the run on the tile")
    return figure

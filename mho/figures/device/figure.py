"""What ``mho device show`` draws: a device with its data, or several devices together, in the size of a paper's column.

Points are measured, with bars of one standard error; lines are the model, dashed where there are no data.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mho.figures.device.data import middle_of
from mho.figures.device.panels import (
    DEVIATION,
    MEAN,
    draw_legend,
    panels_of,
    plot_at_level,
    plot_at_time,
    time_axis,
    time_label,
)
from mho.figures.run import COLOURS, in_style, new_figure

if TYPE_CHECKING:
    from mho.macro_models.devices import Device

COLUMN_IN = {"single": 3.5, "double": 7.16}
"""Width of a figure in inches: one or two columns of a journal."""
_PANEL_IN = 2.25
_TALLEST_IN = 9.4
"""Height of a figure in inches: that of the text on a page of a journal."""
_LONG_LABEL = 16
_COMPARED_S = (3600.0, 86400.0)


def _break_labels(figure: Figure) -> None:
    """Titles of the upright axes on two lines, where panels are low."""
    if figure.get_size_inches()[1] < _TALLEST_IN:
        return
    for axes in figure.axes:
        label = axes.get_ylabel()
        blanks = [k for k, letter in enumerate(label) if letter == " "]
        if len(label) > _LONG_LABEL and blanks:
            k = min(blanks, key=lambda k: abs(k - len(label) / 2.0))
            axes.set_ylabel(label[:k] + "\n" + label[k + 1 :])


def _laid_out(count: int, column: str) -> tuple[Figure, list[Axes]]:
    """Panels with letters, in a figure as wide as a column."""
    across = 1 if column == "single" else min(count, 2)
    rows = -(-count // across)
    width = COLUMN_IN[column] if across > 1 or column == "single" else COLUMN_IN["single"]
    figure = new_figure(width, min(_PANEL_IN * rows + 0.2, _TALLEST_IN))
    grid = figure.add_gridspec(rows, across)
    panels = [figure.add_subplot(grid[k // across, k % across]) for k in range(count)]
    for k, axes in enumerate(panels):
        axes.annotate(
            f"({chr(97 + k)})", (0.0, 1.0), xytext=(-26, 8), xycoords="axes fraction", textcoords="offset points",
            fontweight="bold", fontsize=8,
        )
        axes.margins(x=0.03)
    return figure, panels


@in_style
def figure_of_device(device: "Device", column: str = "double") -> Figure:
    """All that a device says, one panel each; ``column`` is one of :data:`COLUMN_IN`."""
    panels = panels_of(device)
    figure, axes = _laid_out(len(panels), column)
    figure.suptitle(f"{device.name} at {device.data_temp_C:g} °C", fontsize=8, x=0.01, ha="left")
    for panel, panel_axes in zip(panels, axes, strict=True):
        panel(panel_axes, device)
    _break_labels(figure)
    return figure


@in_style
def figure_of_devices(devices: Sequence["Device"], column: str = "double") -> Figure:
    """Several devices in the same panels: spread and mean over targets, and over time in the middle of their ranges."""
    figure, axes = _laid_out(4, column)
    for device, colour in zip(devices, COLOURS * 2, strict=False):
        time_s = float(min(device.data_times_s, key=lambda t: abs(np.log(max(t, 1e-9) / _COMPARED_S[1])), default=0.0))
        label = f"{device.name}, {time_label(time_s)}"
        for which, panel in (("sigma", axes[0]), ("mean", axes[1])):
            plot_at_time(panel, device, which, time_s, colour, label)
        level = float(middle_of(device)[0])
        for which, panel in (("sigma", axes[2]), ("mean", axes[3])) if device.relaxes else ():
            plot_at_level(panel, device, which, level, colour, f"{device.name}, {level:.3g} µS")
    for panel, title in zip(axes, (DEVIATION, MEAN) * 2, strict=True):
        panel.set_ylabel(title)
        draw_legend(panel, 1 if len(devices) > 2 else 2)
    for panel in axes[:2]:
        panel.set_xlabel("target conductance (µS)")
    for panel in axes[2:]:
        time_axis(panel)
    for panel in axes[::2]:
        panel.set_ylim(bottom=0.0)
    _break_labels(figure)
    return figure

"""What ``mho device show`` draws: a device with its data, or several devices together, in the size of a paper's column.

Points are measured, with bars of one standard error; lines are the model, dashed where there are no data.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from mho.figures.run import COLOURS, in_style, new_figure
from mho.units import format_time

if TYPE_CHECKING:
    from macro_models.devices import Device

__all__ = [
    "COLUMN_IN", "RETENTION_C", "draw_cells", "figure_of_device", "figure_of_devices", "shown_levels", "shown_times",
]

RETENTION_C = (25.0, 55.0, 85.0)
"""Temperatures at which retention is shown, in degrees Celsius."""
COLUMN_IN = {"single": 3.5, "double": 7.16}
"""Width of a figure in inches: one or two columns of a journal."""
_CELLS = 20_000
_PULSES = 16
_YEARS_10_S = 10 * 365.25 * 86400.0
_PANEL_IN = 2.25
_TALLEST_IN = 9.4
"""Height of a figure in inches: that of the text on a page of a journal."""
_LONG_LABEL = 16
_MEAN, _DEVIATION = "mean of g\N{NO-BREAK SPACE}−\N{NO-BREAK SPACE}target (µS)", "standard deviation (µS)"
_COMPARED_S = (3600.0, 86400.0)
_LINE: Any = {"linewidth": 1.0}
_POINT: Any = {"linestyle": "none", "marker": "o", "markersize": 2.2, "elinewidth": 0.6, "markeredgewidth": 0.0}

Reals = NDArray[np.float64]


def shown_levels(device: "Device") -> Reals:
    """Four targets over the device's range, in uS: of the levels that were measured, where there are some, or all."""
    low = device.range.g_min_uS
    high = device.g_max_uS or device.relaxation.g_ref_uS
    wanted = low + (high - low) * np.array([0.05, 0.35, 0.65, 0.95])
    measured = np.array(device.fit.levels_uS)
    if not len(measured):
        return wanted
    return np.unique(measured[np.argmin(np.abs(measured[:, None] - wanted), axis=0)])


def shown_times(device: "Device") -> Reals:
    """Times at which the device is known, in seconds, without that of programming; few of them."""
    known = np.array(device.data_times_s)
    return known if len(known) <= 5 else known[np.linspace(0, len(known) - 1, 5).round().astype(int)]


def draw_cells(device: "Device", target_uS: float, time_s: float, temp_C: float) -> Reals:
    """Conductances in uS of many cells with one target, as the macro model draws them, of shape (cells,)."""
    from macro_models.cells.programming import programmed
    from macro_models.devices import CAUSES

    return programmed(
        np.full(_CELLS, target_uS), device=device, seed=0, core=0, time_s=time_s, temp_C=temp_C,
        causes=frozenset(CAUSES) - {"stuck"},
    ).g_uS


def _targets(device: "Device") -> Reals:
    low = min((device.range.g_min_uS, *device.fit.levels_uS[:1]))
    return np.linspace(low, device.g_max_uS or device.relaxation.g_ref_uS, 121)


def _total_sigma(device: "Device", target: Reals, time_s: float, temp_C: float) -> Reals:
    """Deviation of one read: of the cells, and read noise. Beside measured points: of what was measured.

    Where readings in a row told the noise of the read apart, the points are without it.
    """
    g = np.maximum(target + device.mean_uS(target, time_s, temp_C), 0.0)
    noise = device.law_noise_uS(g, time_s) if device.fit.levels_uS else device.read_noise_uS(g, time_s)
    return np.sqrt(device.sigma_uS(target, time_s, temp_C) ** 2 + noise**2)


def _time_label(seconds: float) -> str:
    """A time for a legend, two digits of it: ``1h``, ``0.4s``, ten to the fifth."""
    exact = format_time(seconds)
    if len(exact) <= 4:
        return exact
    mantissa, _, power = f"{seconds:.1e}".partition("e")
    if -2 <= int(power) < 3:
        return f"{seconds:.2g}s"
    front = "" if float(mantissa) == 1.0 else f"{float(mantissa):g}\\times "
    return f"${front}10^{{{int(power)}}}$ s"


def _measured(device: "Device", which: str, time: int | None, level: int | None) -> tuple[Reals, Reals, Reals] | None:
    """(targets or times, values, standard errors) of the mean or the deviation, at one time or one level."""
    fit = device.fit
    if not fit.levels_uS:
        return None
    n, std = np.array(fit.level_n), np.array(fit.level_std_uS)
    value = np.array(fit.level_mean_uS) if which == "mean" else std
    error = std / np.sqrt(np.maximum(n if which == "mean" else 2.0 * n, 1.0))
    at = (time, slice(None)) if time is not None else (slice(None), level)
    where = np.array(fit.levels_uS) if time is not None else np.array(fit.times_s)
    good = (n[at] >= 3) & (where > 0.0)
    return where[good], value[at][good], error[at][good]


def _legend(axes: Axes, columns: int = 5) -> None:
    """Above the panel, where nothing is drawn; row by row, rows as long as each other."""
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        rows = -(-len(labels) // columns)
        columns = -(-len(labels) // rows)
        order = [k for c in range(columns) for k in range(c, len(labels), columns)]  # it is filled column by column
        axes.legend(
            [handles[k] for k in order], [labels[k] for k in order],
            loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, fontsize=6.2, handlelength=1.1,
            columnspacing=0.9, handletextpad=0.4, borderaxespad=0.1, labelspacing=0.2,
        )


def _time_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("time since programming (s)")
    axes.xaxis.set_major_locator(LogLocator(base=10.0, numticks=6))
    axes.minorticks_off()


def _time_of(device: "Device", time_s: float) -> int | None:
    """Which time of the data it is."""
    times = list(device.fit.times_s)
    return times.index(time_s) if time_s in times else None


def _over_targets(which: str) -> Callable[[Axes, "Device"], None]:
    def draw(axes: Axes, device: "Device") -> None:
        target, temp_C = _targets(device), device.data_temp_C
        times = shown_times(device)
        shown = np.array([0.0, *times]) if which == "sigma" and device.errs else times
        shown = shown if device.relaxes else np.zeros(1)
        for time_s, colour in zip(shown, COLOURS, strict=False):
            at = float(time_s)
            line = device.mean_uS(target, at, temp_C) if which == "mean" else _total_sigma(device, target, at, temp_C)
            axes.plot(target, line, color=colour, label=_time_label(at), **_LINE)
            index = _time_of(device, at)
            points = None if index is None else _measured(device, which, index, None)
            if points is not None:
                axes.errorbar(points[0], points[1], points[2], color=colour, **_POINT)
        if which == "mean":
            axes.axhline(0.0, color="0.7", linewidth=0.5, zorder=0)
            axes.set_ylabel(_MEAN)
        else:
            noise = device.read_noise_uS(target, float(shown[-1]))
            if noise.any():
                axes.plot(target, noise, color=COLOURS[6], linestyle=":", label="read noise", **_LINE)
            axes.set_ylabel(_DEVIATION)
            axes.set_ylim(bottom=0.0)
        axes.set_xlabel("target conductance (µS)")
        _legend(axes)

    return draw


def _split(times: Reals, last_s: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which times lie within the data, and beyond them (one point of the others too, so that lines meet)."""
    beyond = times >= last_s
    return times <= last_s, beyond


def _times_to(device: "Device", last_s: float) -> tuple[Reals, float]:
    known = np.array(device.data_times_s)
    end = float(known[-1])
    first = float(known[known > 0.0][0])
    return np.unique(np.append(np.geomspace(first, max(last_s, end), 80), end)), end


def _plot_split(axes: Axes, times: Reals, values: Reals, end_s: float, colour: str, label: str) -> None:
    within, beyond = _split(times, end_s)
    axes.plot(times[within], values[within], color=colour, label=label, **_LINE)
    if beyond.sum() > 1:
        axes.plot(times[beyond], values[beyond], color=colour, linestyle=(0, (3, 2)), **_LINE)


def _over_times(which: str) -> Callable[[Axes, "Device"], None]:
    def draw(axes: Axes, device: "Device") -> None:
        times, end = _times_to(device, _YEARS_10_S)
        temp_C, levels = device.data_temp_C, shown_levels(device)
        for level, colour in zip(levels, COLOURS, strict=False):
            one = np.array([level])
            line = np.array([
                float((device.mean_uS(one, float(t), temp_C) if which == "mean"
                       else _total_sigma(device, one, float(t), temp_C))[0])
                for t in times
            ])
            _plot_split(axes, times, line, end, colour, f"{level:.3g} µS")
            measured = list(device.fit.levels_uS)
            points = _measured(device, which, None, measured.index(level)) if level in measured else None
            if points is not None:
                axes.errorbar(points[0], points[1], points[2], color=colour, **_POINT)
        _time_axis(axes)
        if which == "sigma":
            axes.set_ylim(bottom=0.0)
        axes.set_ylabel(_MEAN if which == "mean" else _DEVIATION)
        _legend(axes)

    return draw


def _draw_distribution(axes: Axes, device: "Device") -> None:
    """Distribution over all targets of the range, at the known times, on the axis of a normal law."""
    from scipy.special import ndtri

    targets, at = _targets(device)[::3], (np.arange(200) + 0.5) / 200
    for time_s, colour in zip(shown_times(device), COLOURS, strict=False):
        moved = np.concatenate(
            [draw_cells(device, float(g), float(time_s), device.data_temp_C)[:2000] - g for g in targets]
        )
        axes.plot(np.quantile(moved, at), ndtri(at), color=colour, label=_time_label(float(time_s)), **_LINE)
    part = np.array([0.01, 0.1, 0.5, 0.9, 0.99])
    axes.set_yticks(ndtri(part), [f"{100 * p:g}" for p in part])
    axes.set_xlabel("g − target (µS), all targets")
    axes.set_ylabel("cells below (%)")
    _legend(axes)


def _middle(device: "Device") -> Reals:
    levels = shown_levels(device)
    return levels[[len(levels) // 2]]


def _feels_heat(device: "Device") -> bool:
    """Whether temperature changes anything in the model."""
    level, end = _middle(device), float(shown_times(device)[-1])
    cold, hot = (np.append(device.sigma_uS(level, end, t), device.mean_uS(level, end, t)) for t in RETENTION_C[::2])
    return not np.array_equal(cold, hot)


def _draw_retention(axes: Axes, device: "Device") -> None:
    """Cells in the middle of the range, up to ten years, at three temperatures."""
    level = _middle(device)
    times, end = _times_to(device, _YEARS_10_S)
    for temp_C, colour in zip(RETENTION_C, COLOURS, strict=False):
        mean = np.array([float(device.mean_uS(level, float(t), temp_C)[0]) for t in times]) + level
        sigma = np.array([float(device.sigma_uS(level, float(t), temp_C)[0]) for t in times])
        _plot_split(axes, times, mean, end, colour, f"{temp_C:g} °C")
        axes.fill_between(times, np.maximum(mean - sigma, 0.0), mean + sigma, color=colour, alpha=0.13, linewidth=0)
    _time_axis(axes)
    axes.set_ylabel(f"{level[0]:.3g} µS ±\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}s.d. (µS)")
    _legend(axes)


def _draw_programming(axes: Axes, device: "Device") -> None:
    for level, colour in zip(shown_levels(device), COLOURS, strict=False):
        error = np.sort(draw_cells(device, float(level), 0.0, device.data_temp_C) - level)
        if np.ptp(error) > 0.0:
            part = (np.arange(len(error)) + 0.5) / len(error)
            axes.plot(error[::40], 100 * part[::40], color=colour, label=f"{level:.3g} µS", **_LINE)
    axes.set_xlabel("programmed − target (µS)")
    axes.set_ylabel("cells below (%)")
    _legend(axes)


def _draw_pulses(axes: Axes, device: "Device") -> None:
    """Median and tenths of cells that see SET pulses of rising amplitude, then RESET pulses."""
    from macro_models.cells.pulses import PulseArray, PulseConfig
    from macro_models.exact.pulse import Polarity

    config = PulseConfig(lines=32)
    law, array = device.pulse, PulseArray(PulseConfig(lines=32), device=device, seed=0)
    cells = np.arange(config.lines**2)
    width = np.full(cells.size, max(1, round(device.programming.pulse_s / config.cycle_s)))
    for polarity, threshold, colour in (
        (Polarity.SET, law.set_threshold_V, COLOURS[0]), (Polarity.RESET, law.reset_threshold_V, COLOURS[1]),
    ):
        volts, shown = threshold - 0.1 + 0.1 * np.arange(_PULSES), []
        for v in volts:
            code = round((v - config.v_base_V) / config.v_step_V)
            array.pulse(cells, np.full(cells.size, int(polarity)), np.full(cells.size, code), width)
            shown.append(np.quantile(array.g_uS, [0.1, 0.5, 0.9]))
        low, middle, high = np.array(shown).T
        axes.plot(volts, middle, color=colour, label=f"{polarity.name}, median and tenths", **_LINE)
        axes.fill_between(volts, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel("amplitude of rising pulses (V)")
    axes.set_ylabel("conductance (µS)")
    _legend(axes, 2)


def _panels(device: "Device") -> list[Callable[[Axes, "Device"], None]]:
    pulsed = device.pulse.set_rate > 0.0 and device.pulse.reset_rate > 0.0
    moves = device.relaxes and bool(np.any(device.mean_uS(shown_levels(device), float(shown_times(device)[-1]))))
    panels: list[Callable[[Axes, Device], None]] = []
    if device.errs:
        panels.append(_draw_programming)
    spread = device.relaxes or device.errs or device.read_noise_uS(_targets(device)).any()
    if spread or not pulsed:
        panels.append(_over_targets("sigma"))
    if device.relaxes:
        panels += [_over_targets("mean")] if moves else []
        panels += [_over_times("sigma"), *([_over_times("mean")] if moves else []), _draw_distribution]
        panels += [_draw_retention] if _feels_heat(device) else []
    return [*panels, _draw_pulses] if pulsed else panels


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
    found = [figure.add_subplot(grid[k // across, k % across]) for k in range(count)]
    for k, axes in enumerate(found):
        axes.annotate(
            f"({chr(97 + k)})", (0.0, 1.0), xytext=(-26, 8), xycoords="axes fraction", textcoords="offset points",
            fontweight="bold", fontsize=8,
        )
        axes.margins(x=0.03)
    return figure, found


@in_style
def figure_of_device(device: "Device", column: str = "double") -> Figure:
    """All that a device says, one panel each; ``column`` is one of :data:`COLUMN_IN`."""
    panels = _panels(device)
    figure, axes = _laid_out(len(panels), column)
    for panel, one in zip(panels, axes, strict=True):
        panel(one, device)
    _break_labels(figure)
    return figure


@in_style
def figure_of_devices(devices: Sequence["Device"], column: str = "double") -> Figure:
    """Several devices in the same panels: spread and mean over targets, and over time in the middle of their ranges."""
    figure, axes = _laid_out(4, column)
    for device, colour in zip(devices, COLOURS * 2, strict=False):
        target, temp_C = _targets(device), device.data_temp_C
        time_s = float(min(device.data_times_s, key=lambda t: abs(np.log(max(t, 1e-9) / _COMPARED_S[1])), default=0.0))
        label = f"{device.name}, {_time_label(time_s)}"
        for which, one in (("sigma", axes[0]), ("mean", axes[1])):
            of = device.mean_uS(target, time_s, temp_C)
            line = of if which == "mean" else _total_sigma(device, target, time_s, temp_C)
            one.plot(target, line, color=colour, label=label, **_LINE)
            index = _time_of(device, time_s)
            points = None if index is None else _measured(device, which, index, None)
            if points is not None:
                one.errorbar(points[0], points[1], points[2], color=colour, **_POINT)
        if device.relaxes:
            _draw_middle(axes[2:], device, colour)
    for one, title in zip(axes, (_DEVIATION, _MEAN) * 2, strict=True):
        one.set_ylabel(title)
        _legend(one, 1 if len(devices) > 2 else 2)
    for one in axes[:2]:
        one.set_xlabel("target conductance (µS)")
    for one in axes[2:]:
        _time_axis(one)
    for one in axes[::2]:
        one.set_ylim(bottom=0.0)
    _break_labels(figure)
    return figure


def _draw_middle(axes: Sequence[Axes], device: "Device", colour: str) -> None:
    """Deviation and mean over time, of a target in the middle of the range."""
    one, (times, end) = _middle(device), _times_to(device, _YEARS_10_S)
    level = float(one[0])
    sigma = np.array([float(_total_sigma(device, one, float(t), device.data_temp_C)[0]) for t in times])
    mean = np.array([float(device.mean_uS(one, float(t), device.data_temp_C)[0]) for t in times])
    measured = list(device.fit.levels_uS)
    for which, values, panel in (("sigma", sigma, axes[0]), ("mean", mean, axes[1])):
        _plot_split(panel, times, values, end, colour, f"{device.name}, {level:.3g} µS")
        points = _measured(device, which, None, measured.index(level)) if level in measured else None
        if points is not None:
            panel.errorbar(points[0], points[1], points[2], color=colour, **_POINT)

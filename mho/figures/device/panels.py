"""Panels of a figure of a device: points with bars are measured, lines are the model, dashed where no data are."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from mho.figures.device import data
from mho.figures.run import COLOURS
from mho.units import format_time

if TYPE_CHECKING:
    from mho.macro_models.devices import Device

_PULSES = 16
MEAN, DEVIATION = "mean of g\N{NO-BREAK SPACE}−\N{NO-BREAK SPACE}target (µS)", "standard deviation (µS)"
LINE: Any = {"linewidth": 1.0}
POINT: Any = {"linestyle": "none", "marker": "o", "markersize": 2.2, "elinewidth": 0.6, "markeredgewidth": 0.0}


def time_label(seconds: float) -> str:
    """A time for a legend, two digits of it: ``1h``, ``0.4s``, ten to the fifth."""
    exact = format_time(seconds)
    if len(exact) <= 4:
        return exact
    mantissa, _, power = f"{seconds:.1e}".partition("e")
    if -2 <= int(power) < 3:
        return f"{seconds:.2g}s"
    front = "" if float(mantissa) == 1.0 else f"{float(mantissa):g}\\times "
    return f"${front}10^{{{int(power)}}}$ s"


def draw_legend(axes: Axes, columns: int = 5) -> None:
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


def time_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("time since programming (s)")
    axes.xaxis.set_major_locator(LogLocator(base=10.0, numticks=6))
    axes.minorticks_off()


def plot_at_time(axes: Axes, device: "Device", which: str, time_s: float, colour: str, label: str) -> None:
    """Mean or deviation over the targets at one time, with what was measured there."""
    target, temp_C = data.targets_of(device), device.data_temp_C
    of_mean = which == "mean"
    line = device.mean_uS(target, time_s, temp_C) if of_mean else data.total_sigma(device, target, time_s, temp_C)
    axes.plot(target, line, color=colour, label=label, **LINE)
    index = data.time_of(device, time_s)
    _plot_points(axes, None if index is None else data.measured_points(device, which, index, None), colour)


def plot_at_level(axes: Axes, device: "Device", which: str, level: float, colour: str, label: str) -> None:
    """Mean or deviation of one target over time, with what was measured of it."""
    target, temp_C, (times, end) = np.array([level]), device.data_temp_C, data.times_to(device, data.YEARS_10_S)
    line = np.array([
        float((device.mean_uS(target, float(t), temp_C) if which == "mean"
               else data.total_sigma(device, target, float(t), temp_C))[0])
        for t in times
    ])
    plot_split(axes, times, line, end, colour, label)
    measured = list(device.fit.levels_uS)
    _plot_points(
        axes, data.measured_points(device, which, None, measured.index(level)) if level in measured else None, colour)


def _plot_points(axes: Axes, points: tuple[data.Reals, data.Reals, data.Reals] | None, colour: str) -> None:
    if points is not None:
        axes.errorbar(points[0], points[1], points[2], color=colour, **POINT)


def over_targets(which: str) -> Callable[[Axes, "Device"], None]:
    def draw(axes: Axes, device: "Device") -> None:
        times = data.shown_times(device)
        shown = np.array([0.0, *times]) if which == "sigma" and device.errs else times
        shown = shown if device.relaxes else np.zeros(1)
        for time_s, colour in zip(shown, COLOURS, strict=False):
            plot_at_time(axes, device, which, float(time_s), colour, time_label(float(time_s)))
        if which == "mean":
            axes.axhline(0.0, color="0.7", linewidth=0.5, zorder=0)
            axes.set_ylabel(MEAN)
        else:
            target = data.targets_of(device)
            noise = device.read_noise_uS(target, float(shown[-1]))
            if noise.any():
                axes.plot(target, noise, color=COLOURS[6], linestyle=":", label="read noise", **LINE)
            axes.set_ylabel(DEVIATION)
            axes.set_ylim(bottom=0.0)
        axes.set_xlabel("target conductance (µS)")
        draw_legend(axes)

    return draw


def plot_split(axes: Axes, times: data.Reals, values: data.Reals, end_s: float, colour: str, label: str) -> None:
    within, beyond = data.split_at(times, end_s)
    axes.plot(times[within], values[within], color=colour, label=label, **LINE)
    if beyond.sum() > 1:
        axes.plot(times[beyond], values[beyond], color=colour, linestyle=(0, (3, 2)), **LINE)


def over_times(which: str) -> Callable[[Axes, "Device"], None]:
    def draw(axes: Axes, device: "Device") -> None:
        for level, colour in zip(data.shown_levels(device), COLOURS, strict=False):
            plot_at_level(axes, device, which, float(level), colour, f"{level:.3g} µS")
        time_axis(axes)
        if which == "sigma":
            axes.set_ylim(bottom=0.0)
        axes.set_ylabel(MEAN if which == "mean" else DEVIATION)
        draw_legend(axes)

    return draw


def _draw_distribution(axes: Axes, device: "Device") -> None:
    """Distribution over all targets of the range, at the known times, on the axis of a normal law."""
    from scipy.special import ndtri

    targets, at = data.targets_of(device)[::3], (np.arange(200) + 0.5) / 200
    for time_s, colour in zip(data.shown_times(device), COLOURS, strict=False):
        moved = np.concatenate(
            [data.draw_cells(device, float(g), float(time_s), device.data_temp_C)[:2000] - g for g in targets]
        )
        axes.plot(np.quantile(moved, at), ndtri(at), color=colour, label=time_label(float(time_s)), **LINE)
    part = np.array([0.01, 0.1, 0.5, 0.9, 0.99])
    axes.set_yticks(ndtri(part), [f"{100 * p:g}" for p in part])
    axes.set_xlabel("g − target (µS), all targets")
    axes.set_ylabel("cells below (%)")
    draw_legend(axes)


def _draw_retention(axes: Axes, device: "Device") -> None:
    """Cells in the middle of the range, up to ten years, at three temperatures."""
    level = data.middle_of(device)
    times, end = data.times_to(device, data.YEARS_10_S)
    for temp_C, colour in zip(data.RETENTION_C, COLOURS, strict=False):
        mean = np.array([float(device.mean_uS(level, float(t), temp_C)[0]) for t in times]) + level
        sigma = np.array([float(device.sigma_uS(level, float(t), temp_C)[0]) for t in times])
        plot_split(axes, times, mean, end, colour, f"{temp_C:g} °C")
        axes.fill_between(times, np.maximum(mean - sigma, 0.0), mean + sigma, color=colour, alpha=0.13, linewidth=0)
    time_axis(axes)
    axes.set_ylabel(f"{level[0]:.3g} µS ±\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}s.d. (µS)")
    draw_legend(axes)


def _draw_programming(axes: Axes, device: "Device") -> None:
    for level, colour in zip(data.shown_levels(device), COLOURS, strict=False):
        error = np.sort(data.draw_cells(device, float(level), 0.0, device.data_temp_C) - level)
        if np.ptp(error) > 0.0:
            part = (np.arange(len(error)) + 0.5) / len(error)
            axes.plot(error[::40], 100 * part[::40], color=colour, label=f"{level:.3g} µS", **LINE)
    axes.set_xlabel("programmed − target (µS)")
    axes.set_ylabel("cells below (%)")
    draw_legend(axes)


def _draw_pulses(axes: Axes, device: "Device") -> None:
    """Median and tenths of cells that see SET pulses of rising amplitude, then RESET pulses."""
    from mho.macro_models.cells.pulses import PulseArray, PulseConfig
    from mho.macro_models.integer.pulse import Polarity

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
        axes.plot(volts, middle, color=colour, label=f"{polarity.name}, median and tenths", **LINE)
        axes.fill_between(volts, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel("amplitude of rising pulses (V)")
    axes.set_ylabel("conductance (µS)")
    draw_legend(axes, 2)


def panels_of(device: "Device") -> list[Callable[[Axes, "Device"], None]]:
    pulsed = device.pulse.set_rate > 0.0 and device.pulse.reset_rate > 0.0
    moves = device.relaxes and bool(
        np.any(device.mean_uS(data.shown_levels(device), float(data.shown_times(device)[-1])))
    )
    panels: list[Callable[[Axes, Device], None]] = []
    if device.errs:
        panels.append(_draw_programming)
    spread = device.relaxes or device.errs or device.read_noise_uS(data.targets_of(device)).any()
    if spread or not pulsed:
        panels.append(over_targets("sigma"))
    if device.relaxes:
        panels += [over_targets("mean")] if moves else []
        panels += [over_times("sigma"), *([over_times("mean")] if moves else []), _draw_distribution]
        panels += [_draw_retention] if data.feels_heat(device) else []
    return [*panels, _draw_pulses] if pulsed else panels

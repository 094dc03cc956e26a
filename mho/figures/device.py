"""What ``mho device show`` draws of a device: programming, relaxation, drift, retention and the spread over targets."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mho.figures.run import COLOURS, in_style, new_figure
from mho.units import format_time

if TYPE_CHECKING:
    from macro_models.devices import Device

__all__ = ["RETENTION_C", "draw_cells", "figure_of_device", "shown_levels", "shown_times"]

RETENTION_C = (25.0, 55.0, 85.0)
"""Temperatures at which retention is shown, in degrees Celsius."""
_CELLS = 20_000
_PULSES = 16
_YEARS_10_S = 10 * 365.25 * 86400.0
_LAYOUT = (3, 2)


def shown_levels(device: "Device") -> NDArray[np.float64]:
    """Four targets over the device's range, in uS."""
    low = device.range.g_min_uS
    high = device.g_max_uS or device.relaxation.g_ref_uS
    return low + (high - low) * np.array([0.05, 0.35, 0.65, 0.95])


def shown_times(device: "Device") -> NDArray[np.float64]:
    """Times at which the device is known, in seconds, without that of programming; few of them."""
    known = np.array(device.data_times_s)
    return known if len(known) <= 6 else known[np.linspace(0, len(known) - 1, 6).round().astype(int)]


def draw_cells(device: "Device", target_uS: float, time_s: float, temp_C: float) -> NDArray[np.float64]:
    """Conductances in uS of many cells with one target, as the macro model draws them, of shape (cells,)."""
    from macro_models.cells.programming import programmed_uS
    from macro_models.devices import CAUSES

    return programmed_uS(
        np.full(_CELLS, target_uS), device=device, seed=0, core=0, time_s=time_s, temp_C=temp_C,
        causes=frozenset(CAUSES) - {"stuck"},
    )


def _fitted_temp(device: "Device") -> float:
    return device.data_temp_C


def _draw_programming(axes: Axes, device: "Device") -> None:
    for level, colour in zip(shown_levels(device), COLOURS, strict=False):
        error = draw_cells(device, float(level), 0.0, _fitted_temp(device)) - level
        if np.ptp(error) > 0.0:
            axes.hist(
                error, bins=60, histtype="step", color=colour, density=True, label=f"{level:.3g} µS", linewidth=1.0
            )
    axes.set_title("programming error")
    axes.set_xlabel("g - target (µS)")
    axes.set_ylabel("density")
    axes.legend()


def _draw_relaxation(axes: Axes, device: "Device") -> None:
    """Distribution over all targets of the range, at the known times, on the axis of a normal law."""
    from scipy.special import ndtri

    targets = np.linspace(device.range.g_min_uS, device.g_max_uS or device.relaxation.g_ref_uS, 40)
    at = ndtri((np.arange(200) + 0.5) / 200)
    for time_s, colour in zip(shown_times(device), COLOURS, strict=False):
        moved = np.concatenate(
            [draw_cells(device, float(g), float(time_s), _fitted_temp(device))[:2000] - g for g in targets]
        )
        axes.plot(
            np.quantile(moved, (np.arange(200) + 0.5) / 200), at, color=colour, label=format_time(time_s), linewidth=1.0
        )
    axes.set_title("relaxation (normal: straight)")
    axes.set_xlabel("g - target (µS)")
    axes.set_ylabel("normal quantile")
    axes.legend(loc="lower right")


def _times_axis(device: "Device", last_s: float) -> NDArray[np.float64]:
    known = shown_times(device)
    return np.geomspace(float(known[0]), max(last_s, float(known[-1])), 60)


def _draw_drift(axes: Axes, device: "Device") -> None:
    times = _times_axis(device, 0.0)
    for level, colour in zip(shown_levels(device), COLOURS, strict=False):
        mean = [float(device.mean_uS(level, float(t), _fitted_temp(device))) for t in times]
        axes.plot(times, mean, color=colour, label=f"{level:.3g} µS", linewidth=1.0)
    axes.set_xscale("log")
    axes.set_title("drift of the mean")
    axes.set_xlabel("time since programming (s)")
    axes.set_ylabel("mean of g - target (µS)")
    axes.legend()


def _draw_retention(axes: Axes, device: "Device") -> None:
    """Spread of cells in the middle of the range, up to ten years, at three temperatures if the device knows them."""
    level = float(shown_levels(device)[2])
    times = _times_axis(device, _YEARS_10_S)
    last = float(shown_times(device)[-1])
    curves = [(temp_C, f"{temp_C:g} °C") for temp_C in RETENTION_C]
    if not device.temperature.acts_on:
        curves = [(RETENTION_C[0], ", ".join(f"{t:g}" for t in RETENTION_C) + " °C: the same")]
    for (temp_C, label), colour in zip(curves, COLOURS, strict=False):
        mean = np.array([float(device.mean_uS(level, float(t), temp_C)) for t in times]) + level
        sigma = np.array([float(device.sigma_uS(level, float(t), temp_C)) for t in times])
        axes.plot(times, mean, color=colour, label=label, linewidth=1.0)
        axes.fill_between(times, mean - sigma, mean + sigma, color=colour, alpha=0.15, linewidth=0)
    axes.axvline(last, color="black", linewidth=0.5, linestyle=":")
    axes.set_xscale("log")
    axes.set_title(f"retention of {level:.3g} µS ± 1 deviation")
    axes.set_xlabel("time (s); dotted: end of the data")
    axes.set_ylabel("conductance (µS)")
    axes.legend()


def _draw_spread(axes: Axes, device: "Device") -> None:
    targets = np.linspace(device.range.g_min_uS, device.g_max_uS or device.relaxation.g_ref_uS, 200)
    for time_s, colour in zip((0.0, *shown_times(device)), COLOURS * 2, strict=False):
        sigma = device.sigma_uS(targets, float(time_s), _fitted_temp(device))
        axes.plot(targets, sigma, color=colour, label=format_time(float(time_s)), linewidth=1.0)
    axes.plot(
        targets, device.read_noise_uS(targets), color=COLOURS[6], linestyle=":", label="read noise", linewidth=1.0
    )
    axes.set_title("spread over the targets")
    axes.set_xlabel("target conductance (µS)")
    axes.set_ylabel("standard deviation (µS)")
    axes.set_ylim(0, max(axes.get_ylim()[1] * 1.25, 1e-3))
    axes.legend(ncols=3, loc="upper left")


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
        axes.plot(volts, middle, color=colour, label=polarity.name, linewidth=1.0)
        axes.fill_between(volts, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_title("rising pulses: median, tenths")
    axes.set_xlabel("amplitude (V)")
    axes.set_ylabel("conductance (µS)")
    axes.legend()


def _draw_agreement(axes: Axes, device: "Device") -> None:
    """Statistics of a fitted device beside those of its data."""
    fit = device.fit
    measured = [(fit.std_uS, fit.model_std_uS, "deviation"), (fit.mean_uS, fit.model_mean_uS, "mean")]
    where = np.arange(len(fit.times_s))
    for (data, model, name), colour in zip(measured, COLOURS, strict=False):
        axes.plot(where, data, "o", color=colour, markersize=4, fillstyle="none", label=f"{name}, measured")
        axes.plot(where, model, "x", color=colour, markersize=4, label=f"{name}, device")
    axes.set_xticks(where, [format_time(t) for t in fit.times_s])
    axes.set_title(f"agreement with {fit.cells:,} cells")
    axes.set_xlabel("time since programming")
    axes.set_ylabel("g - target (µS)")
    axes.legend()


@in_style
def figure_of_device(device: "Device") -> Figure:
    """All that the device says, one panel each."""
    pulsed = device.pulse.set_rate > 0.0 and device.pulse.reset_rate > 0.0
    spread = device.relaxes or device.programming.accept_uS > 0.0 or any(device.read_noise.sigma_uS)
    panels = [_draw_spread] if spread or device.law.model or not pulsed else []
    if device.errs:
        panels.insert(0, _draw_programming)
    if device.relaxes:
        panels += [_draw_relaxation, _draw_drift, _draw_retention]
    if pulsed:
        panels.append(_draw_pulses)
    if device.fit.times_s:
        panels.append(_draw_agreement)
    columns = min(len(panels), _LAYOUT[0])
    rows = -(-len(panels) // columns)
    figure = new_figure(2.9 * columns, 2.3 * rows)
    grid = figure.add_gridspec(rows, columns)
    for k, panel in enumerate(panels):
        panel(figure.add_subplot(grid[k // columns, k % columns]), device)
    figure.suptitle(f"{device.name}: {device.description}"[:110], fontsize=8.5)
    return figure

"""How cells answer to programming pulses: the section ``[pulse]`` of a device."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PulseResponse:
    """Pulse response of a filamentary cell with a transistor (equations: :mod:`mho.macro_models.cells.pulses`).

    Without rates (0) the device has no pulse response, and its cells cannot be programmed by pulses.
    """

    g_low_uS: float = 0.0
    """Conductance to which RESET pulses tend, in uS."""
    g_high_uS: float = 0.0
    """Conductance to which SET pulses tend, which the transistor limits, in uS: median of the cells."""
    high_spread: float = 0.0
    """Standard deviation of its logarithm between cells."""
    initial_uS: float = 0.0
    """Conductance before programming, in uS: median of the cells."""
    initial_spread: float = 0.0
    """Standard deviation of its logarithm between cells."""
    set_threshold_V: float = 0.0
    """Amplitude below which a SET pulse does nothing, in V: mean of the cells."""
    reset_threshold_V: float = 0.0
    """The same for RESET."""
    set_spread_V: float = 0.0
    """Standard deviation of the threshold between cells, in V."""
    reset_spread_V: float = 0.0
    """The same for RESET."""
    threshold_share: float = 0.0
    """Correlation of the two thresholds of a cell, -1..1."""
    set_slope_V: float = 1.0
    """Amplitude by which the rate grows e-fold, in V."""
    reset_slope_V: float = 1.0
    """The same for RESET."""
    set_rate: float = 0.0
    """Rate at the threshold for a pulse of programming.pulse_s: it moves 1 - exp(-rate) of the way to g_high."""
    reset_rate: float = 0.0
    """The same for RESET, towards g_low."""
    cycle_spread: float = 0.0
    """Standard deviation of the logarithm of the rate from pulse to pulse."""
    weak_fraction: float = 0.0
    """Probability that a cell is weak, 0..1, resolved to 1/65536."""
    weak_factor: float = 1.0
    """Factor on the rates of weak cells."""
    verify_sigma_uS: float = 0.0
    """Standard deviation of a verify read, in uS."""
    form_threshold_V: float = 0.0
    """Amplitude from which on a FORM pulse makes a filament in a fresh cell, in V: mean of the cells."""
    form_spread_V: float = 0.0
    """Standard deviation between cells, in V."""
    fresh_uS: float = 0.0
    """Conductance of a fresh cell, in uS."""
    formed_uS: float = 0.0
    """Conductance after forming, in uS: median of the cells, with ``initial_spread``."""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class PulseAgreement:
    """How well a fitted pulse response agrees with its data: the section ``[pulse_fit]``."""

    unknown: str = ""
    """Parameters about which the data say nothing, separated by commas: they are assumed."""
    errors: tuple[float, ...] = ()
    """Standard errors of set_threshold_V, set_spread_V, set_slope_V, set_rate, then those of RESET: of thresholds in V,
    of the others relative. 1,000: nothing is known."""
    volts: tuple[float, ...] = ()
    """Amplitudes of the lists below, in V."""
    n: tuple[float, ...] = ()
    """Pulses of each."""
    moved_uS: tuple[float, ...] = ()
    """Mean move as measured, in uS."""
    model_moved_uS: tuple[float, ...] = ()
    """The same of the law, from the same readings before."""
    std_uS: tuple[float, ...] = ()
    """Standard deviation of the move as measured, in uS."""
    model_std_uS: tuple[float, ...] = ()
    """The same of the law."""
    source: str = ""

"""Sections of the description of a phase-change core. Their defaults are the preset ``hermes-core``."""

from dataclasses import dataclass
from typing import ClassVar

from mho.hw.config.chip import CellsSection, ClockSection, CoreSection, Section
from mho.hw.config.cost import EnergySection, energy_key
from mho.hw.config.keys import ChipError, key


@dataclass(frozen=True, kw_only=True)
class PwmCoreSection(CoreSection):
    """``[core]``: one phase-change core."""

    instead: ClassVar[dict[str, str]] = {
        "corelet": "a core of this kind has no corelets: core.lines must be 16 to 256",
        **dict.fromkeys(("trim", "manual", "synchronise"), "a core of this kind has no such registers at its pins"),
    }
    """What to say of keys that do not exist and that somebody looks for."""
    kind: str = key(
        "pwm", "Kind of macro: phase-change devices, pulse-width inputs, oscillators.", choices=("pwm",),
        shapes=("core",),
    )
    lines: int = key(
        256, "Unit cells each way: rows of weights, and columns, in steps of 8.", low=16, high=256,
        shapes=("core", "tile"),
    )
    devices: int = key(2, "Devices of a weight for each sign; a unit cell has two.", choices=(1, 2), shapes=("core",))


@dataclass(frozen=True, kw_only=True)
class PwmCellsSection(CellsSection):
    """``[cells]``: conductance range of one device."""

    g_min_uS: float = key(0.0, "Conductance of a device in RESET, in microsiemens.", low=0.0, high=10_000.0)
    g_max_uS: float = key(10.35, "Conductance of a device in SET, in microsiemens.", low=0.001, high=10_000.0)
    g_full_scale_uS: float = key(
        15.0, "Conductance of the highest code: room above g_max_uS for errors of programming, in microsiemens.",
        low=0.001, high=20_000.0,
    )


@dataclass(frozen=True, kw_only=True)
class PwmClockSection(ClockSection):
    """``[clock]``: the clock of the digital side."""

    f_clk_MHz: float = key(1000.0, "Clock frequency, in megahertz.", low=0.001, high=5_000.0, shapes=("core",))


@dataclass(frozen=True, kw_only=True)
class ReadSection(Section):
    """``[read]``: how the array is read in a matrix-vector product."""

    _name = "read"
    phases: int = key(
        4, "Windows of a product: 1 integrates all signs at once, 4 one sign of inputs and of devices after the other.",
        choices=(1, 4), shapes=("core",),
    )
    v_read_V: float = key(0.2, "Read voltage, in volts.", low=0.001, high=5.0)


def _duration(default: float, doc: str) -> float:
    return key(default, doc, low=0.0, high=1e6, shapes=("core",))


@dataclass(frozen=True, kw_only=True)
class TimingSection(Section):
    """``[timing]``: durations of the analog operations."""

    _name = "timing"
    t_lsb_ns: float = _duration(1.0, "Width of the pulse of an input of 1 of 127, in ns.")
    t_start_ns: float = _duration(1.0, "From the start of a product to its first window, in ns.")
    t_switch_ns: float = _duration(1.0, "Modulators take other signs after each of four windows, in ns.")
    t_convert_ns: float = _duration(3.0, "Counters settle and are read, in ns.")


@dataclass(frozen=True, kw_only=True)
class AdcSection(Section):
    """``[adc]``: oscillators and counters of the columns."""

    _name = "adc"
    bits: int = key(8, "Most output bits of an operation, the sign included.", low=2, high=8)
    f_max_GHz: float = key(
        3.3, "Highest frequency of an oscillator, in GHz.", low=0.0001, high=100.0, shapes=("core",)
    )
    gain_MHz_per_uA: float = key(
        35.0, "Frequency of an oscillator over its current, at a mirror ratio of 1, in MHz / uA.", low=0.001, high=1e6
    )
    sigma_gain: float = key(
        0.21, "Standard deviation of the relative gain of an oscillator before calibration.", low=0.0, high=0.5
    )
    sigma_residual: float = key(
        0.0709, "Part of sigma_gain that calibration by reference currents does not see.", low=0.0, high=0.5
    )
    curvature: float = key(
        -0.04, "Relative change of an oscillator's gain at 512 counts a window, in the mean.", low=-0.3, high=0.3
    )
    sigma_curvature: float = key(0.015, "Standard deviation of that between oscillators.", low=0.0, high=0.1)
    sigma_offset: float = key(
        1.0, "Standard deviation of the counts of an oscillator in a window without current.", low=0.0, high=20.0
    )
    free_running: bool = key(
        True, "Oscillators begin a conversion anywhere in their period; false: always in its middle."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sigma_residual > self.sigma_gain:
            raise ChipError(
                "adc.sigma_residual",
                f"adc.sigma_residual must be at most adc.sigma_gain = {self.sigma_gain:g}, not {self.sigma_residual:g}",
            )


@dataclass(frozen=True, kw_only=True)
class DigitalSection(Section):
    """``[digital]``: the unit that makes codes of the counters."""

    _name = "digital"
    gain: float = key(
        1.5, "Digital gain of a column without any error; at 1 a step of the code is four counts.",
        low=0.125, high=1.875, shapes=("core",),
    )
    lanes: int = key(
        2, "Columns that the digital unit takes in a cycle. Two make the word that leaves in a cycle.",
        choices=(2, 4, 8, 16, 32, 64), shapes=("core",),
    )


@dataclass(frozen=True, kw_only=True)
class PwmWiresSection(Section):
    """``[wires]``: the line of a row, whose edges pulses have; ``mho check`` alone takes it."""

    _name = "wires"
    r_cell_ohm: float = key(8.0, "Resistance of a line from cell to cell, in ohms.", low=0.0, high=1e6, later=True)
    r_driver_ohm: float = key(100.0, "Output resistance of a modulator, in ohms.", low=0.0, high=1e6, later=True)
    c_cell_fF: float = key(
        1.1, "Capacitance that each cell adds to a line, in femtofarad.", low=0.001, high=1e4, later=True
    )


@dataclass(frozen=True, kw_only=True)
class PwmProgrammingSection(Section):
    """``[programming]``: calibration, drift compensation and write-verify by the core itself."""

    _name = "programming"
    engine: bool = key(
        False, "Cores take commands: they calibrate their converters, make up for drift, program devices.",
        shapes=("core",),
    )
    margin: int = key(5, "Counts by which a device may be beside its target.", low=0, high=255)
    iterations: int = key(30, "Pulses of a line at most.", low=1, high=255)
    start: int = key(128, "Amplitude of the first pulse, of 255; of targets of 0 it is 255.", low=0, high=255)
    gain: int = key(16, "Steps of the amplitude for an error of one count, in 1/16.", low=1, high=255)
    top: int = key(100, "Counts of a device at cells.g_max_uS in a verify read.", low=1, high=400)
    t_pulse_ns: float = key(100.0, "Width of a programming pulse, in ns.", low=0.0, high=1e6, shapes=("core",))


@dataclass(frozen=True, kw_only=True)
class PwmEnergySection(EnergySection):
    """``[energy]``: what operations of the macro take; a product adds them up over its rows, columns and windows."""

    row_pJ: float = energy_key("Modulator and devices of one row, once each window")
    oscillators_pJ: float = energy_key("Both oscillators and counters of one column, once each window")
    conversion_pJ: float = energy_key("Reading and clearing the counters of one column, once each product")

"""Scales at the programming pins, and a device in the integers of :mod:`mho.macro_models.integer.pulse`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.cells.bias import WRITES
from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError, check_numbers
from mho.macro_models.integer.pulse import (
    CONDUCTANCE_BITS,
    CONDUCTANCE_MAX,
    RATE_BITS,
    RATE_MAX,
    SCALE_BITS,
    SIGMA_BITS,
    TABLE_STEPS,
    THRESHOLD_BITS,
    THRESHOLD_MAX,
    PulseLaw,
)
from mho.macro_models.types import Integers

Cells = Integers

_RATE_ONE = TABLE_STEPS << RATE_BITS
"""One in the integers of ln a."""


@dataclass(frozen=True, kw_only=True)
class PulseConfig:
    """Scales at the programming pins.

    Raises InputError if a value is out of range.
    """

    lines: int = 256
    """Bit lines."""
    columns: int | None = None
    """Source lines; None: as many."""
    v_base_V: float = 0.0
    """Amplitude of code 0, in V."""
    v_step_V: float = 0.02
    """Amplitude of a step of the code, in V."""
    verify_bits: int = 10
    """Width of the verify code."""
    g_full_scale_uS: float = 50.0
    """Conductance of the largest verify code, in uS."""
    cycle_s: float = 1e-8
    """Period of the clock in which widths of pulses are counted, in seconds."""
    wait_s: float = 1.0
    """Wait between two passes, in seconds."""
    temp_C: float = 25.0
    """Temperature, in degrees Celsius."""
    bias: str = ""
    """Of lines that are not selected, where cells have no transistors: half (V/2) or third (V/3)."""
    float_lines: bool = False
    """These lines float at verify reads, which find what sneaks through other cells, too."""

    def __post_init__(self) -> None:
        for name, number in zip(("lines", "columns"), self.shape, strict=True):
            if not 1 <= number <= 1024:
                raise InputError(f"{name} must be between 1 and 1024, not {number!r}")
        if self.bias not in ("", *WRITES):
            raise InputError(f"bias must be {' or '.join(WRITES)}, not {self.bias!r}")
        if self.bias and self.v_base_V:
            raise InputError(f"v_base_V must be 0 where lines that are not selected have a bias, not {self.v_base_V!r}")
        if not 1 <= self.verify_bits <= 16:
            raise InputError(f"verify_bits must be between 1 and 16, not {self.verify_bits!r}")
        check_numbers(self, ("v_step_V", "g_full_scale_uS", "cycle_s"), positive=True)

    @property
    def shape(self) -> tuple[int, int]:
        """Bit lines and source lines."""
        return self.lines, self.lines if self.columns is None else self.columns

    @property
    def cells(self) -> int:
        """Cells of the core."""
        return self.shape[0] * self.shape[1]

    @property
    def verify_step_uS(self) -> float:
        """Conductance of a step of the verify code, in uS."""
        return self.g_full_scale_uS / (2**self.verify_bits - 1)

    @property
    def g_step_uS(self) -> float:
        """Conductance of a step in the integers of the cells, in uS."""
        return self.g_full_scale_uS / 2**SCALE_BITS

    def conductances(self, g_uS: ArrayLike) -> Cells:
        """Conductances in uS as integers of steps of ``g_step_uS``, of the same shape."""
        return _rounded(np.asarray(g_uS, dtype=np.float64) / self.g_step_uS, 0, CONDUCTANCE_MAX)

    def thresholds(self, volts: ArrayLike) -> Cells:
        """Thresholds in V above ``v_base_V`` as integers of 2**-16 steps of the amplitude, of the same shape."""
        steps = (np.asarray(volts, dtype=np.float64) - self.v_base_V) / self.v_step_V
        return _rounded(steps * 2.0**THRESHOLD_BITS, -THRESHOLD_MAX, THRESHOLD_MAX)

    def codes(self, g_uS: ArrayLike) -> Cells:
        """Verify codes of conductances, of the same shape."""
        top = 2**self.verify_bits - 1
        return np.clip(np.rint(np.asarray(g_uS, dtype=np.float64) / self.verify_step_uS), 0, top).astype(np.int64)


def check_pulse_device(config: PulseConfig, device: Device) -> None:
    """Refuse a device whose cells cannot be programmed by pulses at these pins.

    Raises InputError if it has no pulse response, or one out of the range of the integers.
    """
    law = device.pulse
    if not (law.set_rate > 0.0 and law.reset_rate > 0.0):
        raise InputError(
            f"{device.name}: pulse.set_rate and pulse.reset_rate must be positive to program by pulses, "
            f"not {law.set_rate:g} and {law.reset_rate:g}"
        )
    top = 2.0 ** (CONDUCTANCE_BITS - SCALE_BITS) * config.g_full_scale_uS
    for name in ("g_low_uS", "g_high_uS", "initial_uS", "fresh_uS", "formed_uS"):
        _at_most(device, name, top, "16 times the full scale of verify reads")
    _at_most(device, "verify_sigma_uS", 255.0 * config.verify_step_uS, "255 steps of the verify code")


def _at_most(device: Device, name: str, top: float, what: str) -> None:
    if (value := getattr(device.pulse, name)) > top:
        raise InputError(f"{device.name}: pulse.{name} must be at most {what}, {top:.6g} uS, not {value:g}")


def integer_law(config: PulseConfig, device: Device, widths: Sequence[int]) -> PulseLaw:
    """What all cells of a device have in common, for SET, RESET and FORM pulses of ``widths`` cycles."""
    law = device.pulse
    # Forming is all or nothing, so that its rate does not matter.
    rates = (law.set_rate, law.reset_rate, law.reset_rate)
    slopes = (law.set_slope_V, law.reset_slope_V, law.reset_slope_V)
    seconds = [width * config.cycle_s for width in widths]
    logs = [math.log(rate) + math.log(s / device.programming.pulse_s) for rate, s in zip(rates, seconds, strict=True)]
    sigma = law.verify_sigma_uS / config.verify_step_uS
    return PulseLaw(
        log_rate=_rates(logs), slope=_rates([config.v_step_V / slope for slope in slopes]),
        spread=_rate(law.cycle_spread), log_weak=_rate(math.log(law.weak_factor)),
        low=int(config.conductances(law.g_low_uS)), verify_sigma=int(_rounded(sigma * 2.0**SIGMA_BITS, 0, RATE_MAX)),
        verify_bits=config.verify_bits,
    )


def _rounded(values: ArrayLike, low: int, high: int) -> Cells:
    """Integers: the same on every machine, while exp and log are not, to the last bit."""
    return np.clip(np.rint(values), low, high).astype(np.int64)


def _rate(value: float) -> int:
    """A term of ln a."""
    return int(_rounded(value * _RATE_ONE, -RATE_MAX, RATE_MAX))


def _rates(values: Sequence[float]) -> tuple[int, int, int]:
    first, second, third = map(_rate, values)
    return first, second, third

"""What the models of a phase-change core take from a chip description, and how its cells hold weights."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mho.macro_models.cell_map import CellMap
from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError, check_numbers
from mho.macro_models.integer.operation import STEP_FRACTION_BITS
from mho.macro_models.integer.pwm.converter import LEVEL_BITS, LEVEL_TOP
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS
from mho.macro_models.macro import MacroConfig
from mho.macro_models.types import Array, Reals


@dataclass(frozen=True)
class FilledDevices(CellMap):
    """A weight is what the devices for its positive part have together, less those for its negative part.

    Only the part of the weight's sign is above the lowest conductance (RESET), and its devices are filled one after the
    other ("max-SET-fill", US patent 12,254,222): at most one device of a weight is between RESET and SET, where devices
    scatter and drift most. One device a sign. Lines of a row: positive devices, then negative ones.
    """

    cells: ClassVar[int] = 2

    @property
    def each(self) -> int:
        """Devices of one sign."""
        return self.cells // 2

    def top(self, low: float, high: float) -> float:
        """The range of the devices of one sign."""
        return self.each * (high - low)

    def split(self, difference: Array, low: float, high: float) -> Array:
        """Each sign's devices in turn take what those before could not."""
        return np.stack([
            low + np.clip(part - k * (high - low), 0.0, high - low)
            for part in (difference, -difference) for k in range(self.each)
        ])

    def join(self, cells: Array) -> Array:
        """Positive less negative devices."""
        return cells[: self.each].sum(axis=0) - cells[self.each :].sum(axis=0)

    def reach(self, fixed: Reals, low: float, high: float) -> tuple[Reals, Reals]:
        """See :meth:`CellMap.reach`."""
        low_cells, high_cells = np.where(np.isnan(fixed), low, fixed), np.where(np.isnan(fixed), high, fixed)
        ends = (low_cells, high_cells)
        low_end, high_end = (
            self.join(np.concatenate([ends[k][: self.each], ends[1 - k][self.each :]])) for k in (0, 1)
        )
        return low_end, high_end

    def split_around(self, difference: Reals, fixed: Reals, low: float, high: float) -> Reals:
        """Sound devices make what the faulty ones leave: those of the sign that is wanted first, in turn."""
        faulty = ~np.isnan(fixed)
        cells = np.where(faulty, fixed, low)
        rest = difference - self.join(cells)
        for k in range(self.cells):
            sign = 1.0 if k < self.each else -1.0
            step = np.where(faulty[k], 0.0, np.clip(sign * rest, 0.0, high - low))
            cells[k] += step
            rest = rest - sign * step
        return cells


@dataclass(frozen=True)
class DeviceQuads(FilledDevices):
    """Two devices for each sign: what a unit cell has in all."""

    cells: ClassVar[int] = 4


MOST_TOP_COUNTS = 511
"""Most counts of one window."""


@dataclass(frozen=True, kw_only=True)
class PwmConfig(MacroConfig):
    """What the models take from a chip description; every figure and its source are in the preset ``hermes-core``.

    Raises InputError if a value is out of range.
    """

    kind: ClassVar[str] = "pwm"
    lines: int = 256
    """Unit cells each way: rows of weights, and columns, a multiple of 8, 8..1024."""
    devices: int = 2
    """Devices of a weight for each sign, 1 or 2."""
    g_bits: int = 12
    """Width of the integer code of a device, 2..16."""
    g_min_uS: float = 0.0
    """Smallest target (RESET), in uS."""
    g_max_uS: float = 10.35
    """Largest target (SET), in uS."""
    g_full_scale_uS: float = 15.0
    """Conductance of the largest code, in uS; conductances beyond are clipped to it."""
    phases: int = 4
    """Windows of a product: 1 integrates all signs at once, 4 one sign of inputs and one of devices after the other."""
    v_read_V: float = 0.2
    """Read voltage, in V."""
    t_lsb_ns: float = 1.0
    """Width of a pulse for an input of 1, in ns."""
    f_max_GHz: float = 3.3
    """Highest frequency of an oscillator, in GHz."""
    gain_MHz_per_uA: float = 35.0
    """Frequency of an oscillator over its current, at a mirror ratio of 1, in MHz / uA."""
    nominal_gain: float = 1.5
    """Digital gain of a column without any error, 1/128 to 255/128."""
    sigma_gain: float = 0.0
    """Standard deviation of the relative gain of an oscillator before calibration."""
    sigma_residual: float = 0.0
    """Part of it that calibration by reference currents does not see, the same for both oscillators of a column."""
    curvature: float = 0.0
    """Relative change of an oscillator's gain at 512 counts a window, in the mean."""
    sigma_curvature: float = 0.0
    """Its standard deviation between oscillators."""
    sigma_offset: float = 0.0
    """Standard deviation of an oscillator's counts in a window without current."""
    free_running: bool = True
    """Oscillators begin a conversion anywhere in their period; false: always in its middle."""
    absent_rows: tuple[int, ...] = ()
    """Rows that a smaller macro behind the core has not."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "absent_rows", tuple(self.absent_rows))  # a list, where it comes from JSON
        if not 8 <= self.lines <= 1024 or self.lines % 8:
            raise InputError(f"lines must be a multiple of 8 and between 8 and 1024, not {self.lines!r}")
        if self.devices not in (1, 2):
            raise InputError(f"devices must be 1 or 2, not {self.devices!r}")
        if self.phases not in (1, 4):
            raise InputError(f"phases must be 1 or 4, not {self.phases!r}")
        self.check_grid()
        check_numbers(self, ("v_read_V", "t_lsb_ns", "f_max_GHz", "gain_MHz_per_uA"), positive=True)
        check_numbers(self, ("sigma_gain", "sigma_residual", "sigma_curvature", "sigma_offset"))
        if self.sigma_residual > self.sigma_gain:
            raise InputError(
                f"sigma_residual must be at most sigma_gain = {self.sigma_gain:g}, not {self.sigma_residual:g}"
            )
        if not 1 <= self.top_counts <= MOST_TOP_COUNTS:
            raise InputError(
                f"f_max_GHz must give 1 to {MOST_TOP_COUNTS} counts in a window of {self.window_ns:g} ns, "
                f"not {self.top_counts}"
            )
        if not 1 <= self.nominal_gain_code <= 255:
            raise InputError(f"nominal_gain must be between 1/128 and 255/128, not {self.nominal_gain:g}")

    @property
    def cell_map(self) -> FilledDevices:
        """Signed weights in the cells."""
        kind = DeviceQuads if self.devices == 2 else FilledDevices
        lines = kind(self.lines, self.lines).lines_of(self.absent_rows)
        return kind(self.lines, self.lines, tuple(lines.ravel().tolist()))

    @property
    def window_ns(self) -> float:
        """Duration of a window, in ns."""
        return 2**MAGNITUDE_BITS * self.t_lsb_ns

    @property
    def top_counts(self) -> int:
        """Counts of an oscillator at its highest frequency in one window."""
        return math.floor(self.f_max_GHz * self.window_ns + 1e-9)

    @property
    def nominal_gain_code(self) -> int:
        """Code of the digital gain of a column without any error, in 1/128."""
        return round(self.nominal_gain * 128)

    @property
    def full_conductance_uS(self) -> float:
        """Conductance whose current brings an oscillator to its highest frequency, at a mirror ratio of 1, in uS."""
        return self.f_max_GHz * 1e3 / self.gain_MHz_per_uA / self.v_read_V

    def load(self, g: Array, *, axis: int, unit_uS: float = 1.0) -> Array:
        """The same for all columns: :attr:`full_conductance_uS`, to which mirrors are referred."""
        shape = np.sum(g, axis=axis).shape
        return np.full(shape, self.full_conductance_uS / unit_uS, dtype=np.float64)

    def step(self, step_code: int) -> int:
        """Accumulated product (inputs times codes of devices) of one output step, two half steps of code."""
        return max(1, int(np.rint(step_code * 2.0**-STEP_FRACTION_BITS * (self.full_conductance_uS / self.lsb_uS))))

    def limit(self, step_code: int) -> float:
        """Accumulated product of one window that brings an oscillator to its highest frequency."""
        return LEVEL_TOP * self.nominal_gain_code * self.step(step_code) / 2.0 ** (LEVEL_BITS + 9)

    def active_causes(self, device: Device) -> frozenset[str]:
        """Causes of the macro itself that can change anything with this device: "adc" or none."""
        errors = self.free_running or self.curvature != 0.0 or any(
            getattr(self, name) > 0.0 for name in ("sigma_gain", "sigma_curvature", "sigma_offset")
        )
        return frozenset({"adc"} if device.converter.spread and errors else ())

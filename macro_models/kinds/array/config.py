"""What the models of an array take from a chip description."""

from dataclasses import dataclass, field
from math import sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.array.wires import Wires
from mho.macro_models.cell_map import CellMap, ColumnPairs, OffsetCells
from mho.macro_models.constants import BOLTZMANN_EV, ELECTRON_C, KELVIN
from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.array.operation import Steps, driven
from mho.macro_models.integer.operation import MAX_BITS, STEP_FRACTION_BITS, MvmOperation
from mho.macro_models.macro import MacroConfig
from mho.macro_models.types import Array


@dataclass(frozen=True, kw_only=True)
class ArrayConfig(MacroConfig):
    """What the models take from a chip description; every figure and its source are in the preset ``array-128``.

    Raises InputError if a value is out of range.
    """

    kind: ClassVar[str] = "array"
    rows: int = 128
    """Rows."""
    columns: int = 64
    """Columns of weights."""
    weights: str = "pairs"
    """How a weight has a sign: pairs, arrays, offset."""
    reference: str = "fixed"
    """Of what a reference column is: fixed conductances, or cells, which do what all cells do."""
    access: str = "transistor"
    """What is between a cell and its lines: transistor, or none."""
    g_bits: int = 12
    """Width of the integer code of a cell, 2..16."""
    g_min_uS: float = 1.0
    """Smallest target, in uS."""
    g_max_uS: float = 40.0
    """Largest target, in uS."""
    g_full_scale_uS: float = 50.0
    """Conductance of the largest code, in uS; conductances beyond are clipped to it."""
    steps: Steps = field(default_factory=Steps)
    """In which steps rows are driven."""
    digital: bool = True
    """Each step of a product is converted; else all together."""
    chop: bool = False
    """Some steps are driven the other way, and their codes subtracted."""
    v_read_V: float = 0.2
    """Voltage of the highest level of a row, in V."""
    c_sample_fF: float = 0.0
    """Capacitor that a column is sampled on, in fF; 0: without noise."""
    v_swing_V: float = 0.5
    """Its voltage at the most current, in V."""
    wires: Wires = field(default_factory=Wires)
    """Resistances around the cells; that of the virtual ground of a column is ``r_sense_ohm``."""
    bits: int = 8
    """Bits of a converter."""
    share: int = 8
    """Columns of weights that share one."""
    full_scale_uA: float = 256.0
    """Most current that it takes, in uA."""
    sigma_offset: float = 0.0
    """Standard deviation of its offset, in steps."""
    sigma_gain: float = 0.0
    """That of its relative gain."""
    sigma_inl: float = 0.0
    """That of its bow at the middle of the range, in steps."""
    noise: float = 0.0
    """That of the noise of each conversion, in steps."""

    def __post_init__(self) -> None:
        self.check_grid()
        if not 0 < self.full_code < 2**31:
            raise InputError(f"it must be 1 to 2**31 codes of a cell at {self.v_read_V:g} V, not {self.full_code:,}")

    @property
    def cell_map(self) -> CellMap:
        """Signed weights in the cells."""
        if self.weights == "offset":
            return OffsetCells(self.rows, self.columns, middle_uS=self.middle * self.lsb_uS)
        return ColumnPairs(self.rows, self.columns)

    @property
    def middle(self) -> int:
        """Code of the cells of the reference column."""
        return round((self.g_min_uS + self.g_max_uS) / 2.0 / self.lsb_uS)

    @property
    def full_conductance_uS(self) -> float:
        """Conductance whose current at the highest level is the most that a converter takes, in uS."""
        return self.full_scale_uA / self.v_read_V

    @property
    def full_uS(self) -> float:
        """The same times the highest digit, or the highest input where all steps are one conversion."""
        return self.full_conductance_uS * (2 ** (self.steps.digit_bits if self.digital else MAX_BITS) - 1)

    @property
    def full_code(self) -> int:
        """Accumulated product of one conversion at the most current."""
        return round(self.full_uS / self.lsb_uS)

    def load(self, g: Array, *, axis: int, unit_uS: float = 1.0) -> Array:
        """The same for all columns: :attr:`full_uS`."""
        return np.full(np.sum(g, axis=axis).shape, self.full_uS / unit_uS, dtype=np.float64)

    def step(self, step_code: int) -> int:
        """Accumulated product of one step of a converter."""
        return max(1, int(np.rint(step_code * 2.0**-STEP_FRACTION_BITS * (self.full_uS / self.lsb_uS))))

    def conversions(self, op: MvmOperation, codes: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """See :meth:`MacroConfig.conversions`: the digits of all rows."""
        if not self.digital:
            return [codes]
        digits = Steps(digit_bits=self.steps.digit_bits)
        return [driven(digits, codes, step).astype(codes.dtype) for step in range(digits.count(op))]

    def most_steps(self, op: MvmOperation) -> int:
        """See :meth:`MacroConfig.most_steps`: those of one conversion, whatever the bits of their sum."""
        return max(1, (1 << self.bits - 1) - 1)

    def limit(self, step_code: int) -> float:
        """Accumulated product of one conversion that the converter takes."""
        steps = (1 << self.bits - 1) - 0.5 if self.bits > 1 else 1.0
        return min(steps * self.step(step_code), float(self.full_code))

    def thermal_code(self, temp_C: float) -> float:
        """Standard deviation of the noise kT/C of a conversion, as an accumulated product."""
        if not self.c_sample_fF:
            return 0.0
        variance = BOLTZMANN_EV * ELECTRON_C * max(temp_C + KELVIN, 0.0) / (self.c_sample_fF * 1e-15)
        return self.full_code * sqrt(variance) / self.v_swing_V

    def active_causes(self, device: Device) -> frozenset[str]:
        """Causes of the macro itself, "wire" and "adc", that can change anything with this device."""
        errors = any((self.sigma_offset, self.sigma_gain, self.sigma_inl, self.noise, self.c_sample_fF))
        errors = errors and device.converter.spread
        return frozenset(["adc"] * errors + ["wire"] * (not self.wires.ideal or device.conduction.acts))

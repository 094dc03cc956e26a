"""Cores whose weights are bits: products are exact."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.arrays import product
from mho.macro_models.cell_map import CellMap
from mho.macro_models.devices.device import Device
from mho.macro_models.integer.operation import STEP_FRACTION_BITS, Masks, MvmOperation
from mho.macro_models.integer.sram import SramOperation, rescaled, significances
from mho.macro_models.kinds import Family
from mho.macro_models.macro import MacroConfig, MacroModel, MvmResult
from mho.macro_models.types import Array, Reals


@dataclass(frozen=True)
class BitColumns(CellMap):
    """A weight is a whole number of ``bits`` bits, each a cell in a column of its own, the lowest first.

    It is -(2**(bits - 1) - 1) to 2**(bits - 1) - 1, or of one bit -1 or 1; cells are 0 or 1 in the place of uS.
    """

    bits: int = 4

    @property
    def cells(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Bits of a weight."""
        return self.bits

    @property
    def column_lines(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The same, beside each other."""
        return self.bits

    @property
    def largest(self) -> int:
        """Largest weight."""
        return max(1, (1 << self.bits - 1) - 1)

    def top(self, low: float, high: float) -> float:
        """The largest weight."""
        return self.largest * (high - low)

    def split(self, difference: Array, low: float, high: float) -> Array:
        """Bits of the nearest weights."""
        weights = np.clip(np.rint(np.asarray(difference) / (high - low)), -self.largest, self.largest).astype(np.int64)
        if self.bits == 1:
            return np.where(weights < 0, low, high)[None]
        return np.stack([low + (high - low) * (weights >> k & 1) for k in range(self.bits)])

    def join(self, cells: Array) -> Array:
        """Weights."""
        return np.tensordot(significances(self.bits), np.asarray(cells), axes=1) - float(self.bits == 1)

    def reach(self, fixed: Reals, low: float, high: float) -> tuple[Reals, Reals]:
        """See :meth:`CellMap.reach`."""
        lower = (significances(self.bits) < 0).reshape(-1, *[1] * (fixed.ndim - 1))
        ends = (np.where(lower, high, low), np.where(lower, low, high))
        least, largest = (self.join(np.where(np.isnan(fixed), end, fixed)) for end in ends)
        return least, largest

    def split_around(self, difference: Reals, fixed: Reals, low: float, high: float) -> Reals:
        """Of all numbers of so many bits the nearest that the faulty cells leave."""
        nearest = np.where(np.isnan(fixed), self.split(difference, low, high), fixed)
        error = np.abs(self.join(nearest) - difference)
        for number in range(1 << self.bits):
            digits = low + (high - low) * (number >> np.arange(self.bits) & 1)
            trial = np.where(np.isnan(fixed), digits.reshape(-1, *[1] * (fixed.ndim - 1)), fixed)
            distance = np.abs(self.join(trial) - difference)
            nearest, error = np.where(distance < error, trial, nearest), np.minimum(distance, error)
        return nearest


@dataclass(frozen=True, kw_only=True)
class SramConfig(MacroConfig):
    """What the models take from a chip description. A code of a cell is its bit."""

    kind: ClassVar[str] = "sram"
    g_bits: int = 1
    """Width of a code of a cell."""
    rows: int = 64
    """Rows."""
    columns: int = 64
    """Columns of weights."""
    weight_bits: int = 4
    """Bits of a weight."""
    g_min_uS: float = 0.0
    """What stands for the conductance of a 0."""
    g_max_uS: float = 1.0
    """What stands for the conductance of a 1."""
    g_full_scale_uS: float = 1.0
    """The same."""

    @property
    def cell_map(self) -> CellMap:
        """Signed weights in the cells."""
        return BitColumns(self.rows, self.columns, bits=self.weight_bits)

    def load(self, g: Array, *, axis: int, unit_uS: float = 1.0) -> Array:
        """A constant: a step code counts weights of 1."""
        return np.full(np.sum(g, axis=axis).shape, 2.0**STEP_FRACTION_BITS * self.lsb_uS / unit_uS, dtype=np.float64)

    def conversions(self, op: MvmOperation, codes: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """See :meth:`MacroConfig.conversions`: inputs as they are, whatever their bits."""
        return [codes]

    def active_causes(self, device: Device) -> frozenset[str]:
        """Neither wires nor converters."""
        return frozenset()


class SramModel(MacroModel):
    """One programmed core. :class:`~mho.macro_models.macro.MacroModel` has the parameters."""

    CONFIG, OPERATION = SramConfig, SramOperation
    config: SramConfig

    def _begin(self) -> None:
        config = self.config
        digits = self.cells.reshape(config.rows, config.columns, config.weight_bits)
        self.weights = (digits @ significances(config.weight_bits) - (config.weight_bits == 1)).astype(np.float64)
        """Weights that the bits are, of shape (rows, columns), whole numbers."""

    def mvm(self, op: MvmOperation, masks: Masks, x: ArrayLike, op_id: ArrayLike) -> MvmResult:
        """Matrix-vector products of a batch; see :meth:`mho.macro_models.macro.MacroModel.mvm`."""
        inputs, top = self.checked_inputs(op, masks, x), 2**op.out_bits - 1
        sums = product((inputs * masks.driven(op)).astype(np.float64), self.weights)
        codes = np.clip(rescaled(sums, op.step_code), -top, top)
        enabled = masks.enabled(op)[:: self.config.weight_bits]
        codes = np.where(enabled & ~(op.relu & (codes < 0)), codes, 0).astype(np.int16)
        return MvmResult(codes, np.zeros((len(inputs), 1), dtype=np.int64))

    def full_scale(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> float:
        """Step code at which the largest sum is just the largest code."""
        sums = (np.asarray(x) * masks.driven(op)).astype(np.float64) @ self.weights
        return float(np.abs(sums).max(initial=0.0)) / max(1, op.max_steps)


FAMILY = Family(config=SramConfig, model=SramModel)

"""Conversions of columns whose rows are driven: in numpy, and bit for bit the same in ``sim/hdl/rows.h``."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.arrays import product
from mho.macro_models.integer.random import NORMAL_ONE, Purpose, normal_codes
from mho.macro_models.types import Flags, Integers, Integral, Reals


@dataclass(frozen=True, eq=False, kw_only=True)
class ConverterErrors:
    """What converters do beside rounding, in steps; arrays have a value for each conversion."""

    offset: Reals
    gain: Reals
    """Relative."""
    bow: Reals
    """At the middle of the range."""
    noise: float
    """Standard deviation of each conversion."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ColumnConverter:
    """Converters of the sums of columns, by one step code."""

    step: int
    """Sum that is one step."""
    bits: int
    """Bits of a code, two's complement."""
    full_code: int
    """Largest sum that they take."""
    errors: ConverterErrors | None = None
    """None: to the nearest, halves up; of one bit -1 below 0, else 0."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RowConversion:
    """Conversions of what rows drive, with some word lines on, by one step code."""

    products: NDArray[np.floating]
    """Weights as whole numbers, of shape (rows, conversions); sums of a step are exact in their type."""
    on: Flags | None = None
    """Rows whose word lines are on, where others just count nothing; None: they are off in all that is here."""
    variances: Reals | None = None
    """Of read noise, in ``unit``, of shape (rows, conversions), or (rows, 1) where all columns are alike."""
    unit: float = 1.0
    converter: ColumnConverter | None = None
    """None: codes are the sums."""
    seed: int = 0
    core: int = 0
    """Of draws."""

    def sums(self, x: Integral, op_id: NDArray[np.uint64], step: int) -> Reals:
        """Sums of a step with their noise, whole numbers, of shape (batch, conversions); rows drive ``x``."""
        if self.on is not None and not self.on.all():
            x = x * self.on
        sums = product(x.astype(self.products.dtype), self.products).astype(np.float64)
        if self.variances is not None:
            squares = np.square(x, dtype=np.float64)
            noise = np.sqrt(product(squares, self.variances) * self.unit)
            sums += np.rint(noise * self._normals(Purpose.READ_NOISE, op_id, step))
        return sums

    def codes_of(self, sums: Reals, op_id: NDArray[np.uint64], step: int) -> Integers:
        """Codes of sums that :meth:`sums` gave."""
        converter = self.converter
        if converter is None:
            return sums.astype(np.int64)
        size, bits, errors = converter.step, converter.bits, converter.errors
        taken, top = np.clip(sums, -converter.full_code, converter.full_code), 1 << bits - 1
        if errors is None:
            whole = taken.astype(np.int64)
            return np.clip(whole // size if bits == 1 else (2 * whole + size) // (2 * size), -top, top - 1)
        level = taken / size
        level = level * (1.0 + errors.gain) + errors.offset + errors.bow * (
            1.0 - np.minimum(np.abs(level) / top, 1.0) ** 2)
        if errors.noise:
            level += errors.noise / NORMAL_ONE * self._normals(Purpose.OUTPUT_NOISE, op_id, step)
        whole = np.floor(level if bits == 1 else level + 0.5)
        return np.clip(whole, -top, top - 1).astype(np.int64)

    def _normals(self, purpose: Purpose, op_id: NDArray[np.uint64], step: int) -> NDArray[np.int16]:
        count = self.products.shape[1]
        return normal_codes(purpose, seed=self.seed, core=self.core, items=count, op_id=op_id, step=step)

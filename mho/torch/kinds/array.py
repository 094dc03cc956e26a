"""Products of a core whose columns share converters on tensors: steps in which rows are driven, cells, converters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mho.macro_models.macro.product import constant_input
from mho.torch.cells import CellTables, WeightNoise
from mho.torch.module import converted
from mho.torch.product import SINGLE_EXACT, CoreProduct
from mho.torch.smooth import SmoothCells, SmoothProducts

ROOM_C = 25.0
"""Temperature of the converters, in degrees Celsius: that of tables of cells."""


@dataclass(frozen=True)
class Sensed:
    """Cells of a product as its conversions see them, whole numbers: of one chip, or of a perfect one.

    ``matrices`` are of (groups of rows, sides, columns, inputs + 1), the input of dithered rows last, ``read`` their
    variances in one conversion. ``errors`` of converters are (offset, gain, bow), each (sides, columns, 1).
    """

    matrices: torch.Tensor
    step: float
    read: torch.Tensor | None
    errors: torch.Tensor | None


class ArrayProduct(CoreProduct):
    """One product of a layer; see :class:`~mho.torch.product.CoreProduct`.

    Wires and nonlinear cells are left out.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        config, steps, rows = self.config, self.config.steps, self.mvm.rows
        self.sides, self.odd = 2 if config.weights == "arrays" else 1, config.bits == 1
        self.count, self.groups = (steps.count(self.op), steps.row_groups) if config.digital else (1, 1)
        self.weights = [1.0]
        if config.digital:
            chopped = [config.chop and steps.chopped(step, self.op) for step in range(self.count)]
            self.weights = [(-1.0 if back else 1.0) * steps.weight(step) for step, back in enumerate(chopped)]
        group = np.asarray(rows) * self.groups // config.rows
        converter = np.asarray(self.mvm.columns) // config.share
        self.hold(of_group=np.arange(self.groups)[:, None] == group, converter=converter)

    def sensed(self, target_uS: np.ndarray, step_code: int, tables: CellTables | None, common: torch.Tensor) -> Sensed:
        """The cells of a core on one chip, or with no tables on a perfect one."""
        codes, config = self.drawn_codes(target_uS, tables, common), self.config
        if len(codes) > 1:
            sides = codes if self.sides == 2 else (codes[0] - codes[1])[None]
        else:
            sides = codes - self._reference(codes, tables, common)
        errors = read = None
        if tables is not None and tables.spread:
            count = self.sides, -(-config.columns // config.share)
            sigma = config.sigma_offset, config.sigma_gain, config.sigma_inl
            drawn = torch.stack([part * torch.randn(count, device=codes.device) for part in sigma])
            errors = drawn.double()[:, :, self.converter, None]
        if tables is not None and tables.reads:
            variance = tables.read_variance(codes * self.lsb) / self.lsb**2
            read = self._by_group(variance if self.sides == 2 else variance.sum(dim=0)[None])
        return Sensed(self._by_group(sides), float(config.step(step_code)), read, errors)

    def _reference(self, codes: torch.Tensor, tables: CellTables | None, common: torch.Tensor) -> torch.Tensor:
        """Codes of the reference column, (1, rows)."""
        middle = torch.full_like(codes[0, :1], self.config.middle)
        if tables is None or self.config.reference == "fixed":
            return middle
        return torch.round(tables.drawn(middle * self.lsb, common) / self.lsb)

    def _by_group(self, of_rows: torch.Tensor) -> torch.Tensor:
        """What rows of each group have, added for each input: (groups, sides, columns, inputs + 1)."""
        return torch.stack([torch.stack([self.folded(side * rows) for side in of_rows]) for rows in self.of_group])

    def exact(self, codes: torch.Tensor, sensed: Sensed) -> torch.Tensor:
        """Output codes in half steps, (columns, vectors), for inputs of the layer (inputs, vectors)."""
        taken, config, steps = self.taken(codes), self.config, self.config.steps
        inputs = torch.cat([taken, torch.full_like(taken[:1], constant_input(self.op))]).double()
        peak = float(sensed.matrices.abs().sum(dim=-1).max()) * float(inputs.abs().max())
        kind = torch.float32 if peak < SINGLE_EXACT else torch.float64
        matrices, total = sensed.matrices.to(kind), torch.zeros((), dtype=torch.float64, device=codes.device)
        for step, weight in enumerate(self.weights):
            part = inputs
            if config.digital:
                digit = torch.floor(inputs.abs() / 2.0 ** (steps.digit_bits * (step // self.groups)))
                part = np.sign(weight) * inputs.sign() * torch.remainder(digit, 2.0**steps.digit_bits)
            charge = (matrices[step % self.groups] @ part.to(kind)).double()
            if sensed.read is not None:
                noise = (sensed.read[step % self.groups].double() @ part.square()).sqrt()
                charge += torch.round(noise * torch.randn_like(charge))
            halves = 2.0 * self._converted(charge, sensed) + self.odd
            total = total + weight * (halves[0] if self.sides == 1 else halves[0] - halves[1])
        top = 2.0**self.op.out_bits - 1.0
        return total.clamp(0.0 if self.op.relu else -top, top)

    def _converted(self, charge: torch.Tensor, sensed: Sensed) -> torch.Tensor:
        """Codes of conversions, in steps."""
        config, top = self.config, 2.0 ** (self.config.bits - 1)
        charge, size = charge.clamp(-config.full_code, config.full_code), sensed.step
        if sensed.errors is None:
            level = charge / size if self.odd else (2.0 * charge + size) / (2.0 * size)
            return torch.floor(level).clamp(-top, top - 1.0)
        offset, gain, bow = sensed.errors
        level = charge / size
        level = level * (1.0 + gain) + offset + bow * (1.0 - (level.abs() / top).clamp(max=1.0).square())
        level += _noise(self.config, size) * torch.randn_like(level)
        return torch.floor(level if self.odd else level + 0.5).clamp(-top, top - 1.0)


class ArraySmoothProducts(SmoothProducts):
    """Products of a layer; see :class:`~mho.torch.smooth.SmoothProducts`."""

    def __init__(self, products: Sequence[ArrayProduct], *args: Any) -> None:
        super().__init__(products, *args)
        first = products[0]
        self.sides, self.odd, self.step_weights = first.sides, first.odd, first.weights
        # What all conversions of a product give at most, and what the core keeps of it, in its steps.
        most = sum(abs(weight) for weight in first.weights) / first.groups * 2.0 ** (self.config.bits - 1)
        self.reach = self.copies * min(most, 2.0 ** (self.op.out_bits - 1))

    def cells(self, shares: torch.Tensor, noise: WeightNoise | None, common: torch.Tensor) -> SmoothCells:
        """See :meth:`SmoothProducts.cells`: roundings of many conversions are as noise, and so are converters'."""
        cells = super().cells(shares, noise, common)
        if noise is None:
            return cells
        config, tables, weights, copies = self.config, noise.tables, cells.weights, self.copies**0.5
        step = config.step(self.op.step_code)
        if config.weights == "offset" and config.reference == "cells":
            target = torch.full_like(self.row_count, config.middle * self.lsb)
            mean, variance = tables.moments(target)
            error = mean * self.row_count + (variance * self.row_count).sqrt() * tables.normals(target, common)
            weights = weights - error * (self.copies / (step * self.lsb))
        variance, offset = 1.0 / 12.0, None
        if tables.spread:
            variance += _noise(config, step) ** 2
            gain, place = torch.randn(2, *cells.factor.shape, device=weights.device)
            weights = weights * (1.0 + config.sigma_gain / copies * gain[..., None])
            offset = copies * sum(self.step_weights) * float(np.hypot(config.sigma_offset, config.sigma_inl)) * place
        spread = self.sides * sum(weight**2 for weight in self.step_weights)
        return SmoothCells(weights, cells.factor, offset, copies * (spread * variance) ** 0.5)

    def step_uS(self, share_uS: torch.Tensor, errors_uS: torch.Tensor | None) -> torch.Tensor:
        """See :meth:`SmoothProducts.step_uS`: the same for all columns."""
        del errors_uS
        return torch.full_like(share_uS[..., 0], self.config.step(self.op.step_code) * self.lsb)

    def lanes(self, products: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """See :meth:`SmoothProducts.lanes`: codes are even half steps, or odd ones of converters of one bit."""
        if self.odd:
            return converted(products, -self.reach, self.reach - 1.0, factor, self.op.relu)
        low = 0.0 if self.op.relu else -self.reach
        return converted(products + 0.5, low, self.reach, factor, False) - factor


def _noise(config: Any, size: float) -> float:
    """Deviation of the noise of a conversion, in steps of so large a product."""
    return float(np.hypot(config.noise, config.thermal_code(ROOM_C) / size))


PRODUCT, SMOOTH = ArrayProduct, ArraySmoothProducts

"""Products of a core whose columns share converters on tensors: steps in which rows are driven, cells, converters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mho.torch.cells import WeightNoise
from mho.torch.module import converted
from mho.torch.product import CoreProduct
from mho.torch.smooth import SmoothCells, SmoothProducts

ROOM_C = 25.0
"""Temperature of the converters, in degrees Celsius: that of tables of cells."""


class ArraySmoothProducts(SmoothProducts):
    """Products of a layer; see :class:`~mho.torch.smooth.SmoothProducts`."""

    def __init__(self, products: Sequence[CoreProduct], *args: Any) -> None:
        super().__init__(products, *args)
        config, steps = self.config, self.config.steps
        self.sides, self.odd = 2 if config.weights == "arrays" else 1, config.bits == 1
        groups, self.step_weights = 1, [1.0]
        if config.digital:
            groups, count = steps.row_groups, steps.count(self.op)
            chopped = [config.chop and steps.chopped(step, self.op) for step in range(count)]
            self.step_weights = [(-1.0 if back else 1.0) * steps.weight(step) for step, back in enumerate(chopped)]
        # What all conversions of a product give at most, and what the core keeps of it, in its steps.
        most = sum(abs(weight) for weight in self.step_weights) / groups * 2.0 ** (config.bits - 1)
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
            variance = (variance + tables.read_variance(target)) * self.row_count
            error = mean * self.row_count + variance.sqrt() * tables.normals(target, common)
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
        return converted(products + 0.5, low, self.reach, factor, False) - factor.sum(dim=0)


def _noise(config: Any, size: float) -> float:
    """Deviation of the noise of a conversion, in steps of so large a product."""
    return float(np.hypot(config.noise, config.thermal_code(ROOM_C) / size))


SMOOTH = ArraySmoothProducts

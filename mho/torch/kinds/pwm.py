"""Products of a phase-change core on tensors: the models' own, and in smooth passes what calibration leaves of them."""

from dataclasses import replace

import numpy as np
import torch

from mho.torch.cells import WeightNoise
from mho.torch.smooth import SmoothCells, SmoothProducts, in_half_steps

PHASE_VARIANCE = 1.0 / 6.0
"""Variance of the counts of an oscillator that begins anywhere in its period: p (1 - p) in the mean of all parts p."""


class PwmSmoothProducts(SmoothProducts):
    """Products of a layer; see :class:`~mho.torch.smooth.SmoothProducts`."""

    def cells(self, shares: torch.Tensor, noise: WeightNoise | None, common: torch.Tensor) -> SmoothCells:
        """See :meth:`SmoothProducts.cells`: the chip has brought each column as near to its weights as a factor can."""
        cells = super().cells(shares, noise, common)
        if noise is None:
            return cells
        config, weights = self.config, cells.weights
        with torch.no_grad():
            exact = super().cells(shares, None, common).weights
            factor = (exact * weights).sum(dim=-1) / weights.square().sum(dim=-1).clamp(min=1e-12)
        offset, sigma = None, 0.0
        if noise.tables.spread:
            # Registers are whole: offsets in half steps, and what the counters of both signs round.
            offset = 0.5 * self.copies**0.5 * (torch.rand_like(factor) - 0.5)
            if config.free_running:
                counters = 2 if config.phases > 1 else 1
                sigma = config.nominal_gain_code / 512.0 * float(np.sqrt(self.copies * counters * PHASE_VARIANCE))
        return replace(cells, weights=weights * factor[..., None], offset=offset, sigma=sigma)

    def step_uS(self, share_uS: torch.Tensor, errors_uS: torch.Tensor | None) -> torch.Tensor:
        """See :meth:`SmoothProducts.step_uS`: the same for all columns."""
        del errors_uS
        return torch.full_like(share_uS[..., 0], self.config.step(self.op.step_code) * self.lsb)

    def lanes(self, products: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """See :meth:`SmoothProducts.lanes`: codes are whole half steps."""
        return in_half_steps(products, self.copies * (2 * self.op.max_steps + 1), factor, self.op.relu)


SMOOTH = PwmSmoothProducts

"""Products of a phase-change core on tensors: the models' own, and in smooth passes what calibration leaves of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from mho.macro_models.devices import load_device
from mho.macro_models.integer.pwm.calibration import stored_vectors
from mho.macro_models.pwm.model import PwmModel
from mho.torch.cells import WeightNoise
from mho.torch.product import CoreProduct
from mho.torch.smooth import SmoothCells, SmoothProducts, in_half_steps

PHASE_VARIANCE = 1.0 / 6.0
"""Variance of the counts of an oscillator that begins anywhere in its period: p (1 - p) in the mean of all parts p."""


class PwmSmoothProducts(SmoothProducts):
    """Products of a layer; see :class:`~mho.torch.smooth.SmoothProducts`.

    Columns have the gain and the offset with which the vectors that the chip stores come nearest to what they should
    give: these are few, so that both have errors of their own.
    """

    reads = False

    def __init__(self, products: Sequence[CoreProduct], *args: Any) -> None:
        super().__init__(products, *args)
        layer, target_uS, config = args[0], args[-1], self.config
        index, in_turn, stored, steps = self.index.view(self.count, -1).numpy(), self.stacked.numpy() > 1, [], []
        for product, taken, first in zip(products, index, in_turn, strict=True):
            cells = target_uS[product.mvm.core]
            core = PwmModel.from_measured(config, cells, device=load_device("ideal"), seed=0, core=0)
            used = config.cell_map.per_row((cells > self.low).any(axis=1)) > 0
            vectors = np.where(used, stored_vectors(config.lines), 0)
            steps.append(config.step(self.op.step_code) / config.step(core.reference_step(vectors)))
            share = product.mvm.taken(layer.spread)[:, None] == taken
            # Of cells that are filled in turn the first has nearly all.
            share &= ~first | (share.cumsum(axis=0) == 1)
            part, rows = share / np.maximum(share.sum(axis=0), 1), vectors[:, product.mvm.rows].astype(np.float64)
            stored.append([rows @ part, rows**2 @ part - (rows @ part) ** 2])
        vectors, within = np.array(stored, np.float32).swapaxes(0, 1)
        self.hold(vectors=vectors, within=within, stored_steps=np.array(steps, np.float32)[:, None])

    def cells(self, shares: torch.Tensor, noise: WeightNoise | None, common: torch.Tensor) -> SmoothCells:
        """See :meth:`SmoothProducts.cells`."""
        cells, sigma = super().cells(shares, noise, common), 0.0
        if noise is None:
            return cells
        with torch.no_grad():
            factor, offset = self._compensated(super().cells(shares, None, common).weights, cells.weights)
            target = self.cell_shares(shares)
            reads = noise.of_conversion(target, self.stack_of, self.row_count, self.copies)
            reads = reads * (self.copies / self.step_uS(target, None))[..., None]
        if noise.tables.acts or noise.tables.spread:
            # Registers of offsets are whole.
            offset = offset + 0.5 * self.copies**0.5 * (torch.rand_like(factor) - 0.5)
        if noise.tables.spread and self.config.free_running:
            # What the counters of both signs round.
            counters = 2 if self.config.phases > 1 else 1
            sigma = self.config.nominal_gain_code / 512.0 * float(np.sqrt(self.copies * counters * PHASE_VARIANCE))
        return replace(cells, weights=(cells.weights + reads) * factor[..., None], offset=offset, sigma=sigma)

    def _compensated(self, exact: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Factors, and offsets in steps, of columns that have ``weights``, (products, columns of a copy)."""
        stored, read = (self.vectors @ part.mT for part in (exact, weights))
        # Errors of an input's cells, which take different elements of a vector.
        read = read + (self.within @ (weights - exact).square().mT).sqrt() * torch.randn_like(read)
        then, now = stored.mean(dim=1), read.mean(dim=1)
        stored, read = stored - then[:, None], read - now[:, None]
        both, square = (stored * read).sum(dim=1), read.square().sum(dim=1)
        # The fit of each copy is lowered by all of its scatter, of which the mean of the copies has a part.
        scatter = square - both.square() / stored.square().sum(dim=1).clamp(min=1e-12)
        factor = both / (square + (self.copies - 1) * scatter).clamp(min=1e-12)
        return factor, (then - factor * now) * self.stored_steps

    def step_uS(self, share_uS: torch.Tensor, errors_uS: torch.Tensor | None) -> torch.Tensor:
        """See :meth:`SmoothProducts.step_uS`: the same for all columns."""
        del errors_uS
        return torch.full_like(share_uS[..., 0], self.config.step(self.op.step_code) * self.lsb)

    def lanes(self, products: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """See :meth:`SmoothProducts.lanes`: codes are whole half steps."""
        return in_half_steps(products, self.copies * (2 * self.op.max_steps + 1), factor, self.op.relu)


SMOOTH = PwmSmoothProducts

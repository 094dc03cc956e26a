"""Products of a core whose weights are bits on tensors: the models' own, and in smooth passes whole weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mho.macro_models.errors import InputError
from mho.torch.cells import WeightNoise
from mho.torch.module import straight
from mho.torch.product import CoreProduct
from mho.torch.smooth import SmoothCells, SmoothProducts, in_half_steps


class SramSmoothProducts(SmoothProducts):
    """Products of a layer; see :class:`~mho.torch.smooth.SmoothProducts`."""

    def __init__(self, products: Sequence[CoreProduct], *args: Any) -> None:
        super().__init__(products, *args)
        outputs = products[0].mvm.outputs
        # Of several slices together weights are as good as those of floating point.
        self.whole = len(np.unique(outputs)) * self.copies == len(outputs)

    def cells(self, shares: torch.Tensor, noise: WeightNoise | None, common: torch.Tensor) -> SmoothCells:
        """See :meth:`SmoothProducts.cells`.

        Raises InputError if cells of the device have errors.
        """
        if noise is not None and noise.tables.acts:
            raise InputError("cells of kind sram hold bits: mho.torch has no form of a device whose cells have errors; "
                             "convert with device='ideal'")
        return super().cells(shares, None, common)

    def cell_shares(self, shares: torch.Tensor) -> torch.Tensor:
        """See :meth:`SmoothProducts.cell_shares`: those of an input's rows are together whole weights."""
        own = super().cell_shares(shares)
        if not self.whole:
            return own
        return straight(torch.round(own * self.stacked) / self.stacked, own)

    def step_uS(self, share_uS: torch.Tensor, errors_uS: torch.Tensor | None) -> torch.Tensor:
        """See :meth:`SmoothProducts.step_uS`: the highest bit of the step code."""
        del errors_uS
        return torch.full_like(share_uS[..., 0], float(1 << self.op.step_code.bit_length() - 1))

    def lanes(self, products: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """See :meth:`SmoothProducts.lanes`: codes are whole half steps."""
        return in_half_steps(products, self.copies * (2.0**self.op.out_bits - 1.0), factor, self.op.relu)


SMOOTH = SramSmoothProducts

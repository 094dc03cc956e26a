"""Products of a transposable core on tensors: cells, charges, converters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, STEP_FRACTION_BITS
from mho.torch.module import converted
from mho.torch.product import CoreProduct
from mho.torch.smooth import SmoothProducts

SEGMENT = 2.0**LSB_SEGMENT_BITS


class TnsaSmoothProducts(SmoothProducts):
    """Products of a layer; see :class:`~mho.torch.smooth.SmoothProducts`."""

    def __init__(self, products: Sequence[CoreProduct], *args: Any) -> None:
        super().__init__(products, *args)
        self.most = SEGMENT ** (self.op.segments - 1)
        fixed = [product.block_cells(args[-1][product.mvm.core]).sum(axis=0)[:, product.constant].sum(axis=1)
                 for product in products]
        self.hold(fixed_load=np.stack(fixed).reshape(self.count, self.copies, -1).mean(axis=1).astype(np.float32))

    def step_uS(self, share_uS: torch.Tensor, errors_uS: torch.Tensor | None) -> torch.Tensor:
        """See :meth:`SmoothProducts.step_uS`: a part of what all cells of a column conduct."""
        load = ((share_uS.abs() + 2.0 * self.low) * self.row_count).sum(dim=-1) + self.fixed_load
        if errors_uS is not None:
            load = load + errors_uS.sum(dim=-1)
        return self.op.step_code * 2.0**-STEP_FRACTION_BITS * _referred(load, self.config, self.lsb)

    def lanes(self, products: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """See :meth:`SmoothProducts.lanes`: codes are odd half steps."""
        low, high = -self.copies * (self.op.max_steps + 1), self.copies * self.op.max_steps + (self.copies - 1) // 2
        return converted(products, low, high, factor, self.op.relu)


def _referred(load: torch.Tensor, config: Any, unit_uS: float = 1.0) -> torch.Tensor:
    """What a decrement is a fraction of, for sums of the codes of cells, or in ``unit_uS`` codes."""
    return torch.full_like(load, 2.0**STEP_FRACTION_BITS * unit_uS) if config.absolute else load


SMOOTH = TnsaSmoothProducts

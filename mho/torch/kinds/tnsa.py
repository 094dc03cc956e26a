"""Products of a transposable core on tensors: cells, charges, converters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, STEP_FRACTION_BITS
from mho.torch.cells import CellTables
from mho.torch.module import converted
from mho.torch.product import SINGLE_EXACT, CoreProduct
from mho.torch.smooth import SmoothProducts

SEGMENT = 2.0**LSB_SEGMENT_BITS


@dataclass(frozen=True)
class Sensed:
    """Cells of a product as its conversions see them, whole numbers: of one chip, or of a perfect one.

    ``matrix`` has shape (columns, inputs + 1), the input of dithered rows last; ``constant`` (columns, 1) is added to
    twice the products, ``steps`` (2, columns, 1) are of positive and negative charges, ``load`` (columns, 1) the sums
    of the cells. ``read`` are variances that meet squared inputs, and inputs, and their sums over a column.
    """

    matrix: torch.Tensor
    constant: torch.Tensor
    steps: torch.Tensor
    load: torch.Tensor
    read: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None


class TnsaProduct(CoreProduct):
    """One product of a layer; see :class:`~mho.torch.product.CoreProduct`."""

    def sensed(self, target_uS: np.ndarray, step_code: int, tables: CellTables | None, common: torch.Tensor) -> Sensed:
        """The cells of a core on one chip, or with no tables on a perfect one."""
        codes = self.drawn_codes(target_uS, tables, common)
        load = codes.sum(dim=(0, 2))[:, None]
        gain, offset = torch.zeros(2, *load.shape, device=load.device), torch.zeros_like(load)
        if tables is not None and tables.spread:
            gain = self.config.sigma_gain * torch.randn_like(gain)
            offset = self.config.sigma_offset_mV * 1e-3 * torch.randn_like(offset)
        read = None
        if tables is not None and tables.reads:
            variance = tables.read_variance(codes * self.lsb) / self.lsb**2
            both, between = variance[0] + variance[1], variance[0] - variance[1]
            read = self.folded(both), self.folded(between), both.sum(dim=1)[:, None]
        ideal = step_code * 2.0**-STEP_FRACTION_BITS * _referred(load, self.config)
        return Sensed(
            matrix=self.folded(codes[0] - codes[1]), load=load, read=read,
            steps=2.0 * torch.round(ideal * (1.0 + gain)).clamp(min=1.0),
            constant=2.0 * torch.round(offset / self.config.v_read_V * load) + 1.0,
        )

    def exact(self, codes: torch.Tensor, sensed: Sensed) -> torch.Tensor:
        """Output codes in half steps, (columns, vectors), for inputs of the layer (inputs, vectors)."""
        result, top = torch.zeros((), device=codes.device), 2.0 ** max(self.op.segment_planes) - 1.0
        peak = float((2.0 * sensed.matrix.abs().sum(dim=1)).max() * top + sensed.constant.abs().max())
        kind = torch.float32 if peak < SINGLE_EXACT and sensed.read is None else torch.float64
        matrix, (positive, negative) = sensed.matrix.to(kind), sensed.steps.to(kind)
        whole = self.taken(codes).to(kind)
        high = torch.trunc(whole / SEGMENT)
        for part in (whole,) if self.op.segments == 1 else (high, whole - high * SEGMENT):
            charge = matrix[:, :-1] @ part + matrix[:, -1:]
            if sensed.read is not None:
                charge = charge + self._noise(part, charge, sensed)
            charge = 2.0 * charge + sensed.constant.to(kind)
            count = (charge / positive).clamp(min=0.0) + (charge / negative).clamp(max=0.0)
            halves = 2.0 * torch.floor(count.clamp(-self.op.max_steps - 1, self.op.max_steps)) + 1.0
            result = SEGMENT * result + (halves.clamp(min=0.0) if self.op.relu else halves)
        return result.double()

    def _noise(self, x: torch.Tensor, charge: torch.Tensor, sensed: Sensed) -> torch.Tensor:
        """Read noise of a conversion, in whole units."""
        assert sensed.read is not None
        square, cross, total = (part.to(x.dtype) for part in sensed.read)
        settled = charge / sensed.load.clamp(min=1.0).to(x.dtype)
        variance = square[:, :-1] @ (x * x) + square[:, -1:]
        variance += (total * settled - 2.0 * (cross[:, :-1] @ x + cross[:, -1:])) * settled
        return torch.round(variance.clamp(min=0.0).sqrt() * torch.randn_like(charge))


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


PRODUCT, SMOOTH = TnsaProduct, TnsaSmoothProducts

"""A product of a core on tensors, as far as it is alike for all kinds: where its weights are, and its smooth pass."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mho.compiler.layer_run import taken_inputs
from mho.compiler.mapping.weights import Block
from mho.compiler.model.layer import LinearLayer
from mho.compiler.program import DITHER, Layer, Mvm
from mho.hw.config import Chip
from mho.torch.cells import CellTables, WeightNoise
from mho.torch.module import Module
from mho.torch.patches import Geometry

SINGLE_EXACT = 2.0**24
"""Sums of whole numbers below it have one value in single precision, whatever their order."""


@dataclass(frozen=True)
class SmoothCells:
    """Cells of a product for its smooth pass, all copies together.

    ``weights`` are products in steps of a converter for inputs of 1, (columns of a copy, inputs), ``factor`` (columns
    of a copy,) lanes of a half step. To products ``offset`` is added, (columns of a copy,), and noise of the deviation
    ``sigma``, in steps.
    """

    weights: torch.Tensor
    factor: torch.Tensor
    offset: torch.Tensor | None = None
    sigma: float = 0.0

    def disturbed(self, products: torch.Tensor, line: int) -> torch.Tensor:
        """Products as converters take them, columns along the dimension ``line``."""
        if self.offset is not None:
            products = products + self.offset.reshape(-1, *[1] * (products.ndim - line - 1))
        return products + self.sigma * torch.randn_like(products) if self.sigma else products


class CoreProduct(Module):
    """One product of a layer.

    :meth:`exact` gives the bits of the core. :meth:`smooth` has gradients and is faster: copies of a layer are one,
    with the mean of their cells and a converter that is as much finer; the conversions of one product are one; read
    noise is drawn once a batch.

    Parameters
    ----------
    mvm, layer, block
        The product, the layer of the program, and where its weights are.
    linear
        The layer in floating point.
    stack_of
        Number of the table of errors of each input (:class:`~mho.torch.cells.WeightNoise`).
    target_uS
        Cells of the core.
    """

    most = 1.0
    """What a step of the one conversion counts that stands for all of a product."""

    def __init__(
        self, mvm: Mvm, layer: Layer, block: Block, linear: LinearLayer, stack_of: np.ndarray, chip: Chip,
        target_uS: np.ndarray,
    ) -> None:
        super().__init__()
        config: Any = chip.macro_config()
        self.mvm, self.config, self.copies, self.op = mvm, config, block.copies, mvm.op
        self.lsb, self.low, self.slices = config.lsb_uS, chip.cells.g_min_uS, block.slices
        rows = mvm.taken(layer.spread)
        used, place = taken_inputs(rows)
        count, self.constant = len(mvm.columns) // block.copies, rows == DITHER
        outputs, each = mvm.outputs[:count].astype(np.int64), linear.weight.shape[1]
        self.inputs = slice(int(used[0]), int(used[-1]) + 1) if len(used) and (np.diff(used) == 1).all() else None
        self.in_order = np.array_equal(outputs, np.arange(layer.outputs))
        plain = linear.groups == 1 and self.inputs is not None and bool((np.diff(outputs) == 1).all())
        self.block = (slice(outputs[0], outputs[-1] + 1), self.inputs) if plain else None
        multiplier = mvm.multiplier.reshape(block.copies, count).sum(axis=0) * 2.0**-layer.shift / block.copies
        self.hold(
            used=used, place=place, outputs=mvm.outputs, smooth_outputs=outputs,
            present=used // each == (outputs // (layer.outputs // linear.groups))[:, None],
            weight_of=outputs[:, None] * each + used % each, stack_of=stack_of[used],
            row_count=np.bincount(place[~self.constant], minlength=len(used))[: len(used)].astype(np.float32),
            factor=multiplier.astype(np.float32),
        )

    @abstractmethod
    def sensed(self, target_uS: np.ndarray, step_code: int, tables: CellTables | None, common: torch.Tensor) -> Any:
        """The cells of a core on one chip, or with no tables on a perfect one, for :meth:`exact`."""

    @abstractmethod
    def exact(self, codes: torch.Tensor, sensed: Any) -> torch.Tensor:
        """Output codes in half steps, (columns, vectors), for inputs of the layer (inputs, vectors)."""

    @abstractmethod
    def step_uS(self, share_uS: torch.Tensor, errors_uS: torch.Tensor | None) -> torch.Tensor:
        """Accumulated product of a converter's step, (columns of a copy,), in uS times codes of inputs.

        ``share_uS`` are the differences of one cell of each weight, ``errors_uS`` the sums of the errors of its cells.
        """

    @abstractmethod
    def lanes(self, products: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """``factor``, lanes of a half step, times codes of conversions that have ``products`` steps."""

    def block_cells(self, target_uS: np.ndarray) -> np.ndarray:
        """The cells of its weights of those of a core, (cells of a weight, columns, rows)."""
        cells = self.config.cell_map.take(target_uS.astype(np.float64), self.mvm.rows, self.mvm.columns)
        return cells.swapaxes(1, 2)

    def drawn_codes(self, target_uS: np.ndarray, tables: CellTables | None, common: torch.Tensor) -> torch.Tensor:
        """Codes of the same on one chip, or with no tables on a perfect one."""
        cells = torch.as_tensor(self.block_cells(target_uS)).to(common.device)
        if tables is not None:
            cells = tables.drawn(cells, common)
        return torch.round(cells / self.lsb).clamp(max=2**self.config.g_bits - 1)

    def folded(self, of_rows: torch.Tensor) -> torch.Tensor:
        """What rows have, added for each input, the constant last: (columns, inputs + 1)."""
        total = torch.zeros(len(of_rows), len(self.used) + 1, dtype=of_rows.dtype, device=of_rows.device)
        return total.index_add(1, self.place, of_rows)

    def taken(self, codes: torch.Tensor) -> torch.Tensor:
        """Inputs of the product, of those of the layer: (inputs, vectors)."""
        return codes.index_select(0, self.used) if self.inputs is None else codes[self.inputs]

    def cell_shares(self, shares: torch.Tensor) -> torch.Tensor:
        """Differences of one cell of each weight in uS, (columns of a copy, inputs), of those of the layer."""
        if self.block is not None:
            return shares[self.block]
        return torch.where(self.present, shares.flatten()[self.weight_of], 0.0)

    def begin(self, shares: torch.Tensor) -> None:
        """Remember the steps for which the multipliers are."""
        self.register_buffer("first_step", self.step_uS(self.cell_shares(shares), None), persistent=False)

    def smooth_cells(self, shares: torch.Tensor, noise: WeightNoise | None, common: torch.Tensor) -> SmoothCells:
        """What all calls of a smooth pass have in common, of one chip, or without noise of a perfect one."""
        share_uS = self.cell_shares(shares)
        weights, target, errors = share_uS * self.row_count, share_uS.detach(), None
        factor = self.most * self.factor * (self.step_uS(target, None) / self.first_step)
        if noise is not None:
            difference, errors = noise.drawn(target, self.stack_of, self.row_count, self.copies, common)
            weights = weights + difference
        weights = weights * (self.copies / (self.most * self.step_uS(target, errors)))[:, None]
        return SmoothCells(weights, factor)

    def smooth(
        self, codes: torch.Tensor, cells: SmoothCells, factor: torch.Tensor, geometry: Geometry | None
    ) -> torch.Tensor:
        """Lanes, of all copies together, (columns of a copy, vectors), from codes of the layer (inputs, vectors).

        With a geometry of an image, (batch, columns of a copy, rows, columns).
        """
        if geometry is None:
            return self.lanes(cells.disturbed(cells.weights @ self.taken(codes), 0), factor[:, None])
        assert self.inputs is not None
        # Whole channels, the weights of inputs that are not the product's 0.
        kernel = geometry.kernel[0] * geometry.kernel[1]
        first, last = self.inputs.start // kernel, -(-self.inputs.stop // kernel)
        edges = self.inputs.start - first * kernel, last * kernel - self.inputs.stop
        weights = torch.nn.functional.pad(cells.weights, edges).unflatten(1, (last - first, *geometry.kernel))
        image = codes if (first, last) == (0, codes.shape[1]) else codes[:, first:last]
        products = torch.nn.functional.conv2d(image, weights, stride=geometry.stride, dilation=geometry.dilation)
        return self.lanes(cells.disturbed(products, 1), factor[:, None, None])

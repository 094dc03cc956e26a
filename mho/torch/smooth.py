"""Products of a layer in passes that have gradients, as far as they are alike for all kinds."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mho.compiler.model.layer import LinearLayer
from mho.compiler.program import Layer
from mho.hw.config import Chip
from mho.torch.cells import WeightNoise
from mho.torch.module import Module, converted
from mho.torch.patches import Patches
from mho.torch.product import CoreProduct


@dataclass(frozen=True)
class SmoothCells:
    """Cells of products for a pass, all copies together.

    ``weights`` are products in steps of a converter for inputs of 1, (products, columns of a copy, inputs), ``factor``
    (products, columns of a copy) lanes of a half step. To products ``offset`` is added, of the shape of ``factor``, and
    noise of the deviation ``sigma``, in steps.
    """

    weights: torch.Tensor
    factor: torch.Tensor
    offset: torch.Tensor | None = None
    sigma: float = 0.0

    def disturbed(self, products: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        """Products as converters take them; ``shape`` is that of what columns have, as it goes with products."""
        if self.offset is not None:
            products = products + self.offset.reshape(*shape)
        return products + self.sigma * torch.randn_like(products) if self.sigma else products


class SmoothProducts(Module):
    """Those products of a layer that add to the same outputs, computed at once.

    Copies of a layer are one, with the mean of their cells and a converter that is as much finer; the conversions of
    one product are one; read noise is drawn once a batch.

    Parameters
    ----------
    products, layer, linear
        The products, and their layer in the program and in floating point.
    stacked
        Over how many cells the weights of each input are stacked (:class:`~mho.torch.cells.WeightNoise`).
    kernel
        Inputs of a channel, where the layer is a convolution whose products take whole channels or parts of them.
    target_uS
        Cells of all cores.
    """

    most = 1.0
    """What a step of the one conversion counts that stands for all of a product."""
    reads = True
    """Whether errors of weights have the noise of conversions; else a kind draws it."""

    def __init__(
        self, products: Sequence[CoreProduct], layer: Layer, linear: LinearLayer, stacked: np.ndarray, kernel: int,
        chip: Chip, target_uS: np.ndarray,
    ) -> None:
        super().__init__()
        del target_uS  # for kinds
        first, each = products[0], linear.weight.shape[1]
        self.config, self.op, self.copies, self.lsb = first.config, first.op, first.copies, first.lsb
        self.low, self.count = chip.cells.g_min_uS, len(products)
        columns = len(first.outputs) // self.copies
        outputs = first.outputs[:columns].numpy()
        index = _inputs(products, layer.inputs // kernel, kernel)
        rows = np.zeros(index.shape, np.float32)
        for product, taken, of_product in zip(products, index, rows, strict=True):
            counts = np.bincount(product.mvm.taken(layer.spread)[~product.constant], minlength=layer.inputs)
            _, at = np.unique(taken, return_index=True)
            of_product[at] = counts[taken[at]]
        self.in_order, self.grouped = np.array_equal(outputs, np.arange(layer.outputs)), linear.groups > 1
        self.tiled = np.array_equal(index.ravel(), np.arange(layer.inputs))
        multiplier = np.stack([p.mvm.multiplier.reshape(self.copies, -1).sum(axis=0) for p in products])
        self.hold(
            outputs=outputs, index=index.ravel(), channels=index[:, ::kernel].ravel() // kernel,
            row_count=rows[:, None], stack_of=np.unique(stacked, return_inverse=True)[1][index][:, None],
            stacked=stacked[index][:, None],
            factor=(multiplier * 2.0**-layer.shift / self.copies).astype(np.float32),
        )
        if self.grouped:
            group = (outputs // (layer.outputs // linear.groups))[:, None]
            self.hold(present=index[:, None] // each == group)
            self.hold(weight_of=outputs[:, None] * each + index[:, None] % each)

    @abstractmethod
    def step_uS(self, share_uS: torch.Tensor, errors_uS: torch.Tensor | None) -> torch.Tensor:
        """Accumulated product of a converter's step, (products, columns of a copy), in uS times codes of inputs.

        ``share_uS`` are the differences of one cell of each weight, ``errors_uS`` the sums of the errors of its cells.
        """

    @abstractmethod
    def lanes(self, products: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """``factor``, lanes of a half step, times codes of conversions that have ``products`` steps, added."""

    def cell_shares(self, shares: torch.Tensor) -> torch.Tensor:
        """Differences of one cell of each weight, of those of the layer: (products, columns of a copy, inputs)."""
        if self.grouped:
            return torch.where(self.present, shares.flatten()[self.weight_of], 0.0)
        shares = shares if self.in_order else shares.index_select(0, self.outputs)
        shares = shares if self.tiled else shares.index_select(1, self.index)
        return shares.unflatten(1, (self.count, -1)).transpose(0, 1)

    def begin(self, shares: torch.Tensor) -> None:
        """Remember the steps for which the multipliers are."""
        self.register_buffer("first_step", self.step_uS(self.cell_shares(shares), None), persistent=False)

    def cells(self, shares: torch.Tensor, noise: WeightNoise | None, common: torch.Tensor) -> SmoothCells:
        """What all calls of a pass have in common, of one chip, or without noise of a perfect one."""
        share_uS = self.cell_shares(shares)
        weights, target, errors = share_uS * self.row_count, share_uS.detach(), None
        step = self.step_uS(target, None)
        factor = self.factor * (step * (self.most / self.first_step))
        if noise is not None:
            difference, errors = noise.drawn(
                target, self.stack_of, self.row_count, self.copies, common, self.reads)
            weights, step = weights + difference, self.step_uS(target, errors)
        return SmoothCells(weights * (self.copies / (self.most * step))[..., None], factor)

    def forward(
        self, values: torch.Tensor, cells: SmoothCells, factor: torch.Tensor, patches: Patches,
        reach: torch.Tensor | None, imaged: bool,
    ) -> torch.Tensor:
        """Lanes, of all copies together, (columns of a copy, vectors), from values (elements, batch).

        Of an image (batch, rows, columns, columns of a copy). ``reach`` is by how much the range of the codes is wider.
        """
        geometry = patches.geometry
        if not imaged or geometry is None:
            codes = patches(values, reach)
            parts = (codes if self.tiled else codes.index_select(0, self.index)).unflatten(0, (self.count, -1))
            factor, products = factor[..., None], cells.weights @ parts
        else:
            image = patches.image(values, reach, None if self.tiled else self.channels)
            weights = cells.weights.flatten(0, 1).unflatten(1, (-1, *geometry.kernel))
            products = torch.nn.functional.conv2d(
                image, weights, stride=geometry.stride, padding=patches.padding or 0, dilation=geometry.dilation,
                groups=self.count).permute(0, 2, 3, 1).unflatten(3, (self.count, -1))
        return self.lanes(cells.disturbed(products, factor.shape), factor)


def in_half_steps(products: torch.Tensor, top: float, factor: torch.Tensor, relu: bool) -> torch.Tensor:
    """See :meth:`SmoothProducts.lanes`: of converters whose codes are half steps to the nearest, at most ``top``."""
    return converted(2.0 * products + 0.5, 0.0 if relu else -top, top, 0.5 * factor, False) - 0.5 * factor.sum(dim=0)


def _inputs(products: Sequence[CoreProduct], channels: int, kernel: int) -> np.ndarray:
    """Inputs of the layer that products take, as many for each, (products, inputs): all of a channel, or none."""
    used = [product.used.numpy() for product in products]
    if any(product.inputs is None for product in products):
        width = max(len(part) for part in used)
        return np.stack([np.pad(part, (0, width - len(part)), "edge") for part in used])
    spans = [(part[0] // kernel, part[-1] // kernel + 1) for part in used]
    width = max(last - first for first, last in spans)
    start = np.array([min(first, channels - width) for first, _ in spans])
    return (start[:, None] * kernel + np.arange(width * kernel)).astype(np.int64)

"""Products of a transposable core on tensors: cells, charges, converters, leaves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mho.compiler.layer_run import taken_inputs
from mho.compiler.mapping.weights import Block
from mho.compiler.model.layer import LinearLayer
from mho.compiler.program import DITHER, Layer, Mvm
from mho.hw.config import Chip
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, STEP_FRACTION_BITS
from mho.torch.cells import CellTables, WeightNoise
from mho.torch.module import Module, converted
from mho.torch.patches import Geometry

SINGLE_EXACT = 2.0**24
"""Sums of whole numbers below it have one value in single precision, whatever their order."""
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


class TnsaProduct(Module):
    """One product of a layer.

    :meth:`exact` gives the bits of the core. :meth:`smooth` has gradients and is faster: copies of a layer are one,
    with the mean of their cells and a converter that is as much finer; two conversions of one product are one; read
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

    def __init__(
        self, mvm: Mvm, layer: Layer, block: Block, linear: LinearLayer, stack_of: np.ndarray, chip: Chip,
        target_uS: np.ndarray,
    ) -> None:
        super().__init__()
        config: Any = chip.macro_config()
        self.mvm, self.config, self.copies = mvm, config, block.copies
        self.op, self.lsb, self.low, self.slices = mvm.op, self.config.lsb_uS, chip.cells.g_min_uS, block.slices
        rows = mvm.taken(layer.spread)
        used, place = taken_inputs(rows)
        count, constant = len(mvm.columns) // block.copies, rows == DITHER
        outputs, each = mvm.outputs[:count].astype(np.int64), linear.weight.shape[1]
        self.inputs = slice(int(used[0]), int(used[-1]) + 1) if len(used) and (np.diff(used) == 1).all() else None
        self.in_order = np.array_equal(outputs, np.arange(layer.outputs))
        plain = linear.groups == 1 and self.inputs is not None and bool((np.diff(outputs) == 1).all())
        self.block = (slice(outputs[0], outputs[-1] + 1), self.inputs) if plain else None
        fixed = self.block_cells(target_uS).sum(axis=0)[:, constant].sum(axis=1)
        multiplier = mvm.multiplier.reshape(block.copies, count).sum(axis=0) * 2.0**-layer.shift / block.copies
        self.hold(
            used=used, place=place, outputs=mvm.outputs, smooth_outputs=outputs,
            present=used // each == (outputs // (layer.outputs // linear.groups))[:, None],
            weight_of=outputs[:, None] * each + used % each, stack_of=stack_of[used],
            row_count=np.bincount(place[~constant], minlength=len(used))[: len(used)].astype(np.float32),
            factor=multiplier.astype(np.float32),
            fixed_load=fixed.reshape(block.copies, count).mean(axis=0).astype(np.float32),
        )

    def block_cells(self, target_uS: np.ndarray) -> np.ndarray:
        """The cells of its weights of those of a core, (cells of a weight, columns, rows)."""
        cells = self.config.cell_map.take(target_uS.astype(np.float64), self.mvm.rows, self.mvm.columns)
        return cells.swapaxes(1, 2)

    def taken(self, codes: torch.Tensor) -> torch.Tensor:
        """Inputs of the product, of those of the layer: (inputs, vectors)."""
        return codes.index_select(0, self.used) if self.inputs is None else codes[self.inputs]

    def sensed(
        self, target_uS: np.ndarray, step_code: int, tables: CellTables | None, common: torch.Tensor
    ) -> Sensed:
        """The cells of a core on one chip, or with no tables on a perfect one."""
        cells = torch.as_tensor(self.block_cells(target_uS)).to(common.device)
        if tables is not None:
            cells = tables.drawn(cells, common)
        codes = torch.round(cells / self.lsb).clamp(max=2**self.config.g_bits - 1)
        load = codes.sum(dim=(0, 2))[:, None]
        gain, offset = torch.zeros(2, *load.shape, device=load.device), torch.zeros_like(load)
        if tables is not None and tables.spread:
            gain = self.config.sigma_gain * torch.randn_like(gain)
            offset = self.config.sigma_offset_mV * 1e-3 * torch.randn_like(offset)
        read = None
        if tables is not None and tables.reads:
            variance = tables.read_variance(codes * self.lsb) / self.lsb**2
            both, between = variance[0] + variance[1], variance[0] - variance[1]
            read = self._folded(both), self._folded(between), both.sum(dim=1)[:, None]
        ideal = step_code * 2.0**-STEP_FRACTION_BITS * self._referred(load)
        return Sensed(
            matrix=self._folded(codes[0] - codes[1]), load=load, read=read,
            steps=2.0 * torch.round(ideal * (1.0 + gain)).clamp(min=1.0),
            constant=2.0 * torch.round(offset / self.config.v_read_V * load) + 1.0,
        )

    def _referred(self, load: torch.Tensor, unit_uS: float = 1.0) -> torch.Tensor:
        """What a decrement is a fraction of, for sums of the codes of cells, or in ``unit_uS`` codes."""
        return torch.full_like(load, 2.0**STEP_FRACTION_BITS * unit_uS) if self.config.absolute else load

    def _folded(self, of_rows: torch.Tensor) -> torch.Tensor:
        """What rows have, added for each input, the constant last: (columns, inputs + 1)."""
        total = torch.zeros(len(of_rows), len(self.used) + 1, dtype=of_rows.dtype, device=of_rows.device)
        return total.index_add(1, self.place, of_rows)

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

    def cell_shares(self, shares: torch.Tensor) -> torch.Tensor:
        """Differences of one cell of each weight in uS, (columns of a copy, inputs), of those of the layer."""
        if self.block is not None:
            return shares[self.block]
        return torch.where(self.present, shares.flatten()[self.weight_of], 0.0)

    def _load(self, share_uS: torch.Tensor) -> torch.Tensor:
        """Sums of the targets of a column in uS, the mean of all copies."""
        return ((share_uS.abs() + 2.0 * self.low) * self.row_count).sum(dim=1) + self.fixed_load

    def begin(self, shares: torch.Tensor) -> None:
        """Remember the loads for which the multipliers are."""
        self.register_buffer("first_load", self._load(self.cell_shares(shares)), persistent=False)

    def smooth_weights(
        self, shares: torch.Tensor, noise: WeightNoise | None, common: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Products in steps of a converter for inputs of 1, (columns of a copy, inputs), and what a half step adds."""
        share_uS = self.cell_shares(shares)
        weights, target = share_uS * self.row_count, share_uS.detach()
        load = self._load(target)
        factor = self.factor * (self._referred(load) / self._referred(self.first_load))
        if noise is not None:
            plus, minus = noise.drawn(target, self.stack_of, self.row_count, self.copies, common)
            weights = weights + torch.where(target < 0, minus - plus, plus - minus)
            load = load + (plus + minus).sum(dim=1)
        # Of two conversions the rounding of the more significant one counts: both are taken as one, in its steps.
        most = SEGMENT ** (self.op.segments - 1)
        scale = self.copies / (most * self.op.step_code * 2.0**-STEP_FRACTION_BITS * self._referred(load, self.lsb))
        return weights * scale[:, None], most * factor

    def smooth(
        self, codes: torch.Tensor, weights: torch.Tensor, factor: torch.Tensor, geometry: Geometry | None
    ) -> torch.Tensor:
        """Lanes, of all copies together, (columns of a copy, vectors), from codes of the layer (inputs, vectors).

        With a geometry of an image, (batch, columns of a copy, rows, columns).
        """
        low, high = -self.copies * (self.op.max_steps + 1), self.copies * self.op.max_steps + (self.copies - 1) // 2
        if geometry is None:
            return converted(weights @ self.taken(codes), low, high, factor[:, None], self.op.relu)
        assert self.inputs is not None
        # Whole channels, the weights of inputs that are not the product's 0.
        kernel = geometry.kernel[0] * geometry.kernel[1]
        first, last = self.inputs.start // kernel, -(-self.inputs.stop // kernel)
        edges = self.inputs.start - first * kernel, last * kernel - self.inputs.stop
        weights = torch.nn.functional.pad(weights, edges).unflatten(1, (last - first, *geometry.kernel))
        image = codes if (first, last) == (0, codes.shape[1]) else codes[:, first:last]
        products = torch.nn.functional.conv2d(image, weights, stride=geometry.stride, dilation=geometry.dilation)
        return converted(products, low, high, factor[:, None, None], self.op.relu)


PRODUCT = TnsaProduct

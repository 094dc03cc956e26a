"""Products of a transposable core on tensors: cells, charges, converters, leaves."""

from dataclasses import dataclass
import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from mho.compiler.layer_run import taken_inputs
from mho.compiler.mapping.block import Block
from mho.compiler.program import DITHER, Layer, Mvm
from mho.hw.config import Chip
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, STEP_FRACTION_BITS
from mho.torch.cells import CellTables, WeightNoise
from mho.torch.straight import converted, shifted
from mho.torch.weights import WeightMap

SINGLE_EXACT = 2.0**24
"""Sums of whole numbers below it have one value in single precision, whatever their order."""
SEGMENT = 2.0**LSB_SEGMENT_BITS


@dataclass(frozen=True)
class Sensed:
    """Cells of a product as its conversions see them, whole numbers: of one chip, or without noise.

    ``matrix`` has shape (columns, inputs), ``constant`` (columns,) is added to twice the products, ``steps`` (2,
    columns) are of positive and negative charges, ``read`` are variances that meet squared inputs, and those that meet
    inputs, and their sums over a column; ``load`` are the sums of the cells.
    """

    matrix: torch.Tensor
    constant: torch.Tensor
    steps: torch.Tensor
    load: torch.Tensor
    multiplier: torch.Tensor
    read: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None


class TnsaProduct(torch.nn.Module):
    """One product of a layer.

    ``exact`` gives the bits of the core. ``smooth`` has gradients and is faster: copies of a layer are one, with the
    mean of their cells and a converter that is as much finer; two conversions of one product are one; read noise is
    drawn once a batch.
    """

    def __init__(self, mvm: Mvm, block: Block, layer: Layer, cells: WeightMap, chip: Chip, target_uS: np.ndarray):
        super().__init__()
        self.mvm, self.config, self.shift = mvm, chip.macro_config(), layer.shift
        self.op, self.lsb, self.copies = mvm.op, self.config.lsb_uS, block.copies
        self.low, copies = cells.low, block.copies if cells.stack == "copies" else 1
        rows = mvm.taken(layer.spread)
        used, place = taken_inputs(rows)
        first = block.first % cells.place.shape[1]
        self.rows = slice(first, first + len(rows))
        self.count = len(mvm.columns) // block.copies
        self.narrow = bool(len(used)) and bool((np.diff(used) == 1).all())
        self.in_order = np.array_equal(mvm.outputs[: self.count], np.arange(layer.outputs))
        self.first_input, self.inputs = int(used[0]) if len(used) else 0, len(used)
        fixed = self.config.cell_map.take(target_uS.astype(np.float64), mvm.rows, mvm.columns).swapaxes(1, 2)
        self._hold(
            used=used.astype(np.int64), place=place, constant=rows == DITHER, fixed=fixed, outputs=mvm.outputs,
            copy=block.copy_of % copies, slice_of=block.slice_of,
            multiplier=mvm.multiplier.astype(np.int64),
        )
        self._hold(load=np.rint(fixed / self.lsb).sum(axis=(0, 2)))
        self._begin_smooth(cells, rows, place, fixed, layer)

    def _begin_smooth(
        self, cells: WeightMap, rows: np.ndarray, place: np.ndarray, fixed: np.ndarray, layer: Layer
    ) -> None:
        """What the smooth pass takes: columns of one copy, and rows of one input together."""
        used, outputs = self.used.numpy(), self.mvm.outputs[: self.count].astype(np.int64)
        groups, (_, each) = cells.groups, cells.shape
        self.block = None
        if groups == 1 and cells.slices == 1 and self.narrow and (np.diff(outputs) == 1).all():
            self.block = slice(outputs[0], outputs[-1] + 1), slice(used[0], used[-1] + 1)
        group_of_output = outputs // (layer.outputs // groups)
        constant = rows == DITHER
        multiplier = self.mvm.multiplier.reshape(self.copies, self.count).sum(axis=0) * 2.0**-layer.shift / self.copies
        self._hold(
            present=used // each == group_of_output[:, None], weight_of=outputs[:, None] * each + used % each,
            row_count=np.bincount(place[~constant], minlength=len(used))[: len(used)].astype(np.float32),
            stack_of=cells.stack_index[used], factor=multiplier.astype(np.float32),
            fixed_load=fixed.sum(axis=0)[:, constant].sum(axis=1).reshape(self.copies, -1).mean(axis=0)
            .astype(np.float32),
        )

    def _hold(self, **arrays: np.ndarray) -> None:
        for name, array in arrays.items():
            tensor = torch.as_tensor(np.ascontiguousarray(array))
            self.register_buffer(name, tensor.long() if tensor.dtype == torch.int32 else tensor, persistent=False)

    def targets(self, differences: torch.Tensor) -> torch.Tensor:
        """Targets of the cells in uS, (cells of a weight, columns, rows), in double precision."""
        of_block = differences[self.copy, self.slice_of, self.outputs][:, self.rows]
        cells = torch.stack([self.low + of_block.clamp(min=0.0), self.low + (-of_block).clamp(min=0.0)])
        return torch.where(self.constant, self.fixed, cells.float().double())

    def _half_steps(self, load: torch.Tensor) -> torch.Tensor:
        """What converters count, in codes: as the compiler knows it from the targets."""
        if self.config.absolute:
            load = torch.full_like(load, 2.0**STEP_FRACTION_BITS)
        return torch.round(self.op.step_code * 2.0**-STEP_FRACTION_BITS * load).clamp(min=1.0)

    def multipliers(self, differences: torch.Tensor, following: torch.Tensor | None) -> torch.Tensor:
        """Multipliers of the leaves for these weights, (columns,); ``following`` widens the range of the outputs."""
        load = torch.round(self.targets(differences) / self.lsb).sum(dim=(0, 2))
        ratio = self._half_steps(load) / self._half_steps(self.load)
        ratio = ratio if following is None else ratio / following.detach()
        return torch.round(self.multiplier * ratio).long().clamp(max=2**15 - 1)

    def sensed(
        self, differences: torch.Tensor, tables: CellTables | None, common: torch.Tensor,
        following: torch.Tensor | None = None,
    ) -> Sensed:
        """The cells of one chip, or with no tables those of a perfect one."""
        cells = self.targets(differences)
        if tables is not None:
            cells = tables.drawn(cells, common)
        codes = torch.round(cells / self.lsb).clamp(max=2**self.config.g_bits - 1)
        load, device = codes.sum(dim=(0, 2)), codes.device
        gain, offset = torch.zeros(2, len(load), device=device), torch.zeros(len(load), device=device)
        if tables is not None and tables.spread:
            gain = self.config.sigma_gain * torch.randn(2, len(load), device=device)
            offset = self.config.sigma_offset_mV * 1e-3 * torch.randn(len(load), device=device)
        read = None
        if tables is not None and tables.reads:
            variance = tables.read_variance(codes * self.lsb) / self.lsb**2
            both, between = variance[0] + variance[1], variance[0] - variance[1]
            read = self._folded(both), self._folded(between), both.sum(dim=1)
        matrix = self._folded(codes[0] - codes[1])
        ideal = self.op.step_code * 2.0**-STEP_FRACTION_BITS * (
            torch.full_like(load, 2.0**STEP_FRACTION_BITS) if self.config.absolute else load)
        return Sensed(
            matrix=matrix, steps=2.0 * torch.round(ideal * (1.0 + gain)).clamp(min=1.0), load=load, read=read,
            constant=2.0 * torch.round(offset / self.config.v_read_V * load) + 1.0,
            multiplier=self.multipliers(differences, following),
        )

    def _folded(self, of_rows: torch.Tensor) -> torch.Tensor:
        """What rows have, added for each input, the constant last: (columns, inputs + 1)."""
        total = torch.zeros(len(of_rows), self.inputs + 1, dtype=of_rows.dtype, device=of_rows.device)
        return total.index_add(1, self.place, of_rows)

    def taken(self, codes: torch.Tensor) -> torch.Tensor:
        """Inputs of the product, of those of the layer: (inputs, vectors)."""
        if self.narrow:
            return codes.narrow(0, self.first_input, self.inputs)
        return codes.index_select(0, self.used)

    def codes(self, codes: torch.Tensor, sensed: Sensed) -> torch.Tensor:
        """Output codes in half steps, (columns, vectors), for inputs of the layer (inputs, vectors)."""
        result, top = torch.zeros((), device=codes.device), 2.0**max(self.op.segment_planes) - 1.0
        peak = float((2.0 * sensed.matrix.abs().sum(dim=1)).max() * top + sensed.constant.abs().max())
        kind = torch.float32 if peak < SINGLE_EXACT and sensed.read is None else torch.float64
        matrix, (positive, negative) = sensed.matrix.to(kind), sensed.steps.to(kind)[:, :, None]
        for part in self._segments(self.taken(codes).to(kind)):
            charge = matrix[:, :-1] @ part + matrix[:, -1:]
            if sensed.read is not None:
                charge = charge + self._noise(part, charge, sensed)
            charge = 2.0 * charge + sensed.constant[:, None].to(kind)
            count = (charge / positive).clamp(min=0.0) + (charge / negative).clamp(max=0.0)
            count = torch.floor(count.clamp(-self.op.max_steps - 1, self.op.max_steps))
            halves = 2.0 * count + 1.0
            result = SEGMENT * result + (halves.clamp(min=0.0) if self.op.relu else halves)
        return result

    def _segments(self, codes: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What each conversion takes, the most significant first."""
        if self.op.segments == 1:
            return (codes,)
        high = torch.trunc(codes / SEGMENT)
        return high, codes - high * SEGMENT

    def _noise(self, x: torch.Tensor, charge: torch.Tensor, sensed: Sensed) -> torch.Tensor:
        """Read noise of a conversion, in whole units."""
        assert sensed.read is not None
        square, cross, total = (part.to(x.dtype) for part in sensed.read)
        settled = charge / sensed.load.clamp(min=1.0)[:, None].to(x.dtype)
        variance = square[:, :-1] @ (x * x) + square[:, -1:]
        variance += (total[:, None] * settled - 2.0 * (cross[:, :-1] @ x + cross[:, -1:])) * settled
        return torch.round(variance.clamp(min=0.0).sqrt() * torch.randn_like(charge))

    def leaves(self, codes: torch.Tensor, sensed: Sensed) -> torch.Tensor:
        """Lanes of the columns, whole numbers."""
        return shifted(codes.long() * sensed.multiplier[:, None], self.shift)

    def held(self, shares: torch.Tensor) -> torch.Tensor:
        """Differences of one cell of each weight in uS, (columns of a copy, inputs); see :meth:`WeightMap.shares`."""
        if self.block is not None:
            return shares[self.block]
        return torch.where(self.present, shares.flatten()[self.weight_of], 0.0)

    def _load(self, held: torch.Tensor) -> torch.Tensor:
        """Sums of the targets of a column in uS, the mean of all copies."""
        return ((held.abs() + 2.0 * self.low) * self.row_count).sum(dim=1) + self.fixed_load

    def begin(self, shares: torch.Tensor) -> None:
        """Remember the loads for which the multipliers are."""
        self.register_buffer("first_load", self._load(self.held(shares)), persistent=False)

    def smooth_weights(
        self, shares: torch.Tensor, noise: WeightNoise | None, common: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Products in steps of a converter for inputs of 1, (columns of a copy, inputs), and what a half step adds."""
        held = self.held(shares)
        weights, target = held * self.row_count, held.detach()
        load = self._load(target)
        factor = self.factor * (load / self.first_load)
        if noise is not None:
            plus, minus = noise.drawn(target, self.stack_of, self.row_count, self.copies, common)
            weights = weights + torch.where(target < 0, minus - plus, plus - minus)
            load = load + (plus + minus).sum(dim=1)
        if self.config.absolute:
            load = torch.full_like(load, 2.0**STEP_FRACTION_BITS * self.lsb)
        # Of two conversions the rounding of the more significant one counts: both are taken as one, in its steps.
        most = SEGMENT ** (self.op.segments - 1)
        scale = self.copies / (most * self.op.step_code * 2.0**-STEP_FRACTION_BITS * load)
        return weights * scale[:, None], most * factor

    def smooth(self, codes: torch.Tensor, weights: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """Lanes, of all copies together, (columns of a copy, vectors), from what :meth:`taken` gives."""
        low, high = -self.copies * (self.op.max_steps + 1), self.copies * self.op.max_steps + (self.copies - 1) // 2
        return converted(weights @ codes, low, high, factor[:, None], self.op.relu)

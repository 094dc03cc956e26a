"""One layer of a chip on tensors: latent weights, their cells and converters, and what follows the sum of its codes."""

from collections.abc import Callable

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from mho.compiler.calibration.trials.candidates import Draft
from mho.compiler.mapping import Placement
from mho.compiler.mapping.block import Block
from mho.compiler.mapping.weights import code_value, column_loads
from mho.compiler.model.layer import LinearLayer
from mho.compiler.program import Layer, Mvm
from mho.hw.config import Chip
from mho.torch.cells import CellTables, WeightNoise
from mho.torch.product import Sensed, TnsaProduct
from mho.torch.straight import rounded, shifted, straight
from mho.torch.weights import WeightMap

Prepared = tuple[list[tuple[torch.Tensor, torch.Tensor]] | None, list[Sensed] | None]
"""Of each product of a layer what the smooth pass takes, and what the exact one does."""


class AnalogLayer(torch.nn.Module):
    """A layer on cores.

    Attributes
    ----------
    weight, bias
        Latent, in the units of the model: (outputs, inputs of a group) and (outputs,).
    log_reach
        Logarithm of by how much the range of the input codes is wider than the compiler's; learned, too.
    codes
        Output codes of the last exact pass in half steps, (batch, positions * columns), product by product, of each
        call one behind the other; kept where ``keep`` is set.
    """

    def __init__(
        self, index: int, linear: LinearLayer, layer: Layer, draft: Draft, placement: Placement, chip: Chip,
        targets: np.ndarray, tables: CellTables,
    ) -> None:
        super().__init__()
        self.name, self.root, self.shift, self.outputs = layer.name, layer.root, layer.shift, layer.outputs
        self.weight = torch.nn.Parameter(torch.tensor(linear.weight, dtype=torch.float64))
        self.bias = torch.nn.Parameter(torch.tensor(linear.bias, dtype=torch.float64))
        self.log_reach = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.cells = WeightMap(linear, draft, placement.parts[index])
        blocks = placement.of_layer(index)
        self.products = torch.nn.ModuleList(
            TnsaProduct(mvm, block, layer, self.cells, chip, targets[block.core])
            for mvm, block in zip(layer.mvms, blocks, strict=True)
        )
        self.groups, self.errors = linear.groups, WeightNoise(
            tables, self.cells.stack_sizes, self.cells.low, self.cells.top)
        with torch.no_grad():
            for product in self.products:
                product.begin(self.cells.shares(self.weight, None))
        unit = np.ones(layer.outputs)
        for product, block in zip(layer.mvms, blocks, strict=True):
            # Of several columns of an output the first holds the most significant slice.
            unit[product.outputs[::-1]] = _unit(product, block, layer, draft, chip, targets[block.core])[::-1]
        for name, array in {"root_bias": layer.root.bias.astype(np.float64), "unit": unit, "first_bias": linear.bias,
                            "first_weight": linear.weight, "offset": draft.quantiser.offset}.items():
            self.register_buffer(name, torch.as_tensor(np.array(array)), persistent=False)
        self.following: Callable[[], torch.Tensor | None] = lambda: None
        self.keep, self.codes = False, list[torch.Tensor]()

    @property
    def reach(self) -> torch.Tensor | None:
        """By how much the range of the input codes is wider than the compiler's; None: it is that."""
        return self.log_reach.exp() if self.log_reach.requires_grad or bool(self.log_reach) else None

    def prepare(self, exact: bool, tables: CellTables | None, common: torch.Tensor) -> Prepared:
        """What all calls of a pass have in common: the cells of one chip."""
        of_smooth = of_exact = None
        if not exact or torch.is_grad_enabled():
            shares, noise = self.cells.shares(self.weight, self.reach), None if tables is None else self.errors
            of_smooth = [product.smooth_weights(shares, noise, common) for product in self.products]
        if exact:
            with torch.no_grad():
                differences, following = self.cells(self.weight, self.reach), self.following()
                of_exact = [product.sensed(differences, tables, common, following) for product in self.products]
        return of_smooth, of_exact

    def _bias(self) -> torch.Tensor:
        """What is added to the sums, in lanes: what the compiler has, and what has changed since."""
        moved = (self.weight - self.first_weight).unflatten(0, (self.groups, -1))
        change = torch.einsum("goi,gi->go", moved, self.offset.view(self.groups, -1)).flatten()
        bias = self.root_bias + (self.bias - self.first_bias + change) / self.unit
        following = self.following()
        return bias if following is None else bias / following

    def forward(self, codes: torch.Tensor, prepared: Prepared, batch: int) -> torch.Tensor:
        """Lanes, or codes of the next layer, (outputs * positions, batch), of codes (inputs, positions * batch)."""
        of_smooth, of_exact = prepared
        smooth = None if of_smooth is None else self._finish_smooth(codes, of_smooth)
        if of_exact is None:
            assert smooth is not None
            return smooth.reshape(-1, batch)
        with torch.no_grad():
            exact = self._finish_exact(codes, of_exact, batch)
        return (exact if smooth is None else straight(exact, smooth)).reshape(-1, batch)

    def _finish_smooth(self, codes: torch.Tensor, prepared: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        total: torch.Tensor | None = None
        following, pieces = self.following(), self._pieces(codes)
        for product, (weights, factor), piece in zip(self.products, prepared, pieces, strict=True):
            lanes = product.smooth(piece, weights, factor if following is None else factor / following.float())
            if not product.in_order:
                whole = torch.zeros(self.outputs, lanes.shape[1], device=lanes.device)
                lanes = whole.index_add(0, product.outputs[: len(factor)], lanes)
            total = lanes if total is None else total.add_(lanes)
        assert total is not None
        total = total.add_(self._bias().float()[:, None])
        if self.root.relu:
            total = total.relu_()
        last = self.root.requantise
        return total if last is None else rounded(total * 2.0**-last.shift, last.low, last.high)

    def _pieces(self, codes: torch.Tensor) -> list[torch.Tensor]:
        """What each product takes; where segments of rows lie side by side, by one split, whose gradient is one, too."""
        ranges = sorted({(p.first_input, p.inputs) for p in self.products})
        ends = [first + size for first, size in ranges]
        if not all(p.narrow for p in self.products) or [first for first, _ in ranges] != [0, *ends[:-1]]:
            return [product.taken(codes) for product in self.products]
        parts = dict(zip(ranges, codes.split([size for _, size in ranges]) if len(ranges) > 1 else [codes], strict=True))
        return [parts[p.first_input, p.inputs] for p in self.products]

    def _finish_exact(self, codes: torch.Tensor, prepared: list[Sensed], batch: int) -> torch.Tensor:
        total = torch.zeros(self.outputs, codes.shape[1], dtype=torch.int64, device=codes.device)
        for product, sensed in zip(self.products, prepared, strict=True):
            made = product.codes(codes, sensed)
            if self.keep:
                self.codes.append(made.reshape(len(made), -1, batch).permute(2, 1, 0).flatten(1).to(torch.int16))
            total = total.index_add(0, product.outputs, product.leaves(made, sensed))
        total = total + torch.round(self._bias()).long()[:, None]
        if self.root.relu:
            total = total.clamp(min=0)
        last = self.root.requantise
        return (total if last is None else shifted(total, last.shift).clamp(last.low, last.high)).float()


def _unit(product: Mvm, block: Block, layer: Layer, draft: Draft, chip: Chip, target_uS: np.ndarray) -> np.ndarray:
    """What one lane of each output stands for, by the multipliers of the leaves."""
    loads = column_loads(target_uS, block.rows, block.columns, chip)
    half_step = code_value(loads, draft.op.step_code, draft.pairs.unit_of(block), chip) * draft.gain / block.copies
    return half_step * 2.0**layer.shift / np.maximum(product.multiplier, 1)

"""One layer of a chip on tensors: latent weights, their cells and converters, and what follows the sum of its codes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from mho.compiler.calibration.trials.candidates import Draft
from mho.compiler.mapping import Placement
from mho.compiler.mapping.weights import PairMap, code_value, column_loads
from mho.compiler.model.layer import LinearLayer
from mho.compiler.program import DITHER, Layer
from mho.hw.config import Chip
from mho.macro_models import MacroModel, Masks
from mho.macro_models.errors import InputError
from mho.macro_models.integer.vector import MULTIPLIER_MAX
from mho.torch.cells import CellTables, WeightNoise
from mho.torch.kinds import smooth_class
from mho.torch.module import Module, flat, rounded, straight
from mho.torch.patches import Patches
from mho.torch.product import Codes, CoreProduct
from mho.torch.smooth import SmoothCells

Cores = Sequence[tuple[MacroModel, Masks]]


@dataclass(frozen=True)
class Compiled:
    """A layer as the compiler has it: number, floating point, program, choices, where it is, and what cores hold."""

    index: int
    linear: LinearLayer
    layer: Layer
    draft: Draft
    placement: Placement
    chip: Chip
    target_uS: np.ndarray

    def with_weights(self, weight: np.ndarray, reach: float) -> tuple[Draft, np.ndarray]:
        """The draft with other weights, of which a uS stands for as much as before, and what all cores hold of it."""
        if reach == 1.0 and np.array_equal(weight, self.linear.weight):
            return self.draft, self.target_uS
        pairs, parts, quantiser = self.draft.pairs, self.placement.parts[self.index], self.draft.quantiser
        quantiser = replace(quantiser, scale=quantiser.scale * reach)
        shares = [
            parts.share(layer.scaled(scale), self.draft.spread) for layer, scale in (
                (self.linear, self.draft.quantiser.scale), (replace(self.linear, weight=weight), quantiser.scale))
        ]
        first, largest = (np.abs(share).max(axis=1, initial=0.0) for share in shares)
        clip = np.where(first > 0, first * pairs.clip, 1.0) / np.where(largest > 0, largest, 1.0)
        mapped = PairMap(
            shares[1], clip, self.chip, slices=pairs.slices, bits=pairs.bits, copies=pairs.copies, stack=pairs.stack,
            spread=parts.taken(self.draft.spread),
        )
        draft, target_uS = replace(self.draft, quantiser=quantiser, pairs=mapped), self.target_uS.copy()
        for block in self.placement.of_layer(self.index):
            draft.fill(target_uS[block.core], block)
        return draft, target_uS

    def half_steps(self, draft: Draft, target_uS: np.ndarray) -> list[np.ndarray]:
        """What a half step of each column of each product stands for, but for what all have in common."""
        return [
            code_value(column_loads(target_uS[block.core], block.rows, block.columns, self.chip), draft.op.step_code,
                       draft.pairs.unit_of(block), self.chip) * (draft.gain / block.copies)
            for block in self.placement.of_layer(self.index)
        ]

    def lowered(self, weight: np.ndarray, bias: np.ndarray, reach: float, after: float) -> tuple[Layer, np.ndarray]:
        """The layer of the program for other weights, and what all cores hold of it.

        ``bias`` is in lanes; the outputs' range is wider by ``after``. Where lanes could not hold all that converters
        may give, these reach less far.
        """
        draft, target_uS = self.with_weights(weight, reach)
        before, code, step_code = self.half_steps(self.draft, self.target_uS), draft.op.step_code, self.chip.step_code
        while True:
            trial = replace(draft, op=replace(draft.op, step_code=code))
            mvms = tuple(
                replace(mvm, op=replace(mvm.op, step_code=code), multiplier=np.minimum(
                    np.rint(mvm.multiplier * (new / old / after)), MULTIPLIER_MAX).astype(np.int32))
                for mvm, old, new in zip(self.layer.mvms, before, self.half_steps(trial, target_uS), strict=True)
            )
            layer = replace(self.layer, mvms=mvms, root=replace(self.layer.root, bias=bias))
            try:
                layer.check()
            except ValueError:
                # Some kinds have powers of two, others one step.
                smaller = min(step_code(code * 15 // 16), step_code(code // 2), key=lambda c: (c >= code, -c))
                if smaller >= code:
                    raise InputError(f"layer {layer.name}: its biases have grown beyond what lanes of 16 bits hold; "
                                     "convert the module with its weights as they are now") from None
                code = smaller
                continue
            return layer, target_uS


class AnalogLayer(Module):
    """A layer on cores.

    ``kernel`` are inputs of a channel where calls are convolutions of one kernel, 1 elsewhere.

    Attributes
    ----------
    weight, bias
        Latent, in the units of the model: (outputs, inputs of a group) and (outputs,).
    log_reach
        Logarithm of by how much the range of the input codes is wider than the compiler's; learned, too.
    codes
        Output codes of the last exact pass in half steps, (batch, positions * columns), of each product of each call;
        kept where ``keep`` is set.
    """

    def __init__(self, compiled: Compiled, tables: CellTables, kernel: int = 1) -> None:
        super().__init__()
        linear, layer, draft, blocks = (
            compiled.linear, compiled.layer, compiled.draft, compiled.placement.of_layer(compiled.index))
        self.compiled, self.name, self.root = compiled, layer.name, layer.root
        self.weight, self.bias, self.log_reach = (
            torch.nn.Parameter(torch.tensor(array, dtype=torch.float64)) for array in (linear.weight, linear.bias, 0.0))
        # The smooth pass: slices have equal shares, and so have the cells of a weight on all rows of its input.
        pairs, counts = draft.pairs, np.bincount(draft.spread[draft.spread != DITHER], minlength=linear.inputs)
        total = pairs.unit[0] * (2.0 ** (-pairs.bits * np.arange(pairs.slices))).sum()
        ones = replace(linear, weight=np.ones_like(linear.weight))
        stacked = {"even": 0, "rows": 1, "copies": pairs.copies}[pairs.stack] if pairs.slices == 1 else 0
        sizes = np.maximum(counts * stacked, 1)
        cells = compiled.chip.cells
        self.top = pairs.map.top(cells.g_min_uS, cells.g_max_uS)
        self.errors = WeightNoise(tables, np.unique(sizes), pairs.map, cells.g_min_uS, cells.g_max_uS)
        together = smooth_class(compiled.chip.core.kind)
        self.products: Any = torch.nn.ModuleList(
            CoreProduct(mvm, layer, block, compiled.chip) for mvm, block in zip(layer.mvms, blocks, strict=True))
        # Products take whole channels only where their inputs follow each other.
        self.kernel = kernel if all(part.inputs is not None for part in self.products) else 0
        alike = dict[tuple[int, bytes], list[Any]]()
        for part in self.products:
            alike.setdefault((part.copies, part.mvm.outputs.tobytes()), []).append(part)
        self.smooth: Any = torch.nn.ModuleList(
            together(parts, layer, linear, sizes, self.kernel or 1, compiled.chip, compiled.target_uS)
            for parts in alike.values())
        unit = np.ones(layer.outputs)
        for mvm, half_step in zip(layer.mvms, compiled.half_steps(draft, compiled.target_uS), strict=True):
            # Of several columns of an output the first holds the most significant slice.
            lanes = half_step * 2.0**layer.shift / np.maximum(mvm.multiplier, 1)
            unit[mvm.outputs[::-1]] = lanes[::-1]
        self.hold(
            root_bias=layer.root.bias.astype(np.float64), unit=unit, first_bias=linear.bias, first_weight=linear.weight,
            offset=draft.quantiser.offset,
            share=(ones.scaled(draft.quantiser.scale / counts) / total[:, None]).astype(np.float32),
        )
        with torch.no_grad():
            for part in self.smooth:
                part.begin(self._shares())
        self.following: Callable[[], torch.Tensor | None] = lambda: None
        self.keep, self.codes = False, list[torch.Tensor]()
        self._lowered: tuple[tuple[float, ...], Layer, np.ndarray] | None = None

    @property
    def reach(self) -> torch.Tensor | None:
        """By how much the range of the input codes is wider than the compiler's; None: it is that."""
        return self.log_reach.exp() if self.log_reach.requires_grad or bool(self.log_reach) else None

    def _shares(self) -> torch.Tensor:
        """Differences of one cell of each weight in uS, of the shape of ``weight``."""
        reach = self.reach
        share = self.share if reach is None else self.share * reach.float()
        return (self.weight.float() * share).clamp(-self.top, self.top)

    def _bias(self) -> torch.Tensor:
        """What is added to the sums, in lanes: what the compiler has, and what has changed since."""
        change = self.bias - self.first_bias + self.of_offset(self.weight - self.first_weight)
        bias, following = self.root_bias + change / self.unit, self.following()
        return bias if following is None else bias / following

    def of_offset(self, weight: torch.Tensor) -> torch.Tensor:
        """What weights make of inputs whose codes are 0, (outputs,)."""
        groups = self.compiled.linear.groups
        return (weight.unflatten(0, (groups, -1)) @ self.offset.view(groups, -1, 1)).flatten()

    def lowered(self) -> tuple[Layer, np.ndarray]:
        """The layer of the program for the weights that there are now, and what all cores hold of it, in uS."""
        following, reach = self.following(), float(self.log_reach.detach().exp())
        after = 1.0 if following is None else float(following.detach())
        key = (self.weight._version, self.bias._version, reach, after)
        if self._lowered is None or self._lowered[0] != key:
            bias = np.clip(np.rint(self._bias().detach().cpu().numpy()), -(2**15), 2**15 - 1).astype(np.int16)
            weight = self.weight.detach().cpu().numpy()
            self._lowered = key, *self.compiled.lowered(weight, bias, reach, after)
        return self._lowered[1:]

    def prepare(
        self, noisy: bool, common: torch.Tensor, cores: Cores | None
    ) -> tuple[list[SmoothCells] | None, list[Codes] | None]:
        """What all calls of a pass have in common: the cells of one chip, and for exact passes its cores and masks."""
        of_smooth = of_exact = None
        if cores is None or torch.is_grad_enabled():
            shares, noise = self._shares(), self.errors if noisy else None
            of_smooth = [part.cells(shares, noise, common) for part in self.smooth]
        if cores is not None:
            layer, _ = self.lowered()
            of_exact = [product.bound(*cores[mvm.core], mvm, layer, self.compiled.index << 40)
                        for product, mvm in zip(self.products, layer.mvms, strict=True)]
        return of_smooth, of_exact

    def forward(
        self, values: torch.Tensor, patches: Patches,
        prepared: tuple[list[SmoothCells] | None, list[Codes] | None],
        measured: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Lanes, or codes of the next layer, (outputs * positions, batch), of codes (elements, batch).

        ``measured`` are output codes that take the place of the layer's own, of the shape of :attr:`codes`.
        """
        of_smooth, of_exact = prepared
        smooth = None if of_smooth is None else self._smooth(values.float(), patches, of_smooth)
        if of_exact is None and measured is None:
            assert smooth is not None
            return smooth
        values = flat(values)
        batch = values.shape[1]
        with torch.no_grad():
            output_codes = self._split(measured, patches.positions) if measured is not None else self._codes(
                patches(values, self.reach), of_exact, batch)
            exact = self._finished(output_codes).reshape(-1, batch)
        result = exact if smooth is None else straight(exact, flat(smooth).double())
        return result.float() if of_exact is None else result

    def _smooth(
        self, values: torch.Tensor, patches: Patches, prepared: list[SmoothCells]
    ) -> torch.Tensor:
        total: Any = None
        following, last = self.following(), self.root.requantise
        imaged = patches.geometry is not None and patches.kernel == self.kernel
        values = values if imaged else flat(values)
        for part, cells in zip(self.smooth, prepared, strict=True):
            factor = cells.factor if following is None else cells.factor / following.float()
            lanes = part(values, cells, factor, patches, self.reach, imaged)
            if not part.in_order:
                line = 3 if imaged else 0
                whole = lanes.new_zeros([*lanes.shape[:line], len(self.unit), *lanes.shape[line + 1 :]])
                lanes = whole.index_add(line, part.outputs, lanes)
            total = lanes if total is None else total + lanes
        total = total + self._bias().float().reshape(-1, *[1] * (not imaged))
        total = total.relu_() if self.root.relu else total
        total = total if last is None else rounded(total * 2.0**-last.shift, last.low, last.high)
        return total if imaged else total.reshape(-1, values.shape[1])

    def _codes(self, codes: torch.Tensor, prepared: list[Codes] | None, batch: int) -> list[torch.Tensor]:
        """Output codes of each product, (columns, positions * batch)."""
        assert prepared is not None
        output_codes = [product.exact(codes, bound) for product, bound in zip(self.products, prepared, strict=True)]
        if self.keep:
            self.codes += [
                part.reshape(len(part), -1, batch).permute(2, 1, 0).flatten(1).to(torch.int16) for part in output_codes]
        return output_codes

    def _split(self, measured: torch.Tensor, of_call: slice) -> list[torch.Tensor]:
        """The same of codes (batch, positions * columns) of all calls, product by product."""
        positions = self.compiled.layer.positions
        parts = measured.split([positions * len(product.outputs) for product in self.products], dim=1)
        return [part.reshape(len(part), positions, -1)[:, of_call].permute(2, 1, 0).flatten(1) for part in parts]

    def _finished(self, output_codes: list[torch.Tensor]) -> torch.Tensor:
        """What leaves and root make of output codes, in double precision."""
        layer, last, device = self.lowered()[0], self.root.requantise, self.unit.device
        total = torch.as_tensor(layer.root.bias).to(device).double()[:, None].repeat(1, output_codes[0].shape[1])
        for product, mvm, part in zip(self.products, layer.mvms, output_codes, strict=True):
            factor = torch.as_tensor(mvm.multiplier).to(device).double()[:, None] * 2.0**-layer.shift
            total = total.index_add(0, product.outputs, (part.double() * factor + 0.5).floor_())
        total = total.relu_() if self.root.relu else total
        return total if last is None else rounded(total * 2.0**-last.shift, last.low, last.high)

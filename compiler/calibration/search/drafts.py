"""Candidates for one layer: its input codes, the conductances of its weights, the operation of its converters."""

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mho.compiler.calibration.assembly.carried import Carried
from mho.compiler.calibration.quantisers import CodeFormat, Quantiser
from mho.compiler.calibration.trials.bench import Bench
from mho.compiler.calibration.trials.candidates import Draft, Site
from mho.compiler.layer_run import taken_inputs
from mho.compiler.mapping.faults import arrange_rows
from mho.compiler.mapping.weights import PairMap, Stack, most_slice_bits
from mho.compiler.options import LayerOptions
from mho.compiler.types import Float
from mho.macro_models.integer.operation import STEP_FRACTION_BITS, MvmOperation
from mho.macro_models.types import Indices, Integers, Integral

STACKS: tuple[Stack, ...] = ("rows", "even", "copies")
"""How a weight is shared out among its cells."""

SHIFTED_ROWS = 8
"""Rows by which copies are shifted where inputs are in two parts: a decrement is more than one row holds."""

SIZES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
"""Times that inputs are taken, too, to see what the converters must reach where inputs are in two parts."""

FIRST_REACH, FINE_REACH = 0.8, 1.0
FINE_STACK: Stack = "even"
"""Range of the converters where the search starts; that of inputs in two parts, of which nothing saturates, and whose
copies are alike but for their shift, so that they round differently."""


class Drafts:
    """Makes candidates for the layer of a site, which takes its inputs as ``taken`` says.

    ``flat`` are the inputs that ranges come from, of shape (samples, inputs).
    """

    def __init__(self, bench: Bench, options: LayerOptions, site: Site, carried: Carried, flat: Float) -> None:
        self.bench, self.options, self.site, self.taken, self.flat = bench, options, site, carried, flat
        self.layer, self.chip, self.placement = site.layer, bench.chip, site.stand.placement
        self.blocks, self.parts = self.placement.of_layer(site.index), self.placement.parts[site.index]
        self._coded: tuple[Quantiser, list[NDArray[np.float32]]] | None = None

    @cached_property
    def _single(self) -> NDArray[np.float32]:
        """:attr:`flat` in single precision, of shape (inputs that are taken, samples)."""
        flat = self.flat if self.site.taken is None else self.flat[:, self.site.taken]
        return np.ascontiguousarray(flat.T, dtype=np.float32)

    def draft(self, clip: Float, anchor: str, fmt: CodeFormat, extent: float, balance: float) -> Draft:
        """A candidate, see :func:`~mho.compiler.calibration.quantisers.fit_quantiser`; ``clip`` of each output."""
        fitted = self.taken.fit(self.flat, self.layer.norms, fmt, anchor=anchor, extent=extent, balance=balance)
        quantiser = self.taken.coarsen(fitted, anchor)
        weight, block = self.layer.scaled(quantiser.scale), self.blocks[0]
        constant = 0 if block.copies == 1 else SHIFTED_ROWS if self.bench.in_two else 1
        spread = self.parts.spread(weight, self.placement.rows[self.site.index], dither=constant)
        bits = most_slice_bits(block.slices, self.chip) if block.slices > 1 else 0
        stack = FINE_STACK if self.bench.in_two else STACKS[0]
        pairs = self._pairs(weight, spread, clip, bits, stack)
        if self.placement.faults and self.parts.order is None:
            spread = spread[self._arrangement(pairs)]
            pairs = self._pairs(weight, spread, clip, bits, stack)
        draft = Draft(quantiser, spread, pairs, self._op(quantiser), self.placement.faults)
        return with_reach(draft, self.largest_ratio(draft) * self._first_reach)

    def clipped(self, draft: Draft, clip: Float) -> Draft:
        """The candidate with weights of each output clipped, and the steps that it has."""
        weight, old = self.layer.scaled(draft.quantiser.scale), draft.pairs
        return replace(draft, pairs=self._pairs(weight, draft.spread, clip, old.bits, old.stack))

    def remapped(self, draft: Draft, clip: Float, bits: int | None = None, stack: Stack | None = None) -> Draft:
        """The candidate with other conductances for the same weights."""
        weight, old = self.layer.scaled(draft.quantiser.scale), draft.pairs
        bits = old.bits if bits is None else bits
        draft = replace(draft, pairs=self._pairs(weight, draft.spread, clip, bits, stack or old.stack))
        return with_reach(draft, self.largest_ratio(draft) * self._first_reach)

    def largest_ratio(self, draft: Draft) -> float:
        """Largest accumulated product over the load of its column, of an ideal device, in any conversion."""
        driven, largest = self._driven(draft), 0.0
        for block in self.blocks:
            cells, pairs = draft.pairs.cells_of(block), draft.pairs
            chosen = block.slice_of == 0  # what saturates further down counts little
            if pairs.cells.shape[1] == 1:
                chosen &= block.copy_of == 0  # all copies are alike
            cells = cells[:, chosen]
            ratio = pairs.map.join(cells) / pairs.config.load(cells.sum(axis=0), axis=1)[:, None]
            used, inputs = taken_inputs(draft.spread[block.first : block.first + len(block.rows)])
            shared = np.zeros((len(inputs), len(used) + 1))
            shared[np.arange(len(inputs)), inputs] = 1
            by_input = ratio @ shared
            largest = max(largest, *(_largest(by_input, part, used) for part in driven))
        return largest

    def _pairs(self, weight: Float, spread: Indices, clip: Float, bits: int, stack: Stack) -> PairMap:
        block = self.blocks[0]
        return PairMap(
            self.parts.share(weight, spread)[self.site.stand.outputs], clip, self.chip, slices=block.slices,
            bits=bits, copies=block.copies, spread=self._inputs_of(spread), stack=stack,
        )

    def _inputs_of(self, spread: Indices) -> Indices:
        """Which input each row takes, of each output that is tried where they differ."""
        inputs = self.parts.taken(spread)
        return inputs if inputs.ndim == 1 else inputs[self.site.stand.outputs]

    def _arrangement(self, pairs: PairMap) -> Integers:
        """Where each row of a layer goes, so that faulty cells do little."""
        rows, arrangements = pairs.cells.shape[-1], []
        low, high = self.chip.cells.g_min_uS, self.chip.cells.g_max_uS
        for part in range(self.parts.count):
            targets = []
            for block in self.blocks:
                if block.first // rows == part:
                    every = replace(block, first=0, rows=np.arange(rows))
                    local = replace(block, first=block.first % rows)
                    targets.append((local, pairs.map.join(pairs.cells_of(every))))
            arrangements.append(part * rows + arrange_rows(targets, self.placement.faults, pairs.map, low, high))
        return np.concatenate(arrangements)

    def _op(self, quantiser: Quantiser) -> MvmOperation:
        kind = quantiser.format
        op = self.chip.operation(in_bits=kind.bits, in_signed=kind.signed, out_bits=self.options.out_bits)
        rows = self.placement.rows[self.site.index] // self.parts.count
        # ReLU in the converter saves the decrements of negative columns, where nothing is added to their codes.
        alone = all(b.copies * b.slices == 1 and len(b.rows) == rows for b in self.blocks)
        plain = not self.bench.in_two and not self.bench.offset(self.site.index, quantiser).any()
        return replace(op, relu=self.layer.relu and op.segments == 1 and alone and plain)

    @property
    def _first_reach(self) -> float:
        return FINE_REACH if self.bench.in_two else FIRST_REACH

    def _driven(self, draft: Draft) -> list[NDArray[np.float32]]:
        """Codes of all inputs in each conversion, (inputs, samples)."""
        if self._coded is None or self._coded[0] is not draft.quantiser:
            inputs = self.site.taken
            codes = (draft.quantiser if inputs is None else draft.quantiser.of(inputs)).single(self._single)
            if self.bench.in_two:
                # Segments of codes have other sums at every size, however the codes cancel.
                codes = np.rint(np.concatenate([codes * np.float32(size) for size in SIZES], axis=1))
            parts = draft.pairs.config.conversions(draft.op, codes)
            if inputs is not None:
                parts = [_among(self.layer.inputs, inputs, part) for part in parts]
            self._coded = draft.quantiser, parts
        return self._coded[1]


def _among(inputs: int, rows: Integral, codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Codes of some inputs among those of all, of which the others are 0."""
    spread = np.zeros((inputs, codes.shape[1]), dtype=np.float32)
    spread[rows] = codes
    return spread


def _largest(matrix: Float, codes: NDArray[np.float32], used: Integral) -> float:
    """Largest magnitude of products of codes, (inputs, samples), of which some are used, and of a last input 1.

    Which one it is, single precision tells well enough.
    """
    side_by_side = used[-1] - used[0] == len(used) - 1 if len(used) else True
    rows = codes[used[0] : used[-1] + 1] if side_by_side and len(used) else codes[used]
    products = matrix[:, :-1].astype(np.float32) @ rows
    products += matrix[:, -1:].astype(np.float32)
    largest = 0.0
    for at in (int(products.argmax()), int(products.argmin())) if products.size else ():
        line, sample = divmod(at, products.shape[1])
        largest = max(largest, abs(float(matrix[line, :-1] @ rows[:, sample].astype(np.float64) + matrix[line, -1])))
    return largest


def reach_of(draft: Draft) -> float:
    """The ratio for which the largest code stands."""
    return draft.op.step_code * 2.0**-STEP_FRACTION_BITS * (draft.pairs.config.most_steps(draft.op) + 0.5)


def with_reach(draft: Draft, reach: float) -> Draft:
    """The candidate with the converter step for which the largest code stands for the ratio ``reach``."""
    step = reach / (draft.pairs.config.most_steps(draft.op) + 0.5)
    code = draft.pairs.chip.step_code(step * 2**STEP_FRACTION_BITS)
    return replace(draft, op=replace(draft.op, step_code=code))

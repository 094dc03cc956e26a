"""Model-driven calibration: ranges, clipping and converter steps of each layer, tried on the device model.

Layer by layer, with the layers before it as they will run on chips of the device at a representative time: a
candidate is mapped to conductances, programmed on a few chips, and run on the calibration inputs; the one with which
the network's outputs come closest to those in floating point is taken. This is what Wan et al. (Nature 608, 504
(2022)) do on the chip, on a model of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.faults import arrange_rows
from compiler.graph import FloatNetwork
from compiler.lowering import lower_last, lower_layer, smallest_scale
from compiler.mapping import Placement
from compiler.options import CompileOptions
from compiler.program import Layer, row_codes
from compiler.quantisers import CodeFormat, Quantiser, fit_quantiser, formats, needs_sign
from compiler.trials import Bench, Draft, Trial
from compiler.weights import PairMap, Stack, most_slice_bits, share_weights, spread_rows
from hw.config import Chip
from macro_models.devices import Device
from macro_models.exact.operation import STEP_FRACTION_BITS, STEP_WIDTH, Converter, MvmOperation

__all__ = ["Calibrated", "Calibrator"]

Float = NDArray[np.float64]

ANCHORS = ("zero", "least", "mean", "middle")
HIDDEN_ANCHORS = ("zero", "relu")
STACKS: tuple[Stack, ...] = ("rows", "even", "copies")
BALANCES = (0.0, 0.5, 1.0)
EXTENTS = (1.0, 1.2, 1.5, 0.995, 0.98)
CLIPS = (1.0, 0.85, 0.7, 0.55, 0.4, 0.3)
REACHES = (1.4, 1.2, 1.0, 0.8, 0.65, 0.5, 0.38)
"""Candidates: what code 0 of the network's input and of hidden values stands for, how a weight is shared out among its
cells, how inputs share the levels, range of the inputs, clipping of the weights, and range of the converters; each
range relative to the largest value that occurs."""

CLIP_GAIN = 0.9
"""An output's weights are clipped if that brings its squared error below this times that without: a few chips are
noisy."""

FIRST_CLIP, FIRST_REACH = 1.0, 0.8
"""Where the search starts."""

DECISION_TOLERANCE = 0.01
ERROR_TOLERANCE = 0.021
"""What rounding inputs to fewer bits may cost: decisions of a classifier that change, for each layer, or the error of
other networks relative to the standard deviation of their outputs, of all layers together."""

CLASSIFIER_ERROR = 0.056
"""The same error of a classifier: decisions on inputs that it was trained on are safer than others, so that they alone
tell too little."""

RANGE_COST = 1.1
"""The widest range of inputs and converters is taken whose squared error is at most this times the least: inputs that
calibration has not seen go beyond those that it has."""

SECOND_GAIN = 0.7
NEGLIGIBLE = 0.6
"""A second conversion is taken, too, where it brings the squared error below this times that of one, because rounding
matters more than noise; unless the rounding error is below this times the tolerance."""

FEW_INPUTS = 16
"""Rounding errors of no more inputs than these do not average out: no error of theirs is taken for negligible."""

FEWEST_PASSED = 0.25
"""Share of values that a ReLU passes at least, as far as the correction of their mean goes."""

FEWEST_TO_SPLIT = 64
"""Calibration inputs from which on ranges come from a part of them."""

FEWEST_OUT_BITS = 5
OUT_BITS_COST = 1.05
"""Fewer output bits are taken while the squared error stays below this times that of the most."""


@dataclass(frozen=True)
class Calibrated:
    """Result of the calibration: the program, the conductances of each core in uS, and facts for the report."""

    quantiser: Quantiser
    layers: tuple[Layer, ...]
    output_scale: Float
    targets: NDArray[np.float32]
    errors: tuple[float, ...]
    cycles: tuple[float, ...]
    slice_bits: tuple[int, ...]


def _better(a: Trial, b: Trial) -> Trial:
    return b if b.total < a.total else a


def _widest(tried: Sequence[tuple[float, Trial]]) -> tuple[float, Trial]:
    """The widest range that costs little, see :data:`RANGE_COST`, and its trial."""
    least = min(trial.total for _, trial in tried)
    return max((t for t in tried if t[1].total <= RANGE_COST * least), key=lambda t: t[0])


class Calibrator:
    """One calibration of one network; parameters as of :class:`~compiler.trials.Bench`.

    ``progress`` is called with (layers done, layers).
    """

    def __init__(
        self,
        network: FloatNetwork,
        placement: Placement,
        chip: Chip,
        device: Device,
        options: CompileOptions,
        x: Float,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.network, self.placement, self.chip, self.options = network, placement, chip, options
        self.x, self.progress = x, progress
        self.bench = self._bench(device, options)
        self.smallest: Float = np.zeros(network.features)
        self.decisions = DECISION_TOLERANCE
        together = CLASSIFIER_ERROR if network.is_classifier else ERROR_TOLERANCE
        self.error = together / np.sqrt(len(network.layers))
        if options.tolerance is not None:
            self.decisions = options.tolerance
            self.error = np.inf if network.is_classifier else options.tolerance

    def _bench(self, device: Device, options: CompileOptions) -> Bench:
        return Bench(self.network, self.placement, self.chip, device, options, self.x)

    def run(self) -> Calibrated:
        """Calibrates all layers in order."""
        bench, count = self.bench, len(self.network.layers)
        values: Float = np.broadcast_to(self.x, (len(bench.kinds), *self.x.shape))
        shape = (self.placement.cores, self.chip.lines, self.chip.lines)
        targets = np.full(shape, self.chip.cells.g_min_uS, dtype=np.float32)
        trials: list[Trial] = []
        layers: list[Layer] = []
        codes = np.empty(0, dtype=np.int16)
        for index in range(count):
            quantiser = (draft := self._search(index, values)).quantiser
            if index == 0:
                codes = np.stack([quantiser.codes(v) for v in values])
            else:
                layers.append(self._lower(index - 1, trials[-1].draft, layers, quantiser))
                codes = bench.advance(index - 1, layers[-1], trials[-1], codes)
            # Once more with the codes that the integer arithmetic gives.
            trials.append(bench.run(index, draft, values, codes))
            values = trials[-1].outputs
            for block in self.placement.of_layer(index):
                draft.fill(targets[block.core], block)
            self.smallest = smallest_scale(bench.products(index, draft, 0), values.shape[-1])
            if self.progress:
                self.progress(index + 1, count)
        last, scale = self._lower_last(trials[-1].draft, layers)
        return Calibrated(
            quantiser=trials[0].draft.quantiser,
            layers=(*layers, last),
            output_scale=scale,
            targets=targets,
            errors=tuple(bench.relative_error(k, trial) for k, trial in enumerate(trials)),
            cycles=tuple(trial.cycles for trial in trials),
            slice_bits=tuple(trial.draft.pairs.bits for trial in trials),
        )

    def _lower(self, index: int, draft: Draft, before: Sequence[Layer], following: Quantiser) -> Layer:
        products = self.bench.products(index, draft, _operations(before))
        bias = self.bench.offset(index, draft.quantiser)
        bias = bias + draft.shift
        return lower_layer(self.network.layers[index], draft.spread, products, bias, following)

    def _lower_last(self, draft: Draft, before: Sequence[Layer]) -> tuple[Layer, Float]:
        index = len(self.network.layers) - 1
        products = self.bench.products(index, draft, _operations(before))
        bias = self.bench.offset(index, draft.quantiser) + draft.shift
        return lower_last(self.network.layers[index], draft.spread, products, bias)

    # Search --------------------------------------------------------------------------------------

    def _search(self, index: int, values: Float) -> Draft:
        """The best candidate for a layer: one property after the other, each at the best of those before it."""
        flat = self._range_samples(index, values)
        clip = np.full(self.network.layers[index].outputs, self.options.weight_clip or FIRST_CLIP)
        best = self._search_codes(index, values, flat, clip)
        if best.draft.pairs.slices > 1:
            best = self._search_slices(index, values, flat, clip, best)
        elif len(best.draft.spread) * best.draft.pairs.copies > self.network.layers[index].inputs:
            start = best.draft
            for stack in STACKS[1:]:
                draft = self._remapped(index, start, clip, flat, stack=stack)
                best = _better(best, self.bench.run(index, draft, values))
        if self.options.weight_clip is None:
            best = self._search_clip(index, values, flat, best)
        best = self._search_step(index, values, flat, best)
        return self._search_gain(index, values, best).draft

    def _search_codes(self, index: int, values: Float, flat: Float, clip: Float) -> Trial:
        """Input codes: of the cheapest format that will do, the best zero, share of the levels, and range."""
        found = [(a, self._choose_format(index, flat, a)) for a in self._anchors(index)]
        fewest = min(fmt.segments for _, fmt in found)
        best: Trial | None = None
        chosen = (*found[0], 0.0)
        for anchor, fmt in found:
            for balance in BALANCES if fmt.segments == fewest else ():
                trial = self.bench.run(index, self._draft(index, flat, clip, anchor, fmt, 1.0, balance), values)
                if best is None or trial.total < best.total:
                    best, chosen = trial, (anchor, fmt, balance)
        assert best is not None
        anchor, fmt, balance = chosen
        most = self._formats(flat, anchor)[-1]
        few = not self.network.steps and self.network.layers[index].inputs <= FEW_INPUTS
        negligible = 0.0 if few else NEGLIGIBLE * self.error
        if fmt.segments < most.segments and self._rounding(index, flat, fmt, anchor)[1] > negligible:
            trial = self.bench.run(index, self._draft(index, flat, clip, anchor, most, 1.0, balance), values)
            if trial.total < SECOND_GAIN * best.total:
                best, fmt = trial, most
        tried = [(EXTENTS[0], best)]
        for extent in EXTENTS[1:]:
            draft = self._draft(index, flat, clip, anchor, fmt, extent, balance)
            tried.append((extent, self.bench.run(index, draft, values)))
        return _widest(tried)[1]

    def _search_gain(self, index: int, values: Float, best: Trial) -> Trial:
        """One factor for the products, and a shift of each output's mean.

        Ageing makes more of low conductances in the mean, so that columns become heavier and codes smaller.
        """
        layer, bench, draft = self.network.layers[index], self.bench, best.draft
        wanted = layer.linear(bench.inputs_of(index)) - bench.offset(index, draft.quantiser)
        over = bench.share @ (best.sums * wanted).sum(axis=(1, 2))
        under = bench.share @ (best.sums**2).sum(axis=(1, 2))
        if draft.op.relu or not over > 0:
            return best
        best = _better(best, bench.run(index, replace(draft, gain=float(over / under)), values))
        missing = bench.share @ (bench.wanted_of(index) - best.outputs).mean(axis=1)
        # Where a ReLU passes only some values, the mean of its outputs moves less than what goes in.
        passed = (best.outputs > 0).mean(axis=(0, 1)) if layer.relu else np.ones(layer.outputs)
        shift = missing / np.maximum(passed, FEWEST_PASSED)
        return _better(best, bench.run(index, replace(best.draft, shift=shift), values))

    def _range_samples(self, index: int, values: Float) -> Float:
        """What ranges come from: every other sample. They are tried on all: what they cost beyond is seen, then."""
        chosen = slice(None, None, 2 if values.shape[1] >= FEWEST_TO_SPLIT else 1)
        return values[0, chosen] if self._is_first(index) else values[:, chosen].reshape(-1, values.shape[-1])

    def _search_clip(self, index: int, values: Float, flat: Float, best: Trial) -> Trial:
        """Clipping of each output by itself: its best candidate, then all together."""
        errors, clips, start = [], np.asarray(CLIPS), best.draft
        for clip in CLIPS:
            trial = self.bench.run(index, self._remapped(index, start, np.full(len(best.error), clip), flat), values)
            errors.append(trial.error)
            best = _better(best, trial)
        table = np.stack(errors)
        table[0] *= CLIP_GAIN
        chosen = clips[np.argmin(table, axis=0)]
        return _better(best, self.bench.run(index, self._remapped(index, start, chosen, flat), values))

    def _search_slices(self, index: int, values: Float, flat: Float, clip: Float, best: Trial) -> Trial:
        """Bits of the slices: many for precise cells, few where noise hides what the lower slices add."""
        draft = best.draft
        for bits in range(draft.pairs.bits - 1, 0, -1):
            best = _better(best, self.bench.run(index, self._remapped(index, draft, clip, flat, bits), values))
        return best

    def _search_step(self, index: int, values: Float, flat: Float, best: Trial) -> Trial:
        """Range of the converters, then as few output bits as will do."""
        largest = self._largest_ratio(index, best.draft, flat)
        chips = self.bench.program(index, best.draft)
        tried = [
            (reach, self.bench.run(index, _with_step(best.draft, largest * reach), values, chips=chips))
            for reach in REACHES
        ]
        reached, best = _widest(tried)
        most = best
        while self.options.out_bits is None and best.draft.op.out_bits > FEWEST_OUT_BITS:
            op = replace(best.draft.op, out_bits=best.draft.op.out_bits - 1)
            draft = _with_step(replace(best.draft, op=op), largest * reached)
            trial = self.bench.run(index, draft, values, chips=chips)
            if trial.total > OUT_BITS_COST * most.total:
                break
            best = trial
        return best

    # Candidates ----------------------------------------------------------------------------------

    def _draft(
        self, index: int, flat: Float, clip: Float, anchor: str, fmt: CodeFormat, extent: float, balance: float
    ) -> Draft:
        layer = self.network.layers[index]
        quantiser = self._fit(index, flat, fmt, anchor=anchor, extent=extent, balance=balance)
        quantiser = quantiser.coarsened(self.smallest, anchor)
        weight = layer.weight * quantiser.scale
        block = self.placement.of_layer(index)[0]
        spread = spread_rows(weight, self.placement.rows[index], dither=block.copies > 1)
        bits = most_slice_bits(block.slices, self.chip) if block.slices > 1 else 0
        pairs = self._pairs(index, weight, spread, clip, bits, STACKS[0])
        if self.placement.faults:
            spread = spread[self._arrangement(index, pairs)]
            pairs = self._pairs(index, weight, spread, clip, bits, STACKS[0])
        draft = Draft(quantiser, spread, pairs, self._op(index, quantiser), self.placement.faults)
        return _with_step(draft, self._largest_ratio(index, draft, flat) * FIRST_REACH)

    def _pairs(
        self, index: int, weight: Float, spread: NDArray[np.int32], clip: Float, bits: int, stack: Stack
    ) -> PairMap:
        block = self.placement.of_layer(index)[0]
        return PairMap(
            share_weights(weight, spread), clip, self.chip, slices=block.slices, bits=bits, copies=block.copies,
            spread=spread, stack=stack,
        )

    def _arrangement(self, index: int, pairs: PairMap) -> NDArray[np.int64]:
        """Where each row of a layer goes, so that faulty cells do little."""
        wanted = []
        for block in self.placement.of_layer(index):
            every = replace(block, first=0, rows=np.arange(self.placement.rows[index]))
            positive, negative = pairs.pairs_of(every)
            wanted.append((block, positive - negative))
        return arrange_rows(wanted, self.placement.faults, self.chip.cells.g_min_uS, self.chip.cells.g_max_uS)

    def _op(self, index: int, quantiser: Quantiser) -> MvmOperation:
        op = MvmOperation(
            in_bits=quantiser.format.bits,
            in_signed=quantiser.format.signed,
            out_bits=min(self.options.out_bits or self.chip.adc.bits, self.chip.adc.bits),
            converter=Converter[self.chip.adc.converter.upper()],
            early_stop=self.chip.adc.early_stop,
        )
        # ReLU in the converter saves the decrements of negative columns, where nothing is added to their codes.
        blocks = self.placement.of_layer(index)
        alone = len({b.first for b in blocks}) == 1 and all(b.copies * b.slices == 1 for b in blocks)
        plain = not self.bench.offset(index, quantiser).any()
        return replace(op, relu=self.network.layers[index].relu and op.segments == 1 and alone and plain)

    def _remapped(
        self,
        index: int,
        draft: Draft,
        clip: Float,
        flat: Float,
        bits: int | None = None,
        stack: Stack | None = None,
    ) -> Draft:
        """The candidate with other conductances for the same weights."""
        weight, old = self.network.layers[index].weight * draft.quantiser.scale, draft.pairs
        bits = old.bits if bits is None else bits
        draft = replace(draft, pairs=self._pairs(index, weight, draft.spread, clip, bits, stack or old.stack))
        return _with_step(draft, self._largest_ratio(index, draft, flat) * FIRST_REACH)

    def _choose_format(self, index: int, flat: Float, anchor: str) -> CodeFormat:
        """The first format whose rounding errors change the network's outputs by no more than the tolerance."""
        candidates = self._formats(flat, anchor)
        for fmt in candidates[:-1]:
            share, error = self._rounding(index, flat, fmt, anchor)
            if error <= self.error and share <= self.decisions:
                return fmt
        return candidates[-1]

    def _rounding(self, index: int, flat: Float, fmt: CodeFormat, anchor: str) -> tuple[float, float]:
        """What rounding a layer's inputs does: share of decisions that change, relative error of the outputs."""
        quantiser = self._fit(index, flat, fmt, anchor=anchor)
        error = self._lost(index, flat, quantiser)
        spread = float(self.bench.reference.std(axis=0).max(initial=0.0))
        return self.bench.changed(error), error / max(spread, 1e-300)

    def _formats(self, flat: Float, anchor: str) -> list[CodeFormat]:
        return formats(needs_sign(flat, anchor), self.chip, self.options)

    def _lost(self, index: int, flat: Float, quantiser: Quantiser) -> float:
        """Error of the network's outputs, root mean square, for rounded inputs of a layer."""
        rounded = quantiser.stage.value(quantiser.codes(flat))
        lost = self.bench.outputs_after(index, rounded) - self.bench.outputs_after(index, flat)
        return float(np.sqrt((lost**2).mean()))

    def _anchors(self, index: int) -> tuple[str, ...]:
        return ANCHORS if self._is_first(index) else HIDDEN_ANCHORS

    def _is_first(self, index: int) -> bool:
        """Whether a layer takes the network's input."""
        return index == 0

    def _fit(self, index: int, flat: Float, fmt: CodeFormat, **options: Any) -> Quantiser:
        return fit_quantiser(flat, self.network.layers[index].weight, fmt, **options)

    def _largest_ratio(self, index: int, draft: Draft, flat: Float) -> float:
        """Largest settled ratio ``a / sum_g`` of an ideal device in any conversion of the layer."""
        codes = row_codes(draft.quantiser.codes(flat), draft.spread, draft.op).astype(np.float64)
        parts = [codes] if draft.op.segments == 1 else [np.trunc(codes / 16), np.fmod(codes, 16)]
        largest = 0.0
        for block in self.placement.of_layer(index):
            rows = slice(block.first, block.first + len(block.rows))
            plus, minus = draft.pairs.pairs_of(block)
            ratio = (plus - minus) / (plus + minus).sum(axis=1, keepdims=True)
            ratio = ratio[block.slice_of == 0]  # what saturates further down counts little
            largest = max(largest, *(float(np.abs(p[:, rows] @ ratio.T).max()) for p in parts))
        return largest


def _with_step(draft: Draft, reach: float) -> Draft:
    """The candidate with the converter step for which the largest code stands for the ratio ``reach``."""
    step = reach / (draft.op.max_steps + 0.5)
    code = int(np.clip(np.rint(step * 2**STEP_FRACTION_BITS), 1, 2**STEP_WIDTH - 1))
    return replace(draft, op=replace(draft.op, step_code=code))


def _operations(layers: Sequence[Layer]) -> int:
    return sum(m.op.segments for layer in layers for m in layer.mvms)

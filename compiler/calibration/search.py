"""The search of one layer: its input codes, the conductances of its weights, the steps of its converters.

A candidate is mapped to conductances, programmed on a few chips, and run on samples of the layer's inputs; the one with
which the network's outputs come closest to those in floating point is taken. This is what Wan et al. (Nature 608, 504
(2022)) do on the chip, on a model of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from compiler.calibration.bench import Bench, Chips, Draft, Site, Trial
from compiler.calibration.carried import Carried
from compiler.calibration.quantisers import CodeFormat, Quantiser, formats, needs_sign
from compiler.calibration.sampled import sampled
from compiler.layer_run import taken_inputs
from compiler.mapping.faults import arrange_rows
from compiler.mapping.weights import PairMap, Stack, most_slice_bits
from compiler.options import CompileOptions
from compiler.program import DITHER
from macro_models.exact.operation import LSB_SEGMENT_BITS, STEP_FRACTION_BITS, STEP_WIDTH, MvmOperation

__all__ = ["Search"]

Float = NDArray[np.float64]

STACKS: tuple[Stack, ...] = ("rows", "even", "copies")
BALANCES = (0.0, 0.5, 1.0)
EXTENTS = (1.0, 1.2, 1.5, 0.995, 0.98)
CLIPS = (1.0, 0.85, 0.7, 0.55, 0.4, 0.3)
REACHES = (1.4, 1.2, 1.0, 0.8, 0.65, 0.5, 0.38)
"""Candidates: how a weight is shared out among its cells, how inputs share the levels, range of the inputs, clipping of
the weights, and range of the converters; each range relative to the largest value that occurs."""

SHIFTED_ROWS = 8
"""Rows by which copies are shifted where inputs are in two parts: a decrement is more than one row holds."""

SIZES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
"""Times that inputs are taken, too, to see what the converters must reach where inputs are in two parts."""

WIDE_EXTENTS = (1.5, 2.0, 3.0, 4.0)
WIDE_REACHES = (4.0, 2.8, 2.0, 1.4, 1.0)
"""Ranges of inputs in two parts, and of their converters: levels are plenty, and lanes reach no further."""

CLIP_GAIN = 0.9
"""An output's weights are clipped if that brings its squared error below this times that without: a few chips are
noisy."""

FIRST_CLIP, FIRST_REACH = 1.0, 0.8
"""Where the search starts."""

FINE_REACH = 1.0
FINE_STACK: Stack = "even"
FINE_COST = 0.01
"""The same of inputs in two parts: nothing saturates, and copies are alike but for their shift, so that they round
differently. Ranges are as wide as can be for an error of the outputs of this relative to their deviation: two or three
inputs in hundreds that lie beyond those of calibration cost more than rounding (scores of a one-class SVM on inputs
that were not seen are off by 0.3 %, by 5.3 % with a third of it)."""

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

FEW_BEYOND = 1.05
"""How far beyond the range of some outputs that of all may be before a step for it is tried."""

FEWEST_TO_SPLIT = 64
"""Calibration inputs from which on ranges come from a part of them."""

FEWEST_OUT_BITS = 5
OUT_BITS_COST = 1.05
"""Fewer output bits are taken while the squared error stays below this times that of the most."""


NO_WORSE = 1.0 + 1e-9
"""Sums of squared errors in another order differ by less."""


class Search:
    """The search of one layer.

    Parameters
    ----------
    bench, options
        Chips, and what the user has chosen.
    site
        The layer and the samples on which candidates are tried.
    taken
        How the layer takes its inputs.
    flat
        Inputs that ranges come from, of shape (samples, inputs).
    """

    def __init__(self, bench: Bench, options: CompileOptions, site: Site, taken: Carried, flat: Float) -> None:
        self.bench, self.options, self.site, self.taken, self.flat = bench, options, site, taken, flat
        self.layer, self.chip, self.placement = site.layer, bench.chip, site.stand.placement
        self.blocks, self.parts = self.placement.of_layer(site.index), self.placement.parts[site.index]
        self._coded: tuple[Quantiser, list[NDArray[np.float32]]] | None = None
        self._lost: dict[tuple[CodeFormat, str], float] = {}
        network = bench.network
        together = CLASSIFIER_ERROR if network.is_classifier else ERROR_TOLERANCE
        self.decisions, self.error = DECISION_TOLERANCE, together / np.sqrt(len(network.layers))
        if options.tolerance is not None:
            self.decisions = options.tolerance
            self.error = np.inf if network.is_classifier else options.tolerance

    @cached_property
    def _single(self) -> NDArray[np.float32]:
        """:attr:`flat` in single precision, of shape (inputs that are taken, samples)."""
        flat = self.flat if self.site.taken is None else self.flat[:, self.site.taken]
        return np.ascontiguousarray(flat.T, dtype=np.float32)

    def best(self) -> Draft:
        """The best candidate."""
        site = sampled(self.bench, self.site)
        if site is self.site:
            return self._search_gain(self.searched(), as_it_is=False).draft
        best = self._widened(Search(self.bench, self.options, site, self.taken, self.flat))
        return self._search_gain(best, as_it_is=True).draft

    def searched(self) -> Trial:
        """The best candidate but for its gain: one property after the other, each at the best of those before it."""
        clip = np.full(self.site.wanted.shape[-1], self.options.weight_clip or FIRST_CLIP)
        best = self._search_codes(clip)
        if best.draft.pairs.slices > 1:
            best = self._search_slices(clip, best)
        start = best.draft
        for stack in self._other_stacks(start) if start.pairs.slices == 1 else ():
            best = self._better(best, self._remapped(start, clip, stack=stack))
        if self.options.weight_clip is None and not self.bench.in_two:
            best = self._search_clip(best)
        return self._search_step(best)

    def _widened(self, some: "Search") -> Trial:
        """The best candidate of some outputs for all of them: with its step, or with one for the same range of all."""
        found = some.searched().draft
        clip = np.full(self.layer.outputs, np.median(found.pairs.clip))
        clip[some.site.stand.outputs] = found.pairs.clip
        weight = self.layer.scaled(found.quantiser.scale)
        pairs = self._pairs(weight, found.spread, clip, found.pairs.bits, found.pairs.stack)
        draft = replace(found, pairs=pairs)
        best = self._try(draft)
        wider = self._largest_ratio(draft) / max(some._largest_ratio(found), 1e-300)
        if wider <= FEW_BEYOND:
            return best
        return self._better(best, _with_step(draft, wider * _reach(draft)))

    def _try(self, draft: Draft) -> Trial:
        return self.bench.run(self.site, draft)

    def _within(self, most: float, draft: Draft, chips: Chips | None = None) -> Trial | None:
        """A candidate's trial; None if its total is beyond ``most``, which a perfect chip mostly tells."""
        return self.bench.attempt(self.site, draft, lambda total, _: total > most * NO_WORSE, chips=chips)

    def _better(self, best: Trial, draft: Draft) -> Trial:
        """The better of a candidate that has been tried and another one."""
        trial = self._within(best.total, draft)
        return best if trial is None or not trial.total < best.total else trial

    def _widest(
        self, tried: Sequence[tuple[float, Trial]], drafts: Iterable[tuple[float, Draft]], chips: Chips | None = None
    ) -> tuple[float, Trial]:
        """The widest range that costs little, see :data:`RANGE_COST`, and its trial: of those tried and of others."""
        found = list(tried)
        for extent, draft in drafts:
            trial = self._within(self._most(min((one.total for _, one in found), default=np.inf)), draft, chips)
            if trial is not None:
                found.append((extent, trial))
        most = self._most(min(trial.total for _, trial in found))
        return max((one for one in found if one[1].total <= most), key=lambda one: one[0])

    def _most(self, least: float) -> float:
        """What the total of a candidate with a wide range may be, where the least one is known."""
        if not self.bench.in_two:
            return RANGE_COST * least
        return max(RANGE_COST * least, (FINE_COST * self.bench.judge.deviation) ** 2)

    @property
    def _first_reach(self) -> float:
        return FINE_REACH if self.bench.in_two else FIRST_REACH

    def _search_codes(self, clip: Float) -> Trial:
        """Input codes: of the cheapest format that will do, the best zero, share of the levels, and range."""
        found = [(a, self._choose_format(a)) for a in self.taken.anchors]
        fewest = min(fmt.segments for _, fmt in found)
        best: Trial | None = None
        chosen = (*found[0], 0.0)
        for anchor, fmt in found:
            for balance in BALANCES if fmt.segments == fewest else ():
                draft = self._draft(clip, anchor, fmt, 1.0, balance)
                trial = self._try(draft) if best is None else self._better(best, draft)
                if trial is not best:
                    best, chosen = trial, (anchor, fmt, balance)
        assert best is not None
        anchor, fmt, balance = chosen
        most = self._formats(anchor)[-1]
        few = self.bench.network.is_chain and self.layer.inputs <= FEW_INPUTS
        negligible = 0.0 if few else NEGLIGIBLE * self.error
        if fmt.segments < most.segments and self._rounding(fmt, anchor)[1] > negligible:
            trial = self._within(SECOND_GAIN * best.total, self._draft(clip, anchor, most, 1.0, balance))
            if trial is not None and trial.total < SECOND_GAIN * best.total:
                best, fmt = trial, most
        extents = WIDE_EXTENTS if self.bench.in_two else EXTENTS[1:]
        others = ((extent, self._draft(clip, anchor, fmt, extent, balance)) for extent in extents)
        return self._widest([(EXTENTS[0], best)], others)[1]

    def _other_stacks(self, draft: Draft) -> list[Stack]:
        """Ways to share out a weight that differ from the first one."""
        taken = draft.spread[draft.spread != DITHER]
        several = len(np.unique(taken)) < len(taken)
        found: list[Stack] = [s for s in STACKS if (draft.pairs.copies > 1 if s == "copies" else several)]
        return [s for s in found if s != draft.pairs.stack]

    def _search_slices(self, clip: Float, best: Trial) -> Trial:
        """Bits of the slices: many for precise cells, few where noise hides what the lower slices add."""
        draft = best.draft
        for bits in range(draft.pairs.bits - 1, 0, -1):
            best = self._better(best, self._remapped(draft, clip, bits))
        return best

    def _search_clip(self, best: Trial) -> Trial:
        """Clipping of each output by itself: its best candidate, then all together."""
        start, first = best.draft, best
        if not (start.pairs.clip == CLIPS[0]).all():
            first = self._try(self._remapped(start, np.full(len(best.error), CLIPS[0])))
        best, least = min(best, first, key=lambda trial: trial.total), CLIP_GAIN * first.error
        chosen = np.full(len(least), CLIPS[0])
        for clip in CLIPS[1:]:
            trial = self.bench.attempt(
                self.site, self._remapped(start, np.full(len(least), clip)), partial(_of_no_use, best.total, least)
            )
            if trial is not None:
                best = min(best, trial, key=lambda trial: trial.total)
                chosen[trial.error < least] = clip
                least = np.minimum(least, trial.error)
        return best if (chosen == chosen[0]).all() else self._better(best, self._remapped(start, chosen))

    def _search_step(self, best: Trial) -> Trial:
        """Range of the converters, then as few output bits as will do."""
        largest = self._largest_ratio(best.draft)
        chips = self.bench.program(self.site.index, best.draft, self.site.stand)
        reaches = WIDE_REACHES if self.bench.in_two else REACHES
        drafts = [(reach, _with_step(best.draft, largest * reach)) for reach in reaches]
        # One of them is the candidate itself.
        tried = [(reach, best) for reach, draft in drafts if draft.op == best.draft.op]
        others = [(reach, draft) for reach, draft in drafts if draft.op != best.draft.op]
        reached, best = self._widest(tried, others, chips)
        most = best
        while self.options.out_bits is None and not self.bench.in_two and best.draft.op.out_bits > FEWEST_OUT_BITS:
            op = replace(best.draft.op, out_bits=best.draft.op.out_bits - 1)
            draft = _with_step(replace(best.draft, op=op), largest * reached)
            trial = self._within(OUT_BITS_COST * most.total, draft, chips)
            if trial is None or trial.total > OUT_BITS_COST * most.total:
                break
            best = trial
        return best

    def _search_gain(self, best: Trial, as_it_is: bool) -> Trial:
        """One factor for the products, and a shift of each output's mean.

        Ageing makes more of low conductances in the mean, so that columns become heavier and codes smaller.
        ``as_it_is``: whether the rows with a constant were those of its step when the candidate was tried.
        """
        layer, bench, draft = self.layer, self.bench, best.draft
        wanted = layer.linear(self.site.inputs) - bench.offset(self.site.index, draft.quantiser)
        over = self.site.stand.share @ (best.sums * wanted).sum(axis=(1, 2))
        under = self.site.stand.share @ (best.sums**2).sum(axis=(1, 2))
        if draft.op.relu or not over > 0:
            return best
        if as_it_is:
            other = self.bench.adjusted(self.site, best, gain=float(over / under), shift=draft.shift)
            best = min(best, other, key=lambda trial: trial.total)
        else:
            best = self._better(best, replace(draft, gain=float(over / under)))
            as_it_is = best.draft is not draft
        missing = self.site.stand.share @ (self.site.wanted - best.outputs).mean(axis=1)
        # Where a ReLU passes only some values, the mean of its outputs moves less than what goes in.
        passed = (best.outputs > 0).mean(axis=(0, 1)) if layer.relu else np.ones(layer.outputs)
        shift = missing / np.maximum(passed, FEWEST_PASSED)
        if not as_it_is:
            return self._better(best, replace(best.draft, shift=shift))
        shifted = self.bench.adjusted(self.site, best, gain=best.draft.gain, shift=shift)
        return min(best, shifted, key=lambda trial: trial.total)

    # Candidates ----------------------------------------------------------------------------------

    def _draft(self, clip: Float, anchor: str, fmt: CodeFormat, extent: float, balance: float) -> Draft:
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
        return _with_step(draft, self._largest_ratio(draft) * self._first_reach)

    def _pairs(self, weight: Float, spread: NDArray[np.int32], clip: Float, bits: int, stack: Stack) -> PairMap:
        block = self.blocks[0]
        return PairMap(
            self.parts.share(weight, spread)[self.site.stand.outputs], clip, self.chip, slices=block.slices,
            bits=bits, copies=block.copies, spread=self._taken(spread), stack=stack,
        )

    def _taken(self, spread: NDArray[np.int32]) -> NDArray[np.int32]:
        """Which input each row takes, of each output that is tried where they differ."""
        taken = self.parts.taken(spread)
        return taken if taken.ndim == 1 else taken[self.site.stand.outputs]

    def _arrangement(self, pairs: PairMap) -> NDArray[np.int64]:
        """Where each row of a layer goes, so that faulty cells do little."""
        rows, found = pairs.cells.shape[-1], []
        low, high = self.chip.cells.g_min_uS, self.chip.cells.g_max_uS
        for part in range(self.parts.count):
            wanted = []
            for block in self.blocks:
                if block.first // rows == part:
                    every = replace(block, first=0, rows=np.arange(rows))
                    own = replace(block, first=block.first % rows)
                    wanted.append((own, pairs.map.join(pairs.cells_of(every))))
            found.append(part * rows + arrange_rows(wanted, self.placement.faults, pairs.map, low, high))
        return np.concatenate(found)

    def _op(self, quantiser: Quantiser) -> MvmOperation:
        kind = quantiser.format
        op = self.chip.operation(in_bits=kind.bits, in_signed=kind.signed, out_bits=self.options.out_bits)
        rows = self.placement.rows[self.site.index] // self.parts.count
        # ReLU in the converter saves the decrements of negative columns, where nothing is added to their codes.
        alone = all(b.copies * b.slices == 1 and len(b.rows) == rows for b in self.blocks)
        plain = not self.bench.in_two and not self.bench.offset(self.site.index, quantiser).any()
        return replace(op, relu=self.layer.relu and op.segments == 1 and alone and plain)

    def _remapped(self, draft: Draft, clip: Float, bits: int | None = None, stack: Stack | None = None) -> Draft:
        """The candidate with other conductances for the same weights."""
        weight, old = self.layer.scaled(draft.quantiser.scale), draft.pairs
        bits = old.bits if bits is None else bits
        draft = replace(draft, pairs=self._pairs(weight, draft.spread, clip, bits, stack or old.stack))
        return _with_step(draft, self._largest_ratio(draft) * self._first_reach)

    def _choose_format(self, anchor: str) -> CodeFormat:
        """The first format whose rounding errors change the network's outputs by no more than the tolerance."""
        candidates = self._formats(anchor)
        for fmt in () if self.bench.in_two else candidates[:-1]:
            share, error = self._rounding(fmt, anchor)
            if error <= self.error and share <= self.decisions:
                return fmt
        return candidates[-1]

    def _rounding(self, fmt: CodeFormat, anchor: str) -> tuple[float, float]:
        """What rounding a layer's inputs does: share of decisions that change, relative error of the outputs."""
        judge = self.bench.judge
        if (fmt, anchor) not in self._lost:
            quantiser = self.taken.fit(self.flat, self.layer.norms, fmt, anchor=anchor)
            self._lost[fmt, anchor] = judge.lost(self.site.index, self.flat, quantiser)
        error = self._lost[fmt, anchor]
        return judge.changed(error), error / max(judge.deviation, 1e-300)

    def _formats(self, anchor: str) -> list[CodeFormat]:
        return formats(needs_sign(self.flat, anchor), self.chip, self.options)

    def _largest_ratio(self, draft: Draft) -> float:
        """Largest accumulated product over the load of its column, of an ideal device, in any conversion."""
        driven, largest = self._driven(draft), 0.0
        for block in self.blocks:
            cells, pairs = draft.pairs.cells_of(block), draft.pairs
            chosen = block.slice_of == 0  # what saturates further down counts little
            if pairs.cells.shape[1] == 1:
                chosen &= block.copy_of == 0  # all copies are alike
            cells = cells[:, chosen]
            ratio = pairs.map.join(cells) / pairs.config.load(cells.sum(axis=0), axis=1)[:, None]
            used, taken = taken_inputs(draft.spread[block.first : block.first + len(block.rows)])
            shared = np.zeros((len(taken), len(used) + 1))
            shared[np.arange(len(taken)), taken] = 1
            by_input = ratio @ shared
            largest = max(largest, *(_largest(by_input, part, used) for part in driven))
        return largest

    def _driven(self, draft: Draft) -> list[NDArray[np.float32]]:
        """Codes of all inputs in each conversion, (inputs, samples)."""
        if self._coded is None or self._coded[0] is not draft.quantiser:
            taken = self.site.taken
            codes = (draft.quantiser if taken is None else draft.quantiser.of(taken)).single(self._single)
            if self.bench.in_two:
                # Segments of codes have other sums at every size, however the codes cancel.
                codes = np.rint(np.concatenate([codes * np.float32(size) for size in SIZES], axis=1))
            parts = [codes]
            if draft.op.segments > 1:
                high = np.trunc(codes * np.float32(2.0**-LSB_SEGMENT_BITS))
                codes -= high * np.float32(2**LSB_SEGMENT_BITS)
                parts = [high, codes]
            if taken is not None:
                parts = [_among(self.layer.inputs, taken, part) for part in parts]
            self._coded = draft.quantiser, parts
        return self._coded[1]


def _among(inputs: int, taken: NDArray[np.integer], codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Codes of some inputs among those of all, of which the others are 0."""
    made = np.zeros((inputs, codes.shape[1]), dtype=np.float32)
    made[taken] = codes
    return made


def _of_no_use(most: float, least: Float, total: float, error: Float) -> bool:
    """Whether a candidate is worse than others as a whole, and for each output by itself."""
    return total > most * NO_WORSE and bool((error > least * NO_WORSE).all())


def _largest(matrix: Float, codes: NDArray[np.float32], used: NDArray[np.integer]) -> float:
    """Largest magnitude of products of codes, (inputs, samples), of which some are used, and of a last input 1.

    Which one it is, single precision tells well enough.
    """
    side_by_side = used[-1] - used[0] == len(used) - 1 if len(used) else True
    rows = codes[used[0] : used[-1] + 1] if side_by_side and len(used) else codes[used]
    products = matrix[:, :-1].astype(np.float32) @ rows
    products += matrix[:, -1:].astype(np.float32)
    found = 0.0
    for at in (int(products.argmax()), int(products.argmin())) if products.size else ():
        line, sample = divmod(at, products.shape[1])
        found = max(found, abs(float(matrix[line, :-1] @ rows[:, sample].astype(np.float64) + matrix[line, -1])))
    return found


def _reach(draft: Draft) -> float:
    """The ratio for which the largest code stands."""
    return draft.op.step_code * 2.0**-STEP_FRACTION_BITS * (draft.op.max_steps + 0.5)


def _with_step(draft: Draft, reach: float) -> Draft:
    """The candidate with the converter step for which the largest code stands for the ratio ``reach``."""
    step = reach / (draft.op.max_steps + 0.5)
    code = int(np.clip(np.rint(step * 2**STEP_FRACTION_BITS), 1, 2**STEP_WIDTH - 1))
    return replace(draft, op=replace(draft.op, step_code=code))

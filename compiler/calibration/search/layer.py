"""The search of one layer: its input codes, the conductances of its weights, the steps of its converters.

A candidate is mapped to conductances, programmed on a few chips, and run on samples of the layer's inputs; the one with
which the network's outputs come closest to those in floating point is taken. This is what Wan et al. (Nature 608, 504
(2022)) do on the chip, on a model of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from mho.compiler.calibration.assembly.carried import Carried
from mho.compiler.calibration.quantisers import CodeFormat, formats, needs_sign
from mho.compiler.calibration.search.drafts import STACKS, Drafts, reach_of, with_reach
from mho.compiler.calibration.search.sampled import sampled
from mho.compiler.calibration.trials.bench import Bench
from mho.compiler.calibration.trials.candidates import Chips, Draft, Site, Trial
from mho.compiler.mapping.weights import Stack
from mho.compiler.options import LayerOptions
from mho.compiler.program import DITHER
from mho.compiler.types import Float

DECISION_TOLERANCE = 0.01
ERROR_TOLERANCE = 0.021
"""What rounding inputs to fewer bits may cost: decisions of a classifier that change, for each layer, or the error of
other networks relative to the standard deviation of their outputs, of all layers together."""

CLASSIFIER_ERROR = 0.056
"""The same error of a classifier: decisions on inputs that it was trained on are safer than others, so that they alone
tell too little."""

NEGLIGIBLE = 0.6
"""Part of the tolerance below which the error of rounding is negligible."""

FEW_INPUTS = 16
"""Rounding errors of no more inputs than these do not average out: no error of theirs is taken for negligible."""


class Rounding:
    """Rounding of the inputs of a site's layer, samples of which are ``flat``, (samples, inputs)."""

    def __init__(self, bench: Bench, options: LayerOptions, site: Site, carried: Carried, flat: Float) -> None:
        self._bench, self._options, self._site, self._taken, self._flat = bench, options, site, carried, flat
        self._lost: dict[tuple[CodeFormat, str], float] = {}
        network = bench.network
        together = CLASSIFIER_ERROR if network.is_classifier else ERROR_TOLERANCE
        self._decisions, self._error = DECISION_TOLERANCE, together / np.sqrt(len(network.layers))
        if options.tolerance is not None:
            self._decisions = options.tolerance
            self._error = np.inf if network.is_classifier else options.tolerance

    def choose(self, anchor: str) -> CodeFormat:
        """The first format whose rounding errors change the network's outputs by no more than the tolerance."""
        candidates = self.formats(anchor)
        for fmt in () if self._bench.in_two else candidates[:-1]:
            share, error = self._changes(fmt, anchor)
            if error <= self._error and share <= self._decisions:
                return fmt
        return candidates[-1]

    def is_negligible(self, fmt: CodeFormat, anchor: str) -> bool:
        """Whether rounding is so far below the tolerance that finer codes bring nothing."""
        few = self._bench.network.is_chain and self._site.layer.inputs <= FEW_INPUTS
        return not self._changes(fmt, anchor)[1] > (0.0 if few else NEGLIGIBLE * self._error)

    def formats(self, anchor: str) -> list[CodeFormat]:
        """Formats to try, cheapest first."""
        return formats(needs_sign(self._flat, anchor), self._bench.chip, self._options)

    def _changes(self, fmt: CodeFormat, anchor: str) -> tuple[float, float]:
        """Share of decisions that change, relative error of the outputs."""
        judge = self._bench.judge
        if (fmt, anchor) not in self._lost:
            quantiser = self._taken.fit(self._flat, self._site.layer.norms, fmt, anchor=anchor)
            self._lost[fmt, anchor] = judge.lost(self._site.index, self._flat, quantiser)
        error = self._lost[fmt, anchor]
        return judge.changed(error), error / max(judge.deviation, 1e-300)


BALANCES = (0.0, 0.5, 1.0)
EXTENTS = (1.0, 1.2, 1.5, 0.995, 0.98)
CLIPS = (1.0, 0.85, 0.7, 0.55, 0.4, 0.3)
REACHES = (1.4, 1.2, 1.0, 0.8, 0.65, 0.5, 0.38)
"""Candidates: how inputs share the levels, range of the inputs, clipping of the weights, range of converters; ranges
relative to the largest value that occurs."""

WIDE_EXTENTS = (1.5, 2.0, 3.0, 4.0)
WIDE_REACHES = (4.0, 2.8, 2.0, 1.4, 1.0)
"""Ranges of inputs in two parts, and of their converters: levels are plenty, and lanes reach no further."""

CLIP_GAIN = 0.9
"""An output's weights are clipped if that brings its squared error below this times that without: a few chips are
noisy."""

FIRST_CLIP = 1.0
"""Where the search starts."""

FINE_COST = 0.01
"""Ranges of inputs in two parts are as wide as can be for an error of the outputs of this relative to their deviation:
two or three inputs in hundreds that lie beyond those of calibration cost more than rounding (scores of one class on
inputs that were not seen are off by 0.3 %, by 5.3 % with a third of it)."""

RANGE_COST = 1.1
"""The widest range of inputs and converters is taken whose squared error is at most this times the least: inputs that
calibration has not seen go beyond those that it has."""

SECOND_GAIN = 0.7
"""A second conversion is taken, too, where it brings the squared error below this times that of one, because rounding
matters more than noise; unless the error of rounding is negligible."""

COARSE_GAIN = 0.7
"""Codes whose rounding is beyond the usual tolerance are taken where they bring the squared error below this times that
of others of as many conversions, whose code 0 is elsewhere."""

FEWEST_PASSED = 0.25
"""Share of values that a ReLU passes at least, as far as the correction of their mean goes."""

FEW_BEYOND = 1.05
"""How far beyond the range of some outputs that of all may be before a step for it is tried."""

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

    def __init__(self, bench: Bench, options: LayerOptions, site: Site, carried: Carried, flat: Float) -> None:
        self.bench, self.options, self.site, self.taken, self.flat = bench, options, site, carried, flat
        self.layer = site.layer
        self.drafts = Drafts(bench, options, site, carried, flat)
        self.rounding = Rounding(bench, options, site, carried, flat)

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
            best = self._better(best, self.drafts.remapped(start, clip, stack=stack))
        if self.options.weight_clip is None and not self.bench.in_two:
            best = self._search_clip(best)
        return self._search_step(best)

    def _widened(self, narrow: "Search") -> Trial:
        """The best candidate of some outputs for all of them: with its step, or with one for the same range of all."""
        narrow_draft = narrow.searched().draft
        clip = np.full(self.layer.outputs, np.median(narrow_draft.pairs.clip))
        clip[narrow.site.stand.outputs] = narrow_draft.pairs.clip
        draft = self.drafts.clipped(narrow_draft, clip)
        best = self._try(draft)
        wider = self.drafts.largest_ratio(draft) / max(narrow.drafts.largest_ratio(narrow_draft), 1e-300)
        if wider <= FEW_BEYOND:
            return best
        return self._better(best, with_reach(draft, wider * reach_of(draft)))

    def _try(self, draft: Draft) -> Trial:
        return self.bench.run(self.site, draft)

    def _within(self, limit: float, draft: Draft, chips: Chips | None = None) -> Trial | None:
        """A candidate's trial; None if its total is beyond ``limit``, which a perfect chip mostly tells."""
        return self.bench.attempt(self.site, draft, lambda total, _: total > limit * NO_WORSE, chips=chips)

    def _better(self, best: Trial, draft: Draft) -> Trial:
        """The better of a candidate that has been tried and another one."""
        trial = self._within(best.total, draft)
        return best if trial is None or not trial.total < best.total else trial

    def _widest(
        self, tried: Sequence[tuple[float, Trial]], drafts: Iterable[tuple[float, Draft]], chips: Chips | None = None
    ) -> tuple[float, Trial]:
        """The widest range that costs little, see :data:`RANGE_COST`, and its trial: of those tried and of others."""
        good = list(tried)
        for extent, draft in drafts:
            trial = self._within(self._most(min((pair.total for _, pair in good), default=np.inf)), draft, chips)
            if trial is not None:
                good.append((extent, trial))
        limit = self._most(min(trial.total for _, trial in good))
        return max((pair for pair in good if pair[1].total <= limit), key=lambda pair: pair[0])

    def _most(self, smallest: float) -> float:
        """What the total of a candidate with a wide range may be, where the least one is known."""
        if not self.bench.in_two:
            return RANGE_COST * smallest
        return max(RANGE_COST * smallest, (FINE_COST * self.bench.judge.deviation) ** 2)

    def _search_codes(self, clip: Float) -> Trial:
        """Input codes: of the cheapest format that will do, the best zero, share of the levels, and range."""
        choices = self._formats()
        best: Trial | None = None
        chosen = (*choices[0][:2], 0.0)
        for anchor, fmt, gain in choices:
            for balance in BALANCES:
                draft = self.drafts.draft(clip, anchor, fmt, 1.0, balance)
                trial = self._try(draft) if best is None else self._within(gain * best.total, draft)
                if best is None or (trial is not None and trial.total < gain * best.total):
                    best, chosen, gain = trial, (anchor, fmt, balance), 1.0
        assert best is not None
        anchor, fmt, balance = chosen
        finest = self.rounding.formats(anchor)[-1]
        if fmt.segments < finest.segments and not self.rounding.is_negligible(fmt, anchor):
            trial = self._within(SECOND_GAIN * best.total, self.drafts.draft(clip, anchor, finest, 1.0, balance))
            if trial is not None and trial.total < SECOND_GAIN * best.total:
                best, fmt = trial, finest
        extents = WIDE_EXTENTS if self.bench.in_two else EXTENTS[1:]
        wider = ((extent, self.drafts.draft(clip, anchor, fmt, extent, balance)) for extent in extents)
        return self._widest([(EXTENTS[0], best)], wider)[1]

    def _formats(self) -> list[tuple[str, CodeFormat, float]]:
        """Of each anchor a format of the fewest conversions: the one that will do, else the finest.

        What code 0 stands for decides how much of the cells' noise a layer has, so that coarser codes may be better:
        they come last, and are taken below the third number times the squared error of what will do. A tolerance that
        the user names holds.
        """
        choices = [(anchor, self.rounding.choose(anchor)) for anchor in self.taken.anchors]
        if self.options.in_bits is not None:
            # A sign takes one of the bits, and with it what they are for.
            return [(anchor, fmt, 1.0) for anchor, fmt in choices]
        fewest = min(fmt.segments for _, fmt in choices)
        short = [(anchor, fmt, 1.0) for anchor, fmt in choices if fmt.segments == fewest]
        for anchor in (a for a, fmt in choices if fmt.segments > fewest and self.options.tolerance is None):
            alike = [fmt for fmt in self.rounding.formats(anchor) if fmt.segments == fewest]
            short += [(anchor, fmt, COARSE_GAIN) for fmt in alike][-1:]
        return short

    def _other_stacks(self, draft: Draft) -> list[Stack]:
        """Ways to share out a weight that differ from the first one."""
        inputs = draft.spread[draft.spread != DITHER]
        several = len(np.unique(inputs)) < len(inputs)
        stacks: list[Stack] = [s for s in STACKS if (draft.pairs.copies > 1 if s == "copies" else several)]
        return [s for s in stacks if s != draft.pairs.stack]

    def _search_slices(self, clip: Float, best: Trial) -> Trial:
        """Bits of the slices: many for precise cells, few where noise hides what the lower slices add."""
        draft = best.draft
        for bits in range(draft.pairs.bits - 1, 0, -1):
            best = self._better(best, self.drafts.remapped(draft, clip, bits))
        return best

    def _search_clip(self, best: Trial) -> Trial:
        """Clipping of each output by itself: its best candidate, then all together."""
        start, first = best.draft, best
        if not (start.pairs.clip == CLIPS[0]).all():
            first = self._try(self.drafts.remapped(start, np.full(len(best.error), CLIPS[0])))
        best, smallest = min(best, first, key=lambda trial: trial.total), CLIP_GAIN * first.error
        chosen = np.full(len(smallest), CLIPS[0])
        for clip in CLIPS[1:]:
            draft = self.drafts.remapped(start, np.full(len(smallest), clip))
            trial = self.bench.attempt(self.site, draft, partial(_of_no_use, best.total, smallest))
            if trial is not None:
                best = min(best, trial, key=lambda trial: trial.total)
                chosen[trial.error < smallest] = clip
                smallest = np.minimum(smallest, trial.error)
        return best if (chosen == chosen[0]).all() else self._better(best, self.drafts.remapped(start, chosen))

    def _search_step(self, best: Trial) -> Trial:
        """Range of the converters, then as few output bits as will do."""
        largest = self.drafts.largest_ratio(best.draft)
        chips = self.bench.program(self.site.index, best.draft, self.site.stand)
        reaches = WIDE_REACHES if self.bench.in_two else REACHES
        drafts = [(reach, with_reach(best.draft, largest * reach)) for reach in reaches]
        # One of them is the candidate itself.
        tried = [(reach, best) for reach, draft in drafts if draft.op == best.draft.op]
        alternatives = [(reach, draft) for reach, draft in drafts if draft.op != best.draft.op]
        reached, best = self._widest(tried, alternatives, chips)
        best_trial = best
        while self.options.out_bits is None and not self.bench.in_two and best.draft.op.out_bits > FEWEST_OUT_BITS:
            op = replace(best.draft.op, out_bits=best.draft.op.out_bits - 1)
            draft = with_reach(replace(best.draft, op=op), largest * reached)
            trial = self._within(OUT_BITS_COST * best_trial.total, draft, chips)
            if trial is None or trial.total > OUT_BITS_COST * best_trial.total:
                break
            best = trial
        return best

    def _search_gain(self, best: Trial, as_it_is: bool) -> Trial:
        """One factor for the products, and a shift of each output's mean.

        Ageing makes more of low conductances in the mean, so that columns become heavier and codes smaller.
        ``as_it_is``: whether the rows with a constant were those of its step when the candidate was tried.
        """
        layer, bench, draft = self.layer, self.bench, best.draft
        exact = layer.linear(self.site.inputs) - bench.offset(self.site.index, draft.quantiser)
        over = self.site.stand.share @ (best.sums * exact).sum(axis=(1, 2))
        under = self.site.stand.share @ (best.sums**2).sum(axis=(1, 2))
        if draft.op.relu or not over > 0:
            return best
        if as_it_is:
            adjusted = self.bench.adjusted(self.site, best, gain=float(over / under), shift=draft.shift)
            best = min(best, adjusted, key=lambda trial: trial.total)
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


def _of_no_use(limit: float, smallest: Float, total: float, error: Float) -> bool:
    """Whether a candidate is worse than others as a whole, and for each output by itself."""
    return total > limit * NO_WORSE and bool((error > smallest * NO_WORSE).all())

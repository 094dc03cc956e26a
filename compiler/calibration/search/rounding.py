"""What rounding a layer's inputs to codes does to the network, and the cheapest format with which that is little."""

import numpy as np

from mho.compiler.calibration.assembly.carried import Carried
from mho.compiler.calibration.quantisers import CodeFormat, formats, needs_sign
from mho.compiler.calibration.trials.bench import Bench
from mho.compiler.calibration.trials.candidates import Site
from mho.compiler.options import CompileOptions
from mho.compiler.types import Float

__all__ = ["Rounding"]


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

    def __init__(self, bench: Bench, options: CompileOptions, site: Site, carried: Carried, flat: Float) -> None:
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

"""Model-driven calibration: ranges, clipping and converter steps of each layer, tried on the device model.

Layer by layer, with the layers before it as they will run on chips of the device at a representative time
(:mod:`~mho.compiler.calibration.search.layer`). A layer of a convolution runs at every position of an image, so that it
is tried on part of the positions only; the steps after it take what the chosen candidate gives at all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mho.compiler.calibration.assembly.assembly import Assembly, beside, join
from mho.compiler.calibration.assembly.carried import HIDDEN_ANCHORS, Encoded, Handed, InLanes, Value
from mho.compiler.calibration.assembly.entry import Entry
from mho.compiler.calibration.assembly.layer_lowering import (
    Product,
    Rest,
    lower_last,
    lower_layer,
    smallest_scale,
    sum_of_parts,
)
from mho.compiler.calibration.outputs import OutputError, output_errors
from mho.compiler.calibration.quantisers import Quantiser
from mho.compiler.calibration.search.layer import Search
from mho.compiler.calibration.search.sampled import is_large
from mho.compiler.calibration.trials.bench import Bench
from mho.compiler.calibration.trials.calls import FEW_SAMPLES, MOST_SAMPLES, Calls, range_samples, sampled, samples
from mho.compiler.calibration.trials.candidates import Draft, Site
from mho.compiler.calibration.trials.influence import MOST_VALUES
from mho.compiler.layer_run import LayerRun
from mho.compiler.mapping import Placement
from mho.compiler.model import FloatNetwork
from mho.compiler.model.stages import Linear
from mho.compiler.options import MANY_MULTIPLICATIONS, CompileOptions
from mho.compiler.program import Call, OutputStage, Program
from mho.compiler.types import Float, Lanes
from mho.hw.config import Chip
from mho.macro_models.devices import Device
from mho.macro_models.integer.vector import LANE_MAX, Limit

MOST_POSITIONS = 32_768
FEWEST_IMAGES = 64
"""Positions of all calibration images together, and images that are used whatever their size."""

FEW_RANGE_CHIPS = 2
"""Chips whose inputs ranges come from, of networks that multiply much."""

FEWEST_TO_SPLIT = 64
"""Calibration inputs from which on ranges come from a part of them."""

SCALE_DIGITS, FACT_DIGITS = 11, 6
"""Decimal digits of the output's scale and of facts for the report: linear algebra differs in the last ones."""

MOST_OF = 0.5
"""Part of the outputs' squared error that is there behind the layer at fault."""

_NO_LANES = np.zeros((0, 0, 0), dtype=np.int16), np.zeros(0)
"""Lanes that nobody takes, and their units."""


@dataclass(frozen=True)
class Calibrated:
    """Result of the calibration: the program, the conductances of each core in uS, and facts for the report.

    ``drafts`` are what was chosen for each layer, ``limited`` is the share of each layer's outputs that are beyond what
    a converter takes before it has a code, ``spoilt`` is the squared error of the network's outputs on perfect cells by
    what each layer makes in its first call, ``outputs`` are the errors of these over the calibration inputs, ``last``
    that of the last value on perfect cells, before the host finishes it, relative to its deviation, ``unseen`` errors
    of inputs that calibration has not seen, where that was looked at.
    """

    program: Program
    targets: NDArray[np.float32]
    drafts: tuple[Draft, ...]
    errors: tuple[float, ...]
    cycles: tuple[float, ...]
    slice_bits: tuple[int, ...]
    clipped: tuple[float, ...]
    limited: tuple[float, ...]
    spoilt: tuple[float, ...]
    outputs: tuple[OutputError, ...]
    last: float
    images: int
    unseen: tuple[OutputError, ...] = ()

    @property
    def at_fault(self) -> int:
        """The first layer behind which most of the outputs' error is there."""
        return int(np.argmax(np.array(self.spoilt) >= MOST_OF * max(self.spoilt)))


@dataclass(kw_only=True)
class _Shared:
    """A layer that is called several times, once it has been searched.

    ``runs`` are the layer on each chip, ``unit`` what its lanes stand for, ``variance`` that of its outputs; ``done``
    are the positions of each call, the mean squared error of its outputs, and the share of its inputs that was clipped.
    """

    draft: Draft
    unit: Float
    runs: list[LayerRun]
    variance: float
    done: list[tuple[int, float, float]] = field(default_factory=list)

    @property
    def positions(self) -> int:
        """Positions of the calls so far."""
        return sum(count for count, _, _ in self.done)


class Calibrator:
    """One calibration of one network; parameters as of :class:`~mho.compiler.calibration.trials.bench.Bench`.

    ``progress`` is called with (layers done, layers). With ``products`` steps of products and sums of computed values
    are stages of the vector unit, as tiles need them, not work of the host; with ``in_two`` each layer takes its inputs
    in two parts (:mod:`.assembly.residual`). ``keep``: whether layers on perfect cells are kept, to answer
    other inputs (:attr:`perfect`).
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
        *,
        products: bool = False,
        in_two: bool = False,
        keep: bool = False,
    ) -> None:
        count = images_used(network, len(x))
        x = x[np.arange(count) * len(x) // count]
        self.network, self.placement, self.options, self.x = network, placement, options, x
        self.of_layers = options.of_layers([layer.name for layer in network.layers])
        self.progress, self.in_two, self._keep = progress, in_two, keep
        self._range_chips = FEW_RANGE_CHIPS if network.multiplications > MANY_MULTIPLICATIONS else None
        self.handed = network.is_chain and not in_two
        """Whether a layer chooses the codes that the one before it gives."""
        self.bench = Bench(network, placement, chip, device, options, x, in_two)
        self.assembly = Assembly(network, self.bench.wanted, products)
        self.entry = Entry(self.assembly, x, len(self.bench.kinds), self.handed)
        self.drafts: list[Draft] = []
        self.errors: list[float] = []
        self.cycles: list[float] = []
        self.slice_bits: list[int] = []
        self.clipped: list[float] = []
        self.spoilt: list[float] = []
        self.shared: dict[int, _Shared] = {}
        """By the number of the step that calls the layer again."""
        self.perfect: list[LayerRun] = []
        """Each layer on perfect cells, where they are kept."""
        shape = (placement.cores, *placement.cell_map.shape)
        self.targets = np.full(shape, chip.cells.g_min_uS, dtype=np.float32)

    def run(self) -> Calibrated:
        """Calibrates all layers in order."""
        steps = self.network.steps
        values = self.entry.made()
        for k, step in enumerate(steps):
            if k in self.entry.before:
                continue
            value = join([values[v] for v in step.inputs])
            is_layer = isinstance(step.operation, Linear)
            values[k + 1] = self._layer(k, value) if is_layer else self.assembly.step(k, value)
            self.bench.wanted.done(k)
            for v in step.inputs:
                if self.network.last_use[v] == k:
                    values[v] = self.assembly.in_lanes(v, *_NO_LANES)
        output, exact = values[len(steps)], self.bench.wanted[-1]
        assert isinstance(output, InLanes)
        results, (beyond, outputs) = output.lanes * output.unit, self.bench.limited.T
        return Calibrated(
            program=Program(
                input=self.entry.stage, stages=tuple(self.assembly.stages), layers=tuple(self.assembly.layers),
                output=OutputStage(scale=rounded(output.unit, SCALE_DIGITS)),
            ),
            targets=self.targets,
            drafts=tuple(self.drafts),
            errors=tuple(rounded(np.array(self.errors), FACT_DIGITS).tolist()),
            cycles=tuple(rounded(np.array(self.cycles), SCALE_DIGITS).tolist()),
            slice_bits=tuple(self.slice_bits),
            clipped=tuple(rounded(np.array(self.clipped), FACT_DIGITS).tolist()),
            limited=tuple(np.minimum(beyond / np.maximum(outputs, 1), 1.0).tolist()),
            spoilt=tuple(self.spoilt),
            outputs=tuple(output_errors(self.network, exact, results)),
            last=float(np.sqrt(((results[0] - exact) ** 2).mean() / max(exact.var(axis=0).mean(), 1e-300))),
            images=len(self.x),
        )

    def _layer(self, k: int, value: Value) -> Value:
        """The layer of step ``k``, searched and lowered at the first of its calls."""
        op, bench, index = self.network.steps[k].operation, self.bench, len(self.errors)
        assert isinstance(op, Linear)
        if k in self.shared:
            return self._again(k, op, value, self.shared[k])
        calls = Calls(network=self.network, layer=index, exact=bench.wanted, taken=value)
        image, position = samples(len(self.x), calls.positions, FEW_SAMPLES if is_large(bench, index) else MOST_SAMPLES)
        site = Site(
            index=index, layer=op.layer, values=calls.sample(image, position), inputs=calls.inputs(image, position),
            wanted=calls.outputs[image, :, position], stand=bench.stand,
        )
        is_first = calls.of_the_input(self.entry.values)
        ranges = calls.sample(*range_samples(calls.outputs, op.layer.inputs), chips=self._range_chips)
        carried = value.taken_by(calls.operations, ranges, is_first)
        draft = Search(bench, self.of_layers[index], site, carried, self._flat(site.values, ranges, is_first)).best()
        self.drafts.append(draft)
        encoded = carried.encode(draft.quantiser)
        call = _call(index, op, draft)
        number = self.assembly.append(call, [encoded.number])
        # Once more with the codes that the integer arithmetic gives, where they are known.
        codes = sampled(call, encoded.codes, image, position, draft.quantiser, site.values)
        trial = bench.run(site, draft, codes)
        self.errors.append(bench.relative_error(site, trial))
        self.spoilt.append(float(bench.judge.squared(index, trial.outputs[:1], site.wanted)[0]))
        self.cycles.append(trial.cycles * calls.positions)
        self.slice_bits.append(draft.pairs.bits)
        self.clipped.append(encoded.clipped)
        for block in self.placement.of_layer(index):
            draft.fill(self.targets[block.core], block)
        result = self._made(k, call, number, site, draft, value, encoded, trial.outputs)
        if self.progress:
            self.progress(index + 1, len(self.network.layers))
        return result

    def _again(self, k: int, op: Linear, value: Value, shared: _Shared) -> InLanes:
        """Another call of a layer that has been searched."""
        call = _call(shared.runs[0].call.layer, op, shared.draft, shared.positions * (2 if self.in_two else 1))
        encoded = value.coded(op, shared.draft.quantiser)
        number = self.assembly.append(call, [encoded.number])
        runs = [run.of(call) for run in shared.runs]
        result = self._outputs(number, runs, shared.draft, shared.unit, value, encoded, op.pad)
        self._account(k, call, shared, result.lanes, encoded.clipped)
        return result

    def _account(self, k: int, call: Call, shared: _Shared, lanes: Lanes, clipped: float) -> None:
        """Facts of a layer that is called several times: those of all calls, with the errors of what they take."""
        lost = lanes * np.repeat(shared.unit, len(call.patches)) - self.bench.wanted[k + 1]
        shared.done.append((len(call.patches), float((lost**2).mean()), clipped))
        sizes, squares, shares = np.array(shared.done).T
        self.errors[call.layer] = float(np.sqrt(sizes @ squares / sizes.sum() / shared.variance))
        self.clipped[call.layer] = float(sizes @ shares / sizes.sum())
        steps = self.network.calls[call.layer]
        self.shared.update(dict.fromkeys(steps[len(shared.done) : len(shared.done) + 1], shared))
        self.shared.pop(k, None)

    def _flat(self, values: Float, ranges: Float, is_first: bool) -> Float:
        """What ranges come from, (samples, inputs).

        Of all inputs it is every other one: they are tried on all, so that what they cost beyond is seen.
        """
        if values.shape[1] == len(self.x):
            ranges = values[:, :: 2 if values.shape[1] >= FEWEST_TO_SPLIT else 1]
        return ranges[0] if is_first else ranges.reshape(-1, values.shape[-1])

    def _made(
        self, k: int, call: Call, number: int, site: Site, draft: Draft, value: Value, encoded: Encoded, outputs: Float
    ) -> Value:
        """What a layer makes from codes on each chip in its first call; ``outputs`` are those of its samples."""
        is_last, size = k + 1 == len(self.network.steps), self.network.layers[call.layer].outputs
        if self.handed and not is_last:
            smallest = smallest_scale(self.bench.products(call.layer, draft, 0), size)
            close = partial(self._close, call, draft, encoded.codes)
            return Handed(number=number, values=outputs, smallest=smallest, anchors=HIDDEN_ANCHORS, close=close)
        linear, positions = self.network.layers[call.layer], self.network.positions[call.layer]
        if self.in_two:
            linear, positions = replace(linear, relu=False), 2 * positions
        layer, unit = lower_last(linear, draft.spread, *self._sums(call.layer, draft), uniform=self.assembly.uniform)
        self.assembly.layers.append(replace(layer, positions=positions))
        runs = self.bench.bound(call, self.assembly.layers[-1], draft)
        op = self.network.steps[k].operation
        assert isinstance(op, Linear)
        if self._keep:
            self.perfect.append(runs[0])
        result = self._outputs(number, runs, draft, unit, value, encoded, op.pad)
        if len(self.network.calls[call.layer]) > 1:
            variance = max(float(site.wanted.var(axis=0).mean()), 1e-300)
            shared = _Shared(draft=draft, unit=unit, runs=runs, variance=variance)
            self._account(k, call, shared, result.lanes, self.clipped[call.layer])
        return result

    def _outputs(
        self, number: int, runs: Sequence[LayerRun], draft: Draft, unit: Float, value: Value, encoded: Encoded,
        pad: Float,
    ) -> InLanes:
        """What a call makes, value ``number``, on each chip; with what another one makes of the rest of its inputs."""
        call, lanes = runs[0].call, self.bench.advance(runs, encoded.codes)
        result = self.assembly.in_lanes(number, lanes, np.repeat(unit, len(call.patches)))
        if not self.in_two:
            return result
        assert isinstance(value, InLanes)
        rest, bias = Rest(draft.quantiser), np.repeat(runs[0].layer.root.bias, len(call.patches))
        left = rest.codes_of(value, encoded, self.assembly)
        outside = rest.codes(pad[None], call.pad[None])[0]
        rest_call = replace(call, pad=outside, first=call.first + len(call.patches))
        lanes = self.bench.advance([run.of(rest_call) for run in runs], left.lanes)
        second = self.assembly.in_lanes(self.assembly.append(rest_call, left.numbers), lanes, result.unit)
        total = self.assembly.done(sum_of_parts(rest.ratio, bias), beside([result, second]), result.unit)
        if not self.network.layers[call.layer].relu:
            return total
        low, high = np.zeros(len(bias), dtype=np.int16), np.full(len(bias), LANE_MAX, dtype=np.int16)
        return self.assembly.done(Limit(low=low, high=high), total, total.unit)

    def _close(self, call: Call, draft: Draft, codes: Lanes, following: Quantiser) -> tuple[Lanes, float]:
        """A layer of a chain, once the codes are known that the next one takes."""
        layer = lower_layer(
            self.network.layers[call.layer], draft.spread, *self._sums(call.layer, draft), following=following
        )
        self.assembly.layers.append(layer)
        counts: list[int] = []
        runs = self.bench.bound(call, layer, draft)
        if self._keep:
            self.perfect.append(runs[0])
        lanes = self.bench.advance(runs, codes, lambda count, total: counts.append(count))
        return lanes, sum(counts) / lanes.size

    def _sums(self, index: int, draft: Draft) -> tuple[list[Product], Float]:
        """Products of a layer, numbered after those of the layers before, and what is added to them."""
        bias = self.bench.offset(index, draft.quantiser) + draft.shift
        return self.bench.products(index, draft, self.assembly.conversions), bias


def images_used(network: FloatNetwork, images: int) -> int:
    """Of how many calibration images all positions are run, and the values of all steps are held."""
    most = max(FEWEST_IMAGES, MOST_POSITIONS // max(network.positions))
    return min(images, most, max(1, MOST_VALUES // network.elements))


def rounded(values: Float, digits: int) -> Float:
    """Numbers with so many decimal digits, which processors agree on that sum in another order."""
    return np.array([float(f"{value:.{digits}g}") for value in values])


def _call(layer: int, op: Linear, draft: Draft, first: int = 0) -> Call:
    """A step as a call of its layer, whose positions before ``first`` are those of other calls."""
    pad = draft.quantiser.codes(op.pad[None])[0]
    return Call(layer=layer, patches=op.patches, pad=pad, window=op.window, first=first)

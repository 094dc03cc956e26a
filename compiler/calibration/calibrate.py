"""Model-driven calibration: ranges, clipping and converter steps of each layer, tried on the device model.

Layer by layer, with the layers before it as they will run on chips of the device at a representative time
(:mod:`~compiler.calibration.search`). A layer of a convolution runs at every position of an image, so that it is tried
on part of the positions only; the steps after it take what the chosen candidate gives at all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.calibration.bench import Bench, Draft, Site
from compiler.calibration.calls import FEW_SAMPLES, MOST_SAMPLES, Calls, range_samples, sampled, samples
from compiler.calibration.carried import ANCHORS, HIDDEN_ANCHORS, Handed, InLanes, Value, input_in_lanes
from compiler.calibration.elementwise import Part, lower_elementwise
from compiler.calibration.entry import quantised, unfaithful
from compiler.calibration.layer_lowering import Product, lower_last, lower_layer, smallest_scale
from compiler.calibration.outputs import OutputError, output_errors
from compiler.calibration.quantisers import Quantiser
from compiler.calibration.sampled import is_large
from compiler.calibration.search import Search
from compiler.calibration.stage_lowering import centre, equalise, lower_evaluated, lower_step
from compiler.layer_run import LayerRun
from compiler.mapping import Placement
from compiler.model import FloatNetwork
from compiler.model.before import before_of, steps_before_layers
from compiler.model.stages import Evaluated, Linear, Maximum
from compiler.options import CompileOptions
from compiler.program import Call, Layer, Operation, OutputStage, Program, Stage
from hw.config import Chip
from macro_models.devices import Device
from macro_models.exact.vector import Select

__all__ = ["Calibrated", "Calibrator", "images_used"]

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Lanes = NDArray[np.int16]

MOST_POSITIONS = 32_768
FEWEST_IMAGES = 64
"""Positions of all calibration images together, and images that are used whatever their size."""

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

    ``spoilt`` is the squared error of the network's outputs on perfect cells by what each layer makes in its first
    call, ``outputs`` are the errors of these over the calibration inputs.
    """

    program: Program
    targets: NDArray[np.float32]
    errors: tuple[float, ...]
    cycles: tuple[float, ...]
    slice_bits: tuple[int, ...]
    clipped: tuple[float, ...]
    spoilt: tuple[float, ...]
    outputs: tuple[OutputError, ...]
    images: int

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
    """One calibration of one network; parameters as of :class:`~compiler.calibration.bench.Bench`.

    ``progress`` is called with (layers done, layers). With ``products`` steps of products and sums of computed values
    are stages of the vector unit, as tiles need them, not work of the host.
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
    ) -> None:
        self.products = products
        most = images_used(network, len(x))
        x = x[np.arange(most) * len(x) // most]
        self.network, self.placement, self.options, self.x = network, placement, options, x
        self.progress = progress
        self.bench = Bench(network, placement, chip, device, options, x)
        self.stages: list[Stage] = []
        self.layers: list[Layer] = []
        self.errors: list[float] = []
        self.cycles: list[float] = []
        self.slice_bits: list[int] = []
        self.clipped: list[float] = []
        self.spoilt: list[float] = []
        self.before: tuple[int, ...] = ()
        self.entries: tuple[int, ...] = (0,)
        """Numbers of the steps that the host does before the input is quantised, and of the values that are."""
        self.shared: dict[int, _Shared] = {}
        """By the number of the step that calls the layer again."""
        shape = (placement.cores, *placement.cell_map.shape)
        self.targets = np.full(shape, chip.cells.g_min_uS, dtype=np.float32)

    def run(self) -> Calibrated:
        """Calibrates all layers in order."""
        steps = self.network.steps
        values = self._inputs()
        last_use = {value: k for k, step in enumerate(steps) for value in step.inputs}
        for k, step in enumerate(steps):
            if k in self.before:
                continue
            taken = _join([values[v] for v in step.inputs])
            values[k + 1] = self._layer(k, taken) if isinstance(step.operation, Linear) else self._step(k, taken)
            for v in step.inputs:
                if last_use[v] == k:
                    values[v] = self._in_lanes(v, *_NO_LANES)
        output = values[len(steps)]
        assert isinstance(output, InLanes)
        return Calibrated(
            program=Program(
                input=self.input, stages=tuple(self.stages), layers=tuple(self.layers),
                output=OutputStage(scale=rounded(output.unit, SCALE_DIGITS)),
            ),
            targets=self.targets,
            errors=tuple(rounded(np.array(self.errors), FACT_DIGITS).tolist()),
            cycles=tuple(rounded(np.array(self.cycles), SCALE_DIGITS).tolist()),
            slice_bits=tuple(self.slice_bits),
            clipped=tuple(rounded(np.array(self.clipped), FACT_DIGITS).tolist()),
            spoilt=tuple(self.spoilt),
            outputs=tuple(output_errors(self.network, self.bench.wanted[-1], output.lanes * output.unit)),
            images=len(self.x),
        )

    # Values --------------------------------------------------------------------------------------

    def _inputs(self) -> dict[int, Value]:
        """The network's input by number 0, or what the host makes of it before it is quantised."""
        net, values = self.network, {0: self._input()}
        numbers = steps_before_layers(net.steps)
        if not any(isinstance(net.steps[k].operation, Evaluated) for k in numbers) or self._faithful(numbers):
            return values
        before = before_of(net.steps, numbers)
        self.before, self.entries = before.numbers, before.values
        self.input, places = quantised(before, net, self.x)
        lanes = self.input.compute(self.x)
        lanes = np.broadcast_to(lanes, (len(self.bench.kinds), *lanes.shape))
        if len(places) == 1:
            return {before.values[0]: self._in_lanes(0, lanes, self.input.scale, self.input.offset)}
        for number, at in zip(before.values, places, strict=True):
            index = np.arange(at.start, at.stop, dtype=np.int32)
            part = self._append(Select(index=index, fill=np.zeros(len(index), dtype=np.int16)), [0])
            values[number] = self._in_lanes(part, lanes[..., at], self.input.scale[at], self.input.offset[at])
        return values

    def _faithful(self, numbers: Sequence[int]) -> bool:
        """Whether steps before the layers give what they should, on the lanes of some inputs."""
        steps, entry, kept = self.network.steps, self._input(), len(self.stages)
        assert isinstance(entry, InLanes)
        found: dict[int, Value] = {0: replace(entry, lanes=entry.lanes[:1, :FEWEST_IMAGES])}
        right = True
        for k in numbers:
            made = found[k + 1] = self._step(k, _join([found[v] for v in steps[k].inputs]))
            if isinstance(steps[k].operation, Evaluated):
                wanted = self.bench.wanted[k + 1][:FEWEST_IMAGES]
                right = right and not unfaithful(made.lanes[0] * made.unit + made.zero, wanted)
        del self.stages[kept:]
        return right

    def _input(self) -> Value:
        """The network's input."""
        net, x = self.network, self.x
        on_chips = np.broadcast_to(x, (len(self.bench.kinds), *x.shape))
        if net.is_chain:

            def close(quantiser: Quantiser) -> tuple[Lanes, float]:
                self.input = quantiser.stage
                return np.stack([quantiser.codes(chip) for chip in on_chips]), self.input.clipped(x) / x.size

            return Handed(number=0, values=on_chips, smallest=np.zeros(net.features), anchors=ANCHORS, close=close)
        users = [s.operation for s in net.steps if 0 in s.inputs]
        layers = [op for op in users if isinstance(op, Linear)]
        self.input = input_in_lanes(x, layers, alone=len(layers) == len(users))
        lanes = np.broadcast_to(self.input.compute(x), on_chips.shape)
        return self._in_lanes(0, lanes, self.input.scale, self.input.offset)

    def _in_lanes(self, number: int, lanes: Lanes, unit: Float, zero: Float | None = None) -> InLanes:
        zero = np.zeros(len(unit)) if zero is None else zero
        return InLanes(numbers=(number,), lanes=lanes, unit=unit, zero=zero, append=self._append)

    def _append(self, operation: Operation, inputs: Sequence[int]) -> int:
        self.stages.append(Stage(operation=operation, inputs=tuple(inputs)))
        return len(self.stages)

    def _step(self, k: int, taken: Value) -> InLanes:
        """A step that the vector unit does."""
        op = self.network.steps[k].operation
        assert isinstance(taken, InLanes)
        assert not isinstance(op, Linear)
        if isinstance(op, Maximum) and (rescaled := equalise(op, taken.unit)) is not None:
            stage, unit = rescaled
            taken = self._in_lanes(self._append(stage, taken.numbers), _on_each(stage, taken.lanes), unit, taken.zero)
        if isinstance(op, Evaluated):
            return self._evaluated(k, op, taken)
        stage, unit = lower_step(op, taken.unit, np.abs(self.bench.wanted[k + 1]).max(axis=0))
        return self._in_lanes(self._append(stage, taken.numbers), _on_each(stage, taken.lanes), unit)

    def _evaluated(self, k: int, op: Evaluated, taken: InLanes) -> InLanes:
        """A step by a table, or at the host."""
        if self.products and not op.pointwise and (made := self._elementwise(k, op, taken)) is not None:
            return made
        seen, middle = self.network.steps[k].gather(self.bench.wanted), 0.0
        if op.pointwise and (moved := centre(taken.unit, seen)) is not None:
            stage, middle = moved
            taken = self._in_lanes(self._append(stage, taken.numbers), _on_each(stage, taken.lanes), taken.unit)
        stage, unit = lower_evaluated(op, taken.unit, seen, self.bench.wanted[k + 1], middle)
        return self._in_lanes(self._append(stage, taken.numbers), _on_each(stage, taken.lanes), unit)

    def _elementwise(self, k: int, op: Evaluated, taken: InLanes) -> InLanes | None:
        """A step of products and the like, written out as stages; None if it has no such form."""
        inputs, dims = self.network.steps[k].inputs, op.dims
        sizes = [self.bench.wanted[v].shape[1] for v in inputs]
        if taken.zero.any() or len(taken.numbers) != len(inputs) or sizes != [int(np.prod(d, dtype=int)) for d in dims]:
            return None
        ends, parts, kept = np.cumsum([0, *sizes]), list[Part](), len(self.stages)
        for n, v in enumerate(inputs):
            at = slice(ends[n], ends[n + 1])
            same = next((part for part in parts if part.number == taken.numbers[n]), None)
            parts.append(same or Part(number=taken.numbers[n], dims=dims[n], lanes=taken.lanes[..., at],
                                      unit=taken.unit[at], seen=self.bench.wanted[v]))
        made = lower_elementwise(op, parts, self._append)
        if made is None:
            del self.stages[kept:]
            return None
        return self._in_lanes(made.number, made.lanes, made.unit)

    # Layers --------------------------------------------------------------------------------------

    def _layer(self, k: int, taken: Value) -> Value:
        """The layer of step ``k``, searched and lowered at the first of its calls."""
        op, bench, index = self.network.steps[k].operation, self.bench, len(self.errors)
        assert isinstance(op, Linear)
        if k in self.shared:
            return self._again(k, op, taken, self.shared[k])
        calls = Calls(network=self.network, layer=index, exact=bench.wanted, taken=taken)
        image, position = samples(
            len(self.x), calls.positions, FEW_SAMPLES if is_large(bench, index) else MOST_SAMPLES
        )
        site = Site(
            index=index, layer=op.layer, values=calls.sample(image, position), inputs=calls.inputs(image, position),
            wanted=calls.outputs[image, :, position], stand=bench.stand,
        )
        is_first = calls.of_the_input(self.entries)
        ranges = calls.sample(*range_samples(calls.outputs, op.layer.inputs))
        carried = taken.taken_by(calls.operations, ranges, is_first)
        draft = Search(bench, self.options, site, carried, self._flat(site.values, ranges, is_first)).best()
        encoded = carried.encode(draft.quantiser)
        call = _call(index, op, draft)
        number = self._append(call, [encoded.number])
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
        made = self._made(k, call, number, site, draft, encoded.codes, trial.outputs)
        if self.progress:
            self.progress(index + 1, len(self.network.layers))
        return made

    def _again(self, k: int, op: Linear, taken: Value, shared: _Shared) -> InLanes:
        """Another call of a layer that has been searched."""
        call = _call(shared.runs[0].call.layer, op, shared.draft, shared.positions)
        encoded = taken.coded(op, shared.draft.quantiser)
        number = self._append(call, [encoded.number])
        lanes = self.bench.advance([run.of(call) for run in shared.runs], encoded.codes)
        self._account(k, call, shared, lanes, encoded.clipped)
        return self._in_lanes(number, lanes, np.repeat(shared.unit, len(op.patches)))

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
        self, k: int, call: Call, number: int, site: Site, draft: Draft, codes: Lanes, outputs: Float
    ) -> Value:
        """What a layer makes from codes on each chip in its first call; ``outputs`` are those of its samples."""
        is_last, size = k + 1 == len(self.network.steps), self.network.layers[call.layer].outputs
        if self.network.is_chain and not is_last:
            smallest = smallest_scale(self.bench.products(call.layer, draft, 0), size)
            close = partial(self._close, call, draft, codes)
            return Handed(number=number, values=outputs, smallest=smallest, anchors=HIDDEN_ANCHORS, close=close)
        layer, unit = lower_last(self.network.layers[call.layer], draft.spread, *self._sums(call.layer, draft))
        self.layers.append(replace(layer, positions=self.network.positions[call.layer]))
        runs = self.bench.bound(call, self.layers[-1], draft)
        lanes = self.bench.advance(runs, codes)
        if len(self.network.calls[call.layer]) > 1:
            variance = max(float(site.wanted.var(axis=0).mean()), 1e-300)
            shared = _Shared(draft=draft, unit=unit, runs=runs, variance=variance)
            self._account(k, call, shared, lanes, self.clipped[call.layer])
        return self._in_lanes(number, lanes, np.repeat(unit, len(call.patches)))

    def _close(self, call: Call, draft: Draft, codes: Lanes, following: Quantiser) -> tuple[Lanes, float]:
        """A layer of a chain, once the codes are known that the next one takes."""
        layer = lower_layer(
            self.network.layers[call.layer], draft.spread, *self._sums(call.layer, draft), following=following
        )
        self.layers.append(layer)
        counts: list[int] = []
        runs = self.bench.bound(call, layer, draft)
        made = self.bench.advance(runs, codes, lambda count, total: counts.append(count))
        return made, sum(counts) / made.size

    def _sums(self, index: int, draft: Draft) -> tuple[list[Product], Float]:
        """Products of a layer, numbered after those of the layers before, and what is added to them."""
        first = sum(layer.conversions * layer.positions for layer in self.layers)
        bias = self.bench.offset(index, draft.quantiser) + draft.shift
        return self.bench.products(index, draft, first), bias


def images_used(network: FloatNetwork, images: int) -> int:
    """Of how many calibration images all positions are run."""
    return min(images, max(FEWEST_IMAGES, MOST_POSITIONS // max(network.positions)))


def rounded(values: Float, digits: int) -> Float:
    """Numbers with so many decimal digits, which processors agree on that sum in another order."""
    return np.array([float(f"{value:.{digits}g}") for value in values])


def _join(parts: Sequence[Value]) -> Value:
    """Values side by side."""
    if len(parts) == 1:
        return parts[0]
    lanes = [part for part in parts if isinstance(part, InLanes)]
    joined = {
        name: np.concatenate([getattr(part, name) for part in lanes], axis=-1) for name in ("lanes", "unit", "zero")
    }
    return replace(lanes[0], numbers=tuple(n for part in lanes for n in part.numbers), **joined)


def _on_each(op: Any, lanes: Lanes) -> Lanes:
    """What an operation of the vector unit makes on each chip."""
    return np.stack([op.compute(chip) for chip in lanes])


def _call(layer: int, op: Linear, draft: Draft, first: int = 0) -> Call:
    """A step as a call of its layer, whose positions before ``first`` are those of other calls."""
    pad = draft.quantiser.codes(op.pad[None])[0]
    return Call(layer=layer, patches=op.patches, pad=pad, window=op.window, first=first)

"""Calibration of a network that is no chain of layers: the search of each layer, on part of the positions.

A layer of a convolution runs at every position of an image, so that trying a candidate on all of them, and on the
layers after it, would take long. It is tried on some positions of some images, and an error of one of its outputs
counts by what it does to the outputs of the network: the mean squared gradient, from one backward pass through the
float network. The layers after it take what the chosen candidate gives at all positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.calibrate import ANCHORS, HIDDEN_ANCHORS, Calibrator
from compiler.integer import LANE_MAX
from compiler.lowering import lower_last
from compiler.options import CompileOptions
from compiler.program import InputStage, Layer, Mvm
from compiler.quantisers import CodeFormat, Quantiser, fit_quantiser
from compiler.sensitivity import Influence, influences, outputs_from
from compiler.stage_lowering import MOST_GAIN, element_groups, equalise, lower_encode, lower_step, tied
from compiler.stages import Call, Stage, StageOperation, batch_size, run_call
from compiler.steps import Linear, Maximum, take_rows
from compiler.trials import Bench, Draft, Trial
from compiler.windows import PAD
from macro_models import MacroModel
from macro_models.devices import Device

__all__ = ["CalibratedStages", "StageCalibrator"]

Float = NDArray[np.float64]
Lanes = NDArray[np.int16]

MOST_SAMPLES = 512
"""Positions of images on which a candidate is tried."""

MOST_POSITIONS = 32_768
FEWEST_IMAGES = 64
"""Positions of all calibration images together, and images that are used whatever their size."""

RANGE_SAMPLES = 2048
"""Positions of images from which ranges come: half of them those with the largest outputs."""

ROUNDED_IMAGES = 48
"""Images on which the rounding of a layer's inputs is followed to the outputs."""

INPUT_ROOM = 4.0
"""Lanes of the input reach this many times as far as the calibration inputs."""


@dataclass(frozen=True)
class CalibratedStages:
    """Result of the calibration: the program, the conductances of each core in uS, and facts for the report."""

    input: InputStage
    stages: tuple[Stage, ...]
    layers: tuple[Layer, ...]
    output_scale: Float
    targets: NDArray[np.float32]
    errors: tuple[float, ...]
    cycles: tuple[float, ...]
    slice_bits: tuple[int, ...]
    images: int


class StageBench(Bench):
    """Chips on which candidates are tried, on samples that are chosen for each layer."""

    wanted_inputs: Float
    wanted_samples: Float
    influence: Influence

    def inputs_of(self, index: int) -> Float:
        return self.wanted_inputs

    def wanted_of(self, index: int) -> Float:
        return self.wanted_samples

    def total(self, index: int, outputs: Float, error: Float) -> float:
        """By the gradients: squared errors of different outputs add up.

        The mean of an output's errors is the same at all positions, where the rest are taken to be independent.
        """
        lost = outputs - self.wanted_samples
        mean = (lost.mean(axis=1) ** 2) @ self.influence.common
        return float(self.share @ (lost.var(axis=1) @ self.influence.single + mean))


@dataclass
class _Value:
    """A value while the program is built: its number there, lanes on each chip, unit and zero of the lanes."""

    number: int
    lanes: Lanes
    unit: Float
    zero: Float


class StageCalibrator(Calibrator):
    """One calibration; parameters as of :class:`~compiler.calibrate.Calibrator`."""

    bench: StageBench

    def _bench(self, device: Device, options: CompileOptions) -> StageBench:
        most = max(FEWEST_IMAGES, MOST_POSITIONS // max(self.network.positions))
        if len(self.x) > most:
            self.x = self.x[np.arange(most) * len(self.x) // most]
        return StageBench(self.network, self.placement, self.chip, device, options, self.x)

    def run_stages(self) -> CalibratedStages:
        """Calibrates all layers in order."""
        self.influence = influences(self.network, self.bench.wanted)
        self.smallest = np.zeros(())
        self.layers: list[Layer] = []
        self.stages: list[Stage] = []
        self.trials: list[Trial] = []
        shape = (self.placement.cores, self.chip.lines, self.chip.lines)
        self.targets = np.full(shape, self.chip.cells.g_min_uS, dtype=np.float32)
        stage, first = self._input()
        values = [first]
        last_use = {value: k for k, step in enumerate(self.network.steps) for value in step.inputs}
        for k, step in enumerate(self.network.steps):
            taken = [values[v] for v in step.inputs]
            values.append(self._step(k, taken))
            for v in step.inputs:
                if last_use[v] == k:
                    values[v].lanes = np.zeros((0, 0, 0), dtype=np.int16)
        return CalibratedStages(
            input=stage,
            stages=tuple(self.stages),
            layers=tuple(self.layers),
            output_scale=values[-1].unit,
            targets=self.targets,
            errors=tuple(self.bench.relative_error(k, trial) for k, trial in self._with_samples()),
            cycles=tuple(t.cycles * p for t, p in zip(self.trials, self.network.positions, strict=True)),
            slice_bits=tuple(t.draft.pairs.bits for t in self.trials),
            images=len(self.x),
        )

    # Values --------------------------------------------------------------------------------------

    def _input(self) -> tuple[InputStage, _Value]:
        """Lanes of the network's input: fine enough to be taken for exact."""
        net, x = self.network, self.x
        users = [s.operation for s in net.steps if 0 in s.inputs and isinstance(s.operation, Linear)]
        largest = float(np.abs(x).max(initial=0.0)) or 1.0
        if len(users) == sum(0 in s.inputs for s in net.steps):
            group = element_groups([op.patches for op in users], net.features)
            low, high = np.full(group.max() + 1, np.inf), np.full(group.max() + 1, -np.inf)
            np.minimum.at(low, group, x.min(axis=0))
            np.maximum.at(high, group, x.max(axis=0))
            for op in users:
                # What stands for an element outside of the image is in the range, too.
                for column, pad in zip(op.patches.T, op.pad, strict=True):
                    if (column == PAD).any() and (column != PAD).any():
                        at = group[column.max()]
                        low[at], high[at] = min(low[at], pad), max(high[at], pad)
            zero, reach = ((low + high) / 2)[group], ((high - low) / 2)[group]
            reach = np.where(reach > 0, reach, largest)
        else:
            # Of what is pooled or added to, all elements have one unit.
            zero, reach = np.zeros(net.features), np.full(net.features, largest)
        stage = InputStage(offset=zero, scale=INPUT_ROOM * reach / 32767, low=-32767, high=32767)
        lanes = np.broadcast_to(stage.compute(x), (len(self.bench.kinds), *x.shape))
        return stage, _Value(0, lanes, stage.scale, zero)

    def _join(self, parts: Sequence[_Value]) -> _Value:
        if len(parts) == 1:
            return parts[0]
        joined = [np.concatenate([getattr(p, name) for p in parts], axis=-1) for name in ("lanes", "unit", "zero")]
        return _Value(-1, *joined)

    def _append(self, operation: StageOperation, inputs: Sequence[int]) -> int:
        self.stages.append(Stage(operation=operation, inputs=tuple(inputs)))
        return len(self.stages)

    def _step(self, k: int, parts: Sequence[_Value]) -> _Value:
        op, taken = self.network.steps[k].operation, self._join(parts)
        numbers = [p.number for p in parts]
        if isinstance(op, Linear):
            return self._layer(k, op, taken, numbers)
        if isinstance(op, Maximum) and (rescaled := equalise(op, taken.unit)) is not None:
            stage, unit = rescaled
            lanes = np.stack([stage.compute(chip) for chip in taken.lanes])
            numbers, taken = [self._append(stage, numbers)], _Value(-1, lanes, unit, taken.zero)
        stage, unit = lower_step(op, taken.unit, np.abs(self.bench.wanted[k + 1]).max(axis=0))
        assert not isinstance(stage, Call)
        lanes = np.stack([stage.compute(chip) for chip in taken.lanes])
        return _Value(self._append(stage, numbers), lanes, unit, np.zeros(op.size))

    # Layers --------------------------------------------------------------------------------------

    def _layer(self, k: int, op: Linear, taken: _Value, numbers: Sequence[int]) -> _Value:
        index, bench, positions = len(self.layers), self.bench, len(op.patches)
        self._from_input = self.network.steps[k].inputs == (0,)
        self._group = tied(op.patches, len(taken.unit))
        self._set_units(op, taken)
        image, position = _samples(len(self.x), positions)
        values = self._sample(op, taken, image, position)
        self._set_samples(k, op, image, position)
        self._ranges = self._sample(op, taken, *_range_samples(self.bench.wanted[k + 1], positions))
        draft = self._search(index, values)
        encode = lower_encode(draft.quantiser, op.patches, taken.unit, taken.zero)
        pad = draft.quantiser.codes(op.pad[None])[0]
        call = Call(layer=index, encode=encode, patches=op.patches, pad=pad)
        codes = np.stack([_sampled_codes(call, chip, image, position) for chip in taken.lanes])
        trial = bench.run(index, draft, values, codes)
        self.trials.append(replace(trial, outputs=trial.outputs.astype(np.float32)))
        for block in self.placement.of_layer(index):
            draft.fill(self.targets[block.core], block)
        layer, unit = self._lower_here(index, draft, positions)
        self.layers.append(layer)
        number = self._append(call, numbers)
        lanes = self._advance(call, layer, draft, taken.lanes)
        if self.progress:
            self.progress(len(self.layers), len(self.network.layers))
        return _Value(number, lanes, np.repeat(unit, positions), np.zeros(op.size))

    def _set_units(self, op: Linear, taken: _Value) -> None:
        """Largest and smallest unit of the lanes that the rows of each group take, of shape (rows,)."""
        units = taken.unit[np.maximum(op.patches, 0)]
        most, least = np.zeros(self._group.max() + 1), np.full(self._group.max() + 1, np.inf)
        np.maximum.at(most, self._group, np.where(op.patches < 0, 0.0, units).max(axis=0))
        np.minimum.at(least, self._group, np.where(op.patches < 0, np.inf, units).min(axis=0))
        self._units = most[self._group], least[self._group]

    def _sample(self, op: Linear, taken: _Value, image: NDArray[np.integer], position: NDArray[np.integer]) -> Float:
        """Inputs of the rows at the samples on each chip, in the units of the model: (chips, samples, rows)."""
        patches = op.patches[position]
        element = np.maximum(patches, 0)
        lanes = taken.lanes[:, image[:, None], element]
        return np.where(patches < 0, op.pad, lanes * taken.unit[element] + taken.zero[element])

    def _set_samples(self, k: int, op: Linear, image: NDArray[np.integer], position: NDArray[np.integer]) -> None:
        bench, outputs = self.bench, op.layer.outputs
        bench.images = np.arange(len(image), dtype=np.uint64)
        rows = op.patches[position]
        exact = np.concatenate([bench.wanted[v][image] for v in self.network.steps[k].inputs], axis=-1)
        bench.wanted_inputs = np.where(rows < 0, op.pad, np.take_along_axis(exact, np.maximum(rows, 0), axis=1))
        bench.wanted_samples = bench.wanted[k + 1].reshape(len(self.x), outputs, -1)[image, :, position]
        bench.influence = self.influence[k]
        self._here = k
        self._wanted = [*getattr(self, "_wanted", []), bench.wanted_samples]

    def _with_samples(self) -> Any:
        for k, trial in enumerate(self.trials):
            self.bench.wanted_samples = self._wanted[k]
            yield k, trial

    def _lower_here(self, index: int, draft: Draft, positions: int) -> tuple[Layer, Float]:
        first = sum(layer.conversions * layer.positions for layer in self.layers)
        products = self.bench.products(index, draft, first)
        bias = self.bench.offset(index, draft.quantiser) + draft.shift
        layer, unit = lower_last(self.network.layers[index], draft.spread, products, bias)
        return replace(layer, positions=positions), unit

    def _advance(self, call: Call, layer: Layer, draft: Draft, lanes: Lanes) -> Lanes:
        """Lanes of a layer on each chip, for all images and positions."""
        results, batch = [], batch_size([layer], len(self.x))
        for cores, chip in zip(self.bench.program(call.layer, draft), lanes, strict=True):

            def run(mvm: Mvm, x: Lanes, op_id: NDArray[np.uint64], cores: dict[int, MacroModel] = cores) -> Lanes:
                return cores[mvm.core].mvm(mvm.op, self.bench.masks[mvm.core], x, op_id).codes

            parts = [
                run_call(
                    call,
                    layer,
                    chip[k : k + batch],
                    np.arange(k, min(k + batch, len(chip)), dtype=np.uint64),
                    self.chip.lines,
                    run,
                )
                for k in range(0, len(chip), batch)
            ]
            results.append(np.concatenate(parts))
        return np.stack(results)

    # The search, as the base class calls it --------------------------------------------------------

    def _range_samples(self, index: int, values: Float) -> Float:
        if values.shape[1] == len(self.x):
            return super()._range_samples(index, values)
        return self._ranges[0] if self._from_input else self._ranges.reshape(-1, values.shape[-1])

    def _is_first(self, index: int) -> bool:
        return self._from_input

    def _fit(self, index: int, flat: Float, fmt: CodeFormat, **options: Any) -> Quantiser:
        """With codes of at least two lanes, at most a full lane, and with scales that one shift serves."""
        fitted, (most, least) = self._fit_groups(index, flat, fmt, **options), self._units
        taken = most > 0
        typical = np.median(fitted.scale[taken] / most[taken]) if taken.any() else 0.0
        return fitted.coarsened(max(2.0, typical / MOST_GAIN) * most, options["anchor"], LANE_MAX * least)

    def _fit_groups(self, index: int, flat: Float, fmt: CodeFormat, **options: Any) -> Quantiser:
        """One scale and offset for the rows of each group, since they take the same elements in turn."""
        weight, group = self.network.layers[index].weight, self._group
        count = int(group.max()) + 1
        if count == len(group):
            return fit_quantiser(flat, weight, fmt, **options)
        members = [np.flatnonzero(group == g) for g in range(count)]
        rows = np.stack([np.resize(m, max(len(m) for m in members)) for m in members])
        pooled = flat[:, rows].transpose(0, 2, 1).reshape(-1, count)
        shared = fit_quantiser(pooled, weight[:, rows].transpose(0, 2, 1).reshape(-1, count), fmt, **options)
        return replace(shared, offset=shared.offset[group], scale=shared.scale[group])

    def _lost(self, index: int, flat: Float, quantiser: Quantiser) -> float:
        """With the inputs of the layer rounded at all positions of some images."""
        step, wanted = self.network.steps[self._here], self.bench.wanted
        assert isinstance(step.operation, Linear)
        images = np.arange(ROUNDED_IMAGES) * len(self.x) // ROUNDED_IMAGES
        values = [wanted[v][images] for v in range(self._here + 1)]
        rows = take_rows(step.gather(values), step.operation.patches, step.operation.pad)
        shape = rows.shape
        rounded = quantiser.stage.value(quantiser.codes(rows.reshape(-1, shape[-1]))).reshape(shape)
        made = step.operation.layer.compute(rounded).transpose(0, 2, 1).reshape(len(images), -1)
        lost = outputs_from(self.network, [*values, made]) - wanted[-1][images]
        if self.network.is_classifier and lost.shape[-1] > 1:
            lost = lost - lost.mean(axis=-1, keepdims=True)
        return float(np.sqrt((lost**2).mean()))

    def _anchors(self, index: int) -> tuple[str, ...]:
        if self._from_input:
            return ANCHORS
        # The range of hidden values begins at 0, even where all of a few samples are far from it.
        return HIDDEN_ANCHORS if self._ranges.min(initial=0.0) >= 0 else HIDDEN_ANCHORS[:1]


def _samples(images: int, positions: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Images and positions of the samples, the same for every candidate."""
    if images * positions <= MOST_SAMPLES:
        image, position = np.divmod(np.arange(images * positions), positions)
        return image, position
    count = max(MOST_SAMPLES, images)
    rng = np.random.default_rng(0)
    return np.arange(count) * images // count, rng.integers(0, positions, count)


def _range_samples(wanted: Float, positions: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Images and positions that ranges come from, for a layer's outputs of shape (images, outputs * positions)."""
    images = len(wanted)
    if images * positions <= RANGE_SAMPLES:
        chosen = np.arange(images * positions)
    else:
        size = np.abs(wanted).reshape(images, -1, positions).max(axis=1).reshape(-1)
        largest = np.argpartition(size, -RANGE_SAMPLES // 2)[-RANGE_SAMPLES // 2 :]
        others = np.random.default_rng(1).choice(images * positions, RANGE_SAMPLES // 2, replace=False)
        chosen = np.union1d(largest, others)
    image, position = np.divmod(chosen, positions)
    return image, position


def _sampled_codes(call: Call, lanes: Lanes, image: NDArray[np.integer], position: NDArray[np.integer]) -> Lanes:
    codes, patches = call.encode.compute(lanes), call.patches[position]
    return np.where(patches < 0, call.pad, codes[image[:, None], np.maximum(patches, 0)]).astype(np.int16)

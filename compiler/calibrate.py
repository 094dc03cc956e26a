"""Model-driven calibration: ranges, clipping and converter steps of each layer, tried on the device model.

Layer by layer, with the layers before it as they will run on chips of the device at a representative time: a candidate is mapped
to conductances, programmed on a few chips, and run on the calibration inputs; the one whose outputs come closest to those
of the float network is taken. This is what Wan et al. (Nature 608, 504 (2022)) do on the chip, on a model of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from compiler.graph import FloatNetwork, LinearLayer
from compiler.integer import LANE_MAX, MULTIPLIER_MAX, SHIFT_MAX, Requantise, Root, largest_code
from compiler.mapping import Block, Placement
from compiler.options import CompileOptions
from compiler.program import OP_ID_IMAGE_SHIFT, Layer, Mvm, run_layer
from compiler.quantisers import CodeFormat, Quantiser, fit_quantiser, formats
from compiler.weights import PairMap, code_value, column_sums, spread_rows
from hw.config import Chip, tnsa_config
from hw.core.config import CoreConfig
from macro_models import Masks, MvmResult, TnsaModel
from macro_models.devices import Device, load_device
from macro_models.exact.operation import STEP_FRACTION_BITS, STEP_WIDTH, Converter, MvmOperation

__all__ = ["Calibrated", "Calibrator"]

Float = NDArray[np.float64]

FIRST_SEED = 0xCA11B000
"""Seeds of the chips of calibration: far from those that a user takes."""

CLIPS = (1.0, 0.8, 0.65, 0.5, 0.4, 0.3)
BALANCES = (0.0, 0.5, 1.0)
QUANTILES = (1.0, 0.995, 0.98)
DECISION_TOLERANCE = 0.005
ERROR_TOLERANCE = 0.015
"""What rounding the inputs of one layer to fewer bits may cost: decisions of a classifier that change, or the error of
other networks relative to the standard deviation of their outputs."""
IDEAL_SHARE = 0.5
"""Weight of a perfect chip among those on which a candidate is tried."""
REACHES = (1.0, 0.8, 0.65, 0.5, 0.38)
"""Candidates: weight clipping, sharing of levels, range of inputs, and range of the converter, each relative to the largest
value that occurs."""

LANE_CODES = 3700
"""Codes of the next layer that the converter's range may span: with the bias, a lane then keeps two fraction bits."""


@dataclass(frozen=True)
class Calibrated:
    """Result of the calibration: the program, and the conductances of each core in uS."""

    quantiser: Quantiser
    layers: tuple[Layer, ...]
    output_scale: Float
    targets: NDArray[np.float32]
    errors: tuple[float, ...]
    cycles: tuple[float, ...]


@dataclass(frozen=True)
class _Draft:
    """A candidate for one layer."""

    quantiser: Quantiser
    spread: NDArray[np.int32]
    pairs: PairMap
    op: MvmOperation


@dataclass(frozen=True)
class _Trial:
    """What a candidate gave.

    ``outputs`` are those of the layer before the ReLU, of shape (chips, samples, outputs), ``error`` the squared error of each, of
    shape (outputs,); ``total`` is the squared error of the network's outputs if the layers after it were exact.
    """

    draft: _Draft
    outputs: Float
    error: Float
    total: float
    cycles: float


class Calibrator:
    """One calibration of one network.

    Parameters
    ----------
    network, placement, chip, device, options
        What is compiled, where it goes and for what.
    x
        Calibration inputs of shape (samples, features), in the units of the model.
    progress
        Called with (layers done, layers).
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
        self.network, self.placement, self.chip, self.device, self.options = network, placement, chip, device, options
        self.x, self.progress = x, progress
        self.config, self.core = tnsa_config(chip), CoreConfig.from_chip(chip)
        self.lines = chip.lines
        self.time_s = representative_time(device, options)
        # Besides chips of the device a perfect one, so that what relaxation hides does not come back without it.
        ideal = load_device("ideal")
        self.chips = [(ideal, 0, 0.0)]
        if device != ideal:
            self.chips += [(device, FIRST_SEED + k, self.time_s) for k in range(options.seeds)]
        share = 1.0 if len(self.chips) == 1 else IDEAL_SHARE
        others = max(len(self.chips) - 1, 1)
        self.share = np.array([share] + [(1.0 - share) / others] * (len(self.chips) - 1))
        self.masks = [_masks(placement, core) for core in range(placement.cores)]
        self.images = np.arange(len(x), dtype=np.uint64)
        self.wanted = network.activations(x)
        self.floor: Float = np.zeros(network.features)
        self.tolerance = options.tolerance
        if self.tolerance is None:
            self.tolerance = DECISION_TOLERANCE if network.is_classifier else ERROR_TOLERANCE
        self.reference = self._outputs(len(network.layers), self.wanted[-1])
        self.spread = max(float(self.reference.std(axis=0).max(initial=0.0)), 1e-300)

    def run(self) -> Calibrated:
        """Calibrates all layers in order."""
        values: Float = np.broadcast_to(self.x, (len(self.chips), *self.x.shape))
        layers: list[Layer] = []
        targets = np.full((self.placement.cores, self.lines, self.lines), self.chip.cells.g_min_uS, dtype=np.float32)
        first: Quantiser | None = None
        codes: NDArray[np.int16] | None = None
        pending: _Trial | None = None
        errors: list[float] = []
        cycles: list[float] = []
        operation = 0
        for index in range(len(self.network.layers)):
            trial = self._search(index, values)
            if pending is None:
                first = trial.draft.quantiser
                codes = np.stack([first.codes(v) for v in values])
            else:
                layers.append(self._finish(index - 1, pending, trial.draft.quantiser, operation))
                operation += sum(m.op.segments for m in layers[-1].mvms)
                codes = self._advance(index - 1, layers[-1], pending, codes)
            # Once more with the codes that the integer arithmetic gives.
            trial = self._try(index, trial.draft, values, codes)
            for block in self.placement.of_layer(index):
                trial.draft.pairs.fill(targets[block.core], block)
            outputs = trial.outputs
            values = np.maximum(outputs, 0.0) if self.network.layers[index].relu else outputs
            self.floor = self._worst(self._mvms(index, trial.draft, 0), outputs.shape[-1]) / LANE_CODES
            errors.append(self._relative_error(index, trial))
            cycles.append(trial.cycles)
            pending = trial
            if self.progress:
                self.progress(index + 1, len(self.network.layers))
        assert pending is not None and first is not None
        last, scale = self._finish_last(pending, operation)
        return Calibrated(first, (*layers, last), scale, targets, tuple(errors), tuple(cycles))

    # Search --------------------------------------------------------------------------------------

    def _search(self, index: int, values: Float) -> _Trial:
        layer = self.network.layers[index]
        clip = np.full(layer.outputs, self.options.weight_clip or CLIPS[2])
        best: _Trial | None = None
        anchors, balances, quantiles = self._anchors(index, values), BALANCES, QUANTILES
        drafts: list[tuple[str, float]] = [(a, b) for a in anchors for b in balances]
        chosen = drafts[0]
        for anchor, balance in drafts:
            trial = self._try(index, self._draft(index, values, clip, anchor, 1.0, balance), values)
            if best is None or trial.total < best.total:
                best, chosen = trial, (anchor, balance)
        assert best is not None
        for quantile in quantiles[1:]:
            trial = self._try(index, self._draft(index, values, clip, chosen[0], quantile, chosen[1]), values)
            best = min(best, trial, key=lambda t: t.total)
        if self.options.weight_clip is None:
            best = self._search_clip(index, values, best)
        return self._search_step(index, values, best)

    def _anchors(self, index: int, values: Float) -> list[str]:
        if index > 0:
            return ["zero"]
        return ["zero", "least", "mean", "middle"]

    def _draft(self, index: int, values: Float, clip: Float, anchor: str, quantile: float, balance: float) -> _Draft:
        layer = self.network.layers[index]
        flat = values[0] if index == 0 else values.reshape(-1, values.shape[-1])
        signed = anchor in ("mean", "middle") or (anchor == "zero" and bool((flat < 0).any()))
        fmt = self._choose_format(index, flat, formats(signed, self.chip, self.options), anchor)
        quantiser = fit_quantiser(flat, layer.weight, fmt, anchor=anchor, quantile=quantile, balance=balance)
        quantiser = replace(quantiser, scale=np.maximum(quantiser.scale, self.floor))
        weight = layer.weight * quantiser.scale
        spread = spread_rows(weight, self.placement.rows[index])
        pairs = PairMap(_shared(weight, spread), clip, self.chip)
        op = MvmOperation(
            in_bits=fmt.bits, in_signed=fmt.signed, out_bits=self._out_bits(),
            converter=Converter[self.chip.adc.converter.upper()], early_stop=self.chip.adc.early_stop,
        )  # fmt: skip
        draft = _Draft(quantiser, spread, pairs, op)
        return self._with_reach(index, draft, self._largest_ratio(index, draft, flat), REACHES[1])

    def _choose_format(self, index: int, flat: Float, candidates: Sequence[CodeFormat], anchor: str) -> CodeFormat:
        """The first format whose rounding errors change the network's outputs by no more than the tolerance."""
        weight = self.network.layers[index].weight
        exact = self._outputs(index, flat)
        for fmt in candidates[:-1]:
            quantiser = fit_quantiser(flat, weight, fmt, anchor=anchor)
            lost = self._outputs(index, quantiser.stage.value(quantiser.codes(flat))) - exact
            if self._harm(exact, float(np.sqrt((lost**2).mean()))) <= self.tolerance:
                return fmt
        return candidates[-1]

    def _harm(self, exact: Float, error: float) -> float:
        """What errors of this size do: the fraction of decisions that they change, or their size relative to the outputs."""
        if not self.network.is_classifier:
            return error / self.spread
        if exact.shape[-1] > 1:
            best = np.sort(exact, axis=-1)
            margin = best[..., -1] - best[..., -2]
            error *= np.sqrt(2.0)
        else:
            margin = np.abs(exact[..., 0])
        return float(ndtr(-margin / max(error, 1e-300)).mean())

    def _outputs(self, index: int, h: Float) -> Float:
        """Outputs of the float network from the inputs of layer ``index`` on; differences between classes only."""
        for layer in self.network.layers[index:]:
            h = layer.compute(h)
        if self.network.is_classifier and h.shape[-1] > 1:
            h = h - h.mean(axis=-1, keepdims=True)
        return h

    def _out_bits(self) -> int:
        return min(self.options.out_bits or self.chip.adc.bits, self.chip.adc.bits)

    def _largest_ratio(self, index: int, draft: _Draft, flat: Float) -> float:
        """Largest settled ratio ``a / sum_g`` of an ideal device in any conversion of the layer."""
        codes = draft.quantiser.codes(flat)[:, draft.spread].astype(np.float64)
        parts = [codes] if draft.op.segments == 1 else [np.trunc(codes / 16), np.fmod(codes, 16)]
        largest = 0.0
        for block in self.placement.of_layer(index):
            inputs = slice(block.first, block.first + len(block.rows))
            plus, minus = draft.pairs.positive[block.outputs, inputs], draft.pairs.negative[block.outputs, inputs]
            ratio = (plus - minus) / (plus + minus).sum(axis=1, keepdims=True)
            largest = max(largest, *(float(np.abs(p[:, inputs] @ ratio.T).max()) for p in parts))
        return largest

    @staticmethod
    def _with_reach(index: int, draft: _Draft, largest: float, reach: float) -> _Draft:
        step = largest * reach / (draft.op.max_steps + 0.5)
        code = int(np.clip(np.rint(step * 2**STEP_FRACTION_BITS), 1, 2**STEP_WIDTH - 1))
        return replace(draft, op=replace(draft.op, step_code=code))

    def _search_clip(self, index: int, values: Float, best: _Trial) -> _Trial:
        """Clipping of each output by itself: its best candidate, then all together."""
        layer = self.network.layers[index]
        flat = values[0] if index == 0 else values.reshape(-1, values.shape[-1])
        errors, clips = [], np.asarray(CLIPS)
        for clip in CLIPS:
            trial = self._try(index, self._with_clip(index, best.draft, np.full(layer.outputs, clip), flat), values)
            errors.append(trial.error)
            best = min(best, trial, key=lambda t: t.total)
        chosen = clips[np.argmin(np.stack(errors), axis=0)]
        trial = self._try(index, self._with_clip(index, best.draft, chosen, flat), values)
        return min(best, trial, key=lambda t: t.total)

    def _with_clip(self, index: int, draft: _Draft, clip: Float, flat: Float) -> _Draft:
        weight = self.network.layers[index].weight * draft.quantiser.scale
        draft = replace(draft, pairs=PairMap(_shared(weight, draft.spread), clip, self.chip))
        return self._with_reach(index, draft, self._largest_ratio(index, draft, flat), REACHES[1])

    def _search_step(self, index: int, values: Float, best: _Trial) -> _Trial:
        flat = values[0] if index == 0 else values.reshape(-1, values.shape[-1])
        largest = self._largest_ratio(index, best.draft, flat)
        models = self._program(index, best.draft)
        for reach in REACHES:
            trial = self._try(index, self._with_reach(index, best.draft, largest, reach), values, models=models)
            best = min(best, trial, key=lambda t: t.total)
        return best

    # Trial ---------------------------------------------------------------------------------------

    def _program(self, index: int, draft: _Draft) -> list[dict[int, TnsaModel]]:
        """Chips that hold this layer: per seed, the model of each core by its number."""
        blocks = self.placement.of_layer(index)
        chips: list[dict[int, TnsaModel]] = []
        targets: dict[int, NDArray[np.float32]] = {}
        for block in blocks:
            if block.core not in targets:
                targets[block.core] = np.full((self.lines, self.lines), self.chip.cells.g_min_uS, dtype=np.float32)
            draft.pairs.fill(targets[block.core], block)
        for device, seed, time_s in self.chips:
            chips.append({
                core: TnsaModel(self.config, target, device=device, seed=seed, core=core, time_s=time_s)
                for core, target in targets.items()
            })  # fmt: skip
        return chips

    def _try(
        self,
        index: int,
        draft: _Draft,
        values: Float,
        codes: NDArray[np.int16] | None = None,
        models: Sequence[dict[int, TnsaModel]] | None = None,
    ) -> _Trial:
        """Runs a candidate on all chips of calibration."""
        layer = self.network.layers[index]
        models = self._program(index, draft) if models is None else models
        if codes is None:
            codes = np.stack([draft.quantiser.codes(v) for v in values])
        mvms = self._mvms(index, draft, 0)
        offset = layer.bias + layer.weight @ draft.quantiser.offset
        outputs = np.tile(offset, (*codes.shape[:2], 1))
        cycles = 0
        for chip, cores in enumerate(models):
            for mvm, value in mvms:
                result = self._run(cores[mvm.core], mvm, codes[chip][:, draft.spread])
                np.add.at(outputs[chip].T, mvm.outputs, (result.codes[:, mvm.columns] * value).T)
                cycles += int(np.sum(self.core.cycles(mvm.op, result.steps)))
        after = np.maximum(outputs, 0.0) if layer.relu else outputs
        lost = self._outputs(index + 1, after) - self.reference
        total = float(self.share @ (lost**2).mean(axis=(1, 2)))
        error = self.share @ ((after - self.wanted[index + 1]) ** 2).mean(axis=1)
        return _Trial(draft, outputs, error, total, cycles / (len(models) * len(self.images)))

    def _run(self, model: TnsaModel, mvm: Mvm, codes: NDArray[np.integer]) -> MvmResult:
        op_id = (self.images << np.uint64(OP_ID_IMAGE_SHIFT)) | np.uint64(mvm.operation)
        return model.mvm(mvm.op, self.masks[mvm.core], mvm.vector(codes, self.lines), op_id)

    def _mvms(self, index: int, draft: _Draft, operation: int) -> list[tuple[Mvm, Float]]:
        """Products of a layer, with the value of one half step of each column divided by its copies."""
        result = []
        for block in self.placement.of_layer(index):
            op = replace(draft.op, wl_select=block.wl_select, line_select=block.line_select)
            mvm = Mvm(
                core=block.core, operation=operation, op=op, first=block.first, rows=block.rows, columns=block.columns,
                outputs=block.outputs, multiplier=np.zeros(len(block.columns), dtype=np.int32),
            )  # fmt: skip
            result.append((mvm, self._half_steps(draft, block)))
            operation += op.segments
        return result

    def _half_steps(self, draft: _Draft, block: Block) -> Float:
        targets = np.zeros((self.lines, self.lines), dtype=np.float32)
        draft.pairs.fill(targets, block)
        sums = column_sums(targets, block.rows, block.columns, self.chip)
        return code_value(sums, draft.op.step_code, draft.pairs.unit[block.outputs], self.chip) / block.copies

    def _relative_error(self, index: int, trial: _Trial) -> float:
        """Error of a layer's output relative to its standard deviation."""
        wanted = self.wanted[index + 1]
        got = np.maximum(trial.outputs, 0.0) if self.network.layers[index].relu else trial.outputs
        return float(np.sqrt(((got - wanted) ** 2).mean() / max(wanted.var(axis=0).mean(), 1e-300)))

    # Integer parameters --------------------------------------------------------------------------

    def _advance(self, index: int, layer: Layer, trial: _Trial, codes: NDArray[np.int16] | None) -> NDArray[np.int16]:
        """Codes that the layer gives on each chip, as the integer arithmetic computes them."""
        assert codes is not None
        models = self._program(index, trial.draft)
        return np.stack([
            run_layer(layer, c, self.images, self.lines, lambda mvm, x, op_id, cores=cores: cores[mvm.core].mvm(
                mvm.op, self.masks[mvm.core], x, op_id).codes)
            for c, cores in zip(codes, models, strict=True)
        ])  # fmt: skip

    def _finish(self, index: int, trial: _Trial, following: Quantiser, operation: int) -> Layer:
        """Integer parameters of a layer whose output is quantised for the next one."""
        layer = self.network.layers[index]
        mvms = self._mvms(index, trial.draft, operation)
        worst = self._worst(mvms, layer.outputs)
        # A lane holds codes of the next layer with fraction bits, the same number for all outputs.
        bias = layer.bias + layer.weight @ trial.draft.quantiser.offset
        top = following.scale * following.format.top
        bias = np.clip(bias, -worst - 2 * top, worst + 2 * top)
        reach = (worst + np.abs(bias)) / following.scale
        fraction = int(np.floor(np.log2(LANE_MAX * 0.99 / reach.max())))
        fraction = int(np.clip(fraction, 0, 12))
        unit = following.scale * 2.0**-fraction
        requantise = Requantise(shift=fraction, low=following.format.low, high=following.format.top)
        return self._integer(layer, trial.draft.spread, mvms, bias, unit, requantise)

    def _finish_last(self, trial: _Trial, operation: int) -> tuple[Layer, Float]:
        """Integer parameters of the last layer, and what its lanes stand for."""
        layer = self.network.layers[-1]
        mvms = self._mvms(len(self.network.layers) - 1, trial.draft, operation)
        bias = layer.bias + layer.weight @ trial.draft.quantiser.offset
        reach = self._worst(mvms, layer.outputs) + np.abs(bias)
        unit = np.where(reach > 0, reach, 1.0) / (LANE_MAX * 0.99)
        return self._integer(layer, trial.draft.spread, mvms, bias, unit, None), unit

    def _worst(self, mvms: Sequence[tuple[Mvm, Float]], outputs: int) -> Float:
        worst = np.zeros(outputs)
        for mvm, value in mvms:
            np.add.at(worst, mvm.outputs, largest_code(mvm.op) * value)
        return worst

    def _integer(
        self, layer: LinearLayer, spread: NDArray[np.int32], mvms: Sequence[tuple[Mvm, Float]], bias: Float, unit: Float, requantise: Requantise | None
    ) -> Layer:
        factors = [value / unit[mvm.outputs] for mvm, value in mvms]
        largest = max(float(f.max()) for f in factors)
        shift = int(np.clip(np.floor(np.log2(MULTIPLIER_MAX / largest)), 0, SHIFT_MAX))
        products = tuple(
            replace(mvm, multiplier=np.minimum(np.rint(f * 2.0**shift), MULTIPLIER_MAX).astype(np.int32))
            for (mvm, _), f in zip(mvms, factors, strict=True)
        )
        root = Root(bias=np.rint(bias / unit).astype(np.int16), relu=layer.relu, requantise=requantise)
        result = Layer(
            name=layer.name, inputs=layer.inputs, outputs=layer.outputs, spread=spread, mvms=products, shift=shift, root=root
        )
        result.check()
        return result


def _masks(placement: Placement, core: int) -> Masks:
    bl_skip, sl_skip = placement.dead_lines(core)
    return Masks(placement.word_lines(core), placement.converted_lines(core), bl_skip, sl_skip)


def _shared(weight: Float, spread: NDArray[np.int32]) -> Float:
    """Weights of the rows, of shape (outputs, rows): those of the inputs, shared out among their rows."""
    return (weight / np.bincount(spread, minlength=weight.shape[1]))[:, spread]


def representative_time(device: Device, options: CompileOptions) -> float:
    """Time since programming for which layers are calibrated: one day where the device relaxes."""
    if options.time_s is not None:
        return options.time_s
    return 86_400.0 if device.relaxation.times_s else 0.0

"""Trials: a candidate for one layer, programmed on chips of the device model and run on samples of its inputs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mho.compiler.calibration.assembly.layer_lowering import Product, Rest, copy_weights
from mho.compiler.calibration.quantisers import Quantiser
from mho.compiler.calibration.trials.candidates import Chips, Draft, Held, Kind, Site, Stand, Trial
from mho.compiler.calibration.trials.influence import Activations
from mho.compiler.calibration.trials.judges import make_judge
from mho.compiler.layer_run import LayerRun, taken_inputs
from mho.compiler.mapping import Placement
from mho.compiler.mapping.weights import Block, code_value, column_loads
from mho.compiler.model import FloatNetwork
from mho.compiler.model.stages import Linear
from mho.compiler.options import CompileOptions
from mho.compiler.program import DITHER, OP_ID_IMAGE_SHIFT, Call, Layer, Mvm
from mho.compiler.types import Float, Lanes
from mho.hw.config import Chip
from mho.hw.kinds import timing
from mho.macro_models import CAUSES, MacroModel, family
from mho.macro_models.devices import Device, load_device
from mho.macro_models.macro import MvmResult, constant_input
from mho.macro_models.types import Indices, Integral

Hopeless = Callable[[float, Float], bool]
"""Whether a candidate is out of the question, from its total so far and the error of each output so far."""
_Taken = tuple[Indices, NDArray[np.intp]]

_CAUSES = frozenset(CAUSES) - {"wire"}
"""What is compiled assumes perfect wires, and a matrix for every trial would take long."""

AGED_S, AGED_SHARE, FEWEST_FADED = 30 * 86400.0, 0.6, 0.02
"""Seconds after which cells have drifted, weight of what that does as of chips of the device together, and part of the
products from which on it is looked at."""

FIRST_SEED = 0xCA11B000
"""Seeds of the chips of calibration: far from those that a user takes."""


class Bench:
    """Chips on which candidates are tried.

    Parameters
    ----------
    network, placement, chip, device, options
        What is compiled, where it goes and for what.
    x
        Calibration inputs of shape (images, features), in the units of the model.
    in_two
        Whether layers take their inputs in two parts (:mod:`mho.compiler.calibration.assembly.layer_lowering`).

    Attributes
    ----------
    wanted
        The input and the results of all steps in floating point, until the step that takes them last is done.
    judge
        Tells what errors of a layer do to the outputs.
    """

    def __init__(
        self, network: FloatNetwork, placement: Placement, chip: Chip, device: Device, options: CompileOptions,
        x: Float, in_two: bool = False,
    ) -> None:
        self.network, self.placement, self.chip, self.in_two = network, placement, chip, in_two
        self.config, self.core = chip.macro_config(), timing(chip)
        self.model = family(chip.core.kind).model
        # Besides chips of the device a perfect one, so that what relaxation hides does not come back without it.
        ideal, time_s = load_device("ideal"), representative_time(chip, device, options)
        self.kinds: list[Kind] = [(ideal, 0, 0.0)]
        if device != ideal:
            self.kinds += [(device, FIRST_SEED + k, time_s) for k in range(options.chips_for(network.multiplications))]
        self.stand = Stand.of(placement, self.kinds)
        self.wanted = Activations(network, x)
        self.judge = make_judge(network, x)
        self._last: tuple[Site, Quantiser, Lanes] | None = None
        self.limited = np.zeros((len(network.layers), 2), dtype=np.int64)
        """Outputs of each layer that are beyond what a converter takes, and all, of all chips (:meth:`advance`)."""
        self._held: Held | None = None
        self._fading: dict[int, float] = {}
        self._linear: tuple[Site, Float] | None = None

    def offset(self, index: int, quantiser: Quantiser) -> Float:
        """What the digital side adds to a layer's products: its bias, and what codes of 0 stand for."""
        layer = self.network.layers[index]
        offset = layer.bias + layer.product(quantiser.offset)
        return offset - layer.product(quantiser.scale) * Rest(quantiser).shift if self.in_two else offset

    def program(self, index: int, draft: Draft, stand: Stand | None = None) -> Chips:
        """Chips that hold one layer; by default of the placement."""
        return self._hold(index, draft, self.stand if stand is None else stand).chips

    def _programmed(self, targets: dict[int, NDArray[np.float32]], kind: Kind) -> dict[int, MacroModel]:
        device, seed, time_s = kind
        return {
            core: self.model(self.config, target, device=device, seed=seed, core=core, time_s=time_s, causes=_CAUSES)
            for core, target in targets.items()
        }

    def _hold(self, index: int, draft: Draft, stand: Stand) -> Held:
        """Targets of one layer: those of the last candidate are kept, with the chips that hold them."""
        step = draft.op.step_code if DITHER in draft.spread else None
        if self._held is None or not self._held.serves(index, draft, stand, step):
            targets: dict[int, NDArray[np.float32]] = {}
            for block in stand.placement.of_layer(index):
                if block.core not in targets:
                    shape = self.config.cell_map.shape
                    targets[block.core] = np.full(shape, self.chip.cells.g_min_uS, dtype=np.float32)
                draft.fill(targets[block.core], block)
            chips = cache(lambda number: self._programmed(targets, stand.kinds[number]))
            self._held = Held(index, draft, stand, step, targets, chips)
        return self._held

    def run(self, site: Site, draft: Draft, codes: Lanes | None = None, chips: Chips | None = None) -> Trial:
        """Tries a candidate.

        ``codes`` of the inputs on each chip, of shape (chips, samples, inputs), and ``chips``, the programmed models,
        are given where they are known already.
        """
        trial = self.attempt(site, draft, lambda *_: False, codes=codes, chips=chips)
        assert trial is not None
        return trial

    def attempt(
        self, site: Site, draft: Draft, hopeless: Hopeless, *, codes: Lanes | None = None,
        chips: Chips | None = None,
    ) -> Trial | None:
        """:meth:`run` chip by chip, the perfect one first; None as soon as what they add up to is ``hopeless``."""
        index, stand = site.index, site.stand
        chips = self.program(index, draft, stand) if chips is None else chips
        codes = self._codes(site, draft.quantiser) if codes is None else codes
        products = self.products(index, draft, 0, stand)
        inputs_of = [taken_inputs(p.mvm.taken(draft.spread)) for p in products]
        sums: Float = np.zeros((*codes.shape[:2], site.wanted.shape[-1]))
        outputs, squared, errors = np.empty_like(sums), np.zeros(len(codes)), np.zeros((len(codes), sums.shape[-1]))
        cycles, aged = 0, self._aged(site, draft, products, inputs_of, codes)
        total, error = aged, errors[0]
        for chip, (inputs, summed, chip_outputs) in enumerate(zip(codes, sums, outputs, strict=True)):
            cycles += self._compute(draft, stand, products, inputs_of, chips(chip), inputs, summed)
            if self.in_two:
                rest, left = Rest(draft.quantiser), np.zeros_like(summed)
                rest_codes = rest.codes(site.values[chip], inputs)
                cycles += self._compute(draft, stand, products, inputs_of, chips(chip), rest_codes, left)
                summed += rest.ratio * left
            chip_outputs[:] = self._outputs(site, draft, summed)
            squared[chip] = self.judge.squared(index, chip_outputs[None], site.wanted, stand.outputs)[0]
            errors[chip] = ((chip_outputs - site.wanted) ** 2).mean(axis=0)
            total, error = float(stand.share @ squared) + aged, stand.share @ errors
            if hopeless(total, error):
                return None
        return Trial(
            draft=draft, outputs=outputs, sums=sums, error=error, total=total, aged=aged,
            cycles=cycles / (len(codes) * len(site.wanted)),
        )

    def _outputs(self, site: Site, draft: Draft, sums: Float) -> Float:
        """Outputs of the layer from those before bias and ReLU."""
        outputs = sums + self.offset(site.index, draft.quantiser)[site.stand.outputs]
        outputs += draft.shift
        return np.maximum(outputs, 0.0, out=outputs) if site.layer.relu else outputs

    def _aged(
        self, site: Site, draft: Draft, products: Sequence[Product], inputs_of: Sequence[_Taken],
        codes: Lanes,
    ) -> float:
        """What drift that all cells have in common does to the outputs beyond that of a network whose weights drift.

        What codes of 0 stand for is added by the digital side and does not fade: it is too large by the part of the
        products that is gone by then, and the products are as small as the layers before have left their inputs.
        """
        if len(self.kinds) == 1:
            return 0.0
        if site.index not in self._fading:
            models, (device, seed, time_s) = [], self.kinds[1]
            for age in (time_s, max(time_s, AGED_S)):
                cores = self._programmed(self._hold(site.index, draft, site.stand).targets, (device, seed, age))
                models.append(np.zeros_like(site.wanted))
                self._compute(draft, site.stand, products, inputs_of, cores, codes[0], models[-1])
            fresh, old = models
            self._fading[site.index] = 1.0 - float((fresh * old).sum() / max((fresh**2).sum(), 1e-300))
        part = self._fading[site.index]
        if abs(part) < FEWEST_FADED:
            return 0.0
        stays = (self.offset(site.index, draft.quantiser) - self.network.layers[site.index].bias)[site.stand.outputs]
        if self._linear is None or self._linear[0] is not site:
            self._linear = site, site.layer.linear(site.inputs)[:, site.stand.outputs]
        outputs = self._linear[1] + part / self._left(site.index) * stays
        outputs = np.maximum(outputs, 0.0, out=outputs) if site.layer.relu else outputs
        return AGED_SHARE * float(self.judge.squared(site.index, outputs[None], site.wanted, site.stand.outputs)[0])

    def _left(self, index: int) -> float:
        """What is left of a layer's inputs when the cells of those before it have faded: 1 of the network's own."""
        numbers, left = {id(layer): k for k, layer in enumerate(self.network.layers)}, [1.0]
        for step in self.network.steps:
            part = float(np.mean([left[value] for value in step.inputs]))
            if isinstance(step.operation, Linear):
                if (number := numbers[id(step.operation.layer)]) == index:
                    return part
                part *= 1.0 - self._fading.get(number, 0.0)
            left.append(part)
        raise ValueError("The network has no such layer.")

    def adjusted(self, site: Site, trial: Trial, *, gain: float, shift: Float | float) -> Trial:
        """What a candidate gives with another gain and shift, which change nothing in its cores."""
        share, draft = site.stand.share, replace(trial.draft, gain=gain, shift=shift)
        sums = trial.sums * (gain / trial.draft.gain)
        outputs = self._outputs(site, draft, sums)
        squared = self.judge.squared(site.index, outputs, site.wanted, site.stand.outputs)
        error = share @ ((outputs - site.wanted) ** 2).mean(axis=1)
        return replace(trial, draft=draft, outputs=outputs, sums=sums, error=error,
                       total=float(share @ squared) + trial.aged)

    def _compute(
        self, draft: Draft, stand: Stand, products: Sequence[Product], inputs_of: Sequence[_Taken],
        cores: dict[int, MacroModel], inputs: Lanes, summed: Float,
    ) -> int:
        """Adds the products of all samples on one chip to ``summed``, (samples, outputs); the cycles that they take.

        ``inputs_of`` are those that each product takes, and which of them each of its rows.
        """
        cycles, samples = 0, np.arange(len(inputs), dtype=np.uint64) << np.uint64(OP_ID_IMAGE_SHIFT)
        last: tuple[Indices, NDArray[np.float32]] | None = None
        for (mvm, half_step), (used, place) in zip(((p.mvm, p.half_step) for p in products), inputs_of, strict=True):
            masks = stand.masks[mvm.core]
            product = cores[mvm.core].bind(mvm.op, masks, mvm.rows, place, len(used) + 1, mvm.columns)
            if last is None or not np.array_equal(last[0], used):
                last = used, _vectors(inputs, used, constant_input(draft.op))
            result = product.compute(last[1], samples | np.uint64(mvm.operation))
            _add_columns(summed, mvm.outputs, result.codes * half_step)
            cycles += int(np.sum(self.core.cycles(mvm.op, result.steps)))
        return cycles

    def _codes(self, site: Site, quantiser: Quantiser) -> Lanes:
        """Codes of the inputs on each chip: those of the last quantiser are kept, as many candidates share one."""
        if self._last is None or self._last[0] is not site or self._last[1] is not quantiser:
            codes = np.zeros(site.values.shape, dtype=np.int16)
            inputs = site.taken
            selected = quantiser if inputs is None else quantiser.of(inputs)
            for chip_codes, values in zip(codes, site.values, strict=True):
                if inputs is None:
                    chip_codes[:] = selected.codes(values)
                else:
                    chip_codes[:, inputs] = selected.codes(values[:, inputs])
            self._last = site, quantiser, codes
        return self._last[2]

    def products(self, index: int, draft: Draft, operation: int, stand: Stand | None = None) -> list[Product]:
        """Products of a layer, the first of them with number ``operation`` in the static program."""
        stand, result = self.stand if stand is None else stand, []
        targets = self._hold(index, draft, stand).targets
        for block in stand.placement.of_layer(index):
            op = replace(draft.op, wl_select=block.wl_select, line_select=block.line_select)
            mvm = Mvm(
                core=block.core, operation=operation, op=op, first=block.first, rows=block.rows, columns=block.columns,
                outputs=block.outputs, multiplier=np.zeros(len(block.columns), dtype=np.int32),
            )
            result.append(Product(mvm, self._half_steps(draft, block, targets[block.core])))
            operation += op.segments
        return result

    def _half_steps(self, draft: Draft, block: Block, targets: NDArray[np.float32]) -> Float:
        loads = column_loads(targets, block.rows, block.columns, self.chip)
        unit = draft.pairs.unit_of(block)
        value = code_value(loads, draft.op.step_code, unit, self.chip) * (draft.gain / block.copies)
        return value * copy_weights(block.copies)[block.copy_of] if self.in_two else value

    def bound(self, call: Call, layer: Layer, draft: Draft) -> list[LayerRun]:
        """A layer on each chip."""
        chips = self.program(call.layer, draft)
        return [LayerRun(call, layer, chips(k), self.stand.masks) for k in range(len(self.kinds))]

    def advance(
        self, runs: Sequence[LayerRun], codes: Lanes, notice: Callable[[int, int], None] | None = None
    ) -> Lanes:
        """What a layer makes on each chip, of shape (chips, images, outputs * positions), from codes of all images.

        ``notice`` as in :func:`~mho.compiler.program.run_call`.
        """
        images, counts = np.arange(codes.shape[1], dtype=np.uint64), self.limited[runs[0].call.layer]

        def count(_mvm: Mvm, _first: int, result: MvmResult) -> None:
            beyond = 0 if result.clipped is None else int(result.clipped.sum())
            counts[:] += beyond, result.codes.size

        return np.stack([run.run(chip, images, count, notice) for run, chip in zip(runs, codes, strict=True)])

    def relative_error(self, site: Site, trial: Trial) -> float:
        """Error of a layer's output on all chips, relative to its standard deviation."""
        lost = ((trial.outputs - site.wanted) ** 2).mean()
        return float(np.sqrt(lost / max(site.wanted.var(axis=0).mean(), 1e-300)))


def _vectors(inputs: Lanes, used: Indices, constant: int) -> NDArray[np.float32]:
    """Inputs that a product takes, and the constant last, (samples, taken inputs + 1)."""
    x = np.empty((len(inputs), len(used) + 1), dtype=np.float32)
    beside = len(used) and used[-1] - used[0] == len(used) - 1
    x[:, :-1] = inputs[:, used[0] : used[-1] + 1] if beside else inputs[:, used]
    x[:, -1] = constant
    return x


def _add_columns(total: Float, outputs: Integral, values: Float) -> None:
    """Adds columns to the outputs that they serve: (samples, outputs) from (samples, columns)."""
    first, count = int(outputs[0]), len(np.unique(outputs))
    if np.array_equal(outputs, np.tile(np.arange(first, first + count), len(outputs) // count)):
        added = values[:, :count].copy()
        for copy in range(count, values.shape[1], count):  # much faster than a sum over an axis, and the same
            added += values[:, copy : copy + count]
        total[:, first : first + count] += added
    else:
        np.add.at(total.T, outputs, values.T)


def representative_time(chip: Chip, device: Device, options: CompileOptions) -> float:
    """Time since programming for which layers are calibrated: that of the chip where the device relaxes."""
    if options.time_s is not None:
        return options.time_s
    return chip.calibration_time_s if device.relaxes else 0.0

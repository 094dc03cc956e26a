"""A transposable macro: cells, and the matrix-vector products that they give in both directions."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from macro_models.array.wires import Wires
from macro_models.errors import InputError
from macro_models.exact.converter import combine_segments
from macro_models.exact.masks import Masks
from macro_models.exact.operation import STEP_FRACTION_BITS, Converter, Direction, MvmOperation
from macro_models.exact.random import LANES, NORMAL_ONE, NormalsAhead, Purpose, normal_codes, philox_key
from macro_models.exact.shift_register import ShiftRegister
from macro_models.macro import MvmResult
from macro_models.programmed import ProgrammedCore
from macro_models.tnsa.bound.product import FoldedProduct
from macro_models.tnsa.config import TnsaConfig
from macro_models.tnsa.converter.conversion import convert_charge, segment_inputs
from macro_models.tnsa.converter.neuron import COUNT_TOP, UNIT_STEP, Counter, Integrator
from macro_models.tnsa.sensing import INPUT_TOP, Key, Product, Steps, line_steps, lines_of, variance_unit
from macro_models.tnsa.traps import CoreTraps
from macro_models.tnsa.wired import effective_cells

__all__ = ["TnsaModel"]

_BLOCK = 128  # vectors at a time, on all lines: what is alive fits into the second-level cache
_KEYS = 32
_STEPS = 64
_CONVERTERS = 1024


@lru_cache(maxsize=_CONVERTERS)
def _of_converters(purpose: Purpose, seed: int, core: int, items: int) -> NDArray[np.int16]:
    """Normal codes of the converters of a core, not to be written to: calibration makes the same core many times."""
    return normal_codes(purpose, seed=seed, core=core, items=items)


class TnsaModel(ProgrammedCore[TnsaConfig]):
    """One programmed core. Everything random is drawn by counter: equal arguments give equal results, always.

    The cells are ``[bit line, source line]``, of shape (lines, lines); :class:`~macro_models.programmed.ProgrammedCore`
    has the parameters.
    """

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "TnsaModel":
        """The model that :meth:`state` described."""
        model = cls._restored(TnsaConfig.from_dict(state["config"]), state)
        model._begin()
        return model

    def _begin(self) -> None:
        config, device, causes = self.config, self.device, self.causes
        self.wires = config.wires if "wire" in causes else Wires()
        """Resistances around the cells that this core computes with."""
        self._keys: OrderedDict[tuple[bool, bytes], Key] = OrderedDict()
        self._steps: OrderedDict[tuple[int, int], tuple[Key, Steps]] = OrderedDict()
        self.register = self._shift_register()
        """What makes the read noise, where it is a shift register."""
        self._read_variances = self._make_variances()
        self.traps = None
        if self._cells_fluctuate:
            self.traps = CoreTraps.of(device, self.cells, config.lsb_uS, self.seed, self.core)
        """Traps of single cells, None if there are none."""
        self.converter_offset_V, self.converter_gain, self.amplifier_offset_V = self._converters()
        self.neuron = None if config.neuron.ideal or not self._spread else config.neuron
        """Amplifier and per-cycle errors of the converters; None where they integrate and count as integers do."""
        self._counters: OrderedDict[tuple[int, int], tuple[Key, Counter]] = OrderedDict()
        self._unit_steps = Steps(*np.full((2, config.lines), UNIT_STEP))
        self._ahead = [
            NormalsAhead(purpose, seed=self.seed, core=self.core, items=config.lines)
            for purpose in (Purpose.READ_NOISE, Purpose.OUTPUT_NOISE)
        ]

    def read_variances(self) -> tuple[NDArray[np.int64] | None, float]:
        """Read-noise variance of every cell, of the shape of the cells; None without such noise.

        They are integers in a unit that comes with them: a power of two in the square of ``1 / NORMAL_ONE`` codes, so
        that the root of a variance multiplies normal codes.
        """
        return self._variances_of(self.cells, slice(None))

    def _variances_of(
        self, cells: NDArray[np.int32], columns: slice | NDArray[np.intp]
    ) -> tuple[NDArray[np.int64] | None, float]:
        """:meth:`read_variances` of some columns, which hold ``cells``."""
        table, unit = self._read_variances
        if table is None:
            return None, unit
        return (table[cells] if self.origin is None else table[:, columns]), unit

    def _make_variances(self) -> tuple[NDArray[np.int64] | None, float]:
        """Of every code, or of every cell where they go by the origin, see :meth:`read_variances`."""
        if not self._cells_fluctuate:
            return None, 1.0
        lsb, codes = self.config.lsb_uS, np.arange(2**self.config.g_bits)
        if self.origin is None:
            sigma = self.device.normal_noise_uS(codes * lsb, self.time_s)
        else:
            sigma = self.device.normal_noise_uS(self.cells * lsb, self.time_s, self.origin * lsb)
        variance = (sigma / lsb / NORMAL_ONE) ** 2
        top = float(variance.max())
        if top == 0.0:
            return None, 1.0
        unit = variance_unit(top, self.config.lines)
        return np.rint(variance / unit).astype(np.int64), unit

    @property
    def _cells_fluctuate(self) -> bool:
        return "read-noise" in self.causes and self.device.read_noise.generator == "cells"

    def _shift_register(self) -> ShiftRegister | None:
        if "read-noise" not in self.causes or self.device.read_noise.generator != "lfsr":
            return None
        sigma = float(self.device.read_noise_uS(0.0)) / self.config.lsb_uS
        return ShiftRegister.of(sigma, g_bits=self.config.g_bits, seed=self.seed, core=self.core)

    @property
    def output_noise_V(self) -> float:
        """Standard deviation of the converters' noise in each conversion, referred to the integrator, in V."""
        return self.device.converter.sigma_output_mV * 1e-3 if "adc" in self.causes else 0.0

    @property
    def _spread(self) -> bool:
        """Whether the converters have the errors that the configuration gives them."""
        return "adc" in self.causes and self.device.converter.spread

    def _converters(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Errors of each converter: offset in V and that of its amplifier, of shape (lines,); gains, (2, lines)."""
        n, config = self.config.lines, self.config
        offset, gain, amplifier = np.zeros(n), np.zeros((2, n)), np.zeros(n)
        if self._spread:
            if config.sigma_offset_mV > 0.0:
                z = _of_converters(Purpose.CONVERTER_OFFSET, self.seed, self.core, n) / NORMAL_ONE
                offset = config.sigma_offset_mV * 1e-3 * z
            if config.sigma_gain > 0.0:
                z = _of_converters(Purpose.CONVERTER_GAIN, self.seed, self.core, 2 * n) / NORMAL_ONE
                gain = config.sigma_gain * z.reshape(2, n)
            if config.neuron.sigma_amplifier_offset_mV > 0.0:
                z = _of_converters(Purpose.AMPLIFIER_OFFSET, self.seed, self.core, n) / NORMAL_ONE
                amplifier = config.neuron.sigma_amplifier_offset_mV * 1e-3 * z
        return offset, gain, amplifier

    def key(self, backward: bool, wl: NDArray[np.bool_]) -> Key:
        """What conversions in one direction with the word lines ``wl`` on see of the array. Keys are cached."""
        wl = np.ascontiguousarray(wl, dtype=bool)
        return self._kept_key((bool(backward), wl.tobytes()), lambda: self._make_key(bool(backward), wl.copy()))

    def _forward_key(self, wl: NDArray[np.bool_], enabled: NDArray[np.bool_]) -> Key:
        """``key(False, wl).narrow(enabled)``, of which nothing else is made where nobody asks for the whole key."""
        used = enabled.reshape(-1, LANES).any(axis=1) if len(enabled) % LANES == 0 else np.ones(1, dtype=bool)
        if self.neuron is not None or self.register is not None or used.all() or not used.any():
            return self.key(False, wl).narrow(enabled)
        blocks = np.flatnonzero(used).astype(np.uint64)
        return self._kept_key((False, wl.tobytes() + used.tobytes()), lambda: self._make_key(False, wl.copy(), blocks))

    def _kept_key(self, name: tuple[bool, bytes], make: Callable[[], Key]) -> Key:
        found = self._keys.get(name)
        if found is None:
            found = self._keys[name] = make()
            if len(self._keys) > _KEYS:
                self._keys.popitem(last=False)
        else:
            self._keys.move_to_end(name)
        return found

    def _make_key(self, backward: bool, wl: NDArray[np.bool_], blocks: NDArray[np.uint64] | None = None) -> Key:
        at = slice(None) if blocks is None else lines_of(blocks)
        cells = self.cells[:, at]
        variances, unit = self._variances_of(cells, at)
        every = bool(wl.all())
        variance = None if variances is None else np.multiply(variances, unit, dtype=np.float64)
        if variance is not None and not every:
            variance = np.where(wl[:, None], variance, 0.0)
        if backward and variance is not None:
            variance = variance.T
        if self.register is not None:
            # The inputs of all lines are alike to the register.
            variance = np.repeat(np.ones_like(wl) if backward else wl, len(wl)).reshape(2 * wl.shape).astype(np.float64)
        # Wires change the weights of a line, not their sum, to which steps and offsets stay proportional.
        held = cells if every else np.where(wl[:, None], cells, 0)
        sum_g = held.sum(axis=1 if backward else 0, dtype=np.int64)
        if self.wires.ideal:
            k = effective_cells(cells, self.config.lsb_uS, self.wires, wl, backward)
        else:
            k = effective_cells(self.cells, self.config.lsb_uS, self.wires, wl, backward)[:, at]
        if variance is not None and self.register is None and not sum_g.all():
            # A line without any conductance has no voltage of its own: nothing is integrated.
            variance = np.where(sum_g > 0, variance, 0.0)
        noise_V = self.output_noise_V
        traps = None if self.traps is None else self.traps.lines(backward, wl)
        return Key(
            backward=backward,
            wl=wl,
            k=np.array(k, dtype=np.int32, order="C"),
            sum_g=sum_g,
            offset=2 * np.rint(self.converter_offset_V[at] / self.config.v_read_V * sum_g).astype(np.int64) + 1,
            gain=self.converter_gain[:, at],
            output_noise=noise_V / self.config.v_read_V * sum_g / NORMAL_ONE if noise_V > 0.0 else None,
            variance=variance,
            register=self.register,
            traps=traps if traps is None or blocks is None else traps.narrow(lines_of(blocks)),
            blocks=blocks,
        )

    def steps(self, key: Key, step_code: int) -> Steps:
        """Decrements of each line, ``.pos`` from positive and ``.neg`` from negative charges: even, positive."""
        name = (id(key), step_code)
        found = self._steps.get(name)
        if found is None:
            # The key is kept with its steps, so that its identity is not given to another while it serves as a name.
            found = self._steps[name] = (key, line_steps(step_code, key.sum_g, key.gain))
            if len(self._steps) > _STEPS:
                self._steps.popitem(last=False)
        return found[1]

    def answer_steps(self, key: Key, step_code: int) -> Steps:
        """Steps that belong to the charges of :meth:`conversion`: those of :meth:`steps` where the neuron is ideal."""
        if self.neuron is None:
            return self.steps(key, step_code)
        return Steps(*np.full((2, len(key.sum_g)), UNIT_STEP)) if key.blocks is not None else self._unit_steps

    def counter(self, key: Key, step_code: int) -> Counter:
        """Integration and decrements of a neuron that is not ideal. Counters are cached."""
        assert self.neuron is not None
        name = (id(key), step_code)
        found = self._counters.get(name)
        if found is None:
            integrator = next((c.integrator for k, c in self._counters.values() if k is key), None)
            if integrator is None:
                integrator = Integrator(self.neuron, key, self.amplifier_offset_V, self.config.v_read_V)
            found = self._counters[name] = (key, Counter(integrator, self.steps(key, step_code)))
            if len(self._counters) > _STEPS:
                self._counters.popitem(last=False)
        return found[1]

    def charge(self, key: Key, x: ArrayLike, op_id: ArrayLike) -> NDArray[np.int64]:
        """Charges ``A = 2 a + o + 2 noise`` of one conversion: odd integers, of shape (batch, lines).

        ``x`` holds the integer inputs of all physical driven lines, at most 15 in magnitude, of shape (batch, lines);
        ``op_id`` numbers the conversion of each vector. The errors of a neuron that is not ideal are not in them.
        """
        inputs = np.asarray(x)
        top = np.abs(inputs).max(initial=0)
        if inputs.shape[-1] != self.config.lines or top > INPUT_TOP:
            raise InputError(
                f"inputs of a conversion must have shape (batch, {self.config.lines}) and magnitudes up to "
                f"{INPUT_TOP}, not shape {inputs.shape} and magnitude {top}"
            )
        ids = np.broadcast_to(np.asarray(op_id, dtype=np.uint64), inputs.shape[:-1])
        kind = key.lines.matrix.dtype
        return self._charge(key, key.lines, inputs.astype(kind), ids, INPUT_TOP).astype(np.int64)

    def conversion(
        self, key: Key, x_total: NDArray[np.integer], op_id: int, step_code: int, samples: int = INPUT_TOP
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """One conversion of one vector with little overhead: charges, and both steps, each of shape (lines,).

        ``x_total`` as in :meth:`charge`, of shape (lines,), but its range is not checked; ``samples`` of all planes
        made it. Of a neuron that is not ideal, the charges are those from which an ideal one with the steps that come
        along (:meth:`answer_steps`) counts as many decrements as this one.
        """
        product = key.lines
        x = x_total.astype(product.matrix.dtype)
        if key.pairs is not None and product.matrix.dtype == key.pairs.matrix.dtype:
            even = x[0::2]
            # Lines whose word line is off may break the antisymmetry; then all lines are taken.
            if not (even + x[1::2]).any():
                product, x = key.pairs, np.ascontiguousarray(even)
        read = self._read_draws(op_id) if product.spread is not None else None
        output = self._ahead[1].fetch(op_id) if key.output_noise is not None else None
        if self.neuron is not None:
            ids = np.array([op_id], dtype=np.uint64)
            counted = self._counted(key, product, x[None], ids, samples, step_code, COUNT_TOP, read, output)
            return counted[0].astype(np.int64), self._unit_steps.pos, self._unit_steps.neg
        steps, number = self.steps(key, step_code), np.array(op_id, dtype=np.uint64)
        return key.charge(product, x, INPUT_TOP, read, output, number).astype(np.int64), steps.pos, steps.neg

    def _read_draws(self, op_id: int) -> NDArray[np.int16]:
        return self._ahead[0].fetch(op_id) if self.register is None else self.register.draws(op_id, self.config.lines)

    def _charge(
        self, key: Key, product: Product, x: NDArray[np.floating], op_id: NDArray[np.uint64], x_top: int
    ) -> NDArray[Any]:
        """Charges of a batch as exact integers in single or double precision, whichever holds them."""
        return key.charge(product, x, x_top, *key.draws(product, op_id, self.seed, self.core), op_id)

    def _converted(
        self, op: MvmOperation, key: Key, product: Product, x: NDArray[np.floating], op_id: NDArray[np.uint64],
        samples: int,
    ) -> NDArray[Any]:
        """Charges for :meth:`answer_steps`: :meth:`_charge`, or :meth:`_counted` of a neuron that is not ideal."""
        if self.neuron is None:
            return self._charge(key, product, x, op_id, samples)
        noise = key.draws(product, op_id, self.seed, self.core)
        return self._counted(key, product, x, op_id, samples, op.step_code, op.max_steps, *noise)

    def _counted(
        self,
        key: Key,
        product: Product,
        x: NDArray[np.floating],
        op_id: NDArray[np.uint64],
        samples: int,
        step_code: int,
        cap: int,
        read: NDArray[np.int16] | None,
        output: NDArray[np.int16] | None,
    ) -> NDArray[np.float64]:
        """Counts of a neuron that is not ideal, as charges for :meth:`answer_steps`, of shape (batch, lines)."""
        counter = self.counter(key, step_code)
        sampled = None
        if counter.integrator.sampling is not None:
            sampled = key.drawn(Purpose.SAMPLING, op_id, self.seed, self.core)
        charge = counter.integrator.compute(product, x, samples, read, output, sampled, op_id)
        return counter.compute(charge, cap, op_id, self.seed, self.core)

    def mvm(self, op: MvmOperation, masks: Masks, x: ArrayLike, op_id: ArrayLike) -> MvmResult:
        """Matrix-vector products of a batch.

        Parameters
        ----------
        op
            The operation.
        masks
            Masks of the core.
        x
            Integer codes within ``op.input_range``: of shape (batch, lines / 2) forward, (batch, lines) backward.
        op_id
            Number of each vector's first conversion, of shape (batch,) or one for all; a second segment has the next.

        Raises
        ------
        InputError
            If shapes do not fit, an input is out of range, or a binary search is asked of a neuron that is not ideal.
        """
        inputs = self._checked_inputs(op, masks, x)
        ids = np.broadcast_to(np.asarray(op_id, dtype=np.uint64), inputs.shape[:1])
        backward = op.direction is Direction.BACKWARD
        key, enabled = self.key(backward, masks.word_lines(op)), masks.enabled(op)
        key = key.narrow(enabled)
        steps, enabled = self.answer_steps(key, op.step_code), enabled[key.columns]
        if backward and masks.sl_skip.any():
            inputs = np.where(masks.sl_skip, 0, inputs)
        product = key.lines if key.pairs is None else key.pairs
        codes = np.zeros((len(inputs), len(enabled)), dtype=np.int16)
        taken = np.zeros((len(inputs), op.segments), dtype=np.int64)
        size = _BLOCK * self.config.lines // len(enabled)
        for start in range(0, len(inputs), size):
            block = slice(start, start + size)
            x_block = inputs[block].astype(product.matrix.dtype)
            for segment, (planes, part) in enumerate(zip(op.segment_planes, segment_inputs(op, x_block), strict=True)):
                numbers, samples = ids[block] + np.uint64(segment), 2**planes - 1
                charge = self._converted(op, key, product, part, numbers, samples)
                found, taken[block, segment] = convert_charge(op, charge, steps, enabled)
                codes[block] = combine_segments(codes[block], found)
        if key.blocks is not None:
            narrow, codes = codes, np.zeros((len(inputs), self.config.lines), dtype=np.int16)
            codes[:, key.columns] = narrow
        return MvmResult(codes, taken)

    def bind(
        self, op: MvmOperation, masks: Masks, rows: NDArray[np.integer], taken: NDArray[np.integer], inputs: int,
        columns: NDArray[np.integer],
    ) -> FoldedProduct:
        """See :func:`macro_models.bound.bind`."""
        assert op.direction is Direction.FORWARD
        enabled = masks.enabled(op)
        key = self._forward_key(masks.word_lines(op), enabled)

        def charge(
            key: Key, product: Product, x: NDArray[np.floating], op_id: NDArray[np.uint64], samples: int
        ) -> NDArray[Any]:
            return self._converted(op, key, product, x, op_id, samples)

        quiet = self.neuron is None and key.quiet
        return FoldedProduct(
            op, key, enabled[key.columns], self.answer_steps(key, op.step_code), rows=rows, taken=taken, inputs=inputs,
            columns=columns, charge=charge, quiet=quiet, noise=self._cell_noise(key),
        )

    def _cell_noise(self, key: Key) -> tuple[int, int] | None:
        """Key of the draws of the read noise where charges have no other noise, and none of a shift register."""
        if self.neuron is not None or key.register is not None or key.output_noise is not None or key.variance is None:
            return None
        if key.traps is not None:
            return None
        return philox_key(Purpose.READ_NOISE, self.seed, self.core)

    def supports(self, op: MvmOperation) -> bool:
        """Whether this macro carries out such operations: a neuron that is not ideal only counts."""
        return self.neuron is None or op.converter is Converter.COUNT

    def full_scale(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> float:
        """Step code at which the largest product of a batch counts just to the end of the converter's range."""
        inputs, backward = np.asarray(x), op.direction is Direction.BACKWARD
        key = self.key(backward, masks.word_lines(op))
        driven = inputs if backward else np.stack([inputs, -inputs], axis=2).reshape(len(inputs), -1)
        largest = np.abs(driven @ key.k.astype(np.int64)) / np.maximum(key.sum_g, 1)
        # The lines of an MSB segment carry a sixteenth of the input.
        full = float(largest.max()) / 16 ** (op.segments - 1) / max(op.max_steps, 1)
        return full * 2**STEP_FRACTION_BITS

    def _checked_inputs(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> NDArray[np.integer]:
        n, width = self.config.lines, self.config.inputs(op.direction)
        inputs = np.asarray(x)
        if inputs.ndim != 2 or inputs.shape[1] != width or not np.issubdtype(inputs.dtype, np.integer):
            raise InputError(f"inputs must be integers of shape (batch, {width}), not {inputs.dtype} of {inputs.shape}")
        if not self.supports(op):
            raise InputError("converter must be count where the neuron is not ideal, not binary")
        if masks.bl_skip.shape != (n,):
            raise InputError(f"masks must be for {n} lines, not {masks.bl_skip.shape[0]}")
        low, high = op.input_range
        if inputs.size and not (low <= inputs.min() and inputs.max() <= high):
            raise InputError(f"inputs must be between {low} and {high}, not {inputs.min()} to {inputs.max()}")
        return inputs

"""A transposable macro: cells, and the matrix-vector products that they give in both directions."""


import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import STEP_FRACTION_BITS, Masks, MvmOperation
from mho.macro_models.integer.random import Purpose, normal_codes, philox_key
from mho.macro_models.integer.tnsa.converter import combine_segments
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.macro import MvmResult
from mho.macro_models.tnsa.bound.product import FoldedProduct
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.converter.conversion import convert_charge, segment_inputs
from mho.macro_models.tnsa.converter.neuron import COUNT_TOP
from mho.macro_models.tnsa.sensed import SensedCore
from mho.macro_models.tnsa.sensing import INPUT_TOP, Key, Product
from mho.macro_models.types import Array, Integers, Integral, Reals

_BLOCK = 128  # vectors at a time, on all lines: what is alive fits into the second-level cache


class TnsaModel(SensedCore):
    """One programmed core. Everything random is drawn by counter: equal arguments give equal results, always.

    The cells are ``[bit line, source line]``, of shape (lines, lines);
    :class:`~mho.macro_models.macro.MacroModel` has the parameters.
    """

    CONFIG = TnsaConfig

    def charge(self, key: Key, x: ArrayLike, op_id: ArrayLike) -> Integers:
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
        self, key: Key, x_total: Integral, op_id: int, step_code: int, samples: int = INPUT_TOP
    ) -> tuple[Integers, Integers, Integers]:
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
        output = self._draws(Purpose.OUTPUT_NOISE, op_id) if key.output_noise is not None else None
        if self.neuron is not None:
            ids = np.array([op_id], dtype=np.uint64)
            counted = self._counted(key, product, x[None], ids, samples, step_code, COUNT_TOP, read, output)
            return counted[0].astype(np.int64), self._unit_steps.pos, self._unit_steps.neg
        steps, number = self.steps(key, step_code), np.array(op_id, dtype=np.uint64)
        return key.charge(product, x, INPUT_TOP, read, output, number).astype(np.int64), steps.pos, steps.neg

    def _read_draws(self, op_id: int) -> NDArray[np.int16]:
        if self.register is not None:
            return self.register.draws(op_id, self.config.lines)
        return self._draws(Purpose.READ_NOISE, op_id)

    def _draws(self, purpose: Purpose, op_id: int) -> NDArray[np.int16]:
        return normal_codes(purpose, seed=self.seed, core=self.core, items=self.config.lines, op_id=op_id)

    def _charge(
        self, key: Key, product: Product, x: NDArray[np.floating], op_id: NDArray[np.uint64], x_top: int
    ) -> Array:
        """Charges of a batch as exact integers in single or double precision, whichever holds them."""
        return key.charge(product, x, x_top, *key.draws(product, op_id, self.seed, self.core), op_id)

    def _converted(
        self, op: MvmOperation, key: Key, product: Product, x: NDArray[np.floating], op_id: NDArray[np.uint64],
        samples: int,
    ) -> Array:
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
    ) -> Reals:
        """Counts of a neuron that is not ideal, as charges for :meth:`answer_steps`, of shape (batch, lines)."""
        counter = self.counter(key, step_code)
        sampled = None
        if counter.integrator.sampling is not None:
            sampled = key.drawn(Purpose.SAMPLING, op_id, self.seed, self.core)
        charge = counter.integrator.compute(product, x, samples, read, output, sampled, op_id)
        return counter.compute(charge, cap, op_id, self.seed, self.core)

    def mvm(self, op: MvmOperation, masks: Masks, x: ArrayLike, op_id: ArrayLike) -> MvmResult:
        """Matrix-vector products of a batch; see :meth:`mho.macro_models.macro.MacroModel.mvm`.

        Raises InputError also if a binary search is asked of a neuron that is not ideal.
        """
        op = TnsaOperation.of(op)
        inputs = self._checked_inputs(op, masks, x)
        ids = np.broadcast_to(np.asarray(op_id, dtype=np.uint64), inputs.shape[:1])
        key, enabled = self.key(op.backward, masks.word_lines(op)), masks.enabled(op)
        key = key.narrow(enabled)
        steps, enabled = self.answer_steps(key, op.step_code), enabled[key.columns]
        if op.backward and masks.sl_skip.any():
            inputs = np.where(masks.sl_skip, 0, inputs)
        product = key.lines if key.pairs is None else key.pairs
        codes = np.zeros((len(inputs), len(enabled)), dtype=np.int16)
        steps_made = np.zeros((len(inputs), op.segments), dtype=np.int64)
        size = _BLOCK * self.config.lines // len(enabled)
        for start in range(0, len(inputs), size):
            block = slice(start, start + size)
            x_block = inputs[block].astype(product.matrix.dtype)
            for segment, (planes, part) in enumerate(zip(op.segment_planes, segment_inputs(op, x_block), strict=True)):
                numbers, samples = ids[block] + np.uint64(segment), 2**planes - 1
                charge = self._converted(op, key, product, part, numbers, samples)
                segment_codes, steps_made[block, segment] = convert_charge(op, charge, steps, enabled)
                codes[block] = combine_segments(codes[block], segment_codes)
        if key.blocks is not None:
            narrow, codes = codes, np.zeros((len(inputs), self.config.lines), dtype=np.int16)
            codes[:, key.columns] = narrow
        return MvmResult(codes, steps_made)

    def bind(
        self, op: MvmOperation, masks: Masks, rows: Integral, taken: Integral, inputs: int,
        columns: Integral,
    ) -> FoldedProduct:
        """See :meth:`mho.macro_models.macro.MacroModel.bind`."""
        op = TnsaOperation.of(op)
        assert not op.backward
        enabled = masks.enabled(op)
        key = self._forward_key(masks.word_lines(op), enabled)

        def charge(
            key: Key, product: Product, x: NDArray[np.floating], op_id: NDArray[np.uint64], samples: int
        ) -> Array:
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
        return self.neuron is None or not TnsaOperation.of(op).binary

    def full_scale(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> float:
        """Step code at which the largest product of a batch counts just to the end of the converter's range."""
        inputs, key = np.asarray(x), self.key(op.backward, masks.word_lines(op))
        driven = inputs if op.backward else np.stack([inputs, -inputs], axis=2).reshape(len(inputs), -1)
        load = self.config.load_of(key.sum_g, unit_uS=self.config.lsb_uS)
        largest = np.abs(driven @ key.k.astype(np.int64)) / np.maximum(load, 1)
        # The lines of an MSB segment carry a sixteenth of the input.
        full = float(largest.max()) / 16 ** (op.segments - 1) / max(op.max_steps, 1)
        return full * 2**STEP_FRACTION_BITS

    def _checked_inputs(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> Integral:
        if not self.supports(op):
            raise InputError("converter must be count where the neuron is not ideal, not binary")
        return self.checked_inputs(op, masks, x)

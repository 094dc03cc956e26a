"""A programmed array, and the matrix-vector products that it gives."""

from collections.abc import Mapping
from dataclasses import replace
from math import hypot
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.array.cells import effective_cells
from mho.macro_models.array.nonlinear.reading import Reading
from mho.macro_models.array.wires import Wires
from mho.macro_models.cells.answering import AnsweringCells
from mho.macro_models.cells.programming import programmed
from mho.macro_models.errors import InputError
from mho.macro_models.integer.array.operation import ArrayOperation, driven
from mho.macro_models.integer.operation import MAX_BITS, STEP_FRACTION_BITS, Masks, MvmOperation
from mho.macro_models.integer.random import NORMAL_ONE, Purpose, normal_codes
from mho.macro_models.kinds.array.config import ArrayConfig
from mho.macro_models.macro import MacroModel, MvmResult
from mho.macro_models.macro.conversion import ColumnConverter, ConverterErrors, RowConversion
from mho.macro_models.types import Array, Flags, Indices, Integers, Integral, Reals

_BLOCK = 256  # vectors at a time
_EXACT_SINGLE = 2**24
_REFERENCE = 1 << 23
"""Of the number of a core, for the draws of its reference column."""


class ArrayModel(MacroModel):
    """One programmed core. Everything random is drawn by counter: equal arguments give equal results, always.

    The cells are ``[row, column]``; of pairs of columns the even one counts for more.
    :class:`~mho.macro_models.macro.MacroModel` has the parameters.
    """

    CONFIG, OPERATION = ArrayConfig, ArrayOperation
    config: ArrayConfig

    _answering: AnsweringCells | None = None
    """The cells, since they were pulsed."""
    _pulsed = False
    """They were since the last product."""

    @property
    def answering(self) -> AnsweringCells:
        """The cells as updates of all of them at once move them: see :meth:`pulse`."""
        if self._answering is None:
            law = self.device.update
            if not law.model:
                raise InputError(f"{self.device.name}: a device must have a section [update] for updates of all cells")
            self._answering = AnsweringCells(law, self.seed, self.core, self.cells * self.config.lsb_uS)
        return self._answering

    def pulse(self, rows: Flags, columns: Flags, sign: int) -> None:
        """Move the cells where lines of these pulse both, up (1) or down (-1); products see them as they are then.

        Raises InputError if the device does not say how cells answer.
        """
        self.answering.pulse(np.flatnonzero(np.outer(rows, columns)), sign)
        self._pulsed = True

    def take(self, changes: dict[str, Any]) -> None:
        """Take over what pulses have made of the same cells elsewhere (``answering.changes()``)."""
        self.answering.take(changes)
        self._pulsed = True

    def state(self) -> dict[str, Any]:
        """See :class:`~mho.macro_models.macro.MacroModel`."""
        pulsed = {} if self._answering is None else {"pulsed": self._answering.changes()}
        return super().state() | pulsed

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """See :class:`~mho.macro_models.macro.MacroModel`."""
        model = super().from_state(state)
        if "pulsed" in state:
            model.take(state["pulsed"])
        return model

    def _begin(self) -> None:
        config, device = self.config, self.device
        self._wires, self._reading = config.wires if "wire" in self.causes else Wires(), None
        if "wire" in self.causes and device.conduction.acts:
            if config.steps.digit_bits > 1:
                raise InputError(
                    f"{device.name}: conduction must be left out unless inputs are driven bit by bit (input.bits = 1), "
                    f"as each of {2**config.steps.digit_bits - 1} levels of a row would have a matrix of its own"
                )
            self._reading = Reading(conduction=device.conduction, v_V=config.v_read_V, temp_C=self.temp_C)
        self._variances, self._unit = self.variances_of_cells() or (None, 1.0)
        self._errors, self._thermal = None, config.thermal_code(self.temp_C)
        if "adc" in self.causes and "adc" in config.active_causes(device):
            self._errors = [
                np.repeat(self._drawn(purpose), config.share) * sigma / NORMAL_ONE for purpose, sigma in (
                    (Purpose.CONVERTER_OFFSET, config.sigma_offset), (Purpose.CONVERTER_GAIN, config.sigma_gain),
                    (Purpose.CONVERTER_CURVE, config.sigma_inl),
                )
            ]

    def _drawn(self, purpose: Purpose) -> NDArray[np.int16]:
        """A normal for each converter."""
        return normal_codes(purpose, seed=self.seed, core=self.core, items=self.conversions // self.config.share)

    @property
    def conversions(self) -> int:
        """Conversions of a step: one a column of weights, of two arrays one for each, the first array's first."""
        return self.config.columns * (2 if self.config.weights == "arrays" else 1)

    def key(self, wl: Flags) -> RowConversion:
        """What conversions with the word lines ``wl`` on see of the array. Keys are cached."""
        if self._pulsed:
            self._pulsed, self.cells = False, self.config.codes(self.answering.g_uS)
            self._keys.clear()
            self._begin()
        every = np.ones(self.config.rows, dtype=bool)
        on = np.array(wl, dtype=bool) if self.config.access == "transistor" else every
        if self._wires.ideal and self._reading is None:
            return replace(self.kept_key(b"", lambda: self._make_key(every)), on=on)
        return self.kept_key(on.tobytes(), lambda: self._make_key(on))

    def _make_key(self, wl: Flags) -> RowConversion:
        """Cells as wires, clamps and word lines leave them, and their variances, one column where all are equal."""
        cells, weights = self.cells, self.config.weights
        if weights == "arrays":
            products = np.hstack([self._effective(cells[:, side::2], wl) for side in (0, 1)])
        elif weights == "pairs":
            effective = self._effective(cells, wl)
            products = effective[:, 0::2] - effective[:, 1::2]
        else:  # the reference column is at the far end of the rows
            effective = self._effective(np.hstack([cells, self._reference()]), wl)
            products = effective[:, :-1] - effective[:, -1:]
        top = (1 << (self.config.steps.digit_bits if self.config.digital else MAX_BITS)) - 1
        if float(np.abs(products).sum(axis=0).max(initial=0.0)) * top < _EXACT_SINGLE:
            products = products.astype(np.float32)
        key = RowConversion(products=products, unit=self._unit, seed=self.seed, core=self.core)
        if self._variances is None:
            return key
        noise = np.where(wl[:, None], self._variances, 0.0)
        if weights != "offset":
            both = noise[:, 0::2], noise[:, 1::2]
            noise = np.hstack(both) if weights == "arrays" else both[0] + both[1]
        return replace(key, variances=noise[:, :1] if (noise == noise[:, :1]).all() else noise)

    def _reference(self) -> Indices:
        """Codes of the reference column, of shape (rows, 1); its cells draw as those of a core of their own."""
        config = self.config
        if config.reference == "fixed":
            return np.full((config.rows, 1), config.middle, dtype=np.int32)
        target_uS = np.full((config.rows, 1), config.middle * config.lsb_uS)
        return config.codes(programmed(
            target_uS, device=self.device, seed=self.seed, core=self.core ^ _REFERENCE, time_s=self.time_s,
            temp_C=self.temp_C, causes=self.causes,
        ).g_uS)

    def _effective(self, cells: Array, wl: Flags) -> Reals:
        """Codes of the cells of one array, whole numbers."""
        return effective_cells(
            cells, self.config.lsb_uS, self._wires, wl, False, self._reading, mode="current"
        ).astype(np.float64)

    def codes(
        self, key: RowConversion, x: Integral, op_id: NDArray[np.uint64], step: int, step_code: int
    ) -> tuple[Integers, Flags]:
        """Codes of the conversions of a step, in steps of the converter, and which are beyond what it takes.

        ``x`` is what rows drive, (batch, rows), both results (batch, :attr:`conversions`).
        """
        conversion = self.conversion(key, step_code)
        sums = conversion.sums(x, op_id, step)
        return conversion.codes_of(sums, op_id, step), np.abs(sums) > self.config.limit(step_code)

    def conversion(self, key: RowConversion, step_code: int) -> RowConversion:
        """What makes the codes of steps."""
        config, errors = self.config, None
        size = config.step(step_code)
        if self._errors is not None:
            offset, gain, bow = self._errors
            noise = hypot(config.noise, self._thermal / size)
            errors = ConverterErrors(offset=offset, gain=gain, bow=bow, noise=noise)
        converter = ColumnConverter(step=size, bits=config.bits, full_code=config.full_code, errors=errors)
        return replace(key, converter=converter)

    def mvm(self, op: MvmOperation, masks: Masks, x: ArrayLike, op_id: ArrayLike) -> MvmResult:
        """Matrix-vector products of a batch; see :meth:`mho.macro_models.macro.MacroModel.mvm`."""
        inputs, config = self.checked_inputs(op, masks, x), self.config
        ids = np.broadcast_to(np.asarray(op_id, dtype=np.uint64), inputs.shape[:1])
        key = self.key(masks.word_lines(op))
        enabled = masks.enabled(op)[:: config.cell_map.column_lines]
        codes, top = np.empty((len(inputs), config.columns), dtype=np.int16), 2**op.out_bits - 1
        clipped = np.zeros(codes.shape, dtype=np.bool_)
        for start in range(0, len(inputs), _BLOCK):
            block = slice(start, start + _BLOCK)
            total = np.zeros(codes[block].shape, dtype=np.int64)
            for weight, step, x_step in self._conversions(op, inputs[block] * masks.driven(op)):
                codes_of_step, beyond = self.codes(key, x_step, ids[block], step, op.step_code)
                for side, sign in zip(range(0, self.conversions, config.columns), (1, -1), strict=False):
                    total += sign * weight * self.half_steps(codes_of_step[:, side : side + config.columns])
                    clipped[block] |= beyond[:, side : side + config.columns]
            total = np.clip(total, -top, top)
            codes[block] = np.where(enabled & ~(op.relu & (total < 0)), total, 0)
        return MvmResult(codes, np.zeros((len(inputs), 1), dtype=np.int64), clipped=clipped[:, enabled].sum(axis=1))

    def half_steps(self, codes: Integers) -> Integers:
        """Half steps that codes are: odd ones of a converter of one bit."""
        return 2 * codes + (self.config.bits == 1)

    def _conversions(self, op: MvmOperation, inputs: Array) -> list[tuple[int, int, Integral]]:
        """(what its codes count, number, what rows drive) of all conversions of a product."""
        if not self.config.digital:
            return [(1, 0, inputs.astype(np.int64))]
        steps, conversions = self.config.steps, []
        for step in reversed(range(steps.count(op))):
            sign = -1 if self.config.chop and steps.chopped(step, op) else 1
            conversions.append((sign * steps.weight(step), step, sign * driven(steps, inputs, step)))
        return conversions

    def full_scale(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> float:
        """Step code at which the largest product of a conversion is just the end of the converter's range."""
        key, parts = self.key(masks.word_lines(op)), self._conversions(op, np.asarray(x) * masks.driven(op))
        largest = max(np.abs(step.astype(np.float64) @ key.products).max(initial=0.0) for _, _, step in parts)
        full = float(largest) * self.config.lsb_uS / self.config.full_uS
        return full / self.config.most_steps(op) * 2**STEP_FRACTION_BITS

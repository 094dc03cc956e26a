"""A phase-change core: devices, and the matrix-vector products that they give."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import STEP_FRACTION_BITS, Masks, MvmOperation
from mho.macro_models.integer.pwm.calibration import (
    PRODUCT_READS,
    REFERENCE_READS,
    REGISTERS,
    Calibration,
    Compensation,
    calibrate,
    compensate,
    stored_vectors,
)
from mho.macro_models.integer.pwm.converter import (
    COUNT_BITS,
    NEGATIVE,
    POSITIVE,
    Oscillators,
    Trim,
    Whole,
    counts,
    level,
)
from mho.macro_models.integer.pwm.operation import PwmOperation
from mho.macro_models.integer.random import LANES, Purpose, bits_of_blocks
from mho.macro_models.macro import MacroModel, MvmResult
from mho.macro_models.pwm.config import PwmConfig
from mho.macro_models.pwm.sensing import Key, NarrowProduct, made_oscillators
from mho.macro_models.types import Array, Flags, Integers, Integral, Reals

_BLOCK = 128  # vectors at a time
_HALF_PHASE = float(1 << COUNT_BITS - 1)

Counters = tuple[Whole, Whole]


class PwmModel(MacroModel):
    """One programmed core. Everything random is drawn by counter: equal arguments give equal results, always.

    The devices are ``[driven line, column]``, of the shape of :class:`~mho.macro_models.pwm.config.FilledDevices`;
    :class:`~mho.macro_models.macro.MacroModel` has the parameters.
    """

    CONFIG, OPERATION = PwmConfig, PwmOperation
    config: PwmConfig

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "PwmModel":
        """The model that :meth:`state` described."""
        registers = {name: np.ascontiguousarray(state[name], dtype=np.int32) for name in REGISTERS}
        model = cls._restored(state)
        model._begin(Calibration.of(registers, state["range_code"]))
        return model

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`from_state` needs: arrays, and JSON types."""
        return {**super().state(), **self.calibration.registers, "range_code": self.calibration.range_code}

    def _begin(self, calibration: Calibration | None = None) -> None:
        config, device = self.config, self.device
        if device.conduction.acts:
            raise InputError(f"{device.name}: conduction must be left out for a core of kind pwm: its reads are linear")
        self._blocks = np.arange(config.lines // LANES, dtype=np.uint64)
        self._variances = self.variances_of_cells()
        ideal = Oscillators.ideal(config.lines, config.top_counts)
        self.oscillators = made_oscillators(config, self.seed, self.core) if self.has_converter_errors else ideal
        """The converters as they are made."""
        self.calibration = self.calibrated() if calibration is None else calibration
        """Registers that correct the converters: what the core's own calibration finds, if nothing else is given."""
        self.compensation: Compensation | None = None
        """The command that has set them since, if one has."""

    @property
    def calibration(self) -> Calibration:
        """Registers that correct the converters; products take them as they are."""
        return self._calibration

    @calibration.setter
    def calibration(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self.trimmed = self.oscillators.trimmed(calibration.trim)
        """The converters with their trim registers set."""

    @property
    def has_converter_errors(self) -> bool:
        """Whether the converters have the errors that the configuration gives them."""
        return "adc" in self.causes and self.device.converter.spread

    @property
    def free_running(self) -> bool:
        """Whether oscillators begin conversions anywhere in their period."""
        return self.has_converter_errors and self.config.free_running

    def _phases(self, purpose: Purpose, op_id: NDArray[np.uint64], blocks: NDArray[np.uint64]) -> Whole:
        """Phases of oscillators of some blocks of columns at the start of conversions, (2, conversions, columns)."""
        if not self.free_running:
            return np.full((2, 1, 1), _HALF_PHASE)
        both = np.concatenate([blocks, blocks + np.uint64(self.config.lines // LANES)])
        drawn = bits_of_blocks(purpose, seed=self.seed, core=self.core, block=both, op_id=op_id)
        phase = drawn.reshape(len(drawn), 2, -1).transpose(1, 0, 2).astype(np.float64) * 2.0 ** (COUNT_BITS - 16)
        phase += 2.0 ** (COUNT_BITS - 17)
        return phase

    @property
    def windows(self) -> int:
        """Windows of each oscillator in a conversion."""
        return 1 if self.config.phases == 1 else 2

    def reference_counts(self, trim: Trim, positive: int, negative: int, op_id: ArrayLike) -> Counters:
        """Counters of conversions of reference currents ``u``, the same in all columns, (conversions, columns) each.

        ``op_id`` numbers them in a space of their own.
        """
        ids = np.atleast_1d(np.asarray(op_id, dtype=np.uint64))
        phase, trimmed = self._phases(Purpose.REFERENCE_PHASE, ids, self._blocks), self.oscillators.trimmed(trim)
        positive_counts, negative_counts = (
            counts(np.broadcast_to(phase[polarity], (len(ids), self.config.lines)), self.windows * trimmed.grow(
                polarity, np.full(self.config.lines, float(u)), reference=True
            ))
            for polarity, u in ((POSITIVE, positive), (NEGATIVE, negative))
        )
        return positive_counts, negative_counts

    def calibrated(self) -> Calibration:
        """What the core's own calibration finds; see :mod:`mho.macro_models.integer.pwm.calibration`."""
        def read(trim: Trim, positive: int, negative: int, number: int) -> tuple[Integers, Integers]:
            counters = self.reference_counts(trim, positive, negative, np.arange(number, number + REFERENCE_READS))
            positive_sum, negative_sum = (counted.sum(axis=0).astype(np.int64) for counted in counters)
            return positive_sum, negative_sum

        config = self.config
        if not self.has_converter_errors:
            return Calibration.reset(config.lines, config.nominal_gain_code)
        return calibrate(
            read, columns=config.lines, top=config.top_counts, windows=self.windows, gain=config.nominal_gain_code
        )

    def differences(self, vectors: Integral, step_code: int, session: int, calibration: Calibration) -> Integers:
        """Differences of the counters of vectors, summed over the reads of each, (vectors, columns).

        ``step_code`` is that of the operation; ``session`` numbers the readings of the vectors, which differ in their
        noise. All word lines are on.
        """
        count, trimmed = len(vectors), self.oscillators.trimmed(calibration.trim)
        key = self._whole_key()
        total = np.zeros((count, self.config.lines), dtype=np.int64)
        for read in range(PRODUCT_READS):
            first = (1 << 63) + (session << 32) + read * count
            numbers = np.uint64(first) + np.arange(count, dtype=np.uint64)
            positive, negative = self.counters(key, vectors, numbers, calibration.step_code(step_code), trimmed)
            total += (positive - negative).astype(np.int64)
        return total

    def _whole_key(self) -> Key:
        """With all word lines on."""
        return self.key(np.ones(self.config.cell_map.shape[0], dtype=bool))

    def read_vector(self, x: Integral, numbers: NDArray[np.uint64], step_code: int) -> Integers:
        """Differences of the counters of one vector, (reads, columns), read with ``numbers`` and all word lines on.

        ``step_code`` is that at the pins.
        """
        inputs = np.broadcast_to(x, (len(numbers), len(x)))
        positive, negative = self.counters(self._whole_key(), inputs, numbers, step_code)
        return (positive - negative).astype(np.int64)

    def reference_step(self, vectors: Integral) -> int:
        """Step code at which stored vectors are read.

        The least power of two at which no counter of the first eight gets beyond three quarters of a window.
        """
        key = self._whole_key()
        numbers, code = np.uint64((1 << 63) + (1 << 62)) + np.arange(8, dtype=np.uint64), 1 << 15
        while code > 1:
            both = self.counters(key, vectors[:8], numbers, self.calibration.step_code(code // 2))
            if max(side.max() for side in both) > 3 * self.config.top_counts // 4:
                break
            code //= 2
        return code

    def compensate(self, fresh: "PwmModel", exact: "PwmModel", how: str, rows: Flags) -> None:
        """Set the registers as the core's own command does; see :mod:`mho.macro_models.integer.pwm.calibration`.

        ``fresh`` is this core when it was programmed, ``exact`` one without any error, ``rows`` are those that hold
        weights.
        """
        vectors, source = np.where(rows, stored_vectors(self.config.lines), 0), exact if how == "affine" else fresh
        code, session = source.reference_step(vectors), 0
        stored = source.differences(vectors, code, session, source.calibration)

        def read(calibration: Calibration) -> Integers:
            nonlocal session
            session += 1
            return self.differences(vectors, code, session, calibration)

        self.calibration = compensate(how, stored, source.calibration.digital, read, fresh.calibration)
        self.compensation = Compensation(
            how=how, vectors=vectors, stored=stored, step_code=code, before=fresh.calibration
        )

    def key(self, wl: Flags) -> Key:
        """What conversions with the word lines ``wl`` on, one a driven line, see of the array. Keys are cached."""
        on = np.array(wl, dtype=bool)
        return self.kept_key(on.tobytes(), lambda: self._make_key(on))

    def _make_key(self, wl: Flags) -> Key:
        cell_map = self.config.cell_map
        devices = cell_map.each

        def signs(of: Array) -> tuple[Reals, Reals]:
            on = np.where(wl[:, None], of, 0).astype(np.float64).reshape(cell_map.rows, cell_map.cells, -1)
            return on[:, :devices].sum(axis=1), on[:, devices:].sum(axis=1)

        variances, unit = (None, 1.0) if self._variances is None else self._variances
        return Key(signs(self.cells), None if variances is None else signs(variances), unit, self._blocks)

    def charges(self, key: Key, x: Array, op_id: NDArray[np.uint64]) -> Reals:
        """See :meth:`Key.charges`; ``x`` holds whole numbers."""
        return key.charges(np.asarray(x, dtype=np.float64), op_id, self.config.phases, self.seed, self.core)

    def counters(
        self, key: Key, x: Array, op_id: NDArray[np.uint64], step_code: int,
        oscillators: Oscillators | None = None, clipped: Flags | None = None,
    ) -> Counters:
        """Counters of both oscillators after conversions, each of shape (batch, columns of the key).

        ``step_code`` is that at the macro's pins (:meth:`Calibration.step_code`), ``oscillators`` the trimmed ones of
        the key's columns. ``clipped``, of the shape of the counters, gets which met the highest frequency.
        """
        charge = self.charges(key, x, op_id)
        if clipped is not None and charge.size:
            limit = self.config.limit(step_code)
            if max(charge.max(), -charge.min()) >= limit:
                np.any(np.abs(charge) >= limit, axis=0, out=clipped)
        step, gain = self.config.step(step_code), self.config.nominal_gain_code
        oscillators = oscillators or self.trimmed
        phase = self._phases(Purpose.CONVERTER_PHASE, op_id, key.blocks)
        if self.config.phases == 1:
            sides = [[np.maximum(charge[0], 0.0)], [np.maximum(-charge[0], 0.0)]]
        else:
            sides = [[charge[0], charge[1]], [charge[2], charge[3]]]

        def counted(polarity: int) -> Whole:
            first, *further = (oscillators.grow(polarity, level(charge, step, gain)) for charge in sides[polarity])
            for grown in further:
                first += grown
            return counts(phase[polarity], first)

        return counted(POSITIVE), counted(NEGATIVE)

    def mvm(self, op: MvmOperation, masks: Masks, x: ArrayLike, op_id: ArrayLike) -> MvmResult:
        """Matrix-vector products of a batch; see :meth:`mho.macro_models.macro.MacroModel.mvm`.

        Duration does not depend on data: ``steps`` are 0.
        """
        inputs, operation = self.checked_inputs(op, masks, x), cast("PwmOperation", op)
        ids = np.broadcast_to(np.asarray(op_id, dtype=np.uint64), inputs.shape[:1])
        key, enabled = self.key(masks.word_lines(op)), masks.enabled(op)
        codes = np.empty((len(inputs), self.config.lines), dtype=np.int16)
        clipped = np.zeros(codes.shape, dtype=np.bool_)
        step_code = self.calibration.step_code(op.step_code)
        for start in range(0, len(inputs), _BLOCK):
            block = slice(start, start + _BLOCK)
            positive, negative = self.counters(key, inputs[block], ids[block], step_code, clipped=clipped[block])
            codes[block] = self.calibration.digital.compute(operation, positive, negative, enabled)
        return MvmResult(codes, np.zeros((len(inputs), 1), dtype=np.int64), clipped=clipped[:, enabled].sum(axis=1))

    def bind(
        self, op: MvmOperation, masks: Masks, rows: Integral, taken: Integral, inputs: int,
        columns: Integral,
    ) -> NarrowProduct:
        """See :meth:`mho.macro_models.macro.MacroModel.bind`."""
        return NarrowProduct(
            self.counters, cast("PwmOperation", op), self.key(masks.word_lines(op)), masks.enabled(op), self.trimmed,
            self.calibration, rows=rows, taken=taken, inputs=inputs, columns=columns,
        )

    def full_scale(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> float:
        """Step code at which the largest product of a batch counts just to the end of the converter's range."""
        key = self.key(masks.word_lines(op))
        product = np.asarray(x, dtype=np.float64) @ (key.devices[0] - key.devices[1])
        full = np.abs(product).max(initial=0.0) * self.config.lsb_uS / self.config.full_conductance_uS
        return float(full) / max(op.max_steps, 1) * 2**STEP_FRACTION_BITS


def converters(config: PwmConfig, device: Device, seed: int, core: int) -> dict[str, Any]:
    """What the core's own calibration finds, as JSON types: network files keep it."""
    empty = np.zeros(config.cell_map.shape)
    model = PwmModel.from_measured(config, empty, device=device, seed=seed, core=core, causes=frozenset({"adc"}))
    return {name: values.tolist() for name, values in model.calibration.registers.items()}


def restore(model: PwmModel, registers: Mapping[str, Any]) -> None:
    """Set the registers of a core whose converters have errors; one without is as after reset.

    Raises InputError if registers are missing, or are not whole numbers of their ranges, one for each converter.
    """
    checked = {}
    for name, (sides, low, high) in REGISTERS.items():
        shape = (*sides, model.config.lines)
        try:
            values = np.array(registers[name])
        except (KeyError, TypeError, ValueError):
            values = np.zeros(0)
        if values.shape != shape or values.dtype.kind != "i" or values.min() < low or values.max() > high:
            raise InputError(f"calibration.converters: {name} must be whole numbers {low} to {high} of shape {shape}")
        checked[name] = values.astype(np.int32)
    if model.has_converter_errors:
        model.calibration = Calibration.of(checked, model.calibration.range_code)

"""The phase-change macro: asked when counters are captured, and when devices are pulsed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import ToolError
from mho.macro_models.integer.pwm.converter import COUNTER_BITS
from mho.macro_models.integer.pwm.programming import AMPLITUDE_TOP
from mho.macro_models.integer.pwm.trim_words import TRIM_BITS
from mho.macro_models.pwm.model import PwmModel
from mho.sim.kinds.pwm import PULSE, Conversion, Evaluator

__all__ = ["Strobed"]

_WIDTH_BITS, _AMPLITUDE_BITS = 16, AMPLITUDE_TOP.bit_length() + 1


class Strobed:
    """See :class:`mho.sim.core.pin_level.StrobedMacro`."""

    def __init__(self, pins: Any, model: PwmModel, keep_charges: bool) -> None:
        self._pins, self._lines, self._conversions = pins, model.config.lines, 0
        record = self._record = Conversion(lines=self._lines, devices=len(pins.wl_en))
        self._width = np.frombuffer(record.width, dtype=np.int32).reshape(4, -1)[:, : self._lines]
        self._trim = np.frombuffer(record.trim, dtype=np.int32)[: self._lines]
        self._amplitude = np.frombuffer(record.amplitude, dtype=np.int32)[: self._lines]
        self._wl = np.frombuffer(record.wl, dtype=np.uint8)[: record.devices]
        self._count = np.frombuffer(record.count, dtype=np.int32).reshape(2, -1)[:, : self._lines]
        self._evaluate = Evaluator(model, record)
        self._evaluate.lsb_cycles = int(pins.LSB_CYCLES.value)
        pins.count_pos.value = pins.count_neg.value = 0

    def strobe(self, *, answer: bool) -> None:
        """Take a strobe."""
        pins, record = self._pins, self._record
        pulse = bool(pins.strobe.value)
        self._conversions += not pulse
        if not answer:
            return
        self._wl[:] = _fields(pins.wl_en, 1, record.devices)
        record.reference = PULSE if pulse else pins.reference.value.to_unsigned()
        if pulse:
            self._amplitude[:] = _fields(pins.amplitude, _AMPLITUDE_BITS, self._lines)
        else:
            self._take()
        try:
            self._evaluate(record)
        except ValueError as error:
            raise ToolError(f"{error}") from None
        if not pulse:
            for pin, counts in zip((pins.count_pos, pins.count_neg), self._count, strict=True):
                pin.value = sum(count << COUNTER_BITS * k for k, count in enumerate(counts.tolist()))

    def _take(self) -> None:
        """The pins of a conversion."""
        pins, record = self._pins, self._record
        record.op_id, record.step_code = pins.op_id.value.to_unsigned(), pins.step_code.value.to_unsigned()
        record.shift = pins.shift.value.to_unsigned()
        self._trim[:] = _fields(pins.trim, TRIM_BITS, self._lines)
        for widths, pin in zip(self._width, (pins.pp, pins.pn, pins.np, pins.nn), strict=True):
            widths[:] = _fields(pin, _WIDTH_BITS, self._lines)

    def finish(self, result: Any) -> None:
        """A conversion makes no decrements."""
        result.decrements = np.zeros(self._conversions, dtype=np.int64)


def _fields(pin: Any, bits: int, count: int) -> NDArray[np.int64]:
    """Numbers without a sign that lie side by side."""
    value, mask = pin.value.to_unsigned(), (1 << bits) - 1
    return np.array([value >> bits * k & mask for k in range(count)], dtype=np.int64)

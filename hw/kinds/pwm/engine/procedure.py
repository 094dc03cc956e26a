"""What the parts of the engine have in common: they ask for conversions, and go through all columns after each."""

from typing import Any

from amaranth.hdl import Shape, Signal, Value
from amaranth.lib.wiring import In, Out

from mho.hw.block import Resettable
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import AMPLITUDE_BITS, state_bits
from mho.hw.kinds.pwm.settings import COLUMN_BITS, SettingLayout
from mho.macro_models.integer.pwm.converter import COUNTER_BITS, TRIM_BITS

__all__ = ["FACTOR_BITS", "FIT_BITS", "SCALE_BITS", "Procedure", "procedure_inputs", "procedure_outputs"]

FACTOR_BITS = 24
"""Bits of the factors of the engine's multiplier."""
FIT_BITS = 46
"""Bits of what :class:`mho.hw.kinds.pwm.engine.fitter.Fitter` takes."""
SCALE_BITS = 16


def procedure_inputs(cfg: PwmCoreConfig) -> dict[str, Any]:
    """What a procedure sees: shapes by name."""
    return {
        "go": 1, "lost": 1, "converted": 1, "walked": 1, "look": 1,
        "column": Shape(max((cfg.lines - 1).bit_length(), 1)),
        "state": state_bits(), "count_pos": COUNTER_BITS, "count_neg": COUNTER_BITS, "registers": COLUMN_BITS,
        "trim": TRIM_BITS, "range_code": 16, "word_valid": 1, "word": 16, "command": 3,
        "product": Shape(2 * FACTOR_BITS, True), "fitted": 1, "code": SCALE_BITS, "writing": 32,
    }


def procedure_outputs(cfg: PwmCoreConfig) -> dict[str, Any]:
    """What a procedure drives, 0 while it is not in progress: shapes by name."""
    return {
        "done": 1, "convert": 1, "walk": 1, "proceed": 1, "keep": 1, "kept": state_bits(),
        "setting": SettingLayout(cfg),
        "offset": 9, "reference_pos": 2, "reference_neg": 2, "reference": 1, "verify": 1, "take_word": 1,
        "one": Shape(FACTOR_BITS, True), "other": Shape(FACTOR_BITS, True), "fit": 1, "wide": 1,
        "scale": SCALE_BITS, "limit": Shape(FIT_BITS, True), "slope": Shape(FIT_BITS, True), "pulse": 1,
        "amplitude_write": 1, "amplitude_data": AMPLITUDE_BITS + 1,
    }


class Procedure(Resettable):
    """A part of the engine.

    Members
    -------
    go, done
        Strobes: the command is given, and carried out.
    lost
        Strobe: another procedure takes over what is kept for the columns.
    convert, offset, converted
        A conversion is asked for until ``converted``; ``offset`` is added to the number in the descriptor.
    reference, reference_pos, reference_neg, verify
        It is one of reference currents, see :class:`mho.hw.kinds.pwm.pins.PwmPins`; of one device.
    walk, walked
        Strobes: go through all columns; that was done.
    look, column, proceed
        ``look`` is 1 from when all of a column is there until, with ``proceed``, the next one is wanted.
    state, kept, keep
        What is kept for the column; with ``keep`` it becomes ``kept``.
    count_pos, count_neg, registers, trim, range_code, writing
        Counters of the column, its registers, those of all columns.
    setting
        A write of registers; with addresses of the settings.
    word, word_valid, take_word
        16 bits of the input stream; with ``take_word`` the next ones.
    one, other, product
        Factors, and a cycle later their product.
    fit, wide, scale, limit, slope, fitted, code
        See :class:`mho.hw.kinds.pwm.engine.fitter.Fitter`.
    pulse, amplitude_write, amplitude_data
        To the macro.
    """

    go: Value
    lost: Value
    converted: Value
    walked: Value
    look: Value
    column: Value
    state: Value
    count_pos: Value
    count_neg: Value
    registers: Value
    trim: Value
    range_code: Value
    writing: Value
    word_valid: Value
    word: Value
    command: Value
    product: Value
    fitted: Value
    code: Value
    done: Signal
    convert: Signal
    walk: Signal
    proceed: Signal
    keep: Signal
    kept: Signal
    setting: Any
    offset: Signal
    reference: Signal
    reference_pos: Signal
    reference_neg: Signal
    verify: Signal
    take_word: Signal
    one: Signal
    other: Signal
    fit: Signal
    wide: Signal
    scale: Signal
    limit: Signal
    slope: Signal
    pulse: Signal
    amplitude_write: Signal
    amplitude_data: Signal

    def __init__(self, cfg: PwmCoreConfig) -> None:
        self.cfg = cfg
        super().__init__({
            **{name: In(shape) for name, shape in procedure_inputs(cfg).items()},
            **{name: Out(shape) for name, shape in procedure_outputs(cfg).items()},
        })

    def write_columns(self, gain: Value, offset: Value) -> list[Any]:
        """Write gain and offset of this column."""
        return self._write(self.cfg.columns_at, gain[:8] | (offset.as_unsigned()[:8] << 8))

    def write_trim(self, word: Value) -> list[Any]:
        """Write the trim word of this column."""
        return self._write(self.cfg.trims_at, word)

    def _write(self, base: int, word: Value) -> list[Any]:
        return [
            self.setting.valid.eq(1), self.setting.addr.eq(base + self.column), self.setting.data.eq(word),
        ]

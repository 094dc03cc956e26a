"""What the parts of the engine have in common: they ask for conversions, and go through all columns after each."""

from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import enum

from mho.hw.block import Resettable
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import AMPLITUDE_BITS, state_bits
from mho.hw.kinds.pwm.settings import COLUMN_BITS, SettingLayout
from mho.hw.ports import In, Out
from mho.macro_models.integer.pwm.converter import COUNTER_BITS, TRIM_BITS

FACTOR_BITS = 24
"""Bits of the factors of the engine's multiplier."""
FIT_BITS = 46
"""Bits of what :class:`mho.hw.kinds.pwm.engine.procedure.Fitter` takes."""
SCALE_BITS = 16


class Procedure(Resettable[PwmCoreConfig]):
    """A part of the engine. What it drives is 0 while it is not in progress.

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
        See :class:`mho.hw.kinds.pwm.engine.procedure.Fitter`.
    pulse, amplitude_write, amplitude_data
        To the macro.
    """

    go = In(1)
    lost = In(1)
    converted = In(1)
    walked = In(1)
    look = In(1)
    column = In(lambda self: Shape(max((self.cfg.lines - 1).bit_length(), 1)))
    state = In(state_bits())
    count_pos = In(COUNTER_BITS)
    count_neg = In(COUNTER_BITS)
    registers = In(COLUMN_BITS)
    trim = In(TRIM_BITS)
    range_code = In(16)
    word_valid = In(1)
    word = In(16)
    command = In(3)
    product = In(signed(2 * FACTOR_BITS))
    fitted = In(1)
    code = In(SCALE_BITS)
    writing = In(32)
    done = Out(1)
    convert = Out(1)
    walk = Out(1)
    proceed = Out(1)
    keep = Out(1)
    kept = Out(state_bits())
    setting = Out(lambda self: SettingLayout(self.cfg))
    offset = Out(9)
    reference_pos = Out(2)
    reference_neg = Out(2)
    reference = Out(1)
    verify = Out(1)
    take_word = Out(1)
    one = Out(signed(FACTOR_BITS))
    other = Out(signed(FACTOR_BITS))
    fit = Out(1)
    wide = Out(1)
    scale = Out(SCALE_BITS)
    limit = Out(signed(FIT_BITS))
    slope = Out(signed(FIT_BITS))
    pulse = Out(1)
    amplitude_write = Out(1)
    amplitude_data = Out(AMPLITUDE_BITS + 1)

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


_GAIN_TOP = 7
"""Highest bit of a gain."""


class _State(enum.Enum, shape=2):
    IDLE = 0
    MULTIPLY = 1
    SEARCH = 2


class Fitter(Resettable):
    """Finds the largest ``code``, from its highest bit down, with ``(2 code - 1) slope <= 2 scale limit``.

    That is the quotient ``scale limit / slope``, rounded. Shifts and adds only: ``fitted`` is 1 in the cycle 33 after
    ``fit``, or 25 if not ``wide``.

    Members
    -------
    fit : In(1)
        Take the operands.
    wide : In(1)
        A code has 16 bits, not 8.
    scale, limit, slope : In(16), In(signed), In(signed)
        The operands.
    fitted : Out(1)
        Strobe; ``code`` stays until the next one begins.
    code : Out(16)
    """

    fit = In(1)
    wide = In(1)
    scale = In(SCALE_BITS)
    limit = In(Shape(FIT_BITS, True))
    slope = In(Shape(FIT_BITS, True))
    fitted = Out(1)
    code = Out(SCALE_BITS)

    def elaborate(self, platform: object) -> Any:
        m = Module()
        bits = Shape(FIT_BITS + SCALE_BITS + 2, True)
        state = Signal(_State)
        count = Signal(range(SCALE_BITS))
        wide = Signal()
        scale = Signal(SCALE_BITS)
        term, limit, made, trial = (Signal(bits, name=name) for name in ("term", "limit_sum", "made", "trial"))
        top = Mux(wide, SCALE_BITS - 1, _GAIN_TOP)
        m.d.comb += trial.eq(made + term)
        m.d.sync += self.fitted.eq(0)
        with m.Switch(state):
            with m.Case(_State.MULTIPLY):
                # Of the limit: bits of the scale from the lowest up.
                m.d.sync += [scale.eq(scale >> 1), term.eq(term << 1), count.eq(count - 1)]
                with m.If(scale[0]):
                    m.d.sync += limit.eq(limit + term)
                with m.If(count == 0):
                    m.d.sync += [
                        state.eq(_State.SEARCH), count.eq(top), made.eq(-self.slope), self.code.eq(0),
                        term.eq(Mux(wide, self.slope << SCALE_BITS, self.slope << _GAIN_TOP + 1)),
                    ]
            with m.Case(_State.SEARCH):
                m.d.sync += [term.eq(term >> 1), count.eq(count - 1), self.code.eq((self.code << 1) | (trial <= limit))]
                with m.If(trial <= limit):
                    m.d.sync += made.eq(trial)
                with m.If(count == 0):
                    m.d.sync += [state.eq(_State.IDLE), self.fitted.eq(1)]
        with m.If(self.fit):
            m.d.sync += [
                state.eq(_State.MULTIPLY), count.eq(SCALE_BITS - 1), wide.eq(self.wide), scale.eq(self.scale),
                term.eq(self.limit << 1), limit.eq(0),
            ]
        return self.resets(m)

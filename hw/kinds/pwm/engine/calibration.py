"""Calibration of the converters: sets of conversions of reference currents, and a decision a column after each."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import enum

from mho.hw.kinds.pwm.engine.layout import calibration_state, view
from mho.hw.kinds.pwm.engine.procedure import Procedure
from mho.macro_models.integer.pwm.calibration import REFERENCE_READS, SETS
from mho.macro_models.integer.pwm.converter import (
    CURVE_TRIMS,
    GAIN_TRIMS,
    LEVEL_BITS,
    OFFSET_RANGE,
    PRODUCT_BITS,
    TRIM_BITS,
)

_GAIN = (len(GAIN_TRIMS) - 1).bit_length()
_CURVE = (len(CURVE_TRIMS) - 1).bit_length()
_CURVE_AT = _GAIN
_AGAIN_AT = _CURVE_AT + _CURVE
_SPANS_AT = _AGAIN_AT + _GAIN
_READ_BITS = REFERENCE_READS.bit_length() - 1


class _State(enum.Enum, shape=3):
    IDLE = 0
    CLEAR = 1
    CONVERT = 2
    WALK = 3
    FIT = 4
    FITTED = 5
    SHIFT = 6


class Calibrator(Procedure):
    """The hardware of :func:`mho.macro_models.integer.pwm.calibration.calibrate`.

    Trim registers themselves are the state of the searches: the bit that is tried is set in them.
    """

    def elaborate(self, platform: object) -> Any:
        m = Module()
        state = Signal(_State)
        number = Signal(range(SETS * REFERENCE_READS))
        place, read = number[_READ_BITS:], number[:_READ_BITS]
        curve = Signal()
        low = Signal()
        last = Signal()
        m.d.comb += [
            curve.eq((place >= _CURVE_AT) & (place < _AGAIN_AT)), low.eq((place < _SPANS_AT) & ~curve),
            last.eq(read == REFERENCE_READS - 1), self.offset.eq(number),
            self.reference.eq(state == _State.CONVERT), self.convert.eq(self.reference),
        ]
        with m.If(self.reference):
            level = Mux(low, 1, 3)
            m.d.comb += [
                self.reference_pos.eq(Mux(place <= _SPANS_AT, level, 0)),
                self.reference_neg.eq(Mux((place < _SPANS_AT) | (place == _SPANS_AT + 1), level, 0)),
            ]
        with m.Switch(state):
            with m.Case(_State.CLEAR):
                with m.If(self.look):
                    m.d.comb += [*self.write_trim(Const(0, TRIM_BITS)), self.proceed.eq(1)]
                with m.If(self.walked):
                    m.d.sync += state.eq(_State.CONVERT)
            with m.Case(_State.CONVERT):
                with m.If(self.converted):
                    m.d.comb += self.walk.eq(1)
                    m.d.sync += state.eq(_State.WALK)
            with m.Case(_State.WALK):
                self._column(m, state, place, read, curve, low, last)
            with m.Case(_State.FIT, _State.FITTED, _State.SHIFT):
                self._correct(m, state)
        # The last walk ends where gain and offset of the last column are written.
        with m.If(self.walked & (state != _State.CLEAR)):
            m.d.sync += [number.eq(number + 1), state.eq(_State.CONVERT)]
            with m.If(number == SETS * REFERENCE_READS - 1):
                m.d.comb += self.done.eq(1)
                m.d.sync += state.eq(_State.IDLE)
        with m.If(self.go):
            m.d.comb += self.walk.eq(1)
            m.d.sync += [state.eq(_State.CLEAR), number.eq(0)]
        return self.resets(m)

    def _column(
        self, m: Module, state: Any, place: Value, read: Value, curve: Signal, low: Signal, last: Signal
    ) -> None:
        """Add a column's counters to what there is, and decide on the last of a set."""
        old = view(calibration_state(), self.state)
        new = Signal(calibration_state())
        first = read == 0
        change = Signal(Shape(14, True))
        search = Signal()
        m.d.comb += [
            change.eq(self.count_pos - self.count_neg), search.eq(place < _SPANS_AT), new.eq(old), self.kept.eq(new),
        ]
        with m.If(self.look):
            m.d.comb += self.keep.eq(1)
            with m.If(search):
                m.d.comb += [
                    new.positive.eq(Mux(first, 0, old.positive) + self.count_pos),
                    new.negative.eq(Mux(first, 0, old.negative) + self.count_neg),
                    self.proceed.eq(1),
                ]
                with m.If(last):
                    self._judge(m, place, curve, low, new)
            with m.Elif(place == _SPANS_AT):
                m.d.comb += [new.span.eq(Mux(first, 0, old.span) + change), self.proceed.eq(1)]
            with m.Elif(place == _SPANS_AT + 1):
                m.d.comb += [new.span.eq(old.span - change), self.proceed.eq(1)]
            with m.Else():
                m.d.comb += [new.zero.eq(Mux(first, 0, old.zero) + change), self.proceed.eq(~last)]
                with m.If(last):
                    m.d.sync += state.eq(_State.FIT)

    def _judge(self, m: Module, place: Value, curve: Signal, low: Signal, new: Any) -> None:
        """Keep or clear the bit that was tried, of both oscillators; try the next, or the next code after the last."""
        windows = 1 if self.cfg.phases == 1 else 2
        at = (self.cfg.top_counts << LEVEL_BITS) // 4
        targets = [REFERENCE_READS * windows * level >> LEVEL_BITS for level in (at, 3 * at)]
        bit = Signal(3)
        m.d.comb += bit.eq(Mux(curve, _AGAIN_AT - 1 - place, Mux(place < _CURVE_AT, _CURVE_AT, _SPANS_AT) - 1 - place))
        sides = []
        for k, counted in enumerate((new.positive, new.negative)):
            side = self.trim[k * (_GAIN + _CURVE) : (k + 1) * (_GAIN + _CURVE)]
            # Codes count from the lowest: their highest bit is that of two's complement, inverted.
            tried = Signal(_GAIN, name=f"tried_{k}")
            stored = Signal(_GAIN, name=f"kept_{k}")
            both = Signal(_GAIN + _CURVE, name=f"side_{k}")
            gain, bend = side[:_GAIN] ^ (1 << _GAIN - 1), side[_GAIN:] ^ (1 << _CURVE - 1)
            fine = counted <= Mux(low, targets[0], targets[1])
            m.d.comb += [
                tried.eq(Mux(curve, bend, gain)),
                stored.eq((tried & ~Mux(fine, 0, 1 << bit)) | ((1 << bit) >> 1)),
                both.eq(Mux(
                    curve,
                    Cat(Mux(bit == 0, 0, side[:_GAIN]), stored[:_CURVE] ^ (1 << _CURVE - 1)),
                    Cat(stored ^ (1 << _GAIN - 1), side[_GAIN:]),
                )),
            ]
            sides.append(both)
        m.d.comb += self.write_trim(Cat(*sides))

    def _correct(self, m: Module, state: Any) -> None:
        """Digital gain of a column, then the offset that goes with it."""
        stored = view(calibration_state(), self.state)
        windows = 1 if self.cfg.phases == 1 else 2
        high = 3 * ((self.cfg.top_counts << LEVEL_BITS) // 4)
        bits = PRODUCT_BITS + _READ_BITS
        begun = Signal()
        offset = Signal(Shape(24, True))
        low, highest = OFFSET_RANGE
        m.d.comb += [
            self.scale.eq(self.cfg.gain_code), self.limit.eq(2 * (REFERENCE_READS * windows * high >> LEVEL_BITS)),
            self.slope.eq(stored.span), self.one.eq(stored.zero), self.other.eq(self.code),
            offset.eq(-((self.product + (1 << bits - 1)) >> bits)),
        ]
        with m.If(state == _State.FIT):
            m.d.comb += self.fit.eq(~begun)
            m.d.sync += begun.eq(1)
            with m.If(self.fitted):
                m.d.sync += [begun.eq(0), state.eq(_State.FITTED)]
        with m.Elif(state == _State.FITTED):
            m.d.sync += state.eq(_State.SHIFT)
        with m.Else():
            m.d.comb += [
                *self.write_columns(self.code, Mux(offset < low, low, Mux(offset > highest, highest, offset))),
                self.proceed.eq(1),
            ]
            m.d.sync += state.eq(_State.WALK)

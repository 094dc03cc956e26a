"""Drift compensation: stored vectors are measured into sums of least squares, from which registers follow."""

from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import enum

from mho.hw.kinds.pwm.engine.layout import Command, drift_state, view
from mho.hw.kinds.pwm.engine.procedure import Procedure
from mho.macro_models.integer.pwm.calibration import PRODUCT_READS, VECTORS
from mho.macro_models.integer.pwm.converter import OFFSET_RANGE, PRODUCT_BITS

_VECTOR_BITS = VECTORS.bit_length() - 1
_SHIFT = PRODUCT_BITS + (VECTORS * PRODUCT_READS).bit_length() - 1


class _State(enum.Enum, shape=4):
    IDLE = 0
    CONVERT = 1
    WALK = 2
    SQUARE = 3
    SUM = 4
    RANGE = 5
    COLUMNS = 6
    THEN = 7
    SLOPE = 8
    FIT = 9
    OFFSET = 10
    SHIFT = 11


class DriftCompensator(Procedure):
    """Hardware of :mod:`mho.macro_models.integer.pwm.calibration`: commands MEASURE, RANGE, COLUMN and AFFINE."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        state = Signal(_State)
        read = Signal(range(PRODUCT_READS))
        fresh = Signal(init=1)
        begun = Signal()
        then = Signal(36)
        now = Signal(36)
        drift = view(drift_state(), self.state)
        new = Signal(drift_state())
        value = Signal(Shape(16, True))
        # Without a vector since the last of these commands all sums are 0.
        sums = Signal(drift_state())
        with m.If(~fresh):
            m.d.comb += sums.eq(drift)
        with m.If(self.lost):
            m.d.sync += fresh.eq(1)
        m.d.comb += [
            new.eq(drift), self.kept.eq(new), self.offset.eq(read << _VECTOR_BITS),
            self.convert.eq(state == _State.CONVERT),
            value.eq(Mux(read == 0, 0, drift.value) + (self.count_pos - self.count_neg)),
        ]
        with m.Switch(state):
            with m.Case(_State.CONVERT):
                with m.If(self.converted):
                    m.d.comb += self.walk.eq(1)
                    m.d.sync += state.eq(_State.WALK)
            with m.Case(_State.WALK, _State.SQUARE, _State.SUM):
                self._measure(m, state, read, fresh, value, drift, new, then, now)
            with m.Case(_State.RANGE):
                m.d.comb += [
                    self.fit.eq(~begun), self.wide.eq(1), self.scale.eq(self.range_code),
                    self.limit.eq(Mux(fresh, 0, now)), self.slope.eq(Mux(fresh, 0, then)),
                ]
                m.d.sync += begun.eq(1)
                with m.If(self.fitted):
                    m.d.comb += [
                        self.setting.valid.eq(1), self.setting.addr.eq(self.cfg.range_at),
                        self.setting.data.eq(Mux(self.code == 0, 1, self.code)), self.done.eq(1),
                    ]
                    m.d.sync += [state.eq(_State.IDLE), begun.eq(0), fresh.eq(1)]
            with m.Case(_State.COLUMNS, _State.THEN, _State.SLOPE, _State.FIT, _State.OFFSET, _State.SHIFT):
                self._fit(m, state, begun, sums)
                with m.If(self.walked):
                    m.d.comb += self.done.eq(1)
                    m.d.sync += [state.eq(_State.IDLE), fresh.eq(1)]
        with m.If(self.go):
            m.d.sync += read.eq(0)
            with m.Switch(self.command):
                with m.Case(Command.MEASURE):
                    m.d.sync += state.eq(_State.CONVERT)
                    with m.If(fresh):
                        m.d.sync += [then.eq(0), now.eq(0)]
                with m.Case(Command.RANGE):
                    m.d.sync += state.eq(_State.RANGE)
                with m.Default():
                    m.d.comb += self.walk.eq(1)
                    m.d.sync += state.eq(_State.COLUMNS)
        return self.resets(m)

    def _measure(
        self, m: Module, state: Any, read: Signal, fresh: Signal, value: Signal, drift: Any, new: Any, then: Signal,
        now: Signal,
    ) -> None:
        """A column after a conversion: its difference is added up, after the last one the sums take it."""
        stored = self.word.as_signed()
        last = read == PRODUCT_READS - 1
        first = Signal.like(new.product)
        m.d.comb += [
            new.value.eq(value), self.one.eq(Mux(state == _State.WALK, stored, value)), self.other.eq(value),
        ]
        with m.If(state == _State.WALK):
            with m.If(self.look & ~last):
                m.d.comb += [self.keep.eq(1), self.proceed.eq(1)]
            with m.If(self.look & last & self.word_valid):
                m.d.sync += state.eq(_State.SQUARE)
        with m.If(state == _State.SQUARE):
            # One write a column: what is read in the cycle after a write is what was there before.
            m.d.sync += [first.eq(self.product), state.eq(_State.SUM)]
        with m.If(state == _State.SUM):
            m.d.comb += [
                self.keep.eq(1), self.take_word.eq(1), self.proceed.eq(1),
                new.product.eq(Mux(fresh, 0, drift.product) + first),
                new.square.eq(Mux(fresh, 0, drift.square) + self.product),
                new.then.eq(Mux(fresh, 0, drift.then) + stored), new.now.eq(Mux(fresh, 0, drift.now) + value),
            ]
            m.d.sync += [
                state.eq(_State.WALK), then.eq(then + Mux(stored < 0, -stored, stored)[:16]),
                now.eq(now + Mux(value < 0, -value, value)[:16]),
            ]
        with m.If(self.walked):
            m.d.sync += [read.eq(read + 1), state.eq(_State.CONVERT)]
            with m.If(last):
                m.d.comb += self.done.eq(1)
                m.d.sync += [state.eq(_State.IDLE), fresh.eq(0)]

    def _fit(self, m: Module, state: Any, begun: Signal, drift: Any) -> None:
        """Gain of a column, and offset if that is wanted."""
        affine = self.command == Command.AFFINE
        limit, slope = (Signal(Shape(46, True), name=name) for name in ("fit_limit", "fit_slope"))
        fits = Signal()
        gain = Signal(8)
        moved = Signal(Shape(48, True))
        offset = Signal(Shape(48, True))
        low, highest = OFFSET_RANGE
        usual = self.cfg.gain_code
        m.d.comb += [
            self.scale.eq(Mux(affine, usual, self.registers[:8])), self.limit.eq(limit), self.slope.eq(slope),
            fits.eq((limit > 0) & (slope > 0)), gain.eq(Mux(fits, self.code, self.registers[:8])),
            offset.eq((moved - self.product + (1 << _SHIFT - 1)) >> _SHIFT),
        ]
        with m.Switch(state):
            with m.Case(_State.COLUMNS):
                m.d.comb += [self.one.eq(drift.then), self.other.eq(drift.now)]
                with m.If(self.look):
                    m.d.sync += [limit.eq(drift.product), slope.eq(drift.square), state.eq(_State.FIT)]
                    with m.If(affine):
                        m.d.sync += [
                            limit.eq(drift.product << _VECTOR_BITS), slope.eq(drift.square << _VECTOR_BITS),
                            state.eq(_State.THEN),
                        ]
            with m.Case(_State.THEN):
                m.d.comb += [self.one.eq(drift.now), self.other.eq(drift.now)]
                m.d.sync += [limit.eq(limit - self.product), state.eq(_State.SLOPE)]
            with m.Case(_State.SLOPE):
                m.d.sync += [slope.eq(slope - self.product), state.eq(_State.FIT)]
            with m.Case(_State.FIT):
                m.d.comb += [self.fit.eq(~begun), self.one.eq(drift.then), self.other.eq(usual)]
                m.d.sync += begun.eq(1)
                with m.If(self.fitted):
                    m.d.sync += [begun.eq(0), moved.eq(self.product), state.eq(_State.OFFSET)]
            with m.Case(_State.OFFSET):
                m.d.comb += [self.one.eq(drift.now), self.other.eq(gain)]
                m.d.sync += state.eq(_State.SHIFT)
            with m.Case(_State.SHIFT):
                offset_before = self.registers[8:].as_signed()
                m.d.comb += [
                    *self.write_columns(
                        gain, Mux(affine, Mux(offset < low, low, Mux(offset > highest, highest, offset)), offset_before)
                    ),
                    self.proceed.eq(1),
                ]
                m.d.sync += state.eq(_State.COLUMNS)

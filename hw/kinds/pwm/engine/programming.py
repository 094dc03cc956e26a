"""Row-parallel write-verify: amplitudes, pulses and verify reads of the devices of one driven line."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import enum

from mho.hw.kinds.pwm.engine.layout import programming_state, view
from mho.hw.kinds.pwm.engine.procedure import Procedure
from mho.macro_models.integer.pwm.programming import AMPLITUDE_TOP, GAIN_BITS


class _State(enum.Enum, shape=3):
    IDLE = 0
    TARGETS = 1
    PULSE = 2
    CONVERT = 3
    WALK = 4
    MOVE = 5


class RowProgrammer(Procedure):
    """The hardware of one line of :func:`mho.macro_models.integer.pwm.programming.write_rows`: the command PROGRAM."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        state = Signal(_State)
        done = Signal(8)
        timer = Signal(range(self.cfg.pulse_cycles))
        some = Signal()
        # Of the column that is looked at: it will be pulsed, the last one too.
        pulsed = Signal()
        iterations = self.writing[8:16]
        new = Signal(programming_state())
        stored = view(programming_state(), self.state)
        m.d.comb += [
            new.eq(stored), self.kept.eq(new), self.offset.eq(done), self.verify.eq(state == _State.CONVERT),
            self.convert.eq(self.verify), self.pulse.eq(state == _State.PULSE),
        ]
        with m.Switch(state):
            with m.Case(_State.TARGETS):
                self._target(m, new, pulsed)
            with m.Case(_State.PULSE):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += state.eq(_State.CONVERT)
            with m.Case(_State.CONVERT):
                with m.If(self.converted):
                    m.d.comb += self.walk.eq(1)
                    m.d.sync += [state.eq(_State.WALK), some.eq(0), done.eq(done + 1)]
            with m.Case(_State.WALK, _State.MOVE):
                self._compare(m, state, new, stored, pulsed)
        with m.If(pulsed):
            m.d.sync += some.eq(1)
        with m.If(self.walked):
            m.d.sync += [state.eq(_State.PULSE), timer.eq(self.cfg.pulse_cycles - 1)]
            with m.If(~(some | pulsed) | (done == iterations)):
                m.d.comb += self.done.eq(1)
                m.d.sync += state.eq(_State.IDLE)
        with m.If(self.go):
            m.d.comb += self.walk.eq(1)
            m.d.sync += [state.eq(_State.TARGETS), some.eq(0), done.eq(0)]
        return self.resets(m)

    def _set(self, amplitude: Value, on: Value) -> list[Any]:
        return [self.amplitude_write.eq(1), self.amplitude_data.eq(Cat(amplitude, on))]

    def _target(self, m: Module, new: Any, pulsed: Signal) -> None:
        """A column before the first pulse."""
        start = self.writing[16:24]
        target, leave = self.word[: len(new.target)], self.word[15]
        amplitude = Mux(target == 0, AMPLITUDE_TOP, start)
        with m.If(self.look & self.word_valid):
            m.d.comb += [
                new.target.eq(target), new.amplitude.eq(amplitude), new.waits.eq(~leave), new.count.eq(0),
                new.pulses.eq(0), new.done.eq(0), self.keep.eq(1), self.take_word.eq(1), self.proceed.eq(1),
                *self._set(amplitude, ~leave), pulsed.eq(~leave),
            ]

    def _compare(self, m: Module, state: Any, new: Any, stored: Any, pulsed: Signal) -> None:
        """A column after a read: done, or another amplitude."""
        margin, gain = self.writing[:8], self.writing[24:32]
        error = Signal(Shape(14, True))
        wrong = Signal()
        moved = Signal(Shape(24, True))
        m.d.comb += [
            error.eq(self.count_pos - stored.target), wrong.eq(Mux(error < 0, -error, error) > margin),
            self.one.eq(error), self.other.eq(gain), moved.eq(stored.amplitude + (self.product >> GAIN_BITS)),
        ]
        with m.If(state == _State.WALK):
            with m.If(self.look & ~stored.waits):
                m.d.comb += self.proceed.eq(1)
            with m.If(self.look & stored.waits):
                m.d.sync += state.eq(_State.MOVE)
        with m.If(state == _State.MOVE):
            m.d.sync += state.eq(_State.WALK)
            m.d.comb += [
                self.proceed.eq(1), self.keep.eq(1), new.count.eq(self.count_pos), new.pulses.eq(stored.pulses + 1),
                new.waits.eq(wrong), new.done.eq(~wrong), *self._set(new.amplitude, wrong), pulsed.eq(wrong),
            ]
            with m.If(wrong):
                m.d.comb += new.amplitude.eq(Mux(moved < 0, 0, Mux(moved > AMPLITUDE_TOP, AMPLITUDE_TOP, moved)))

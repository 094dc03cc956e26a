"""Issues the operations at the pins of one conversion after another."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import enum

from mho.hw.block import Resettable, named
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.ports import In, Out
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS


class _State(enum.Enum, shape=3):
    IDLE = 0
    START = 1
    WINDOW = 2
    SWITCH = 3
    CONVERT = 4
    FINISH = 5


class PwmSequencer(Resettable[PwmCoreConfig]):
    """Start, windows, conversion; then one cycle captures, and takes the next.

    A window lasts 128 times the pulse of an input of 1. Of four windows each is followed by a switch, in which the
    modulators take the signs of the next. Durations do not depend on data.

    Members
    -------
    full : In(1)
        A conversion waits.
    single, second : In(1)
        It has one window: of positive inputs and devices, or if ``second`` of negative ones.
    take : Out(1)
        It starts: the counters go to 0 in the next cycle.
    free : In(1)
        The result before was read.
    finish : Out(1)
        The counters are captured in this cycle.
    running, analog : Out(1)
        A conversion is in progress; an operation is issued at the pins.
    hold : In(1)
        Freezes everything.
    begins, positive, negative, step, index : Out
        To :class:`mho.hw.kinds.pwm.loader.PulseModulator`.
    start, window, device_pos, device_neg, capture : Out(1)
        To the macro.
    """

    full = In(1)
    single = In(1)
    second = In(1)
    free = In(1)
    hold = In(1)
    take = Out(1)
    finish = Out(1)
    running = Out(1)
    analog = Out(1)
    begins = Out(1)
    positive = Out(1)
    negative = Out(1)
    step = Out(1)
    start = Out(1)
    window = Out(1)
    device_pos = Out(1)
    device_neg = Out(1)
    capture = Out(1)
    index = Out(MAGNITUDE_BITS)

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg = self.cfg
        state = Signal(_State)
        timer = Signal(16)
        phase = Signal(2)
        last = Signal()
        next_phase = Signal(2)
        begins = Signal()
        ends = Signal()
        waits = Signal()
        m.d.comb += [
            last.eq((timer == 0) & ~self.hold), self.running.eq(state != _State.IDLE),
            waits.eq((state == _State.CONVERT) & (timer == 0) & ~self.free),
            self.analog.eq(self.running & (state != _State.FINISH) & ~waits),
            self.finish.eq(state == _State.FINISH), ends.eq((state == _State.CONVERT) & last & self.free),
            self.take.eq(self.full & ((state == _State.IDLE) | self.finish)), self.begins.eq(begins),
            next_phase.eq(Mux(state == _State.START, self.single & self.second, phase + 1)),
        ]
        m.d.sync += [self.start.eq(self.take), self.capture.eq(ends)]
        with m.If((timer != 0) & ~self.hold):
            m.d.sync += timer.eq(timer - 1)

        durations = {"LSB": cfg.lsb_cycles, "START": cfg.start_cycles, "CONVERT": cfg.convert_cycles}
        if cfg.phases > 1:
            durations["SWITCH"] = cfg.switch_cycles
        cycles = {name: named(m, f"{name}_CYCLES", value, len(timer)) for name, value in durations.items()}

        def lasts(name: str) -> Any:
            return timer.eq((cycles[name] - 1)[: len(timer)])

        def enter(where: _State, name: str) -> list[Any]:
            return [state.eq(where), lasts(name)]

        convert = [*enter(_State.CONVERT, "CONVERT"), self.device_pos.eq(0), self.device_neg.eq(0)]
        after = enter(_State.SWITCH, "SWITCH") if cfg.phases > 1 else convert
        with m.Switch(state):
            with m.Case(_State.START):
                with m.If(last):
                    m.d.comb += begins.eq(1)
            with m.Case(_State.WINDOW):
                with m.If(last):
                    m.d.comb += self.step.eq(1)
                    m.d.sync += [self.index.eq(self.index + 1), lasts("LSB")]
                    with m.If(self.index == 0):
                        m.d.sync += [self.window.eq(0), *after]
            with m.Case(_State.SWITCH):
                with m.If(last & ((phase == 3) | self.single)):
                    m.d.sync += convert
                with m.Elif(last):
                    m.d.comb += begins.eq(1)
            with m.Case(_State.CONVERT):
                with m.If(ends):
                    m.d.sync += state.eq(_State.FINISH)
            with m.Case(_State.FINISH):
                m.d.sync += state.eq(_State.IDLE)
        with m.If(begins):
            m.d.sync += [*enter(_State.WINDOW, "LSB"), self.window.eq(1), phase.eq(next_phase),
                         self.index.eq(1)]
            self._select(m, next_phase)
        with m.If(self.take):
            m.d.sync += [*enter(_State.START, "START"), phase.eq(0)]
        return self.resets(m)

    def _select(self, m: Module, phase: Value) -> None:
        """Signs of a window: of the inputs whose pulses begin, and of the devices that they drive."""
        if self.cfg.phases == 1:
            m.d.comb += [self.positive.eq(1), self.negative.eq(1)]
            m.d.sync += [self.device_pos.eq(1), self.device_neg.eq(1)]
            return
        inputs, devices = phase[0], phase[0] ^ phase[1]
        m.d.comb += [self.positive.eq(~inputs), self.negative.eq(inputs)]
        m.d.sync += [self.device_pos.eq(~devices), self.device_neg.eq(devices)]

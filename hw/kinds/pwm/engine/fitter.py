"""The one division of the engine, as a search: the largest code whose product is at most another product."""

from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import enum

from mho.hw.block import Resettable
from mho.hw.kinds.pwm.engine.procedure import FIT_BITS, SCALE_BITS
from mho.hw.ports import In, Out

_GAIN_TOP = 7
"""Highest bit of a gain."""


def fitted_code(scale: int, limit: int, slope: int, *, wide: bool) -> int:
    """The code that :class:`Fitter` finds."""
    largest = 0
    for bit in range(SCALE_BITS - 1 if wide else _GAIN_TOP, -1, -1):
        trial = largest | 1 << bit
        if (2 * trial - 1) * slope <= 2 * scale * limit:
            largest = trial
    return largest


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

"""Read noise of a macro behind its pins, drawn when all inputs of a conversion have been seen."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data

from mho.hw.block import Resettable
from mho.hw.core.layout import OP_ID_WIDTH
from mho.hw.emulator.pins.config import PinEmulatorConfig
from mho.hw.emulator.vector.lanes import LEVEL_BITS
from mho.hw.emulator.vector.noise import ConversionNoise, LineNoise
from mho.hw.ports import In, Out
from mho.macro_models.integer.shift_register import STEP_BITS

__all__ = ["PinNoise"]

_ARRIVES = 2
"""Cycles from a read of :class:`~mho.hw.emulator.pins.levels.LineLevels` until the level is there."""


class PinNoise(Resettable[PinEmulatorConfig]):
    """Draws the noise of a conversion, then adds it to the lines on their way to their charges.

    The levels are complete with the first compare. They are read once for the sum of their squares, a line in a cycle,
    before the lines accumulate: from ``starts`` to ``ready`` it takes :attr:`PinEmulatorConfig.draw_hold` cycles. A
    conversion has one segment here, whose number is at the pins.

    Members
    -------
    starts : In(1)
        All levels of a conversion are recorded: a strobe.
    ready : Out(1)
        Its noise is drawn.
    take : In(1)
        It accumulates, not before ``ready``.
    op_id : In(64)
        Number of the conversion, stable from ``starts`` to ``ready``.
    read : Out(1)
        Read the level of the next line.
    backward : In(1)
        Direction of the conversion.
    words : Out(1)
        The direction for reads of levels: 0 while there is one line in a read, or the conversion is forward.
    level : In(5)
        The level that was read, two cycles later.
    key, step : In
        Of the core, see :class:`mho.macro_models.integer.shift_register.ShiftRegister`.
    valid, line, charge : In
        From :class:`~mho.hw.emulator.vector.line_queue.LineQueue`.
    noisy : Out
        The same with its noise: ``valid``, ``line``, ``charge``.
    """

    starts = In(1)
    ready = Out(1)
    take = In(1)
    op_id = In(OP_ID_WIDTH)
    read = Out(1)
    backward = In(1)
    words = Out(1)
    level = In(LEVEL_BITS)
    key = In(32)
    step = In(STEP_BITS)
    valid = In(1)
    line = In(lambda self: range(self.cfg.lines))
    charge = In(lambda self: signed(self.cfg.step_bits + 1))
    noisy = Out(lambda self: data.StructLayout({
        "valid": 1, "line": range(self.cfg.lines), "charge": signed(self.cfg.charge_bits)}))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.conversion = drawn = ConversionNoise(self.cfg)
        m.submodules.lines = lines = LineNoise(self.cfg)
        count, arrived, full = Signal(range(self.cfg.lines)), Signal(_ARRIVES), Signal()
        with m.If(self.starts):
            m.d.sync += self.read.eq(1)
        with m.If(self.read):
            # The number of lines is a power of two, so that the next conversion begins with line 0.
            m.d.sync += [count.eq(count + 1), self.read.eq(count != self.cfg.lines - 1)]
        m.d.sync += [arrived.eq(Cat(self.read, arrived)), self.words.eq(self.backward & ~(self.starts | self.read))]
        with m.If(arrived[-1] & ~arrived[0]):
            m.d.sync += full.eq(1)
        with m.If(self.take):
            m.d.sync += full.eq(0)
        m.d.comb += [
            drawn.clear.eq(self.starts), drawn.store.eq(arrived[-1]), drawn.levels.eq(self.level), drawn.full.eq(full),
            drawn.op_id.eq(self.op_id), drawn.take.eq(self.take), drawn.key.eq(self.key), drawn.step.eq(self.step),
            self.ready.eq(drawn.ready),
            lines.write.eq(drawn.write), lines.seed.eq(drawn.seed), lines.amplitude.eq(drawn.amplitude),
            lines.valid.eq(self.valid), lines.line.eq(self.line), lines.charge.eq(self.charge),
            self.noisy.valid.eq(lines.noisy.valid), self.noisy.line.eq(lines.noisy.line),
            self.noisy.charge.eq(lines.noisy.charge),
        ]
        return self.resets(m)

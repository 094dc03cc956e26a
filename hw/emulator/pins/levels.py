"""Inputs of the driven lines, taken from their registers plane by plane."""

from amaranth.hdl import Cat, Module, Mux, Signal

from mho.hw.block import Resettable
from mho.hw.emulator.pins.config import PinEmulatorConfig
from mho.hw.emulator.vector.lanes import LEVEL_BITS
from mho.hw.ports import In, Out

__all__ = ["LineLevels"]

_PLANES = LEVEL_BITS - 1


class LineLevels(Resettable[PinEmulatorConfig]):
    """Records the planes of a conversion, and gives the levels of its lines to the lanes.

    The ``2**plane`` samples of a plane say the same, so that one of them is enough: the plane is a bit of the level.

    Members
    -------
    clear : In(1)
        A conversion begins.
    sample : In(1)
        Record ``positive`` and ``negative`` as the bit ``plane`` of the levels.
    positive, negative, plane : In
        See above.
    read : In(1)
        Give levels two cycles later: those of ``cfg.lanes`` lines or, forward, that of one line to all lanes. Lines
        come in their order, and begin again behind the last.
    backward : In(1)
        See above.
    levels : Out
        Levels of the lanes.
    """

    clear = In(1)
    sample = In(1)
    positive = In(lambda self: self.cfg.lines)
    negative = In(lambda self: self.cfg.lines)
    plane = In(3)
    read = In(1)
    backward = In(1)
    levels = Out(lambda self: LEVEL_BITS * self.cfg.lanes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = LEVEL_BITS * self.cfg.lanes
        # That of the line whose turn it is comes first.
        held = Signal(LEVEL_BITS * self.cfg.lines)
        ahead = Signal(lanes, reset_less=True)
        m.d.sync += self.levels.eq(ahead)
        with m.If(self.clear):
            m.d.sync += held.eq(0)
        with m.Elif(self.sample):
            for line, (up, down) in enumerate(zip(self.positive, self.negative, strict=True)):
                level = held.word_select(line, LEVEL_BITS)
                for plane in range(_PLANES):
                    with m.If(self.plane == plane):
                        m.d.sync += level[plane].eq(up | down)
                m.d.sync += level[-1].eq(level[-1] | down)
        with m.Elif(self.read):
            m.d.sync += [
                ahead.eq(Mux(self.backward, held[:lanes], held[:LEVEL_BITS].replicate(self.cfg.lanes))),
                held.eq(Mux(self.backward, Cat(held[lanes:], held[:lanes]), held.rotate_right(LEVEL_BITS))),
            ]
        return self.resets(m)

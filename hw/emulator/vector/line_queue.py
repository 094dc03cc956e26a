"""Brings the sums of lines to the converter, one after the other in their order."""

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, signed

from mho.hw.block import Resettable
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import ContextLayout
from mho.hw.ports import In, Out, array

__all__ = ["LineQueue"]


class LineQueue(Resettable[EmulatorConfig]):
    """Gives out the sums of one line at a time.

    Forward the sums of all lanes come at once: they are kept and given out one every ``cfg.row_words`` cycles, which is
    the time that the next ones take. Backward the sum of a line is given out as it comes.

    Members
    -------
    starts : In(1)
        Sums that come from the next cycle on belong to ``operation``.
    operation : In(ContextLayout(cfg))
        See above.
    all_lanes, one : In(1)
        ``sums``, or ``total``, are there.
    sums, total : In
        See :class:`~mho.hw.emulator.vector.lanes.MacLanes`.
    valid : Out(1)
        A line is given out.
    line, charge, of : Out
        Which, its sum, and the context to which it belongs. Combinational.
    busy : Out(1)
        Lines are kept.
    """

    starts = In(1)
    operation = In(lambda self: ContextLayout(self.cfg))
    all_lanes = In(1)
    one = In(1)
    sums = array(In(lambda self: signed(self.cfg.step_bits + 1)), lambda self: self.cfg.lanes)
    total = In(lambda self: signed(self.cfg.step_bits + 1))
    valid = Out(1)
    line = Out(lambda self: range(self.cfg.lines))
    charge = Out(lambda self: signed(self.cfg.step_bits + 1))
    of = Out(lambda self: ContextLayout(self.cfg))
    busy = Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        stored = [Signal(signed(cfg.step_bits + 1), name=f"kept_{k}", reset_less=True) for k in range(cfg.lanes)]
        left = Signal(range(cfg.lanes + 1))
        pause = Signal(range(max(cfg.row_words, 2)))
        coming, kept_context = Signal(ContextLayout(cfg)), Signal(ContextLayout(cfg))
        shift = Signal()
        m.d.comb += [
            self.busy.eq(left != 0),
            shift.eq(self.busy & (pause == 0)),
            self.valid.eq(shift | self.one),
            self.charge.eq(Mux(self.one, self.total, stored[0])),
            self.of.eq(Mux(self.one, coming, kept_context)),
        ]
        with m.If(self.starts):
            m.d.sync += coming.eq(self.operation)
        with m.If(self.valid):
            # The number of lines is a power of two, so that the next conversion begins with line 0.
            m.d.sync += self.line.eq(self.line + 1)
        with m.If(shift):
            m.d.sync += [left.eq(left - 1), pause.eq(cfg.row_words - 1)]
            m.d.sync += [here.eq(above) for here, above in pairwise(stored)]
        with m.Elif(self.busy):
            m.d.sync += pause.eq(pause - 1)
        with m.If(self.all_lanes):
            m.d.sync += [left.eq(cfg.lanes), pause.eq(0), kept_context.eq(coming)]
            m.d.sync += [here.eq(value) for here, value in zip(stored, self.sums, strict=True)]
        return self.resets(m)

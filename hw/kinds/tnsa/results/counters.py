"""Signs and counts of all converted lines, held one bit of the count a vector."""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal

from mho.hw.block import Resettable
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.ports import In, Out, array
from mho.macro_models.integer.operation import MAX_BITS

COUNT_BITS = MAX_BITS - 1
"""Bits of the magnitude of a code."""


class LineCounters(Resettable[TnsaCoreConfig]):
    """Turns the comparators' results into a sign and a count for each line.

    Each line starts from the cap, all bits of which are 1, and only ever loses bits: when it flips, those that the
    number of decrements before that one does not have; in a binary search the bit that was tried. ``removed[k]`` says
    which lines have lost bit k, so that a step is one operation on a vector for each bit, and a line has flipped if it
    has lost any. The count is ``cap & ~removed``. Results stay until the next ``latch``. The numpy reference is
    :func:`mho.macro_models.integer.converter.convert`.

    Members
    -------
    cmp : In(cfg.lines)
        The macro's comparators: 1 where the charge is negative.
    load : In(1)
        An operation starts: take over its ``enabled``.
    latch, step : In(1)
        Evaluate ``cmp`` as the sign, or after a decrement.
    binary, relu : In(1)
        Of the operation.
    cap, count : In(7)
        Largest count, at ``latch``; decrements before the last one.
    scale : In(3)
        Bit that a binary search has just tried.
    pending : Out(1)
        A line that counts will not have flipped after this ``latch`` or ``step``. Combinational from ``cmp``.
    negative : Out(cfg.lines)
        Signs.
    removed : Out(cfg.lines).array(7)
        Bits of the cap that the counts do not have.
    held_cap : Out(7)
        The cap of these counts.
    live : Out(cfg.lines)
        Lines that have a code; that of the others is 0: they are not enabled, or suppressed by ReLU.
    """

    cmp = In(lambda self: self.cfg.lines)
    load = In(1)
    enabled = In(lambda self: self.cfg.lines)
    latch = In(1)
    step = In(1)
    binary = In(1)
    relu = In(1)
    cap = In(COUNT_BITS)
    count = In(COUNT_BITS)
    scale = In(3)
    pending = Out(1)
    negative = Out(lambda self: self.cfg.lines)
    removed = array(Out(lambda self: self.cfg.lines), COUNT_BITS)
    held_cap = Out(COUNT_BITS)
    live = Out(lambda self: self.cfg.lines)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lines = self.cfg.lines
        # Written before they are read: no reset.
        enabled, negative, live = (Signal(lines, name=f"{name}_lines", reset_less=True)
                                   for name in ("enabled", "negative", "live"))
        removed = [Signal(lines, name=f"lost_{k}", reset_less=True) for k in range(COUNT_BITS)]
        m.d.comb += [
            self.negative.eq(negative), self.live.eq(live),
            *(port.eq(bits) for port, bits in zip(self.removed, removed, strict=True)),
        ]
        # Each is 0 where it is not needed, so that a simulator does not work it out.
        counting = Signal(lines)
        flipped = Signal(lines)
        remain = Signal(lines)
        lose = Signal(lines)
        with m.If(self.latch):
            m.d.comb += remain.eq(enabled & ~(self.cmp & self.relu.replicate(lines)))
        with m.Elif(self.step):
            m.d.comb += [
                counting.eq(~reduce(or_, removed)), flipped.eq(self.cmp ^ negative),
                remain.eq(counting & live & ~flipped), lose.eq(flipped & (counting | self.binary.replicate(lines))),
            ]
        m.d.comb += self.pending.eq(remain.any())
        with m.If(self.load):
            m.d.sync += enabled.eq(self.enabled)
        with m.If(self.latch):
            m.d.sync += [negative.eq(self.cmp), live.eq(remain), self.held_cap.eq(self.cap)]
            m.d.sync += [bits.eq(0) for bits in removed]
        with m.Elif(self.step):
            for k, bits in enumerate(removed):
                with m.If(Mux(self.binary, self.scale == k, ~self.count[k])):
                    m.d.sync += bits.eq(bits | lose)
        return self.resets(m)

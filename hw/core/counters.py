"""Signs and counts of all converted lines, held one bit of the count a vector."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from hw.block import Resettable
from hw.core.config import CoreConfig
from macro_models.exact.operation import MAX_BITS

__all__ = ["COUNT_BITS", "LineCounters"]

COUNT_BITS = MAX_BITS - 1
"""Bits of the magnitude of a code."""


class LineCounters(Resettable):
    """Turns the comparators' results into a sign and a count for each line.

    Counting: all lines start from the cap; a line that flips takes the number of decrements before that one. Binary
    search: a compare gives one bit of all lines. Bit k of the counts is one vector, ``bits[k]``, so that a step is a
    merge of vectors under a mask. The numpy reference is :func:`macro_models.exact.converter.convert`.

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
        Largest count; decrements before the last one.
    scale : In(3)
        Bit that a binary search has just tried.
    pending : Out(1)
        A line that counts will not have flipped after this ``latch`` or ``step``. Combinational from ``cmp``.
    negative : Out(cfg.lines)
        Signs.
    bits : Out(cfg.lines).array(7)
        Counts.
    live : Out(cfg.lines)
        Lines that have a code; that of the others is 0: they are not enabled, or suppressed by ReLU.
    """

    cmp: Value
    load: Value
    enabled: Value
    latch: Value
    step: Value
    binary: Value
    relu: Value
    cap: Value
    count: Value
    scale: Value
    pending: Value
    negative: Signal
    bits: list[Signal]
    live: Signal

    def __init__(self, cfg: CoreConfig) -> None:
        self.cfg = cfg
        lines = cfg.lines
        super().__init__({
            "cmp": In(lines), "load": In(1), "enabled": In(lines),
            "latch": In(1), "step": In(1), "binary": In(1), "relu": In(1),
            "cap": In(COUNT_BITS), "count": In(COUNT_BITS), "scale": In(3),
            "pending": Out(1), "negative": Out(lines), "bits": Out(lines).array(COUNT_BITS), "live": Out(lines),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lines = self.cfg.lines
        enabled = Signal(lines, reset_less=True)
        counting = Signal(lines, reset_less=True)
        flipped = Signal(lines)
        remain = Signal(lines)
        with m.If(self.latch):
            m.d.comb += remain.eq(enabled & ~(self.cmp & self.relu.replicate(lines)))
        with m.Elif(self.step):
            m.d.comb += [flipped.eq(self.cmp ^ self.negative), remain.eq(counting & ~flipped)]
        m.d.comb += self.pending.eq(remain.any())
        with m.If(self.load):
            m.d.sync += enabled.eq(self.enabled)
        with m.If(self.latch):
            m.d.sync += [self.negative.eq(self.cmp), counting.eq(remain), self.live.eq(remain)]
            for k, bits in enumerate(self.bits):
                m.d.sync += bits.eq(self.cap[k].replicate(lines))
        with m.Elif(self.step & ~self.binary):
            m.d.sync += counting.eq(remain)
            newly = counting & flipped
            for k, bits in enumerate(self.bits):
                m.d.sync += bits.eq(Mux(self.count[k], bits | newly, bits & ~newly))
        with m.Elif(self.step):
            for k, bits in enumerate(self.bits):
                with m.If(self.scale == k):
                    m.d.sync += bits.eq(~flipped)
        return self.resets(m)

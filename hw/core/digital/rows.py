"""Drives the rows of a macro with one digit of the input codes at a time: a plane of them, or several."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from mho.hw.block import Resettable
from mho.hw.core.digital.config import RowConfig
from mho.hw.ports import In, Out, array
from mho.macro_models.integer.operation import MAX_BITS


class RowDriver(Resettable[RowConfig]):
    """Holds the planes of the operation that runs, and drives one of them.

    ``load``, ``drive`` and ``clear`` take effect at the next clock edge. No row is driven both ways, and none but
    between ``drive`` and ``clear``.

    Members
    -------
    load, planes, in_signed, driven : In
        Take over an operation: the planes of :class:`mho.hw.core.digital.loader.CodeLoader`, and rows that are driven.
    drive, select : In(1), In
        Put a step on the rows: the number of a digit, times ``cfg.row_groups``, and of the group of rows.
    clear : In(1)
        Release the rows.
    pos, neg : Out(cfg.inputs() * cfg.digit_bits)
        Digits of rows of positive and of negative inputs, from flip-flops.
    """

    load = In(1)
    planes = array(In(lambda self: self.cfg.inputs()), MAX_BITS)
    in_signed = In(1)
    driven = In(lambda self: self.cfg.inputs())
    drive = In(1)
    select = In(lambda self: range(max(self.cfg.drive_steps, 2)))
    clear = In(1)
    pos = Out(lambda self: self.cfg.inputs() * self.cfg.digit_bits)
    neg = Out(lambda self: self.cfg.inputs() * self.cfg.digit_bits)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, bits, groups = self.cfg.inputs(), self.cfg.digit_bits, self.cfg.row_groups
        # Written by every operation before they are read: no reset.
        stored = [Signal(rows, name=f"held_{k}", reset_less=True) for k in range(MAX_BITS)]
        negative = Signal(rows, reset_less=True)
        level = Signal(rows * bits)
        with m.If(self.load):
            planes: list[Value] = list(self.planes)
            if bits > 1:
                planes[-1] = Mux(self.in_signed, 0, planes[-1])  # a sign, which is in a digit with magnitudes
            m.d.sync += [plane.eq(loaded & self.driven) for plane, loaded in zip(stored, planes, strict=True)]
            m.d.sync += negative.eq(Mux(self.in_signed, self.planes[-1], 0))
        with m.Switch(self.select):
            for k in range(self.cfg.drive_steps):
                digit = stored[bits * (k // groups) : bits * (k // groups + 1)]
                first, last = (rows * (k % groups + end) // groups for end in (0, 1))
                with m.Case(k):
                    if groups > 1:
                        driven = Cat(plane[row] for row in range(first, last) for plane in digit)
                        m.d.comb += level[bits * first : bits * last].eq(driven)
                    else:
                        m.d.comb += level.eq(Cat(*zip(*digit, strict=True)) if bits > 1 else digit[0])
        sign = Cat(bit.replicate(bits) for bit in negative) if bits > 1 else negative
        if self.cfg.chop:
            sign ^= self._reversed(m).replicate(rows * bits)
        with m.If(self.drive):
            m.d.sync += [self.pos.eq(level & ~sign), self.neg.eq(level & sign)]
        with m.Elif(self.clear):
            m.d.sync += [self.pos.eq(0), self.neg.eq(0)]
        return self.resets(m)

    def _reversed(self, m: Module) -> Value:
        """Whether the step that is next to be driven is so the other way."""
        if self.cfg.row_groups > 1:
            return self.select[0]
        later = Signal()
        with m.If(self.load):
            m.d.sync += later.eq(0)
        with m.Elif(self.drive):
            m.d.sync += later.eq(1)
        return later

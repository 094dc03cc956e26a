"""Drives the rows of a macro with one plane of the input codes at a time."""

from amaranth.hdl import Module, Mux, Signal

from mho.hw.block import Resettable
from mho.hw.core.shape import CoreShape
from mho.hw.ports import In, Out, array
from mho.macro_models.integer.operation import MAX_BITS

__all__ = ["RowDriver"]


class RowDriver(Resettable[CoreShape]):
    """Holds the planes of the operation that runs, and drives one of them.

    ``load``, ``drive`` and ``clear`` take effect at the next clock edge. No row is driven both ways, and none but
    between ``drive`` and ``clear``.

    Members
    -------
    load, planes, in_signed, driven : In
        Take over an operation: the planes of :class:`mho.hw.core.digital.loader.CodeLoader`, and rows that are driven.
    drive, select : In(1), In(3)
        Put a plane on the rows, by the binary weight of it.
    clear : In(1)
        Release the rows.
    pos, neg : Out(cfg.inputs())
        Rows of positive and of negative inputs, from flip-flops.
    """

    load = In(1)
    planes = array(In(lambda self: self.cfg.inputs()), MAX_BITS)
    in_signed = In(1)
    driven = In(lambda self: self.cfg.inputs())
    drive = In(1)
    select = In(range(MAX_BITS))
    clear = In(1)
    pos = Out(lambda self: self.cfg.inputs())
    neg = Out(lambda self: self.cfg.inputs())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows = self.cfg.inputs()
        # Written by every operation before they are read: no reset.
        stored = [Signal(rows, name=f"held_{k}", reset_less=True) for k in range(MAX_BITS)]
        negative = Signal(rows, reset_less=True)
        level = Signal(rows)
        with m.If(self.load):
            m.d.sync += [plane.eq(loaded & self.driven) for plane, loaded in zip(stored, self.planes, strict=True)]
            m.d.sync += negative.eq(Mux(self.in_signed, self.planes[-1], 0))
        with m.Switch(self.select):
            for k, plane in enumerate(stored):
                with m.Case(k):
                    m.d.comb += level.eq(plane)
        with m.If(self.drive):
            m.d.sync += [self.pos.eq(level & ~negative), self.neg.eq(level & negative)]
        with m.Elif(self.clear):
            m.d.sync += [self.pos.eq(0), self.neg.eq(0)]
        return self.resets(m)

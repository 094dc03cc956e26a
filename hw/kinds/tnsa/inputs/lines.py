"""The line registers at the macro's pins: one plane of the input at a time."""

import numpy as np
from amaranth.hdl import Module, Mux, Signal
from numpy.typing import ArrayLike, NDArray

from mho.hw.block import Resettable
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.inputs.loader import staged_planes
from mho.hw.ports import In, Out, array
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, MAX_BITS, Direction, Masks, MvmOperation


def line_levels(op: MvmOperation, masks: Masks, x: ArrayLike) -> NDArray[np.int8]:
    """Levels of the driven lines, +1, 0 or -1, for each plane from the most significant: shape (op.planes, lines).

    Reference of :class:`LineRegisters`. ``x`` is one vector: (lines // 2,) codes forward, (lines,) backward.
    """
    planes = staged_planes(op, x)
    sign = np.where(planes[-1] if op.in_signed else False, -1, 1) * np.ones(planes.shape[1], dtype=np.int64)
    if op.direction is Direction.FORWARD:
        sign[1::2] *= -1
    levels = planes[: op.planes] * sign * masks.driven(op)
    return levels[::-1].astype(np.int8)


class LineRegisters(Resettable[TnsaCoreConfig]):
    """Holds the planes of the conversion that runs, and drives one of them.

    ``load``, ``drive`` and ``clear`` take effect at the next clock edge. The registers are 0 outside sampling, so that
    no line is driven while the converter works.

    Members
    -------
    load : In(1)
        Take over a conversion: ``backward``, ``in_signed``, ``planes`` (see :class:`OperationLoader`), ``driven``.
    upper : In(1)
        With ``load``: its planes are 4 to 7, those of an MSB segment, and not 0 to 3.
    drive : In(1)
        Put a plane on the lines.
    select : In(2)
        Which of the four.
    clear : In(1)
        Release the lines.
    bl_pos, bl_neg, sl_pos, sl_neg : Out(cfg.lines)
        To the pins: a flip-flop and a gate, the other side of which changes only with ``load``, while all lines are 0.
    """

    load = In(1)
    upper = In(1)
    backward = In(1)
    in_signed = In(1)
    planes = array(In(lambda self: self.cfg.lines), MAX_BITS)
    driven = In(lambda self: self.cfg.lines)
    drive = In(1)
    select = In(2)
    clear = In(1)
    bl_pos = Out(lambda self: self.cfg.lines)
    bl_neg = Out(lambda self: self.cfg.lines)
    sl_pos = Out(lambda self: self.cfg.lines)
    sl_neg = Out(lambda self: self.cfg.lines)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lines = self.cfg.lines
        negate_odd = int("10" * (lines // 2), 2)

        # Written by every conversion before they are read: no reset.
        planes = [Signal(lines, name=f"plane_{k}", reset_less=True) for k in range(LSB_SEGMENT_BITS)]
        negative = Signal(lines, reset_less=True)
        backward = Signal()
        with m.If(self.load):
            m.d.sync += backward.eq(self.backward)
            low, high = self.planes[:LSB_SEGMENT_BITS], self.planes[LSB_SEGMENT_BITS:]
            for plane, *segments in zip(planes, low, high, strict=True):
                m.d.sync += plane.eq(Mux(self.upper, segments[1], segments[0]) & self.driven)
            sign = Mux(self.in_signed, self.planes[-1], 0)
            m.d.sync += negative.eq(sign ^ Mux(self.backward, 0, negate_odd))

        positive_level, negative_level = Signal(lines, name="positive_level"), Signal(lines, name="negative_level")
        with m.If(self.drive):
            with m.Switch(self.select):
                for k, plane in enumerate(planes):
                    with m.Case(k):
                        m.d.sync += [
                            positive_level.eq(plane & ~negative), negative_level.eq(plane & negative),
                        ]
        with m.Elif(self.clear):
            m.d.sync += [positive_level.eq(0), negative_level.eq(0)]
        for driven, pos, neg in ((~backward, self.bl_pos, self.bl_neg), (backward, self.sl_pos, self.sl_neg)):
            with m.If(driven):
                m.d.comb += [pos.eq(positive_level), neg.eq(negative_level)]
        return self.resets(m)

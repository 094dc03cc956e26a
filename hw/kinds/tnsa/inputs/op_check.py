"""Which descriptors are legal."""

from amaranth.hdl import Module

from mho.hw.core.layout import OpLayout
from mho.hw.ports import Component, In, Out
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, MAX_BITS


class OpCheck(Component):
    """Decides whether a descriptor is legal, by the rules of :class:`MvmOperation`, and derives what depends on it.

    Combinational.

    Parameters
    ----------
    limited
        There are limits of the widths, below those of all cores.

    Members
    -------
    op : In(OpLayout())
        The descriptor.
    most_in_bits, most_out_bits : In(4)
        The limits, if there are any, 1..8.
    legal : Out(1)
        Whether an :class:`MvmOperation` with these values exists.
    planes : Out(4)
        Magnitude planes of the input, 1..8 if legal.
    two : Out(1)
        The operation runs as two conversions.
    """

    op = In(OpLayout())
    legal = Out(1)
    planes = Out(4)
    two = Out(1)
    most_in_bits = In(4, when=lambda self: self.limited)
    most_out_bits = In(4, when=lambda self: self.limited)

    def __init__(self, *, limited: bool = False) -> None:
        self.limited = limited
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.op
        bipolar = op.in_signed & (op.in_bits == 1)
        most_in, most_out = (self.most_in_bits, self.most_out_bits) if self.limited else (MAX_BITS, MAX_BITS)
        m.d.comb += [
            self.planes.eq(op.in_bits - (op.in_signed & ~bipolar)),
            self.two.eq(self.planes > LSB_SEGMENT_BITS),
            self.legal.eq(
                (op.in_bits != 0) & (op.in_bits <= most_in)
                & (op.out_bits != 0) & (op.out_bits <= most_out)
                & (op.step_code != 0) & (op.mode == 0) & ~(op.relu & self.two)
            ),
        ]
        return m

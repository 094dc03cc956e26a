"""The pixels under a kernel, one after the other: where each is."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.block import Resettable
from hw.tile.buffer import ADDRESS_BITS
from hw.tile.lanes.operands import TermLayout
from hw.tile.layouts import DescriptorLayout

__all__ = ["CORNER", "Window", "inside"]

CORNER = 15
"""Bits of a column or row, which may be outside of the image."""


class Window(Resettable):
    """Gives the pixels of a window row by row, the whole again and again.

    Members
    -------
    walk : In(DescriptorLayout("walk"))
        The walk. It stays.
    load, active : In(1), In(1)
        Begin with the first pixel; pixels are given from the cycle after on, while it is active.
    x, y : In(signed(15))
        Column and row of the first pixel of the window; these and all that follows stay.
    base, size : In(16), In(17)
        Where the ring begins, and how many bytes it has.
    first, column_step, row_step : In(16)
        Byte of the ring of the first pixel that is in the image; and how far apart columns and rows are there.
    o : Out(stream of TermLayout())
        Addresses of the runs.
    """

    walk: Any
    load: Value
    active: Value
    x: Value
    y: Value
    base: Value
    size: Value
    first: Value
    column_step: Value
    row_step: Value
    o: stream.Interface

    def __init__(self) -> None:
        super().__init__({
            "walk": In(DescriptorLayout("walk")), "load": In(1), "active": In(1),
            "x": In(signed(CORNER)), "y": In(signed(CORNER)), "base": In(ADDRESS_BITS), "size": In(ADDRESS_BITS + 1),
            "first": In(ADDRESS_BITS), "column_step": In(ADDRESS_BITS), "row_step": In(ADDRESS_BITS),
            "o": Out(stream.Signature(TermLayout())),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        walk = self.walk
        x, y = Signal.like(self.x), Signal.like(self.y)
        left, below = Signal(5), Signal(5)
        at, row = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        in_row, in_image = Signal(), Signal()
        m.d.comb += [
            in_row.eq(inside(y, walk.height)), in_image.eq(in_row & inside(x, walk.width)),
            self.o.valid.eq(self.active), self.o.p.last.eq((left == 1) & (below == 1)),
            self.o.p.address.eq(Mux(in_image, self.base + walk.channel + at, walk.pad)),
        ]
        next_row = Mux(in_row, self._around(m, "row", row, self.row_step), row)
        with m.If(self.load | (self.o.valid & self.o.ready & self.o.p.last)):
            m.d.sync += [
                x.eq(self.x), y.eq(self.y), left.eq(walk.kernel_x), below.eq(walk.kernel_y),
                at.eq(self.first), row.eq(self.first),
            ]
        with m.Elif(self.o.valid & self.o.ready):
            with m.If(left != 1):
                m.d.sync += [left.eq(left - 1), x.eq(x + walk.dilation_x)]
                with m.If(in_image):
                    m.d.sync += at.eq(self._around(m, "column", at, self.column_step))
            with m.Else():
                m.d.sync += [
                    left.eq(walk.kernel_x), below.eq(below - 1), x.eq(self.x), y.eq(y + walk.dilation_y),
                    at.eq(next_row), row.eq(next_row),
                ]
        return self.resets(m)

    def _around(self, m: Module, name: str, place: Value, step: Value) -> Value:
        """A place in the ring and a step that is shorter than it."""
        far, less = Signal(ADDRESS_BITS + 1, name=f"{name}_far"), Signal(ADDRESS_BITS + 2, name=f"{name}_less")
        m.d.comb += [far.eq(place + step), less.eq(far - self.size)]
        return Mux(less[-1], far, less)[:ADDRESS_BITS]


def inside(place: Value, size: Value) -> Value:
    """Whether a column or row is in an image: neither before it nor behind it."""
    bits = len(size)
    return ~place[bits:].any() & (place[:bits] < size)

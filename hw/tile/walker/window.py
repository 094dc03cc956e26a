"""The pixels under a kernel, one after the other: where each is."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.block import Resettable
from hw.tile.buffer import ADDRESS_BITS
from hw.tile.lanes.operands import TermLayout
from hw.tile.layouts import DescriptorLayout
from hw.tile.walker.layouts import PlanLayout

__all__ = ["Window", "inside"]

class Window(Resettable):
    """Gives the pixels of a window row by row, the whole again and again.

    Members
    -------
    opens, walk, plan : In(1), In(DescriptorLayout("walk")), In(PlanLayout())
        Strobe: begin with the first pixel of this window. Pixels are given from the cycle after the next one on.
    o : Out(stream of TermLayout())
        Addresses of the runs.
    """

    opens: Value
    walk: Any
    plan: Any
    o: stream.Interface

    def __init__(self) -> None:
        super().__init__({
            "opens": In(1), "walk": In(DescriptorLayout("walk")), "plan": In(PlanLayout()),
            "o": Out(stream.Signature(TermLayout())),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        walk, plan = Signal(DescriptorLayout("walk"), reset_less=True), Signal(PlanLayout(), reset_less=True)
        x, y, again = Signal.like(plan.x), Signal.like(plan.y), Signal()
        left, below = Signal(5), Signal(5)
        at, row = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        in_row, in_image = Signal(), Signal()
        m.d.comb += [
            in_row.eq(inside(y, walk.height)), in_image.eq(in_row & inside(x, walk.width)),
            again.eq(self.o.ready & self.o.p.last), self.o.valid.eq(1), self.o.p.last.eq((left == 1) & (below == 1)),
            self.o.p.address.eq(Mux(in_image, plan.base + walk.channel + at, walk.pad)),
        ]
        next_row = Mux(in_row, self._around(m, "row", row, plan.row_step, plan.size), row)
        with m.If(self.opens):
            m.d.sync += [walk.eq(self.walk), plan.eq(self.plan)]
        # What is loaded begins where a window that is over does: behind its last pixel.
        begins = Signal()
        m.d.sync += begins.eq(self.opens)
        with m.If(begins | again):
            m.d.sync += [
                x.eq(plan.x), y.eq(plan.y), left.eq(walk.kernel_x), below.eq(walk.kernel_y),
                at.eq(plan.first), row.eq(plan.first),
            ]
        with m.Elif(self.o.ready):
            with m.If(left != 1):
                m.d.sync += [left.eq(left - 1), x.eq(x + walk.dilation_x)]
                with m.If(in_image):
                    m.d.sync += at.eq(self._around(m, "column", at, plan.column_step, plan.size))
            with m.Else():
                m.d.sync += [
                    left.eq(walk.kernel_x), below.eq(below - 1), x.eq(plan.x), y.eq(y + walk.dilation_y),
                    at.eq(next_row), row.eq(next_row),
                ]
        return self.resets(m)

    def _around(self, m: Module, name: str, place: Value, step: Value, size: Value) -> Value:
        """A place in the ring and a step that is shorter than it."""
        far, less = Signal(ADDRESS_BITS + 1, name=f"{name}_far"), Signal(ADDRESS_BITS + 2, name=f"{name}_less")
        m.d.comb += [far.eq(place + step), less.eq(far - size)]
        return Mux(less[-1], far, less)[:ADDRESS_BITS]


def inside(place: Value, size: Value) -> Value:
    """Whether a column or row is in an image: neither before it nor behind it."""
    bits = len(size)
    return ~place[bits:].any() & (place[:bits] < size)

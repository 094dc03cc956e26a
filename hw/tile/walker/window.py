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

__all__ = ["Window"]

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
        walk = Signal(DescriptorLayout("walk"), reset_less=True)
        plan = Signal(PlanLayout(), reset_less=True)
        left, below = Signal(5, name="left"), Signal(5, name="below")
        at, row = Signal(ADDRESS_BITS, name="at"), Signal(ADDRESS_BITS, name="row")
        row_ends, in_row, in_image, again = Signal(), Signal(), Signal(), Signal()
        begins, start = Signal(), Signal(ADDRESS_BITS, reset_less=True)
        m.d.comb += [
            in_row.eq(_within(below, plan.rows)), in_image.eq(in_row & _within(left, plan.columns)),
            row_ends.eq(left == 1), self.o.p.last.eq(row_ends & (below == 1)),
            again.eq(self.o.ready & self.o.p.last), self.o.valid.eq(1),
            self.o.p.address.eq(Mux(in_image, start + at, walk.pad)),
        ]
        with m.If(self.opens):
            m.d.sync += [walk.eq(self.walk), plan.eq(self.plan)]
        # What is opened begins where a window that is over does: behind its last pixel.
        m.d.sync += begins.eq(self.opens)
        with m.If(begins):
            m.d.sync += start.eq(plan.base + walk.channel)
        # From the first pixel of a row to that of the next, or from a pixel to its neighbour; none before the image.
        moved = self._around(m, Mux(row_ends, row, at), Mux(row_ends, plan.row_step, plan.column_step), plan.size)
        with m.If(begins | again):
            m.d.sync += [left.eq(walk.kernel_x), below.eq(walk.kernel_y), at.eq(plan.first), row.eq(plan.first)]
        with m.Elif(self.o.ready):
            m.d.sync += left.eq(Mux(row_ends, walk.kernel_x, left - 1))
            with m.If(row_ends):
                m.d.sync += below.eq(below - 1)
                with m.If(in_row):
                    m.d.sync += row.eq(moved)
            with m.If(Mux(row_ends, in_row, in_image)):
                m.d.sync += at.eq(moved)
        return self.resets(m)

    def _around(self, m: Module, place: Value, step: Value, size: Value) -> Value:
        """A place in the ring and a step that is shorter than it."""
        far, less = Signal(ADDRESS_BITS + 1), Signal(ADDRESS_BITS + 2)
        m.d.comb += [far.eq(place + step), less.eq(far - size)]
        return Mux(less[-1], far, less)[:ADDRESS_BITS]


def _within(left: Value, span: Any) -> Value:
    """Whether a column or row of the kernel is in the image."""
    return (left <= span.first) & (left >= span.last)

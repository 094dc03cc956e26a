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

    Parameters
    ----------
    buffer_bytes
        Bytes of the buffer, within which the ring ends.

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

    def __init__(self, buffer_bytes: int = 1 << ADDRESS_BITS) -> None:
        self.buffer_bytes = buffer_bytes
        self.bits = (buffer_bytes - 1).bit_length()
        super().__init__({
            "opens": In(1), "walk": In(DescriptorLayout("walk")), "plan": In(PlanLayout()),
            "o": Out(stream.Signature(TermLayout())),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        walk = Signal(DescriptorLayout("walk"), reset_less=True)
        plan = Signal(PlanLayout(), reset_less=True)
        left, below = Signal(5, name="left"), Signal(5, name="below")
        at, row = Signal(self.bits, name="at"), Signal(self.bits, name="row")
        # Whether the row and the column at hand are in the image.
        in_row, in_column = Signal(name="in_row"), Signal(name="in_column")
        row_ends, begins, anew, next_row = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            row_ends.eq(left == 1), self.o.p.last.eq(row_ends & (below == 1)),
            self.o.valid.eq(1),
            self.o.p.address.eq(Mux(in_row & in_column, at, walk.pad)),
            # What comes behind the pixel at hand: the first one again, or that of a row.
            anew.eq(begins | self.o.p.last), next_row.eq(begins | row_ends),
        ]
        with m.If(self.opens):
            m.d.sync += [walk.eq(self.walk), plan.eq(self.plan)]
        # What is opened begins where a window that is over does: behind its last pixel.
        m.d.sync += begins.eq(self.opens)
        # From the first pixel of a row to that of the next, or from a pixel to its neighbour; none before the image.
        step = Mux(row_ends, plan.row_step, plan.column_step)[: self.bits] & (~anew).replicate(self.bits)
        moved = self._around(m, Mux(anew, plan.first, Mux(row_ends, row, at)), step, plan)
        with m.If(begins | self.o.ready):
            with m.If(anew | (row_ends & in_row)):
                m.d.sync += row.eq(moved)
            with m.If(anew | (in_row & (row_ends | in_column))):
                m.d.sync += at.eq(moved)
            m.d.sync += _goes_on(left, in_column, walk.kernel_x, plan.columns, next_row)
            with m.If(next_row):
                m.d.sync += _goes_on(below, in_row, walk.kernel_y, plan.rows, anew)
        return self.resets(m)

    def _around(self, m: Module, place: Value, step: Value, plan: Any) -> Value:
        """A place in the ring and a step that is shorter than it."""
        far = Signal(self.bits + 1)
        m.d.comb += far.eq(place + step)
        return Mux(far < plan.end[: len(far)], far, far - plan.size)[: self.bits]


def _goes_on(left: Signal, inside: Signal, kernel: Value, span: Any, anew: Value) -> list[Any]:
    """To the next column or row of the kernel, or the first one; whether that is in the image is known from then on."""
    following = Mux(anew, kernel, left - 1)[: len(left)]
    return [left.eq(following), inside.eq((following == span.first) | (inside & (left != span.last) & ~anew))]

"""Claims of the pixels of a window: each is where its row and column are in the ring, and none else is read."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value

from hw.tile.buffer import ADDRESS_BITS
from hw.tile.walker import Window
from sim.formal.harness import Harness, State, assume, claim, drive_freely, witness

__all__ = ["WindowClaims"]

_WIDE = 18


class WindowClaims(Harness):
    """Any window that lies within its ring, as those do that are planned; it is given again and again."""

    def __init__(self, dut: Window) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        drive_freely(m, dut.opens, dut.walk, dut.plan, dut.o.ready)
        m.d.comb += dut.soft_reset.eq(0)
        walk, plan = Signal.like(dut.walk), Signal.like(dut.plan)
        with m.If(dut.opens):
            m.d.sync += [walk.eq(dut.walk), plan.eq(dut.plan)]
        claim(m, "it is the window that was opened last", (state["walk"] == walk.as_value()) & (
            state["plan"] == plan.as_value()))
        # Whether a window is open, and its first pixel is given from the next cycle on.
        opened, begins = Signal(), Signal()
        m.d.sync += [begins.eq(dut.opens), opened.eq(opened | begins)]
        assume(m, ~dut.opens | ((dut.walk.kernel_x != 0) & (dut.walk.kernel_y != 0)))
        with m.If(opened | begins):
            claim(m, "its kernel has pixels", (walk.kernel_x != 0) & (walk.kernel_y != 0))
        # Which column and row of the kernel; bytes from the first pixel in the image to this one, and to its row.
        column, row, far, down = Signal(5), Signal(5), Signal(_WIDE), Signal(_WIDE)
        m.d.comb += [column.eq(walk.kernel_x - state["left"]), row.eq(walk.kernel_y - state["below"])]
        in_row, in_column = _among(state["below"], plan.rows), _among(state["left"], plan.columns)
        row_ends, ends = state["left"] == 1, (state["left"] == 1) & (state["below"] == 1)
        with m.If(begins | (dut.o.ready & ends)):
            m.d.sync += [far.eq(0), down.eq(0)]
        with m.Elif(dut.o.ready):
            lower = Mux(in_row, down + plan.row_step, down)
            m.d.sync += down.eq(Mux(row_ends, lower, down))
            m.d.sync += far.eq(Mux(row_ends, lower, Mux(in_row & in_column, far + plan.column_step, far)))
        first = _around(plan.first, plan)
        there, given = opened & ~begins, in_row & in_column
        assume(m, ~opened | ((first < plan.end) & (plan.end <= first + plan.size) & (plan.size <= 1 << ADDRESS_BITS)))
        assume(m, ~opened | (first < 1 << ADDRESS_BITS))
        # The plan is that of a window within its ring, its first and last rows and columns being in the image.
        for span, kernel in ((plan.columns, walk.kernel_x), (plan.rows, walk.kernel_y)):
            assume(m, (span.first == 0) | ((span.last != 0) & (span.last <= span.first) & (span.first <= kernel)))
        for place, read in ((down, in_row), (far, given)):
            assume(m, ~(there & read) | ((place < plan.size) & (_around(first + place, plan) < 1 << ADDRESS_BITS)))
        with m.If(there):
            claim(m, "it knows what is in the image", (state["in_row"] == in_row) & (state["in_column"] == in_column))
            claim(m, "it is at a pixel of the kernel", (state["left"] != 0) & (state["left"] <= walk.kernel_x) & (
                state["below"] != 0) & (state["below"] <= walk.kernel_y))
            with m.If(state["below"] >= plan.rows.last):
                claim(m, "the row is where it is in the ring", state["row"] == _around(first + down, plan))
                with m.If(~in_row | (state["left"] >= plan.columns.last)):
                    claim(m, "the pixel is where it is in the ring", state["at"] == _around(first + far, plan))
            with m.If(~in_row | (state["left"] > plan.columns.first)):
                claim(m, "before its first pixel a row is where it begins", far == down)
            claim(m, "a pixel of the image is read from its place in the ring, the pad for others",
                  dut.o.p.address == Mux(given, _around(first + far, plan), walk.pad))
            claim(m, "the last pixel is that of the kernel", dut.o.p.last == ends)
        claim(m, "it always has a pixel", dut.o.valid | ~there)
        witness(m, "the second row has come to its second pixel", there & given & (row == 1) & (column == 1) & (
            far > plan.row_step))


def _among(left: Value, span: Any) -> Value:
    return (left <= span.first) & (left >= span.last)


def _around(place: Value, plan: Any) -> Value:
    """A place in a ring."""
    return Mux(place >= plan.end, place - plan.size, place)[:_WIDE]

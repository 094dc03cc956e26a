"""Claims of the pixels of a window: each is where its row and column are in the ring, and none else is read."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned

from mho.hw.tile.rtl.buffer import ADDRESS_BITS
from mho.hw.tile.rtl.windows.addresses import AddressGenerator, AmongLayout, OpenLayout
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, witness

__all__ = ["WindowClaims"]

_WIDE = 18


class WindowClaims(Harness):
    """Any window that lies within its ring, as those do that are planned; it is given again and again.

    Of two that are open the solver picks one.
    """

    def __init__(self, dut: AddressGenerator) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        drive_freely(m, dut.opens, dut.walk, dut.plan, dut.o.ready)
        m.d.comb += dut.soft_reset.eq(0)
        walk, plan = Signal.like(dut.walk), Signal.like(dut.plan)
        opens, requested = self._picks(m, state)
        window, column_of, line_of, at, above = self._kept(m, state)
        with m.If(opens):
            m.d.sync += [walk.eq(dut.walk), plan.eq(dut.plan)]
        # Whether a window is open, and its first pixel is given from the next cycle on.
        opened, begins = Signal(), Signal()
        m.d.sync += [begins.eq(opens), opened.eq(opened | begins)]
        mine = Const(1) if dut.count == 1 else state["opened"] == self._pick
        claim(m, "it begins a cycle after it was opened", begins == (state["begins"] & mine))
        with m.If(opened | begins):
            claim(m, "it is the window that was opened last", Cat(
                *(window[name] == plan[name] for name in plan.shape().members),
                *(window[name] == walk[name] for name in ("kernel_x", "kernel_y", "pad"))).all())
        assume(m, ~dut.opens | ((dut.walk.kernel_x != 0) & (dut.walk.kernel_y != 0)))
        with m.If(opened | begins):
            claim(m, "its kernel has pixels", (walk.kernel_x != 0) & (walk.kernel_y != 0))
        # Which column and row of the kernel; bytes from the first pixel in the image to this one, and to its row.
        column, row, far, down = Signal(5), Signal(5), Signal(_WIDE), Signal(_WIDE)
        left, below = column_of.left, line_of.left
        m.d.comb += [column.eq(walk.kernel_x - left), row.eq(walk.kernel_y - below)]
        in_row, in_column = _among(below, plan.rows), _among(left, plan.columns)
        row_ends, ends = left == 1, (left == 1) & (below == 1)
        with m.If(begins | (requested & dut.o.ready & ends)):
            m.d.sync += [far.eq(0), down.eq(0)]
        with m.Elif(requested & dut.o.ready):
            lower = Mux(in_row, down + plan.row_step, down)
            m.d.sync += down.eq(Mux(row_ends, lower, down))
            m.d.sync += far.eq(Mux(row_ends, lower, Mux(in_row & in_column, far + plan.column_step, far)))
        first = _around(plan.first, plan)
        active, inside = opened & ~begins, in_row & in_column
        assume(m, ~opened | ((first < plan.end) & (plan.end <= first + plan.size) & (plan.size <= 1 << ADDRESS_BITS)))
        assume(m, ~opened | (first < 1 << ADDRESS_BITS))
        # The plan is that of a window within its ring, its first and last rows and columns being in the image.
        for span, kernel in ((plan.columns, walk.kernel_x), (plan.rows, walk.kernel_y)):
            assume(m, (span.first == 0) | ((span.last != 0) & (span.last <= span.first) & (span.first <= kernel)))
        for place, read in ((down, in_row), (far, inside)):
            assume(m, ~(active & read) | ((place < plan.size) & (_around(first + place, plan) < 1 << ADDRESS_BITS)))
        with m.If(active):
            claim(m, "it knows what is in the image", (line_of.inside == in_row) & (column_of.inside == in_column))
            claim(m, "it knows the last column and row",
                  (column_of.final == (left == 1)) & (line_of.final == (below == 1)))
            claim(m, "it is at a pixel of the kernel", (left != 0) & (left <= walk.kernel_x) & (
                below != 0) & (below <= walk.kernel_y))
            with m.If(below >= plan.rows.last):
                claim(m, "the row is where it is in the ring", above == _around(first + down, plan))
                with m.If(~in_row | (left >= plan.columns.last)):
                    claim(m, "the pixel is where it is in the ring", at == _around(first + far, plan))
            with m.If(~in_row | (left > plan.columns.first)):
                claim(m, "before its first pixel a row is where it begins", far == down)
        with m.If(active & requested):
            claim(m, "a pixel of the image is read from its place in the ring, the pad for others",
                  dut.o.p.address == Mux(inside, _around(first + far, plan), walk.pad))
            claim(m, "the last pixel is that of the kernel", dut.o.p.last == ends)
        claim(m, "it always has a pixel", dut.o.valid | ~active)
        witness(m, "the second row has come to its second pixel", active & inside & (row == 1) & (column == 1) & (
            far > plan.row_step))

    def _picks(self, m: Module, state: State) -> tuple[Value, Value]:
        """Whether the window that is picked is opened, and whether its pixels are given."""
        dut: Any = self.dut
        if dut.count == 1:
            return dut.opens, Const(1)
        drive_freely(m, dut.which, dut.asked)
        self._pick, late, which = constant(m, 1, "pick"), Signal(), Signal()
        m.d.sync += [late.eq(dut.opens), which.eq(dut.which)]
        claim(m, "it knows which one begins", (state["begins"] == late) & (state["opened"] == which))
        return dut.opens & (dut.which == self._pick), (dut.asked == self._pick) & ~late

    def _kept(self, m: Module, state: State) -> list[Any]:
        """What is known of it: its plan, columns and rows that are left, where it and its row are."""
        dut: Any = self.dut
        fields = []
        for name, shape in (("plan", OpenLayout(dut.bits)), ("column", AmongLayout()), ("line", AmongLayout()),
                            ("at", unsigned(dut.bits)), ("row", unsigned(dut.bits))):
            field = Signal(shape, name=f"its_{name}")
            stored = state[name] if dut.count == 1 else Array(state.words(name))[self._pick]
            m.d.comb += Value.cast(field).eq(stored)
            fields.append(field)
        return fields


def _among(left: Value, span: Any) -> Value:
    return (left <= span.first) & (left >= span.last)


def _around(place: Value, plan: Any) -> Value:
    """A place in a ring."""
    return Mux(place >= plan.end, place - plan.size, place)[:_WIDE]

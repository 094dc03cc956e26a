"""A walk at work: waits for its window, gives it, goes on, gives back what no later window needs."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.block import Resettable
from hw.tile.buffer import ADDRESS_BITS
from hw.tile.layouts import DescriptorLayout
from hw.tile.tokens import AskPort, Change, RingLayout
from hw.tile.tokens.tokens import COUNT_BITS
from hw.tile.walker.layouts import CORNER, PIXEL, LookLayout, PlaceLayout, PlanLayout, Todo

__all__ = ["Walker"]

_CORNER = CORNER - 1
"""Bits of a column or row of a window that is not before the image."""
_COUNT = _CORNER + 12
"""Bits of a number of pixels."""


class Walker(Resettable):
    """Carries out one walk at a time. Reference: :class:`hw.tile.walk.Walk`.

    To look at it takes four cycles; to plan a window fourteen and both sides of the kernel, and what it waits for; to
    go on ten, and about three for each block that is given back. What was done in part may be asked for again.

    Members
    -------
    walk, place : In(DescriptorLayout("walk")), In(PlaceLayout())
        The walk and where it is. They stay from ``start`` to the end.
    start, todo, restart, advance, free, hasty, hold, done, wrong, later, look, plan
        As at :class:`hw.tile.walker.layouts.WalkPort`; ``start`` is a strobe.
    next : Out(PlaceLayout())
        Where it is when it has gone on, until the next start.
    ask, change : Out(AskPort()), Out(stream of Change())
        The tokens.
    """

    walk: Any
    place: Any
    start: Value
    todo: Value
    restart: Value
    advance: Value
    free: Value
    hasty: Value
    hold: Value
    done: Value
    wrong: Value
    later: Value
    next: Any
    look: Any
    plan: Any
    ask: Any
    change: stream.Interface

    def __init__(self) -> None:
        super().__init__({
            "walk": In(DescriptorLayout("walk")), "place": In(PlaceLayout()), "start": In(1), "todo": In(2),
            "restart": In(1), "advance": In(1), "free": In(1), "hasty": In(1), "hold": In(1), "done": Out(1),
            "wrong": Out(1), "later": Out(1), "next": Out(PlaceLayout()), "look": Out(LookLayout()),
            "plan": Out(PlanLayout()),
            "ask": Out(AskPort()), "change": Out(stream.Signature(Change())),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        walk, at, ring = self.walk, self.next, Signal(RingLayout())
        # One multiplier and one adder for all: products and what is added to them are taken one after the other.
        factor, other, addend = Signal(_CORNER), Signal(12), Signal(ADDRESS_BITS)
        total = Signal(_CORNER + 12)
        x, y = Signal(signed(CORNER), name="x"), Signal(signed(CORNER), name="y")
        m.d.comb += [
            total.eq(factor * other + addend), other.eq(walk.width),
            self.plan.base.eq(ring.base),
            self.ask.stream.eq(walk.stream), self.change.p.stream.eq(walk.stream), self.change.p.free.eq(1),
        ]
        oldest, newest = Signal(COUNT_BITS, name="oldest"), Signal(COUNT_BITS, name="newest")
        low = Signal(_COUNT)
        rows_of, columns_of = _Edge("y"), _Edge("x")
        # What rows, and then columns, are looked at with.
        self._at, self._left, self._step = Signal(signed(CORNER), name="at"), Signal(5, name="left"), Signal(4)
        self._size, self._inside = Signal(PIXEL), Signal()
        self._pad, self._corner = Signal(4), Signal(signed(CORNER))
        m.d.comb += [self._inside.eq(_inside(self._at, self._size)), self._corner.eq(total - self._pad)]
        behind, rows = Signal(8, name="behind"), Signal(8, name="rows")
        asks = self._stream(m)
        with m.FSM():
            with m.State("Idle"):
                with m.If(self.start):
                    m.d.sync += at.eq(self.place)
                    with m.Switch(self.todo):
                        with m.Case(Todo.LOOK):
                            m.next = "Terms"
                        with m.Case(Todo.PLAN):
                            m.next = "Row"
                        with m.Default():
                            m.next = "Done"
                            with m.If(self.advance):
                                m.next = "Step"
                with m.If(self.start & self.restart):
                    m.d.sync += [at.x.eq(0), at.y.eq(0)]
            self._count(m, factor, other, addend, total, asks)
            self._look(m, "Row", y, rows_of, factor, other, "Column")
            self._look(m, "Column", x, columns_of, factor, other, "Oldest", rows_of.any)
            with m.State("Oldest"):
                m.d.comb += [factor.eq(rows_of.first), addend.eq(columns_of.first)]
                m.d.sync += oldest.eq(total)
                m.next = "Newest"
            with m.State("Newest"):
                m.d.comb += [factor.eq(rows_of.last), addend.eq(columns_of.last)]
                m.d.sync += newest.eq(total)
                m.next = "Rows"
            with m.State("Rows"):
                m.d.comb += factor.eq(walk.dilation_y)
                m.d.sync += rows.eq(total)
                m.next = "Wait"
            self._wait(m, ring, oldest, newest, behind)
            self._measure(m, ring, factor, other, addend, total, behind, rows)
            self._go_on(m, ring, {"x": x, "y": y}, factor, other, addend, total, low)
            with m.State("Done"):
                m.d.comb += self.done.eq(~self.hold | (self.todo != Todo.PLAN))
                with m.If(self.done):
                    m.next = "Idle"
        return self.resets(m)

    def _look(
        self, m: Module, name: str, corner: Signal, edge: "_Edge", factor: Value, other: Value, following: str,
        too: Value | None = None,
    ) -> None:
        """Where rows or columns of the window begin; the first and the last one that are in the image, if any is."""
        walk, side = self.walk, edge.side
        span = self.plan.columns if side == "x" else self.plan.rows
        with m.State(name):
            self._place(m, side, corner, factor, other)
            m.d.sync += [
                self._at.eq(self._corner), self._left.eq(walk[f"kernel_{side}"]), edge.any.eq(0), span.first.eq(0),
            ]
            m.next = f"Scan {side}"
        with m.State(f"Scan {side}"):
            m.d.comb += [
                self._step.eq(walk[f"dilation_{side}"]), self._size.eq(walk.width if side == "x" else walk.height),
            ]
            m.d.sync += [self._at.eq(self._at + self._step), self._left.eq(self._left - 1)]
            with m.If(self._inside):
                m.d.sync += [edge.any.eq(1), edge.last.eq(self._at), span.last.eq(self._left)]
                with m.If(~edge.any):
                    m.d.sync += [edge.first.eq(self._at), span.first.eq(self._left)]
            with m.If(self._left == 1):
                m.next = following
                if too is not None:
                    with m.If(~((edge.any | self._inside) & too)):
                        m.next = "Done"

    def _stream(self, m: Module) -> Value:
        """Asks for the stream of a walk that is looked at; whether that still is to be answered."""
        walk, ring, asks = self.walk, self.ask.ring, Signal(name="asks_stream")
        with m.If(asks):
            m.d.comb += self.ask.valid.eq(1)
            m.d.sync += [
                asks.eq(~self.ask.ready), self.look.wrong.eq(ring.wrong),
                self.look.outside.eq(walk.channel + walk.run > ring.block),
            ]
        with m.If(self.start & (self.todo == Todo.LOOK)):
            m.d.sync += asks.eq(1)
        return asks

    def _count(self, m: Module, factor: Value, other: Value, addend: Value, total: Value, asks: Value) -> None:
        """Terms and codes of the window."""
        walk, codes = self.walk, Signal(10)
        with m.State("Terms"):
            m.d.comb += [factor.eq(walk.kernel_x), other.eq(walk.kernel_y)]
            m.d.sync += self.look.terms.eq(total)
            m.next = "Codes"
        with m.State("Codes"):
            m.d.comb += [factor.eq(self.look.terms), other.eq(walk.run)]
            m.d.sync += codes.eq(total | total[10:].any().replicate(10))
            m.next = "Repeats"
        with m.State("Repeats"):
            m.d.comb += [factor.eq(codes), other.eq(walk.repeat), addend.eq(walk.tail)]
            m.d.sync += self.look.codes.eq(total)
            # Its stream was asked for meanwhile.
            with m.If(~asks | self.ask.ready):
                m.next = "Done"

    def _place(self, m: Module, side: str, corner: Signal, factor: Value, other: Value) -> None:
        """Row or column of the first pixel of the window."""
        walk = self.walk
        m.d.comb += [factor.eq(self.next[side]), other.eq(walk[f"stride_{side}"]), self._pad.eq(walk[f"pad_{side}"])]
        m.d.sync += corner.eq(self._corner)

    def _wait(self, m: Module, ring: Any, oldest: Value, newest: Value, behind: Signal) -> None:
        """Until the last pixel of the window is there."""
        begins, back, less, far = Signal(COUNT_BITS), Signal(signed(COUNT_BITS)), Signal(COUNT_BITS), Signal()
        m.d.comb += [
            # `less`: blocks up to the last pixel, without that; more than a ring can have if it is `far`.
            begins.eq(self.next.origin - ring.freed), back.eq(begins + oldest), less.eq(begins + newest),
            far.eq(less[8:].any()),
        ]
        with m.State("Wait"):
            m.d.comb += self.ask.valid.eq(1)
            m.d.sync += ring.eq(self.ask.ring)
            with m.If(self.ask.ready):
                m.next = "Judge"
        with m.State("Judge"):
            m.d.sync += behind.eq(back)
            with m.If(~far & (less[:8] < ring.there)):
                m.next = "Size"
            with m.Elif(self.hasty):
                m.d.comb += self.later.eq(1)
                m.next = "Idle"
            with m.Else():
                m.next = "Wait"
            with m.If((back < 0) | far | (less[:8] >= ring.blocks)):
                m.d.comb += [self.wrong.eq(1), self.later.eq(0)]
                m.next = "Idle"

    def _measure(
        self, m: Module, ring: Any, factor: Value, other: Value, addend: Value, total: Value, behind: Value,
        rows: Value,
    ) -> None:
        """Where the window is in the ring, in bytes."""
        plan, first, less = self.plan, Signal(17), Signal(signed(19))
        m.d.comb += [plan.first.eq(first), less.eq(first - plan.size)]
        steps = (
            ("Size", ring.blocks, [plan.size.eq(total)], "First"),
            ("First", behind, [first.eq(total)], "Columns"),
            ("Columns", self.walk.dilation_x, [
                plan.column_step.eq(total), first.eq(Mux(less < 0, first, less))], "Lines"),
            ("Lines", rows, [plan.row_step.eq(total)], "Done"),
        )
        for state, value, effects, following in steps:
            with m.State(state):
                m.d.comb += [factor.eq(value), other.eq(ring.block)]
                if state == "First":
                    m.d.comb += addend.eq(ring.head)
                m.d.sync += effects
                m.next = following

    def _go_on(
        self, m: Module, ring: Any, corner: dict[str, Signal], factor: Value, other: Value, addend: Value, total: Value,
        low: Signal,
    ) -> None:
        """The next position; gives back what neither it nor a later one needs."""
        walk, at, x, y = self.walk, self.next, corner["x"], corner["y"]
        column, row, image_ends = Signal(_CORNER), Signal(_CORNER), Signal()
        row_ends, rows_end = at.x + 1 == walk.positions_x, at.y + 1 == walk.positions_y
        following = Signal(signed(CORNER + 1))
        m.d.comb += [
            column.eq(Mux(x < 0, 0, x)), row.eq(Mux(y < 0, 0, y)), following.eq(y + walk.stride_y),
        ]
        with m.State("Step"):
            m.d.sync += [image_ends.eq(row_ends & rows_end), at.x.eq(Mux(row_ends, 0, at.x + 1))]
            with m.If(row_ends):
                m.d.sync += at.y.eq(Mux(rows_end, 0, at.y + 1))
            m.next = "Next row"
        for name, side, after in (("Next row", "y", "Next column"), ("Next column", "x", "Top")):
            with m.State(name):
                self._place(m, side, corner[side], factor, other)
                m.next = after
        with m.State("Top"):
            m.d.comb += [factor.eq(row), addend.eq(column)]
            m.d.sync += low.eq(total)
            m.next = "Below"
        with m.State("Below"):
            m.d.comb += factor.eq(Mux(rows_end, walk.height, Mux(following < 0, 0, following)))
            with m.If(total < low):
                m.d.sync += low.eq(total)
            m.next = "Image"
        with m.State("Image"):
            m.d.comb += factor.eq(walk.height)
            with m.If(image_ends | (total < low)):
                m.d.sync += low.eq(total)
            m.next = "Behind"
        with m.State("Behind"):
            # `low` counts from the start of the image that was walked.
            m.d.sync += low.eq(at.origin + low)
            with m.If(image_ends):
                m.d.sync += at.origin.eq(at.origin + low)
            m.next = "Done"
            with m.If(self.free):
                m.next = "Free"
        left = Signal(signed(COUNT_BITS))
        m.d.comb += left.eq(low - ring.freed)
        with m.State("Free"):
            m.d.comb += self.ask.valid.eq(1)
            m.d.sync += ring.eq(self.ask.ring)
            with m.If(self.ask.ready):
                m.next = "Give"
        with m.State("Give"):
            with m.If(left <= 0):
                m.next = "Done"
            with m.Elif(ring.there == 0):
                m.next = "Free"
                with m.If(self.hasty):
                    m.d.comb += self.later.eq(1)
                    m.next = "Idle"
            with m.Elif(~self.hold):
                m.next = "Change"
        with m.State("Change"):
            m.d.comb += self.change.valid.eq(1)
            with m.If(self.change.ready):
                m.d.sync += [ring.freed.eq(ring.freed + 1), ring.there.eq(ring.there - 1)]
                m.next = "Give"


class _Edge:
    """First and last one of the rows or columns of a window that are in the image."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.any = Signal(name=f"{side}_any")
        self.first, self.last = Signal(PIXEL, name=f"{side}_first"), Signal(PIXEL, name=f"{side}_last")


def _inside(place: Value, size: Value) -> Value:
    """Whether a column or row is in an image: neither before it nor behind it."""
    bits = len(size)
    return ~place[bits:].any() & (place[:bits] < size)

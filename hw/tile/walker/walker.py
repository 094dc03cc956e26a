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
_COUNT = 23
"""Bits of a number of pixels."""


class Walker(Resettable):
    """Carries out one walk at a time. Reference: :class:`hw.tile.walk.Walk`.

    To look at it takes eight cycles; to plan a window fourteen and both sides of the kernel, one less if it has several
    rows, and what it waits for; to go on twelve, and about three for each block that is given back. What was done in
    part may be asked for again. A product is there two cycles after its factors.

    Parameters
    ----------
    buffer_bytes
        Bytes of the buffer, within which rings end.

    Members
    -------
    walk, place, moves : In(DescriptorLayout("walk")), In(PlaceLayout()), In(1)
        The walk and, unless it ``moves`` on from where it was last, where it is. They stay from ``start`` to the end.
    start, todo, restart, advance, free, hasty, hold, done, wrong, later, look, plan
        As at :class:`hw.tile.walker.layouts.WalkPort`; ``start`` is a strobe.
    next : Out(PlaceLayout())
        Where it is when it has gone on, until the next start.
    ask, change : Out(AskPort()), Out(stream of Change())
        The tokens.
    """

    walk: Any
    place: Any
    moves: Value
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

    def __init__(self, buffer_bytes: int = 1 << ADDRESS_BITS) -> None:
        self.buffer_bytes = buffer_bytes
        self.bits = (buffer_bytes - 1).bit_length()
        super().__init__({
            "walk": In(DescriptorLayout("walk")), "place": In(PlaceLayout()), "moves": In(1), "start": In(1),
            "todo": In(2),
            "restart": In(1), "advance": In(1), "free": In(1), "hasty": In(1), "hold": In(1), "done": Out(1),
            "wrong": Out(1), "later": Out(1), "next": Out(PlaceLayout()), "look": Out(LookLayout()),
            "plan": Out(PlanLayout()),
            "ask": Out(AskPort()), "change": Out(stream.Signature(Change())),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        walk, at, ring = self.walk, self.next, Signal(RingLayout())
        # One multiplier and one adder for all: what they take and what they give is in registers.
        self._factor, self._other = Signal(_CORNER), Signal(12)
        self._addend, self._total = Signal(ADDRESS_BITS), Signal(_COUNT, name="total", reset_less=True)
        factor, other, addend = (
            Signal.like(one, name=name, reset_less=True) for name, one in
            (("factor", self._factor), ("other", self._other), ("addend", self._addend)))
        m.d.comb += [
            self._other.eq(walk.width),
            self.ask.stream.eq(walk.stream), self.change.p.stream.eq(walk.stream), self.change.p.free.eq(1),
        ]
        self._multiplies = Signal(name="multiplies")
        m.d.sync += self._total.eq(factor * other + addend)
        with m.If(self._multiplies):
            m.d.sync += [factor.eq(self._factor), other.eq(self._other), addend.eq(self._addend)]
        rows_of, columns_of = _Edge("y"), _Edge("x")
        # What rows, and then columns, are looked at with.
        self._at, self._left, self._step = Signal(signed(CORNER), name="at"), Signal(5, name="left"), Signal(4)
        self._size, self._inside = Signal(PIXEL), Signal()
        m.d.comb += self._inside.eq(_inside(self._at, self._size))
        behind, plans = Signal(8, name="behind"), Signal(name="plans")
        # The first row, or column, of a position whose row or column the total is.
        self._corner, self._of_columns = Signal(signed(CORNER)), Signal()
        m.d.comb += self._corner.eq(self._total[:_CORNER] - Mux(self._of_columns, walk.pad_x, walk.pad_y))
        asks, kept = self._stream(m), self._keep(m)
        # Blocks from the oldest one that is there to the oldest pixel, before which the others are given back.
        self._begins, self._back = Signal(COUNT_BITS), Signal(signed(COUNT_BITS))
        m.d.comb += [self._begins.eq(at.origin - ring.freed), self._back.eq(self._begins + kept["oldest"])]
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += plans.eq(self.todo == Todo.PLAN)
                with m.If(self.start):
                    with m.If(~self.moves):
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
            self._count(m, asks)
            self._look(m, rows_of, columns_of, kept["column"])
            self._edges(m, rows_of, columns_of)
            self._wait(m, ring, behind)
            self._measure(m, ring, behind, kept["rows"])
            self._go_on(m, ring, kept["oldest"])
            with m.State("Done"):
                m.d.comb += self.done.eq(~self.hold | ~plans)
                with m.If(self.done):
                    m.next = "Idle"
        return self.resets(m)

    def _multiply(self, m: Module, factor: Value, other: Value | None = None, addend: Value | None = None) -> None:
        """A product, by default with the width of the image, and what is added to it.

        It is the ``total`` two cycles later, and until two cycles after the next one.
        """
        m.d.comb += [self._factor.eq(factor), self._multiplies.eq(1)]
        if other is not None:
            m.d.comb += self._other.eq(other)
        if addend is not None:
            m.d.comb += self._addend.eq(addend)

    def _keep(self, m: Module) -> dict[str, Signal]:
        """What is kept of products when they are there: the first column, pixels between rows, the oldest pixel.

        The oldest pixel of a window, or, when the walk goes on, of all that are wanted later.
        """
        kept = {
            "column": Signal(signed(CORNER), name="first_column"), "rows": Signal(8, name="rows"),
            "oldest": Signal(_COUNT, name="oldest"),
        }
        self._marks = Signal(name="marks")
        # A bit for each that comes in the next cycle; rows come behind the column.
        self._late = Signal(len(kept), name="late")
        m.d.sync += self._late.eq(self._late[0] << 1)
        with m.If(self._late[0]):
            m.d.comb += self._of_columns.eq(1)
            m.d.sync += kept["column"].eq(self._corner)
        with m.If(self._late[1]):
            m.d.sync += kept["rows"].eq(self._total)
        with m.If(self._late[2] | self._marks):
            m.d.sync += kept["oldest"].eq(self._total)
        return kept

    def _look(self, m: Module, rows_of: "_Edge", columns_of: "_Edge", column: Value) -> None:
        """The first and the last row and column of the window that are in the image."""
        walk = self.walk
        for name, side, after in (("Row", "y", "Column"), ("Column", "x", "Rows")):
            with m.State(name):
                self._multiply(m, self.next[side], walk[f"stride_{side}"])
                m.next = after
        with m.State("Rows"):
            self._multiply(m, walk.dilation_y)
            self._begin(m, rows_of, self._corner)
            m.d.sync += self._late.eq(1)
            m.next = "Scan y"
        with m.State("Scan y"):
            self._scan(m, rows_of, self.plan.rows)
            with m.If(self._left == 1):
                # A kernel of one row: its first column is kept in this cycle.
                m.next = "Begin x"
                with m.If(~self._late[0]):
                    self._begin(m, columns_of, column)
                    m.next = "Scan x"
        with m.State("Begin x"):
            self._begin(m, columns_of, column)
            m.next = "Scan x"
        with m.State("Scan x"):
            self._scan(m, columns_of, self.plan.columns)
            with m.If(self._left == 1):
                m.next = "Oldest"
                with m.If(~((columns_of.any | self._inside) & rows_of.any)):
                    m.next = "Done"

    def _begin(self, m: Module, edge: "_Edge", corner: Value) -> None:
        """The first row or column."""
        span = self.plan.columns if edge.side == "x" else self.plan.rows
        m.d.sync += [
            self._at.eq(corner), self._left.eq(self.walk[f"kernel_{edge.side}"]), edge.any.eq(0), span.first.eq(0),
        ]

    def _scan(self, m: Module, edge: "_Edge", span: Any) -> None:
        """A row or column: whether it is in the image."""
        walk, side = self.walk, edge.side
        m.d.comb += [
            self._step.eq(walk[f"dilation_{side}"]), self._size.eq(walk.width if side == "x" else walk.height),
        ]
        m.d.sync += [self._at.eq(self._at + self._step), self._left.eq(self._left - 1)]
        with m.If(self._inside):
            m.d.sync += [edge.any.eq(1), edge.last.eq(self._at), span.last.eq(self._left)]
            with m.If(~edge.any):
                m.d.sync += [edge.first.eq(self._at), span.first.eq(self._left)]

    def _edges(self, m: Module, rows_of: "_Edge", columns_of: "_Edge") -> None:
        """The oldest pixel of the window; the newest one is the total then."""
        with m.State("Oldest"):
            self._multiply(m, rows_of.first, None, columns_of.first)
            m.next = "Newest"
        with m.State("Newest"):
            # The answer is there a cycle later at the earliest.
            m.d.comb += self.ask.valid.eq(1)
            self._multiply(m, rows_of.last, None, columns_of.last)
            m.d.sync += self._late.eq(4)
            m.next = "Wait"

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

    def _count(self, m: Module, asks: Value) -> None:
        """Terms and codes of the window."""
        walk, total = self.walk, self._total
        # What is too much for the core whatever comes; terms are always less.
        most = total[:10] | total[10:].any().replicate(10)
        with m.State("Terms"):
            self._multiply(m, walk.kernel_x, walk.kernel_y)
            m.next = "Late terms"
        with m.State("Late terms"):
            m.next = "Codes"
        with m.State("Codes"):
            self._multiply(m, most, walk.run)
            m.d.sync += self.look.terms.eq(total)
            m.next = "Late codes"
        with m.State("Late codes"):
            m.next = "Repeats"
        with m.State("Repeats"):
            self._multiply(m, most, walk.repeat, walk.tail)
            m.next = "Late repeats"
        with m.State("Late repeats"):
            m.next = "Counted"
        with m.State("Counted"):
            # Its stream was asked for meanwhile.
            m.d.sync += self.look.codes.eq(total)
            with m.If(~asks | self.ask.ready):
                m.next = "Done"

    def _wait(self, m: Module, ring: Any, behind: Signal) -> None:
        """Until the last pixel of the window is there."""
        less, far = Signal(COUNT_BITS), Signal()
        # `less`: blocks up to the last pixel, without that; more than a ring can have if it is `far`.
        m.d.comb += [less.eq(self._begins + self._total), far.eq(less[8:].any())]
        with m.State("Wait"):
            m.d.comb += self.ask.valid.eq(1)
            m.d.sync += ring.eq(self.ask.ring)
            with m.If(self.ask.ready):
                m.next = "Judge"
        with m.State("Judge"):
            m.d.sync += behind.eq(self._back)
            with m.If(~far & (less[:8] < ring.there)):
                m.next = "Size"
            with m.Elif(self.hasty):
                m.d.comb += self.later.eq(1)
                m.next = "Idle"
            with m.Else():
                m.next = "Wait"
            with m.If((self._back < 0) | far | (less[:8] >= ring.blocks)):
                m.d.comb += [self.wrong.eq(1), self.later.eq(0)]
                m.next = "Idle"

    def _measure(self, m: Module, ring: Any, behind: Value, rows: Value) -> None:
        """Where the window is in the ring, in bytes."""
        # An address, and one behind the end of a ring.
        plan, inner, total = self.plan, self._total[: self.bits], self._total[: self.bits + 1]
        base, channel = Signal(self.bits + 1), self.walk.channel
        steps: tuple[tuple[str, Value | None, list[Any], str], ...] = (
            ("Size", ring.blocks, [base.eq(ring.base + channel)], "First"),
            ("First", behind, [], "Column step"),
            ("Column step", self.walk.dilation_x, [plan.size.eq(total), plan.end.eq((total + base)[: len(base)])],
             "Row step"),
            ("Row step", rows, [plan.first.eq(total)], "Late column step"),
            ("Late column step", None, [plan.column_step.eq(inner)], "Late row step"),
            ("Late row step", None, [plan.row_step.eq(inner)], "Done"),
        )
        for state, value, effects, following in steps:
            with m.State(state):
                if value is not None:
                    self._multiply(m, value, ring.block, ring.head + channel if state == "First" else None)
                m.d.sync += effects
                m.next = following

    def _go_on(self, m: Module, ring: Any, low: Signal) -> None:
        """The next position; gives back what neither it nor a later one needs."""
        walk, at, total, corner = self.walk, self.next, self._total, self._corner
        x, y = Signal(_CORNER), Signal(_CORNER)
        below, image_ends = Signal(_CORNER), Signal()
        row_ends, rows_end = at.x + 1 == walk.positions_x, at.y + 1 == walk.positions_y
        # The first row of the next row of positions; none is before the image.
        following = Signal(signed(CORNER))
        m.d.comb += following.eq(corner + walk.stride_y)
        with m.State("Step"):
            m.d.sync += [image_ends.eq(row_ends & rows_end), at.x.eq(Mux(row_ends, 0, at.x + 1))]
            with m.If(row_ends):
                m.d.sync += at.y.eq(Mux(rows_end, 0, at.y + 1))
            m.next = "Next row"
        for name, side, after in (("Next row", "y", "Next column"), ("Next column", "x", "Image")):
            with m.State(name):
                self._multiply(m, at[side], walk[f"stride_{side}"])
                m.next = after
        with m.State("Image"):
            self._multiply(m, walk.height)
            m.d.sync += [y.eq(_from_zero(corner)), below.eq(Mux(rows_end, walk.height, _from_zero(following)))]
            m.next = "Below"
        with m.State("Below"):
            self._multiply(m, below)
            m.d.comb += self._of_columns.eq(1)
            m.d.sync += x.eq(_from_zero(corner))
            m.next = "Top"
        with m.State("Top"):
            self._multiply(m, y, None, x)
            m.d.comb += self._marks.eq(1)
            m.next = "Least below"
        # The end of the image, or what is less: where the next row begins, and the next position.
        changes = Signal(name="changes")

        def leave() -> None:
            """To the end; `low` counts from the start of the image that was walked."""
            m.next = "Done"
            with m.If(image_ends):
                m.d.sync += at.origin.eq(at.origin + low)

        for name, after in (("Least below", "Least"), ("Least", "Behind")):
            with m.State(name):
                m.d.comb += self._marks.eq(~image_ends & (total < low))
                m.next = after
        with m.State("Behind"):
            m.next = "Free"
            with m.If(~self.free):
                leave()
        m.d.comb += self.change.valid.eq(changes)
        with m.State("Free"):
            m.d.comb += self.ask.valid.eq(1)
            m.d.sync += ring.eq(self.ask.ring)
            with m.If(self.ask.ready):
                m.next = "Give"
        with m.State("Give"):
            with m.If(self._back[-1] | ~self._back.any()):
                leave()
            with m.Elif(ring.there == 0):
                m.next = "Free"
                with m.If(self.hasty):
                    m.d.comb += self.later.eq(1)
                    m.next = "Idle"
            with m.Elif(~self.hold):
                m.d.sync += changes.eq(1)
                m.next = "Change"
        with m.State("Change"):
            with m.If(self.change.ready):
                m.d.sync += [changes.eq(0), ring.freed.eq(ring.freed + 1), ring.there.eq(ring.there - 1)]
                m.next = "Give"


class _Edge:
    """First and last one of the rows or columns of a window that are in the image."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.any = Signal(name=f"{side}_any")
        self.first, self.last = Signal(PIXEL, name=f"{side}_first"), Signal(PIXEL, name=f"{side}_last")


def _from_zero(place: Value) -> Value:
    """A column or row, 0 if it is before the image."""
    return Mux(place < 0, 0, place)


def _inside(place: Value, size: Value) -> Value:
    """Whether a column or row is in an image: neither before it nor behind it."""
    bits = len(size)
    return ~place[bits:].any() & (place[:bits] < size)

"""A walk at work: waits for its window, gives it, goes on, gives back what no later window needs."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.block import Resettable
from hw.tile.buffer import ADDRESS_BITS
from hw.tile.lanes.operands import TermLayout
from hw.tile.layouts import DescriptorLayout
from hw.tile.tokens import AskPort, Change, RingLayout
from hw.tile.tokens.tokens import COUNT_BITS
from hw.tile.walker.window import CORNER, Window

__all__ = ["PlaceLayout", "Walker", "scaled"]

_PIXEL = 10
_CORNER = CORNER - 1
"""Bits of a column or row of a window that is not before the image."""
_COUNT = _CORNER + 12
"""Bits of a number of pixels."""


class PlaceLayout(data.StructLayout):
    """Where a walk is.

    Column ``x`` and row ``y`` of its position, and ``origin``: the block at which its image begins, counted as
    :class:`hw.tile.tokens.RingLayout` counts ``freed``.
    """

    def __init__(self) -> None:
        super().__init__({"x": _PIXEL, "y": _PIXEL, "origin": COUNT_BITS})


class Walker(Resettable):
    """Carries out one walk at a time. Reference: :class:`hw.tile.walk.Walk`.

    Before the first pixel it takes eleven cycles and the larger side of the kernel, and what it waits for; after the
    last one seven, and about three for each block that is given back.

    Members
    -------
    walk, place : In(DescriptorLayout("walk")), In(PlaceLayout())
        The walk and where it is. They stay from ``start`` to ``done``.
    start, restart, done : In(1), In(1), Out(1)
        Strobes: begin; with ``start``, at the first position of the image; all is done.
    busy : Out(1)
        From the cycle after ``start`` to that of ``done``.
    finish, advance, free : In(1)
        Strobe: the window was taken, wholly or several times; whether the walk goes on, and gives back.
    next : Out(PlaceLayout())
        Where it is when it is done, until the next start.
    o : Out(stream of TermLayout())
        Addresses of the pixels of the window, again and again until ``finish``.
    wrong : Out(1)
        Strobe instead of pixels and ``done``: the window reaches further than its ring, or back to what was given back.
    ask, change : Out(AskPort()), Out(stream of Change())
        The tokens.
    """

    walk: Any
    place: Any
    start: Value
    restart: Value
    done: Value
    busy: Value
    finish: Value
    advance: Value
    free: Value
    next: Any
    o: stream.Interface
    wrong: Value
    ask: Any
    change: stream.Interface

    def __init__(self) -> None:
        super().__init__({
            "walk": In(DescriptorLayout("walk")), "place": In(PlaceLayout()), "start": In(1), "restart": In(1),
            "done": Out(1), "busy": Out(1),
            "finish": In(1), "advance": In(1), "free": In(1), "next": Out(PlaceLayout()),
            "o": Out(stream.Signature(TermLayout())), "wrong": Out(1),
            "ask": Out(AskPort()), "change": Out(stream.Signature(Change())),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.submodules.window = window = Window()
        walk, at, ring = self.walk, self.next, Signal(RingLayout())
        # One multiplier for all: products are taken one after the other.
        factor, other, product = Signal(_CORNER), Signal(12), Signal(_CORNER + 12)
        m.d.comb += [
            product.eq(factor * other), other.eq(walk.width), self.busy.eq(1),
            window.walk.eq(walk), window.base.eq(ring.base),
            window.x.eq(scaled(at.x, walk.stride_x) - walk.pad_x),
            window.y.eq(scaled(at.y, walk.stride_y) - walk.pad_y),
            self.ask.stream.eq(walk.stream), self.change.p.stream.eq(walk.stream), self.change.p.free.eq(1),
        ]
        connect(m, window.o, flipped(self.o))
        oldest, need, low = (Signal(_COUNT, name=name) for name in ("oldest", "need", "low"))
        behind, rows = Signal(8), Signal(8)
        with m.FSM():
            with m.State("Idle"):
                m.d.comb += self.busy.eq(0)
                with m.If(self.start):
                    m.d.sync += at.eq(self.place)
                    m.next = "Edges"
                with m.If(self.start & self.restart):
                    m.d.sync += [at.x.eq(0), at.y.eq(0)]
            with m.State("Edges"):
                edges = self._edges(m, window)
                m.next = "Scan"
            with m.State("Scan"):
                self._scan(m, edges)
            with m.State("Oldest"):
                m.d.comb += factor.eq(edges["y"].first)
                m.d.sync += oldest.eq(product + edges["x"].first)
                m.next = "Newest"
            with m.State("Newest"):
                m.d.comb += factor.eq(edges["y"].last)
                m.d.sync += need.eq(product + edges["x"].last + 1)
                m.next = "Rows"
            with m.State("Rows"):
                m.d.comb += factor.eq(walk.dilation_y)
                m.d.sync += rows.eq(product)
                m.next = "Wait"
            with m.State("Wait"):
                self._wait(m, ring, oldest, need, behind)
            self._measure(m, window, ring, factor, other, product, behind, rows)
            with m.State("Give"):
                m.d.comb += window.active.eq(1)
                with m.If(self.finish):
                    m.next = "Done"
                    with m.If(self.advance):
                        m.next = "Step"
            self._go_on(m, window, factor, product, low)
            with m.State("Done"):
                m.d.comb += self.done.eq(1)
                m.next = "Idle"
        return self.resets(m)

    def _edges(self, m: Module, window: Window) -> dict[str, "_Edge"]:
        """Columns and rows of the window, from its corner on."""
        walk = self.walk
        edges = {"x": _Edge("x", walk.width, walk.dilation_x), "y": _Edge("y", walk.height, walk.dilation_y)}
        for edge, corner, kernel in ((edges["x"], window.x, walk.kernel_x), (edges["y"], window.y, walk.kernel_y)):
            m.d.sync += [edge.at.eq(corner), edge.left.eq(kernel), edge.any.eq(0)]
        return edges

    def _scan(self, m: Module, edges: dict[str, "_Edge"]) -> None:
        """Finds the first and the last column and row that are in the image."""
        for edge in edges.values():
            with m.If(edge.left != 0):
                m.d.sync += [edge.at.eq(edge.at + edge.step), edge.left.eq(edge.left - 1)]
                with m.If((edge.at >= 0) & (edge.at < edge.size)):
                    m.d.sync += [edge.any.eq(1), edge.last.eq(edge.at)]
                    with m.If(~edge.any):
                        m.d.sync += edge.first.eq(edge.at)
        x, y = edges["x"], edges["y"]
        with m.If((x.left == 0) & (y.left == 0)):
            m.next = "Oldest"
            with m.If(~(x.any & y.any)):
                m.next = "Load"

    def _wait(self, m: Module, ring: Any, oldest: Value, need: Value, behind: Signal) -> None:
        """Until the last pixel of the window is there."""
        found = self.ask.ring
        back, count = Signal(signed(COUNT_BITS)), Signal(COUNT_BITS)
        m.d.comb += [
            self.ask.valid.eq(1), back.eq(self.next.origin + oldest - found.freed),
            count.eq(self.next.origin + need - found.freed),
        ]
        with m.If(self.ask.ready):
            m.d.sync += [ring.eq(found), behind.eq(back)]
            with m.If(count <= found.there):
                m.next = "Size"
            with m.If((back < 0) | (count > found.blocks)):
                m.d.comb += self.wrong.eq(1)
                m.next = "Idle"

    def _measure(
        self, m: Module, window: Window, ring: Any, factor: Value, other: Value, product: Value, behind: Value,
        rows: Value,
    ) -> None:
        """Where the window is in the ring, in bytes."""
        size, first, less = Signal(17), Signal(17), Signal(signed(19))
        columns_apart, rows_apart = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        inside = Mux(less < 0, first, less)
        m.d.comb += [
            window.size.eq(size), window.column_step.eq(columns_apart), window.row_step.eq(rows_apart),
            window.first.eq(first), less.eq(first - size),
        ]
        steps = (
            ("Size", ring.blocks, [size.eq(product)], "First"),
            ("First", behind, [first.eq(ring.head + product)], "Columns"),
            ("Columns", self.walk.dilation_x, [columns_apart.eq(product), first.eq(inside)], "Lines"),
            ("Lines", rows, [rows_apart.eq(product)], "Load"),
        )
        for state, value, effects, following in steps:
            with m.State(state):
                m.d.comb += [factor.eq(value), other.eq(ring.block)]
                m.d.sync += effects
                m.next = following
        with m.State("Load"):
            m.d.comb += window.load.eq(1)
            m.next = "Give"

    def _go_on(self, m: Module, window: Window, factor: Value, product: Value, low: Signal) -> None:
        """The next position; gives back what neither it nor a later one needs."""
        walk, at = self.walk, self.next
        column, row, image_ends = Signal(_CORNER), Signal(_CORNER), Signal()
        row_ends, rows_end = at.x + 1 == walk.positions_x, at.y + 1 == walk.positions_y
        following = Signal(signed(CORNER + 1))
        m.d.comb += [
            column.eq(Mux(window.x < 0, 0, window.x)), row.eq(Mux(window.y < 0, 0, window.y)),
            following.eq(window.y + walk.stride_y),
        ]
        with m.State("Step"):
            m.d.sync += [image_ends.eq(row_ends & rows_end), at.x.eq(Mux(row_ends, 0, at.x + 1))]
            with m.If(row_ends):
                m.d.sync += at.y.eq(Mux(rows_end, 0, at.y + 1))
            m.next = "Top"
        with m.State("Top"):
            m.d.comb += factor.eq(row)
            m.d.sync += low.eq(product + column)
            m.next = "Below"
        with m.State("Below"):
            m.d.comb += factor.eq(Mux(rows_end, walk.height, Mux(following < 0, 0, following)))
            with m.If(product < low):
                m.d.sync += low.eq(product)
            m.next = "Image"
        with m.State("Image"):
            m.d.comb += factor.eq(walk.height)
            with m.If(image_ends | (product < low)):
                m.d.sync += low.eq(product)
            m.next = "Behind"
        with m.State("Behind"):
            # `low` counts from the start of the image that was walked.
            m.d.sync += low.eq(at.origin + low)
            with m.If(image_ends):
                m.d.sync += at.origin.eq(at.origin + low)
            m.next = "Done"
            with m.If(self.free):
                m.next = "Free"
        with m.State("Free"):
            left = Signal(signed(COUNT_BITS))
            m.d.comb += [self.ask.valid.eq(1), left.eq(low - self.ask.ring.freed)]
            with m.If(self.ask.ready):
                with m.If(left <= 0):
                    m.next = "Done"
                with m.Elif(self.ask.ring.there != 0):
                    m.next = "Change"
        with m.State("Change"):
            m.d.comb += self.change.valid.eq(1)
            with m.If(self.change.ready):
                m.next = "Free"


class _Edge:
    """Columns or rows of a window while they are looked at."""

    def __init__(self, name: str, size: Value, step: Value) -> None:
        self.size, self.step = size, step
        self.at = Signal(signed(CORNER), name=f"{name}_at")
        self.left, self.any = Signal(5, name=f"{name}_left"), Signal(name=f"{name}_any")
        self.first, self.last = Signal(_PIXEL, name=f"{name}_first"), Signal(_PIXEL, name=f"{name}_last")


def scaled(value: Value, by: Value) -> Value:
    """A product by a short number, without a multiplier."""
    found: Value = Const(0)
    for k, bit in enumerate(by):
        found += Mux(bit, value << k, 0)
    return found

"""A walk at work: waits for its window, gives it, goes on, gives back what no later window needs."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, stream

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.hw.tile.isa.rules import walk_beyond_block
from mho.hw.tile.rtl.buffer import ADDRESS_BITS
from mho.hw.tile.rtl.layouts import DescriptorLayout
from mho.hw.tile.rtl.rings import COUNT_BITS, AskPort, Change, RingLayout
from mho.hw.tile.rtl.windows.addresses import PIXEL, LookLayout, PlaceLayout, PlanLayout, Sums, WalkRequest
from mho.hw.tile.rtl.windows.placing import Pixels, PlacingStates, corner
from mho.hw.tile.rtl.windows.release import ReleaseStates


class WindowIterator(Resettable):
    """Carries out one walk at a time. Reference: :class:`mho.hw.tile.isa.window.SlidingWindow`.

    A product takes a cycle and one for each bit of its second factor, so of each walk is kept where its row begins and
    what is the same for all positions, and rows of the image are added up as they are looked at. A window takes about
    nine cycles, both sides of the kernel, the bits of how many blocks of the ring are before it, and what it waits for;
    to go on takes twelve, three for each block that is given back, and about thirteen where a row ends. The first
    window of a walk takes about forty more. What was done in part may be asked for again.

    Parameters
    ----------
    buffer_bytes
        Bytes of the buffer, within which rings end.

    Members
    -------
    walk, number, place, moves : In(DescriptorLayout("walk")), In(3), In(PlaceLayout()), In(1)
        The walk, which one, and, unless it ``moves`` on from where it was last, where it is: as it was when it had gone
        on, or with nothing that is kept. They stay from ``start`` to the end.
    start, todo, restart, advance, free, hasty, hold, done, wrong, later, look, plan
        As at :class:`mho.hw.tile.rtl.windows.addresses.WalkPort`; ``start`` is a strobe.
    next : Out(PlaceLayout())
        Where it is when it has gone on, until the next start.
    ask, change : Out(AskPort()), Out(stream of Change())
        The tokens.
    """

    walk = In(DescriptorLayout("walk"))
    number = In(3)
    place = In(PlaceLayout())
    moves = In(1)
    start = In(1)
    todo = In(2)
    restart = In(1)
    advance = In(1)
    free = In(1)
    hasty = In(1)
    hold = In(1)
    done = Out(1)
    wrong = Out(1)
    later = Out(1)
    next = Out(PlaceLayout())
    look = Out(LookLayout())
    plan = Out(PlanLayout())
    ask = Out(AskPort())
    change = Out(stream.Signature(Change()))

    def __init__(self, buffer_bytes: int = 1 << ADDRESS_BITS) -> None:
        self.buffer_bytes = buffer_bytes
        self.bits = (buffer_bytes - 1).bit_length()
        super().__init__()

    def elaborate(self, platform: object) -> Any:
        m = Module()
        walk, at = self.walk, self.next
        ring = Signal(RingLayout())
        self._pixels = pixels = Pixels()
        again = pixels.again
        with m.If(self.ask.ready):
            m.d.sync += again.eq(0)
        m.d.comb += [
            self.ask.stream.eq(walk.stream), self.ask.again.eq(again & ~self.hasty),
            self.change.p.stream.eq(walk.stream), self.change.p.free.eq(1),
        ]
        self._sums = sums = Sums(m, self.number, self.bits)
        self._total, self._ready, self._kept = sums.total, sums.ready, sums.kept
        m.d.comb += [self.plan[name].eq(self._kept[name]) for name in ("row_step", "column_step", "size", "end")]
        # What columns, and then rows, are looked at with; whether one was in the image; the first and last such column.
        self._any = {side: Signal(name=f"{side}_any") for side in "xy"}
        self._columns = {which: Signal(PIXEL, name=f"x_{which}", reset_less=True) for which in ("first", "last")}
        pixels.look(m)
        behind = Signal(8)
        plans = Signal()
        asks = self._stream(m)
        # Blocks from the oldest one that is there to the oldest pixel, before which the others are given back.
        self._begins = Signal(COUNT_BITS)
        m.d.comb += [self._begins.eq(at.origin - ring.freed), pixels.back.eq(self._begins + pixels.oldest)]
        placing, release = PlacingStates(m, self, sums, pixels), ReleaseStates(m, self, sums, pixels)
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [plans.eq(self.todo == WalkRequest.PLAN), again.eq(0)]
                with m.If(self.start):
                    self._begin(m)
            placing.count(asks)
            placing.place(plans)
            placing.steps(ring)
            self._look(m)
            self._wait(m, ring, behind)
            self._measure(m, ring, behind)
            release.go_on()
            release.give_back(ring)
            with m.State("Done"):
                m.d.comb += self.done.eq(~self.hold | ~plans)
                with m.If(self.done):
                    m.next = "Idle"
        return self.resets(m)

    def _begin(self, m: Module) -> None:
        """What is asked for."""
        at = self.next
        with m.If(~self.moves):
            m.d.sync += at.eq(self.place)
        with m.If(self.restart):
            m.d.sync += [at.x.eq(0), at.y.eq(0), at.placed.eq(0)]
        with m.Switch(self.todo):
            with m.Case(WalkRequest.LOOK):
                m.next = "Terms"
            with m.Case(WalkRequest.PLAN):
                m.next = "Window"
            with m.Default():
                m.next = "Done"
                with m.If(self.advance):
                    m.next = "Step"

    def _stream(self, m: Module) -> Value:
        """Asks for the stream of a walk that is looked at; whether that still is to be answered."""
        walk, ring = self.walk, self.ask.ring
        asks = Signal(name="asks_stream")
        with m.If(asks):
            m.d.comb += self.ask.valid.eq(1)
            m.d.sync += [
                asks.eq(~self.ask.ready), self.look.wrong.eq(ring.wrong),
                self.look.outside.eq(walk_beyond_block(walk, ring)),
            ]
        with m.If(self.start & (self.todo == WalkRequest.LOOK)):
            m.d.sync += asks.eq(1)
        return asks

    def _look(self, m: Module) -> None:
        """Columns and rows of the window that are in the image; its oldest and its newest pixel."""
        pixels = self._pixels
        columns, total, walk, at = self._columns, self._total, self.walk, self.next
        with m.State("Window"):
            self._first(m, "x")
            m.next = "Corner x"
            with m.If(at.placed):
                m.next = "Ring"
                with m.If(at.known):
                    m.next = "Scan x"
        # Columns are looked at one by one: kernels are small, and no divider is needed for strides and dilations.
        first = pixels.inside & ~self._any["x"]
        with m.State("Scan x"):
            self._scan(m, "x", walk.width)
            self._sums.load(self._kept["top"], pixels.at, 1, first)
            with m.If(first):
                m.d.sync += columns["first"].eq(pixels.at)
            with m.If(pixels.inside):
                m.d.sync += columns["last"].eq(pixels.at)
            with m.If(pixels.left == 1):
                m.next = "Rows"
        with m.State("Rows"):
            self._first(m, "y")
            self._sums.load(None, self._kept["row_pixels"], 0, self._ready)
            with m.If(self._ready):
                m.next = "Scan y"
        with m.State("Scan y"):
            self._scan(m, "y", walk.height)
            # In the first row of the image the total is that of its first pixel, later that of the row before.
            m.d.comb += self._sums.adds_row.eq(pixels.inside == self._any["y"])
            with m.If(~self._any["y"]):
                m.d.sync += pixels.oldest.eq(total)
            with m.If(pixels.left == 1):
                m.next = "Newest"
                with m.If(~((self._any["y"] | pixels.inside) & self._any["x"])):
                    m.next = "Done"
        with m.State("Newest"):
            # The answer is there a cycle later at the earliest, as the sum is.
            m.d.comb += self.ask.valid.eq(1)
            self._sums.load(None, columns["last"] - columns["first"], 1)
            m.next = "Wait"

    def _first(self, m: Module, side: str) -> None:
        """The first column or row."""
        pixels, span = self._pixels, self.plan.columns if side == "x" else self.plan.rows
        m.d.sync += [
            pixels.at.eq(corner(self._sums, side)), pixels.left.eq(self.walk[f"kernel_{side}"]), self._any[side].eq(0),
            span.first.eq(0),
        ]

    def _scan(self, m: Module, side: str, size: Value) -> None:
        """A column or row: whether it is in the image."""
        pixels, span = self._pixels, self.plan.columns if side == "x" else self.plan.rows
        m.d.comb += [pixels.step.eq(self.walk[f"dilation_{side}"]), pixels.size.eq(size)]
        m.d.sync += [pixels.at.eq(pixels.at + pixels.step), pixels.left.eq(pixels.left - 1)]
        with m.If(pixels.inside):
            m.d.sync += [self._any[side].eq(1), span.last.eq(pixels.left)]
            with m.If(~self._any[side]):
                m.d.sync += span.first.eq(pixels.left)

    def _wait(self, m: Module, ring: data.View, behind: Signal) -> None:
        """Until the last pixel of the window is there."""
        less = Signal(COUNT_BITS)
        far = Signal()
        # `less`: blocks up to the last pixel, without that; more than a ring can have if it is `far`.
        m.d.comb += [less.eq(self._begins + self._total), far.eq(less[8:].any())]
        with m.State("Wait"):
            m.d.comb += self.ask.valid.eq(1)
            m.d.sync += ring.eq(self.ask.ring)
            with m.If(self.ask.ready):
                m.next = "Judge"
        with m.State("Judge"):
            m.d.sync += behind.eq(self._pixels.back)
            with m.If(~far & (less[:8] < ring.there)):
                m.next = "Head"
            with m.Elif(self.hasty):
                m.d.comb += self.later.eq(1)
                m.next = "Idle"
            with m.Else():
                m.d.sync += self._pixels.again.eq(1)
                m.next = "Wait"
            # Pixels that were given back, or more than the ring holds: no wait would help.
            with m.If((self._pixels.back < 0) | far | (less[:8] >= ring.blocks)):
                m.d.comb += [self.wrong.eq(1), self.later.eq(0)]
                m.next = "Idle"

    def _measure(self, m: Module, ring: data.View, behind: Value) -> None:
        """Where the window is in the ring."""
        with m.State("Head"):
            self._sums.load(ring.head, self.walk.channel, 1)
            m.next = "Behind head"
        self._sums.chain((("Behind head", "", None, ring.block, behind, "First"),))
        with m.State("First"):
            m.d.sync += self.plan.first.eq(self._total[: self.bits + 1])
            with m.If(self._ready):
                m.next = "Done"

"""A walk at work: waits for its window, gives it, goes on, gives back what no later window needs."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.hw.tile.isa.rules import walk_beyond_block
from mho.hw.tile.rtl.buffer import ADDRESS_BITS
from mho.hw.tile.rtl.layouts import DescriptorLayout
from mho.hw.tile.rtl.rings import COUNT_BITS, AskPort, Change, RingLayout
from mho.hw.tile.rtl.windows.addresses import (
    CORNER,
    PIXEL,
    TOTAL,
    LookLayout,
    PlaceLayout,
    PlanLayout,
    Sums,
    WalkRequest,
)


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
        # It waits for a block that was not there.
        self._again = again = Signal(name="again")
        with m.If(self.ask.ready):
            m.d.sync += again.eq(0)
        m.d.comb += [
            self.ask.stream.eq(walk.stream), self.ask.again.eq(again & ~self.hasty),
            self.change.p.stream.eq(walk.stream), self.change.p.free.eq(1),
        ]
        self._sums = sums = Sums(m, self.number, self.bits)
        self._total, self._ready, self._kept, self._keeps = sums.total, sums.ready, sums.kept, sums.keeps
        self._corner = {side: self._kept[f"corner_{side}"].as_signed() for side in "xy"}
        m.d.comb += [self.plan[name].eq(self._kept[name]) for name in ("row_step", "column_step", "size", "end")]
        # What columns, and then rows, are looked at with; whether one was in the image; the first and last such column.
        self._any = {side: Signal(name=f"{side}_any") for side in "xy"}
        self._columns = {which: Signal(PIXEL, name=f"x_{which}", reset_less=True) for which in ("first", "last")}
        self._at = Signal(signed(CORNER), name="at")
        self._left = Signal(5, name="left")
        self._step = Signal(4)
        self._size = Signal(PIXEL)
        self._inside = Signal()
        m.d.comb += self._inside.eq(_inside(self._at, self._size))
        self._oldest = Signal(TOTAL, name="oldest", reset_less=True)
        behind = Signal(8)
        plans = Signal()
        asks = self._stream(m)
        # Blocks from the oldest one that is there to the oldest pixel, before which the others are given back.
        self._begins = Signal(COUNT_BITS)
        self._back = Signal(signed(COUNT_BITS))
        m.d.comb += [self._begins.eq(at.origin - ring.freed), self._back.eq(self._begins + self._oldest)]
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [plans.eq(self.todo == WalkRequest.PLAN), again.eq(0)]
                with m.If(self.start):
                    self._begin(m)
            self._count(m, asks)
            self._place(m, plans)
            self._steps(m, ring)
            self._look(m)
            self._wait(m, ring, behind)
            self._measure(m, ring, behind)
            self._go_on(m)
            self._free(m, ring)
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

    def _count(self, m: Module, asks: Value) -> None:
        """Terms and codes of the window."""
        walk, total = self.walk, self._total
        # What is too much for the core whatever comes; terms are always less.
        capped = total[:10] | total[10:].any().replicate(10)
        self._sums.chain((
            ("Terms", "", 0, walk.kernel_x, walk.kernel_y, "Codes"),
            ("Repeats", "", walk.tail, capped, walk.repeat, "Counted"),
        ))
        with m.State("Codes"):
            m.d.sync += self.look.terms.eq(total)
            self._sums.load(0, capped, walk.run, self._ready)
            with m.If(self._ready):
                m.next = "Repeats"
        with m.State("Counted"):
            # Its stream was asked for meanwhile.
            m.d.sync += self.look.codes.eq(total)
            with m.If(self._ready & (~asks | self.ask.ready)):
                m.next = "Done"

    def _place(self, m: Module, plans: Value) -> None:
        """Where the window begins: its column, and in another row than before that row and its first pixel."""
        walk, at, total, keeps = self.walk, self.next, self._total, self._keeps
        with m.State("Corner x"):
            self._sums.load(-walk.pad_x, at.x, walk.stride_x)
            m.next = "Corner y"
            with m.If(at.placed):
                m.next = "Moved"
        self._sums.chain((
            ("Corner y", "corner_x", -walk.pad_y, at.y, walk.stride_y, "Top"),
            ("Top", "corner_y", 0, total.as_signed(), walk.width, "Placed"),
        ))
        with m.State("Placed"):
            m.d.comb += keeps["top"].eq(1)
            m.d.sync += self._at.eq(self._corner["y"])
            with m.If(self._ready):
                m.d.sync += at.placed.eq(1)
                m.next = "Left"
                with m.If(plans):
                    m.next = "Window"
        with m.State("Moved"):
            m.d.comb += keeps["corner_x"].eq(1)
            m.d.sync += self._at.eq(self._corner["y"])
            with m.If(self._ready):
                m.next = "Left"

    def _steps(self, m: Module, ring: data.View) -> None:
        """What is the same for all positions: steps in the image and in the ring, and the end of that."""
        walk, total = self.walk, self._total
        with m.State("Ring"):
            m.d.comb += self.ask.valid.eq(1)
            m.d.sync += ring.eq(self.ask.ring)
            with m.If(self.ask.ready):
                m.next = "Pixels"
        self._sums.chain((
            ("Pixels", "", 0, walk.width, walk.dilation_y, "Row step"),
            ("Row step", "row_pixels", 0, ring.block, total[:8], "Column step"),
            ("Column step", "row_step", 0, ring.block, walk.dilation_x, "Size"),
            ("Size", "column_step", 0, ring.block, ring.blocks, "Base"),
            ("Base", "size", None, ring.base, 1, "End"),
            ("End", "", None, walk.channel, 1, "Ended"),
        ))
        with m.State("Ended"):
            m.d.comb += self._keeps["end"].eq(1)
            with m.If(self._ready):
                m.d.sync += self.next.known.eq(1)
                m.next = "Window"

    def _look(self, m: Module) -> None:
        """Columns and rows of the window that are in the image; its oldest and its newest pixel."""
        columns, total, walk, at = self._columns, self._total, self.walk, self.next
        with m.State("Window"):
            self._first(m, "x")
            m.next = "Corner x"
            with m.If(at.placed):
                m.next = "Ring"
                with m.If(at.known):
                    m.next = "Scan x"
        # Columns are looked at one by one: kernels are small, and no divider is needed for strides and dilations.
        first = self._inside & ~self._any["x"]
        with m.State("Scan x"):
            self._scan(m, "x", walk.width)
            self._sums.load(self._kept["top"], self._at, 1, first)
            with m.If(first):
                m.d.sync += columns["first"].eq(self._at)
            with m.If(self._inside):
                m.d.sync += columns["last"].eq(self._at)
            with m.If(self._left == 1):
                m.next = "Rows"
        with m.State("Rows"):
            self._first(m, "y")
            self._sums.load(None, self._kept["row_pixels"], 0, self._ready)
            with m.If(self._ready):
                m.next = "Scan y"
        with m.State("Scan y"):
            self._scan(m, "y", walk.height)
            # In the first row of the image the total is that of its first pixel, later that of the row before.
            m.d.comb += self._sums.adds_row.eq(self._inside == self._any["y"])
            with m.If(~self._any["y"]):
                m.d.sync += self._oldest.eq(total)
            with m.If(self._left == 1):
                m.next = "Newest"
                with m.If(~((self._any["y"] | self._inside) & self._any["x"])):
                    m.next = "Done"
        with m.State("Newest"):
            # The answer is there a cycle later at the earliest, as the sum is.
            m.d.comb += self.ask.valid.eq(1)
            self._sums.load(None, columns["last"] - columns["first"], 1)
            m.next = "Wait"

    def _first(self, m: Module, side: str) -> None:
        """The first column or row."""
        span = self.plan.columns if side == "x" else self.plan.rows
        m.d.sync += [
            self._at.eq(self._corner[side]), self._left.eq(self.walk[f"kernel_{side}"]), self._any[side].eq(0),
            span.first.eq(0),
        ]

    def _scan(self, m: Module, side: str, size: Value) -> None:
        """A column or row: whether it is in the image."""
        span = self.plan.columns if side == "x" else self.plan.rows
        m.d.comb += [self._step.eq(self.walk[f"dilation_{side}"]), self._size.eq(size)]
        m.d.sync += [self._at.eq(self._at + self._step), self._left.eq(self._left - 1)]
        with m.If(self._inside):
            m.d.sync += [self._any[side].eq(1), span.last.eq(self._left)]
            with m.If(~self._any[side]):
                m.d.sync += span.first.eq(self._left)

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
            m.d.sync += behind.eq(self._back)
            with m.If(~far & (less[:8] < ring.there)):
                m.next = "Head"
            with m.Elif(self.hasty):
                m.d.comb += self.later.eq(1)
                m.next = "Idle"
            with m.Else():
                m.d.sync += self._again.eq(1)
                m.next = "Wait"
            # Pixels that were given back, or more than the ring holds: no wait would help.
            with m.If((self._back < 0) | far | (less[:8] >= ring.blocks)):
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

    def _go_on(self, m: Module) -> None:
        """The next position, and the oldest pixel that it or a later one needs, of the image that was walked."""
        walk, at, total, corner = self.walk, self.next, self._total, self._corner
        row_ends, rows_end = at.x + 1 == walk.positions_x, at.y + 1 == walk.positions_y
        self._image_ends = image_ends = Signal(name="image_ends")
        with m.State("Step"):
            m.d.sync += [image_ends.eq(row_ends & rows_end), at.x.eq(Mux(row_ends, 0, at.x + 1))]
            with m.If(row_ends):
                m.d.sync += [at.y.eq(Mux(rows_end, 0, at.y + 1)), at.placed.eq(0)]
            m.next = "Corner x"
        before = corner["y"][-1]
        top = _from_zero(self._kept["top"], before)
        # Of the position, and then where the next row of positions begins, none before the image.
        with m.State("Left"):
            m.d.comb += self._step.eq(walk.stride_y)
            self._sums.load(top, _from_zero(corner["x"], corner["x"][-1]), 1)
            m.d.sync += self._at.eq(self._at + self._step)
            m.next = "Below"
        further = Mux(before, _from_zero(self._at, self._at[-1])[:3], walk.stride_y)
        with m.State("Below"):
            m.d.comb += self._size.eq(walk.height)
            m.d.sync += self._oldest.eq(total)
            # The end of the image, where the next row would begin behind that.
            ends = image_ends | rows_end | ~(self._inside | self._at[-1])
            self._sums.load(_from_zero(top, ends), walk.width, Mux(ends, walk.height, further), self._ready)
            with m.If(self._ready):
                m.next = "Least"
        with m.State("Least"):
            with m.If(self._ready):
                with m.If(image_ends | (total < self._oldest)):
                    m.d.sync += self._oldest.eq(total)
                m.next = "Behind"

    def _leave(self, m: Module) -> None:
        """To the end; the oldest pixel is that behind the image where this ends."""
        m.next = "Done"
        with m.If(self._image_ends):
            m.d.sync += self.next.origin.eq(self.next.origin + self._oldest)

    def _free(self, m: Module, ring: data.View) -> None:
        """Gives back what is not needed any more."""
        changes = Signal(name="changes")
        with m.State("Behind"):
            m.next = "Free"
            with m.If(~self.free):
                self._leave(m)
        m.d.comb += self.change.valid.eq(changes)
        with m.State("Free"):
            m.d.comb += self.ask.valid.eq(1)
            m.d.sync += ring.eq(self.ask.ring)
            with m.If(self.ask.ready):
                m.next = "Give"
        with m.State("Give"):
            # Block by block, so that whoever fills the ring can go on meanwhile.
            with m.If(self._back[-1] | ~self._back.any()):
                self._leave(m)
            with m.Elif(ring.there == 0):
                m.d.sync += self._again.eq(1)
                m.next = "Free"
                with m.If(self.hasty):
                    m.d.comb += self.later.eq(1)
                    m.next = "Idle"
            with m.Elif(~self.hold):
                m.d.sync += changes.eq(1)
                m.next = "Change"
        with m.State("Change"):
            # The ring is asked for at once; an answer before the change does not count.
            m.d.comb += self.ask.valid.eq(1)
            with m.If(self.change.ready):
                m.d.sync += changes.eq(0)
                m.next = "Free"


def _from_zero(place: Value, before: Value) -> Value:
    """A place, 0 if it is before the image."""
    return place.as_unsigned() & (~before).replicate(len(place))


def _inside(place: Value, size: Value) -> Value:
    """Whether a column or row is in an image: neither before it nor behind it."""
    bits = len(size)
    return ~place[bits:].any() & (place[:bits] < size)

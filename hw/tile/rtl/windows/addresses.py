"""Walks in hardware: the pixels under a kernel, one after the other: where each is, and what is added up for that."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.ports import Bundle, In, Out
from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.rtl.buffer import ADDRESS_BITS
from mho.hw.tile.rtl.lanes.operands import TermLayout
from mho.hw.tile.rtl.layouts import DescriptorLayout
from mho.hw.tile.rtl.rings import COUNT_BITS

CORNER = 14
"""Bits of a column or row, which may be outside of the image."""
PIXEL = 10
"""Bits of a column or row of the image."""


class WalkRequest(IntEnum):
    """What is to be done with a walk: look at it, wait for its window, leave that."""

    LOOK = 0
    PLAN = 1
    GO = 2


class PlaceLayout(data.StructLayout):
    """Where a walk is.

    Column ``x`` and row ``y`` of its position, and ``origin``: the block at which its image begins, counted as
    :class:`mho.hw.tile.rtl.rings.RingLayout` counts ``freed``. Whether the walker keeps of it where the window is
    (``placed``), and what is the same for all positions (``known``).
    """

    def __init__(self) -> None:
        super().__init__({"x": PIXEL, "y": PIXEL, "placed": 1, "known": 1, "origin": COUNT_BITS})


class LookLayout(data.StructLayout):
    """What a look at a walk finds.

    Its ``terms``, and the ``codes`` that it gives (1,023 or more, if more than that); of its stream: whether its bytes
    of a pixel are ``outside`` of a block, and what is ``wrong`` with that (:data:`mho.hw.tile.rtl.rings.WRONGS`).
    """

    def __init__(self) -> None:
        super().__init__({"terms": 10, "codes": 14, "outside": 1, "wrong": 2})


class SpanLayout(data.StructLayout):
    """Columns or rows of a kernel that are in the image: how many are left at the first and the last one, it counted.

    ``first`` is 0 if there is none.
    """

    def __init__(self) -> None:
        super().__init__({"first": 5, "last": 5})


class WalkFaults(data.StructLayout):
    """What is wrong with a walk: a bit that belongs to no field, a ``field``, an ``address``.

    The last: where its pad ends, or, once it was looked at, its bytes of a pixel.
    """

    def __init__(self) -> None:
        super().__init__({"reserved": 1, "field": 1, "address": 1})


class PlanLayout(data.StructLayout):
    """Where a window is.

    ``columns``, ``rows``: those of the kernel that are in the image. ``first``: address of the run of its first pixel
    in the image, as if the ring went on behind its end; ``column_step``, ``row_step``: bytes of the ring between
    columns and rows. ``size``: bytes of the ring; ``end``: where the run of a pixel behind its end would be.
    """

    def __init__(self) -> None:
        super().__init__({
            "columns": SpanLayout(), "rows": SpanLayout(), "end": ADDRESS_BITS + 1, "size": ADDRESS_BITS + 1,
            "first": ADDRESS_BITS + 1, "column_step": ADDRESS_BITS, "row_step": ADDRESS_BITS,
        })


class WalkPort(Bundle):
    """Asks for something to be done with a walk, seen from whoever asks."""

    number = Out(3)
    todo = Out(2)
    valid = Out(1)
    """Which walk, what, and that it is wanted; they stay until one of ``done``, ``wrong`` and ``later``."""
    restart = Out(1)
    advance = Out(1)
    free = Out(1)
    """The walk is at position 0 of its image; it goes on; what is not needed is given back."""
    hasty = Out(1)
    hold = Out(1)
    """Rather ``later`` than to wait; pixels of a window that was planned are still read: another one is not done, and
    nothing is given back."""
    done = In(1)
    wrong = In(1)
    later = In(1)
    """Strobes: it is done; the window reaches further than its ring, or back to what was given back; it has to be asked
    for again, since what it waits for is not there and somebody else asks."""
    walk = In(DescriptorLayout("walk"))
    wrongs = In(WalkFaults())
    look = In(LookLayout())
    plan = In(PlanLayout())
    """The walk, what is wrong with it, and its window, where it is done."""


class OpenLayout(data.StructLayout):
    """What is kept of a plan and of its walk while the window is open; addresses have ``bits`` bits."""

    def __init__(self, bits: int) -> None:
        super().__init__({
            "columns": SpanLayout(), "rows": SpanLayout(), "kernel_x": 5, "kernel_y": 5, "pad": bits, "first": bits + 1,
            "end": bits + 1, "size": bits + 1, "column_step": bits, "row_step": bits,
        })


class AmongLayout(data.StructLayout):
    """Columns or rows of the kernel that are left, the one at hand counted, and whether that is in the image.

    ``final``: one is left.
    """

    def __init__(self) -> None:
        super().__init__({"left": 5, "inside": 1, "final": 1})


class AddressGenerator(Resettable):
    """Gives the pixels of a window row by row, the whole again and again; or of one of two that are open.

    Parameters
    ----------
    buffer_bytes
        Bytes of the buffer, within which the ring ends.
    count
        Windows that are open at a time, 1 or 2. Of two what is known is in rows of memories.
    """

    opens = In(1)
    walk = In(DescriptorLayout("walk"))
    plan = In(PlanLayout())
    """Strobe: begin with the first pixel of this window. Pixels are given from the cycle after the next one on."""
    o = Out(stream.Signature(TermLayout()))
    """Addresses of the runs."""
    which = In(1, when=lambda self: self.count > 1)
    asked = In(1, when=lambda self: self.count > 1)
    """Of two: the one that is opened, and the one whose pixels are given; none in the cycle after one was opened."""

    def __init__(self, buffer_bytes: int = 1 << ADDRESS_BITS, count: int = 1) -> None:
        self.buffer_bytes, self.count = buffer_bytes, count
        self.bits = (buffer_bytes - 1).bit_length()
        super().__init__()

    def elaborate(self, platform: object) -> Any:
        m = Module()
        begins = Signal(name="begins")
        # What is opened begins where a window that is over does: behind its last pixel.
        m.d.sync += begins.eq(self.opens)
        opened, at_hand = self._which(m, begins)
        opening, plan = self._kept(m, "plan", OpenLayout(self.bits), self.opens, opened, at_hand)
        ends = Signal()
        anew = Signal()
        goes = begins | self.o.ready
        columns_go, rows_go = goes, goes & (begins | ends)
        moves = Signal()
        falls = Signal()
        next_column, column = self._kept(m, "column", AmongLayout(), columns_go, at_hand, at_hand)
        next_line, line = self._kept(m, "line", AmongLayout(), rows_go, at_hand, at_hand)
        next_at, at = self._kept(m, "at", unsigned(self.bits), moves, at_hand, at_hand)
        next_row, row = self._kept(m, "row", unsigned(self.bits), falls, at_hand, at_hand)
        m.d.comb += [
            *(opening[name].eq(self.plan[name]) for name in self.plan.shape().members),
            *(opening[name].eq(self.walk[name]) for name in ("kernel_x", "kernel_y", "pad")),
            ends.eq(column.final), self.o.p.last.eq(ends & line.final), self.o.valid.eq(1),
            self.o.p.address.eq(Mux(line.inside & column.inside, at, plan.pad)),
            # What comes behind the pixel at hand: the first one again, or that of a row; none before the image moves.
            anew.eq(begins | self.o.p.last), falls.eq(goes & (anew | (ends & line.inside))),
            moves.eq(goes & (anew | (line.inside & (ends | column.inside)))),
            Value.cast(next_column).eq(_following(column, plan.kernel_x, plan.columns, begins | ends)),
            Value.cast(next_line).eq(_following(line, plan.kernel_y, plan.rows, anew)),
        ]
        # From the first pixel of a row to that of the next, or from a pixel to its neighbour.
        step = Mux(ends, plan.row_step, plan.column_step) & (~anew).replicate(self.bits)
        moved = self._around(m, Mux(anew, plan.first, Mux(ends, row, at)), step, plan)
        m.d.comb += [next_at.eq(moved), next_row.eq(moved)]
        return self.resets(m)

    def _which(self, m: Module, begins: Value) -> tuple[Value, Value]:
        """The window that is opened, and the one at hand."""
        if self.count == 1:
            return Value.cast(0), Value.cast(0)
        late = Signal(name="opened")
        m.d.sync += late.eq(self.which)
        return self.which, Mux(begins, late, self.asked)

    def _kept(self, m: Module, name: str, shape: Any, writes: Value, to: Value, at_hand: Value) -> tuple[Any, Any]:
        """What is written of a window when it ``writes``, and what was written last of the one at hand."""
        after = Signal(shape, name=f"{name}_after")
        now = Signal(shape, name=name, reset_less=True)
        if self.count == 1:
            with m.If(writes):
                m.d.sync += now.eq(after)
            return after, now
        bits = len(Value.cast(now))
        m.submodules[name] = memory = Memory(shape=unsigned(bits), depth=self.count, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(to), write.data.eq(after), write.en.eq(writes), read.addr.eq(at_hand),
            Value.cast(now).eq(read.data),
        ]
        return after, now

    def _around(self, m: Module, place: Value, step: Value, plan: data.View) -> Value:
        """A place in the ring and a step that is shorter than it."""
        # A step is shorter than the ring, so one subtraction is enough.
        far = Signal(self.bits + 1)
        m.d.comb += far.eq(place + step)
        return Mux(far < plan.end, far, far - plan.size)[: self.bits]


def _following(now: data.View, kernel: Value, span: data.View, anew: Value) -> Value:
    """The next column or row of the kernel, or the first one; whether that is in the image."""
    left = Mux(anew, kernel, now.left - 1)[:5]
    return Cat(left, (left == span.first) | (now.inside & (now.left != span.last) & ~anew), left == 1)


TOTAL = 23
"""Bits of a number of pixels, and of the total."""
_TIMES = 12
"""Bits of the second factor of a product."""
_WALKS = DESCRIPTORS["walk"].count


class Sums:
    """Logic of a walker: one adder for all products and sums, and memories with a row for each walk.

    A product takes a cycle, and one for each bit of its second factor.

    Parameters
    ----------
    m, number
        The walker, and its walk.
    bits
        Bits of an address.

    Attributes
    ----------
    total, ready
        What was added up, and whether that is all.
    adds_row
        Set: the first factor is added to the total in this cycle.
    kept, keeps
        By name: what is kept of the walk, and that the total is kept. First column and row of the window
        (``corner_x``, ``corner_y``), first pixel of that row (``top``); pixels from one of its rows to the next
        (``row_pixels``), members of :class:`mho.hw.tile.rtl.windows.addresses.PlanLayout`.
    """

    def __init__(self, m: Module, number: Value, bits: int) -> None:
        self._m = m
        self.total = Signal(TOTAL, name="total")
        times = Signal(_TIMES)
        factor = Signal(TOTAL, name="factor", reset_less=True)
        self.adds_row = Signal(name="adds_row")
        self.ready = Signal(name="ready")
        # What is loaded: all three, or all but the total.
        self._loads = Signal(name="loads")
        self._goes_on = Signal(name="goes_on")
        self._total, self._factor, self._times = (
            Signal(len(register), name=f"next_{register.name}") for register in (self.total, factor, times))
        m.d.comb += self.ready.eq(times == 0)
        # Shift and add, a bit of the second factor a cycle: so one adder does for all products.
        with m.If(self._loads & ~self._goes_on):
            m.d.sync += self.total.eq(self._total)
        with m.Elif(times[0] | self.adds_row):
            m.d.sync += self.total.eq(self.total + factor)
        with m.If(self._loads):
            m.d.sync += [factor.eq(self._factor), times.eq(self._times)]
        with m.Else():
            m.d.sync += times.eq(times >> 1)
            with m.If(~self.ready):
                m.d.sync += factor.eq(factor << 1)
        self.kept, self.keeps = dict[str, Value](), dict[str, Value]()
        for name, width in (
            ("corner_x", CORNER), ("corner_y", CORNER), ("top", TOTAL), ("row_pixels", CORNER), ("row_step", bits),
            ("column_step", bits), ("size", bits + 1), ("end", bits + 1),
        ):
            m.submodules[name] = memory = Memory(shape=unsigned(width), depth=_WALKS, init=[])
            write = memory.write_port()
            read = memory.read_port(domain="comb")
            m.d.comb += [read.addr.eq(number), write.addr.eq(number), write.data.eq(self.total)]
            self.kept[name], self.keeps[name] = read.data, write.en

    def load(self, total: Value | int | None, factor: Value, times: Value | int, when: Value | int = 1) -> None:
        """Begins with a total, or goes on with what it is, and adds a product to it."""
        m = self._m
        m.d.comb += [self._loads.eq(when), self._factor.eq(factor), self._times.eq(times)]
        if total is None:
            m.d.comb += self._goes_on.eq(1)
        else:
            m.d.comb += self._total.eq(total)

    def chain(self, steps: Sequence[tuple[str, str, Any, Value, Value | int, str]]) -> None:
        """States that keep the total of the one before by a name, if any, and load the next; the state that follows."""
        m = self._m
        for state, name, total, factor, times, following in steps:
            with m.State(state):
                if name:
                    m.d.comb += self.keeps[name].eq(1)
                self.load(total, factor, times, self.ready)
                with m.If(self.ready):
                    m.next = following

"""What a walk looks at, and the states that find where its window begins and how far its steps are."""

from typing import Any

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data

from mho.hw.tile.rtl.rings import COUNT_BITS
from mho.hw.tile.rtl.windows.addresses import CORNER, PIXEL, TOTAL, Sums


class Pixels:
    """Columns, and then rows, as they are looked at one by one, and the oldest pixel that is needed.

    Members
    -------
    at, left, step, size, inside
        The column or row, how many are left, how far the next is, how many the image has, and whether it is in that.
    oldest, back
        The oldest pixel, and blocks before its own that are still there.
    again
        It waits for a block that was not there.
    """

    def __init__(self) -> None:
        self.at, self.left = Signal(signed(CORNER), name="at"), Signal(5, name="left")
        self.step, self.size, self.inside = Signal(4, name="step"), Signal(PIXEL, name="size"), Signal(name="inside")
        self.oldest = Signal(TOTAL, name="oldest", reset_less=True)
        self.back, self.again = Signal(signed(COUNT_BITS), name="back"), Signal(name="again")

    def look(self, m: Module) -> None:
        """See whether the column or row is in the image: neither before it nor behind it."""
        bits = len(self.size)
        m.d.comb += self.inside.eq(~self.at[bits:].any() & (self.at[:bits] < self.size))


def corner(sums: Sums, side: str) -> Value:
    """Where the window begins."""
    return sums.kept[f"corner_{side}"].as_signed()


class PlacingStates:
    """Of the size of the window, of where it begins, and of what is the same for all positions.

    Parameters
    ----------
    m, iterator
        The :class:`mho.hw.tile.rtl.windows.iterator.WindowIterator`, whose ports these states drive.
    """

    def __init__(self, m: Module, iterator: Any, sums: Sums, pixels: Pixels) -> None:
        self._m, self._iterator, self._sums, self._pixels = m, iterator, sums, pixels

    def count(self, asks: Value) -> None:
        """Terms and codes of the window."""
        m, iterator, sums = self._m, self._iterator, self._sums
        walk, total = iterator.walk, sums.total
        # What is too much for the core whatever comes; terms are always less.
        capped = total[:10] | total[10:].any().replicate(10)
        sums.chain((
            ("Terms", "", 0, walk.kernel_x, walk.kernel_y, "Codes"),
            ("Repeats", "", walk.tail, capped, walk.repeat, "Counted"),
        ))
        with m.State("Codes"):
            m.d.sync += iterator.look.terms.eq(total)
            sums.load(0, capped, walk.run, sums.ready)
            with m.If(sums.ready):
                m.next = "Repeats"
        with m.State("Counted"):
            # Its stream was asked for meanwhile.
            m.d.sync += iterator.look.codes.eq(total)
            with m.If(sums.ready & (~asks | iterator.ask.ready)):
                m.next = "Done"

    def place(self, plans: Value) -> None:
        """Where the window begins: its column, and in another row than before that row and its first pixel."""
        m, iterator, sums, pixels = self._m, self._iterator, self._sums, self._pixels
        walk, at, total, keeps = iterator.walk, iterator.next, sums.total, sums.keeps
        with m.State("Corner x"):
            sums.load(-walk.pad_x, at.x, walk.stride_x)
            m.next = "Corner y"
            with m.If(at.placed):
                m.next = "Moved"
        sums.chain((
            ("Corner y", "corner_x", -walk.pad_y, at.y, walk.stride_y, "Top"),
            ("Top", "corner_y", 0, total.as_signed(), walk.width, "Placed"),
        ))
        with m.State("Placed"):
            m.d.comb += keeps["top"].eq(1)
            m.d.sync += pixels.at.eq(corner(sums, "y"))
            with m.If(sums.ready):
                m.d.sync += at.placed.eq(1)
                m.next = "Left"
                with m.If(plans):
                    m.next = "Window"
        with m.State("Moved"):
            m.d.comb += keeps["corner_x"].eq(1)
            m.d.sync += pixels.at.eq(corner(sums, "y"))
            with m.If(sums.ready):
                m.next = "Left"

    def steps(self, ring: data.View) -> None:
        """What is the same for all positions: steps in the image and in the ring, and the end of that."""
        m, iterator, sums = self._m, self._iterator, self._sums
        walk, total = iterator.walk, sums.total
        with m.State("Ring"):
            m.d.comb += iterator.ask.valid.eq(1)
            m.d.sync += ring.eq(iterator.ask.ring)
            with m.If(iterator.ask.ready):
                m.next = "Pixels"
        sums.chain((
            ("Pixels", "", 0, walk.width, walk.dilation_y, "Row step"),
            ("Row step", "row_pixels", 0, ring.block, total[:8], "Column step"),
            ("Column step", "row_step", 0, ring.block, walk.dilation_x, "Size"),
            ("Size", "column_step", 0, ring.block, ring.blocks, "Base"),
            ("Base", "size", None, ring.base, 1, "End"),
            ("End", "", None, walk.channel, 1, "Ended"),
        ))
        with m.State("Ended"):
            m.d.comb += sums.keeps["end"].eq(1)
            with m.If(sums.ready):
                m.d.sync += iterator.next.known.eq(1)
                m.next = "Window"

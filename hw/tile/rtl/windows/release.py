"""States in which a walk goes on to its next position, and gives back what no later window needs."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.tile.rtl.windows.addresses import Sums
from mho.hw.tile.rtl.windows.placing import Pixels, corner


class ReleaseStates:
    """Of the next position, and of blocks that are given back; parameters as of :class:`.placing.PlacingStates`."""

    def __init__(self, m: Module, iterator: Any, sums: Sums, pixels: Pixels) -> None:
        self._m, self._iterator, self._sums, self._pixels = m, iterator, sums, pixels
        self._image_ends = Signal(name="image_ends")

    def go_on(self) -> None:
        """The next position, and the oldest pixel that it or a later one needs, of the image that was walked."""
        m, sums, pixels, image_ends = self._m, self._sums, self._pixels, self._image_ends
        walk, at, total = self._iterator.walk, self._iterator.next, sums.total
        row_ends, rows_end = at.x + 1 == walk.positions_x, at.y + 1 == walk.positions_y
        with m.State("Step"):
            m.d.sync += [image_ends.eq(row_ends & rows_end), at.x.eq(Mux(row_ends, 0, at.x + 1))]
            with m.If(row_ends):
                m.d.sync += [at.y.eq(Mux(rows_end, 0, at.y + 1)), at.placed.eq(0)]
            m.next = "Corner x"
        before = corner(sums, "y")[-1]
        top = _from_zero(sums.kept["top"], before)
        # Of the position, and then where the next row of positions begins, none before the image.
        with m.State("Left"):
            m.d.comb += pixels.step.eq(walk.stride_y)
            sums.load(top, _from_zero(corner(sums, "x"), corner(sums, "x")[-1]), 1)
            m.d.sync += pixels.at.eq(pixels.at + pixels.step)
            m.next = "Below"
        further = Mux(before, _from_zero(pixels.at, pixels.at[-1])[:3], walk.stride_y)
        with m.State("Below"):
            m.d.comb += pixels.size.eq(walk.height)
            m.d.sync += pixels.oldest.eq(total)
            # The end of the image, where the next row would begin behind that.
            ends = image_ends | rows_end | ~(pixels.inside | pixels.at[-1])
            sums.load(_from_zero(top, ends), walk.width, Mux(ends, walk.height, further), sums.ready)
            with m.If(sums.ready):
                m.next = "Least"
        with m.State("Least"):
            with m.If(sums.ready):
                with m.If(image_ends | (total < pixels.oldest)):
                    m.d.sync += pixels.oldest.eq(total)
                m.next = "Behind"

    def _leave(self) -> None:
        """To the end; the oldest pixel is that behind the image where this ends."""
        at = self._iterator.next
        self._m.next = "Done"
        with self._m.If(self._image_ends):
            self._m.d.sync += at.origin.eq(at.origin + self._pixels.oldest)

    def give_back(self, ring: data.View) -> None:
        """Gives back what is not needed any more."""
        m, iterator, pixels = self._m, self._iterator, self._pixels
        changes = Signal(name="changes")
        with m.State("Behind"):
            m.next = "Free"
            with m.If(~iterator.free):
                self._leave()
        m.d.comb += iterator.change.valid.eq(changes)
        with m.State("Free"):
            m.d.comb += iterator.ask.valid.eq(1)
            m.d.sync += ring.eq(iterator.ask.ring)
            with m.If(iterator.ask.ready):
                m.next = "Give"
        with m.State("Give"):
            # Block by block, so that whoever fills the ring can go on meanwhile.
            with m.If(pixels.back[-1] | ~pixels.back.any()):
                self._leave()
            with m.Elif(ring.there == 0):
                m.d.sync += pixels.again.eq(1)
                m.next = "Free"
                with m.If(iterator.hasty):
                    m.d.comb += iterator.later.eq(1)
                    m.next = "Idle"
            with m.Elif(~iterator.hold):
                m.d.sync += changes.eq(1)
                m.next = "Change"
        with m.State("Change"):
            # The ring is asked for at once; an answer before the change does not count.
            m.d.comb += iterator.ask.valid.eq(1)
            with m.If(iterator.change.ready):
                m.d.sync += changes.eq(0)
                m.next = "Free"


def _from_zero(place: Value, before: Value) -> Value:
    """A place, 0 if it is before the image."""
    return place.as_unsigned() & (~before).replicate(len(place))

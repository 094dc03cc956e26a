"""What a walk is asked for, and what is known of it."""

from enum import IntEnum

from amaranth.lib import data

from mho.hw.ports import Bundle, In, Out
from mho.hw.tile.rtl.buffer import ADDRESS_BITS
from mho.hw.tile.rtl.layouts import DescriptorLayout
from mho.hw.tile.rtl.rings.scoreboard import COUNT_BITS

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

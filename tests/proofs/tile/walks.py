"""Claims of the windows of walks: every pixel that is read has arrived, and none was given back."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed

from mho.hw.tile.rtl.rings import COUNT_BITS
from mho.hw.tile.rtl.windows.addresses import WalkRequest
from mho.hw.tile.rtl.windows.iterator import WindowIterator
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, free, witness

__all__ = ["WindowIteratorClaims"]

_SMALL = {
    "width": 4, "height": 4, "kernel_x": 3, "kernel_y": 3, "dilation_x": 2, "dilation_y": 2, "stride_x": 2,
    "stride_y": 2, "pad_x": 2, "pad_y": 2, "positions_x": 4, "positions_y": 4,
}
"""Bits of the fields of a walk: products are dear for a solver."""
_PLANNED = ("Head", "Behind head", "First")
_STEPS = ("Ring", "Pixels", "Row step", "Column step", "Size", "Base", "End", "Ended")
_PLACES = ("Corner x", "Corner y", "Top", "Placed")
_PIXELS = ("Scan x", "Rows", "Scan y", "Newest")
_PLAN = (*_STEPS, "Window", *_PIXELS, "Wait", "Judge", *_PLANNED)
_LOOK = ("Terms", "Codes", "Repeats", "Counted")
_GOES = ("Step", "Moved", "Left", "Below", "Least", "Behind", "Free", "Give", "Change")
_BITS = 23
"""Of the total."""


class WindowIteratorClaims(Harness):
    """Any walk of a small image and any place of it, and one pixel under its kernel that the solver picks.

    Others fill the ring whenever it has room; while a window is planned nobody gives blocks of it back, and when the
    walk goes on the walker alone does.

    Parameters
    ----------
    dut
        The walker.
    bits
        Of a side of the image, at most.
    """

    def __init__(self, dut: WindowIterator, bits: int = 4) -> None:
        super().__init__(dut)
        self.bits = bits

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        ring, walk = dut.ask.ring, dut.walk
        drive_freely(
            m, walk, dut.place, dut.number, dut.moves, dut.start, dut.todo, dut.restart, dut.advance, dut.free,
            dut.hasty, dut.hold, dut.ask.ready, dut.change.ready, ring.head, ring.tail, ring.base, ring.block,
            ring.remote, ring.head_left, ring.wrong)
        m.d.comb += dut.soft_reset.eq(0)
        assume(m, ~dut.ask.ready | dut.ask.valid)
        idle = state.at("Idle")
        assume(m, idle | ~dut.start)
        # The walk stays from the start on; one that moves on is that of the start before.
        previous, begun = Signal.like(walk.as_value()), Signal()
        with m.If(dut.start):
            m.d.sync += [previous.eq(walk.as_value()), begun.eq(1)]
        assume(m, idle | (walk.as_value() == previous))
        assume(m, ~(dut.start & dut.moves) | (begun & (walk.as_value() == previous)))
        claim(m, "it was started", idle | begun)
        was: Any = walk.shape()(previous)
        self._comes_back(m, dut, state, was, begun & (walk.as_value() == previous))
        todo = Signal(2)
        with m.If(idle):
            m.d.sync += todo.eq(dut.todo)
        assume(m, idle | (dut.todo == todo))
        for name, bits in _SMALL.items():
            assume(m, walk[name] < 1 << min(bits, self.bits))
        for name in ("kernel_x", "kernel_y", "positions_x", "positions_y"):
            assume(m, walk[name] != 0)
        for side in "xy":
            assume(m, dut.place[side] < walk[f"positions_{side}"])
            claim(m, f"{side}: it is at a position of its walk", ~begun | (dut.next[side] < was[f"positions_{side}"]))
        present, freed, blocks = Signal(8), Signal(COUNT_BITS), constant(m, 8, "blocks")
        gives = dut.change.valid & dut.change.ready
        more = free(m, 1, "more")
        assume(m, ~(more & gives) & (~more | (present < blocks)))
        m.d.sync += [present.eq(present + more - gives), freed.eq(freed + gives)]
        m.d.comb += [ring.there.eq(present), ring.freed.eq(freed), ring.blocks.eq(blocks)]
        claim(m, "no more are there than the ring has", present <= blocks)
        with m.If(dut.change.valid):
            claim(m, "what it gives back is there", present != 0)
        self._asked(m, state, present, freed, blocks)
        self._window(m, dut, state, was, present, freed)

    def _comes_back(self, m: Module, dut: Any, state: State, was: Any, same: Value) -> None:
        """One walk: what the walker keeps of others is in other rows, so that it is as if there were none between."""
        place, at = dut.place, dut.next
        number = constant(m, 3, "number")
        assume(m, dut.number == number)
        self._words = {
            name: Array(state.words(name))[number] for name in ("corner_x", "corner_y", "top", "row_pixels")}
        # A walk comes back as it had gone on, or as it was before, if it had not gone on to the end and does so now.
        again = (dut.todo == WalkRequest.GO) & dut.advance & ~dut.restart
        stays = at.placed & (place.y == at.y) & ((place.x == at.x) | again)
        row_ends = again & (place.x + 1 == was.positions_x)
        with m.If(dut.start & ~dut.moves):
            assume(m, ~place.placed | (same & (stays | row_ends)))
            assume(m, ~place.known | (same & at.known))

    def _asked(self, m: Module, state: State, present: Value, freed: Value, blocks: Value) -> None:
        """What it remembers of the ring is so, or was."""
        ring: Any = self._ring(state)
        with m.If(_at(state, ("Judge", *_PLANNED, "Give", "Change"))):
            claim(m, "what it knows to be there is there", (ring.there <= present) & (ring.blocks == blocks))
            claim(m, "what it knows to be given back is", ring.freed == freed)
        claim(m, "it changes the ring where it says so", state["changes"] == state.at("Change"))
        with m.If(state.at("Change")):
            claim(m, "it knows of a block", ring.there != 0)

    def _ring(self, state: State) -> Any:
        return self.dut.ask.ring.shape()(state["ring"])

    def _window(self, m: Module, dut: Any, state: State, was: Any, present: Value, freed: Value) -> None:
        """The pixel that the solver picks, and what is known of its window."""
        planning, busy = Signal(), Signal()
        m.d.comb += [planning.eq(dut.todo == WalkRequest.PLAN), busy.eq(~state.at("Idle"))]
        with m.If(busy):
            claim(m, "it knows whether it plans", state["plans"] == planning)
        with m.If(_at(state, _LOOK)):
            claim(m, "it looks if that is asked for", dut.todo == WalkRequest.LOOK)
        with m.If(_at(state, _PLAN)):
            claim(m, "it plans if that is asked for", planning)
        with m.If(_at(state, _GOES)):
            claim(m, "it goes on if that is asked for", ~planning & (dut.todo != WalkRequest.LOOK))
        with m.If(_at(state, _PLACES)):
            claim(m, "it plans or goes on", dut.todo != WalkRequest.LOOK)
        # What the total will be when the product at hand is added up, whose second factor is small.
        self._pending = _product(state["total"], state["factor"].as_signed(), state["times"][:4])
        sides = {side: self._side(m, state, was, side) for side in "xy"}
        self._places(m, state, was)
        number, base, read = Signal(COUNT_BITS), Signal(COUNT_BITS), Signal()
        (_, x, in_x), (_, y, in_y) = sides["x"], sides["y"]
        m.d.comb += [
            base.eq(_product(Const(0, _BITS), y[:8].as_signed(), was.width[:4])), number.eq(base + x[:4]),
            read.eq(in_x & in_y),
        ]
        self._columns(m, state, was, sides["x"])
        self._rows(m, state, was, sides["y"], base)
        self._edges(m, state, number, read)
        ahead, planned = Signal(COUNT_BITS), Signal()
        m.d.comb += ahead.eq(dut.next.origin + number - freed)
        m.d.sync += planned.eq(busy & (state.at("First") | (planned & state.at("Done"))))
        done = planned & state.at("Done")
        with m.If((_at(state, _PLANNED) | done) & read):
            claim(m, "each pixel of a planned window has arrived, and was not given back", ahead < present)
        with m.If(state.at("Done") & planning & ~planned):
            claim(m, "a window without pixels has none that is read", ~read)
        witness(m, "a window of pixels is planned", done & read & dut.done)

    def _side(self, m: Module, state: State, was: Any, side: str) -> tuple[Signal, Signal, Signal]:
        """The first column or row of the window; the one that the solver picks, and whether it is in the image."""
        kernel_at, size = constant(m, 3, f"kernel_{side}_at"), was.width if side == "x" else was.height
        assume(m, kernel_at < self.dut.walk[f"kernel_{side}"])
        corner, pixel = Signal(signed(16), name=f"true_{side}"), Signal(signed(16), name=f"pixel_{side}")
        step, at, inside = was[f"dilation_{side}"][:2], self.dut.next[side], Signal(name=f"inside_{side}")
        m.d.comb += [
            corner.eq(_corner(was, at, side).as_signed()), pixel.eq(corner + kernel_at * step),
            inside.eq((pixel >= 0) & (pixel < size)),
        ]
        passed = Signal(5, name=f"passed_{side}")
        m.d.comb += passed.eq(was[f"kernel_{side}"] - state["left"])
        with m.If(state.at(f"Scan {side}")):
            claim(m, f"{side}: it looks at the kernel from its corner on", (
                (state["left"] != 0) & (state["left"] <= was[f"kernel_{side}"])
                & (state["at"] == corner + passed[:3] * step)))
        self._passed = getattr(self, "_passed", {}) | {side: (kernel_at, passed)}
        return corner, pixel, inside

    def _places(self, m: Module, state: State, was: Any) -> None:
        """Where the window begins, on its way through the adder, and while it is kept."""
        at, words = self.dut.next, self._words
        x, y = (_corner(was, at[side], side) for side in "xy")
        top = _product(Const(0, _BITS), y.as_signed(), was.width[:4])
        rows = _product(Const(0, _BITS), was.width[:4], was.dilation_y[:2])
        row_ends = state.at("Step") & (at.x + 1 == was.positions_x)
        for name, states, value in (
            ("the first column", ("Corner y", "Moved"), x), ("the first row", ("Top",), y),
            ("the first pixel of the row", ("Placed",), top), ("pixels between rows", ("Row step",), rows),
        ):
            with m.If(_at(state, states)):
                claim(m, f"{name} is added up", (self._pending == value) & (state["times"] < 16))
        with m.If((at.placed & ~_at(state, ("Step", "Corner x", "Moved"))) | _at(state, ("Top", "Placed"))):
            claim(m, "the first column is kept", words["corner_x"] == x[:14])
        with m.If((at.placed & ~row_ends) | state.at("Placed")):
            claim(m, "the first row is kept", words["corner_y"] == y[:14])
        with m.If(at.placed & ~row_ends):
            claim(m, "its first pixel is kept", words["top"] == top)
        with m.If(_at(state, (*_STEPS, *_PIXELS, "Moved", "Left", "Below", "Least"))):
            claim(m, "the row is known", at.placed)
        with m.If(_at(state, ("Corner y", "Top", "Placed"))):
            claim(m, "the row is looked for where it is not known", ~at.placed)
        with m.If(state.at("Corner x")):
            claim(m, "a window whose row is known is not looked for", ~(at.placed & state["plans"]))
        with m.If(_at(state, _PIXELS)):
            claim(m, "what is the same for all positions is known", at.known)
        with m.If(_at(state, _STEPS)):
            claim(m, "what is the same for all positions is not looked for when it is known", ~at.known)
        with m.If(at.known | _at(state, ("Column step", "Size", "Base", "End", "Ended"))):
            claim(m, "pixels between rows are kept", words["row_pixels"] == rows[:14])

    def _columns(self, m: Module, state: State, was: Any, side: Any) -> None:
        """Columns in the image lie between the first and the last one that were found."""
        (_, pixel, inside), (kernel_x, passed) = side, self._passed["x"]
        first, last, any_inside = state["x_first"], state["x_last"], state["x_any"]
        between = ~inside | (any_inside & (first <= pixel) & (pixel <= last))
        with m.If(state.at("Scan x")):
            claim(m, "x: what it has passed lies between the first and the last", ~(kernel_x < passed) | between)
            claim(m, "x: the image is not left before it begins", ~any_inside | (state["at"].as_signed() >= 0))
            claim(m, "x: the first is not behind the last, nor that behind where it looks",
                  ~any_inside | ((first <= last) & (last <= state["at"])))
        with m.If(_at(state, _PIXELS[1:])):
            claim(m, "x: all that is in the image lies between the first and the last", between)
        with m.If(_at(state, _PIXELS)):
            claim(m, "x: first and last are in the image", ~any_inside | ((first <= last) & (last < was.width)))

    def _rows(self, m: Module, state: State, was: Any, side: Any, base: Value) -> None:
        """Rows in the image lie between that of the oldest pixel and that of the total, in the first column."""
        (_, _, inside), (kernel_y, passed) = side, self._passed["y"]
        first, any_inside, oldest, total = state["x_first"], state["y_any"], state["oldest"], state["total"]
        at, small = state["at"].as_signed(), 1 << 8
        with m.If(state["x_any"]):
            with m.If(_at(state, _PIXELS[:2])):
                claim(m, "the first pixel is added up", (state["times"] < 2) & (
                    self._pending == (self._words["top"] + first)[:_BITS]))
            between = ~inside | (any_inside & (oldest <= base + first) & (base + first <= total))
            with m.If(state.at("Scan y")):
                here, it_is, row = Signal(_BITS), Signal(), self._words["row_pixels"]
                m.d.comb += [
                    here.eq(_product(Const(0, _BITS), at, was.width[:4]) + first),
                    it_is.eq((at >= 0) & (at < was.height)),
                ]
                claim(m, "y: before the image the total is the first pixel of the row", any_inside | (total == here))
                claim(m, "y: in it a row less", ~(any_inside & it_is) | ((total + row)[:_BITS] == here))
                claim(m, "y: the image is not left before it begins", ~any_inside | (at >= 0))
                claim(m, "y: what it has passed lies between the oldest and the newest", ~(kernel_y < passed) | between)
            with m.If(state.at("Newest")):
                claim(m, "y: all that is in the image lies between the oldest and the newest", between)
            with m.If(_at(state, ("Scan y", "Newest"))):
                claim(m, "y: the oldest is not behind the newest", ~any_inside | ((oldest <= total) & (total < small)))
        with m.If(state.at("Scan y")):
            claim(m, "it adds rows up", (state["factor"] == self._words["row_pixels"]) & (state["times"] == 0))
        with m.If(state.at("Newest")):
            claim(m, "all is added up", state["times"] == 0)

    def _edges(self, m: Module, state: State, number: Value, read: Value) -> None:
        """The oldest and the newest pixel, while they are wanted."""
        oldest, small = state["oldest"], 1 << 9
        with m.If(state.at("Newest")):
            claim(m, "there are pixels", state["x_any"] & state["y_any"])
        with m.If(_at(state, ("Wait", "Judge"))):
            claim(m, "the total is not before the newest pixel", (state["times"] < 2) & (self._pending < small) & (
                ~read | (number <= self._pending)))
        with m.If(state.at("Judge")):
            claim(m, "the newest pixel is added up", state["times"] == 0)
        with m.If(_at(state, ("Wait", "Judge", *_PLANNED))):
            claim(m, "it is not before the oldest pixel", (oldest < small) & (~read | (oldest <= number)))


def _product(total: Value, factor: Value, times: Value) -> Value:
    """What the adder makes of a total and two factors, added up in the same order."""
    for k, bit in enumerate(times):
        total = (total + Mux(bit, factor << k, 0))[:_BITS]
    return total


def _corner(walk: Any, at: Value, side: str) -> Value:
    """The first column or row of the window at a small position."""
    return _product((-walk[f"pad_{side}"][:2] + Const(0, signed(_BITS)))[:_BITS], at[:4], walk[f"stride_{side}"][:2])


def _at(state: State, names: tuple[str, ...]) -> Value:
    matches: Value = Signal(1)
    for name in names:
        matches |= state.at(name)
    return matches

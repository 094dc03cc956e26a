"""Claims of the windows of walks: every pixel that is read has arrived, and none was given back."""

from typing import Any

from amaranth.hdl import Module, Signal, Value, signed

from hw.tile.tokens.tokens import COUNT_BITS
from hw.tile.walker import Todo, Walker
from sim.formal.harness import Harness, State, assume, claim, constant, drive_freely, free, witness

__all__ = ["WalkerClaims"]

_SMALL = {
    "width": 4, "height": 4, "kernel_x": 3, "kernel_y": 3, "dilation_x": 2, "dilation_y": 2, "stride_x": 2,
    "stride_y": 2, "pad_x": 2, "pad_y": 2, "positions_x": 4, "positions_y": 4,
}
"""Bits of the fields of a walk: products are dear for a solver."""
_PLANNED = ("Size", "First", "Column step", "Row step", "Late column step", "Late row step")
_BEHIND = ("Oldest", "Newest", "Wait", "Judge", *_PLANNED)
_PLAN = ("Row", "Column", "Rows", "Scan y", "Begin x", "Scan x", *_BEHIND)
_LOOK = ("Terms", "Late terms", "Codes", "Late codes", "Repeats", "Late repeats", "Counted")
_GOES = ("Step", "Next row", "Next column", "Image", "Below", "Top", "Least below", "Least", "Behind", "Free", "Give",
         "Change")
_LATE_COLUMN, _LATE_OLDEST = 0, 2
"""What the total is kept as behind this cycle."""


class WalkerClaims(Harness):
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

    def __init__(self, dut: Walker, bits: int = 4) -> None:
        super().__init__(dut)
        self.bits = bits

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        ring, walk = dut.ask.ring, dut.walk
        drive_freely(
            m, walk, dut.place, dut.moves, dut.start, dut.todo, dut.restart, dut.advance, dut.free, dut.hasty, dut.hold,
            dut.ask.ready, dut.change.ready, ring.head, ring.tail, ring.base, ring.block, ring.remote, ring.head_left,
            ring.wrong)
        m.d.comb += dut.soft_reset.eq(0)
        assume(m, ~dut.ask.ready | dut.ask.valid)
        idle = state.at("Idle")
        assume(m, idle | ~dut.start)
        # The walk stays from the start on; one that moves on is that of the start before.
        kept, begun = Signal.like(walk.as_value()), Signal()
        with m.If(dut.start):
            m.d.sync += [kept.eq(walk.as_value()), begun.eq(1)]
        assume(m, idle | (walk.as_value() == kept))
        assume(m, ~(dut.start & dut.moves) | (begun & (walk.as_value() == kept)))
        claim(m, "it was started", idle | begun)
        was: Any = walk.shape()(kept)
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
        there, freed, blocks = Signal(8), Signal(COUNT_BITS), constant(m, 8, "blocks")
        gives = dut.change.valid & dut.change.ready
        more = free(m, 1, "more")
        assume(m, ~(more & gives) & (~more | (there < blocks)))
        m.d.sync += [there.eq(there + more - gives), freed.eq(freed + gives)]
        m.d.comb += [ring.there.eq(there), ring.freed.eq(freed), ring.blocks.eq(blocks)]
        claim(m, "no more are there than the ring has", there <= blocks)
        with m.If(dut.change.valid):
            claim(m, "what it gives back is there", there != 0)
        self._asked(m, state, there, freed, blocks)
        self._window(m, dut, state, there, freed)

    def _asked(self, m: Module, state: State, there: Value, freed: Value, blocks: Value) -> None:
        """What it remembers of the ring is so, or was."""
        held: Any = self._ring(state)
        with m.If(_at(state, ("Judge", *_PLANNED, "Give", "Change"))):
            claim(m, "what it knows to be there is there", (held.there <= there) & (held.blocks == blocks))
            claim(m, "what it knows to be given back is", held.freed == freed)
        claim(m, "it changes the ring where it says so", state["changes"] == state.at("Change"))
        with m.If(state.at("Change")):
            claim(m, "it knows of a block", held.there != 0)

    def _ring(self, state: State) -> Any:
        return self.dut.ask.ring.shape()(state["ring"])

    def _window(self, m: Module, dut: Any, state: State, there: Value, freed: Value) -> None:
        """The pixel that the solver picks, and what is known of its window."""
        walk, at, planning, inside = dut.walk, dut.next, Signal(), {}
        place = {}
        m.d.comb += planning.eq(dut.todo == Todo.PLAN)
        for name, states in {
            Todo.LOOK: _LOOK, Todo.PLAN: _PLAN,
        }.items():
            with m.If(_at(state, states)):
                claim(m, f"it does what is asked for: {name.name.lower()}", dut.todo == name)
        with m.If(_at(state, _GOES)):
            claim(m, "it goes on if that is asked for", ~planning & (dut.todo != Todo.LOOK))
        for side in "yx":
            one, size = constant(m, 3, f"kernel_{side}_at"), walk.width if side == "x" else walk.height
            assume(m, one < walk[f"kernel_{side}"])
            corner, pixel = Signal(signed(16)), Signal(signed(16), name=f"pixel_{side}")
            step = walk[f"dilation_{side}"][:2]
            m.d.comb += [
                corner.eq(at[side][:4] * walk[f"stride_{side}"][:2] - walk[f"pad_{side}"][:2]),
                pixel.eq(corner + one * step),
            ]
            inside[side], place[side] = Signal(name=f"inside_{side}"), pixel
            m.d.comb += inside[side].eq((pixel >= 0) & (pixel < size))
            first, last, found = state[f"{side}_first"], state[f"{side}_last"], state[f"{side}_any"]
            passed = Signal(5, name=f"passed_{side}")
            m.d.comb += passed.eq(walk[f"kernel_{side}"] - state["left"])
            product = Signal(16, name=f"product_{side}")
            m.d.comb += product.eq(at[side][:4] * walk[f"stride_{side}"][:2])
            self._products(m, state, side, at, product, corner)
            holds = inside[side] & (first <= pixel) & (pixel <= last) & found
            between = ~inside[side] | holds
            scanning = state.at(f"Scan {side}")
            with m.If(scanning):
                claim(m, f"{side}: it looks at the kernel from its corner on", (
                    (state["left"] != 0) & (state["left"] <= walk[f"kernel_{side}"])
                    & (state["at"] == corner + passed[:3] * step)))
                claim(m, f"{side}: what it has passed lies between the first and the last", ~(one < passed) | between)
                claim(m, f"{side}: the first is not behind the last, nor that behind where it looks",
                      ~found | ((first <= last) & (last <= state["at"]) & (last < size)))
            later = ("Begin x", "Scan x", *_BEHIND) if side == "y" else _BEHIND
            with m.If(_at(state, later)):
                claim(m, f"{side}: all that is in the image lies between the first and the last", between)
            with m.If(_at(state, later)):
                claim(m, f"{side}: first and last are in the image", ~found | ((first <= last) & (last < size)))
            with m.If(_at(state, _BEHIND)):
                claim(m, f"{side}: some are in the image", found)
        number = Signal(COUNT_BITS)
        m.d.comb += number.eq(place["y"][:4] * walk.width[:4] + place["x"][:4])
        read = inside["x"] & inside["y"]
        self._edges(m, walk, state, number, read)
        ahead = Signal(COUNT_BITS)
        m.d.comb += ahead.eq(at.origin + number - freed)
        planned = Signal()
        m.d.sync += planned.eq(~state.at("Idle") & (state.at("Late row step") | (planned & state.at("Done"))))
        done = planned & state.at("Done")
        with m.If((_at(state, _PLANNED) | done) & read):
            claim(m, "each pixel of a planned window has arrived, and was not given back", ahead < there)
        with m.If(state.at("Done") & planning & ~planned):
            claim(m, "a window without pixels has none that is read", ~read)
        witness(m, "a window of pixels is planned", done & read & dut.done)

    def _products(self, m: Module, state: State, side: str, at: Any, product: Value, corner: Value) -> None:
        """The product that is the first row or column, on its way through the registers."""
        late = state["late"]
        waits, there = ("Column", "Rows") if side == "y" else ("Rows", None)
        with m.If(state.at(waits)):
            claim(m, f"{side}: its factors are the position and the stride", (
                (state["factor"] == at[side]) & (state["other"] == self.dut.walk[f"stride_{side}"])
                & (state["addend"] == 0)))
        if there is not None:
            with m.If(state.at(there)):
                claim(m, f"{side}: the total is their product", state["total"] == product)
            return
        with m.If(late[_LATE_COLUMN]):
            claim(m, f"{side}: the total is their product", state.at("Scan y") & (state["total"] == product))
        with m.If((state.at("Scan y") & ~late[_LATE_COLUMN]) | state.at("Begin x")):
            claim(m, f"{side}: the first column is kept", state["first_column"] == corner)

    def _edges(self, m: Module, walk: Any, state: State, number: Value, read: Value) -> None:
        """The oldest and the newest pixel, on their way through the registers."""
        late, total, oldest, small = state["late"], state["total"], state["oldest"], 1 << 8
        with m.If(late[_LATE_OLDEST]):
            claim(m, "the oldest pixel is waited for", state.at("Wait"))
        waits = state.at("Wait") & late[_LATE_OLDEST]
        there = (state.at("Wait") & ~late[_LATE_OLDEST]) | state.at("Judge")
        for which, states in (("first", state.at("Newest")), ("last", waits | there)):
            with m.If(states):
                claim(m, f"its factors are the {which} row and the width", (
                    (state["factor"] == state[f"y_{which}"]) & (state["other"] == walk.width)
                    & (state["addend"] == state[f"x_{which}"])))
        with m.If(waits):
            claim(m, "the total is not before the oldest pixel", (total < small) & (~read | (total <= number)))
        with m.If(there):
            claim(m, "it is not behind the newest pixel", (total < small) & (~read | (number <= total)))
        with m.If(there | _at(state, _PLANNED)):
            claim(m, "it is not before the oldest pixel", (oldest < small) & (~read | (oldest <= number)))


def _at(state: State, names: tuple[str, ...]) -> Value:
    found: Value = Signal(1)
    for name in names:
        found |= state.at(name)
    return found

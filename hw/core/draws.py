"""Random numbers in hardware; the reference is :mod:`mho.macro_models.integer.draws`."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.macro_models.integer.draws import DRAW_CONSTANT, DRAW_ROUNDS, DRAW_TURNS, DRAW_WORDS, NUMBER_BITS

SEED_CYCLES = DRAW_ROUNDS
"""Cycles from ``start`` until there are numbers."""

_WORD = 32


class Draws(Resettable):
    """128 bits that move down by a word: first what mixing makes of them comes in, then what the recurrence does."""

    start = In(1)
    """Strobe: a sequence begins; ``ready`` is 0 for 24 cycles."""
    key = In(2 * _WORD)
    image = In(_WORD)
    number = In(NUMBER_BITS)
    """What it is the sequence of. They are taken in the four cycles behind ``start``."""
    ready = Out(1)
    word = Out(_WORD)
    """The next 32 bits of it, the first one lowest."""
    next = In(1)
    """They are taken."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        state = Signal(DRAW_WORDS * _WORD, reset_less=True)
        step = Signal(range(SEED_CYCLES + 1), init=SEED_CYCLES)
        first, second, last = (state.word_select(k, _WORD) for k in (0, 1, 3))
        # One of them is mixed in, or none: a bit each, in registers, so that a bit of all takes few gates.
        turn = Signal(DRAW_WORDS)
        comes = Signal(_WORD)
        mixed = Signal(_WORD)
        words = (self.key[:_WORD], self.key[_WORD:], self.image, self.number)
        each = [word & bit.replicate(_WORD) for word, bit in zip(words, turn, strict=True)]
        mixed_in = each[0] | each[1] | each[2] | each[3]
        m.d.comb += [
            self.ready.eq(step == SEED_CYCLES), self.word.eq(state[:_WORD]),
            mixed.eq(first + (second ^ last.rotate_left(DRAW_TURNS[0]) ^ DRAW_CONSTANT ^ mixed_in)),
            comes.eq(Mux(self.ready, state[1 : 1 + _WORD] ^ state[2 * _WORD + 1 : 3 * _WORD + 1],
                         mixed.rotate_left(DRAW_TURNS[1]))),
        ]
        m.d.sync += turn.eq(Cat(self.start, turn))
        with m.If(self.start):
            m.d.sync += [step.eq(0), state.eq(0)]
        with m.Elif(~self.ready):
            m.d.sync += step.eq(step + 1)
        with m.If(~self.start & (~self.ready | self.next)):
            m.d.sync += state.eq(Cat(state[_WORD:], comes))
        return self.resets(m)

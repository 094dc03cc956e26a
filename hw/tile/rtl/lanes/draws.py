"""Random numbers for the lanes. Reference: :func:`mho.macro_models.integer.draws.draws`."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.macro_models.integer.draws import DRAW_CONSTANT, DRAW_ROUNDS, DRAW_TURNS, DRAW_WORDS, NUMBER_BITS, Law

SEED_CYCLES = DRAW_WORDS + DRAW_ROUNDS
"""Cycles from ``start`` until there are numbers."""

_WORD = 32


class Draws(Resettable):
    """128 bits that move down by a word: first those that are mixed come in, then what mixing makes of them, then bits.

    Members
    -------
    start : In(1)
        Strobe: a sequence begins; ``ready`` is 0 for 24 cycles.
    key, image, number : In(64), In(32), In(24)
        What it is the sequence of. They are taken in the four cycles behind ``start``.
    ready, word : Out(1), Out(32)
        The next 32 bits of it, the first one lowest.
    next : In(1)
        They are taken.
    """

    start = In(1)
    key = In(2 * _WORD)
    image = In(_WORD)
    number = In(NUMBER_BITS)
    ready = Out(1)
    word = Out(_WORD)
    next = In(1)

    def elaborate(self, platform: object) -> Any:
        m = Module()
        state, step = Signal(DRAW_WORDS * _WORD, reset_less=True), Signal(range(SEED_CYCLES + 1), init=SEED_CYCLES)
        first, second, last = (state.word_select(k, _WORD) for k in (0, 1, 3))
        mixed, comes, loads = Signal(_WORD), Signal(_WORD), Signal()
        m.d.comb += [
            self.ready.eq(step == SEED_CYCLES), self.word.eq(state[:_WORD]), loads.eq(step < DRAW_WORDS),
            mixed.eq(first + (second ^ last.rotate_left(DRAW_TURNS[0]) ^ DRAW_CONSTANT)),
            comes.eq(Mux(self.ready, state[1 : 1 + _WORD] ^ state[2 * _WORD + 1 : 3 * _WORD + 1],
                         mixed.rotate_left(DRAW_TURNS[1]))),
        ]
        with m.Switch(step):
            for k, value in enumerate((self.key[:_WORD], self.key[_WORD:], self.image, self.number)):
                with m.Case(k):
                    m.d.comb += comes.eq(value)
        with m.If(self.start):
            m.d.sync += step.eq(0)
        with m.Elif(~self.ready):
            m.d.sync += step.eq(step + 1)
        with m.If(~self.ready | self.next):
            m.d.sync += state.eq(Cat(state[_WORD:], comes))
        return self.resets(m)


def by_law(bits: Value, law: Value) -> Value:
    """The element of 16 bits, by a law, as 16 bits."""
    total = sum((bits.word_select(k, 4) for k in range(1, 4)), bits[:4])[:6]
    # All nibbles together are 0 to 60.
    around = (total - 30)[:7]
    near = Mux(law == Law.NIBBLES, Cat(around, around[-1].replicate(9)), Cat(bits[:8], 0))
    return Mux(law == Law.WORD, bits, near)[:16]

"""Counters that go round, and those in pieces: every step of them, beside Python's."""

from typing import Any

import pytest
from amaranth.hdl import Module, Signal

from mho.hw.core import counting as module
from mho.hw.core.counting import following, last, padded, tally
from tests.hw.amaranth_bench import simulate


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 8, 9])
def test_a_counter_goes_round(count: int) -> None:
    m, counter, ends = Module(), Signal(range(count)), Signal()
    m.d.sync += counter.eq(following(counter, count))
    m.d.comb += ends.eq(last(counter, count))

    async def watch(ctx: Any) -> None:
        for step in range(2 * count + 1):
            assert (ctx.get(counter), ctx.get(ends)) == (step % count, step % count == count - 1)
            await ctx.tick()

    simulate(m, watch)


@pytest.mark.parametrize("bits", [3, 4, 6, 7, 8])
def test_a_tally_carries_from_piece_to_piece(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces of three bits, once round and beyond; with pauses, also where a carry waits."""
    monkeypatch.setattr(module, "_PIECE", 3)
    m, counter, when = Module(), Signal(bits), Signal()
    tally(m, counter, when, "seen")

    async def count(ctx: Any) -> None:
        total = 0
        for step in range(3 * 2**bits // 2 + 20):
            now = (step % 7 != 3 and step % 5 != 1) or step > 2**bits
            ctx.set(when, now)
            await ctx.tick()
            total += now
            assert ctx.get(counter) == total % 2**bits

    simulate(m, count)


@pytest.mark.parametrize(("bits", "width", "padded_bits"), [(8, 8, 8), (9, 8, 16), (1, 32, 32), (31, 16, 32)])
def test_padded_is_whole_words(bits: int, width: int, padded_bits: int) -> None:
    assert len(padded(Signal(bits), width)) == padded_bits

from typing import Any

import numpy as np
import pytest

from mho.hw.core.layout import pack_codes, unpack_codes
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.results import ResultBank
from mho.macro_models.integer.tnsa.converter import combine_segments, decode
from tests.hw.amaranth_bench import collect, simulate, value_of


def set_result(ctx: Any, dut: ResultBank, negative: np.ndarray, n: np.ndarray, live: np.ndarray) -> None:
    ctx.set(dut.negative, value_of(negative))
    ctx.set(dut.live, value_of(live))
    # Of bits that the cap does not have, the counters may say what they like.
    cap = 2 ** int(n.max()).bit_length() - 1
    ctx.set(dut.cap, cap)
    for k, removed in enumerate(dut.removed):
        ctx.set(removed, value_of((n >> k & 1) == 0 if cap >> k & 1 else n % 2 == 0))


@pytest.mark.slow
@pytest.mark.parametrize("ranged", [False, True])
@pytest.mark.parametrize("stall", [0, 2])
@pytest.mark.parametrize(("lines", "reset_cycles"), [(16, 10), (16, 1), (64, 10), (64, 1)])
def test_words_match_the_codes(lines: int, reset_cycles: int, stall: int, ranged: bool) -> None:
    rng = np.random.default_rng(lines)
    cfg = TnsaCoreConfig(lines=lines, reset_cycles=reset_cycles, sample_cycles=1, plane_cycles=1, ranged=ranged)
    dut = ResultBank(cfg)
    first, last = np.zeros(12, int), np.full(12, lines // 2 - 1)
    if ranged:
        first, last = np.sort(rng.integers(0, lines // 2, (12, 2)), axis=1).T
    expected: list[int] = []
    words: list[int] = []

    async def finish(ctx: Any) -> None:
        for k in range(12):
            if ranged:
                ctx.set(dut.words, {"first": int(first[k]), "last": int(last[k])})
            two, live = int(rng.integers(2)), rng.integers(5, size=lines) > 0
            parts = []
            for high in range(two, -1, -1):
                negative, n = rng.integers(2, size=lines) == 1, rng.integers(0, 2 ** int(rng.integers(1, 8)), lines)
                parts.append(decode(negative, n, live, relu=False))
                set_result(ctx, dut, negative, n, live)
                ctx.set(dut.high, high)
                ctx.set(dut.two, two)
                while not ctx.get(dut.free):
                    await ctx.tick()
                ctx.set(dut.finish, 1)
                await ctx.tick()
                ctx.set(dut.finish, 0)
                # The counters keep it, and the next result comes then at the earliest.
                for _ in range(cfg.drain_rows - 1):
                    await ctx.tick()
            expected.extend(pack_codes(combine_segments(*parts) if two else parts[0])[first[k] : last[k] + 1])

    simulate(dut, finish, collect(dut.o, int(np.sum(last) - np.sum(first)) + 12, words, lambda: stall))
    assert words == expected


def test_codes_survive_the_words() -> None:
    codes = np.random.default_rng(0).integers(-4335, 4336, (3, 64)).astype(np.int16)
    np.testing.assert_array_equal(unpack_codes([pack_codes(row) for row in codes]), codes)
    assert pack_codes([1, -1]) == [0xFFFF0001]

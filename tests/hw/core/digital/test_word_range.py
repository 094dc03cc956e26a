from typing import Any

import numpy as np
import pytest

from mho.hw.core.digital.groups import WordRange
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from tests.hw.amaranth_bench import collect, simulate


@pytest.mark.parametrize("stall", [0, 2])
def test_words_that_an_operation_names_pass(stall: int) -> None:
    rng = np.random.default_rng(0)
    cfg = TnsaCoreConfig(lines=16)
    dut = WordRange(cfg.output_words)
    ranges = np.sort(rng.integers(0, cfg.output_words, (20, 2)), axis=1).tolist()
    rows = rng.integers(0, 1 << 32, (20, cfg.output_words)).tolist()
    expected = [word for row, (first, last) in zip(rows, ranges, strict=True) for word in row[first : last + 1]]
    words: list[int] = []

    async def drive(ctx: Any) -> None:
        for row, (first, last) in zip(rows, ranges, strict=True):
            ctx.set(dut.words, {"first": first, "last": last})
            ctx.set(dut.accept, 1)
            await ctx.tick()
            ctx.set(dut.accept, 0)
            for word in row:
                ctx.set(dut.i.payload, word)
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    simulate(dut, drive, collect(dut.o, len(expected), words, lambda: stall))
    assert words == expected

"""Codes of a window as words, beside the bytes that they are: runs, repeats and tails of any length at any address."""

from typing import Any

import numpy as np

from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.rtl.engines.gather import Gather
from tests.hw.amaranth_bench import simulate

PAD = 700


def test_words_are_the_bytes_of_runs_and_tail_one_behind_the_other() -> None:
    rng = np.random.default_rng(5)
    dut: Any = Gather()
    memory = rng.integers(256, size=1 << 16).tolist()

    async def run(ctx: Any) -> None:
        for _ in range(30):
            length, repeat, tail, terms = (
                int(rng.integers(low, high)) for low, high in ((1, 12), (1, 4), (0, 9), (1, 5)))
            starts = rng.integers(1000, 60_000, size=terms).tolist()
            window = [memory[start + k] for start in starts for k in range(length)] * repeat
            expected = window + memory[PAD + length : PAD + length + tail]
            expected += [0] * (-len(expected) % 4)
            walk = {"run": length, "repeat": repeat, "tail": tail, "pad": PAD}
            words = DESCRIPTORS["walk"].layout.pack(dict.fromkeys(DESCRIPTORS["walk"].layout.low, 1) | walk)
            ctx.set(dut.walk.as_value(), sum(word << 32 * k for k, word in enumerate(words)))
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            assert await gathered(ctx, starts) == expected

    async def gathered(ctx: Any, starts: list[int]) -> list[int]:
        gathered_bytes: list[int] = []
        data = [0] * 8
        term, last = 0, 0
        while not last:
            ctx.set(dut.term.valid, 1)
            ctx.set(dut.term.payload, {"address": starts[term], "last": term == len(starts) - 1})
            ctx.set(dut.read.ready, int(rng.random() < 0.7))
            ctx.set(dut.o.ready, int(rng.random() < 0.7))
            if ctx.get(dut.o.valid) and ctx.get(dut.o.ready):
                gathered_bytes += ctx.get(dut.o.payload).to_bytes(4, "little")
                last = ctx.get(dut.last)
            reads, address = ctx.get(dut.read.valid) and ctx.get(dut.read.ready), ctx.get(dut.read.address)
            term = (term + ctx.get(dut.term.ready)) % len(starts)
            await ctx.tick()
            ctx.set(dut.read.data, int.from_bytes(bytes(data), "little"))
            data = [memory[(address + k) % len(memory)] for k in range(8)] if reads else [0xA5] * 8
        assert not ctx.get(dut.busy)
        return gathered_bytes

    simulate(dut, run)

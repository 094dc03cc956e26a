"""Draws in hardware are those of the counter-based generator."""

from typing import Any

import numpy as np
import pytest

from mho.hw.emulator.pulses.draws import NormalDraw
from mho.hw.emulator.pulses.records import normal_words
from mho.macro_models.integer.random import Purpose, normal_blocks, philox_key
from tests.hw.amaranth_bench import simulate
from tests.hw.emulator.pulses.multiplier_bench import WithMultiplier

LATENCY = 54


@pytest.mark.slow
def test_draws_are_those_of_the_generator_after_as_many_cycles_as_it_says() -> None:
    rng = np.random.default_rng(1)
    dut: Any = WithMultiplier(NormalDraw())
    numbers = [int(rng.integers(1, 2 ** int(rng.integers(1, 32)))) for _ in range(40)]
    cases = [(int(rng.integers(65536)), number, 7 + k % 2) for k, number in enumerate(numbers)]
    seed, core = 0xDEADBEEF, 0x123456
    draws = []

    async def bench(ctx: Any) -> None:
        for index, word in enumerate(normal_words()):
            ctx.set(dut.load, 1)
            ctx.set(dut.load_index, index)
            ctx.set(dut.load_data, word)
            await ctx.tick()
        ctx.set(dut.load, 0)
        low, high = philox_key(Purpose.PULSE, seed, core)
        ctx.set(dut.key, low | high << 32)
        for cell, number, step in cases:
            ctx.set(dut.cell_id, cell)
            ctx.set(dut.number, number)
            ctx.set(dut.step, step)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            cycles = 1
            while not ctx.get(dut.done):
                await ctx.tick()
                cycles += 1
            await ctx.tick()
            draws.append(ctx.get(dut.z))
            assert cycles + 1 == LATENCY

    simulate(dut, bench, deadline=40_000)
    for z, (cell, number, step) in zip(draws, cases, strict=True):
        drawn = normal_blocks(Purpose.PULSE, seed=seed, core=core, block=cell, op_id=number >> 3, step=step)
        assert z == drawn[number & 7]
    assert len({np.sign(z) for z in draws}) > 1

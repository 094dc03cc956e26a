"""The law of pulses in hardware gives the bits of its reference."""

from typing import Any

import numpy as np
import pytest

from mho.hw.emulator.pulses.law import PulseArithmetic
from mho.macro_models.integer.pulse import (
    CONDUCTANCE_MAX,
    FORMED_BIT,
    MOVED,
    STUCK_BIT,
    THRESHOLD_MAX,
    WEAK_BIT,
    Polarity,
    PulseLaw,
)
from tests.hw.amaranth_bench import simulate
from tests.hw.emulator.pulses.multiplier_bench import WithMultiplier

VERIFY_BITS = 10
PULSE_CYCLES, READ_CYCLES = 13, 6
LAWS = (
    PulseLaw(
        log_rate=(-400_000, -300_000, -300_000), slope=(60_000, 30_000, 30_000), spread=100_000, log_weak=-900_000,
        low=20_000, verify_sigma=90_000, verify_bits=VERIFY_BITS,
    ),
    # The ends of all ranges.
    PulseLaw(
        log_rate=(1 - 2**24, 2**24 - 1, 0), slope=(2**24 - 1, 0, 0), spread=2**24 - 1, log_weak=1 - 2**24,
        low=CONDUCTANCE_MAX, verify_sigma=2**24 - 1, verify_bits=VERIFY_BITS,
    ),
)


def random_cell(rng: np.random.Generator) -> dict[str, int]:
    """A cell and a pulse; near the threshold as often as far from it."""
    amplitude = int(rng.integers(256))
    near = (amplitude << 16) - int(rng.integers(-(2**18), 2**21))
    threshold = near if rng.random() < 0.8 else int(rng.integers(-THRESHOLD_MAX, THRESHOLD_MAX + 1))
    top = CONDUCTANCE_MAX if rng.random() < 0.3 else 2**20
    g, high, formed = (int(rng.integers(top + 1)) for _ in range(3))
    flags = (rng.random() < 0.8) << FORMED_BIT | (rng.random() < 0.1) << STUCK_BIT | (rng.random() < 0.2) << WEAK_BIT
    return {
        "state": g | flags, "threshold": threshold, "high": high, "formed": formed, "amplitude": amplitude,
        "polarity": int(rng.integers(3)),
    }


def expected(law: PulseLaw, cell: dict[str, int], z: int) -> int:
    """The word of the state after the pulse, by the reference."""
    state, polarity = cell["state"], np.array([cell["polarity"]])
    g = np.array([state & CONDUCTANCE_MAX])
    over = law.over(np.array([cell["amplitude"]]), np.array([cell["threshold"]]))
    if over[0] < 0 or state >> STUCK_BIT & 1:
        return state
    if cell["polarity"] == Polarity.FORM:
        return state if state >> FORMED_BIT & 1 else cell["formed"] | state - g[0] | 1 << FORMED_BIT
    if not state >> FORMED_BIT & 1:
        return state
    step = law.step(polarity, over, np.array([z]), np.array([bool(state >> WEAK_BIT & 1)]))
    return int(law.move(polarity, g, np.array([cell["high"]]), step)[0]) | int(state - g[0])


async def load(ctx: Any, dut: Any, strobe: Any, words: list[int]) -> None:
    ctx.set(strobe, 1)
    for index, word in enumerate(words):
        ctx.set(dut.load_index, index)
        ctx.set(dut.load_data, word)
        await ctx.tick()
    ctx.set(strobe, 0)


async def run(ctx: Any, dut: Any, cell: dict[str, int], z: int, reads: bool) -> None:
    ctx.set(dut.old, cell)
    ctx.set(dut.z, z)
    ctx.set(dut.reads, reads)
    await ctx.tick().repeat(2)
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    cycles = 1
    while not ctx.get(dut.done):
        await ctx.tick()
        cycles += 1
    await ctx.tick()
    assert cycles + 1 == (READ_CYCLES if reads else PULSE_CYCLES)


@pytest.mark.slow
def test_the_hardware_gives_the_bits_of_the_law() -> None:
    rng = np.random.default_rng(3)
    dut: Any = WithMultiplier(PulseArithmetic(VERIFY_BITS))
    moved = formed = 0

    async def bench(ctx: Any) -> None:
        nonlocal moved, formed
        await load(ctx, dut, dut.moved_load, MOVED.tolist())
        for law in LAWS:
            await load(ctx, dut, dut.constant_load, law.words((1, 2)))
            assert ctx.get(dut.key) == 1 | 2 << 32
            for _ in range(400):
                cell, z = random_cell(rng), int(rng.integers(-17_000, 17_001))
                await run(ctx, dut, cell, z, reads=False)
                next_state = expected(law, cell, z)
                assert ctx.get(dut.state) == next_state, (law, cell, z)
                moved += next_state & CONDUCTANCE_MAX != cell["state"] & CONDUCTANCE_MAX
                formed += (next_state ^ cell["state"]) >> FORMED_BIT & 1
                await run(ctx, dut, cell, z, reads=True)
                code = law.read(np.array([cell["state"] & CONDUCTANCE_MAX]), np.array([z]))
                assert ctx.get(dut.code) == code[0], (law, cell, z)

    simulate(dut, bench, deadline=100_000)
    assert moved > 100
    assert formed > 10

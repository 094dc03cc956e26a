"""The vector unit beside its reference: random operations, with a buffer and sources that make it wait."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.lanes.lane import STAGES, Lane
from tests.hw.amaranth_bench import simulate
from tests.hw.tile.vector_bench import Memories, VectorBench, expect, random_case


@pytest.mark.slow
@pytest.mark.parametrize(("lanes", "payload", "stall"), [
    (4, 64, 0.2), *(pytest.param(*row, marks=pytest.mark.slow) for row in ((2, 32, 0.3), (8, 64, 0.4))),
])
def test_operations_are_those_of_the_reference(lanes: int, payload: int, stall: float) -> None:
    rng = np.random.default_rng(lanes + payload)
    cfg = TileConfig(lanes=lanes, buffer_kib=1, parameters=64, payload_bits=payload)
    memory = Memories.random(cfg, rng)
    cases = [random_case(cfg, rng) for _ in range(24)]
    bench = VectorBench(cfg, memory, cases, stall, seed=lanes)
    for case in cases:
        expect(case, memory)
    np.testing.assert_array_equal(bench.run(), memory.buffer)


@pytest.mark.parametrize("sums", [True, False])
def test_sums_at_the_ends_of_what_is_kept_of_them(sums: bool) -> None:
    """One operand after the other, whose sums are on either side of a power of two when they are shifted."""
    dut: Any = Lane(sums=sums, tables=False)
    rng = np.random.default_rng(1)
    wrong: list[tuple[int, ...]] = []

    async def drive(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        ctx.set(dut.adds, 1)
        ctx.set(dut.begins, 1)
        ctx.set(dut.step, {"first": 1, "last": 1, "hold": 0, "blank": 0})
        for shift in range(15):
            lo, hi = sorted(rng.integers(-(1 << 15), 1 << 15, 2).tolist()) if shift % 3 else (-(1 << 15), (1 << 15) - 1)
            ctx.set(dut.shift, shift)
            ctx.set(dut.lo, lo)
            ctx.set(dut.hi, hi)
            expected = []
            for x, m, d in _near(rng, shift):
                ctx.set(dut.x, x)
                ctx.set(dut.constants, {"m": m, "c": 0, "d": d, "target": 0, "valid": 0, "start": 0})
                total = (2 * x * m >> shift) + 1 >> 1
                expected.append(min(max(total + d, lo), hi))
                await ctx.tick()
                if len(expected) >= STAGES and ctx.get(dut.y) != expected[-STAGES]:
                    wrong.append((shift, lo, hi, len(expected)))

    simulate(dut, drive)
    assert wrong == []


def _near(rng: np.random.Generator, shift: int) -> Iterator[tuple[int, int, int]]:
    """Operands, multipliers and what is added to their product."""
    for power in range(14, 20):
        for sign in (-1, 1):
            for off in (-1, 0, 1):
                half = min((power + shift) // 2, 14)
                x = min((1 << power + shift - half) + off, (1 << 15) - 1)
                yield sign * x, 1 << half, int(rng.choice([-(1 << 16), (1 << 16) - 1, 0, -1, 1]))

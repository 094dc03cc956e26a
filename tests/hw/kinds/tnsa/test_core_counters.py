from typing import Any

import numpy as np
import pytest

from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.results import LineCounters
from mho.macro_models.integer.tnsa.converter import convert
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from tests.hw.amaranth_bench import bits_of, random_operation, simulate, value_of


async def convert_in_hardware(
    ctx: Any, dut: LineCounters, op: TnsaOperation, charge: np.ndarray, s_pos: np.ndarray, s_neg: np.ndarray
) -> int:
    """Play macro and sequencer for one conversion; returns the decrements."""
    binary = op.converter is Converter.BINARY
    for name in ("binary", "relu"):
        ctx.set(getattr(dut, name), binary if name == "binary" else op.relu)
    ctx.set(dut.cap, op.max_steps)
    residual, direction = charge.copy(), np.sign(charge)
    limit = op.out_bits - 1 if binary else op.max_steps
    for step in range(limit + 1):
        if step:
            scale = limit - step if binary else 0
            residual -= direction * np.where(direction > 0, s_pos, s_neg) << scale
            ctx.set(dut.count, step - 1)
            ctx.set(dut.scale, scale)
        if binary:
            direction = np.sign(residual)
        ctx.set(dut.cmp, value_of(residual < 0))
        ctx.set(dut.step if step else dut.latch, 1)
        pending = ctx.get(dut.pending)
        await ctx.tick()
        ctx.set(dut.step if step else dut.latch, 0)
        if op.early_stop and not binary and not pending:
            return step
    return limit


@pytest.mark.parametrize("converter", Converter)
def test_counts_match_the_converter(converter: Converter) -> None:
    lines = 16
    rng = np.random.default_rng(int(converter))
    dut = LineCounters(TnsaCoreConfig(lines=lines))

    async def bench(ctx: Any) -> None:
        for _ in range(40):
            op = random_operation(rng, converter=converter)
            s_pos, s_neg = 2 * rng.integers(1, 20, (2, lines))
            charge = 2 * rng.integers(-900, 900, lines) + 1
            enabled = rng.integers(4, size=lines) > 0
            ctx.set(dut.enabled, value_of(enabled))
            ctx.set(dut.load, 1)
            await ctx.tick()
            ctx.set(dut.load, 0)
            dut_steps = await convert_in_hardware(ctx, dut, op, charge, s_pos, s_neg)
            codes, steps = convert(op, charge, s_pos, s_neg, enabled)
            removed = sum(bits_of(ctx.get(bits), lines).astype(int) << k for k, bits in enumerate(dut.removed))
            n = ctx.get(dut.held_cap) & ~removed
            sign = np.where(bits_of(ctx.get(dut.negative), lines), -1, 1)
            np.testing.assert_array_equal((2 * n + 1) * sign * bits_of(ctx.get(dut.live), lines), codes)
            assert dut_steps == steps

    simulate(dut, bench)

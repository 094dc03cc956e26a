from typing import Any

import numpy as np
import pytest

from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.inputs import LineRegisters, line_levels, staged_planes
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, Direction, Masks
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from tests.hw.amaranth_bench import bits_of, random_inputs, random_operation, simulate, value_of


def random_masks(lines: int, rng: np.random.Generator) -> Masks:
    rows = rng.random((18, lines)) < 0.7
    return Masks(rows[:8], rows[8:16], ~rows[16], ~rows[17])


@pytest.mark.parametrize("lines", [16, 256])
def test_levels_match_the_reference(lines: int) -> None:
    rng = np.random.default_rng(lines)
    dut = LineRegisters(TnsaCoreConfig(lines=lines))

    async def bench(ctx: Any) -> None:
        for op in (random_operation(rng) for _ in range(30)):
            x, masks = random_inputs(op, lines, rng)[0], random_masks(lines, rng)
            for port, plane in zip(dut.planes, staged_planes(op, x), strict=True):
                ctx.set(port, value_of(plane))
            ctx.set(dut.driven, value_of(masks.driven(op)))
            ctx.set(dut.backward, int(op.direction))
            ctx.set(dut.in_signed, op.in_signed)
            levels = line_levels(op, masks, x)
            for plane, expected in zip(reversed(range(op.planes)), levels, strict=True):
                segment, select = divmod(plane, LSB_SEGMENT_BITS)
                if plane == op.planes - 1 or select == LSB_SEGMENT_BITS - 1:
                    ctx.set(dut.clear, 1)
                    ctx.set(dut.load, 1)
                    ctx.set(dut.upper, segment)
                    await ctx.tick()
                    ctx.set(dut.clear, 0)
                    ctx.set(dut.load, 0)
                ctx.set(dut.select, select)
                ctx.set(dut.drive, 1)
                await ctx.tick()
                ctx.set(dut.drive, 0)
                driven, idle = ("sl", "bl") if op.direction is Direction.BACKWARD else ("bl", "sl")
                pos, neg = (bits_of(ctx.get(getattr(dut, f"{driven}_{way}")), lines) for way in ("pos", "neg"))
                np.testing.assert_array_equal(pos.astype(int) - neg, expected)
                assert not (pos & neg).any()
                assert not ctx.get(getattr(dut, f"{idle}_pos")) | ctx.get(getattr(dut, f"{idle}_neg"))
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            assert not any(ctx.get(port) for port in (dut.bl_pos, dut.bl_neg, dut.sl_pos, dut.sl_neg))

    simulate(dut, bench)


def test_weighted_levels_are_the_input() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        op = random_operation(rng)
        x = random_inputs(op, 16, rng)[0]
        weights = 2 ** np.arange(op.planes)[::-1]
        total = weights @ line_levels(op, Masks.reset(16), x).astype(int)
        expected = x if op.direction is Direction.BACKWARD else np.stack([x, -x], axis=-1).reshape(-1)
        np.testing.assert_array_equal(total, expected)


def test_a_bipolar_input_drives_one_plane() -> None:
    op = TnsaOperation(direction=Direction.BACKWARD, in_bits=1)
    levels = line_levels(op, Masks.reset(16), np.array([-1, 0, 1] + [0] * 13))
    np.testing.assert_array_equal(levels[:, :3], [[-1, 0, 1]])

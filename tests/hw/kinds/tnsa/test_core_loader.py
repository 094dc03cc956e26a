from typing import Any

import numpy as np
import pytest

from mho.hw.core.layout import OpLayout, pack, pack_inputs, unpack_inputs
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.inputs import OperationLoader, staged_planes
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from tests.hw.amaranth_bench import bits_of, feed, random_inputs, random_operation, simulate


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("lines", [16, 64])
def test_planes_match_the_reference(lines: int, gap: int) -> None:
    rng = np.random.default_rng(lines)
    ops = [random_operation(rng) for _ in range(24)]
    inputs = [random_inputs(op, lines, rng)[0] for op in ops]
    dut = OperationLoader(TnsaCoreConfig(lines=lines))

    async def bench(ctx: Any) -> None:
        ctx.set(dut.masks_ready, 1)
        for number, (op, x) in enumerate(zip(ops, inputs, strict=True)):
            await ctx.tick().until(dut.full)
            planes = np.array([bits_of(ctx.get(plane), lines) for plane in dut.planes])
            np.testing.assert_array_equal(planes, staged_planes(op, x))
            staged = ctx.get(dut.staged)
            assert staged["op"]["op_id"] == number
            assert (staged["planes"], staged["two"]) == (op.planes, op.segments - 1)
            ctx.set(dut.take, 1)
            await ctx.tick()
            ctx.set(dut.take, 0)

    words = [word for x in inputs for word in pack_inputs(x)]
    simulate(
        dut, bench, feed(dut.op, [pack(op, k) for k, op in enumerate(ops)]), feed(dut.i, words, lambda: gap)
    )


def test_codes_out_of_range_keep_the_low_bits_of_their_magnitude() -> None:
    op = TnsaOperation(in_bits=4)
    planes = staged_planes(op, np.array([-128, 127, -9, 8, 0, 0, 0, 0]))
    low = (planes[: op.planes, ::2] * 2 ** np.arange(op.planes)[:, None]).sum(axis=0)
    np.testing.assert_array_equal(low[:4], [0, 7, 1, 0])


def test_an_illegal_descriptor_is_dropped_alone() -> None:
    dut = OperationLoader(TnsaCoreConfig(lines=16))
    strobes: list[tuple[int, int]] = []

    async def watch(ctx: Any) -> None:
        ctx.set(dut.masks_ready, 1)
        async for _, _, accept, error in ctx.tick().sample(dut.accept, dut.error):
            if accept or error:
                strobes.append((accept, error))
            if ctx.get(dut.full):
                break
        assert [ctx.get(plane) for plane in dut.planes[:3]] == [0xFFFF, 0, 0]

    illegal = pack(TnsaOperation()) | 1 << OpLayout()["mode"].offset
    simulate(dut, watch, feed(dut.op, [illegal, illegal, pack(TnsaOperation())]), feed(dut.i, pack_inputs(np.ones(8))))
    assert strobes == [(0, 1), (0, 1), (1, 0)]


@pytest.mark.parametrize("in_signed", [False, True])
def test_words_hold_the_codes(in_signed: bool) -> None:
    op = TnsaOperation(direction=Direction.BACKWARD, in_bits=8, in_signed=in_signed)
    low, high = op.input_range
    x = np.random.default_rng(0).integers(low, high + 1, 64)
    np.testing.assert_array_equal(unpack_inputs(op, pack_inputs(x)), x)
    assert pack_inputs([1, 2, 3, 4]) == [0x04030201]

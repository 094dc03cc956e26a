from typing import Any

import numpy as np
import pytest

from mho.hw.core.masks import BL_SKIP, SL_SKIP, MaskFile, MaskStore
from mho.hw.core.shape import MASKS
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models.integer.operation import Masks, MvmOperation
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from tests.hw.amaranth_bench import put, random_operation, simulate, value_of


async def look_up(ctx: Any, dut: MaskStore, op: MvmOperation) -> tuple[int, int, int]:
    for name in ("backward", "wl_select", "line_select"):
        ctx.set(getattr(dut, name), int(op.direction) if name == "backward" else getattr(op, name))
    while not ctx.get(dut.ready):
        await ctx.tick()
    ctx.set(dut.read, 1)
    await ctx.tick()
    ctx.set(dut.read, 0)
    cycles = 0
    while ctx.get(dut.busy):
        await ctx.tick()
        cycles += 1
    assert cycles == 4 * dut.cfg.mask_words + 1
    return ctx.get(dut.wl), ctx.get(dut.driven), ctx.get(dut.enabled)


def expected(op: MvmOperation, masks: Masks) -> tuple[int, int, int]:
    return value_of(masks.word_lines(op)), value_of(masks.driven(op)), value_of(masks.enabled(op))


@pytest.mark.parametrize("lines", [16, 64, 256])
def test_look_up_matches_the_reference(lines: int) -> None:
    cfg = TnsaCoreConfig(lines=lines)
    dut, file = MaskStore(cfg), MaskFile(cfg)
    rng = np.random.default_rng(lines)

    async def bench(ctx: Any) -> None:
        for op in (random_operation(rng) for _ in range(8)):
            assert await look_up(ctx, dut, op) == expected(op, Masks.reset(lines))
        for _ in range(40):
            for mask in rng.integers(0, MASKS, 3):
                for addr, word in file.words(int(mask), rng.integers(2, size=lines) == 1):
                    file.write(addr, word)
                    await put(ctx, dut.i, {"addr": addr, "data": word})
            op = random_operation(rng)
            assert await look_up(ctx, dut, op) == expected(op, file.as_masks())

    simulate(dut, bench)


def test_addresses_behind_the_last_mask_are_ignored() -> None:
    cfg = TnsaCoreConfig(lines=16)
    dut = MaskStore(cfg)
    op = TnsaOperation()

    async def bench(ctx: Any) -> None:
        for addr in range(MASKS * cfg.mask_words, 32):
            await put(ctx, dut.i, {"addr": addr, "data": 0})
        assert await look_up(ctx, dut, op) == expected(op, Masks.reset(16))

    simulate(dut, bench)


def test_reset_restores_the_defaults() -> None:
    cfg = TnsaCoreConfig(lines=64)
    dut = MaskStore(cfg)
    op = TnsaOperation()

    async def bench(ctx: Any) -> None:
        for mask in (0, 8, BL_SKIP, SL_SKIP):
            await put(ctx, dut.i, {"addr": mask * cfg.mask_words + 1, "data": 0x0F0F0F0F})
        assert await look_up(ctx, dut, op) != expected(op, Masks.reset(64))
        ctx.set(dut.soft_reset, 1)
        await ctx.tick()
        ctx.set(dut.soft_reset, 0)
        assert await look_up(ctx, dut, op) == expected(op, Masks.reset(64))

    simulate(dut, bench)


def test_writes_wait_for_a_look_up() -> None:
    dut = MaskStore(TnsaCoreConfig(lines=16))

    async def bench(ctx: Any) -> None:
        while not ctx.get(dut.ready):
            await ctx.tick()
        ctx.set(dut.read, 1)
        await ctx.tick()
        ctx.set(dut.read, 0)
        assert not ctx.get(dut.i.ready)
        await put(ctx, dut.i, {"addr": 0, "data": 0})
        assert ctx.get(dut.wl) == 0xFFFF

    simulate(dut, bench)


def test_words_write_a_mask_into_a_file() -> None:
    file = MaskFile(TnsaCoreConfig(lines=256))
    value = np.random.default_rng(0).integers(2, size=256) == 1
    for addr, word in file.words(3, value):
        file.write(addr, word)
    np.testing.assert_array_equal(file.as_masks().wl[3], value)
    np.testing.assert_array_equal(np.delete(file.masks, 3, axis=0), np.delete(Masks.reset(256).rows, 3, axis=0))

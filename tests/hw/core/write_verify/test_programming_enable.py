"""The pin that enables programming: nothing reaches the cells without it, and the engine knows."""

from typing import Any

import pytest
from amaranth.hdl import Value

from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.core import TnsaCore
from mho.hw.macro.contract import WritePins
from tests.hw.amaranth_bench import put, simulate

CORE = TnsaCoreConfig(lines=16, reset_cycles=1, plane_cycles=1, sample_cycles=1, compare_cycles=2, decrement_cycles=1)
WRITE = WriteVerifyConfig(lines=16, setup_cycles=1, verify_cycles=2)
RUN = WriteVerifyParameters(set_cycles=5, reset_cycles=5, form_cycles=5, wait_cycles=5, passes=1)
DRIVEN = [name for name in WritePins(16, WRITE.verify_bits).members if name not in ("verify_code", "verify_valid")]



async def _start(ctx: Any, dut: TnsaCore, enable: int) -> None:
    ctx.set(dut.programming_enable, enable)
    await ctx.tick().repeat(5)
    ctx.set(Value.cast(dut.parameters), RUN.pack(WRITE))
    ctx.set(dut.macro.verify_valid, 1)
    ctx.set(dut.cell.ready, 1)
    ctx.set(dut.write_start, 1)
    await ctx.tick()
    ctx.set(dut.write_start, 0)


async def _until_pulse(ctx: Any, dut: TnsaCore) -> None:
    """Start with a target, up to the first SET pulse."""
    await _start(ctx, dut, 1)
    ctx.set(dut.target.p.code, 600)
    ctx.set(dut.target.valid, 1)
    while not ctx.get(dut.macro.set_pulse):
        await ctx.tick()


def _pins(ctx: Any, dut: TnsaCore) -> dict[str, int]:
    return {name: ctx.get(Value.cast(getattr(dut.macro, name))) for name in DRIVEN}


@pytest.mark.slow
def test_a_start_without_it_is_refused() -> None:
    dut = TnsaCore(CORE, WRITE)

    async def bench(ctx: Any) -> None:
        await _start(ctx, dut, 0)
        for _ in range(400):
            assert not any(_pins(ctx, dut).values())
            await ctx.tick()
        assert not ctx.get(dut.write_status.enabled)
        assert ctx.get(dut.write_status.error)
        assert not ctx.get(dut.write_status.busy)

    simulate(dut, bench, deadline=20_000)


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 2, 3, 7, 20])
def test_without_it_a_pulse_ends_at_once_and_the_run_soon(after: int) -> None:
    """The pins follow in the same cycle; the engine ends with an error, and runs again when it is enabled again."""
    dut = TnsaCore(CORE, WRITE)

    async def bench(ctx: Any) -> None:
        await _until_pulse(ctx, dut)
        for _ in range(after):
            await ctx.tick()
        ctx.set(dut.programming_enable, 0)
        for _ in range(100):
            assert not any(_pins(ctx, dut).values())
            await ctx.tick()
        assert not ctx.get(dut.write_status.busy)
        assert ctx.get(dut.write_status.error)
        ctx.set(dut.target.valid, 0)
        await _start(ctx, dut, 1)
        ctx.set(dut.macro.verify_code, 600)
        await put(ctx, dut.target, {"code": 600, "skip": 0})
        assert ctx.get(dut.write_status.busy)
        assert not ctx.get(dut.write_status.error)
        assert ctx.get(dut.write_status.enabled)

    simulate(dut, bench, deadline=20_000)


@pytest.mark.slow
@pytest.mark.parametrize("cycles", [1, 2, 3])
@pytest.mark.parametrize("after", [0, 2])
def test_a_dip_ends_the_run_and_no_pulse_comes_back(after: int, cycles: int) -> None:
    """However short: what the macro sees stays 0 until the run has ended, also while its result waits to be taken."""
    dut = TnsaCore(CORE, WRITE)

    async def bench(ctx: Any) -> None:
        await _until_pulse(ctx, dut)
        ctx.set(dut.cell.ready, 0)
        for _ in range(after):
            await ctx.tick()
        ctx.set(dut.programming_enable, 0)
        await ctx.tick().repeat(cycles)
        ctx.set(dut.programming_enable, 1)
        for _ in range(20):
            assert not any(_pins(ctx, dut).values())
            assert ctx.get(dut.write_status.busy)
            await ctx.tick()
        ctx.set(dut.cell.ready, 1)
        for _ in range(10):
            # An amplitude may stand while nothing is on.
            assert not any((_pins(ctx, dut) | {"amplitude": 0}).values())
            await ctx.tick()
        assert not ctx.get(dut.write_status.busy)
        assert ctx.get(dut.write_status.error)
        await _start(ctx, dut, 1)
        assert ctx.get(dut.write_status.enabled)
        while not ctx.get(dut.macro.set_pulse):
            await ctx.tick()

    simulate(dut, bench, deadline=20_000)


def test_a_core_that_does_not_program_has_no_such_pin() -> None:
    dut = TnsaCore(CORE)

    async def bench(ctx: Any) -> None:
        assert "programming_enable" not in dut.signature.members

    simulate(dut, bench)

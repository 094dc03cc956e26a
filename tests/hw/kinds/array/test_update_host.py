"""Updates of all cells as a host asks for them by its registers, and the pin that forbids them."""

from typing import Any, cast

import numpy as np
import pytest
from amaranth.hdl import Module

from mho.hw.config import load_chip
from mho.hw.core.layout import pack_inputs
from mho.hw.core.port import join
from mho.hw.host.registers import register_word
from mho.hw.kinds import core_blocks
from mho.hw.kinds.array.update import UPDATE_PINS
from mho.macro_models.integer.update import UPDATE_MODE, ParallelUpdate, coincidences, trains
from tests.hw.amaranth_bench import simulate, value_of
from tests.hw.host.bus_access import access_bus

KEYS = {
    "core.rows": 16, "core.columns": 16, "adc.columns": 4, "adc.lanes": 2, "core.weights": "offset",
    "programming.update": True, "programming.engine": True,
}


@pytest.mark.slow
@pytest.mark.parametrize("enabled", [True, False])
def test_a_host_asks_for_it(enabled: bool) -> None:
    blocks = core_blocks(load_chip("array-32", KEYS))
    m, host, core = Module(), cast(Any, blocks.host()), cast(Any, blocks.digital())
    m.submodules.host, m.submodules.core = host, core
    join(m, blocks.port, core, host)
    rng, number = np.random.default_rng(2), 0xDEADBEEF_00000007
    update, codes = ParallelUpdate(slots=5, halvings=1), rng.integers(-127, 128, 32)
    registers, seen, busy = blocks.registers, list[Any](), list[int]()

    async def bench(ctx: Any) -> None:
        async def write(name: str, *words: int) -> None:
            for k, word in enumerate(words):
                await access_bus(ctx, host.bus, registers[name].address + 4 * k, word)

        ctx.set(core.programming_enable, enabled)
        await ctx.tick().repeat(400)  # masks are cleared
        await write("input", *pack_inputs(codes))
        word = register_word(registers, "operation", in_bits=8, in_signed=1, out_bits=1, mode=UPDATE_MODE)
        await write("operation", word, update.step_code, number & 0xFFFFFFFF, number >> 32)
        await write("control", register_word(registers, "control", start=1))
        for _ in range(1000):
            busy.append(ctx.get(core.status.busy))
            if ctx.get(core.macro.update):
                seen.append(tuple(ctx.get(getattr(core.macro, name)) for name in UPDATE_PINS[1:]))
            await ctx.tick()
        assert await access_bus(ctx, host.bus, registers["status"].address) == register_word(
            registers, "status", ready=1)

    simulate(m, bench)
    expected = [
        (int(sign < 0), value_of(rows), value_of(columns))
        for slot in trains(update, number, codes) for rows, columns, sign in coincidences(slot, codes < 0, 16)
        if rows.any() and columns.any()
    ]
    assert len(expected) > 5
    assert seen == (expected if enabled else [])
    assert sum(busy) > 0
    assert not busy[-1]

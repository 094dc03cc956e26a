"""A tile whose clock or power is off: its pin, what its registers answer, and that the others go on."""

from typing import Any

import pytest

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.node import Mesh
from mho.hw.noc.registers.map import node_map
from mho.hw.noc.registers.packet import host_address, page_address
from tests.hw.amaranth_bench import get, put, simulate

STOPPED, OFF = 1, 2


@pytest.mark.slow
@pytest.mark.parametrize("bit", [STOPPED, OFF])
def test_a_tile_that_stands_still_answers_with_errors(bit: int) -> None:
    cfg = MeshConfig(columns=2, rows=2, payload_bits=32, contexts=0)
    dut: Any = Mesh(cfg)
    power = page_address(node_map(cfg)["power"].address)
    accessed: list[int] = []

    async def access(ctx: Any, node: int, address: int, data: int | None = None) -> tuple[int, bool]:
        await put(ctx, dut.host_bus.request, {
            "address": host_address(cfg, node, address) // 4, "write": data is not None, "data": data or 0,
            "strobe": 15,
        })
        response = await get(ctx, dut.host_bus.response)
        return response.data, bool(response.error)

    def tile(node: int) -> Any:
        async def answer(ctx: Any) -> None:
            bus = getattr(dut, f"registers_{node}")
            while True:
                await ctx.tick()
                if not ctx.get(bus.request.valid):
                    continue
                accessed.append(node)
                ctx.set(bus.response.payload.data, ctx.get(bus.request.payload.address) + node)
                ctx.set(bus.request.ready, 1)
                await ctx.tick()
                ctx.set(bus.request.ready, 0)
                ctx.set(bus.response.valid, 1)
                while not ctx.get(bus.response.ready):
                    await ctx.tick()
                await ctx.tick()
                ctx.set(bus.response.valid, 0)
        return answer

    async def bench(ctx: Any) -> None:
        assert await access(ctx, 1, 8) == (2 + 1, False)
        assert await access(ctx, 1, power, bit) == (0, False)
        assert (ctx.get(dut.stopped), ctx.get(dut.power_off)) == (0b10, 0b10 if bit == OFF else 0)
        accessed.clear()
        assert await access(ctx, 1, 8) == (0, True)
        assert await access(ctx, 1, 8, 5) == (0, True)
        assert not accessed
        assert await access(ctx, 1, power) == (bit, False)
        assert await access(ctx, 2, 12) == (3 + 2, False)
        assert await access(ctx, 1, power, 0) == (0, False)
        assert (ctx.get(dut.stopped), ctx.get(dut.power_off)) == (0, 0)
        assert await access(ctx, 1, 16) == (4 + 1, False)

    simulate(dut, bench, background=[tile(node) for node in range(cfg.nodes)])

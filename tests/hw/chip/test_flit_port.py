# amaranth: UnusedElaboratable=no
"""Flits of the host through the windows of a register bus."""

from typing import Any

import numpy as np
import pytest

from mho.hw.chip.map import QUEUE, chip_page, record_words
from mho.hw.chip.tops import FlitPort
from mho.hw.host.registers import register_word
from mho.hw.noc.config import MeshConfig
from tests.hw.amaranth_bench import simulate
from tests.hw.host.bus_access import access_bus


class Bench:
    """The port beside a network that takes flits when it likes, and gives some of its own."""

    def __init__(self, payload: int) -> None:
        self.mesh = MeshConfig(columns=3, rows=2, payload_bits=payload)
        self.map = chip_page(self.mesh, 16)
        self.dut: Any = FlitPort(self.mesh, self.map)
        self.sent: list[int] = []
        self.rng = np.random.default_rng(payload)

    async def access(self, ctx: Any, address: int, value: int | None = None) -> int:
        return await access_bus(ctx, self.dut.bus, address, value)

    async def network(self, ctx: Any) -> None:
        send = self.dut.send
        while True:
            ctx.set(send.ready, int(self.rng.random() < 0.3))
            _, _, transferred, flit = await ctx.tick().sample(send.valid & send.ready, send.payload.as_value())
            if transferred:
                self.sent.append(flit)

    def words(self, flit: tuple[int, int, int]) -> list[int]:
        to, tag, payload = flit
        return [to | tag << 16, *(payload >> 32 * k & 0xFFFFFFFF for k in range(self.mesh.payload_bits // 32))]


@pytest.mark.parametrize("payload", [32, 64])
def test_flits_go_and_come(payload: int) -> None:
    bench = Bench(payload)
    size, rng = record_words(bench.mesh), np.random.default_rng(0)
    at, waiting = bench.map["send"].address, bench.map["receive"].address
    flits = [(int(rng.integers(1, 32)), int(rng.integers(16)), int(rng.integers(2**63)) % 2**payload)
             for _ in range(20)]
    arrived: list[list[int]] = []

    async def host(ctx: Any) -> None:
        for k, flit in enumerate(flits):
            for word, value in enumerate(bench.words(flit)):
                await bench.access(ctx, at + 4 * (size * k % 64 + word), value)
        while len(bench.sent) < len(flits):
            await ctx.tick()
        receive = bench.dut.receive
        for _, tag, value in flits:
            ctx.set(receive.payload, {"payload": value, "tag": tag})
            ctx.set(receive.valid, 1)
            await ctx.tick()
        ctx.set(receive.valid, 0)
        for k in range(len(flits) + 1):
            words = [await bench.access(ctx, waiting + 4 * (size * k % 64 + word)) for word in range(1 + payload // 32)]
            arrived.append(words)

    simulate(bench.dut, host, background=[bench.network])
    # Behind payload and tag: to the host (never), rows and columns.
    assert bench.sent == [value | tag << payload | to << payload + 5 for to, tag, value in flits]
    expected = [[1 << 31 | tag << 16, *bench.words((0, tag, value))[1:]] for _, tag, value in flits]
    assert arrived == [*expected, [0] * (1 + payload // 32)]


def test_queues_that_are_full_say_so() -> None:
    bench = Bench(32)
    status, at = bench.map["status"].address, bench.map["send"].address
    statuses: list[int] = []

    async def host(ctx: Any) -> None:
        statuses.append(await bench.access(ctx, status))
        for k in range(QUEUE + 1):
            await bench.access(ctx, at, 1)
            await bench.access(ctx, at + 4, k)
        ctx.set(bench.dut.receive.valid, 1)
        for _ in range(QUEUE + 1):
            await ctx.tick()
        ctx.set(bench.dut.receive.valid, 0)
        statuses.append(await bench.access(ctx, status))
        await bench.access(ctx, status, statuses[-1])
        statuses.append(await bench.access(ctx, status))

    simulate(bench.dut, host)
    room, waiting, refused, overflow = 1, 1 << 6, 1 << 13, 1 << 15
    assert statuses == [QUEUE * room, QUEUE * waiting | refused | overflow, QUEUE * waiting]


def test_tiles_raise_the_interrupt_if_the_host_wants_it() -> None:
    """A bit for each of them, as long as it lasts."""
    bench = Bench(32)
    status, enable, raised = (bench.map[name].address for name in ("status", "interrupt_enable", "raised_0"))
    tile = register_word(bench.map, "status", tile=1)

    async def host(ctx: Any) -> None:
        for enabled in (0, register_word(bench.map, "interrupt_enable", tile=1)):
            await bench.access(ctx, enable, enabled)
            for tiles in (0b100001, 0b010000, 0):
                ctx.set(bench.dut.tile_irq, tiles)
                ctx.set(bench.dut.any_tile_irq, tiles != 0)
                assert await bench.access(ctx, raised) == tiles
                assert await bench.access(ctx, status) & tile == (tile if tiles else 0)
                assert ctx.get(bench.dut.irq) == bool(tiles and enabled)

    simulate(bench.dut, host)


def test_each_tile_of_the_largest_mesh_has_its_bit() -> None:
    map = chip_page(MeshConfig(columns=16, rows=16, payload_bits=32), 16)
    widths = [entry.fields[0].width for entry in map.registers if entry.name.startswith("raised_")]
    assert widths == [32] * 8
    assert max(entry.address for entry in map.registers) < map["send"].address

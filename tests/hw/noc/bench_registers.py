"""Both ends of a register bus with gaps and stalls: a tile behind it, and requests of any kind."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.model import Answer, TileMemory
from mho.hw.noc.registers.packet import BURST, NODE_BITS, Burst, host_address, host_address_bits, page_address
from tests.hw.amaranth_bench import Bench

TILE_WORDS = 24
"""Words of a tile's memory; what is beyond answers with an error."""


def serve_tile(bus: Any, tile: TileMemory, rng: random.Random, stall: float) -> Bench:
    """Endless bench that answers the requests of a register bus, sometimes late."""

    async def bench(ctx: Any) -> None:
        while True:
            while rng.random() < stall:
                await ctx.tick()
            ctx.set(bus.request.ready, 1)
            # Not until(), which cannot be collected while it waits.
            valid, request = False, None
            while not valid:
                _, _, valid, request = await ctx.tick().sample(bus.request.valid, bus.request.payload)
            ctx.set(bus.request.ready, 0)
            assert request is not None
            data = request.data if request.write else None
            word, error = tile.access(request.address * 4, data, request.strobe)
            while rng.random() < stall:
                await ctx.tick()
            ctx.set(bus.response.payload, {"data": word, "error": error})
            ctx.set(bus.response.valid, 1)
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(bus.response.ready)
            ctx.set(bus.response.valid, 0)

    return bench


def random_burst(rng: random.Random, longest: int = BURST) -> Burst:
    """A request within a node: to its tile, across the end of its memory, to the node's registers, to nowhere."""
    count = rng.randint(1, longest)
    base = rng.choice((0, 0, 4 * TILE_WORDS, page_address(0x040), page_address(0x0C0), page_address(0x100), 1 << 17,
                       page_address(0x400), (1 << NODE_BITS) - 4 * BURST))
    address = max(0, base + 4 * rng.randrange(-BURST, BURST)) % (1 << NODE_BITS)
    data = tuple(rng.getrandbits(32) for _ in range(count)) if rng.random() < 0.6 else None
    if data is None and address + 4 * count > page_address(0x140) > 0 and address < page_address(0x15C):
        address = 0  # counters depend on the time
    return Burst(address, data, count, rng.choice((15, 15, 15, rng.randrange(16))))


def random_request(rng: random.Random, cfg: MeshConfig, longest: int = BURST) -> Burst:
    """A request of the host, sometimes to a node that does not exist, sometimes out of its node."""
    request = random_burst(rng, longest)
    if rng.random() < 0.1:
        return replace(request, address=rng.randrange(1 << host_address_bits(cfg) - NODE_BITS) << NODE_BITS)
    return replace(request, address=host_address(cfg, rng.randrange(cfg.nodes), request.address))


def ask_bus(bus: Any, requests: Sequence[Burst], into: list[Answer], pause: Callable[[], bool]) -> Bench:
    """Bench that asks for single words, each after a pause, and takes the answers after another."""

    async def bench(ctx: Any) -> None:
        for request in requests:
            while pause():
                await ctx.tick()
            ctx.set(bus.request.payload, {
                "address": request.address // 4, "write": request.data is not None, "strobe": request.strobe,
                "data": request.data[0] if request.data else 0,
            })
            ctx.set(bus.request.valid, 1)
            await ctx.tick().until(bus.request.ready)
            ctx.set(bus.request.valid, 0)
            while pause():
                await ctx.tick()
            ctx.set(bus.response.ready, 1)
            (word,) = await ctx.tick().sample(bus.response.payload).until(bus.response.valid)
            ctx.set(bus.response.ready, 0)
            into.append(Answer(() if request.data else (word.data,), bool(word.error)))

    return bench


def ask_burst(bus: Any, requests: Sequence[Burst], into: list[Answer], pause: Callable[[], bool]) -> Bench:
    """Bench that asks for bursts, with pauses between all words."""

    async def bench(ctx: Any) -> None:
        for request in requests:
            while pause():
                await ctx.tick()
            ctx.set(bus.request.payload.as_value(), request.pack(bus.signature.address_width - 2))
            ctx.set(bus.request.valid, 1)
            await ctx.tick().until(bus.request.ready)
            ctx.set(bus.request.valid, 0)
            for word in request.data or ():
                while pause():
                    await ctx.tick()
                ctx.set(bus.data.payload, word)
                ctx.set(bus.data.valid, 1)
                await ctx.tick().until(bus.data.ready)
                ctx.set(bus.data.valid, 0)
            read: list[int] = []
            while True:
                while pause():
                    await ctx.tick()
                ctx.set(bus.answer.ready, 1)
                (word,) = await ctx.tick().sample(bus.answer.payload).until(bus.answer.valid)
                ctx.set(bus.answer.ready, 0)
                if word.last:
                    break
                read.append(word.data)
            into.append(Answer(tuple(read), bool(word.error), word.data))

    return bench

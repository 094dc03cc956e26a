"""Masters of the benches of chips, against the bridges of a chip."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from mho.hw.host.bridges.axil import AxiLiteBridge
from mho.hw.host.bridges.wishbone import WishboneBridge
from mho.sim.chip.bus_masters import AxiLiteMaster, WishboneMaster

WIDTH, WORDS = 8, 64
PARTS = {"axil": (AxiLiteMaster, AxiLiteBridge, "s_axil"), "wishbone": (WishboneMaster, WishboneBridge, "wb")}


class Pair:
    """A master, a bridge and registers behind it, of which the last eight are not there."""

    def __init__(self, wrap):
        master, bridge, name = PARTS[wrap]
        self.master, self.bridge = master(WIDTH), bridge(WIDTH)
        self.outside = getattr(self.master, name)
        self.words, self.seen, self.over = [0] * WORDS, [], False
        m = Module()
        m.submodules.master, m.submodules.bridge = self.master, self.bridge
        wiring.connect(m, self.outside, getattr(self.bridge, name))
        self.simulator = Simulator(m)
        self.simulator.add_clock(1e-6)

    async def serve(self, ctx):
        rng, bus = random.Random(4), self.bridge.bus
        while not self.over:
            if not ctx.get(bus.request.valid):
                await ctx.tick()
                continue
            request = ctx.get(bus.request.payload)
            ctx.set(bus.request.ready, 1)
            await ctx.tick()
            ctx.set(bus.request.ready, 0)
            at = request.address
            self.seen.append((at, request.write))
            await ctx.tick().repeat(rng.randrange(1, 5))
            if request.write and at < WORDS - 8:
                mask = sum(0xFF << 8 * k for k in range(4) if request.strobe >> k & 1)
                self.words[at] = self.words[at] & ~mask | request.data & mask
            ctx.set(bus.response.payload, {"data": self.words[at], "error": at >= WORDS - 8})
            ctx.set(bus.response.valid, 1)
            await ctx.tick().until(bus.response.ready)
            ctx.set(bus.response.valid, 0)

    @staticmethod
    async def take(ctx, stream):
        ctx.set(stream.ready, 1)
        (payload,) = await ctx.tick().sample(stream.payload).until(stream.valid)
        ctx.set(stream.ready, 0)
        return payload

    async def access(self, ctx, at, data=None, strobe=15):
        bus = self.master.bus
        ctx.set(bus.request.payload, {"address": at, "write": data is not None, "data": data or 0, "strobe": strobe})
        ctx.set(bus.request.valid, 1)
        await ctx.tick().until(bus.request.ready)
        ctx.set(bus.request.valid, 0)
        return await self.take(ctx, bus.response)

    def run(self, bench):
        async def until_over(ctx):
            try:
                await bench(ctx)
            finally:
                self.over = True

        self.simulator.add_testbench(self.serve)
        self.simulator.add_testbench(until_over)
        self.simulator.run()


@pytest.mark.parametrize("wrap", PARTS)
def test_each_access_is_done_once_in_order_and_answered(wrap):
    pair, rng, memory, accesses = Pair(wrap), random.Random(1), [0] * WORDS, []

    async def bench(ctx):
        for _ in range(40):
            at, data = rng.randrange(WORDS), rng.choice([None, rng.getrandbits(32)])
            strobe = rng.randrange(1, 16)
            accesses.append((at, data is not None))
            answer = await pair.access(ctx, at, data, strobe)
            assert answer.error == (at >= WORDS - 8)
            if data is not None and at < WORDS - 8:
                mask = sum(0xFF << 8 * k for k in range(4) if strobe >> k & 1)
                memory[at] = memory[at] & ~mask | data & mask
            elif data is None and at < WORDS - 8:
                assert answer.data == memory[at]

    pair.run(bench)
    assert pair.seen == accesses


@pytest.mark.parametrize("wrap", PARTS)
def test_answer_that_nobody_waits_for_is_noticed(wrap):
    master = PARTS[wrap][0](WIDTH)
    outside, simulator = getattr(master, PARTS[wrap][2]), Simulator(master)
    simulator.add_clock(1e-6)
    axil = wrap == "axil"
    answer = outside.bvalid if axil else outside.ack_o

    async def bench(ctx):
        ctx.set(answer, 1)
        await (ctx.tick().until(outside.bready) if axil else ctx.tick())
        ctx.set(answer, 0)
        ctx.set(master.bus.request.payload, {"address": 1, "write": 1, "data": 1, "strobe": 15})
        ctx.set(master.bus.request.valid, 1)
        ctx.set(master.bus.response.ready, 1)
        await ctx.tick().until(master.bus.request.ready)
        ctx.set(master.bus.request.valid, 0)
        if axil:
            ctx.set(outside.awready, 1)
            ctx.set(outside.wready, 1)
            await ctx.tick().repeat(40)
        else:
            await ctx.tick().until(outside.stb_i)
        ctx.set(answer, 1)
        (response,) = await ctx.tick().sample(master.bus.response.payload).until(master.bus.response.valid)
        assert response.error

    simulator.add_testbench(bench)
    simulator.run()

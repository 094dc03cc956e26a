"""Walks in hardware beside their reference: random images in small rings, which fill at any time."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.isa.window import OUTSIDE, SlidingWindow
from mho.hw.tile.rtl.rings import RingScoreboard
from mho.hw.tile.rtl.windows.addresses import AddressGenerator, WalkRequest
from mho.hw.tile.rtl.windows.iterator import WindowIterator
from tests.hw.amaranth_bench import simulate

STREAM = 5


def random_walk(rng: np.random.Generator) -> SlidingWindow:
    """A convolution over a small image, with anything that may be."""
    while True:
        kernel, dilation, stride, pad, size = (
            rng.integers(low, high, 2).tolist() for low, high in ((1, 4), (1, 3), (1, 4), (0, 3), (1, 8)))
        walk = SlidingWindow(
            run=1, channel=int(rng.integers(4)), kernel_x=kernel[0], kernel_y=kernel[1], dilation_x=dilation[0],
            dilation_y=dilation[1], stride_x=stride[0], stride_y=stride[1], pad_x=pad[0], pad_y=pad[1],
            width=size[0], height=size[1], positions_x=int(rng.integers(1, 5)), positions_y=int(rng.integers(1, 4)),
        )
        if walk.least <= 60:
            return walk


class Bench(wiring.Component):
    """A walker with its tokens; another port fills the ring."""

    def __init__(self) -> None:
        self.walker: Any = WindowIterator()
        self.window: Any = AddressGenerator()
        self.tokens: Any = RingScoreboard(changes=2, asks=1)
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walker, m.submodules.window, m.submodules.tokens = self.walker, self.window, self.tokens
        m.d.comb += [
            self.window.walk.eq(self.walker.walk), self.window.plan.eq(self.walker.plan),
            self.window.opens.eq(self.walker.done & (self.walker.todo == WalkRequest.PLAN)),
        ]
        wiring.connect(m, self.walker.ask, self.tokens.ask[0])
        wiring.connect(m, self.walker.change, self.tokens.change[0])
        return m


class Run:
    """One walk over images that come at random."""

    def __init__(self, bench: Bench, rng: np.random.Generator, spare: int | None = None) -> None:
        self.bench, self.rng, self.walk = bench, rng, random_walk(rng)
        while spare is not None and self.walk.least < 2:
            self.walk = random_walk(rng)
        self.ring = {
            "base": int(rng.integers(1 << 15)), "block": int(rng.integers(4, 30)),
            "blocks": self.walk.least + (int(rng.integers(3)) if spare is None else spare),
        }
        self.pad = int(rng.integers(1 << 16))
        self.came = self.freed = self.waits = 0

    async def tick(self, ctx: Any) -> tuple[int, int, int]:
        """A cycle in which a pixel may come; whether the walker was done or wrong, or put off."""
        walker, fills = self.bench.walker, self.bench.tokens.change[1]
        comes = self.came - self.freed < self.ring["blocks"] and self.rng.random() < 0.4
        ctx.set(fills.valid, int(comes))
        ctx.set(fills.payload, {"stream": STREAM, "free": 0})
        _, _, filled, gave, done, wrong, later = await ctx.tick().sample(
            fills.valid & fills.ready, walker.change.valid & walker.change.ready, walker.done, walker.wrong,
            walker.later)
        self.came, self.freed = self.came + filled, self.freed + gave
        return done, wrong, later

    async def start(self, ctx: Any) -> None:
        tokens, walker = self.bench.tokens, self.bench.walker
        ctx.set(tokens.change[1].valid, 0)
        ctx.set(tokens.write, 1)
        for half, word in enumerate(DESCRIPTORS["stream"].layout.pack(self.ring)):
            ctx.set(tokens.write_index, 2 * STREAM + half)
            ctx.set(tokens.write_data, word)
            await ctx.tick()
        ctx.set(tokens.write, 0)
        ctx.set(tokens.start, 1)
        await ctx.tick()
        ctx.set(tokens.start, 0)
        await ctx.tick().until(tokens.ready)
        values = {name: getattr(self.walk, name, 0) for name in DESCRIPTORS["walk"].layout.low}
        words = DESCRIPTORS["walk"].layout.pack(values | {"stream": STREAM, "pad": self.pad})
        ctx.set(walker.walk.as_value(), sum(word << 32 * k for k, word in enumerate(words)))
        ctx.set(walker.place, {"x": 0, "y": 0, "origin": 0})

    def addresses(self, position: int, origin: int) -> list[int]:
        pixels = self.walk.pixels[position]
        inside = (origin + pixels) % self.ring["blocks"] * self.ring["block"] + self.ring["base"] + self.walk.channel
        return np.where(pixels == OUTSIDE, self.pad, inside).tolist()

    async def images(self, ctx: Any, count: int) -> None:
        """All positions of some images, each window once or twice."""
        walker, window, walk = self.bench.walker, self.bench.window, self.walk
        await self.start(ctx)
        for number in range(count * walk.positions):
            image, position = divmod(number, walk.positions)
            assert await self.do(ctx, WalkRequest.PLAN)
            assert self.came >= image * walk.image + walk.need[position]
            # The window begins a cycle after it was loaded.
            await self.tick(ctx)
            addresses: list[int] = []
            terms = walk.terms * int(self.rng.integers(1, 3))
            while len(addresses) < terms:
                ctx.set(window.o.ready, int(self.rng.integers(2)))
                if ctx.get(window.o.ready):
                    addresses.append(ctx.get(window.o.payload.address))
                    assert ctx.get(window.o.payload.last) == (len(addresses) % walk.terms == 0)
                await self.tick(ctx)
            assert addresses == self.addresses(position, image * walk.image) * (terms // walk.terms)
            ctx.set(window.o.ready, 0)
            assert await self.do(ctx, WalkRequest.GO)
            assert self.freed == max(image * walk.image + walk.low[position + 1], 0)
            # It may have been with other walks meanwhile, and may know nothing of this one any more.
            names = ("x", "y", "origin", *(("placed", "known") if self.rng.random() < 0.7 else ()))
            ctx.set(walker.place, {name: ctx.get(walker.next[name]) for name in names})

    async def do(self, ctx: Any, todo: WalkRequest) -> bool:
        """Something, again where it was put off; False if it is wrong."""
        walker = self.bench.walker
        while True:
            ctx.set(walker.todo, todo)
            ctx.set(walker.start, 1)
            await self.tick(ctx)
            ctx.set(walker.start, 0)
            for _ in range(700):
                ctx.set(walker.hasty, int(self.rng.random() < 0.2))
                done, wrong, later = await self.tick(ctx)
                self.waits += later
                if done or wrong:
                    return not wrong
                if later:
                    break
            else:
                raise AssertionError("neither pixels nor a refusal")


@pytest.mark.slow
def test_windows_are_those_of_the_reference() -> None:
    rng = np.random.default_rng(1)
    bench = Bench()

    async def run(ctx: Any) -> None:
        ctx.set(bench.walker.advance, 1)
        ctx.set(bench.walker.free, 1)
        for _ in range(7):
            await Run(bench, rng).images(ctx, 2)

    simulate(bench, run, deadline=1_000_000)


def test_a_window_beyond_its_ring_or_behind_it_is_wrong() -> None:
    rng = np.random.default_rng(2)
    bench = Bench()
    walker: Any = bench.walker
    refusals = []

    async def run(ctx: Any) -> None:
        ctx.set(walker.advance, 1)
        ctx.set(walker.free, 1)
        for _ in range(6):
            runner = Run(bench, rng, spare=-1)
            await runner.start(ctx)
            wrong = False
            needs = runner.walk.need - np.maximum(runner.walk.low[:-1], 0)
            for position in range(runner.walk.positions):
                wrong = not await runner.do(ctx, WalkRequest.PLAN)
                assert wrong == (needs[position] > runner.ring["blocks"])
                if wrong:
                    break
                assert await runner.do(ctx, WalkRequest.GO)
                ctx.set(walker.place, {name: ctx.get(walker.next[name]) for name in ("x", "y", "origin")})
            refusals.append(wrong)
        # The first window again, after its first pixel was given back.
        runner = Run(bench, rng)
        runner.walk = SlidingWindow(run=1, channel=0, width=4, height=4, positions_x=4, positions_y=4)
        runner.ring["blocks"] = 3
        await runner.start(ctx)
        assert await runner.do(ctx, WalkRequest.PLAN)
        assert await runner.do(ctx, WalkRequest.GO)
        assert not await runner.do(ctx, WalkRequest.PLAN)

    simulate(bench, run, deadline=100_000)
    assert all(refusals)


def test_terms_and_codes_are_those_of_the_reference() -> None:
    rng = np.random.default_rng(3)
    bench = Bench()
    walker: Any = bench.walker

    async def run(ctx: Any) -> None:
        for number in range(12):
            runner = Run(bench, rng)
            runner.walk = replace(
                runner.walk, run=int(rng.integers(1, 4096 if number % 2 else 9)), repeat=int(rng.integers(1, 16)),
                tail=int(rng.integers(64)))
            await runner.start(ctx)
            assert await runner.do(ctx, WalkRequest.LOOK)
            assert ctx.get(walker.look.terms) == runner.walk.terms
            codes = ctx.get(walker.look.codes)
            assert codes == runner.walk.codes or (codes >= 1023 and runner.walk.terms * runner.walk.run >= 1023)

    simulate(bench, run, deadline=100_000)

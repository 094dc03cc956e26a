# amaranth: UnusedElaboratable=no
"""One bus to several: each access reaches its region once, and what lies in none answers with an error."""

from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.hw.host.bus import BusSplit, Region, RegisterBus
from mho.hw.host.link.format import Status
from tests.fpga.link.probe import COUNTER, DIGEST, LinkProbe, ProbeBus
from tests.hw.amaranth_bench import simulate

WIDTH = 16
REGIONS = (Region("low", 0x0000, 13), Region("high", 0x4000, 13))


class TwoProbes(wiring.Component):
    bus: Any

    def __init__(self) -> None:
        super().__init__({"bus": In(RegisterBus(WIDTH))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.split = split = BusSplit(WIDTH, REGIONS)
        connect(m, outside=flipped(self.bus), split=split.bus)
        for region in REGIONS:
            m.submodules[region.name] = probe = LinkProbe(region.width)
            connect(m, split=getattr(split, region.name), probe=probe.bus)
        return m


offsets = st.sampled_from([0, 4, 8, 0x3FC, 0x400, COUNTER, DIGEST])
accesses = st.tuples(
    st.sampled_from([0x0000, 0x2000, 0x4000, 0x6000, 0x8000]), offsets, st.booleans(), st.integers(0, 2**32 - 1),
    st.integers(0, 3),
)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.lists(accesses, min_size=1, max_size=30))
def test_accesses_reach_their_region_once(sequence: list[tuple[int, int, bool, int, int]]) -> None:
    dut = TwoProbes()
    answers, expected = [], []
    models = {region.base: ProbeBus() for region in REGIONS}
    for base, offset, write, data, _ in sequence:
        model = models.get(base)
        status, word = (Status.BUS_ERROR, 0) if model is None else model.access(offset, write, data, 15)
        expected.append((status != Status.OK, word if status == Status.OK else None))

    async def bench(ctx: Any) -> None:
        bus = dut.bus
        for base, offset, write, data, stall in sequence:
            for name, value in (("address", (base + offset) >> 2), ("write", write), ("data", data), ("strobe", 15)):
                ctx.set(getattr(bus.request.p, name), value)
            ctx.set(bus.request.valid, 1)
            await ctx.tick().until(bus.request.ready)
            ctx.set(bus.request.valid, 0)
            await ctx.tick().repeat(1 + stall)
            ctx.set(bus.response.ready, 1)
            error, word = await ctx.tick().sample(bus.response.p.error, bus.response.p.data).until(bus.response.valid)
            ctx.set(bus.response.ready, 0)
            answers.append((bool(error), None if error else word))

    simulate(dut, bench)
    assert answers == expected


@pytest.mark.parametrize(
    "regions", [(Region("a", 0x1000, 13),), (Region("a", 0, 13), Region("b", 0x1000, 12)), (Region("a", 0x10000, 4),)]
)
def test_regions_are_aligned_inside_and_apart(regions: tuple[Region, ...]) -> None:
    with pytest.raises(ValueError, match=r"^Region [ab] must be aligned, inside and apart, not at 0x"):
        BusSplit(WIDTH, regions)

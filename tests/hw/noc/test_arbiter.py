"""The arbiter of the routers: whom it grants, and how long a request waits."""

from typing import Any

import numpy as np
import pytest

from mho.hw.noc.fifo import RoundRobin
from tests.hw.amaranth_bench import simulate


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_request_waits_for_each_of_the_others_once(count: int) -> None:
    rng = np.random.default_rng(count)
    dut = RoundRobin(count)

    async def drive(ctx: Any) -> None:
        waited = [0] * count
        for step in range(300):
            # Who has asked asks on until it is granted; every third stretch all of them do.
            asks = [bool(waited[k]) or step // 20 % 3 == 0 or rng.random() < 0.4 for k in range(count)]
            ctx.set(dut.request, sum(1 << k for k, wants in enumerate(asks) if wants))
            grant = ctx.get(dut.grant)
            granted = [k for k in range(count) if grant >> k & 1]
            assert len(granted) == any(asks)
            for k in granted:
                assert asks[k]
                assert ctx.get(dut.index) == k
            waited = [waited[k] + 1 if asks[k] and k not in granted else 0 for k in range(count)]
            assert max(waited) < count
            await ctx.tick()

    simulate(dut, drive)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_under_full_load_each_is_granted_in_turn(count: int) -> None:
    dut = RoundRobin(count)

    async def drive(ctx: Any) -> None:
        ctx.set(dut.request, 2**count - 1)
        for step in range(4 * count):
            assert ctx.get(dut.grant) == 1 << step % count
            await ctx.tick()

    simulate(dut, drive)

"""Memories of one port: what is read is what was written, and what one port cannot do is found."""

from typing import Any

import numpy as np
import pytest

from mho.hw.memory import LEAST_WORDS, ParityBanks, has_one_port
from tests.hw.amaranth_bench import simulate
from tests.hw.memory_process import MemoryProcess

WIDTH, DEPTH = 12, 32


def test_a_read_and_a_write_of_the_two_banks_in_a_cycle() -> None:
    dut, words, both = ParityBanks(WIDTH, DEPTH), dict[int, int](), 0
    rng = np.random.default_rng(1)

    async def bench(ctx: Any) -> None:
        nonlocal both
        last: int | None = None
        for _ in range(400):
            reads, writes = bool(rng.integers(2)), bool(rng.integers(2))
            at, to, value = (int(rng.integers(high)) for high in (DEPTH, DEPTH, 1 << WIDTH))
            writes &= not reads or at % 2 != to % 2
            both += reads and writes
            for port, value_of_port in (
                (dut.read.en, reads), (dut.read.addr, at), (dut.write.en, writes), (dut.write.addr, to),
                (dut.write.data, value),
            ):
                ctx.set(port, int(value_of_port))
            last = words.get(at) if reads else last
            if writes:
                words[to] = value
            await ctx.tick()
            assert last is None or ctx.get(dut.read.data) == last

    simulate(dut, bench)
    assert both > 50
    assert len(words) > DEPTH // 2


def test_what_one_port_cannot_do_is_found() -> None:
    dut = ParityBanks(WIDTH, DEPTH)

    async def bench(ctx: Any) -> None:
        for port in (dut.read.en, dut.write.en):
            ctx.set(port, 1)
        ctx.set(dut.write.addr, 2)
        await ctx.tick()

    with pytest.raises(AssertionError, match="written and read in one cycle"):
        simulate(dut, bench)


@pytest.mark.parametrize(("process", "depth", "one_port"), [
    (None, 64, False), (MemoryProcess(), 64, False), (MemoryProcess(one_port=True), LEAST_WORDS, True),
    (MemoryProcess(one_port=True), LEAST_WORDS - 1, False),
])
def test_who_has_one_port(process: MemoryProcess | None, depth: int, one_port: bool) -> None:
    assert has_one_port(process, depth) == one_port

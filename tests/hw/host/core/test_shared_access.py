"""Turns between the host and the program of a tile at one core: nobody gets what the other asked for."""

from collections import deque
from typing import Any

import pytest

from mho.hw.config import load_chip
from mho.hw.core.layout import OpLayout
from mho.hw.host.core.map import operation_tasks
from mho.hw.host.link.tasks import Poll, Read, Write
from mho.hw.kinds import core_blocks
from tests.hw.amaranth_bench import put, simulate
from tests.hw.host.bus_access import access_bus

CHIP = load_chip("pwm16-2x2", {"programming.engine": True})
BLOCKS = core_blocks(CHIP, tiled=True)
_WORDS = 4


def descriptor(number: int) -> int:
    return OpLayout().const({
        "in_bits": 8, "in_signed": 1, "out_bits": 8, "step_code": 100, "op_id": number,
    }).as_bits()


def result(number: int, words: list[int], first: int, last: int) -> list[int]:
    return [(number * 1000 + sum(words) * 10 + k) & 0xFFFFFFFF for k in range(first, last + 1)]


async def fake_core(ctx: Any, dut: Any, operations: list[int]) -> None:
    """One operation at a time, until there were so many: its result tells its number, its inputs and its words."""
    while operations[0]:
        ctx.set(dut.op.ready, 1)
        _, _, valid, op, words = await ctx.tick().sample(dut.op.valid, dut.op.payload, dut.words)
        if not valid:
            continue
        operations[0] -= 1
        ctx.set(dut.op.ready, 0)
        ctx.set(dut.status.busy, 1)
        inputs = []
        ctx.set(dut.i.ready, 1)
        for _ in range(_WORDS):
            (word,) = await ctx.tick().sample(dut.i.payload).until(dut.i.valid)
            inputs.append(word)
        ctx.set(dut.i.ready, 0)
        await ctx.tick().repeat(1 + op.op_id % 5)
        for word in result(op.op_id, inputs, words.first, words.last):
            await put(ctx, dut.o, word)
        ctx.set(dut.status.busy, 0)


async def host_operation(ctx: Any, bus: Any, number: int, words: list[int]) -> list[int]:
    """Status and result of an operation of the host."""
    results = []
    for task in operation_tasks(BLOCKS.registers, 0, descriptor(number), words, 8):
        if isinstance(task, Write):
            values = task.words if isinstance(task.words, list) else [task.words]
            for k, word in enumerate(values):
                await access_bus(ctx, bus, task.address + 4 * k, int(word))  # pyright: ignore[reportArgumentType]
        elif isinstance(task, Poll):
            while not (status := await access_bus(ctx, bus, task.address)) & task.mask:
                pass
            results.append(status & 0b11100)
        else:
            assert isinstance(task, Read)
            results += [await access_bus(ctx, bus, task.address + 4 * k) for k in range(task.count)]
    return results


@pytest.mark.slow
def test_the_host_and_a_program_get_what_they_asked_for() -> None:
    dut: Any = BLOCKS.access()
    expected, got = deque[list[int]](), list[int]()

    async def program(ctx: Any, first: int, count: int) -> None:
        """A program that runs for some operations."""
        ctx.set(dut.idle, 0)
        for number in range(first, first + count):
            ctx.set(dut.program.words, {"first": 1, "last": 2})
            await put(ctx, dut.program.op, descriptor(number))
            words = [number + k for k in range(_WORDS)]
            expected.append(result(number, words, 1, 2))
            for word in words:
                await put(ctx, dut.program.i, word)
        while len(got) < 2 * len(expected):
            await ctx.tick()
        ctx.set(dut.idle, 1)

    async def runs(ctx: Any) -> None:
        ctx.set(dut.idle, 1)
        for first, count, pause in ((1, 9, 200), (20, 8, 7), (40, 12, 161)):
            await ctx.tick().repeat(pause)
            await program(ctx, first, count)
        ctx.set(dut.idle, 1)

    async def drain(ctx: Any) -> None:
        ctx.set(dut.program.o.ready, 1)
        while len(got) < 2 * 29:
            _, _, valid, word = await ctx.tick().sample(dut.program.o.valid, dut.program.o.payload)
            if valid:
                got.append(word)

    done, refused = [], []

    async def host(ctx: Any) -> None:
        for number in range(500, 514):
            words = [number * k for k in range(_WORDS)]
            status, *results = await host_operation(ctx, dut.bus, number, words)
            if status == 0b00100:
                assert results == result(number, words, 0, 7)
                done.append(number)
            else:
                assert status == 0b10000
                refused.append(number)
        while len(got) < 2 * 29:
            await ctx.tick()
        left[0] = 0
        await ctx.tick().repeat(3)

    left = [10_000]

    async def core(ctx: Any) -> None:
        await fake_core(ctx, dut, left)

    simulate(dut, host, background=[runs, drain, core], deadline=100_000)
    assert got == [word for words in expected for word in words]
    assert len(expected) == 29
    assert len(done) > 5
    assert len(refused) > 2

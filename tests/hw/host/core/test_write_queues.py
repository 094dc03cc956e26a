"""Queues between the bus and write-verify, in one memory of one port, beside queues of Python."""

from collections import deque
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.core.write_verify.engine import CellLayout, TargetLayout
from mho.hw.host.core.write_host import WriteQueues
from mho.hw.host.core.write_map import FIFO_DEPTH, RESULT_PULSES, RESULT_VALID, WORD_FLAG

CFG = WriteVerifyConfig(lines=16)


@pytest.mark.parametrize(("puts", "takes", "ready", "valid"), [
    (0.3, 0.3, 0.5, 0.5), (0.9, 0.5, 0.1, 0.9), (0.05, 0.9, 0.9, 0.1), (0.0, 0.4, 1.0, 1.0), (0.6, 0.0, 1.0, 0.2),
])
def test_words_in_their_order_and_none_is_lost(puts: float, takes: float, ready: float, valid: float) -> None:
    """Also where they are full or empty. The memory's own claim, never a read and a write at once, holds all along."""
    rng = np.random.default_rng(1)
    queues: Any = WriteQueues(CFG)
    targets, results = deque[int](), deque[int]()
    counts = dict.fromkeys(("put", "given", "added", "taken", "full"), 0)

    async def bench(ctx: Any) -> None:
        said = None
        cell = code = skip = 0
        put = take = accepted = False
        for _ in range(1600):
            # The bus keeps a read until it is ready, and answers in the cycle after an access.
            if accepted:
                put = take = False
            elif not take:
                put = rng.random() < puts
                take = not put and rng.random() < takes
                code, skip = int(rng.integers(2**CFG.verify_bits)), int(rng.integers(2))
            ctx.set(queues.put, put)
            ctx.set(queues.put_data, code | skip << WORD_FLAG)
            ctx.set(queues.take, take)
            ctx.set(queues.target.ready, rng.random() < ready)
            if not ctx.get(queues.cell.valid) or cell == 0:
                cell = int(rng.integers(1, 2 ** CellLayout(CFG).size))
                ctx.set(queues.cell.payload.as_value(), cell)
                ctx.set(queues.cell.valid, rng.random() < valid)
            if said is not None:
                assert ctx.get(queues.taken) == said
            assert ctx.get(queues.room) == FIFO_DEPTH - len(targets)
            assert ctx.get(queues.waiting) == len(results)
            accepted = put or bool(ctx.get(queues.take_ready))
            if put and len(targets) < FIFO_DEPTH:
                targets.append(TargetLayout(CFG).const({"code": code, "skip": skip}).as_bits())
                counts["put"] += 1
            counts["full"] += len(targets) == FIFO_DEPTH
            if take and accepted:
                said = word(results.popleft()) if results else 0
                counts["taken"] += said != 0
            if ctx.get(queues.target.valid) and ctx.get(queues.target.ready):
                assert ctx.get(queues.target.payload.as_value()) == targets.popleft()
                counts["given"] += 1
            if ctx.get(queues.cell.valid) and ctx.get(queues.cell.ready):
                results.append(cell)
                cell = 0
                counts["added"] += 1
            await ctx.tick()

    simulator = Simulator(queues)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert counts["added"] > 4
    assert (counts["given"] > 4) == (puts > 0)
    assert (counts["taken"] > 4) == (takes > 0)
    assert counts["full"] > 0 or puts < 0.8


def word(cell: int) -> int:
    """What the bus reads of a result."""
    layout = CellLayout(CFG)
    value = layout.from_bits(cell)
    return value.code | value.fault << (RESULT_VALID - 1) | 1 << RESULT_VALID | value.pulses << RESULT_PULSES

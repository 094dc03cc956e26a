"""The tokens beside their reference: changes, questions and acknowledgements at random."""

from typing import Any

import numpy as np
import pytest

from mho.hw.tile.isa import DESCRIPTORS, STREAMS
from mho.hw.tile.rtl.rings import RingScoreboard
from tests.hw.amaranth_bench import simulate
from tests.hw.tile.scoreboard_model import ScoreboardModel


def random_streams(rng: np.random.Generator) -> list[dict[str, int]]:
    streams, slots = [], rng.permutation(STREAMS).tolist()
    for k in range(STREAMS):
        remote, blocks = int(rng.integers(2)), int(rng.integers(2, 7))
        streams.append({
            "base": int(rng.integers(1 << 15)), "block": int(rng.integers(1, 4096)), "blocks": blocks,
            "slot": slots[k], "remote": remote, "first": int(rng.integers(blocks - 2 * remote + 1)),
        })
    return streams


@pytest.mark.slow
def test_rings_are_those_of_the_reference() -> None:
    rng = np.random.default_rng(0)
    dut: Any = RingScoreboard(changes=3, asks=2)
    counts = {"change": 0, "ask": 0, "again": 0, "ack": 0}
    offered = due = False
    # What each port asks for, until there is an answer.
    requests: list[int | None] = [None, None]
    # Whether it asks once more, and whether anything has changed in the cycle of the answer or since.
    again, news = [False, False], [False, False]

    async def load(ctx: Any, streams: list[dict[str, int]]) -> None:
        ctx.set(dut.write, 1)
        for number, values in enumerate(streams):
            for half, word in enumerate(DESCRIPTORS["stream"].layout.pack(values)):
                ctx.set(dut.write_index, 2 * number + half)
                ctx.set(dut.write_data, word)
                await ctx.tick()
        ctx.set(dut.write, 0)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        await ctx.tick().until(dut.ready)

    def possible(model: ScoreboardModel) -> list[tuple[int, bool]]:
        """Changes that are legal whatever else goes first in the cycle."""
        changes = [(k, True) for k, ring in enumerate(model.rings) if ring.there > 0]
        # Whoever fills a remote ring has two blocks under way at most.
        return changes + [
            (k, False) for k, ring in enumerate(model.rings)
            if (ring.came - ring.acked < 2 if ring.remote else ring.there < ring.blocks)
        ]

    async def run(ctx: Any) -> None:
        nonlocal due
        for _ in range(2):
            streams = random_streams(rng)
            await load(ctx, streams)
            model, due = ScoreboardModel(streams), False
            for _ in range(300):
                await one_cycle(ctx, streams, model)
            for k in range(3):
                ctx.set(dut.change[k].valid, 0)
            for k in range(2):
                ctx.set(dut.ask[k].valid, 0)
            requests[:] = [None, None]
            # Nothing is owed when nothing has changed for some time.
            for _ in range(4 * STREAMS):
                ctx.set(dut.acknowledge.ready, 1)
                take(ctx, streams, model)
                await ctx.tick()
            assert not any(ring.owes for ring in model.rings)

    def take(ctx: Any, streams: list[dict[str, int]], model: ScoreboardModel) -> None:
        """An acknowledgement that is there for the first time is one that is owed."""
        nonlocal offered
        if ctx.get(dut.acknowledge.valid) and not offered:
            slot = ctx.get(dut.acknowledge.payload)
            ring = model.rings[next(k for k, descriptor in enumerate(streams) if descriptor["slot"] == slot)]
            assert ring.owes
            ring.acked += 1
            counts["ack"] += 1
        offered = bool(ctx.get(dut.acknowledge.valid) and not ctx.get(dut.acknowledge.ready))

    async def one_cycle(ctx: Any, streams: list[dict[str, int]], model: ScoreboardModel) -> None:
        nonlocal due
        legal, ports = possible(model), dut.change
        wishes: list[tuple[int, bool] | None] = []
        for port in ports:
            wish = legal[int(rng.integers(len(legal)))] if rng.random() < 0.3 else None
            wishes.append(wish)
            ctx.set(port.valid, int(wish is not None))
            ctx.set(port.payload, {"stream": wish[0], "free": wish[1]} if wish else {"stream": 0, "free": 0})
        for k in range(2):
            if requests[k] is None and rng.random() < 0.7:
                requests[k], again[k] = int(rng.integers(STREAMS)), bool(rng.random() < 0.5)
            port = dut.ask[k]
            ctx.set(port.valid, int(requests[k] is not None))
            ctx.set(port.stream, requests[k] or 0)
            ctx.set(port.again, int(again[k]))
        ctx.set(dut.acknowledge.ready, int(rng.random() < 0.6))
        goes = next((k for k, wish in enumerate(wishes) if wish), None)
        assert [bool(ctx.get(p.ready)) for p, w in zip(ports, wishes, strict=True) if w] == [
            k == goes for k, w in enumerate(wishes) if w]
        granted = [k for k in range(2) if ctx.get(dut.ask[k].ready)]
        assert len(granted) == due
        due = any(
            number is not None and k not in granted and (news[k] or not again[k]) for k, number in enumerate(requests))
        for k in granted:
            check(ctx, k, requests[k] or 0, streams, model)
            counts["again"] += again[k]
            requests[k] = None
            news[k] = False
        if goes is not None:
            news[:] = [True, True]
        take(ctx, streams, model)
        if goes is not None:
            number, free = wishes[goes] or (0, False)
            model.change(number, free=free)
            counts["change"] += 1
        await ctx.tick()

    def check(ctx: Any, port: int, number: int, streams: list[dict[str, int]], model: ScoreboardModel) -> None:
        counts["ask"] += 1
        ring, answer = model.rings[number], dut.ask[port].ring
        for name in ("base", "block", "blocks"):
            assert ctx.get(answer[name]) == streams[number][name]
        for name in ("there", "freed", "head", "tail"):
            assert ctx.get(answer[name]) == getattr(ring, name)

    simulate(dut, run)
    assert min(counts.values()) > 50

"""The mesh of routers in Amaranth's simulator: every flit arrives once at each member, in order, in hops + 1 cycles."""

import random
from collections import defaultdict
from typing import Any

import pytest

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations
from mho.hw.noc.router.network import Network
from tests.hw.amaranth_bench import simulate

Flit = tuple[int, int, Destinations]


def random_destinations(rng: random.Random, cfg: MeshConfig, source: int) -> Destinations:
    while True:
        if rng.random() < 0.5:
            to = Destinations.one(rng.randrange(cfg.columns), rng.randrange(cfg.rows))
        elif cfg.masks:
            columns, rows = ([i for i in range(size) if rng.random() < 0.5] for size in (cfg.columns, cfg.rows))
            to = Destinations(tuple(columns), tuple(rows))
        else:
            sides = [sorted(rng.randrange(size) for _ in range(2)) for size in (cfg.columns, cfg.rows)]
            to = Destinations(*(tuple(range(low, high + 1)) for low, high in sides))
        if to.nodes - {cfg.position(source)}:
            return to


def run(cfg: MeshConfig, flits: dict[int, list[Flit]], *, stall: float = 0.0, seed: int = 0) -> dict[int, list[tuple]]:
    """Send flits (payload, tag, destinations) from their nodes; what each node receives: (cycle, payload, tag)."""
    dut: Any = Network(cfg)
    received: dict[int, list[tuple]] = defaultdict(list)
    expected = sum(len(f[2].nodes - {cfg.position(n)}) for n, sent in flits.items() for f in sent)
    rng = random.Random(seed)

    async def bench(ctx: Any) -> None:
        await ctx.tick().repeat(2)
        at = dict.fromkeys(flits, 0)
        for cycle in range(20_000):
            ready = {}
            for node in range(cfg.nodes):
                eject, inject = getattr(dut, f"eject_{node}"), getattr(dut, f"inject_{node}")
                ready[node] = rng.random() >= stall
                ctx.set(eject.ready, ready[node])
                sent = flits.get(node, [])
                ctx.set(inject.valid, at.get(node, 0) < len(sent))
                if at.get(node, 0) < len(sent):
                    payload, tag, to = sent[at[node]]
                    shift = cfg.payload_bits + cfg.tag_bits + 1
                    ctx.set(inject.payload.as_value(), payload | tag << cfg.payload_bits | to.pack(cfg) << shift)
            for node in range(cfg.nodes):
                eject, inject = getattr(dut, f"eject_{node}"), getattr(dut, f"inject_{node}")
                if ctx.get(eject.valid):
                    assert ready[node]
                    received[node].append((cycle, ctx.get(eject.payload.payload), ctx.get(eject.payload.tag)))
                if node in at and at[node] < len(flits[node]):
                    at[node] += ctx.get(inject.ready)
            if sum(map(len, received.values())) == expected and all(at[n] == len(flits[n]) for n in at):
                return
            await ctx.tick()
        raise AssertionError(f"{sum(map(len, received.values()))} of {expected} flits arrived")

    simulate(dut, bench, deadline=30_000)
    return received


@pytest.mark.slow
@pytest.mark.parametrize(
    "cfg",
    [
        MeshConfig(columns=3, rows=3, payload_bits=32),
        MeshConfig(columns=4, rows=2, payload_bits=32, depth=1),
        MeshConfig(columns=2, rows=3, payload_bits=32, depth=2),
        pytest.param(MeshConfig(columns=9, rows=2, payload_bits=32, depth=4), marks=pytest.mark.long),
        MeshConfig(columns=1, rows=4, payload_bits=32),
    ],
    ids=lambda cfg: f"{cfg.columns}x{cfg.rows}-{cfg.depth}",
)
def test_every_flit_arrives_once_and_in_order(cfg: MeshConfig) -> None:
    rng = random.Random(cfg.nodes)
    flits = {
        node: [
            (node << 16 | k, rng.randrange(1 << cfg.tag_bits), random_destinations(rng, cfg, node)) for k in range(12)
        ]
        for node in range(cfg.nodes)
    }
    received = run(cfg, flits, stall=0.3)
    for node in range(cfg.nodes):
        for source, sent in flits.items():
            expected = [
                (payload, tag) for payload, tag, to in sent if cfg.position(node) in to.nodes and node != source
            ]
            assert [(p, t) for _, p, t in received[node] if p >> 16 == source] == expected


@pytest.mark.slow
def test_a_hop_is_one_cycle() -> None:
    cfg = MeshConfig(columns=3, rows=3, payload_bits=32)
    for source, node in ((0, 8), (2, 6)):
        (x, y), (u, v) = cfg.position(source), cfg.position(node)
        received = run(cfg, {source: [(7, 1, Destinations.one(u, v))]})
        # Routers on the way, and the cycle in which it is offered.
        assert received[node] == [(abs(x - u) + abs(y - v) + 1, 7, 1)]

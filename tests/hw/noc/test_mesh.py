"""The whole mesh: set up by the host, blocks to many with credits, sums, counters, and what is malformed."""

import random
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import pytest

from hw.noc.config import MeshConfig
from hw.noc.flit import Destinations
from hw.noc.interface.control import (
    Counter,
    answer,
    control_tag,
    credit,
    read,
    write_entry,
    write_flow,
    write_members,
    write_slot,
)
from hw.noc.mesh import Mesh
from hw.noc.reduction.model import add_lanes
from hw.noc.reduction.trees import Group, entries
from hw.testing import simulate


@dataclass
class Host:
    """What the host sends, and what it got."""

    cfg: MeshConfig
    out: deque[int] = field(default_factory=deque)
    got: list[tuple[int, int]] = field(default_factory=list)

    def flit(self, payload: int, tag: int, to: int, host: bool = False) -> None:
        p, t = self.cfg.payload_bits, self.cfg.tag_bits
        self.out.append(payload | tag << p | host << (p + t) | to << (p + t + 1))

    def control(self, node: int, word: int) -> None:
        self.flit(word, control_tag(self.cfg), Destinations.one(*self.cfg.position(node)).pack(self.cfg))

    def answers(self) -> dict[int, int]:
        found = (answer(payload) for payload, tag in self.got if tag == control_tag(self.cfg))
        return dict(pair for pair in found if pair)


@dataclass(frozen=True)
class Flow:
    source: int
    number: int
    slot: int
    to: Destinations

    def members(self, cfg: MeshConfig) -> list[int]:
        return sorted(cfg.node(x, y) for x, y in self.to.nodes if cfg.node(x, y) != self.source)


def set_up(host: Host, flows: list[Flow]) -> None:
    for flow in flows:
        members = flow.members(host.cfg)
        for node in members:
            host.control(node, write_slot(host.cfg, flow.slot, flow.source, flow.number))
        host.control(flow.source, write_flow(host.cfg, flow.number, flow.to, flow.slot))
        host.control(flow.source, write_members(host.cfg, flow.number, len(members)))


async def serve_host(ctx: Any, dut: Any, host: Host, rng: random.Random, stall: float) -> None:
    """One cycle of the host: call before the clock edge, after all inputs are set."""
    takes = rng.random() >= stall
    ctx.set(dut.host_o.ready, takes)
    if takes and ctx.get(dut.host_o.valid):
        host.got.append((ctx.get(dut.host_o.payload.payload), ctx.get(dut.host_o.payload.tag)))
    ctx.set(dut.host_i.valid, bool(host.out))
    if host.out:
        ctx.set(dut.host_i.payload.as_value(), host.out[0])
        if ctx.get(dut.host_i.ready):
            host.out.popleft()


async def settle(ctx: Any, dut: Any, host: Host, cycles: int = 40) -> None:
    """Until what the host sends has arrived; the host does nothing afterwards."""
    while host.out or cycles:
        await serve_host(ctx, dut, host, random.Random(0), 0.0)
        await ctx.tick()
        cycles -= not host.out
    ctx.set(dut.host_o.ready, 0)
    ctx.set(dut.host_i.valid, 0)


def random_flows(rng: random.Random, cfg: MeshConfig) -> list[Flow]:
    flows, used = [], defaultdict(int)
    for source in range(cfg.nodes):
        for number in range(2):
            columns, rows = ([i for i in range(n) if rng.random() < 0.6] for n in (cfg.columns, cfg.rows))
            to = Destinations(tuple(columns), tuple(rows))
            if to.nodes - {cfg.position(source)}:
                # A slot that is free at all members.
                slot = max(used[node] for node in range(cfg.nodes))
                flow = Flow(source, number, slot, to)
                for node in flow.members(cfg):
                    used[node] = slot + 1
                flows.append(flow)
    return flows


@pytest.mark.slow
@pytest.mark.parametrize(
    "cfg",
    [
        MeshConfig(columns=2, rows=2, payload_bits=32, contexts=0),
        MeshConfig(columns=3, rows=2, payload_bits=64, queues=2, depth=2),
        MeshConfig(columns=2, rows=2, payload_bits=32, contexts=0, depth=1),
    ],
    ids=lambda cfg: f"{cfg.columns}x{cfg.rows}-{cfg.queues}-{cfg.depth}",
)
def test_blocks_arrive_whole_and_two_are_under_way_at_most(cfg: MeshConfig) -> None:
    dut: Any = Mesh(cfg)
    rng, host = random.Random(cfg.nodes + cfg.depth), Host(cfg)
    flows = random_flows(rng, cfg)
    set_up(host, flows)
    blocks = 6
    sends: dict[int, list[tuple[int, int, bool]]] = defaultdict(list)
    wanted: dict[tuple[int, int], list[int]] = defaultdict(list)
    for block in range(blocks):
        for flow in flows:
            size = 1 + (flow.number + block) % 4
            payloads = [rng.getrandbits(cfg.payload_bits) for _ in range(size)]
            sends[flow.source] += [(p, flow.number, k == size - 1) for k, p in enumerate(payloads)]
            for node in flow.members(cfg):
                wanted[node, flow.slot] += payloads
    by_slot = {(node, flow.slot): flow for flow in flows for node in flow.members(cfg)}
    got: dict[tuple[int, int], list[int]] = defaultdict(list)
    started: dict[Flow, int] = defaultdict(int)
    freed: dict[tuple[int, int], int] = defaultdict(int)
    most = 0

    def whole_blocks(node: int, slot: int) -> int:
        count, left = 0, len(got[node, slot])
        while left >= (size := 1 + (by_slot[node, slot].number + count) % 4) and count < blocks:
            count, left = count + 1, left - size
        return count

    async def bench(ctx: Any) -> None:
        nonlocal most
        await settle(ctx, dut, host)
        at, opened = dict.fromkeys(range(cfg.nodes), 0), dict.fromkeys(range(cfg.nodes), False)
        releasing: dict[int, int] = {}
        for _ in range(6000):
            await serve_host(ctx, dut, host, rng, 0.3)
            for node in range(cfg.nodes):
                tx, release = getattr(dut, f"tx_{node}"), getattr(dut, f"release_{node}")
                sent = sends[node][at[node]] if at[node] < len(sends[node]) else None
                ctx.set(tx.valid, sent is not None)
                if sent:
                    p = cfg.payload_bits
                    ctx.set(tx.payload.as_value(), sent[0] | sent[1] << p | sent[2] << (p + 4))
                if node not in releasing and rng.random() < 0.1:
                    full = [s for (n, s) in by_slot if n == node and whole_blocks(n, s) > freed[n, s]]
                    if full:
                        releasing[node] = rng.choice(full)
                ctx.set(release.valid, node in releasing)
                ctx.set(release.payload, releasing.get(node, 0))
            for node in range(cfg.nodes):
                tx, rx, release = (getattr(dut, f"{name}_{node}") for name in ("tx", "rx", "release"))
                if ctx.get(rx.valid):
                    got[node, ctx.get(rx.payload.slot)].append(ctx.get(rx.payload.payload))
                if node in releasing and ctx.get(release.ready):
                    freed[node, releasing.pop(node)] += 1
                if at[node] < len(sends[node]) and ctx.get(tx.ready):
                    _, number, last = sends[node][at[node]]
                    if not opened[node]:
                        flow = next(f for f in flows if (f.source, f.number) == (node, number))
                        started[flow] += 1
                        under_way = [started[flow] - freed[n, flow.slot] for n in flow.members(cfg)]
                        most = max(most, *under_way)
                    opened[node] = not last
                    at[node] += 1
            await ctx.tick()
            if all(freed[key] == blocks for key in by_slot):
                return
        raise AssertionError(f"{dict(freed)}")

    simulate(dut, bench, deadline=10_000)
    assert got == wanted
    assert most == 2


@pytest.mark.slow
def test_the_host_sets_up_sums_and_reads_counters() -> None:
    cfg = MeshConfig(columns=3, rows=2, payload_bits=32)
    dut: Any = Mesh(cfg)
    host = Host(cfg)
    group = Group(name="all", members=(0, 1, 2, 4, 5), root=4, context=1)
    for (node, context), entry in entries(cfg, [group]).items():
        host.control(node, write_entry(cfg, context, entry))
    for node in range(cfg.nodes):
        host.control(node, read(Counter.RECEIVED, 100 + node))
    sums: list[int] = []

    async def bench(ctx: Any) -> None:
        await settle(ctx, dut, host, 60)
        ctx.set(dut.result_4.ready, -1)
        for node in group.members:
            operand = getattr(dut, f"operand_{node}")
            ctx.set(operand.valid, 1)
            ctx.set(operand.payload, {"payload": 0xFFFF_0001 * (node + 1) & 0xFFFF_FFFF, "context": 1})
        await ctx.tick()
        for node in group.members:
            ctx.set(getattr(dut, f"operand_{node}").valid, 0)
        for _ in range(20):
            if ctx.get(dut.result_4.valid):
                sums.append(ctx.get(dut.result_4.payload.payload))
            await ctx.tick()

    simulate(dut, bench)
    total = 0
    for node in group.members:
        total = add_lanes(total, 0xFFFF_0001 * (node + 1) & 0xFFFF_FFFF, 32)
    assert sums == [total]
    # An entry each but at node 3, which has no part, and the read itself is not counted before its answer.
    received = {100 + node: int(node != 3) for node in range(cfg.nodes)}
    assert host.answers() == received


@pytest.mark.slow
@pytest.mark.parametrize("columns", [3, 9])
def test_what_is_malformed_is_dropped_and_blocks_nothing(columns: int) -> None:
    cfg = MeshConfig(columns=columns, rows=1, payload_bits=32, contexts=0)
    dut: Any = Mesh(cfg)
    host = Host(cfg)
    one, two = Destinations.one(1, 0).pack(cfg), Destinations.one(2, 0).pack(cfg)
    nowhere = 0 if cfg.masks else Destinations((1, 12), (0,)).pack(cfg)
    host.flit(1, 3, one)  # a slot that is not in use
    host.flit(2, 3, nowhere)
    host.flit(3, 3, one, host=True)  # from the host to the host
    host.flit(0, control_tag(cfg), one)  # control that says nothing
    host.control(1, write_members(cfg, 0, 1) | 7 << 26)  # a table that is none
    host.control(1, credit(0, 0))  # a credit for no block
    host.flit(write_slot(cfg, 3, 2, 1) & ~0xFFFF | nowhere, control_tag(cfg), one)  # a sender that is nowhere
    host.flit(4, 3, one)
    host.control(1, write_slot(cfg, 3, 2, 1))
    host.flit(5, 3, one)
    host.control(2, write_flow(cfg, 1, Destinations.one(1, 0), 3))
    host.control(2, write_members(cfg, 1, 1))
    host.flit(write_flow(cfg, 2, Destinations.one(1, 0), 3) & ~0xFFFF | nowhere, control_tag(cfg), two)
    # The host at a place that has none.
    host.control(2, write_flow(cfg, 3, Destinations.one(1, 0), 3, host=True))
    got: list[int] = []

    async def bench(ctx: Any) -> None:
        await settle(ctx, dut, host)
        for flow, payload in ((3, 4), (2, 6), (2, 7), (2, 8), (9, 9), (1, 10)):
            ctx.set(dut.tx_2.valid, 1)
            ctx.set(dut.tx_2.payload, {"payload": payload, "flow": flow, "last": 1})
            await ctx.tick().until(dut.tx_2.ready)
        ctx.set(dut.tx_2.valid, 0)
        for node, counter in ((0, Counter.UNROUTABLE), (1, Counter.DROPPED), (2, Counter.REFUSED), (2, Counter.SENT)):
            host.control(node, read(counter, node << 4 | counter))
            await settle(ctx, dut, host, 30)

    async def watch(ctx: Any) -> None:
        async for _, _, valid, payload in ctx.tick().sample(dut.rx_1.valid, dut.rx_1.payload.payload):
            if valid:
                got.append(payload)

    simulate(dut, bench, background=[watch])
    assert got == [5, 10]
    drops = {(0, Counter.UNROUTABLE): 2, (1, Counter.DROPPED): 6, (2, Counter.REFUSED): 4}
    # Two flits, and the answer to the read before.
    drops[2, Counter.SENT] = 3
    assert host.answers() == {node << 4 | counter: count for (node, counter), count in drops.items()}


@pytest.mark.slow
def test_the_host_sends_and_receives_blocks() -> None:
    cfg = MeshConfig(columns=2, rows=2, payload_bits=32, contexts=0)
    dut: Any = Mesh(cfg)
    host = Host(cfg)
    everyone = Destinations((0, 1), (0, 1))
    for node in range(cfg.nodes):
        host.control(node, write_slot(cfg, 2, None, 6))
        host.control(node, write_flow(cfg, 1, Destinations.one(0, 0), 9, host=True))
        host.control(node, write_members(cfg, 1, 1))
    for payload in (11, 12):
        host.flit(payload, 2, everyone.pack(cfg))
    got: dict[int, list[int]] = defaultdict(list)

    async def bench(ctx: Any) -> None:
        await settle(ctx, dut, host)
        for node in range(cfg.nodes):
            release, tx = getattr(dut, f"release_{node}"), getattr(dut, f"tx_{node}")
            ctx.set(release.valid, 1)
            ctx.set(release.payload, 2)
            await ctx.tick().until(release.ready)
            ctx.set(release.valid, 0)
            for block in range(3):
                ctx.set(tx.valid, 1)
                ctx.set(tx.payload, {"payload": node << 4 | block, "flow": 1, "last": 1})
                if block == 2:
                    await settle(ctx, dut, host, 20)
                    assert not ctx.get(tx.ready)
                    host.control(node, credit(1, 0))
                    await settle(ctx, dut, host, 20)
                else:
                    await ctx.tick().until(tx.ready)
            ctx.set(tx.valid, 0)
            await settle(ctx, dut, host, 20)

    async def watch(ctx: Any) -> None:
        ports = [
            signal for n in range(4) for rx in [getattr(dut, f"rx_{n}")] for signal in (rx.valid, rx.payload.payload)
        ]
        async for _, _, *values in ctx.tick().sample(*ports):
            for node in range(4):
                if values[2 * node]:
                    got[node].append(values[2 * node + 1])

    simulate(dut, bench, background=[watch])
    assert got == {node: [11, 12] for node in range(4)}
    assert sorted(p for p, tag in host.got if tag == 9) == [
        node << 4 | block for node in range(4) for block in range(3)
    ]
    # The credits of the nodes for the host's block.
    assert [p for p, tag in host.got if tag == control_tag(cfg)] == [credit(6, 0)] * 4

"""The whole mesh: set up by the host, blocks to many with credits, sums, counters, and what is malformed."""

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations, host_destination
from mho.hw.noc.interface.tables import Counter, credit, credit_tag, register_tag
from mho.hw.noc.node import Mesh
from mho.hw.noc.reduction.trees import Group, entries
from mho.hw.noc.registers.map import node_map, write_entry, write_flow, write_members, write_slot
from mho.hw.noc.registers.packet import host_address, page_address
from tests.hw.amaranth_bench import get, put, simulate
from tests.hw.noc.reduction.reduction_model import add_lanes


@dataclass
class Host:
    """The host of a mesh in simulation."""

    ctx: Any
    dut: Any

    async def access(self, node: int, address: int, data: int | None = None) -> int:
        """Write to a node, or read."""
        cfg, bus = self.dut.cfg, self.dut.host_bus
        where = host_address(cfg, node, address) // 4
        await put(self.ctx, bus.request, {
            "address": where, "write": data is not None, "data": data or 0, "strobe": 15,
        })
        response = await get(self.ctx, bus.response)
        assert not response.error
        return response.data

    async def write(self, node: int, *writes: tuple[int, int]) -> None:
        for address, value in writes:
            await self.access(node, address, value)

    async def count(self, node: int, counter: Counter) -> int:
        return await self.access(node, page_address(node_map(self.dut.cfg)[counter.name.lower()].address))

    async def flit(self, payload: int, tag: int, to: int, host: bool = False) -> None:
        p, t = self.dut.cfg.payload_bits, self.dut.cfg.tag_bits
        await put(self.ctx, self.dut.host_send, payload | tag << p | host << (p + t) | to << (p + t + 1))

    async def set_up(self, flows: "list[Flow]") -> None:
        cfg = self.dut.cfg
        for flow in flows:
            members = flow.members(cfg)
            for node in members:
                await self.write(node, write_slot(cfg, flow.slot, flow.source, flow.number))
            await self.write(flow.source, write_flow(cfg, flow.number, flow.to, flow.slot))
            await self.write(flow.source, write_members(cfg, flow.number, len(members)))


@dataclass(frozen=True)
class Flow:
    source: int
    number: int
    slot: int
    to: Destinations

    def members(self, cfg: MeshConfig) -> list[int]:
        return sorted(cfg.node(x, y) for x, y in self.to.nodes if cfg.node(x, y) != self.source)


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
        pytest.param(MeshConfig(columns=3, rows=2, payload_bits=64, depth=2), marks=pytest.mark.long),
        MeshConfig(columns=2, rows=2, payload_bits=32, contexts=0, depth=1),
    ],
    ids=lambda cfg: f"{cfg.columns}x{cfg.rows}-{cfg.depth}",
)
def test_blocks_arrive_whole_and_two_are_under_way_at_most(cfg: MeshConfig) -> None:
    dut: Any = Mesh(cfg)
    rng = random.Random(cfg.nodes + cfg.depth)
    flows = random_flows(rng, cfg)
    blocks = 3
    sends: dict[int, list[tuple[int, int, bool]]] = defaultdict(list)
    expected: dict[tuple[int, int], list[int]] = defaultdict(list)
    for block in range(blocks):
        for flow in flows:
            size = 1 + (flow.number + block) % 4
            payloads = [rng.getrandbits(cfg.payload_bits) for _ in range(size)]
            sends[flow.source] += [(p, flow.number, k == size - 1) for k, p in enumerate(payloads)]
            for node in flow.members(cfg):
                expected[node, flow.slot] += payloads
    by_slot = {(node, flow.slot): flow for flow in flows for node in flow.members(cfg)}
    got: dict[tuple[int, int], list[int]] = defaultdict(list)
    started: dict[Flow, int] = defaultdict(int)
    freed: dict[tuple[int, int], int] = defaultdict(int)
    peak = 0

    def whole_blocks(node: int, slot: int) -> int:
        count, left = 0, len(got[node, slot])
        while left >= (size := 1 + (by_slot[node, slot].number + count) % 4) and count < blocks:
            count, left = count + 1, left - size
        return count

    async def bench(ctx: Any) -> None:
        nonlocal peak
        await Host(ctx, dut).set_up(flows)
        at, opened = dict.fromkeys(range(cfg.nodes), 0), dict.fromkeys(range(cfg.nodes), False)
        releasing: dict[int, int] = {}
        for _ in range(6000):
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
                        peak = max(peak, *under_way)
                    opened[node] = not last
                    at[node] += 1
            await ctx.tick()
            if all(freed[key] == blocks for key in by_slot):
                return
        raise AssertionError(f"{dict(freed)}")

    simulate(dut, bench, deadline=10_000)
    assert got == expected
    assert peak == 2


@pytest.mark.slow
def test_the_host_sets_up_sums_and_reads_counters() -> None:
    cfg = MeshConfig(columns=3, rows=2, payload_bits=32)
    dut: Any = Mesh(cfg)
    group = Group(name="all", members=(0, 1, 2, 4, 5), root=4, context=1)
    sums: list[int] = []
    received: list[int] = []

    async def bench(ctx: Any) -> None:
        host = Host(ctx, dut)
        for (node, context), entry in entries(cfg, [group]).items():
            await host.write(node, write_entry(cfg, context, entry))
        received.extend([await host.count(node, Counter.RECEIVED) for node in range(cfg.nodes)])
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
    # A write of two words each but at node 3, which has no part; a read does not count itself.
    assert received == [2 * (node != 3) for node in range(cfg.nodes)]


@pytest.mark.slow
@pytest.mark.parametrize("columns", [3, 9])
def test_what_is_malformed_is_dropped_and_blocks_nothing(columns: int) -> None:
    cfg = MeshConfig(columns=columns, rows=1, payload_bits=32, contexts=0)
    dut: Any = Mesh(cfg)
    destination = Destinations.one(1, 0).pack(cfg)
    nowhere = 0 if cfg.masks else Destinations((1, 12), (0,)).pack(cfg)
    got: list[int] = []
    lost: list[int] = []
    counts: list[int] = []

    async def bench(ctx: Any) -> None:
        host = Host(ctx, dut)
        await host.flit(1, 3, destination)  # a slot that is not in use
        await host.flit(2, 3, nowhere)
        await host.flit(3, 3, host_destination(cfg), host=True)  # from the host to the host
        await host.flit(0, register_tag(cfg), destination)  # the host does not make requests by itself
        await host.flit(credit(0, 0), credit_tag(cfg), destination)  # a credit for no block
        at, value = write_slot(cfg, 3, 2, 1)
        await host.write(1, (at, value & ~0xFFFF | nowhere))  # a sender that is nowhere
        await host.flit(4, 3, destination)
        await host.write(1, (at, value))
        await host.flit(5, 3, destination)
        at, value = write_flow(cfg, 2, Destinations.one(1, 0), 3)
        await host.write(2, write_flow(cfg, 1, Destinations.one(1, 0), 3), write_members(cfg, 1, 1))
        await host.write(2, (at, value & ~0xFFFF | nowhere), (at + 4, value | 0xF << 16))  # a tag that is no slot
        for flow, payload in ((3, 4), (2, 6), (2, 7), (2, 8), (9, 9), (1, 10)):
            ctx.set(dut.tx_2.valid, 1)
            ctx.set(dut.tx_2.payload, {"payload": payload, "flow": flow, "last": 1})
            await ctx.tick().until(dut.tx_2.ready)
        ctx.set(dut.tx_2.valid, 0)
        await ctx.tick().repeat(20)
        counts.extend([await host.count(1, Counter.DROPPED), await host.count(2, Counter.REFUSED)])

    async def watch(ctx: Any) -> None:
        signals = [dut.rx_1.valid, dut.rx_1.payload.payload, dut.host_lost]
        async for _, _, valid, payload, strobe in ctx.tick().sample(*signals):
            got.extend([payload] if valid else [])
            lost.extend([1] if strobe else [])

    simulate(dut, bench, background=[watch])
    assert got == [5, 10]
    assert len(lost) == 3
    assert counts == [3, 5]


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2, 2), (9, 1)])
def test_the_host_sends_and_receives_blocks(shape: tuple[int, int]) -> None:
    cfg = MeshConfig(columns=shape[0], rows=shape[1], payload_bits=32, contexts=0)
    dut: Any = Mesh(cfg)
    everyone = Destinations(tuple(range(cfg.columns)), tuple(range(cfg.rows)))
    got: dict[int, list[int]] = defaultdict(list)
    at_host: list[tuple[int, int]] = []

    async def bench(ctx: Any) -> None:
        host = Host(ctx, dut)
        for node in range(cfg.nodes):
            await host.write(node, write_slot(cfg, 2, None, 6), write_flow(cfg, 1, None, 9), write_members(cfg, 1, 1))
        for payload in (11, 12):
            await host.flit(payload, 2, everyone.pack(cfg))
        await ctx.tick().repeat(20)
        for node in range(cfg.nodes):
            release, tx = getattr(dut, f"release_{node}"), getattr(dut, f"tx_{node}")
            await put(ctx, release, 2)
            for block in range(2):
                await put(ctx, tx, {"payload": node << 4 | block, "flow": 1, "last": 1})
            ctx.set(tx.valid, 1)
            ctx.set(tx.payload, {"payload": node << 4 | 2, "flow": 1, "last": 1})
            await ctx.tick().repeat(20)
            assert not ctx.get(tx.ready)
            await host.flit(credit(1, 0), credit_tag(cfg), Destinations.one(*cfg.position(node)).pack(cfg))
            await ctx.tick().until(tx.ready)
            ctx.set(tx.valid, 0)
        await ctx.tick().repeat(20)

    async def watch(ctx: Any) -> None:
        arrivals = [getattr(dut, f"rx_{n}") for n in range(cfg.nodes)]
        ports = [signal for rx in arrivals for signal in (rx.valid, rx.payload.payload)]
        host = [dut.host_receive.valid, dut.host_receive.payload.payload, dut.host_receive.payload.tag]
        async for _, _, *values in ctx.tick().sample(*ports, *host):
            for node in range(cfg.nodes):
                if values[2 * node]:
                    got[node].append(values[2 * node + 1])
            if values[-3]:
                at_host.append((values[-2], values[-1]))

    simulate(dut, bench, background=[watch])
    assert got == {node: [11, 12] for node in range(cfg.nodes)}
    assert sorted(p for p, tag in at_host if tag == 9) == [
        node << 4 | block for node in range(cfg.nodes) for block in range(3)
    ]
    # The credits of the nodes for the host's block.
    assert [p for p, tag in at_host if tag == credit_tag(cfg)] == [credit(6, 0)] * cfg.nodes
    assert len(at_host) == 4 * cfg.nodes

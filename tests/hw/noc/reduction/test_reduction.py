"""Sums of trees: the hardware equals the model in every cycle, and the model gives exact sums."""

import random
from typing import Any

import numpy as np
import pytest

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.reduction.trees import Entry, Group, entries
from mho.macro_models.errors import InputError
from tests.hw.amaranth_bench import simulate
from tests.hw.noc.reduction.reduction_model import Operand, ReductionModel, Sum, add_lanes
from tests.hw.noc.reduction.reduction_network import ReductionNetwork


def random_groups(rng: random.Random, cfg: MeshConfig) -> list[Group]:
    """Groups that fit their contexts, at least one of several members."""
    groups: list[Group] = []
    for trial in range(30):
        members = rng.sample(range(cfg.nodes), rng.randint(1, min(cfg.nodes, 5)) if trial else min(cfg.nodes, 5))
        group = Group(
            name=f"g{trial}", members=tuple(members), root=rng.randrange(cfg.nodes), context=rng.randrange(cfg.contexts)
        )
        try:
            entries(cfg, [*groups, group])
        except InputError:
            continue
        groups.append(group)
    return groups


def random_operands(
    rng: random.Random, cfg: MeshConfig, groups: list[Group], count: int, gap: float
) -> dict[int, list[Operand]]:
    """``count`` operands of each member, those of its contexts in any order, with pauses."""
    operands = {}
    for node in range(cfg.nodes):
        order = [g.context for g in groups if node in g.members for _ in range(count)]
        rng.shuffle(order)
        cycle, sent = 0, []
        for context in order:
            cycle += rng.random() < gap and rng.randrange(8)
            sent.append(Operand(context, rng.getrandbits(cfg.payload_bits), cycle))
        operands[node] = sent
    return operands


def expected_sums(cfg: MeshConfig, groups: list[Group], operands: dict[int, list[Operand]]) -> dict[tuple, list[int]]:
    sums = {}
    for group in groups:
        columns = [[o.payload for o in operands[n] if o.context == group.context] for n in group.members]
        lanes = np.array(
            [[[p >> lane & 0xFFFF for lane in range(0, cfg.payload_bits, 16)] for p in c] for c in columns]
        )
        total = lanes.sum(axis=0) & 0xFFFF
        sums[group.root, group.context] = [sum(int(v) << 16 * k for k, v in enumerate(row)) for row in total]
    return sums


def run_hardware(
    cfg: MeshConfig, table: dict[tuple[int, int], Entry], operands: dict[int, list[Operand]], accept: Any, sums: int
) -> list[Sum]:
    dut: Any = ReductionNetwork(cfg)
    results: list[Sum] = []

    async def bench(ctx: Any) -> None:
        for (node, context), entry in table.items():
            setup = getattr(dut, f"setup_{node}")
            ctx.set(setup.valid, 1)
            ctx.set(setup.entry.as_value(), entry.pack())
            if cfg.contexts > 1:
                ctx.set(setup.context, context)
            await ctx.tick()
            ctx.set(setup.valid, 0)
        left = {node: list(sent) for node, sent in operands.items()}
        await ctx.tick().repeat(2)
        for cycle in range(20_000):
            if len(results) == sums:
                return
            for node, waiting in left.items():
                operand, result = getattr(dut, f"operand_{node}"), getattr(dut, f"result_{node}")
                ctx.set(result.ready, -int(accept[cycle % len(accept), node]))
                ready = ctx.get(operand.ready)
                sent = next((o for o in waiting if o.earliest <= cycle and ready >> o.context & 1), None)
                ctx.set(operand.valid, sent is not None)
                if sent is not None:
                    waiting.remove(sent)
                    ctx.set(operand.payload.as_value(), sent.payload | sent.context << cfg.payload_bits)
            for node in range(cfg.nodes):
                result = getattr(dut, f"result_{node}")
                if ctx.get(result.valid):
                    context = ctx.get(result.payload.context) if cfg.contexts > 1 else 0
                    results.append(Sum(cycle, node, context, ctx.get(result.payload.payload)))
            await ctx.tick()

    simulate(dut, bench, deadline=25_000)
    return results


CONFIGS = [
    MeshConfig(columns=2, rows=2, payload_bits=32),
    MeshConfig(columns=3, rows=2, payload_bits=64, contexts=4),
    MeshConfig(columns=3, rows=3, payload_bits=32, contexts=1, depth=2),
    MeshConfig(columns=2, rows=3, payload_bits=32, contexts=2, depth=2),
]


@pytest.mark.slow
@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("cfg", CONFIGS, ids=lambda cfg: f"{cfg.columns}x{cfg.rows}-{cfg.contexts}-{cfg.depth}")
def test_hardware_equals_the_model_in_every_cycle(cfg: MeshConfig, stall: float) -> None:
    compare(cfg, stall, 15)


def test_hardware_equals_the_model_of_two_nodes() -> None:
    compare(MeshConfig(columns=2, rows=1, payload_bits=32, contexts=2), 0.4, 10)


def compare(cfg: MeshConfig, stall: float, count: int) -> None:
    rng = random.Random(cfg.nodes + int(10 * stall))
    groups = random_groups(rng, cfg)
    table, operands = entries(cfg, groups), random_operands(rng, cfg, groups, count, stall)
    accept = np.random.default_rng(3).random((61, cfg.nodes)) >= stall
    expected = ReductionModel(cfg, table).run(operands, cycles=20_000, accept=accept, sums=count * len(groups))
    assert run_hardware(cfg, table, operands, accept, count * len(groups)) == expected


@pytest.mark.parametrize("seed", range(12))
def test_sums_are_exact(seed: int) -> None:
    rng = random.Random(seed)
    cfg = MeshConfig(
        columns=rng.randint(2, 6), rows=rng.randint(1, 6), contexts=rng.choice((1, 2, 4)), depth=rng.choice((1, 4, 16))
    )
    groups = random_groups(rng, cfg)
    operands = random_operands(rng, cfg, groups, 20, 0.3)
    accept = np.random.default_rng(seed).random((61, cfg.nodes)) >= 0.3
    results = ReductionModel(cfg, entries(cfg, groups)).run(
        operands, cycles=30_000, accept=accept, sums=20 * len(groups)
    )
    sums: dict[tuple, list[int]] = {}
    for result in results:
        sums.setdefault((result.node, result.context), []).append(result.payload)
    assert sums == expected_sums(cfg, groups, operands)


def test_a_chain_takes_a_cycle_a_hop_and_a_flit_a_cycle() -> None:
    cfg = MeshConfig(columns=2, rows=6)
    table = entries(cfg, [Group(name="column", members=(0, 2, 4, 6), root=6, context=1)])
    results = ReductionModel(cfg, table).run({n: [Operand(1, n + 1)] * 9 for n in (0, 2, 4, 6)}, cycles=100)
    assert [(r.cycle, r.payload) for r in results] == [(4 + k, 16) for k in range(9)]


def test_a_context_does_not_wait_for_another() -> None:
    cfg = MeshConfig(columns=3, rows=1)
    groups = [Group(name="stuck", members=(0, 1), root=2), Group(name="free", members=(0, 1), root=2, context=1)]
    operands = {0: [Operand(0, 1)] * 3 + [Operand(1, 5)] * 20, 1: [Operand(1, 6)] * 20}
    results = ReductionModel(cfg, entries(cfg, groups)).run(operands, cycles=60)
    assert [(r.context, r.payload) for r in results] == [(1, 11)] * 20
    assert results[-1].cycle - results[0].cycle == 19


def test_lanes_wrap_apart() -> None:
    assert add_lanes(0xFFFF_8000_0001_7FFF, 0x0001_8000_FFFF_0001, 64) == 0x0000_0000_0000_8000

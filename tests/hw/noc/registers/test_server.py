"""Requests at a node: what its registers, its tile and the answers become, whatever waits."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.model import Answer, NodeModel, TableRow, TileMemory
from mho.hw.noc.registers.node import NodeRegisters
from mho.hw.noc.registers.packet import Burst, page_address
from tests.hw.amaranth_bench import simulate
from tests.hw.noc.bench_registers import TILE_WORDS, random_burst, serve_tile

CFG = MeshConfig(columns=3, rows=2, payload_bits=32)


class Wrapped:
    """The registers of a node, its tile, and all that was written to its tables."""

    def __init__(self, cfg: MeshConfig, rng: random.Random, stall: float) -> None:
        self.dut: Any = NodeRegisters(cfg)
        self.cfg, self.rng, self.stall = cfg, rng, stall
        self.tile = TileMemory(TILE_WORDS)
        self.rows: list[TableRow] = []
        self.entries: list[int] = [0] * cfg.contexts

    async def watch(self, ctx: Any) -> None:
        tables, names = self.dut.tables, ("flow", "members", "slot")
        signals = [tables.row, tables.value, *(getattr(tables, name) for name in names)]
        if self.cfg.contexts:
            signals += [self.dut.setup.valid, self.dut.setup.context, self.dut.setup.entry]
        while True:
            ready = self.rng.random() >= self.stall
            ctx.set(tables.ready, ready)
            _, _, row, value, flow, members, slot, *setup = await ctx.tick().sample(*signals)
            assert flow + members + slot <= 1
            if flow + members + slot and ready:
                self.rows.append(TableRow(names[members + 2 * slot], row, value))
            if setup and setup[0]:
                self.entries[setup[1] if self.cfg.contexts > 1 else 0] = setup[2].as_bits()

    def run(self, requests: list[Burst]) -> list[list[int]]:
        answers: list[list[int]] = []

        async def ask(ctx: Any) -> None:
            for request in requests:
                # Words come in a row or with gaps, and nothing can hold them up.
                for word in (request.pack(), *(request.data or ())):
                    ctx.set(self.dut.request.payload, word)
                    ctx.set(self.dut.request.valid, 1)
                    await ctx.tick()
                    ctx.set(self.dut.request.valid, 0)
                    while self.rng.random() < self.stall:
                        await ctx.tick()
                answer: list[int] = []
                while len(answer) < (1 if request.data else request.count + 1):
                    ready = self.rng.random() >= self.stall
                    ctx.set(self.dut.answer.ready, ready)
                    port = self.dut.answer
                    _, _, valid, word = await ctx.tick().sample(port.valid, port.payload)
                    if valid and ready:
                        answer.append(word)
                ctx.set(self.dut.answer.ready, 0)
                answers.append(answer)

        tile = serve_tile(self.dut.tile, self.tile, self.rng, self.stall)
        simulate(self.dut, ask, background=[self.watch, tile], deadline=20_000)
        return answers


def check(cfg: MeshConfig, seed: int, stall: float, count: int) -> None:
    rng = random.Random(seed)
    requests = [random_burst(rng) for _ in range(count)]
    wrapped, model = Wrapped(cfg, rng, stall), NodeModel(cfg, TileMemory(TILE_WORDS))
    expected = [model.serve(request).words() for request in requests]
    assert wrapped.run(requests) == expected
    assert wrapped.tile.words == model.tile.words  # type: ignore[attr-defined]
    assert wrapped.rows == model.rows
    assert wrapped.entries == model.entries


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1 << 32), stall=st.sampled_from((0.0, 0.3, 0.7)))
@pytest.mark.slow
def test_accesses_and_answers_are_those_of_the_model(seed: int, stall: float) -> None:
    check(CFG, seed, stall, 8)


@pytest.mark.slow
@pytest.mark.parametrize("contexts", [0, 1, 4])
def test_with_other_contexts_and_tags(contexts: int) -> None:
    check(MeshConfig(columns=9, rows=2, payload_bits=32, contexts=contexts, tag_bits=3), contexts, 0.2, 60)


def test_a_burst_across_the_end_names_its_first_error() -> None:
    wrapped = Wrapped(CFG, random.Random(0), 0.0)
    base = 4 * (TILE_WORDS - 3)
    answers = wrapped.run([Burst(base, (1, 2, 3, 4, 5), 5), Burst(base, None, 5), Burst(base, (7,), 1, 0b0100)])
    assert answers == [[1 | 3 << 1], [1, 2, 3, 0, 0, 1 | 3 << 1], [0]]
    assert wrapped.tile.words[-3:] == [1, 2, 3]
    assert Answer((1, 2), True, 3).words() == [1, 2, 1 | 3 << 1]


def test_part_of_a_word_is_no_row_of_a_table() -> None:
    wrapped = Wrapped(CFG, random.Random(0), 0.0)
    at = page_address(0x040)
    requests = [Burst(at, (5,), 1, 0b0011), Burst(at, (6,)), Burst(page_address(0x100), (0x33,))]
    assert wrapped.run(requests) == [[1], [0], [0]]
    assert wrapped.rows == [TableRow("flow", 0, 6)]
    assert wrapped.entries == [0x33, 0]

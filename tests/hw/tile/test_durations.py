# amaranth: UnusedElaboratable=no
"""The table of durations beside the hardware: each instruction alone, with nothing to wait for."""

from itertools import pairwise
from typing import Any

import pytest

from mho.hw.core.draws import SEED_CYCLES
from mho.hw.tile.asm import assemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.host_map import program_writes
from mho.hw.tile.isa import INSTRUCTIONS, Op
from mho.hw.tile.rtl.controller import TileController
from tests.hw.amaranth_bench import simulate
from tests.hw.host.bus_access import access_bus

LINES = 64
CFG = TileConfig(lines=LINES, buffer_kib=1, parameters=24, instructions=80, draws=True)
HEAD = """\
stream a: base 0, block 16, blocks 30, first 10
stream b: base 480, block 16, blocks 4
stream c: base 600, block 4, blocks 4, first 2
stream d: base 700, block 32, blocks 4, first 4
stream e: base 840, block 32, blocks 4, first 2
parameters p { 16 * m 1 }
"""
GROUP, SOURCE = "group_of_lanes_and_term", "source_stream"


def run(text: str) -> tuple[list[tuple[int, Op]], list[int]]:
    """Cycles in which instructions retired, and how long each engine had something in hand."""
    dut: Any = TileController(CFG)
    retired: list[tuple[int, Op]] = []
    busy = [0, 0, 0]

    async def host(ctx: Any) -> None:
        for at, word in program_writes(assemble(HEAD + text), CFG):
            await access_bus(ctx, dut.bus, at, word)
        for port in (dut.o, dut.mask, dut.op, dut.codes):
            ctx.set(port.ready, 1)
        ctx.set(dut.drain.valid, 1)
        await access_bus(ctx, dut.bus, 0, 1)
        await ctx.tick().repeat(150)
        assert not ctx.get(dut.running) | ctx.get(dut.busy)
        assert await access_bus(ctx, dut.bus, 24) & 15 == 0

    async def watch(ctx: Any) -> None:
        now = 0
        async for _, _, retires, word, engines in ctx.tick().sample(dut.retire, dut.retired.word, dut.busy):
            now += 1
            if retires:
                retired.append((now, Op(word >> 27)))
            for k in range(len(busy)):
                busy[k] += engines >> k & 1

    simulate(dut, host, processes=[watch], deadline=4000)
    return retired, busy


def test_instructions_take_the_sequencer_what_the_table_says() -> None:
    """From one that retires to the next one; each is decoded in one more. HALT and LOOP retire a state sooner."""
    cases: list[tuple[Op, str, dict[str, int]]] = [
        (Op.WAIT, "wait a 2", {}), (Op.ROOM, "room a 2", {}), (Op.IMAGE, "image", {}),
        *((Op.FREE, f"free a {n}", {"block": n}) for n in (1, 3)),
        *((Op.PUSH, f"push b {n}", {"block": n}) for n in (1, 3)),
        *((Op.SET, "set 96: " + " ".join(["0x0"] * n), {"word": n}) for n in (1, 4)),
        (Op.LOOP, "loop 1 {\nwait a 1\n}", {}), (Op.HALT, "halt", {}),
    ]
    retired, _ = run("\n".join(["wait a 1", *(text for _, text, _ in cases)]))
    gaps = [(op, after - before - 1) for (before, _), (after, op) in pairwise(retired)]
    # The body of the loop, which ends it in a cycle more.
    (body,) = [k for k, (op, _) in enumerate(gaps) if k and gaps[k - 1][0] is Op.LOOP]
    loop = gaps[body - 1][1] + gaps.pop(body)[1] - INSTRUCTIONS[Op.WAIT].duration.cycles() - 1
    gaps[body - 1] = (Op.LOOP, loop)
    assert gaps == [(op, INSTRUCTIONS[op].duration.cycles(**units)) for op, _, units in cases]


@pytest.mark.slow
def test_an_operation_that_draws_begins_when_numbers_are_there() -> None:
    text = "vec v: a draw, target b, elements 16, parameters p, period 16\n"
    _, busy = run(f"{text}vec v\nhalt")
    alone = INSTRUCTIONS[Op.VEC].duration.cycles(**{GROUP: 8}) + 1
    # The cycle in which it begins is among those in which numbers are mixed.
    assert busy[1] == alone - 1 + SEED_CYCLES
    # Those of the next one are mixed from the last operands on, those of an image when its first draw is there.
    _, more = run(f"{text}vec v\nvec v\nhalt")
    assert more[1] == busy[1] + 8 + SEED_CYCLES + 2


@pytest.mark.slow
@pytest.mark.parametrize(("op", "text", "units"), [
    (Op.SEND, "send d, flow 1, free", {"block": 1, "flit": 4}),
    (Op.SEND, "send a, flow 1, blocks 2", {"block": 2, "flit": 4}),
    (Op.VEC, "vec v: kind max, a a, target b, elements 16\nvec v", {SOURCE: 1, GROUP: 4}),
    (Op.VEC, "vec v: kind max, a a, target b, elements 5\nvec v, push, free_a", {SOURCE: 1, GROUP: 2, "push": 1}),
    (Op.VEC, "vec v: kind product, a a, b a, target b, elements 16\nvec v", {SOURCE: 2, GROUP: 8}),
    (Op.VEC, "vec v: a a, target accumulators, elements 16, parameters p, period 16\nvec v", {SOURCE: 1, GROUP: 8}),
    (Op.CORE, "core masks d", {"word_of_32_bits": 8}),
    (Op.MVM, "walk u: stream e\nmvm k: i_last 7, o_last 3, in_bits 4, out_bits 8, step_code 256\n"
     "mvm k, u, advance, free", {}),
])
def test_an_instruction_takes_its_engine_what_the_table_says(op: Op, text: str, units: dict[str, int]) -> None:
    _, busy = run(f"{text}\nhalt")
    engines = {Op.SEND: 2, Op.VEC: 1, Op.CORE: 0, Op.MVM: 0}
    assert busy[engines[op]] == INSTRUCTIONS[op].duration.cycles(**units)

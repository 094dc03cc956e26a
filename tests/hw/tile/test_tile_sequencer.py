"""The sequencer with its tokens beside the interpreter: what retires, what SET writes, why it stops."""

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.state import LoopStack, TrapError
from mho.hw.tile.isa import DESCRIPTOR_WORDS, DESCRIPTORS, INSTRUCTIONS, STREAMS, Cause, Command, Op, decode, encode
from mho.hw.tile.rtl.rings import RingScoreboard
from mho.hw.tile.rtl.sequencer.sequencer import Sequencer
from tests.hw.amaranth_bench import simulate
from tests.hw.tile.scoreboard_model import ScoreboardModel

CFG = TileConfig(instructions=16)
STEPS = 30
"""Instructions after which a program is left alone."""

PLANTED = (
    [encode(Op.LOOP, body=1, n=1, reg=1)], [encode(Op.SET, first=0, words=1)], [encode(Op.VEC)],
    [encode(Op.LOOP, body=k, n=2) for k in (5, 4, 3, 2, 1)], [16 << 27], [encode(Op.WAIT, n=0)],
    [encode(Op.FREE, stream=3, n=200)], [encode(Op.PUSH, stream=15, n=1)], [encode(Op.HALT) | 1], [25 << 27],
)
"""What is at address 3 of the first programs."""


def random_word(rng: np.random.Generator, plain: bool) -> int:
    """An instruction that is legal, mostly; of a plain program one that does not wait."""
    op = Op(int(rng.choice(12, p=[0.01, 0.25, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.04])))
    if plain and op not in (Op.LOOP, Op.SET):
        op = Op(int(rng.choice([Op.MVM, Op.VEC, Op.CORE])))
    stream, n = int(rng.integers(STREAMS)), 1 + int(rng.random() < 0.2)
    fields = {
        Op.LOOP: {"body": int(rng.choice([1, 2, 3, 5])), "n": int(rng.integers(3)), "reg": 0},
        Op.SET: {"first": int(rng.integers(32, 157)), "words": int(rng.integers(1, 4))},
        Op.MVM: {"advance": 1}, Op.VEC: {}, Op.IMAGE: {}, Op.HALT: {}, Op.CORE: {"command": 2},
        Op.SEND: {"stream": stream, "n": n * n, "free": n - 1, "reduce": stream & 1,
                  "flow": stream % (CFG.contexts + 1)},
    }.get(op, {"stream": stream, "n": n})
    if op is Op.LOOP and not fields["n"]:
        fields["reg"] = int(rng.integers(4))
    word = encode(op, **fields)
    if rng.random() < 0.04:
        word ^= 1 << (31 if rng.integers(2) else int(rng.integers(32)))
    return word


def expect(
    words: list[int], streams: list[dict[str, int]], registers: list[int], stop: bool
) -> tuple[list[int], list[tuple[int, int]], tuple[Cause, int, int] | None, bool]:
    """Addresses that retire, writes of SET, cause, address and stream of the trap, and whether it ends otherwise.

    As :class:`mho.hw.tile.interpreter.tiles.TileMachine`, of which it takes the loops, with engines that only take.
    """
    tokens, loops, pc = ScoreboardModel(streams), LoopStack(len(words)), 0
    retired: list[int] = []
    writes: list[tuple[int, int]] = []
    while len(retired) < STEPS:
        if pc >= len(words):
            return retired, writes, (Cause.END, pc, 0), False
        try:
            op, fields, cause = decode(words[pc])
            wrong, number = own_cause(op, fields, cause, pc, len(words), tokens, streams)
            if wrong is not Cause.NONE or op is None:
                return retired, writes, (wrong, pc, number), False
            if not carry_out(op, fields, tokens):
                return retired, writes, None, False
            if op is Op.CORE and streams[fields["source"]]["block"] % 8:
                return retired, writes, (Cause.CORE, pc, 0), False
            if op is Op.SET:
                writes += [(fields["first"] + k, words[pc + 1 + k]) for k in range(fields["words"])]
            if op is Op.LOOP:
                counted = fields["n"] or fields["reg"]
                times = fields["n"] or (registers[fields["reg"] - 1] if fields["reg"] else None)
                following = loops.open(pc, fields["body"], times if counted else None)
            elif op is Op.HALT or (op is Op.IMAGE and stop):
                return [*retired, pc], writes, None, True
            else:
                following = loops.following(pc + fields["words"] if op is Op.SET else pc)
        except TrapError as trap:
            return retired, writes, (trap.cause, pc, 0), False
        retired.append(pc)
        pc = following
    return retired, writes, None, False


def own_cause(
    op: Op | None, fields: dict[str, int], cause: Cause, pc: int, size: int, tokens: ScoreboardModel,
    streams: list[dict[str, int]],
) -> tuple[Cause, int]:
    """The least cause that the sequencer sees by itself, and the stream concerned."""
    if op is None:
        return cause, 0
    causes = [(cause, 0)] if cause is not Cause.NONE else []
    causes += [(Cause.FIELD, 0)] if INSTRUCTIONS[op].layout.illegal(fields) is not None else []
    if op is Op.LOOP and fields["n"] and fields["reg"]:
        causes.append((Cause.FIELD, 0))
    if op is Op.SET and not DESCRIPTORS["walk"].first <= fields["first"] <= DESCRIPTOR_WORDS - fields["words"]:
        causes.append((Cause.ADDRESS, 0))
    if op is Op.SET and pc + fields["words"] >= size:
        causes.append((Cause.END, 0))
    if op is Op.MVM and fields["free"] > fields["advance"]:
        causes.append((Cause.FIELD, 0))
    if op is Op.CORE:
        causes += [(Cause.RESERVED, 0)] * (fields["command"] != Command.MASKS)
    if op in (Op.WAIT, Op.ROOM, Op.FREE, Op.PUSH):
        ring = tokens.rings[fields["stream"]]
        causes += [(Cause.RING, fields["stream"])] * (fields["n"] > ring.blocks)
        causes += [(Cause.OWNER, fields["stream"])] * (op in (Op.ROOM, Op.PUSH) and ring.remote)
    if op is Op.SEND:
        stream = streams[fields["stream"]]
        illegal = fields["reduce"] and (fields["flow"] >= CFG.contexts or stream["block"] % 2)
        causes += [(Cause.FIELD, fields["stream"])] * bool(illegal)
        causes += [(Cause.RING, fields["stream"])] * (not fields["free"] and fields["n"] > stream["blocks"])
    return min(causes, default=(Cause.NONE, 0))


def carry_out(op: Op, fields: dict[str, int], tokens: ScoreboardModel) -> bool:
    """Whether a token instruction can go on; does what it does."""
    if op is Op.CORE:
        if not tokens.rings[fields["source"]].there:
            return False
        if fields["free"] and not tokens.rings[fields["source"]].block % 8:
            tokens.change(fields["source"], free=True)
    if op in (Op.WAIT, Op.FREE) and tokens.rings[fields["stream"]].there < fields["n"]:
        return False
    ring = tokens.rings[fields["stream"]] if "stream" in fields else None
    if op in (Op.ROOM, Op.PUSH) and ring is not None and ring.there + fields["n"] > ring.blocks:
        return False
    for _ in range(fields["n"] if op in (Op.FREE, Op.PUSH) else 0):
        tokens.change(fields["stream"], free=op is Op.FREE)
    return True


class Bench(wiring.Component):
    """A sequencer with its tokens."""

    def __init__(self) -> None:
        self.sequencer: Any = Sequencer(CFG)
        self.tokens: Any = RingScoreboard(changes=1, asks=1)
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer, m.submodules.tokens = self.sequencer, self.tokens
        wiring.connect(m, self.sequencer.ask, self.tokens.ask[0])
        wiring.connect(m, self.sequencer.change, self.tokens.change[0])
        return m


@pytest.mark.slow
def test_programs_run_as_in_the_interpreter() -> None:
    rng = np.random.default_rng(3)
    bench = Bench()
    causes: list[Cause | None] = []

    async def load(ctx: Any, words: list[int], streams: list[dict[str, int]]) -> None:
        for part, rows in ((bench.tokens, [w for s in streams for w in DESCRIPTORS["stream"].layout.pack(s)]),
                           (bench.sequencer, words)):
            ctx.set(part.write, 1)
            for k, word in enumerate(rows):
                ctx.set(part.write_index, k)
                ctx.set(part.write_data, word)
                await ctx.tick()
            ctx.set(part.write, 0)
        ctx.set(bench.tokens.start, 1)
        await ctx.tick()
        ctx.set(bench.tokens.start, 0)
        await ctx.tick().until(bench.tokens.ready)

    async def one(ctx: Any, number: int) -> None:
        dut = bench.sequencer
        ctx.set(dut.soft_reset, 1)
        await ctx.tick()
        ctx.set(dut.soft_reset, 0)
        plain = bool(rng.integers(2))
        words = [random_word(rng, plain) for _ in range(CFG.instructions)]
        if number < len(PLANTED):
            words = [encode(Op.VEC)] * CFG.instructions
            words[3 : 3 + len(PLANTED[number])] = PLANTED[number]
        streams = []
        for k in range(STREAMS):
            remote, blocks = int(k == STREAMS - 1), int(rng.integers(1, 12))
            blocks += 2 * remote
            streams.append({"base": 0, "block": 2 - k % 3 // 2, "blocks": blocks, "remote": remote, "slot": 0,
                            "first": int(rng.integers(blocks - 2 * remote + 1))})
        registers, stop = rng.integers(0, 3, 3).tolist(), bool(rng.integers(2))
        await load(ctx, words, streams)
        retired, writes, trap, ended = expect(words, streams, registers, stop)
        for port, value in zip(dut.registers, registers, strict=True):
            ctx.set(port, value)
        ctx.set(dut.stop, stop)
        ctx.set(dut.start, 1)
        pcs: list[int] = []
        done: list[tuple[int, int]] = []
        quiet = offered = 0
        while quiet < 40 and len(pcs) < len(retired) + (len(retired) < STEPS):
            ctx.set(dut.idle, int(rng.integers(2)))
            ctx.set(dut.quiet, int(rng.integers(2)))
            # An engine looks at an instruction before it takes it.
            ctx.set(dut.issue.ready, offered and int(rng.integers(2)))
            ctx.set(dut.set.ready, int(rng.integers(2)))
            _, _, retires, pc, sets, write, offered = await ctx.tick().sample(
                dut.retire, dut.retired.pc, dut.set.valid & dut.set.ready, dut.set.payload, dut.issue.valid)
            ctx.set(dut.start, 0)
            quiet = 0 if retires or sets else quiet + 1
            pcs += [pc] * retires
            done += [(write.index, write.word)] * sets
        assert pcs[: len(retired)] == retired
        if len(retired) < STEPS:
            assert pcs == retired
            assert done == writes
            ctx.set(dut.quiet, 1)
            await ctx.tick().repeat(3)
            assert ctx.get(dut.trap.cause) == (trap[0] if trap else 0)
            assert ctx.get(dut.running) == (trap is None and not ended)
            if trap:
                assert (ctx.get(dut.trap.pc), ctx.get(dut.trap.stream)) == trap[1:]
            causes.append(trap[0] if trap else None)

    async def run(ctx: Any) -> None:
        for number in range(26):
            await one(ctx, number)

    simulate(bench, run, deadline=1_000_000)
    assert {Cause(k) for k in range(Cause.OPCODE, Cause.PRODUCT)} | {None, Cause.CORE} == set(causes)

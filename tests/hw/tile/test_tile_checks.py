"""Checks of descriptors beside the rules, on descriptors at the edge of what is legal."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import DESCRIPTOR_WORDS, DESCRIPTORS, INSTRUCTIONS, Cause, Op, Operand, encode
from mho.hw.tile.isa.legality import refusal
from mho.hw.tile.isa.window import sliding_window
from mho.hw.tile.rtl.engines.checks import MvmCheck, VecCheck, walk_wrongs
from mho.hw.tile.rtl.layouts import DescriptorLayout
from mho.hw.tile.rtl.rings import WRONGS
from tests.hw.amaranth_bench import simulate

CFG = TileConfig(lines=64, buffer_kib=64, parameters=64, contexts=2)
STREAM = {"block": 4095, "blocks": 16}
"""In which everything has its place."""


def clocked(part: Any) -> Module:
    """What has no clock, in what has one."""
    m = Module()
    m.submodules.part = part
    m.d.sync += Signal().eq(1)
    return m


def values(kind: str, rng: np.random.Generator) -> dict[str, int]:
    """A descriptor that is legal by itself, mostly."""
    fields = {}
    for field in DESCRIPTORS[kind].layout.fields:
        low, high = field.range
        edge = rng.choice([low, min(high, low + 1), min(high, low + 2), high, int(rng.integers(low, high + 1))])
        fields[field.name] = int(edge)
    if kind == "walk":
        # The third stream is that of targets.
        fields["stream"] += fields["stream"] == 3
        fields |= {"run": min(fields["run"], 40), "channel": min(fields["channel"], 4000),
                  "pad": int(rng.integers(65480, 65536)),
                  "repeat": int(rng.choice([1, 1, 2])), "tail": int(rng.choice([0, 0, 3]))}
        fields |= {name: int(rng.integers(1, 3)) for name in ("kernel_x", "kernel_y")}
        if rng.random() < 0.7:
            fields["pad"] = 0
    if kind == "vec":
        fields |= {"a": int(rng.choice([1, 2, 16, 17, 24, 25, 26, 28, 30, 31])),
                  "kind": int(rng.choice([0, 0, 1, 2, 3, 4])),
                  "b": int(rng.choice([0, 1, 2, 17, 16, 25, 31, 31, 31])), "target": int(rng.choice([3, 3, 25, 26]))}
        fields |= {f"{name}_format": int(rng.choice([0, 1, 2, 2])) for name in "ab"}
        fields |= {f"{name}_offset": int(rng.choice([0, 0, 0, 250])) for name in ("a", "b", "target")}
        fields |= {"elements": int(rng.choice([1, 4, 16, 256, 257])), "add": int(rng.random() < 0.15),
                  "parameters": int(rng.integers(70)), "period": int(rng.choice([1, 4, 32, 63]))}
        if rng.random() < 0.6:
            fields |= {"lo": 0, "hi": int(rng.choice([5, 1023, 1024])), "parameters": 0, "period": 4}
    if kind == "mvm":
        fields |= {"i_first": 0, "i_last": int(rng.choice([15, 15, 16])), "o_first": int(rng.choice([0, 1, 32])),
                  "o_last": int(rng.choice([31, 31, 32])), "conversions": int(rng.integers(0, 9) > 0)}
    return fields


def memory_of(rng: np.random.Generator) -> list[int]:
    memory = [0] * DESCRIPTOR_WORDS
    for number in range(16):
        wrong = [{}, {"first": 17}, {"blocks": 17, "base": 1}] if number < 8 else [{}]
        fields = STREAM | wrong[int(rng.choice(len(wrong), p=[0.98, 0.01, 0.01]) if len(wrong) > 1 else 0)]
        memory[DESCRIPTORS["stream"].at(number)] = DESCRIPTORS["stream"].layout.pack(fields)
    memory[DESCRIPTORS["stream"].at(3)] = DESCRIPTORS["stream"].layout.pack(
        STREAM | {"block": int(rng.choice([16, 4095])), "remote": int(rng.random() < 0.3)})
    for kind, count in (("walk", 2), ("vec", 1), ("mvm", 1)):
        for number in range(count):
            memory[DESCRIPTORS[kind].at(number)] = DESCRIPTORS[kind].layout.pack(values(kind, rng))
    if rng.random() < 0.1:
        memory[int(rng.choice([32, 36, 64, 66, 96, 98, 99]))] ^= 1 << int(rng.integers(32))
    return memory


def bits(memory: list[int], kind: str, number: int) -> int:
    return sum(word << 32 * k for k, word in enumerate(memory[DESCRIPTORS[kind].at(number)]))


def block_of(memory: list[int], stream: int) -> int:
    return DESCRIPTORS["stream"].layout.unpack(memory[DESCRIPTORS["stream"].at(stream)])["block"]


def verdict(memory: list[int], stream: int) -> int:
    """What is wrong with a stream alone, by its place in ``WRONGS``."""
    cause, _ = refusal(Op.WAIT, {"stream": stream, "n": 1}, memory, CFG)
    return WRONGS.index(cause) if cause in WRONGS else 0


def wrongs(walk: int, memory: list[int] | None = None) -> int:
    """What is wrong with a walk, alone or in a memory that has its stream."""
    layout, words = DESCRIPTORS["walk"].layout, [walk >> 32 * k & 0xFFFFFFFF for k in range(4)]
    fields = layout.unpack(words)
    beyond = fields["pad"] + fields["run"] + fields["tail"] > CFG.buffer_bytes
    beyond |= memory is not None and fields["channel"] + fields["run"] > block_of(memory, fields["stream"])
    return layout.spare(words) | (layout.illegal(fields) is not None) << 1 | beyond << 2


def test_what_is_wrong_with_a_walk_alone() -> None:
    rng = np.random.default_rng(1)
    walk, flags = Signal(128), Signal(3)
    m = clocked(Module())
    m.d.comb += flags.eq(walk_wrongs(CFG, DescriptorLayout("walk")(walk)))

    async def run(ctx: Any) -> None:
        counts: Counter[int] = Counter()
        for _ in range(200):
            # Some bits of it are 0, and some that belong to no field are 1.
            value = bits(memory_of(rng), "walk", 0) & ~(0x7FF << int(rng.integers(118)))
            value |= int(rng.random() < 0.2) << 95
            ctx.set(walk, value)
            await ctx.delay(1e-9)
            assert ctx.get(flags) == wrongs(value)
            counts[wrongs(value)] += 1
        assert len(counts) > 3

    simulate(m, run)


@pytest.mark.slow
@pytest.mark.parametrize("cfg", [CFG, replace(CFG, draws=True)])
def test_causes_are_those_of_the_rules(cfg: TileConfig) -> None:
    rng = np.random.default_rng(0)
    counts: Counter[tuple[Op, Cause]] = Counter()
    vec: Any = VecCheck(cfg)

    async def run(ctx: Any) -> None:
        for _ in range(400):
            memory = memory_of(rng)
            if cfg.draws and rng.random() < 0.3:
                first = DESCRIPTORS["vec"].at(0).start
                places = [DESCRIPTORS["vec"].layout.low[name] for name in "ab"]
                for place in places if rng.random() < 0.2 else rng.choice(places, 1).tolist():
                    memory[first] = memory[first] & ~(31 << place) | Operand.DRAW << place
            fields = {f.name: int(rng.random() < 0.1) for f in INSTRUCTIONS[Op.VEC].layout.fields} | {"vec": 0}
            ctx.set(vec.word, encode(Op.VEC, **fields))
            ctx.set(vec.vec.as_value(), bits(memory, "vec", 0))
            operands = DESCRIPTORS["vec"].layout.unpack(memory[DESCRIPTORS["vec"].at(0)])
            for name in "ab":
                number = operands[name] - Operand.WALK
                walk = bits(memory, "walk", number) if 0 <= number < 2 else 0
                walk_fields = DESCRIPTORS["walk"].layout.unpack([walk >> 32 * k & 0xFFFFFFFF for k in range(4)])
                ctx.set(vec.second, int(name == "b"))
                ctx.set(vec.walk.as_value(), walk)
                ctx.set(vec.wrongs.as_value(), wrongs(walk, memory))
                stream = walk_fields["stream"] if 0 <= number < 2 else operands[name] % 16
                ctx.set(vec.look, {
                    "terms": walk_fields["kernel_x"] * walk_fields["kernel_y"], "codes": 0, "outside": 0,
                    "wrong": verdict(memory, stream)})
                ctx.set(vec.block, block_of(memory, stream))
                ctx.set(vec.wrong, verdict(memory, stream))
                await ctx.delay(1e-9)
                ctx.set(getattr(vec, name).as_value(), ctx.get(vec.found.as_value()))
            target = DESCRIPTORS["stream"].layout.unpack(memory[DESCRIPTORS["stream"].at(3)])
            written = (operands["target_offset"] + operands["elements"]) * (1 + operands["wide"])
            ctx.set(vec.target_wrong, verdict(memory, 3) if operands["target"] == 3 else 0)
            outside = written > target["block"]
            ctx.set(vec.target_breaks, (outside | target["remote"] << 1) * (operands["target"] == 3))
            # What the descriptor breaks by itself is known a cycle later.
            await ctx.tick()
            reported = Cause(ctx.get(vec.cause)), ctx.get(vec.stream)
            expected = refusal(Op.VEC, fields, memory, cfg)
            if expected[0] is not Cause.NONE or reported[0] is not Cause.NONE:
                assert reported == expected
            counts[Op.VEC, reported[0]] += 1

    simulate(clocked(vec), run)
    mvm: Any = MvmCheck(CFG)

    async def products(ctx: Any) -> None:
        for _ in range(50):
            memory = memory_of(rng)
            fields = {"mvm": 0, "walk": int(rng.integers(2)), "advance": 1, "free": 1, "restart": 0, "ahead": 0}
            ctx.set(mvm.mvm.as_value(), bits(memory, "mvm", 0))
            ctx.set(mvm.walk.as_value(), wrongs(bits(memory, "walk", fields["walk"]), memory))
            walk_fields = DESCRIPTORS["walk"].layout.unpack(memory[DESCRIPTORS["walk"].at(fields["walk"])])
            ctx.set(mvm.number, walk_fields["stream"])
            ctx.set(mvm.wrong, verdict(memory, walk_fields["stream"]))
            ctx.set(mvm.codes, sliding_window(walk_fields).codes if walk_fields["run"] else 0)
            await ctx.delay(1e-9)
            expected = refusal(Op.MVM, fields, memory, CFG)
            assert (ctx.get(mvm.cause), ctx.get(mvm.stream)) == expected
            counts[Op.MVM, expected[0]] += 1

    simulate(clocked(mvm), products)
    assert min(counts[Op.VEC, cause] for cause in (
        Cause.NONE, Cause.RESERVED, Cause.FIELD, Cause.ADDRESS, Cause.OWNER)) > 1
    assert min(counts[Op.MVM, cause] for cause in (Cause.NONE, Cause.FIELD, Cause.ADDRESS)) > 1

"""Random vector operations, and what the hardware makes of them beside the reference."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import ACCUMULATORS, DESCRIPTORS, Format, Kind, Operand
from mho.hw.tile.isa.rules import width_of
from mho.hw.tile.isa.vector import compute, pack_parameters
from mho.hw.tile.rtl.lanes.datapath import VectorDatapath
from tests.hw.amaranth_bench import simulate

TABLE_USED = 48
"""Entries that are loaded of each table."""

TYPES = {Format.UNSIGNED: "<u1", Format.SIGNED: "<i1", Format.LANE: "<i2"}


@dataclass
class Memories:
    """What a vector unit works on."""

    parameters: NDArray[np.uint64]
    tables: NDArray[np.int16]
    buffer: NDArray[np.uint8]
    sums: NDArray[np.int32] = field(default_factory=lambda: np.zeros(ACCUMULATORS, dtype=np.int32))

    @classmethod
    def random(cls, cfg: TileConfig, rng: np.random.Generator) -> "Memories":
        n = cfg.parameters
        return cls(
            pack_parameters(
                rng.integers(-(1 << 15), 1 << 15, n), rng.integers(-(1 << 15), 1 << 15, n),
                rng.integers(-(1 << 16), 1 << 16, n),
                # Those of neighbours are one, too.
                np.where(rng.random(n) < 0.7, np.arange(n) // rng.integers(1, 3, n), rng.integers(0, 256, n)) % 256,
                rng.random(n) < 0.8, rng.random(n) < 0.3,
            ),
            rng.integers(-(1 << 15), 1 << 15, (2, 1024)).astype(np.int16),
            rng.integers(0, 256, cfg.buffer_bytes).astype(np.uint8),
        )


@dataclass
class Case:
    """An operation, the addresses of its terms, and the words that come from elsewhere."""

    vec: dict[str, int]
    terms: dict[str, list[int]]
    target: int
    words: NDArray[np.int16]

    def source(self, name: str, memory: Memories) -> NDArray[np.int64] | None:
        """Terms of a source, shape (terms, elements)."""
        operand, count = self.vec[name], self.vec["elements"]
        if operand == Operand.NONE or (name == "b" and self.vec["kind"] == Kind.TABLE):
            return None
        first = self.vec[f"{name}_offset"]
        if operand == Operand.ACCUMULATORS:
            return memory.sums[first : first + count].astype(np.int16).astype(np.int64)[None]
        if operand >= Operand.DRAIN:
            return self.words[:count].astype(np.int64)[None]
        form = self.vec[f"{name}_format"]
        bytes_ = width_of(form) * np.array([first, first + count]) + np.array(self.terms[name])[:, None]
        return np.stack([memory.buffer[a:b].view(TYPES[Format(form)]).astype(np.int64) for a, b in bytes_])


def random_case(cfg: TileConfig, rng: np.random.Generator, **fixed: int) -> Case:
    """A legal operation with small blocks, anywhere in the buffer."""
    kind = fixed.get("kind", int(rng.integers(4)))
    elements = int(rng.integers(1, 24))
    target = Operand.ACCUMULATORS if kind == Kind.AFFINE and rng.random() < 0.4 else int(rng.integers(16))
    reads = target != Operand.ACCUMULATORS
    sources = [3, Operand.WALK + 2, Operand.DRAIN, Operand.RESULT + 1] + [Operand.ACCUMULATORS] * reads
    a = int(rng.choice(sources))
    add = reads and kind in (Kind.AFFINE, Kind.TABLE) and rng.random() < 0.3
    if add and rng.random() < 0.3:
        a = Operand.NONE
    operands = [5, Operand.WALK + 4] + [Operand.ACCUMULATORS] * reads + [Operand.NONE] * (kind != Kind.PRODUCT)
    b = int(rng.choice(operands))
    walks = [x for x in (a, b) if Operand.WALK <= x < Operand.DRAIN]
    count = int(rng.integers(1, 5)) if walks and not (len(walks) == 1 and Operand.NONE not in (a, b)) else 1
    if kind == Kind.TABLE:
        b, count = int(rng.integers(2)), (count if a == Operand.WALK + 2 else 1)
    lo, hi = sorted(rng.integers(*((0, TABLE_USED) if kind == Kind.TABLE else (-(1 << 15), 1 << 15)), 2).tolist())
    period = int(rng.integers(1, 30))
    vec = {
        "kind": kind, "a": a, "b": b, "target": target, "wide": int(rng.integers(2)), "add": int(add),
        "a_format": int(rng.integers(3)) if a < Operand.DRAIN else Format.LANE,
        "b_format": int(rng.integers(3)) if b < Operand.DRAIN else Format.LANE,
        "shift": int(rng.integers(32)), "elements": elements, "period": period,
        "parameters": int(rng.integers(cfg.parameters - 2 * period + 1)), "lo": lo, "hi": hi,
        "a_offset": int(rng.integers(9)) if a < Operand.DRAIN or a == Operand.ACCUMULATORS else 0,
        "b_offset": int(rng.integers(9)), "target_offset": int(rng.integers(9)),
    } | fixed

    def places(operand: int) -> list[int]:
        return (cfg.buffer_bytes // 2 + rng.integers(0, cfg.buffer_bytes // 2 - 100, count)).tolist()

    return Case(
        vec, {"a": places(a), "b": places(b)}, int(rng.integers(cfg.buffer_bytes // 2 - 100)),
        rng.integers(-(1 << 15), 1 << 15, 24).astype(np.int16),
    )


def expect(case: Case, memory: Memories) -> None:
    """Does what the reference does."""
    vec = case.vec
    result = compute(
        vec, memory.parameters, memory.tables, memory.sums, case.source("a", memory), case.source("b", memory)
    )
    if result is not None:
        data = np.ascontiguousarray(result.astype("<i2")).view(np.uint8)
        at = case.target + vec["target_offset"] * (1 + vec["wide"])
        data = data if vec["wide"] else data[::2]
        memory.buffer[at : at + len(data)] = data


class VectorBench:
    """Runs operations in a vector unit, with a buffer that makes it wait."""

    def __init__(self, cfg: TileConfig, memory: Memories, cases: list[Case], stall: float, seed: int) -> None:
        self.cfg, self.cases, self.stall = cfg, cases, stall
        self.memory = Memories(memory.parameters, memory.tables, memory.buffer.copy())
        self.rng = np.random.default_rng(seed)
        self.dut: Any = VectorDatapath(cfg)
        self.cycles: list[int] = []

    def run(self) -> NDArray[np.uint8]:
        """The buffer after all of them."""
        simulate(self.dut, self._drive, processes=[self._buffer], deadline=200_000)
        return self.memory.buffer

    async def _buffer(self, ctx: Any) -> None:
        read, write = self.dut.read, self.dut.write
        memory = self.memory.buffer
        ready_r = ready_w = False
        word = 0
        signals = (read.valid, read.address, write.valid, write.address, write.data, write.bytes)
        async for _, _, wants, at, puts, to, value, count in ctx.tick().sample(*signals):
            ctx.set(read.data, word)
            if wants and ready_r:
                word = int.from_bytes(memory[at : at + 8].tobytes(), "little")
            else:
                word = int(self.rng.integers(1 << 62))
            if puts and ready_w:
                memory[to : to + count] = list(value.to_bytes(8, "little")[:count])
            ready_r, ready_w = (self.rng.random() >= self.stall for _ in range(2))
            ctx.set(read.ready, ready_r)
            ctx.set(write.ready, ready_w)

    async def _drive(self, ctx: Any) -> None:
        dut = self.dut
        ctx.set(dut.memory.valid, 1)
        for k, word in enumerate(self.memory.parameters.tolist()):
            ctx.set(dut.memory.payload, {"index": 2 * k + 1, "table": 0, "data": word})
            await ctx.tick()
        for table, entries in enumerate(self.memory.tables[:, :TABLE_USED].tolist()):
            for k, entry in enumerate(entries):
                ctx.set(dut.memory.payload, {"index": table << 10 | k, "table": 1, "data": (entry & 0xFFFF) << 32})
                await ctx.tick()
        ctx.set(dut.memory.valid, 0)
        for case in self.cases:
            await self._one(ctx, case)

    async def _one(self, ctx: Any, case: Case) -> None:
        dut, vec = self.dut, case.vec
        packed = DESCRIPTORS["vec"].layout.pack(vec)
        ctx.set(dut.job.as_value(), sum(word << 32 * k for k, word in enumerate(packed)))
        ctx.set(dut.a_block, case.terms["a"][0])
        ctx.set(dut.b_block, case.terms["b"][0])
        ctx.set(dut.target_block, case.target)
        await ctx.tick()
        at = {"a": 0, "b": 0}
        wide = self.cfg.payload_bits // 16
        size = {"drain": 2, "result": wide}
        streams = {name: np.pad(case.words, (0, 8)) for name in size}
        place = {"drain": 0, "result": 0}
        ctx.set(dut.start, 1)
        cycles, waits = 0, int(self.rng.integers(1, 40)) if self.stall else 1
        while True:
            operand = "b" if ctx.get(dut.second) else "a"
            terms = case.terms[operand]
            ctx.set(dut.term.valid, int(self.rng.random() >= self.stall))
            ctx.set(dut.term.payload, {"address": terms[at[operand]], "last": int(at[operand] == len(terms) - 1)})
            for name in size:
                port, words = getattr(dut, name), streams[name][place[name] :][: size[name]]
                ctx.set(port.valid, int(self.rng.random() >= self.stall and len(words) == size[name]))
                ctx.set(port.payload, int.from_bytes(words.astype("<i2").tobytes(), "little"))
            handshakes = {name: port.valid & port.ready for name, port in (
                (operand, dut.term), ("drain", dut.drain), ("result", dut.result))}
            sampled = await ctx.tick().sample(dut.done & ~dut.active, *handshakes.values())
            ctx.set(dut.start, 0)
            # Where its target is may be known later: results are not before.
            ctx.set(dut.holds, int(cycles < waits))
            cycles += 1
            for name, transfers in zip(handshakes, sampled[3:], strict=True):
                if transfers and name in at:
                    at[name] = (at[name] + 1) % len(case.terms[name])
                elif transfers:
                    place[name] += size[name]
            if sampled[2] and cycles > 1:
                break
        assert at == {"a": 0, "b": 0}
        self.cycles.append(cycles)

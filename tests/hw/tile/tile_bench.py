"""A tile in simulation: its program from the host, a core that is a function, a network that is the host."""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from mho.hw.tile.config import TileConfig
from mho.hw.tile.host_map import program_writes
from mho.hw.tile.interpreter.state import FunctionCore, Retired
from mho.hw.tile.interpreter.tiles import Tiles
from mho.hw.tile.isa import Engine
from mho.hw.tile.isa.program import Program
from mho.hw.tile.rtl.controller import TileController
from mho.hw.tile.rtl.host import BUFFER, CONTROL
from mho.macro_models.errors import InputError
from mho.sim.tile_programs.random_programs import alone
from tests.hw.amaranth_bench import simulate
from tests.hw.host.bus_access import access_bus


def core_of(lines: int) -> Callable[[np.ndarray], np.ndarray]:
    """Codes that depend on all that a core is given, however many zeros are behind."""
    weights = np.random.default_rng(lines).integers(-40, 41, (lines, lines))

    def compute(codes: np.ndarray) -> np.ndarray:
        total = codes.astype(np.int64) @ weights[: len(codes)]
        return (total >> 2).clip(-4095, 4095)

    return compute


class Core(FunctionCore):
    """A core that refuses more words than an operation takes."""

    def __init__(self, lines: int) -> None:
        super().__init__(core_of(lines))
        self.lines = lines

    def product(self, op: int, op_id: int, first: int, codes: np.ndarray) -> np.ndarray:
        """Output codes."""
        if first + len(codes) // 4 > self.lines // (4 if op & 1 else 8):
            raise InputError("too many words")
        return super().product(op, op_id, first, codes)


class Expected:
    """What the interpreter makes of a program that is given some blocks."""

    def __init__(self, program: Program, cfg: TileConfig, inputs: dict[int, list[bytes]], limit: int = 1 << 40) -> None:
        events: list[Retired] = []
        tiles = Tiles(alone(program, Core(cfg.lines), cfg), watch=lambda _, event: events.append(event))
        for number, blocks in inputs.items():
            tiles.give("t", number, list(blocks))
        tiles.run(limit=limit, most=4000)
        tile = tiles.tiles["t"]
        self.status, self.ended = tile.status, tile.ended
        self.retired = [event.pc for event in events if event.engine is not Engine.SEND]
        self.received = {flow: list(blocks) for (_, flow), blocks in tiles.received.items()}
        self.buffer = tile.buffer


class TileBench:
    """Runs a program in a tile until nothing has happened for some time.

    Attributes
    ----------
    retired, received, buffer
        As those of :class:`Expected`; blocks have whole flits.
    cycles
        The one in which something happened last.
    """

    def __init__(
        self, program: Program, cfg: TileConfig, inputs: dict[int, list[bytes]], *, seed: int = 0, stall: float = 0.0,
        delay: int = 20, quiet: int = 300, deadline: int = 100_000, read: range = range(0),
    ) -> None:
        self.program, self.cfg, self.stall, self.delay, self.quiet = program, cfg, stall, delay, quiet
        self.deadline, self.read = deadline, read
        self.rng = np.random.default_rng(seed)
        self.dut: Any = TileController(cfg)
        self.flits = {k: self._flits(blocks) for k, blocks in inputs.items()}
        self.slots = {k: program.descriptor("stream", k)["slot"] for k in inputs}
        self.acked = dict.fromkeys(inputs, 0)
        self.retired: list[int] = []
        self.received: dict[int, list[bytes]] = {}
        self.sums: dict[int, deque[int]] = {k: deque() for k in range(4)}
        self.status = (0, 0)
        self.running = True
        self.buffer: list[int] = []
        self.cycles = self._cycle = 0
        self.loaded = False

    def run(self) -> "TileBench":
        """Do it."""
        simulate(self.dut, self._drive, background=[self._core, self._network], deadline=self.deadline)
        return self

    def _flits(self, blocks: list[bytes]) -> deque[deque[int]]:
        size = self.cfg.flit_bytes
        return deque(
            deque(int.from_bytes(block[k : k + size], "little") for k in range(0, len(block), size)) for block in blocks
        )

    async def _access(self, ctx: Any, address: int, value: int | None = None) -> int:
        return await access_bus(ctx, self.dut.bus, address, value)

    async def _load(self, ctx: Any) -> None:
        for address, word in program_writes(self.program, self.cfg):
            await self._access(ctx, address, word)

    async def _drive(self, ctx: Any) -> None:
        await self._load(ctx)
        await self._access(ctx, CONTROL, 1)
        # The host sends when the program runs.
        started = self._cycle
        while not self.retired and self._cycle - started < 1000:
            await ctx.tick()
        self.loaded, self.cycles = True, self._cycle
        while self._cycle - self.cycles < self.quiet:
            for _ in range(20):
                await ctx.tick()
        self.running = bool(await self._access(ctx, CONTROL) & 1)
        self.status = (await self._access(ctx, CONTROL + 24), await self._access(ctx, CONTROL + 28))
        for k in self.read:
            self.buffer.append(await self._access(ctx, BUFFER + 4 * k))

    async def _core(self, ctx: Any) -> None:
        """A core that takes its time."""
        dut, compute = self.dut, core_of(self.cfg.lines)
        done: deque[list[int]] = deque()
        words: list[int] | None = None
        needed = wait = 0
        while True:
            ctx.set(dut.op.ready, int(words is None and len(done) < 2))
            ctx.set(dut.codes.ready, int(words is not None and self.rng.random() >= self.stall))
            ctx.set(dut.drain.valid, int(bool(done) and wait == 0))
            ctx.set(dut.drain.payload, done[0][0] if done else 0)
            _, _, op, begins, code, comes, gone = await ctx.tick().sample(
                dut.op.payload, dut.op.valid & dut.op.ready, dut.codes.payload, dut.codes.valid & dut.codes.ready,
                dut.drain.valid & dut.drain.ready)
            wait = max(0, wait - 1)
            if begins:
                words, needed = [], self.cfg.input_words // (1 if op.backward else 2)
            if comes and words is not None:
                words.append(code)
                if len(words) == needed:
                    codes = np.array(words, dtype="<u4").view(np.uint8)
                    wait = wait if done else self.delay
                    done.append(compute(codes).astype("<i2").view("<u4").tolist())
                    words = None
            if gone:
                done[0].pop(0)
                if not done[0]:
                    done.popleft()
                    wait = self.delay

    async def _network(self, ctx: Any) -> None:
        dut, rng = self.dut, self.rng
        part = b""
        begun = dict.fromkeys(self.flits, 0)
        left: dict[int, deque[int]] = {}
        while True:
            self._cycle += 1
            ready = [k for k in self.flits if left.get(k) or (self.flits[k] and begun[k] - self.acked[k] < 2)]
            goes = self.loaded and bool(ready) and rng.random() >= self.stall
            ctx.set(dut.i.valid, int(goes))
            if goes:
                number = int(rng.choice(ready))
                if not left.get(number):
                    left[number] = self.flits[number].popleft()
                    begun[number] += 1
                ctx.set(dut.i.payload, {"payload": left[number].popleft(), "slot": self.slots[number]})
            ctx.set(dut.o.ready, int(rng.random() >= self.stall))
            ctx.set(dut.acknowledge.ready, int(rng.random() >= self.stall))
            sums = self.sums[ctx.get(dut.sum_context)]
            ctx.set(dut.result.valid, int(bool(sums)))
            ctx.set(dut.result.payload, sums[0] if sums else 0)
            _, _, sends, flit, acks, slot, takes, retires, pc = await ctx.tick().sample(
                dut.o.valid & dut.o.ready, dut.o.payload, dut.acknowledge.valid & dut.acknowledge.ready,
                dut.acknowledge.payload, dut.result.valid & dut.result.ready, dut.retire, dut.retired.pc)
            if takes:
                sums.popleft()
            if acks:
                self.acked[next(k for k, candidate in self.slots.items() if candidate == slot)] += 1
            if sends and flit.operand:
                self.sums[flit.flow].append(flit.payload)
            elif sends:
                part += flit.payload.to_bytes(self.cfg.flit_bytes, "little")
                if flit.last:
                    self.received.setdefault(flit.flow, []).append(part)
                    part = b""
            if retires:
                self.retired.append(pc)
            if sends or retires or goes or acks:
                self.cycles = self._cycle


def whole(blocks: list[bytes], cfg: TileConfig) -> list[bytes]:
    """Blocks as they are in flits."""
    return [block + bytes(-len(block) % cfg.flit_bytes) for block in blocks]

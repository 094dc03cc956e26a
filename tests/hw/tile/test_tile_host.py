# amaranth: UnusedElaboratable=no
"""A tile on its register bus, beside the map: what can be read back, and errors everywhere else."""

from typing import Any

import numpy as np
import pytest

from mho.hw.host.registers import Access, RegisterMap, register_word
from mho.hw.tile.asm import assemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.host_map import IMAGE_AT, REGISTERS_AT, RESET, START, STATUS_AT, program_writes, tile_map
from mho.hw.tile.isa import DESCRIPTOR_WORDS, Cause, Op, encode
from mho.hw.tile.rtl.controller import TileController
from mho.hw.tile.rtl.host import ADDRESS_WIDTH, CORE_AT, MASKS_AT, Event
from tests.hw.amaranth_bench import simulate
from tests.hw.host.bus_access import answer_of_bus

CFG = TileConfig(lines=16, buffer_kib=1, parameters=24, instructions=40)
MAP = tile_map(CFG)
FOREVER = assemble("loop forever {\n image\n}").words


class Bench:
    """Accesses, each with its error and its word."""

    def __init__(self) -> None:
        self.dut: Any = TileController(CFG)

    async def access(self, ctx: Any, address: int, value: int | None = None, strobe: int = 15) -> tuple[bool, int]:
        return await answer_of_bus(ctx, self.dut.bus, address, value, strobe)


def test_map_says_what_the_constants_say() -> None:
    addresses = [MAP[name].address for name in ("image", "count_0", "status_0")]
    assert addresses == [IMAGE_AT, REGISTERS_AT, STATUS_AT]
    assert MASKS_AT == CORE_AT + 0x400


def gaps(map: RegisterMap) -> list[int]:
    """Addresses at both ends of what the map leaves out."""
    ends = [(entry.address, entry.address + 4 * entry.words) for entry in map.entries]
    starts = [*(start for start, _ in ends), 1 << ADDRESS_WIDTH]
    return [at for (_, end), start in zip(ends, starts[1:], strict=True) if end < start for at in (end, start - 4)]


@pytest.mark.slow
def test_memories_are_read_back_and_the_rest_is_an_error() -> None:
    bench, rng = Bench(), np.random.default_rng(0)
    windows = {window.name: window for window in MAP.windows}
    written = {name: [int(word) for word in rng.integers(0, 2**32, windows[name].words)]
            for name in ("program", "descriptors", "buffer")}
    read_back: dict[str, list[int]] = {}
    wrong: list[int] = []

    async def host(ctx: Any) -> None:
        for name, words in written.items():
            for k, word in enumerate(words):
                assert await bench.access(ctx, windows[name].address + 4 * k, word) == (False, 0)
        for name, words in written.items():
            answers = [await bench.access(ctx, windows[name].address + 4 * k) for k in range(len(words))]
            assert not any(error for error, _ in answers)
            read_back[name] = [word for _, word in answers]
        for at in gaps(MAP):
            for value in (None, 0):
                if not (await bench.access(ctx, at, value))[0]:
                    wrong.append(at)
        for window in MAP.windows:
            last = window.address + 4 * window.words - 4
            assert (await bench.access(ctx, last, 0, strobe=1))[0]
            assert (await bench.access(ctx, last))[0] == (window.access is Access.W)
        for register in MAP.registers:
            assert not (await bench.access(ctx, register.address))[0]
        # While a program runs its instructions are not read, its descriptors are.
        for k, word in enumerate(FOREVER):
            await bench.access(ctx, windows["program"].address + 4 * k, word)
        await bench.access(ctx, 0, 1)
        assert (await bench.access(ctx, windows["program"].address))[0]
        at = windows["descriptors"].address + 4 * 159
        assert await bench.access(ctx, at) == (False, written["descriptors"][159])
        assert (await bench.access(ctx, 0))[1] & 1

    simulate(bench.dut, host, deadline=20_000)
    assert read_back == written
    assert wrong == []


def word_of(register: str, **fields: int) -> int:
    return register_word(MAP, register, **fields)


class Programmed(Bench):
    """A tile on which programs are loaded and whose registers are read."""

    async def load(self, ctx: Any, text: str) -> None:
        for at, word in program_writes(assemble(text), CFG):
            assert await self.access(ctx, at, word) == (False, 0)

    async def start(self, ctx: Any) -> bool:
        return (await self.access(ctx, 0, 1))[0]

    async def read(self, ctx: Any, register: str) -> int:
        error, word = await self.access(ctx, MAP[register].address)
        assert not error
        return word


@pytest.mark.slow
def test_a_program_that_runs_is_neither_written_nor_started_again() -> None:
    bench = Programmed()
    program, descriptors = MAP["program"].address, MAP["descriptors"].address

    async def host(ctx: Any) -> None:
        await bench.load(ctx, "stream in: base 0, block 4, blocks 2, first 1\nloop forever {\n wait in 1\n image\n}")
        before = [(await bench.access(ctx, program + 4 * k))[1] for k in range(CFG.instructions)]
        streams = [(await bench.access(ctx, descriptors + 4 * k))[1] for k in range(DESCRIPTOR_WORDS)]
        assert not await bench.start(ctx)
        for k in range(CFG.instructions):
            assert await bench.access(ctx, program + 4 * k, 0xFFFFFFFF) == (True, 0)
        for k in range(DESCRIPTOR_WORDS):
            assert (await bench.access(ctx, descriptors + 4 * k, 0))[0]
        # A refused start does not reset either.
        assert (await bench.access(ctx, 0, START | RESET))[0]
        assert await bench.access(ctx, 0) == (False, 1)
        images = await bench.read(ctx, "status_1")
        assert await bench.read(ctx, "status_0") == 0
        assert await bench.read(ctx, "status_1") > images
        assert await bench.access(ctx, 0, 4) == (False, 0)
        while (await bench.access(ctx, 0))[1] & 0b11:
            pass
        assert [(await bench.access(ctx, program + 4 * k))[1] for k in range(CFG.instructions)] == before
        assert [(await bench.access(ctx, descriptors + 4 * k))[1] for k in range(DESCRIPTOR_WORDS)] == streams
        assert not (await bench.access(ctx, program, 0))[0]
        assert not await bench.start(ctx)

    simulate(bench.dut, host, deadline=8000)


def test_a_start_before_anything_was_written_is_answered() -> None:
    """An error without a program; a trap of a program that names a stream that nobody wrote."""
    bench = Programmed()

    async def host(ctx: Any) -> None:
        assert await bench.start(ctx)
        assert await bench.access(ctx, MAP["program"].address + 4, 0) == (False, 0)
        assert await bench.start(ctx)
        assert await bench.access(ctx, MAP["program"].address, encode(Op.WAIT, stream=5, n=1)) == (False, 0)
        assert not await bench.start(ctx)
        while (await bench.access(ctx, 0))[1] & 0b11:
            pass
        assert await bench.read(ctx, "status_0") == word_of("status_0", cause=Cause.FIELD, stream=5)

    simulate(bench.dut, host, deadline=2000)


@pytest.mark.slow
@pytest.mark.parametrize(("text", "watchdog", "event", "cause"), [
    ("halt", 0, Event.DONE, Cause.NONE),
    ("stream in: base 0, block 4, blocks 2\nfree in 9\nhalt", 9, Event.TRAP, Cause.RING),
    ("stream in: base 0, block 4, blocks 2, remote, slot 1\nstream a: base 8, block 4, blocks 3\n"
     "vec it: kind max, a in, target a, elements 4, lo -128, hi 127\nvec it, push\nhalt", 8, Event.WATCHDOG,
     Cause.WATCHDOG),
])
def test_what_ends_a_program_raises_the_interrupt(text: str, watchdog: int, event: Event, cause: Cause) -> None:
    """Once each, if the host wants it, until it says that it has seen it."""
    bench = Programmed()

    async def host(ctx: Any) -> None:
        dut, bit = bench.dut, 1 << event
        await bench.load(ctx, text)
        await bench.access(ctx, MAP["watchdog"].address, watchdog)
        for enabled in (0b111 & ~bit, 0b111):
            await bench.access(ctx, MAP["interrupt_enable"].address, enabled)
            assert not ctx.get(dut.irq)
            assert not await bench.start(ctx)
            for _ in range(100):
                if await bench.read(ctx, "interrupt"):
                    break
            assert await bench.read(ctx, "interrupt") == bit
            assert ctx.get(dut.irq) == (enabled == 0b111)
            assert await bench.read(ctx, "status_0") & 15 == cause
            # Ones clear, zeros and a reset of the tile do not.
            await bench.access(ctx, MAP["interrupt"].address, 0b111 & ~bit)
            await bench.access(ctx, 0, RESET)
            await ctx.tick().repeat(20)
            assert await bench.read(ctx, "interrupt") == bit
            await bench.access(ctx, MAP["interrupt"].address, bit)
            assert await bench.read(ctx, "interrupt") == 0 == ctx.get(dut.irq)
        assert await bench.read(ctx, "interrupt_enable") == 0b111

    simulate(bench.dut, host, deadline=6000)

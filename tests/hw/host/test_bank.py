"""The register bank and the buffers, by Amaranth's simulator."""

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.hw.host.bank import RegisterBank
from mho.hw.host.core.host import InputBuffer, OutputBuffer
from mho.hw.host.registers import Access, Field, Register, RegisterMap, Window

MAP = RegisterMap(name="test", doc="Test.", address_width=6, entries=(
    Register(name="plain", address=0x00, doc="", fields=(
        Field(name="low", width=12, access=Access.RW, reset=0xABC, doc=""), Field(name="now", width=8, doc=""),
        Field(name="what", width=4, reset=9, constant=True, doc=""),
    )),
    Register(name="flags", address=0x04, read_strobe=True, doc="", fields=(
        Field(name="event", width=2, access=Access.RW1C, doc=""), Field(name="go", access=Access.W, doc=""),
    )),
    Window(name="taken", address=0x10, words=2, access=Access.W, doc=""),
    Window(name="given", address=0x20, words=4, access=Access.R, doc=""),
))


def _run(dut, *benches) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run_until(1e-3)


async def _access(ctx, dut, address: int, value: int | None = None, strobe: int = 15) -> tuple[int, int]:
    """Data and error of an access."""
    request, response = dut.bus.request, dut.bus.response
    payload = {"address": address // 4, "write": value is not None, "data": value or 0, "strobe": strobe}
    ctx.set(request.payload, payload)
    ctx.set(request.valid, 1)
    await ctx.tick().until(request.ready)
    ctx.set(request.valid, 0)
    ctx.set(response.ready, 1)
    (answer,) = await ctx.tick().sample(response.payload).until(response.valid)
    ctx.set(response.ready, 0)
    return answer.data, answer.error


def test_fields_by_their_access() -> None:
    dut = RegisterBank(MAP)

    async def bench(ctx) -> None:
        ctx.set(dut.plain.now, 0x5A)
        assert await _access(ctx, dut, 0) == (0x95AABC, 0)
        # Only the bytes that are strobed change, and nothing that is read only.
        await _access(ctx, dut, 0, 0xFFFFF123, strobe=0b0101)
        assert await _access(ctx, dut, 0) == (0x95AA23, 0)
        assert ctx.get(dut.plain.low) == 0xA23

    _run(dut, bench)


def test_event_is_set_by_hardware_and_cleared_by_one() -> None:
    dut = RegisterBank(MAP)

    async def bench(ctx) -> None:
        ctx.set(dut.flags.event.set, 0b11)
        await ctx.tick()
        ctx.set(dut.flags.event.set, 0)
        assert await _access(ctx, dut, 4) == (3, 0)
        await _access(ctx, dut, 4, 0b01)
        assert await _access(ctx, dut, 4) == (2, 0)
        # What happens while it is cleared is not lost.
        ctx.set(dut.flags.event.set, 0b10)
        await _access(ctx, dut, 4, 0b10)
        ctx.set(dut.flags.event.set, 0)
        assert await _access(ctx, dut, 4) == (2, 0)

    _run(dut, bench)


def test_strobes_last_one_cycle() -> None:
    dut = RegisterBank(MAP)
    counts = {"go": 0, "read": 0}

    async def bench(ctx) -> None:
        await _access(ctx, dut, 4, 0b100)
        await _access(ctx, dut, 4, 0b011)
        await _access(ctx, dut, 4)

    async def watch(ctx) -> None:
        async for _, _, go, read in ctx.tick().sample(dut.flags.go, dut.flags.read):
            counts["go"] += go
            counts["read"] += read

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_process(watch)
    simulator.run_until(1e-4)
    assert counts == {"go": 1, "read": 1}


@pytest.mark.parametrize("address", [0x08, 0x18, 0x30, 0x3C])
def test_unknown_address_is_an_error(address: int) -> None:
    dut = RegisterBank(MAP)

    async def bench(ctx) -> None:
        ctx.set(dut.taken.ready, 1)
        ctx.set(dut.given.ready, 1)
        assert await _access(ctx, dut, address) == (0, 1)
        assert await _access(ctx, dut, address, 5) == (0, 1)
        assert await _access(ctx, dut, 0) == (0x900ABC, 0)

    _run(dut, bench)


def test_windows_wait_and_refuse_parts() -> None:
    dut = RegisterBank(MAP)
    writes: list[tuple[int, int]] = []

    async def bench(ctx) -> None:
        ctx.set(dut.given.ready, 1)
        assert await _access(ctx, dut, 0x14, 77) == (0, 0)
        assert await _access(ctx, dut, 0x14, 78, strobe=7) == (0, 1)
        assert await _access(ctx, dut, 0x14) == (0, 0)
        assert await _access(ctx, dut, 0x2C) == (1003, 0)
        assert await _access(ctx, dut, 0x2C, 1) == (0, 0)
        assert await _access(ctx, dut, 0x00) == (0x900ABC, 0)

    async def slow(ctx) -> None:
        cycle = 0
        async for _ in ctx.tick():
            cycle += 1
            ctx.set(dut.taken.ready, cycle % 8 == 0)

    async def watch(ctx) -> None:
        async for _, _, enable, ready, address, data in ctx.tick().sample(
            dut.taken.enable, dut.taken.ready, dut.taken.address, dut.taken.data
        ):
            if enable and ready:
                writes.append((address, data))

    async def memory(ctx) -> None:
        async for _, _, enable, address in ctx.tick().sample(dut.given.enable, dut.given.address):
            if enable:
                ctx.set(dut.given.data, 1000 + address)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    for process in (slow, watch, memory):
        simulator.add_process(process)
    simulator.run_until(2e-4)
    assert writes == [(1, 77)]


@settings(max_examples=15)
@given(
    words=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8),
    stalls=st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_input_buffer_streams_what_was_written(words: list[int], stalls: list[bool]) -> None:
    dut = InputBuffer(8)
    got: list[int] = []

    async def bench(ctx) -> None:
        for address, word in enumerate(words):
            ctx.set(dut.enable, 1)
            ctx.set(dut.address, address)
            ctx.set(dut.data, word)
            ctx.set(dut.strobe, 15)
            await ctx.tick()
        ctx.set(dut.enable, 0)
        for _ in range(2):
            ctx.set(dut.start, 1)
            ctx.set(dut.count, len(words))
            await ctx.tick()
            ctx.set(dut.start, 0)
            assert ctx.get(dut.active) == 1
            for stall in stalls:
                ctx.set(dut.o.ready, not stall)
                _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
                if valid and not stall:
                    got.append(payload)
            ctx.set(dut.o.ready, 1)
            while ctx.get(dut.active):
                _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
                if valid:
                    got.append(payload)

    _run(dut, bench)
    assert got == words * 2


def test_output_buffer_holds_a_vector_until_it_is_released() -> None:
    dut = OutputBuffer(4)

    async def bench(ctx) -> None:
        for word in range(4):
            ctx.set(dut.i.payload, 10 + word)
            ctx.set(dut.i.valid, 1)
            assert ctx.get(dut.filled) == (word == 3)
            await ctx.tick()
        ctx.set(dut.full, 1)
        ctx.set(dut.i.payload, 99)
        assert ctx.get(dut.i.ready) == 0
        await ctx.tick().repeat(3)
        for word in (3, 0, 2, 1):
            ctx.set(dut.enable, 1)
            ctx.set(dut.address, word)
            await ctx.tick()
            assert ctx.get(dut.data) == 10 + word
        ctx.set(dut.full, 0)
        assert ctx.get(dut.i.ready) == 1
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.address, 0)
        await ctx.tick()
        assert ctx.get(dut.data) == 99

    _run(dut, bench)


LIMITED = RegisterMap(name="limited", doc="Test.", address_width=4, lock="lock", entries=(
    Register(name="lock", address=0x0, doc="", fields=(Field(name="lock", access=Access.RW1S, doc=""),)),
    Register(name="time", address=0x4, locked=True, doc="", fields=(
        Field(name="cycles", width=10, access=Access.RW, reset=7, least=2, doc=""),
    )),
    Register(name="pair", address=0x8, doc="", fields=(
        Field(name="low", width=4, access=Access.RW, reset=8, least=1, most=8, doc=""),
        Field(name="high", width=4, access=Access.RW, reset=8, least=1, most=8, doc=""),
    )),
))


@pytest.mark.slow
@settings(max_examples=25)
@given(value=st.integers(0, 2**32 - 1) | st.integers(0, 2**11), strobe=st.integers(0, 15))
def test_values_out_of_range_become_the_nearest(value: int, strobe: int) -> None:
    dut = RegisterBank(LIMITED)
    mask = sum(0xFF << 8 * k for k in range(4) if strobe >> k & 1)

    async def bench(ctx) -> None:
        for address, old, fields in ((4, 7, [(0, 32, 2, 1023)]), (8, 0x88, [(0, 4, 1, 8), (4, 28, 1, 8)])):
            await _access(ctx, dut, address, value, strobe)
            word = (old & ~mask) | (value & mask)
            parts = [(word >> low & (2**width - 1), low, smallest, largest) for low, width, smallest, largest in fields]
            want = sum(min(max(part, smallest), largest) << low for part, low, smallest, largest in parts)
            # Bytes that are not written stay; where the range then does not hold, all of the field does.
            want = (want & mask) | (old & ~mask)
            if address == 4 and not 2 <= want <= 1023:
                want = old
            assert await _access(ctx, dut, address) == (want, 0)

    _run(dut, bench)


def test_lock_stays_until_reset_and_locks_what_it_names() -> None:
    dut = RegisterBank(LIMITED)

    async def bench(ctx) -> None:
        await _access(ctx, dut, 4, 20)
        await _access(ctx, dut, 0, 1)
        for address, value, want in ((4, 30, 20), (0, 0, 1), (4, 31, 20), (8, 0x23, 0x23)):
            assert await _access(ctx, dut, address, value) == (0, 0)
            assert await _access(ctx, dut, address) == (want, 0)

    _run(dut, bench)


def test_field_with_limits_holds_its_reset() -> None:
    for fields in ({"access": Access.RW, "reset": 1}, {"access": Access.R, "reset": 3}):
        with pytest.raises(ValueError, match="must be RW and hold its reset"):
            Field(name="a", width=4, least=2, doc="", **fields)

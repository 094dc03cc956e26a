"""The serial line: hardware and reference, rates that differ, noise, breaks, bytes that nobody takes."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mho.hw.host.link.uart import UartConfig, UartReceiver, UartTransmitter
from tests.hw.amaranth_bench import collect, feed, simulate
from tests.hw.host.link.uart_line import decode, encode

CONFIGS = [
    UartConfig(clock_hz=12_000_000, baud=1_000_000),  # 12 cycles
    UartConfig(clock_hz=25_000_000, baud=3_000_000),  # 8 and a third
    UartConfig(clock_hz=12_000_000, baud=1_400_000),  # 8.57
]
DATA = bytes([0x00, 0xFF, 0x55, 0xAA, 0x7E, 0x01, 0x80, *random.Random(3).randbytes(8)])


def receive(cfg: UartConfig, levels: Sequence[int]) -> bytes:
    dut, data = UartReceiver(cfg), bytearray()

    async def bench(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        for level in [*levels, *[1] * 8]:
            ctx.set(dut.rx, int(level))
            _, _, valid, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                data.append(byte)

    simulate(dut, bench)
    return bytes(data)


@pytest.mark.parametrize("cfg", CONFIGS)
def test_transmitter_is_the_reference(cfg: UartConfig) -> None:
    dut, levels = UartTransmitter(cfg), []
    expected = encode(cfg, DATA)

    async def watch(ctx: Any) -> None:
        (level,) = await ctx.tick().sample(dut.tx).until(~dut.tx)
        while len(levels) < len(expected):
            levels.append(level)
            _, _, level = await ctx.tick().sample(dut.tx)

    simulate(dut, feed(dut.i, DATA), watch)
    assert levels == expected.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("cfg", CONFIGS)
@pytest.mark.parametrize("scale", [0.97, 1.0, 1.03])
def test_receiver_follows_a_line_that_is_3_percent_off(cfg: UartConfig, scale: float) -> None:
    levels = encode(cfg, DATA, idle=0)
    off = np.append(levels[(np.arange(int(len(levels) / scale)) * scale).astype(int)], np.ones(8, int))
    assert decode(cfg, off) == DATA
    assert receive(cfg, off.tolist()) == DATA


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_receiver_is_the_reference_on_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cfg = CONFIGS[seed % 3]
    # Runs of any length: glitches, starts without a byte, breaks, bytes.
    levels = np.repeat(np.arange(300) % 2, rng.integers(1, rng.choice([4, 12, 60], 300)))
    got = receive(cfg, levels.tolist())
    assert got == decode(cfg, np.append(levels, np.ones(8, int)))
    assert len(got) > 3


def test_single_bad_samples_do_no_harm() -> None:
    cfg = CONFIGS[0]
    levels = encode(cfg, DATA)
    levels[6::12] ^= 1
    assert decode(cfg, levels) == DATA
    assert receive(cfg, levels.tolist()) == DATA


def test_break_gives_no_byte_and_the_next_one_is_taken() -> None:
    cfg = CONFIGS[0]
    levels = [*[0] * 500, *[1] * 3, *encode(cfg, b"A").tolist()]
    assert decode(cfg, levels) == b"A"
    assert receive(cfg, levels) == b"A"


def test_byte_that_comes_too_early_is_dropped() -> None:
    cfg = CONFIGS[0]
    dut, got = UartReceiver(cfg), []

    async def line(ctx: Any) -> None:
        for level in [*encode(cfg, b"ab").tolist(), *[1] * 8]:
            ctx.set(dut.rx, level)
            await ctx.tick()
        await collect(dut.o, 1, got)(ctx)
        for level in [*encode(cfg, b"c").tolist(), *[1] * 8]:
            ctx.set(dut.rx, level)
            await ctx.tick()
        await collect(dut.o, 1, got)(ctx)

    simulate(dut, line)
    assert bytes(got) == b"ac"


def test_rate_error() -> None:
    assert CONFIGS[0].error == 0
    assert abs(CONFIGS[1].error) < 0.005


@pytest.mark.parametrize("baud", [0, 100, 1_500_001])
def test_rate_out_of_range(baud: int) -> None:
    with pytest.raises(ValueError, match=rf"^Baud rate must be between 184 and 1500000 at 12000000 Hz, not {baud}$"):
        UartConfig(clock_hz=12_000_000, baud=baud)

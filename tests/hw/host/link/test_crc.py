"""The CRC of the host link, against zlib."""

import random
import zlib
from typing import Any

import pytest

from mho.hw.host.link.frames import Crc32
from tests.hw.amaranth_bench import put, simulate


@pytest.mark.parametrize("message", [b"", b"\0", b"123456789", random.Random(1).randbytes(100), bytes(32)])
def test_crc_is_that_of_zlib(message: bytes) -> None:
    dut = Crc32()

    async def bench(ctx: Any) -> None:
        for _ in range(2):  # the second time after a start
            for byte in message:
                await put(ctx, dut.i, byte)
            await ctx.tick().repeat(9)
            crc = zlib.crc32(message)
            assert ctx.get(dut.crc) == crc
            for byte in crc.to_bytes(4, "little"):
                assert len(message) == 0 or not ctx.get(dut.good)
                await put(ctx, dut.i, byte)
            await ctx.tick().repeat(9)
            assert ctx.get(dut.good)
            await put(ctx, dut.i, 7)  # the start also ends the byte that is being taken
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)

    simulate(dut, bench)

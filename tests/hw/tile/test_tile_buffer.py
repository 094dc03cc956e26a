"""The buffer beside a row of bytes, with more wanted at a time than it can do."""

from typing import Any

import numpy as np
import pytest

from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.buffer import BYTES, Buffer
from tests.hw.amaranth_bench import simulate
from tests.hw.memory_process import MemoryProcess


@pytest.mark.slow
@pytest.mark.parametrize(("lanes", "payload", "widest"), [(4, 64, 8), (4, 32, 8), (2, 32, 4)])
@pytest.mark.parametrize("one_port", [False, True])
def test_any_bytes_at_any_address_by_priority(lanes: int, payload: int, widest: int, one_port: bool) -> None:
    rng = np.random.default_rng(0)
    cfg = TileConfig(buffer_kib=1, lanes=lanes, payload_bits=payload)
    dut: Any = Buffer(cfg, readers=3, writers=2)
    assert dut.widest == widest
    size = cfg.buffer_bytes
    memory = bytearray(size)
    late: list[int] | None = None
    done = {"read": [0, 0, 0], "write": [0, 0]}
    waited = 0

    def there(address: int, count: int) -> list[int]:
        return [(address + k) % size for k in range(count)]

    async def access(ctx: Any) -> None:
        nonlocal late, waited
        reads, writes = dut.read, dut.write
        for first in range(0, size, widest):
            ctx.set(writes[0].address, first)
            ctx.set(writes[0].bytes, widest)
            ctx.set(writes[0].valid, 1)
            await ctx.tick()
        for _ in range(400):
            asks = {id(port): bool(rng.integers(2)) for port in (*reads, *writes)}
            for port in (*reads, *writes):
                ctx.set(port.valid, int(asks[id(port)]))
                ctx.set(port.address, int(rng.integers(size)))
            for port in writes:
                ctx.set(port.data, int.from_bytes(rng.bytes(BYTES), "little"))
                ctx.set(port.bytes, int(rng.integers(widest + 1)))
            asked = next((port for port in reads if asks[id(port)]), None)
            writer = next((port for port in writes if asks[id(port)]), None)
            if one_port and asked is not None and writer is not None:
                # One of the banks of the read is written: none reads.
                read, written = ctx.get(asked.address), there(ctx.get(writer.address), ctx.get(writer.bytes))
                if {b // BYTES % 4 for b in there(read, BYTES)} & {b // BYTES % 4 for b in written}:
                    asks |= {id(port): False for port in reads}
                    waited += 1
            grants = {name: [p for p in ports if asks[id(p)]] for name, ports in (("read", reads), ("write", writes))}
            for name, ports in (("read", reads), ("write", writes)):
                for k, port in enumerate(ports):
                    granted = ctx.get(port.ready) and ctx.get(port.valid)
                    assert granted == (port is next(iter(grants[name]), None))
                    done[name][k] += port is next(iter(grants[name]), None)
            expected = [memory[b] for b in there(ctx.get(grants["read"][0].address), BYTES)] if grants["read"] else None
            if grants["write"]:
                port = grants["write"][0]
                data = ctx.get(port.data).to_bytes(BYTES, "little")
                for k, b in enumerate(there(ctx.get(port.address), ctx.get(port.bytes))):
                    memory[b] = data[k]
            await ctx.tick()
            if late is not None:
                assert [*ctx.get(reads[0].data).to_bytes(BYTES, "little")] == late
            late = expected

    simulate(dut, access, platform=MemoryProcess(one_port))
    assert (waited > 50) == one_port
    assert all(min(counts) > 20 for counts in done.values())

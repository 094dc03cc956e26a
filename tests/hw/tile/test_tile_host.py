# amaranth: UnusedElaboratable=no
"""A tile on its register bus, beside the map: what can be read back, and errors everywhere else."""

from typing import Any

import numpy as np
import pytest

from hw.host.registers import Access, RegisterMap
from hw.testing import simulate
from hw.tile.config import TileConfig
from hw.tile.host import ADDRESS_WIDTH, CORE_AT, MASKS_AT
from hw.tile.host_map import tile_map
from hw.tile.loading import IMAGE_AT, REGISTERS_AT, STATUS_AT
from hw.tile.text import assemble
from hw.tile.tile import Tile
from tests.hw.host.bus_access import answer_of_bus

CFG = TileConfig(lines=16, buffer_kib=1, parameters=24, instructions=40)
MAP = tile_map(CFG)
FOREVER = assemble("loop forever {\n image\n}").words


class Bench:
    """Accesses, each with its error and its word."""

    def __init__(self) -> None:
        self.dut: Any = Tile(CFG)

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
    kept = {name: [int(word) for word in rng.integers(0, 2**32, windows[name].words)]
            for name in ("program", "descriptors", "buffer")}
    found: dict[str, list[int]] = {}
    wrong: list[int] = []

    async def host(ctx: Any) -> None:
        for name, words in kept.items():
            for k, word in enumerate(words):
                assert await bench.access(ctx, windows[name].address + 4 * k, word) == (False, 0)
        for name, words in kept.items():
            answers = [await bench.access(ctx, windows[name].address + 4 * k) for k in range(len(words))]
            assert not any(error for error, _ in answers)
            found[name] = [word for _, word in answers]
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
        assert await bench.access(ctx, at) == (False, kept["descriptors"][159])
        assert (await bench.access(ctx, 0))[1] & 1

    simulate(bench.dut, host, deadline=20_000)
    assert found == kept
    assert wrong == []

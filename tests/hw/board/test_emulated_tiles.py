# amaranth: UnusedElaboratable=no
"""A board with tiles: where its parts are, what it refuses, and the way to the memories of an emulated core."""

from typing import Any

import pytest

from mho.hw.board.config import BOARD_MAGIC, board_map
from mho.hw.board.load_port import load_offset
from mho.hw.board.tiles import EmulatedAccess, TilesConfig
from mho.hw.config import load_chip
from mho.hw.emulator.config import CELLS, TABLES, TAGS
from mho.hw.host.core.map import MAGIC
from mho.hw.noc.registers.packet import host_address
from mho.hw.tile.rtl.host import CORE_AT
from mho.macro_models.errors import InputError
from tests.hw.amaranth_bench import simulate

SMALL = TilesConfig(chip=load_chip("tnsa16-2x2"), lanes=16, clock_hz=24_000_000)


def test_the_load_port_is_within_its_tile_and_the_board_behind_the_chip() -> None:
    parts, map = SMALL.parts, SMALL.parts.address_map
    assert map.address("tile_1_0_core", "load") == host_address(parts.mesh, 1, SMALL.load_base)
    assert map.address("tile_1_0_core", "masks") == host_address(parts.mesh, 1, CORE_AT) + 0x400
    assert SMALL.board_base == 1 << map.address_width
    assert SMALL.address_width == map.address_width + 1


def test_a_board_with_tiles_says_how_many() -> None:
    fields = {entry.field.name: entry for entry in board_map(SMALL)["geometry"].placed}  # pyright: ignore[reportAttributeAccessIssue]
    assert [fields[name].field.reset for name in ("lines", "noise", "columns", "rows")] == [16, 0, 2, 2]
    assert (fields["columns"].low, fields["rows"].low) == (17, 22)
    assert board_map(SMALL)["id"].placed[0].field.reset == BOARD_MAGIC  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(("preset", "changes", "sentence"), [
    ("tnsa16-core", {}, r"^tnsa16-core: mesh.columns x mesh.rows must be at least two nodes"),
    ("tnsa16-2x2", {"mesh.payload_bits": 128}, r"mesh.payload_bits must be 32 or 64 for tiles"),
    ("pwm16-2x2", {}, r"^pwm16-2x2: core.kind must be .*tnsa on a board, not pwm$"),
])
def test_what_cannot_be_there_is_refused(preset: str, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        TilesConfig(chip=load_chip(preset, changes))


def test_words_of_the_load_port_and_registers_go_their_ways() -> None:
    emulator, blocks = SMALL.emulator, SMALL.parts.core
    access = blocks.access()
    assert isinstance(access, EmulatedAccess)
    words = [(CELLS, 3, 0x1234), (TABLES, 4 * 16 + 1, 77), (TAGS, 2, 5)]
    transferred: list[tuple[int, int, int]] = []
    load_base = SMALL.load_base - CORE_AT

    async def request(ctx: Any, address: int, data: int | None) -> tuple[int, int]:
        bus = access.bus
        ctx.set(bus.request.p, {"address": address >> 2, "write": data is not None, "data": data or 0, "strobe": 15})
        ctx.set(bus.request.valid, 1)
        await ctx.tick().until(bus.request.ready)
        ctx.set(bus.request.valid, 0)
        error, word = await ctx.tick().sample(bus.response.p.error, bus.response.p.data).until(bus.response.valid)
        return error, word

    async def host(ctx: Any) -> None:
        ctx.set(access.bus.response.ready, 1)
        ctx.set(access.load.ready, 1)
        error, word = await request(ctx, 0, None)
        assert (error, word & 0xFFFF) == (0, MAGIC)
        for region, index, data in words:
            assert (await request(ctx, load_base + load_offset(emulator, region, index), data))[0] == 0
        assert (await request(ctx, load_base, None))[0] == 1

    async def watch(ctx: Any) -> None:
        load = access.load
        async for _, _, *values in ctx.tick().sample(
            load.valid, load.ready, load.p.region, load.p.index, load.p.data
        ):
            if values[0] and values[1]:
                transferred.append(tuple(values[2:]))

    simulate(access, host, background=[watch])
    assert transferred == words

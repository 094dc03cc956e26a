# amaranth: UnusedElaboratable=no
"""Two tiles with cores and nodes, from the host's port alone, beside the interpreter of joined tiles."""

from typing import Any

import numpy as np
import pytest

from mho.hw.kinds.tnsa.blocks import TnsaBlocks, TnsaCoreReference
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations
from mho.hw.noc.interface.tables import credit_tag
from mho.hw.noc.reduction.trees import Group, entries
from mho.hw.noc.registers.map import write_entry, write_flow, write_members, write_slot
from mho.hw.noc.registers.packet import host_address
from mho.hw.tile.asm import assemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.host_map import program_writes
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined, Place, Reduction
from mho.hw.tile.interpreter.state import ReferenceCore
from mho.hw.tile.interpreter.tiles import Tiles
from mho.hw.tile.rtl.host import CONTROL
from mho.hw.tile.rtl.tile import Tile, TileMesh
from mho.macro_models.errors import InputError
from tests.hw.amaranth_bench import simulate
from tests.hw.exact_array import ExactArray
from tests.hw.host.bus_access import access_bus

FIRST = """
stream in:  block 8, blocks 2, remote, slot 0
stream out: block 16, blocks 2
stream part: block 16, blocks 2
walk whole: stream in
mvm layer: i_last 1, o_last 3, in_bits 4, in_signed, out_bits 6, step_code 8
parameters scale { 8 * m 900, target 0.., valid, start }
parameters bias { 8 * m 1, c -20.. }
vec leaf: a drain, target accumulators, elements 8, parameters scale, shift 4
vec root: a accumulators, target out, wide, elements 8, parameters bias
vec lanes: kind max, a accumulators, target part, wide, elements 8
loop forever {
    mvm layer, whole, advance, free
    vec leaf
    vec lanes, push
    vec root, push
    send out, flow 0, free
    send part, context 0, free
    image
}
"""
SECOND = """
stream in:  block 16, blocks 3, remote, slot 1
stream out: block 16, blocks 2
parameters both { 16 * m 3 }
vec sum: a result0, b in, b_format lane, target out, wide, elements 8, parameters both, period 8, shift 1, lo 0
loop forever {
    vec sum, free_b, push
    send out, flow 2, free
    image
}
"""
LINES, IMAGES, TAG = 16, 2, 3
CFG = TileConfig(lines=LINES, buffer_kib=1, parameters=16, instructions=16, payload_bits=64, contexts=1, ranged=True)
MESH = MeshConfig(columns=2, rows=1, payload_bits=64, contexts=1, depth=2)


def test_parts_must_fit() -> None:
    mesh, core = MeshConfig(columns=2, rows=1, payload_bits=32, contexts=1), TnsaBlocks.of(TnsaCoreConfig(lines=LINES))
    with pytest.raises(InputError, match=r"^payload_bits of a tile must be 32, as around it, not 64$"):
        Tile(CFG, mesh, core)


@pytest.mark.long
def test_two_tiles_with_a_flow_and_a_reduction_by_the_host() -> None:
    rng = np.random.default_rng(0)
    arrays = [ExactArray.random(LINES, rng) for _ in range(2)]
    programs = assemble(FIRST), assemble(SECOND)
    inputs = [rng.integers(-7, 8, 8).astype(np.int8).tobytes() for _ in range(IMAGES)]
    core = TnsaCoreConfig(lines=LINES, ranged=True)
    tiles = Tiles(Joined(
        tiles={name: Place(program=program, cfg=CFG, core=ReferenceCore(TnsaCoreReference(core, array)))
               for name, program, array in zip("ab", programs, arrays, strict=True)},
        flows=(Flow(sender="a", number=0, to=("b",), slot=1), Flow(sender="b", number=2, to=(HOST,))),
        reductions=(Reduction(context=0, members=("a",), root="b"),),
    ))
    tiles.give("a", 0, inputs)
    tiles.run()
    expected = tiles.received["b", 2]
    assert len(set(expected)) == IMAGES
    dut: Any = TileMesh([CFG] * MESH.nodes, MESH, TnsaBlocks.of(core))
    received: list[bytes] = []
    part = b""

    async def access(ctx: Any, node: int, address: int, value: int) -> None:
        await access_bus(ctx, dut.host_bus, host_address(MESH, node, address), value)

    async def host(ctx: Any) -> None:
        tables = [(0, write_slot(MESH, 0, None, 0)), (0, write_flow(MESH, 0, Destinations.one(1, 0), 1)),
                  (0, write_members(MESH, 0, 1)), (1, write_slot(MESH, 1, 0, 0)), (1, write_flow(MESH, 2, None, TAG))]
        trees = entries(MESH, [Group(name="sum", members=(0,), root=1)])
        tables += [(node, write_entry(MESH, context, entry)) for (node, context), entry in trees.items()]
        for node, (address, word) in tables:
            await access(ctx, node, address, word)
        for node, program in enumerate(programs):
            for address, word in program_writes(program, CFG):
                await access(ctx, node, address, word)
            await access(ctx, node, CONTROL, 1)
        # Tokens are as they are at the start some time before the next request is there.
        for _ in range(60):
            await ctx.tick()
        send = dut.host_send
        for block in inputs:
            ctx.set(send.payload, {
                "payload": int.from_bytes(block, "little"), "tag": 0, "host": 0, "rows": 1, "columns": 1})
            ctx.set(send.valid, 1)
            await ctx.tick().until(send.ready)
            ctx.set(send.valid, 0)
        while len(received) < IMAGES:
            await ctx.tick()

    async def listen(ctx: Any) -> None:
        nonlocal part
        while True:
            _, _, comes, body = await ctx.tick().sample(dut.host_receive.valid, dut.host_receive.payload)
            if comes and body.tag == TAG:
                part += body.payload.to_bytes(8, "little")
                if len(part) == 16:
                    received.append(part)
                    part = b""
            elif comes:
                assert body.tag == credit_tag(MESH)

    simulate(dut, host, background=[listen], deadline=20_000, processes=[
        array.process(getattr(dut, f"macro_{k}")) for k, array in enumerate(arrays)])
    assert received == expected

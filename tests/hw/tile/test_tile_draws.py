# amaranth: UnusedElaboratable=no
"""Random numbers of a tile: hardware beside the reference, programs that draw, tiles that cannot."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal

from mho.hw.config import load_chip
from mho.hw.core.draws import SEED_CYCLES, Draws
from mho.hw.ports import Component, In, Out
from mho.hw.tile.asm import assemble, disassemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.host_map import program_writes, tile_map
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined, Place
from mho.hw.tile.interpreter.tiles import Tiles
from mho.hw.tile.isa import DESCRIPTORS, Cause, Op, Operand
from mho.hw.tile.isa.legality import refusal
from mho.hw.tile.isa.program import Program
from mho.hw.tile.rtl.lanes.lane import by_law
from mho.macro_models.integer.draws import Law, draw_key, draws
from mho.sim.tile_programs.random_programs import SIZES
from mho.sim.tile_programs.verify import verify_tile
from tests.hw.amaranth_bench import simulate

KEY = draw_key(5, 3)
TEXT = f"""\
first_image: 9
draw_key: {KEY:#x}
stream o: block 24, blocks 4
parameters p {{ 12 * m 1 }}
vec w: a draw, target o, elements 12, wide, parameters p, period 12
vec n: a draw, a_format signed, target o, elements 12, wide, parameters p, period 12
loop 2 {{
    vec w, push
    send o, flow 0, free
    vec n, push
    send o, flow 0, free
    image
}}
"""


@pytest.mark.parametrize("gap", [0, 3])
def test_hardware_gives_the_words_of_the_reference(gap: int) -> None:
    dut: Any = Draws()

    async def bench(ctx: Any) -> None:
        for image, number in ((7, 0), (0xFFFFFFFF, 0xBCDEF), (0, 1)):
            for port, value in ((dut.key, KEY), (dut.image, image), (dut.number, number), (dut.start, 1)):
                ctx.set(port, value)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await ctx.tick().repeat(SEED_CYCLES - 1)
            assert not ctx.get(dut.ready)
            await ctx.tick()
            assert ctx.get(dut.ready)
            words = []
            for _ in range(20):
                await ctx.tick().repeat(gap + 1)
                words.append(ctx.get(dut.word))
                ctx.set(dut.next, 1)
                await ctx.tick()
                ctx.set(dut.next, 0)
            assert np.array(words, "<u4").view("<i2").tolist() == draws(KEY, image, number, 40, Law.WORD).tolist()

    simulate(dut, bench)


class OfLaw(Component):
    bits = In(16)
    law = In(2)
    made = Out(16)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.made.eq(by_law(self.bits, self.law))
        m.d.sync += Signal().eq(1)
        return m


def test_hardware_has_the_laws_of_the_reference() -> None:
    dut: Any = OfLaw()
    words = draws(KEY, 0, 0, 200, Law.WORD).tolist()

    async def bench(ctx: Any) -> None:
        for law in Law:
            for word, expected in zip(words, draws(KEY, 0, 0, 200, law).tolist(), strict=True):
                ctx.set(dut.bits, word & 0xFFFF)
                ctx.set(dut.law, law)
                await ctx.tick()
                assert ctx.get(dut.made) == expected & 0xFFFF

    simulate(dut, bench)


def test_a_program_draws_by_image_and_number() -> None:
    cfg = TileConfig(lines=16, buffer_kib=1, parameters=24, instructions=40, draws=True)
    tiles = Tiles(Joined(
        tiles={"t": Place(program=assemble(TEXT), cfg=cfg, core=None)},
        flows=(Flow(sender="t", number=0, to=(HOST,)),),
    ))
    tiles.run()
    outputs = [np.frombuffer(block, "<i2").tolist() for block in tiles.received["t", 0]]
    assert outputs == [draws(KEY, image, number, 12, law).tolist()
                     for image in (9, 10) for number, law in ((0, Law.WORD), (1, Law.NIBBLES))]


def test_the_key_is_in_text_file_and_registers() -> None:
    program = assemble(TEXT)
    assert program.key == KEY
    assert assemble(disassemble(program)).pack() == program.pack()
    assert Program.unpack(program.pack()).key == KEY
    cfg = TileConfig(draws=True)
    addresses = [tile_map(cfg)[f"draw_key_{k}"].address for k in (0, 1)]
    written = dict(program_writes(program, cfg))
    assert [written[at] for at in addresses] == [KEY & 0xFFFFFFFF, KEY >> 32]
    assert not set(addresses) & set(dict(program_writes(program, TileConfig())))


def test_what_cannot_draw_refuses() -> None:
    values = assemble(TEXT).descriptor("vec", 0) | {"b": int(Operand.NONE)}
    drawn = int(Operand.DRAW)

    def cause(cfg: TileConfig, **changed: int) -> Cause:
        memory = list(assemble(TEXT).descriptors)
        memory[DESCRIPTORS["vec"].at(0)] = DESCRIPTORS["vec"].layout.pack(values | changed)
        flags: dict[str, int] = dict.fromkeys(("vec", "advance_a", "advance_b", "free_a", "free_b", "push"), 0)
        return refusal(Op.VEC, flags, memory, cfg)[0]

    draws_too = TileConfig(draws=True)
    assert cause(draws_too) is Cause.NONE
    assert cause(TileConfig()) is Cause.FIELD
    assert cause(draws_too, a_offset=1) is Cause.FIELD
    assert cause(draws_too, b=drawn) is Cause.FIELD
    assert cause(draws_too, a=0, a_format=0, b=drawn) is Cause.NONE
    assert cause(draws_too, a=0, a_format=0, b=drawn, b_offset=1) is Cause.FIELD


def test_a_chip_says_whether_its_tiles_draw() -> None:
    chip = load_chip("tnsa16-2x2", {"tile.programs": True, "tile.draws": True})
    assert all(cfg.draws for cfg in TileConfig.of_tiles(chip).values())
    assert not TileConfig.from_chip(load_chip("tnsa16-2x2")).draws


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("lanes", [2, pytest.param(8, marks=pytest.mark.long)])
def test_random_programs_draw_what_the_interpreter_does(lanes: int, tmp_path: Path) -> None:
    cfg = replace(SIZES, draws=True, lanes=lanes)
    report = verify_tile(cfg, instructions=3000, traps=100, seed=11, folder=tmp_path)
    assert report.opcodes["vec"] > 500

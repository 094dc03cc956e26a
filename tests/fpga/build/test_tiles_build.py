"""How a chip of tiles is synthesised and placed, and what is taken from a folder in which it was built."""

import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from mho.fpga.boards import find_board
from mho.fpga.build.build import BuildReport, prepare
from mho.fpga.build.tools import tiles_at
from mho.fpga.config import board_config
from mho.fpga.evidence.verify import read_built, simulated_netlist
from mho.hw.board.tiles import TilesConfig
from mho.hw.board.top import AnyConfig
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError

BOARD = find_board("ulx3s-85f")


def tiles(*overrides: str) -> TilesConfig:
    cfg = board_config(BOARD.name, load_chip("ulx3s-2x2", overrides))
    assert isinstance(cfg, TilesConfig)
    return cfg


def test_tiles_are_fixed_in_the_mesh_that_the_board_knows() -> None:
    commands = tiles_at(BOARD, tiles())
    assert len(commands) == 4
    assert len({command.split('"')[1] for command in commands}) == 4
    assert tiles_at(BOARD, tiles("mesh.rows=1", "mesh.contexts=0")) == []


@pytest.mark.cosim("yosys")
@pytest.mark.slow
def test_what_fixes_a_tile_is_a_memory_of_it(tmp_path: Path) -> None:
    prepare(BOARD, tiles(), tmp_path)
    (tmp_path / "look.ys").write_text(
        "read_verilog board.v\nread_rtlil top.il\nhierarchy -top top\nproc\nflatten\n" + "".join(
            f"select -assert-count 1 m:*.tile_{at}.tile.buffer.bank_0.words\n" for at in ("0_0", "0_1", "1_0", "1_1"))
    )
    subprocess.run(["yosys", "-q", "look.ys"], cwd=tmp_path, check=True)


def test_modules_beside_the_top_are_compiled_apart_and_keep_their_ports() -> None:
    tile = "module mho_core_tile(clk, a);\n  input clk;\n  output a;\nendmodule\n"
    text = tile + "module top(x, y);\n  input x;\n  output y;\nendmodule\n"
    lines = simulated_netlist(text, "ecp5").splitlines()
    assert lines[:3] == ["module mho_core_tile(clk, a); /*verilator hier_block*/", "  input clk;", "  output a;"]
    assert lines[4:7] == ["module top(x, y);", "  inout x;", "  inout y;"]


def built(folder: Path, cfg: AnyConfig, **changed: object) -> None:
    emulator = cfg.emulator
    report = BuildReport(
        board=BOARD.name, device=BOARD.device, status=BOARD.status, chip=cfg.chip.name, chip_sha256=cfg.chip.sha256,
        cores=cfg.cores, lines=emulator.lines, g_bits=emulator.g_bits, lanes=emulator.lanes, slots=emulator.slots,
        noise=emulator.noise, programs=cfg.programs, serial=cfg.serial, memory=emulator.memory, clock_hz=cfg.clock_hz,
        baud=cfg.baud, flow="native", tools={}, used={}, available={}, fmax_hz=20_000_000,
        critical="", seed=1, bitstream="ulx3s-85f.bit", bitstream_bytes=3,
        bitstream_sha256="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    )
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps({**asdict(report), **changed}))
    (folder / "ulx3s-85f.bit").write_bytes(b"abc")


def test_what_was_built_is_taken(tmp_path: Path) -> None:
    built(tmp_path / "out", tiles())
    assert read_built(BOARD, tiles(), tmp_path / "out").fmax_hz == 20_000_000


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"chip_sha256": "0", "chip": "mine"}, r"out: is a build of mine for ulx3s-85f, not of this ulx3s-2x2 "),
        ({"baud": 2_000_000}, r"out: has another clock, line, lanes, tables or noise than would be built now$"),
        ({"bitstream_sha256": "0"}, r"out: the bitstream is not the one in report.json; build it again$"),
        ({"bitstream": "none.bit"}, r"out: holds no build; make one with: mho fpga build ulx3s-85f -o DIR$"),
    ],
)
def test_what_was_built_otherwise_is_refused(changed: dict[str, object], message: str, tmp_path: Path) -> None:
    built(tmp_path / "out", tiles(), **changed)
    with pytest.raises(InputError, match=message):
        read_built(BOARD, tiles(), tmp_path / "out")

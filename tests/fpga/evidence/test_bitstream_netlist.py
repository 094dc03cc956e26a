"""From a chip to a bitstream, back to a netlist, and that one on its serial line: the whole way of a small core."""

import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from mho.fpga.boards import find_board
from mho.fpga.build.build import BuildReport, build
from mho.fpga.config import board_config
from mho.fpga.evidence.compare import compare_operations, power_up
from mho.fpga.evidence.verify import bitstream_netlist, netlist_program
from mho.fpga.link.simulated import PinsTransport
from mho.fpga.load import check_bitstream
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.build.toolchain import require_tool

BOARD = find_board("hx8k-breakout")
CHIP = load_chip("tnsa16-core", {"core.g_bits": 4})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BuildReport]:
    folder = tmp_path_factory.mktemp("hx8k") / "out"
    return folder, build(BOARD.name, CHIP, folder=folder, flow="native")


@pytest.mark.cosim("yosys", "nextpnr-ice40", "icepack")
@pytest.mark.long
def test_a_build_says_what_came_out(built: tuple[Path, BuildReport]) -> None:
    folder, report = built
    assert (report.chip_sha256, report.lines, report.g_bits, report.lanes) == (CHIP.sha256, 16, 4, 16)
    assert report.fmax_hz > report.clock_hz
    assert 0 < report.used["lut"] < report.available["lut"] == 7680
    data = check_bitstream(BOARD, folder / report.bitstream)
    assert len(data) == report.bitstream_bytes == 135_100
    names = {"report.json", "hx8k-breakout.bin", "hx8k-breakout.asc", "hx8k-breakout.pcf", "hx8k-breakout_netlist.v"}
    assert names <= {path.name for path in folder.iterdir()}
    assert not [path for path in folder.parent.iterdir() if path != folder]
    assert asdict(report)["tools"].keys() == {"yosys", "nextpnr-ice40", "amaranth"}


@pytest.mark.cosim("yosys", "nextpnr-ice40", "icepack", "iceunpack", "icebox_vlog", "verilator", "g++", "make")
@pytest.mark.long
def test_the_netlist_in_a_bitstream_gives_the_codes_of_the_numpy_model(built: tuple[Path, BuildReport]) -> None:
    folder, _ = built
    text = bitstream_netlist(BOARD, folder / "hx8k-breakout.bin", folder / "hx8k-breakout.pcf")
    cfg = board_config(BOARD.name, CHIP)
    line = power_up(PinsTransport(netlist_program(text, BOARD.family), cfg.uart))
    try:
        counts = compare_operations(cfg, line, vectors=3)
    finally:
        line.close()
    assert (counts.operations, counts.codes) == (3 * 4, 3 * 4 * 16)


def test_a_bitstream_of_an_up5k_is_no_netlist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^only a bitstream of an iCE40HX8K can .*, not one of iCE40UP5K-SG48$"):
        bitstream_netlist(find_board("icebreaker"), tmp_path / "a.bin", tmp_path / "a.pcf")


@pytest.mark.cosim("ecppack", "ecpunpack", "yosys", "nextpnr-ecp5")
@pytest.mark.slow
def test_a_bitstream_of_an_ecp5_is_the_same_after_unpacking_and_packing(tmp_path: Path) -> None:
    (tmp_path / "a.v").write_text(
        "module top(input c, input [3:0] a, output reg [7:0] q); reg [7:0] m [0:1023]; reg [9:0] n = 0;"
        "always @(posedge c) begin n <= n + a; m[n] <= q + a; q <= m[n ^ 5] * a; end endmodule\n"
    )
    synthesis = [require_tool("yosys"), "-q", "-p", "read_verilog a.v; synth_ecp5 -top top -json a.json"]
    place = ["nextpnr-ecp5", "-q", "--25k", "--json", "a.json", "--textcfg", "a.config", "--lpf-allow-unconstrained"]
    pack = ["ecppack", "--compress", "--input", "a.config", "--bit", "a.bit"]
    unpack = ["ecpunpack", "--input", "a.bit", "--textcfg", "again.config"]
    repack = ["ecppack", "--compress", "--input", "again.config", "--bit", "again.bit"]
    for command in (synthesis, place, pack, unpack, repack):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "again.bit").read_bytes() == (tmp_path / "a.bit").read_bytes()

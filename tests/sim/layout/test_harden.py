"""A block of some hundred cells to GDS, and what is found where a layout is not its netlist."""

import gzip
import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.macro_models.errors import InputError, ToolError
from mho.rtl_gen.verilog.ports import module_ports
from mho.sim.layout import harden as harden_module
from mho.sim.layout.harden import harden
from mho.sim.layout.pdk import find_pdk
from mho.sim.layout.signoff import Layout, layout_energy
from mho.sim.layout.stages import PARTS, STAGES, Stage, Stages

DATA = Path(__file__).parents[4] / "shared/data/ihp-sg13g2"
MISSING = [name for name, installed in (
    ("the PDK", (DATA / "layout").is_dir()), ("klayout", shutil.which("klayout")), ("yosys", shutil.which("yosys")),
    ("openroad", importlib.util.find_spec("openroad") or shutil.which("openroad")),
) if not installed]
needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not found; see mho doctor layout")
BLOCK = "decision"
DIODES = """
import pya
layout = pya.Layout()
layout.read(gds)
row = layout.create_cell("row")
x = 0
for name in ("sg13g2_inv_1", "sg13g2_antennanp", "sg13g2_inv_1"):
    cell = layout.cell(name)
    row.insert(pya.CellInstArray(cell.cell_index(), pya.Trans(x, 0)))
    x += cell.bbox_per_layer(layout.layer(189, 4)).width()
layout.write(out)
"""

METAL_OF_A_PIN = """
source flow/fillers.tcl
filler_placement $fillers
foreach inst [[ord::get_db_block] getInsts] {
  if {[[$inst getMaster] getName] eq "sg13g2_decap_8"} { set capacitor $inst }
}
set box [$capacitor getBBox]
lassign [list [$box xMin] [$box yMin] [[ord::get_db_tech] findRoutingLayer 1]] left bottom layer
proc too_near_by {length} {
  set piece [list [expr {$::left - 300}] [expr {$::bottom + 600}] [expr {$::left + $length}] [expr {$::bottom + 800}]]
  return [too_near [list $piece] $::layer]
}
puts "pins [expr {[llength [metal_of_pins [$layer getName]]] > 40}]"
puts "flush [expr {$capacitor in [too_near_by -10]}]"
set near [too_near_by 85]
puts "beyond [expr {$capacitor in $near}]"
replace_fillers $near
puts "left [llength [too_near_by 85]]"
check_placement
"""


@pytest.fixture(scope="module")
def pdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pdk")
    for path in (DATA / "layout").iterdir():
        if path.name != "lib":
            (folder / path.name).symlink_to(path)
    (folder / "lib").mkdir()
    for path in (*(DATA / "layout/lib").glob("*.gz"), *DATA.glob("*.lib.gz")):
        if not (folder / "lib" / path.name).exists():
            (folder / "lib" / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def hardened(pdk: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Layout]:
    folder = tmp_path_factory.mktemp("layout")
    return folder, harden(load_chip("tnsa16-core", {}), pdk, folder, module=BLOCK)


@needs_tools
@pytest.mark.slow
@pytest.mark.cosim
def test_a_block_is_clean(hardened: tuple[Path, Layout]) -> None:
    folder, layout = hardened
    assert layout.clean, layout
    assert layout.cells > 20
    assert 0.0 < layout.utilisation < 0.8
    for end in ("gds", "def", "v", "spef", "sdf", "lef", "lib", "png", "parts.png"):
        assert (folder / f"mho_{BLOCK}.{end}").stat().st_size > 1000
    assert set(layout.seconds) == {stage.name for stage in (*STAGES, *PARTS)}


@pytest.mark.slow
@needs_tools
def test_the_clock_of_an_outline_is_early_at_all_registers(pdk: Path, tmp_path: Path) -> None:
    """It has no tree yet: its load and its delay would be those of one wire to all registers, and held by a chip."""
    harden(load_chip("tnsa16-core", {}), pdk, tmp_path, module="line_registers", until="floorplan")
    for model in tmp_path.glob("mho_line_registers*.lib"):
        text = model.read_text()
        trees = re.findall(r"_clock_tree_path;.*?values\(\"(.*?)\"\)", text, re.DOTALL)
        assert trees
        assert not any(map(float, trees))
        loads = [float(load) for load in re.findall(r"^\s+capacitance : ([\d.]+);", text, re.MULTILINE)]
        assert len(loads) > 10
        assert max(loads) == 0.02


@pytest.mark.slow
@needs_tools
def test_the_highest_layer_above_a_part_is_the_chips(pdk: Path, tmp_path: Path) -> None:
    """Else stripes of a chip end where the part's begin, which then has no supply; the part's rows still have one."""
    harden(load_chip("tnsa16-2x2", {}), pdk, tmp_path, part="chip", module="router", until="floorplan")
    outline = (tmp_path / "mho_router.lef").read_text()
    assert "LAYER TopMetal1 ;" in outline
    assert "LAYER TopMetal2 ;" not in outline
    assert len(re.findall("All shapes on net V.. are connected", (tmp_path / "floorplan.log").read_text())) == 2


@needs_tools
@pytest.mark.slow
@pytest.mark.cosim
def test_what_is_done_is_not_done_again(pdk: Path, hardened: tuple[Path, Layout]) -> None:
    folder, layout = hardened
    begun: list[str] = []
    assert harden(load_chip("tnsa16-core", {}), pdk, folder, module=BLOCK, note=begun.append) == layout
    assert not begun


@needs_tools
@pytest.mark.slow
@pytest.mark.cosim
def test_a_filler_too_near_the_metal_of_a_pin_gives_way(hardened: tuple[Path, Layout], tmp_path: Path) -> None:
    folder, layout = hardened
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "flow/probe.tcl").write_text(METAL_OF_A_PIN)
    probe = Stage(name="probe", does="", command=("openroad", "flow/stage.py", "probe", "antennas"), writes="probe.odb")
    Stages(tmp_path, {"top": layout.top}).run([probe], ["settings.json"])
    said = re.findall(r"^(pins|flush|beyond|left) (\d+)$", (tmp_path / "probe.log").read_text(), re.MULTILINE)
    assert said == [("pins", "1"), ("flush", "0"), ("beyond", "1"), ("left", "0")]


def faulty(database: str, top: str, fault: str) -> str:
    """A database of LVS: the netlist's first two pins are swapped, or the layout's first signal is at no cell."""
    split = database.index("\nH(")
    layout, netlist = database[:split], database[split:]
    if fault == "cut":
        at = layout.index(f" X({top}\n")
        pins = re.finditer(r"^  P\(\d+ I\((.*)\)\)\n", layout[at:], re.MULTILINE)
        pin = next(pin for pin in pins if pin[1] not in ("VDD", "VSS"))
        return layout[: at + pin.start()] + f"  P(I({pin[1]}))\n" + layout[at + pin.end() :] + netlist
    at = netlist.index(f" X({top.upper()}\n")
    first, second = list(re.finditer(r"^  P\(\d+ I\((.*)\)\)$", netlist[at:], re.MULTILINE))[:2]
    swapped = netlist[at:].replace(first[0], first[0].replace(first[1], "AWAY"), 1)
    swapped = swapped.replace(second[0], second[0].replace(second[1], first[1]), 1)
    return layout + netlist[:at] + swapped.replace("I(AWAY)", f"I({second[1]})", 1)


@needs_tools
@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("fault", ["swapped", "cut"])
def test_pins_that_are_elsewhere_are_found(hardened: tuple[Path, Layout], tmp_path: Path, fault: str) -> None:
    """To transistors alone both are a match: pins are paired there by what hangs on them."""
    folder, layout = hardened
    for name in ("settings.json", "flow"):
        (tmp_path / name).symlink_to(folder / name)
    database = f"{layout.top}.lvsdb"
    (tmp_path / database).write_text(faulty((folder / database).read_text(), layout.top, fault))
    words = {"top": layout.top, "folder": str(tmp_path), "drc": "", "lvs": ""}
    Stages(tmp_path, words).run([stage for stage in STAGES if stage.name == "ports"], ["settings.json"])
    report = json.loads((tmp_path / "ports.json").read_text())
    assert not report["match"] or report["lost"]


def bench(verilog: str, top: str, sdf: Path | None, period_ns: float) -> str:
    """Random inputs behind each rising edge; the outputs before the next."""
    ports = [port for port in (module_ports(verilog, top) or {}).values() if port.name not in ("clk", "rst")]
    widths = {way: sum(port.width or 0 for port in ports if port.direction == way) for way in ("input", "output")}
    at, pins = {"input": 0, "output": 0}, [".clk(clk)", ".rst(rst)"]
    for port in ports:
        low = at[port.direction]
        at[port.direction] += port.width or 0
        pins.append(f".{port.name}({port.direction}s[{at[port.direction] - 1}:{low}])")
    words = ", ".join(["$random"] * (widths["input"] // 32 + 1))
    return f"""`timescale 1ns/1ps
module bench;
  reg clk = 0, rst = 1;
  reg [{widths["input"] - 1}:0] inputs = 0;
  wire [{widths["output"] - 1}:0] outputs;
  integer k;
  {top} block ({", ".join(pins)});
  initial begin
    {f'$sdf_annotate("{sdf}", block);' if sdf else ""}
    for (k = 0; k < 100; k = k + 1) begin
      #({period_ns} * 0.5) clk = 0;
      #({period_ns} * 0.45) if (k > 9) $display("outputs %b", outputs);
      #({period_ns} * 0.05) clk = 1;
      #({period_ns} * 0.05) rst = k < 4; inputs = {{{words}}};
    end
    $finish;
  end
endmodule
"""


def outputs(folder: Path, sources: list[Path], text: str) -> list[str]:
    (folder / "bench.v").write_text(text)
    files = [str(path) for path in (folder / "bench.v", *sources)]
    command = ["iverilog", "-g2005", "-gspecify", "-Tmax", "-s", "bench", "-o", "bench.vvp", *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    ran = subprocess.run(["vvp", "-n", "bench.vvp", "-fst"], cwd=folder, check=True, capture_output=True, text=True)
    return re.findall("^outputs ([01]+)$", ran.stdout, re.MULTILINE)


@needs_tools
@pytest.mark.slow
@pytest.mark.cosim("iverilog")
def test_netlist_with_its_delays_does_what_the_verilog_does(hardened: tuple[Path, Layout], tmp_path: Path) -> None:
    """And does not if the clock is twenty times too fast, so that the delays are there."""
    folder, layout = hardened
    source = folder / f"rtl/rtl/{BLOCK}.v"
    verilog, netlist = source.read_text(), [folder / f"{layout.top}.v", folder / "cells.v"]
    expected = outputs(tmp_path, [source], bench(verilog, layout.top, None, layout.period_ns))
    sdf = folder / f"{layout.top}.sdf"
    assert len(set(expected)) > 80
    assert outputs(tmp_path, netlist, bench(verilog, layout.top, sdf, layout.period_ns)) == expected
    assert outputs(tmp_path, netlist, bench(verilog, layout.top, sdf, layout.period_ns / 20)) != expected


@needs_tools
@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator", "g++")
def test_energy_is_that_of_what_the_netlist_did(hardened: tuple[Path, Layout], tmp_path: Path) -> None:
    """More than that of the clock alone, and that of a product goes with their number."""
    folder, layout = hardened
    verilog, netlist = (folder / f"rtl/rtl/{BLOCK}.v").read_text(), [folder / f"{layout.top}.v", folder / "cells.v"]
    text = bench(verilog, layout.top, None, layout.period_ns)
    dump = f'initial begin\n    $dumpfile("{tmp_path}/trace.fst"); $dumpvars(0, bench);'
    energy = {}
    for work, source in (("random", text), ("still", re.sub(r"inputs = \{\$random.*?\}", "inputs = 0", text))):
        outputs(tmp_path, netlist, source.replace("initial begin", dump, 1))
        stages, trace = Stages(folder, {"top": layout.top}), tmp_path / "trace.fst"
        energy[work] = [layout_energy(stages, layout.top, trace, n, layout.period_ns) for n in (1, 100)]
        assert energy[work][0].product_pJ == pytest.approx(100 * energy[work][1].product_pJ)
        assert energy[work][1].cycles == pytest.approx(1, abs=0.02)
    random, still = (energy[work][1].power_mW for work in ("random", "still"))
    assert layout.power_mW is not None
    assert 1.2 * still < random < 5 * layout.power_mW


@pytest.mark.parametrize(("text", "sentence"), [
    ("[files]\n", "files.technology must be a str"),
    ("[files", "TOML"), ("files = 3\n", "files must be a table, not 3"),
])
def test_settings_of_a_process_that_are_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mho.toml").write_text(text)
    with pytest.raises(InputError, match=re.escape(sentence)):
        find_pdk(tmp_path)


def test_settings_run_nothing(tmp_path: Path) -> None:
    shipped = Path("sim/layout/pdks/sg13g2.toml").read_text()
    (tmp_path / "mho.toml").write_text(shipped.replace('"CoreSite"', '"CoreSite; exec touch x"'))
    with pytest.raises(InputError, match="must be of letters"):
        find_pdk(tmp_path)
    (tmp_path / "mho.toml").write_text(shipped.replace('"pdn.tcl"', '"../pdn.tcl"'))
    with pytest.raises(InputError, match="within the PDK's folder"):
        find_pdk(tmp_path)
    for wrong, sentence in (
        ('[{"}}; exec touch x; {" = 1}]', "must be of letters"), ("[1979-05-27]", "must be a word, a number"),
        ("3", "routing.spared must be a list, not 3"),
    ):
        (tmp_path / "mho.toml").write_text(re.sub("(?m)^spared = .*", f"spared = {wrong}", shipped))
        with pytest.raises(InputError, match=sentence):
            find_pdk(tmp_path)


def test_a_folder_that_is_no_pdk(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be the PDK of sg13g2, or have settings of its own"):
        find_pdk(tmp_path)
    (tmp_path / "a b").mkdir()
    with pytest.raises(ToolError, match="without blanks"):
        find_pdk(tmp_path / "a b")


@pytest.mark.skipif(bool({"the PDK", "klayout"} & set(MISSING)), reason="the PDK or klayout not found")
@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("output", ["open", "at VSS"])
def test_diodes_whose_wells_go_on_in_the_cells_beside_them_are_found(pdk: Path, tmp_path: Path, output: str) -> None:
    """The layout has them in the circuit around their cell; a wire to a supply is still no match."""
    (tmp_path / "row.py").write_text(DIODES)
    gds, row = pdk / "gds/sg13g2_stdcell.gds.gz", tmp_path / "row.gds"
    klayout = ["klayout", "-b", "-r"]
    subprocess.run([*klayout, tmp_path / "row.py", "-rd", f"gds={gds}", "-rd", f"out={row}"], check=True)
    cells = gzip.decompress((pdk / "cdl/sg13g2_stdcell.cdl.gz").read_bytes()).decode()
    (tmp_path / "row.cdl").write_text(
        f"{cells}.SUBCKT row VDD VSS\nX1 {'y1' if output == 'open' else 'VSS'} a1 VDD VSS sg13g2_inv_1\n"
        "X2 a2 VDD VSS sg13g2_antennanp\nX3 y3 a3 VDD VSS sg13g2_inv_1\n.ENDS\n")
    deck = (Path(harden_module.__file__).parent / "flow/lvs.lvs.txt").read_text()
    deck = deck.replace("@BOXES@", "no_macro").replace("@DECK@", str(pdk / "lvs/sg13g2.lvs"))
    (tmp_path / "lvs.lvs").write_text(deck)
    named = {"input": row, "topcell": "row", "schematic": tmp_path / "row.cdl", "report": tmp_path / "row.lvsdb",
             "target_netlist": tmp_path / "row.cir", "run_mode": "deep"}
    compared = subprocess.run(
        [*klayout, tmp_path / "lvs.lvs", *(part for key, value in named.items() for part in ("-rd", f"{key}={value}"))],
        capture_output=True, text=True, check=False, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    assert ("Netlists match" in compared.stdout + compared.stderr) == (output == "open")

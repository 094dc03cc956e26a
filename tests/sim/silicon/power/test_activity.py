"""Energy of the logic from its switching activity: of traces that Icarus made of the generated Verilog."""

import re
import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from mho.hw.config import Chip, load_chip
from mho.hw.core.layout import pack
from mho.hw.kinds import core_blocks
from mho.hw.noc.registers.packet import NODE_BITS
from mho.macro_models.errors import InputError
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.rtl_gen.emit import module_texts
from mho.sim.silicon.area import Netlist, chip_area
from mho.sim.silicon.power.activity import Activity, find_design, read_activity
from mho.sim.silicon.power.energy import AVERAGE_ACTIVITY, chip_energy
from mho.sim.silicon.synthesis.blocks import macro_stub, without_comments
from mho.sim.tile_networks.build import sources_of_mesh

ROOT = Path(__file__).parents[4]
LIBRARY = ROOT.parent / "shared/data/ihp-sg13g2/sg13g2_stdcell_typ_1p20V_25C.lib.gz"

COUNTER = """module tb;
  reg clk = 0;
  reg [2:0] count = 0;
  always #5 clk = ~clk;
  always @(posedge clk) count <= count + 1;
  initial begin $dumpfile("trace.fst"); $dumpvars(0, tb); #161 $finish; end
endmodule
"""


def traced(folder: Path, text: str) -> Path:
    """The trace of a bench that writes ``trace.fst``."""
    (folder / "all.v").write_text(text)
    subprocess.run(["iverilog", "-g2012", "-o", "all.vvp", "all.v"], cwd=folder, check=True)
    subprocess.run(["vvp", "-n", "all.vvp", "-fst"], cwd=folder, check=True, capture_output=True)
    return folder / "trace.fst"


def bench(chip: Chip, values: dict[str, int], moves: str = "") -> str:
    """A core, or the chip of its tiles, for 200 cycles: with some values at its inputs, others 0, and what moves."""
    modules = without_comments(sources_of_mesh(chip) if chip.cores > 1 else module_texts(chip, "none"))
    top = next(iter(modules))
    head = modules[top].partition(");")[0]
    inputs = re.findall(r"input +wire (?:\[(\d+):0\] )?(\w+)", head)
    stub = "".join(macro_stub(text).partition("\n")[2] for name, text in modules.items() if "adapter" in name)
    quiet = "".join(f"assign {name} = 0; " for name in re.findall(r"output +(?:\[\d+:0\])? *(\w+)", stub))
    stub = stub.replace("endmodule", f"{quiet}endmodule")
    lines = [f"  reg [{high or 0}:0] {name} = 0;" for high, name in inputs]
    lines += [f"  {top} core ({', '.join(f'.{name}({name})' for _, name in inputs)});", "  always #5 clk = ~clk;"]
    lines += [f"  initial {name} = {value.bit_length() or 1}'d{value};" for name, value in values.items()]
    lines.append(moves)
    lines.append('  initial begin $dumpfile("trace.fst"); $dumpvars(0, tb); rst = 1; #40 rst = 0; #1960 $finish; end')
    return "\n".join([*modules.values(), stub, "module tb;", *lines, "endmodule", ""])


def core_at_work(chip: Chip, busy: bool) -> str:
    """A core that rests, or runs one product after the other on inputs at random."""
    if not busy:
        return bench(chip, {})
    values = {"op_payload": pack(TnsaOperation(in_bits=3, out_bits=3), 1), "trim": core_blocks(chip).trim or 0}
    values |= dict.fromkeys(("op_valid", "i_valid", "o_ready"), 1)
    return bench(chip, values, "  always @(negedge clk) i_payload <= $urandom;")


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator")
def test_changes_of_each_bit_are_counted(tmp_path: Path) -> None:
    activity = read_activity(traced(tmp_path, COUNTER))
    assert activity.cycles == 16
    assert activity.changes["tb.count"] == [16, 8, 4]
    assert activity.changes["tb.clk"] == [32]
    # What it was before each edge: 0 .. 7, twice.
    assert activity.ones["tb.count"] == [8, 8, 8]


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator")
def test_tiles_are_counted_from_the_start_of_their_programs_on(tmp_path: Path) -> None:
    tile = "module cells; reg running = 0; initial #82 running = 1; endmodule\n"
    text = tile + COUNTER.replace("always #5", "cells tile();\n  always #5")
    activity = read_activity(traced(tmp_path, text))
    # Edges at 85, 95 .. 155.
    assert activity.cycles == 8
    assert activity.changes["tb.count"] == [8, 4, 2]


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator")
def test_cycles_are_counted_in_which_a_memory_writes_and_reads(tmp_path: Path) -> None:
    """It writes in the cycles 0 to 2 of 8, reads in 1 to 3: both in 1 and 2, of each eight."""
    ports = "  wire [1:0] write_enable = {count < 3, 1'b0};\n  wire read_enable = count > 0 && count < 4;\n"
    activity = read_activity(traced(tmp_path, COUNTER.replace("  initial", f"{ports}  initial")))
    assert activity.ones["tb.write_enable"] == [0, 6]
    assert activity.ones["tb.read_enable"] == [6]
    assert activity.accesses == {"tb": (6, 6, 4)}


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator")
def test_vcd_is_counted_as_fst(tmp_path: Path) -> None:
    """With memories, a start, values that are cut, x and a width of several: all that the counts depend on."""
    ports = ("  wire [1:0] write_enable = {count < 3, 1'b0};\n  wire read_enable = count > 0 && count < 4;\n"
             "  reg [6:0] odd = 7'bx; real r = 0.5;\n"
             "  always @(posedge clk) begin odd <= {odd[5:0], count == 2}; r = r + 1; end\n")
    text = "module cells; reg running = 0; initial #42 running = 1; endmodule\n" + COUNTER.replace(
        "  initial", f"  cells tile();\n{ports}  initial")
    fst = read_activity(traced(tmp_path, text))
    (tmp_path / "all.v").write_text(text.replace("trace.fst", "trace.vcd"))
    subprocess.run(["iverilog", "-g2012", "-o", "all.vvp", "all.v"], cwd=tmp_path, check=True)
    subprocess.run(["vvp", "-n", "all.vvp"], cwd=tmp_path, check=True, capture_output=True)
    assert fst.cycles == 12
    assert sum(fst.changes["tb.odd"]) > 0
    assert read_activity(tmp_path / "trace.vcd") == fst


def test_what_is_no_trace_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.fst: cannot be read as a file of waveforms"):
        read_activity(tmp_path / "none.fst")


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator")
def test_damage_ends_the_reader_alone(tmp_path: Path) -> None:
    """GTKWave's reader crashes, or takes all memory, at some: each is a sentence, or a count; nothing is left."""
    good = traced(tmp_path, COUNTER).read_bytes()
    random, damaged, refused = Random(1), tmp_path / "damaged.fst", 0
    for k in range(40):
        data = bytearray(good)
        at = random.randrange(len(data) - 8)
        if k % 3 == 0:
            data[at : at + 8] = random.choice([b"\xff" * 8, bytes(8), (1 << 40).to_bytes(8, "big")])
        elif k % 3 == 1:
            data[random.randrange(400)] ^= 1 << random.randrange(8)
        else:
            del data[at:]
        damaged.write_bytes(data)
        with suppress(InputError):
            read_activity(damaged)
            refused -= 1
        refused += 1
    assert refused > 10
    assert {path.name for path in tmp_path.iterdir()} == {"all.v", "all.vvp", "trace.fst", "damaged.fst"}


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++")
@pytest.mark.parametrize("text", [
    "$upscope $end $enddefinitions $end", "$scope module a $end " * 2000 + "$enddefinitions $end",
    "$var wire 4000000000 ! x $end $enddefinitions $end",
    "$var wire 8 ! x $end $var wire 9 ! y $end $enddefinitions $end",
    "$enddefinitions $end #0 1?", "$var wire", "$var wire 1 ! clk $end $enddefinitions $end #5 1! #4 0!",
    f"$scope module {'s' * 1000} $end " * 900 + "$var wire 1 ! v $end " * 400 + "$enddefinitions $end",
], ids=["scope", "deep", "wide", "two widths", "unknown", "cut", "time", "long paths"])
def test_what_is_no_vcd_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "wrong.vcd").write_text(text)
    with pytest.raises(InputError, match=r"wrong\.vcd: must be FST, .*, or VCD; it is damaged"):
        read_activity(tmp_path / "wrong.vcd")


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator", "yosys")
@pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY} is not there")
def test_a_core_that_works_takes_more_than_one_that_rests(tmp_path: Path) -> None:
    """Both take the clock of their flip-flops; blocks add up, and cycles are those of the trace."""
    chip = load_chip("tnsa16-core", {"programming.engine": False})
    energies = {}
    for busy in (False, True):
        folder = tmp_path / str(busy)
        folder.mkdir()
        energies[busy] = chip_energy(chip, LIBRARY, traced(folder, core_at_work(chip, busy)), 2)
    rests, works = energies[False], energies[True]
    assert rests["cycles"] == works["cycles"] == 100
    # Without gates the clock of the flip-flops takes nearly all of it.
    assert rests["still_pJ"] <= rests["image_pJ"] < works["image_pJ"] < works["average_pJ"]
    # What the clock takes depends on what flip-flops hold.
    assert works["still_pJ"] == pytest.approx(rests["still_pJ"], rel=0.15)
    assert rests["image_pJ"] == pytest.approx(rests["still_pJ"], rel=0.05)
    assert rests["average_pJ"] == pytest.approx(works["average_pJ"])
    assert rests["average_activity"] == AVERAGE_ACTIVITY
    assert rests["image_pJ"] == pytest.approx(sum(block["image_pJ"] for block in rests["blocks"]))
    assert {"sequencer", "line_counters"} <= {block["block"] for block in rests["blocks"]}
    counter_folder = tmp_path / "other"
    counter_folder.mkdir()
    with pytest.raises(InputError, match="the trace must be of this chip, with digital in it"):
        chip_energy(chip, LIBRARY, traced(counter_folder, COUNTER), 1)


MACRO = """library (macros) {
  capacitive_load_unit (1, pf); voltage_unit : "1V"; leakage_power_unit : "1nW"; type (parts) { bit_width : 64; }
  cell (macro) {
    memory () { type : ram; address_width : 6; word_width : 64; }
    area : 500; cell_leakage_power : 0;
    bus (din0) { direction : input; memory_write () { address : addr0; clocked_on : clk0; } }
    bus (dout0) { direction : output; memory_read () { address : addr0; } }
    bus (wmask0) { bus_type : parts; direction : input; }
    bus (addr0) { direction : input; }
    pin (clk0) {
      clock : true; direction : input;
      internal_power () { when : "!csb0 & !web0"; rise_power (scalar) { values ("5"); } }
      internal_power () { when : "!csb0 & web0"; rise_power (scalar) { values ("3"); } }
      internal_power () { when : "csb0"; rise_power (scalar) { values ("0.5"); } }
    }
  }
}
"""


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator", "yosys")
@pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY} is not there")
def test_memories_on_macros_take_what_their_accesses_take(tmp_path: Path) -> None:
    """Energies by hand from the accesses of the trace; blocks add up with them, in energy and in area."""
    chip = load_chip("tnsa16-core", {"programming.engine": False})
    macro = tmp_path / "macro.lib"
    macro.write_text(MACRO)
    trace = traced(tmp_path, core_at_work(chip, True))
    energy = chip_energy(chip, LIBRARY, trace, 2, [macro])
    bare = chip_energy(chip, LIBRARY, trace, 2)
    used = 0
    for row in energy["memories"]:
        accesses = 5 * row["writes"] + 3 * row["reads"]
        idle = 100 * row["instances"] - row["writes"] - row["reads"] + row["both"]
        assert row["image_pJ"] == pytest.approx(accesses + 0.5 * idle)
        used += accesses - 0.5 * (100 * row["instances"] - idle)
    assert used > 0
    assert energy["memory_pJ"] == pytest.approx(used)
    logic = sum(row["image_pJ"] for row in energy["blocks"] if not row["block"].startswith("mem_"))
    added = sum(row["image_pJ"] for row in energy["blocks"] if row["block"].startswith("mem_"))
    assert energy["image_pJ"] == pytest.approx(logic + added)
    assert bare["image_pJ"] < energy["image_pJ"]
    assert "Memories" in bare["left_out"]
    assert "Memories" not in energy["left_out"]
    area, without = chip_area(chip, LIBRARY, [macro]), chip_area(chip, LIBRARY)
    assert area["macros"] == ["macro"]
    assert area["buffered_mm2"] == pytest.approx(without["buffered_mm2"] + area["memory_mm2"])
    assert area["memory_mm2"] == pytest.approx(1e-6 * sum(row["area"] for row in area["memories"]))
    made_of = {row["memory"]: row["made_of"] for row in area["memories"]}  # the bus has memories, too
    assert all(made_of[row["memory"]].startswith("macro") for row in energy["memories"])


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator", "yosys")
@pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY} is not there")
def test_a_tile_that_the_host_talks_to_takes_more_than_the_others(tmp_path: Path) -> None:
    """Blocks and tiles add up to the chip; what comes opens gates of the clock where it comes, and nowhere else."""
    chip = load_chip("tnsa16-2x2", {"programming.engine": False})
    row, column = NODE_BITS - 1, NODE_BITS - 2  # of an address in words
    moves = (
        "  always @(negedge clk) begin host_bus_request_payload <= {$urandom, $urandom}; "
        f"host_bus_request_payload[{row}:{column}] <= 2'b01; end"
    )
    trace = traced(tmp_path, bench(chip, {"host_bus_request_valid": 1, "host_bus_response_ready": 1}, moves))
    energy = chip_energy(chip, LIBRARY, trace, 2)
    tiles = {entry["tile"]: entry for entry in energy["tiles"]}
    assert list(tiles) == ["0,0", "1,0", "0,1", "1,1", None]
    for key in ("image_pJ", "average_pJ", "still_pJ"):
        assert sum(entry[key] for entry in energy["tiles"]) == pytest.approx(energy[key])
        assert sum(entry[key] for entry in energy["blocks"]) == pytest.approx(energy[key])
    assert energy["cycles"] == 100
    assert energy["named_flip_flops"] > 0.98
    moved = {tile: entry["image_pJ"] - entry["still_pJ"] for tile, entry in tiles.items()}
    assert moved["1,0"] > 2 * max(moved["0,1"], moved["1,1"])
    assert tiles["0,1"]["still_pJ"] == pytest.approx(tiles["1,1"]["still_pJ"], rel=0.001)
    assert 1.005 < tiles["1,0"]["still_pJ"] / tiles["1,1"]["still_pJ"] < 1.1
    assert tiles["1,0"]["average_pJ"] == pytest.approx(tiles["1,1"]["average_pJ"])


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator", "yosys")
@pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY} is not there")
def test_a_trace_of_some_tiles_gives_theirs_and_no_sum_of_all(tmp_path: Path) -> None:
    """What it has is the same as in a trace of all; sums are of it alone, and the others are named."""
    chip = load_chip("tnsa16-2x2", {"programming.engine": False})
    energies = {}
    text = bench(chip, {"host_bus_request_valid": 1, "host_bus_response_ready": 1})
    few = "$dumpvars(1, tb.core); $dumpvars(0, tb.core.host_port, tb.core.tile_1_0)"
    for name, dumped in {"all": "$dumpvars(0, tb)", "some": few}.items():
        text = text.replace("$dumpvars(0, tb)", dumped)
        (tmp_path / name).mkdir()
        energies[name] = chip_energy(chip, LIBRARY, traced(tmp_path / name, text), 2)
    tiles = {name: {row["tile"]: row for row in energy["tiles"]} for name, energy in energies.items()}
    assert list(tiles["some"]) == ["1,0", None]
    for tile, row in tiles["some"].items():
        assert row == pytest.approx(tiles["all"][tile])
    partial = energies["some"]
    for key in ("image_pJ", "average_pJ", "still_pJ"):
        assert partial[key] == pytest.approx(sum(row[key] for row in tiles["some"].values()))
        assert partial[key] == pytest.approx(sum(row[key] for row in partial["blocks"]))
    assert partial["unseen_tiles"] == ["0,0", "0,1", "1,1"]
    assert energies["all"]["unseen_tiles"] == []
    assert partial["what"].startswith("1 of the 4 tiles")
    assert partial["named_flip_flops"] > 0.98
    assert "tiles without waves, 3: no sum is the whole chip's" in partial["left_out"]


def test_waves_of_another_mesh_are_not_those_of_some_tiles() -> None:
    """Links have the names of all tiles, with waves or without."""
    modules = {"mesh": "  tile tile_0_0 (\n  tile tile_1_0 (\n  port host (\n", "tile": "", "port": ""}
    netlist = Netlist(top="mesh", modules=modules, number={}, counts={}, netlists={}, memory_bits={})
    names = ["clk", "tile_0_0_east_o", "tile_1_0_west_o", "tile_1_0.x", "host.x"]
    activity = Activity(cycles=3, changes={f"tb.mesh.{name}": [1] for name in names}, ones={}, accesses={})
    design = find_design(netlist, activity)
    assert (design.scope, list(design.tiles), design.unseen) == ("tb.mesh", ["tile_1_0"], ["tile_0_0"])
    assert list(design.instances) == ["", "tile_1_0", "host"]
    wider = Activity(cycles=3, changes=activity.changes | {"tb.mesh.tile_0_1_north_o": [1]}, ones={}, accesses={})
    with pytest.raises(InputError, match=r"must be of this chip, a mesh of 2 tiles; it is of one of 3"):
        find_design(netlist, wider)
    none = Activity(cycles=3, changes={"tb.mesh.clk": [1], "tb.mesh.host.x": [1]}, ones={}, accesses={})
    with pytest.raises(InputError, match="must be of this chip, with host, tile_0_0, tile_1_0 in it"):
        find_design(netlist, none)

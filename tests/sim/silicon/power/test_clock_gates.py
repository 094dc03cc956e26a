"""Gates of clocks: energy against sums by hand, and netlists against the modules that they were made of."""

import subprocess
from pathlib import Path

import pytest

from mho.sim.silicon.liberty.cell import Cells
from mho.sim.silicon.liberty.library import Library
from mho.sim.silicon.power.cell_power import Activities, PowerModel
from mho.sim.silicon.power.flat import flatten
from mho.sim.silicon.synthesis.blocks import Synthesis, gate_module

ROOT = Path(__file__).parents[4]
LIBRARY = ROOT.parent / "shared/data/ihp-sg13g2/sg13g2_stdcell_typ_1p20V_25C.lib.gz"

LIBERTY = """library (hand) {
  capacitive_load_unit (1, pf);
  voltage_unit : "1V"; leakage_power_unit : "1nW"; nom_voltage : 2.0;
  cell (PLAIN) { pin (A) { direction : input; } }
  cell (GATE) {
    clock_gating_integrated_cell : "latch_posedge";
    statetable ("CLK EN", "held") { table : "L L : - : L , L H : - : H , H - : - : N "; }
    pin (held) { direction : "internal"; internal_node : "held"; }
    pin (OUT) {
      clock_gate_out_pin : true; direction : output; state_function : "CLK * held";
      internal_power () {
        related_pin : "CLK";
        rise_power (scalar) { values ("0.010"); }
        fall_power (scalar) { values ("0.020"); }
      }
    }
    pin (CLK) {
      clock_gate_clock_pin : true; direction : input; capacitance : 0.002;
      internal_power () {
        rise_power (scalar) { values ("0.001"); }
        fall_power (scalar) { values ("0.003"); }
      }
    }
    pin (EN) { clock_gate_enable_pin : true; direction : input; capacitance : 0.004; }
  }
  cell (FLOP) {
    ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; }
    pin (CLK) {
      direction : input; clock : true; capacitance : 0.003;
      internal_power () {
        rise_power (scalar) { values ("0.004"); }
        fall_power (scalar) { values ("0.008"); }
      }
    }
    pin (D) { direction : input; capacitance : 0.005; }
    pin (Q) { direction : output; function : "IQ"; }
  }
}
"""
NETLIST = """module top(clk, en, d, q);
  input clk;
  input en;
  input d;
  output q;
  wire clk;
  wire en;
  wire d;
  wire q;
  wire _0_;
  GATE _1_ (
    .CLK(clk),
    .EN(en),
    .OUT(_0_)
  );
  FLOP _2_ (
    .CLK(_0_),
    .D(d),
    .Q(q)
  );
endmodule
"""
MODULE = """module dut(clk, rst, go, halt, x, sum, kept);
  input clk, rst, go, halt;
  input [7:0] x;
  output reg [7:0] sum, kept;
  always @(posedge clk) begin
    if (rst) sum <= 8'd90;
    else if (go) sum <= sum + x;
    if (go & ~halt) kept <= x;
  end
endmodule
"""
BENCH = """module cell_of_gates(input CLK, input GATE, output GCLK);
  reg open;
  always @* if (!CLK) open = GATE;
  assign GCLK = CLK & open;
endmodule
module bench;
  reg clk = 0, rst = 1, go = 0, halt = 0;
  reg [7:0] x = 0;
  wire [7:0] sum, kept, made_sum, made_kept;
  integer differ = 0, changed = 0;
  dut one(clk, rst, go, halt, x, sum, kept);
  made other(clk, rst, go, halt, x, made_sum, made_kept);
  always begin #5 clk = 1; #5 clk = 0; end
  always @(posedge clk) #1 {rst, go, halt, x} <= {$random & 11'h3ff, $random} ;
  always @(negedge clk) if ($time > 300) begin
    differ = differ + ({sum, kept} !== {made_sum, made_kept});
    changed = changed + (sum !== 8'd90);
  end
  initial begin #20000 $display("%0d %0d", differ, changed); $finish(0); end
endmodule
"""


@pytest.mark.cosim("yosys")
def test_a_gated_clock_takes_energy_while_its_gate_is_open(tmp_path: Path) -> None:
    (tmp_path / "hand.lib").write_text(LIBERTY)
    (tmp_path / "top.v").write_text(NETLIST)
    cells = Cells(tmp_path / "hand.lib")
    flat = flatten({"": "top"}, {"top": tmp_path / "top.v"}, cells)
    model, activities = PowerModel(flat, cells), Activities.none(flat.nets)
    # As seen at the end of a cycle, where the clock is 0.
    for name, (changes, duty) in {"clk": (2.0, 0.0), "en": (0.2, 0.25), "d": (0.4, 0.5)}.items():
        activities.set(flat.names[0][name], changes, duty)
    model.carry(activities)
    assert activities.changes[model.gated] == pytest.approx(2.0 * 0.25)
    # Of what is at its input the flip-flop takes over what is there when the gate is open.
    assert activities.changes[flat.names[0]["q"]] == pytest.approx(0.25)
    activities.duty[model.clocks] = activities.changes[model.clocks] / 4
    power = model.power(activities)
    gate = 2.0 * 0.002 + 0.5 * 0.015 + 2.0 * 0.5 * 0.002 * 4
    flop = 0.5 * 0.006 + 0.5 * 0.5 * 0.003 * 4
    assert power.clock == pytest.approx([1e-12 * (gate + flop)])
    assert power.changes == pytest.approx([1e-12 * (0.2 * 0.5 * 0.004 * 4 + 0.4 * 0.5 * 0.005 * 4)])


def test_the_cell_for_gates_is_found_with_its_pins(tmp_path: Path) -> None:
    for text, pins in ((LIBERTY, ("GATE", "EN", "CLK", "OUT")), (LIBERTY.replace("latch_posedge", "none"), None)):
        (tmp_path / "hand.lib").write_text(text)
        assert Library(tmp_path / "hand.lib").clock_gate == pins


@pytest.mark.cosim("yosys", "iverilog")
@pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY} is not there")
def test_a_netlist_with_gates_does_as_its_module(tmp_path: Path) -> None:
    """Two gates, of which one has a reset that goes before its enable; cells are as the library says."""
    library = Library(LIBRARY)
    assert library.clock_gate is not None
    _, netlist = Synthesis({"dut": MODULE}, library, library).block("dut")
    text = netlist.read_text()
    assert text.count(f"  {library.clock_gate[0]} ") == 2
    (tmp_path / "dut.v").write_text(MODULE)
    (tmp_path / "bench.v").write_text(BENCH.replace("cell_of_gates", library.clock_gate[0]))
    (tmp_path / "made.v").write_text(text.replace("module dut(", "module made("))
    script = f"read_liberty -ignore_miss_func {library.path}; write_verilog -noattr cells.v"
    subprocess.run(["yosys", "-q", "-p", script], cwd=tmp_path, check=True)
    files = ["bench.v", "dut.v", "made.v", "cells.v"]
    subprocess.run(["iverilog", "-g2005", "-s", "bench", "-o", "bench", *files], cwd=tmp_path, check=True)
    done = subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True, capture_output=True, text=True)
    differ, changed = map(int, done.stdout.split())
    assert differ == 0
    assert changed > 500


def test_a_gate_that_tests_open_is_open_in_tests() -> None:
    """The cell's enable is that of the module, or the pin of tests where the module has one."""
    head = "module p_clock_gate (\n  input wire clk,\n%s  input wire enable,\n  output wire gated\n);"
    for ports, enable in (("", "enable"), ("  input wire test_mode,\n", "enable | test_mode")):
        made = gate_module(f"// Clock gate.\n{head % ports}\n  reg open;\nendmodule\n", "GATE", "EN", "CLK", "OUT")
        assert made.startswith(f"{head % ports}\n  GATE gate (.CLK(clk), .EN({enable}), .OUT(gated));\nendmodule\n")
        assert "reg open" not in made

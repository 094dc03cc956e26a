"""Words of registers with a gate of the clock each, as latches behind one flip-flop, do what the Verilog says."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mho.sim.layout.block as block_module
from mho.rtl_gen.templates import fill

FLOW = Path(block_module.__file__).parent / "flow"
DESIGN = """module top (input clk, input write, input [2:0] address, input [3:0] data, output [3:0] word,
  output reg  [31:0] lines,
  output reg  [3:0] last);
  reg [3:0] words [0:7];
  assign word = words[address];
  always @(posedge clk) begin
    if (write) begin
      words[address] <= data ^ last;
      lines[{address, 2'd0} +: 4] <= data;
    end
    last <= word;
  end
endmodule
"""
BENCH = """module gate (input E, input C, output G);
  reg open;
  always @* if (!C) open = E;
  assign G = C & open;
endmodule
module bench;
  reg clk = 0, write = 0;
  reg [2:0] address = 0;
  reg [3:0] data = 0;
  wire [79:0] seen;
  top a (clk, write, address, data, seen[3:0], seen[35:4], seen[39:36]);
  gates b (clk, write, address, data, seen[43:40], seen[75:44], seen[79:76]);
  integer turn, same = 0;
  initial begin
    for (turn = 0; turn < 2000; turn = turn + 1) begin
      if (turn < 16) begin write = 1; address = turn; end else begin write = $random; address = $random; end
      data = turn < 8 ? 4'd0 : $random;
      if (turn < 16) begin force a.last = 0; force b.last = 0; end else begin release a.last; release b.last; end
      #5 if (turn > 16 && seen[39:0] === seen[79:40]) same = same + 1;
      clk = 1; #5 clk = 0;
    end
    $display("same %0d", same);
  end
endmodule
"""


def test_registers_without_words_are_left_as_they_are() -> None:
    text = "module top;\n  reg [3:0] lines;\n  always @(posedge clk) lines[address] <= data;\nendmodule\n"
    assert block_module.by_words(text) == text


@pytest.mark.skipif(not (shutil.which("yosys") and shutil.which("iverilog")), reason="yosys or iverilog not found")
@pytest.mark.cosim
@pytest.mark.slow
def test_latches_behind_a_flip_flop_are_the_registers(tmp_path: Path) -> None:
    """A memory and a register that is written by words, of 64 bits, beside their Verilog for 2,000 cycles."""
    (tmp_path / "top.v").write_text(DESIGN)
    (tmp_path / "words.v").write_text(block_module.by_words(DESIGN))
    (tmp_path / "bench.v").write_text(BENCH)
    (tmp_path / "latches.py").write_text(
        fill((FLOW / "latches.py.txt").read_text(), {"GATE_CELL": "gate C G", "TOP": "top"}))
    commands = (
        "read_verilog words.v; synth -flatten -top top; "
        "dfflegalize -cell $_DFF_P_ 01 -cell $_DFFE_PP_ 01; opt_merge; clockgate -pos gate E:C:G -min_net_size 4; "
        f"write_json gated.json; exec -q -- {sys.executable} latches.py gated.json; design -reset; "
        "read_json gated.json; tee -q -o cells.txt stat; rename top gates; write_verilog -noattr gates.v")
    subprocess.run(["yosys", "-q", "-p", commands], cwd=tmp_path, check=True, timeout=60, capture_output=True)
    rows = map(str.split, (tmp_path / "cells.txt").read_text().splitlines())
    counts = {row[0]: int(row[1]) for row in rows if row and row[0].startswith(("$", "gate"))}
    assert counts["$_DLATCH_P_"] == 64
    assert counts["gate"] == 16
    assert counts["$_DFF_P_"] == 12
    subprocess.run(["iverilog", "-g2012", "-o", "bench", "bench.v", "top.v", "gates.v"], cwd=tmp_path, check=True)
    said = subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True)
    assert "same 1983" in said.stdout

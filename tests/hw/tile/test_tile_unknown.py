# amaranth: UnusedElaboratable=no
"""A tile whose memories hold nothing that is known, in Icarus Verilog: what the host asks is answered all the same."""

import subprocess
from pathlib import Path

import pytest

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import Cause, Op, encode
from mho.hw.tile.rtl.controller import TileController
from mho.hw.tile.rtl.host import ADDRESS_WIDTH, INSTRUCTIONS_AT
from mho.rtl_gen.verilog.netlist import emit

CFG = TileConfig(lines=16, buffer_kib=1, parameters=16, instructions=16)
WORD = ADDRESS_WIDTH - 2
BENCH = """\
module bench;
  reg clk = 0, rst = 1, valid = 0;
  reg [{top}:0] payload = 0;
  wire ready, answered;
  wire [32:0] answer;
  integer left;
  always #5 clk = ~clk;
  tile dut (.clk(clk), .rst(rst), .bus_request_payload(payload), .bus_request_valid(valid),
    .bus_request_ready(ready), .bus_response_payload(answer), .bus_response_valid(answered), .bus_response_ready(1'b1),
    .op_ready(1'b1), .codes_ready(1'b1), .drain_payload(32'b0), .drain_valid(1'b0), .refused(1'b0),
    .i_payload({{{arrives}{{1'b0}}}}), .i_valid(1'b0), .o_ready(1'b1), .result_payload({{{flit}{{1'b0}}}}),
    .result_valid(1'b0), .acknowledge_ready(1'b1), .mask_ready(1'b1));
  task access(input write, input [{word}:0] address, input [31:0] data);
    begin
      payload = {{4'hf, data, write, address}};
      valid = 1;
      left = 2000;
      @(posedge clk);
      while (ready !== 1'b1 && left > 0) begin left = left - 1; @(posedge clk); end
      #1 valid = 0;
      while (answered !== 1'b1 && left > 0) begin left = left - 1; @(posedge clk); #1; end
      $display("%b %b %h", left > 0, answer[32], answer[31:0]);
      @(posedge clk); #1;
    end
  endtask
  initial begin
    repeat (4) @(posedge clk);
    #1 rst = 0;
    access(1, 0, 1);
    access(1, {program}, {wait});
    access(1, 0, 1);
    repeat (40) @(posedge clk);
    #1 access(0, 0, 0);
    access(0, 6, 0);
    $finish;
  end
endmodule
"""


@pytest.mark.slow
@pytest.mark.cosim("iverilog")
def test_a_start_before_descriptors_were_written_is_answered(tmp_path: Path) -> None:
    """An error without a program; with one, a trap at the stream that nobody wrote."""
    modules = emit(TileController(CFG), name="tile", prefix="", reset_low=False, configs=(CFG,))
    bench = BENCH.format(
        top=WORD + 36, word=WORD - 1, program=INSTRUCTIONS_AT >> 2, wait=encode(Op.WAIT, stream=3, n=1),
        arrives=CFG.payload_bits + 4, flit=CFG.payload_bits)
    (tmp_path / "tile.v").write_text("\n".join([bench, *modules.values()]))
    for command in (["iverilog", "-g2005", "-s", "bench", "-o", "sim", "tile.v"], ["vvp", "sim"]):
        process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (process.returncode, process.stderr) == (0, "")
    status = Cause.FIELD | 3 << 15
    answers = [line for line in process.stdout.splitlines() if line[:1] in "01x"]
    assert answers == ["1 1 00000000", *["1 0 00000000"] * 3, f"1 0 {status:08x}"]

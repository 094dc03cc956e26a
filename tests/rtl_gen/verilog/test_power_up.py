"""Power-up of a generated core: what programs cells is 0 before a clock and a reset, whatever the flip-flops hold."""

import re
import subprocess
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.hw.kinds.tnsa.pins import MacroPins
from mho.rtl_gen import generate
from tests.rtl_gen.verilog.proving import assert_proof, with_fault

CHIP = "tnsa16-core"
DRIVEN = [
    name for name in MacroPins.from_chip(load_chip(CHIP)).write_names if name not in ("verify_code", "verify_valid")
]
WITHOUT = (".enable(enable)", ".enable(1'b1)")
"""The isolation's enable, and a fault: it is always on."""


def _design(folder: Path, reset: str, fault: tuple[str, str] | None) -> list[str]:
    generate(load_chip(CHIP, {"verilog.reset": reset}), folder)
    path = folder / "rtl/digital.v"
    path.write_text(with_fault(path.read_text(), fault))
    return [str(path) for path in sorted((folder / "rtl").glob("*.v"))]


def _bench(reset: str) -> str:
    """A bench in which nothing but `programming_enable` is ever driven before the second half."""
    pins = ", ".join(f"dut.core.digital.macro_{name}" for name in DRIVEN)
    return f"""`timescale 1ns / 1ps
module bench;
  reg clk = 1'bx, reset = 1'bx, enable = 1'b0;
  integer bad = 0, k;
  mho_core_wb dut (.clk(clk), .{reset}(reset), .programming_enable(enable));
  task look;
    if (({{{pins}}}) !== 0) bad = bad + 1;
  endtask
  initial begin
    #1 look;                                      // no clock, no reset
    for (k = 0; k < 20; k = k + 1) begin          // a clock, no reset
      #5 clk = 0; look;
      #5 clk = 1; #1 look;
    end
    reset = {1 if reset == "rst" else 0};
    for (k = 0; k < 5; k = k + 1) begin #5 clk = 0; look; #5 clk = 1; #1 look; end
    enable = 1'b1; reset = ~reset;                // in order: reset, clock, then programming
    for (k = 0; k < 50; k = k + 1) begin #5 clk = 0; look; #5 clk = 1; #1 look; end
    $display("bad %0d", bad);
    $finish;
  end
endmodule
"""


@pytest.mark.cosim("iverilog", "vvp")
@pytest.mark.parametrize("fault", [None, WITHOUT], ids=["as generated", "no isolation"])
@pytest.mark.parametrize(("reset", "pin"), [("sync", "rst"), ("async_low", "rst_n")])
@pytest.mark.slow
def test_from_unknown_registers(reset: str, pin: str, fault: tuple[str, str] | None, tmp_path: Path) -> None:
    sources = _design(tmp_path / "out", reset, fault)
    (tmp_path / "bench.v").write_text(_bench(pin))
    command = ["iverilog", "-g2005", "-o", "sim", "bench.v", *sources, "out/tb/tnsa_macro.v"]
    subprocess.run(command, cwd=tmp_path, check=True)
    run = subprocess.run(["vvp", "sim"], cwd=tmp_path, check=True, capture_output=True, text=True)
    match = re.search(r"bad (\d+)", run.stdout)
    assert match
    assert (int(match[1]) == 0) == (fault is None), run.stdout


@pytest.mark.cosim("yosys")
@pytest.mark.parametrize("fault", [None, WITHOUT], ids=["as generated", "no isolation"])
@pytest.mark.slow
def test_proof_from_unknown_registers(fault: tuple[str, str] | None, tmp_path: Path) -> None:
    """In every state of the flip-flops, known or not, and for every input, each pin is 0 while the enable is."""
    files = " ".join(_design(tmp_path / "out", "sync", fault))
    pins = " ".join(f"-prove macro_{name} 0" for name in DRIVEN)
    script = (
        f"read_verilog {files}; hierarchy -top mho_digital; proc; flatten; memory_map; async2sync; opt_clean; "
        f"sat -tempinduct -enable_undef -set-init-undef -set programming_enable 0 {pins} "
        "-verify mho_digital"
    )
    assert_proof(script, tmp_path, holds=fault is None)

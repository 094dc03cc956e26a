"""Permission to program, proven at any moment between clock edges: once withdrawn it stays so while something runs."""

from pathlib import Path

import pytest

from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.verilog.netlist import PERMISSION
from tests.rtl_gen.verilog.proving import assert_proof, with_fault

TOP = """
module proof (input wire clk, input wire enable, input wire busy);
  wire granted;
  mho_programming_permission permission (.clk(clk), .enable(enable), .busy(busy), .granted(granted));
  reg withdrawn = 1'b0;                // it was, and something has run ever since
  always @($global_clock) withdrawn <= busy & (withdrawn | ~enable);
  always @* begin
    assert (enable | ~granted);
    assert (~(withdrawn & busy & granted));
  end
endmodule
"""
SYNCHRONOUS = "posedge clk or negedge enable", "posedge clk"
FORGETFUL = "held[0] | ~busy", "1'b1"


@pytest.mark.cosim("yosys")
@pytest.mark.parametrize("fault", [None, SYNCHRONOUS, FORGETFUL], ids=["as generated", "by the clock", "forgets"])
def test_a_dip_of_any_width_counts(fault: tuple[str, str] | None, tmp_path: Path) -> None:
    """Steps of the model are moments: the pin, the clock and the end of a run change at any of them."""
    text = fill(template("programming_permission.v"), {"NAME": f"mho_{PERMISSION}"})
    (tmp_path / "permission.v").write_text(with_fault(text, fault))
    (tmp_path / "proof.v").write_text(TOP)
    script = (
        "read_verilog -formal permission.v proof.v; prep -top proof -flatten; clk2fflogic; "
        "sat -tempinduct -prove-asserts -verify proof"
    )
    assert_proof(script, tmp_path, holds=fault is None)

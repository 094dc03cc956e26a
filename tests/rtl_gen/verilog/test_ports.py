"""The reader of other people's module headers."""

import pytest

from rtl_gen.verilog.ports import Port, module_ports

ANSI = """
// module other ( input x );
module other (input wire y); endmodule
(* keep *) module array #(parameter N = 16, parameter integer W = N/4) (
`ifdef USE_POWER_PINS
    inout VDD, VSS,
`endif
    input wire CLK, EN_B, /* two */ input [N-1:0] BL_P,
    output reg signed [W - 1:0] OUT, FLAG,
    input wire [(1<<3)-1:0] A, [`MAX:0] B
);
    assign FLAG = 0;
endmodule
"""

CLASSIC = """
module old(clk, d,
  q);
  parameter WIDTH = 8;
  input clk; input [WIDTH-1:0] d; output [WIDTH-1:0] q;
  reg [WIDTH-1:0] q;
endmodule
"""


def test_header_with_types() -> None:
    assert module_ports(ANSI, "array") == {
        "VDD": Port("VDD", "inout", 1), "VSS": Port("VSS", "inout", 1),
        "CLK": Port("CLK", "input", 1), "EN_B": Port("EN_B", "input", 1), "BL_P": Port("BL_P", "input", 16),
        "OUT": Port("OUT", "output", 4), "FLAG": Port("FLAG", "output", 4),
        "A": Port("A", "input", 8), "B": Port("B", "input", None),
    }


def test_header_with_names_alone() -> None:
    assert module_ports(CLASSIC, "old") == {
        "clk": Port("clk", "input", 1), "d": Port("d", "input", 8), "q": Port("q", "output", 8),
    }


@pytest.mark.parametrize("text", ["", "junk (", "module arrays(); endmodule", "/* module array (input a); */"])
def test_text_without_the_module(text: str) -> None:
    assert module_ports(text, "array") is None

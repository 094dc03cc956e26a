"""The reader of other people's module headers."""

import pytest

from mho.rtl_gen.verilog.ports import Port, module_ports

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
        "VDD": Port("VDD", "inout"), "VSS": Port("VSS", "inout"),
        "CLK": Port("CLK", "input"), "EN_B": Port("EN_B", "input"), "BL_P": Port("BL_P", "input", (15, 0)),
        "OUT": Port("OUT", "output", (3, 0)), "FLAG": Port("FLAG", "output", (3, 0)),
        "A": Port("A", "input", (7, 0)), "B": Port("B", "input", None, known=False),
    }


def test_header_with_names_alone() -> None:
    assert module_ports(CLASSIC, "old") == {
        "clk": Port("clk", "input"), "d": Port("d", "input", (7, 0)), "q": Port("q", "output", (7, 0)),
    }


@pytest.mark.parametrize("text", ["", "junk (", "module arrays(); endmodule", "/* module array (input a); */"])
def test_text_without_the_module(text: str) -> None:
    assert module_ports(text, "array") is None


N = 200_000
UNENDING = {
    "blanks in a port": "module array (input" + " " * N + "[3:0]" + " " * N + "; x); endmodule",
    "empty lines": "\n" * N + "module array (input a); endmodule",
    "comments that are not closed": "/*" * N,
    "attributes that are not closed": "(*" * N,
    "modules that are not closed": "module array " * N,
    "parentheses": "module array " + "(" * N + "endmodule",
    "brackets": "module array (input [" + "[" * N + ":0] a); endmodule",
    "a sum": "module array (input [" + "1+" * N + "1:0] a); endmodule",
    "nested sums": "module array (input [" + "(" * N + "1" + ")" * N + ":0] a); endmodule",
    "a power": "module array (input [1<<1<<30<<30<<30:0] a); endmodule",
    "a product": "module array #(parameter A = " + "99999*" * 30 + "9) (input [A:0] a); endmodule",
    "a number": "module array (input [" + "9" * N + ":0] a); endmodule",
    "names": "module array (" + "a" * N + " " + "b" * N + "); endmodule",
    "ports": "module array (" + "input a," * (N // 8) + "input b); endmodule",
    "parameters": "module array (input a); " + "parameter A = A " * N + "; endmodule",
    "directives": "`define x\n" * (N // 10) + "module array (input a); endmodule",
    "strings": '"' * N + "module array (input a); endmodule",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", UNENDING)
def test_time_is_proportional_to_the_text(name: str) -> None:
    """Each took minutes, or all memory, where patterns were tried at every place."""
    ports = module_ports(UNENDING[name], "array")
    assert ports is None or all(port.width in (None, 1) for port in ports.values())


def test_an_attribute_is_no_list_of_events() -> None:
    text = "module array (a); input a; always @(*) begin end output b; (* keep = 1 *) output [3:0] c; endmodule"
    assert module_ports(text, "array") == {"a": Port("a", "input")}

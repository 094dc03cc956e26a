"""Which parts a clock edge of a model has, from Verilator's own code, and when it has to be evaluated whole."""

import subprocess
from pathlib import Path

import pytest

from sim.build.edges import edge_header
from sim.build.toolchain import require_tool

DESIGN = """module counter (input clk, input off, input [7:0] step, output reg [7:0] count, output [7:0] next,
                        output reg [7:0] other);
  assign next = count + step;
  initial count = 0;
  {more}
  always @(posedge clk) count <= next;
endmodule
"""
GATED = "reg on = 0; always @(posedge clk) on <= !on; always @(posedge on) other <= other + step;"
PORT = "always @(negedge off) other <= other + step;"
WHOLE = "#define VMODEL_EDGE(DO) DO(m.clk = 0; m.eval(); m.clk = 1; m.eval())"


def header(folder: Path, more: str, constant: list[str]) -> list[str]:
    """Lines of the header of a counter with ``more`` in it."""
    (folder / "design.v").write_text(DESIGN.format(more=more))
    command = [require_tool("verilator"), "--cc", "-Wno-fatal", "--prefix", "Vmodel", "--Mdir", ".", "design.v"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return edge_header("".join(path.read_text() for path in folder.glob("*.cpp")), "Vmodel", constant).splitlines()


@pytest.mark.cosim("verilator")
def test_parts_of_an_edge(tmp_path: Path) -> None:
    lines = header(tmp_path, "", [])
    inputs, edge = (line.split("(DO) ")[1] for line in lines if line.startswith("#define"))
    assert inputs == "DO(Vmodel___024root___ico_sequent__TOP__0(m.rootp))"
    assert edge == "DO(Vmodel___024root___nba_sequent__TOP__0(m.rootp))"
    assert "void Vmodel___024root___nba_sequent__TOP__0(Vmodel___024root*);" in lines


@pytest.mark.cosim("verilator")
def test_ports_that_never_change_trigger_nothing(tmp_path: Path) -> None:
    assert WHOLE in header(tmp_path, PORT, [])
    assert WHOLE not in header(tmp_path, PORT, ["off"])


@pytest.mark.cosim("verilator")
def test_a_model_with_another_clock_is_evaluated_whole(tmp_path: Path) -> None:
    assert WHOLE in header(tmp_path, GATED, ["off"])


def test_code_that_is_not_known_is_evaluated_whole() -> None:
    assert WHOLE in edge_header("void Vmodel___024root___eval_nba(int* other) {\n}\n", "Vmodel")

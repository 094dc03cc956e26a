"""Which models have a clock edge in parts, and when they have to be evaluated whole."""

import subprocess
from pathlib import Path

import pytest

from mho.sim.build.edges import edge_sources
from mho.sim.build.toolchain import require_tool

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
TEXT = 'always @(posedge clk) if (count == 9) $display("nine");'


def sources(folder: Path, more: str, constant: list[str], **options: bool) -> dict[str, str]:
    """The edge of a counter with ``more`` in it."""
    (folder / "design.v").write_text(DESIGN.format(more=more))
    command = [require_tool("verilator"), "--cc", "-Wno-fatal", "--prefix", "Vmodel", "--Mdir", ".", "design.v"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    code = "".join(path.read_text() for path in folder.glob("*.cpp"))
    return edge_sources(code, (folder / "Vmodel___024root.h").read_text(), "Vmodel", constant, **options)


def in_parts(files: dict[str, str]) -> bool:
    whole = "#define VMODEL_PARTS 0\n" in files["Vmodel__Edge.h"]
    assert whole == (len(files) == 1)
    return not whole


@pytest.mark.cosim("verilator")
def test_parts_of_an_edge(tmp_path: Path) -> None:
    files = sources(tmp_path, "", [])
    assert in_parts(files)
    assert "vlSelfRef.count" in "".join(files.values())
    assert not in_parts(sources(tmp_path, "", [], parts=False))


@pytest.mark.cosim("verilator")
def test_ports_that_never_change_trigger_nothing(tmp_path: Path) -> None:
    assert not in_parts(sources(tmp_path, PORT, []))
    assert in_parts(sources(tmp_path, PORT, ["off"]))


@pytest.mark.cosim("verilator")
def test_a_model_with_another_clock_is_evaluated_whole(tmp_path: Path) -> None:
    assert not in_parts(sources(tmp_path, GATED, ["off"]))


@pytest.mark.cosim("verilator")
def test_a_statement_that_is_not_known_has_the_model_evaluated_whole(tmp_path: Path) -> None:
    assert not in_parts(sources(tmp_path, TEXT, ["off"]))


def test_code_that_is_not_known_is_evaluated_whole() -> None:
    files = edge_sources("void Vmodel___024root___eval_nba(int* other) {\n}\n", "", "Vmodel")
    assert not in_parts(files)

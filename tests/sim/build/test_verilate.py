"""Verilog and a main program become a simulator, compiled once for each way of compiling it."""

import subprocess
from pathlib import Path

import pytest

from macro_models.errors import ToolError
from sim.build.verilate import cached_simulator, verilate

DESIGN = """module counter (input clk, output reg [7:0] count);
  initial count = 0;
  always @(posedge clk) count <= count + `STEP;
endmodule
"""

MAIN = """#include "Vtop.h"
int main() {
    Vtop top;
    for (int k = 0; k < 2 * CYCLES; ++k) { top.clk = k & 1; top.eval(); }
    return top.count;
}
"""


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
def test_it_is_compiled_once_for_each_way_of_compiling_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "a cache with blanks"))
    (tmp_path / "main.cpp").write_text(MAIN)
    written: list[int] = []

    def counted(cycles: int, key: str) -> int:
        def write() -> str:
            written.append(cycles)
            return DESIGN

        program = cached_simulator(
            "counter", [key], write, [tmp_path / "main.cpp"], top="counter", options=["-DSTEP=3"],
            cflags=f"-DCYCLES={cycles}", fast="-O0",
        )
        assert {path.name for path in program.parent.iterdir()} == {"design.v", "build.log", "seal", "simulator"}
        return subprocess.run([program], check=False).returncode

    assert [counted(7, "a"), counted(9, "a"), counted(7, "a")] == [21, 27, 21]
    assert written == [7, 9]
    (tmp_path / "main.cpp").write_text(MAIN.replace("top.count", "top.count + 1"))
    assert counted(7, "a") == 22


@pytest.mark.cosim("verilator", "g++", "make")
def test_what_cannot_be_compiled_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MHO_CACHE", str(tmp_path))
    (tmp_path / "design.v").write_text(DESIGN)
    with pytest.raises(ToolError, match=r"^verilator failed with exit code 1; see .*failed-build-\d+\.log$"):
        verilate(tmp_path, [tmp_path / "design.v"], top="counter")
    assert "STEP" in next(tmp_path.glob("failed-build-*.log")).read_text()

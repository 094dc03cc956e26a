"""What cannot be compiled is told, and blocks that are compiled apart are what they are within the top."""

import subprocess
from pathlib import Path

import pytest

from mho.macro_models.errors import ToolError
from mho.macro_models.files.scripts import make_word
from mho.sim.build.bench import Bench, build_bench
from mho.sim.build.verilate import compile_icarus, verilate

DESIGN = """module counter (input clk, output reg [7:0] count);
  initial count = 0;
  always @(posedge clk) count <= count + `STEP;
endmodule
"""


@pytest.mark.cosim("verilator", "g++", "make")
def test_what_cannot_be_compiled_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MHO_CACHE", str(tmp_path))
    (tmp_path / "design.v").write_text(DESIGN)
    with pytest.raises(ToolError, match=r"^verilator failed with exit code 1; see .*failed-build-\d+\.log$"):
        verilate(tmp_path, [tmp_path / "design.v"], top="counter")
    assert "STEP" in next(tmp_path.glob("failed-build-*.log")).read_text()


BLOCKS = """module half (input clk, input [7:0] a, output reg [7:0] b, output [7:0] c); /*verilator hier_block*/
  initial b = 0;
  always @(posedge clk) b <= a + 1;
  assign c = a ^ b;
endmodule
module both (input clk, input rst, input [7:0] x, output [7:0] y, output [7:0] z);
  wire [7:0] between, early;
  half first (.clk(clk), .a(x), .b(between), .c(early));
  half second (.clk(clk), .a(between ^ early), .b(y), .c(z));
endmodule
"""


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.parametrize("folder", ["plain", "with a blank"])
def test_blocks_that_are_compiled_apart_give_the_same(tmp_path: Path, folder: str) -> None:
    traces = []
    for options in ([], ["--hierarchical"]):
        place = tmp_path / folder / str(len(options))
        place.mkdir(parents=True)
        bench = Bench(build_bench(place, BLOCKS, "both", options=options))
        try:
            values = []
            for x in (3, 250, 0, 17):
                bench.set("x", x)
                bench.run(1)
                values.append((bench.get("y"), bench.get("z")))
        finally:
            bench.close()
        traces.append(values)
    assert traces[0] == traces[1]
    assert len(set(traces[0])) == 4


STRANGE = "a 'b;$(touch pwned)\n\"#(x)"
"""What a shell, make and scripts read as more than a name."""


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make", "iverilog")
@pytest.mark.parametrize("tool", ["verilator", "icarus"])
def test_sources_and_caches_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    folder = tmp_path / STRANGE
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(folder))
    source = tmp_path / f"{STRANGE}.v"
    source.write_text("`define STEP 1\n" + DESIGN)
    if tool == "icarus":
        compile_icarus(folder, [source], "counter.vvp", top="counter")
        assert (folder / "counter.vvp").exists()
    else:
        main = folder / f"{STRANGE}.cpp"
        main.write_text('#include "Vtop.h"\nint main() { Vtop top; top.eval(); return top.count; }\n')
        # The linker's paths are those of the environment of Python, which may be anywhere.
        paths = make_word(Path("/a 'b;$(touch pwned)#(x)"))
        verilate(folder, [source, main], top="counter", ldflags=f"-Xlinker -rpath -Xlinker {paths}", fast="-O0")
        assert subprocess.run([folder / "simulator"], check=False).returncode == 0
    assert not list(tmp_path.rglob("pwned"))

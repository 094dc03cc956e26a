"""Models whose edges are in parts have the state of those that are evaluated whole, bit for bit and cycle for cycle."""

import re
import subprocess
from pathlib import Path

import pytest

from mho.hw.chip.map import ChipParts
from mho.hw.config import load_chip
from mho.rtl_gen.verilog.ports import module_ports
from mho.sim.build.edges import edge_sources
from mho.sim.build.parts.code import members_of
from mho.sim.build.tile_shell import tile_module
from mho.sim.build.toolchain import HDL
from mho.sim.build.verilate import archive
from mho.sim.tile_networks.build import sources_of_mesh

DESIGN = """module counters (
    input clk, input rst, input go, input write, input [3:0] at, input [95:0] data,
    output reg [95:0] read, output [7:0] sum, output reg [7:0] left, output reg [7:0] right, output reg [63:0] wide
);
  reg [95:0] words [0:15];
  reg [7:0] count, slow;
  assign sum = count + left + {7'd0, go};
  wire full = count == 8'd200;
  always @(posedge clk) begin
    if (write) words[at] <= data;
    read <= words[at];
    if (go) {left, right} <= {right, left};
    if (full) begin slow <= slow + 1; wide[8 * at[2:0] +: 8] <= slow; end
    count <= full ? 0 : count + {7'd0, go};
    if (rst) begin count <= 0; left <= 1; right <= 2; slow <= 0; wide <= 0; read <= 0; end
  end
endmodule
"""
INTERNAL = re.compile(r"clk$|__V(trig|act|nba|ico|stl)")


def share_of_parts(folder: Path, text: str, top: str, cycles: int, constant: tuple[str, ...] = ()) -> float:
    """Simulate both; what part of all parts was run."""
    (folder / "design.v").write_text(text)
    library = archive(folder, [folder / "design.v"], top=top, name="Vmodel", fast="-O0", constant=constant)
    header = (folder / "Vmodel___024root.h").read_text()
    ports = {name: port for name, port in (module_ports(text, top) or {}).items()
             if port.direction == "input" and name not in ("clk", "rst", *constant)}
    listed = ", ".join(f"{{{port.width or 1}, &(m).{name}}}" for name, port in ports.items())
    names = " ".join(f"DO({name})" for name in members_of(header) if not INTERNAL.match(name))
    (folder / "members.h").write_text(f"#define INPUTS(m) {{{listed}}}\n#define MEMBERS(DO) {names}\n")
    include = Path("/usr/share/verilator/include")
    command = ["g++", "-std=c++17", "-O0", f"-I{folder}", f"-I{HDL}", f"-I{include}", f"-I{include}/vltstd", "-w",
               "-o", str(folder / "compare"), str(Path(__file__).with_name("compare.cpp")), str(library),
               str(include / "verilated.cpp"), str(include / "verilated_threads.cpp"), "-lpthread", "-latomic"]
    subprocess.run(command, check=True)
    result = subprocess.run([folder / "compare", str(cycles)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    return float(result.stdout)


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.parametrize("largest", [0, 8, 1000])
def test_a_small_design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int) -> None:
    monkeypatch.setattr("mho.sim.build.parts.grouping.LARGEST", largest)
    share = share_of_parts(tmp_path, DESIGN, "counters", 20_000)
    assert 0 < share <= 1


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make")
def test_a_tile(tmp_path: Path) -> None:
    chip = load_chip("tnsa16-2x2")
    text, parts = "\n".join(sources_of_mesh(chip).values()), ChipParts.from_chip(chip)
    constant = ("programming_enable",) if parts.core.programs else ()
    share = share_of_parts(tmp_path, text, tile_module(parts.tiles[0], outside=True), 3_000, constant)
    assert 0 < share < 0.5


@pytest.mark.cosim("verilator", "g++", "make")
def test_a_part_that_is_not_run_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> dict[str, str]:
        files = edge_sources(*arguments, **options)  # type: ignore[arg-type]
        marking = re.compile(r"marks\[\d+\] \|= for_0;")
        assert any(marking.search(text) for text in files.values())
        return {name: marking.sub("", text) for name, text in files.items()}

    monkeypatch.setattr("mho.sim.build.verilate.edge_sources", broken)
    monkeypatch.setattr("mho.sim.build.parts.grouping.LARGEST", 0)
    with pytest.raises(AssertionError, match="differs in cycle"):
        share_of_parts(tmp_path, DESIGN, "counters", 20_000)

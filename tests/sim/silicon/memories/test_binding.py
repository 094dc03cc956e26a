"""Memories on macros of one port, beside the wrappers that they replace, in Icarus Verilog."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mho.hw.config import Chip, ChipError, load_chip
from mho.hw.config.macros.memory import MemorySection
from mho.macro_models.errors import InputError
from mho.rtl_gen.generate import generate
from mho.rtl_gen.verilog.memories import MemoryShape, write_memory
from mho.sim.silicon.memories.binding import bind_memories, binding
from tests.sim.silicon.memories.test_memories import FOUNDRY

ENABLES = "".join(f"pin ({name}) {{ direction : input; }} " for name in ("MEN", "WEN", "REN", "A_DLY"))
PINS = {
    "clock": "A_CLK", "enable": "MEN", "write": "WEN", "read": "REN", "address": "A_ADDR", "write_data": "A_DIN",
    "mask": "A_BM", "read_data": "A_DOUT",
}
MODEL = """
module one_port (input A_CLK, input MEN, input WEN, input REN, input A_DLY, input [3:0] A_ADDR, input [7:0] A_DIN,
    input [7:0] A_BM, input [3:0] A_BIST_ADDR, input [7:0] A_BIST_DIN, output reg [7:0] A_DOUT);
  reg [7:0] memory [0:15];
  always @(posedge A_CLK) if (MEN && A_DLY && A_BIST_ADDR == 0) begin
    if (WEN) memory[A_ADDR] <= (memory[A_ADDR] & ~A_BM) | (A_DIN & A_BM);
    else if (REN) A_DOUT <= memory[A_ADDR];
  end
endmodule
"""
BENCH = """
module bench;
  reg clk = 0, read = 0, known = 0, failed = 0;
  reg [LANES-1:0] write = 0;
  reg [ABITS-1:0] to = 0, at = 0;
  reg [WIDTH-1:0] data = 0;
  wire [WIDTH-1:0] right, got;
  integer k, reads = 0;
  RIGHT right_memory (clk, write, to, data, read, at, right);
  GOT got_memory (clk, write, to, data, read, at, got);
  task edge_; begin #1 clk = 1; #1 clk = 0; end endtask
  initial begin
    for (k = 0; k < DEPTH; k = k + 1) begin write = ~0; to = k; data = {$random, $random}; edge_; end
    for (k = 0; k < 600; k = k + 1) begin
      write = $random; read = $random; if (k % 3 == 0) write = 0;
      to = $unsigned($random) % DEPTH; at = $unsigned($random) % DEPTH; data = {$random, $random};
      if (read && write == 0) known = 1;
      reads = reads + (read && write == 0);
      edge_;
      if (known && got !== right) failed = 1;
    end
    $display("%s %0d", failed ? "different" : "equal", reads);
    $finish;
  end
endmodule
"""


def chip_with(folder: Path, **memory: Any) -> Chip:
    (folder / "macro.lib").write_text(FOUNDRY.replace("    pin (A_CLK)", f"    {ENABLES}\n    pin (A_CLK)"))
    keys: dict[str, Any] = {
        "ports": "one", "files": ("macro.lib",), "pins": PINS, "ties": {"A_DLY": 1}, "least_bits": 64,
    }
    return replace(load_chip("tnsa16-core"), memory=MemorySection(**(keys | memory)), folder=folder)


@pytest.mark.parametrize(("depth", "width", "lanes", "made_of"), [
    (16, 8, 1, "one_port"), (40, 20, 1, "9 x one_port"), (30, 4, 1, "one_port, 2 words a row"),
    (32, 16, 2, "4 x one_port"), (16, 3, 1, "one_port"),
])
def test_a_bound_memory_is_the_memory(depth: int, width: int, lanes: int, made_of: str, tmp_path: Path) -> None:
    shape = MemoryShape(depth, width, width // lanes, True, False, True)
    text, name = write_memory(shape, "mho_"), f"mho_{shape.suffix}"
    bound = bind_memories(chip_with(tmp_path, least_bits=1), {name: text})
    assert [row["made_of"] for row in bound.rows] == [made_of]
    bench = BENCH.replace("ABITS", str(shape.address_width))
    for word, value in (("LANES", lanes), ("WIDTH", width), ("DEPTH", depth), ("RIGHT", "right"), ("GOT", name)):
        bench = bench.replace(word, str(value))
    (tmp_path / "all.v").write_text(MODEL + text.replace(name, "right") + bound.texts[name] + bench)
    subprocess.run(["iverilog", "-g2005", "-o", tmp_path / "all", tmp_path / "all.v"], check=True)
    run = subprocess.run([tmp_path / "all"], check=True, capture_output=True, text=True)
    verdict, reads = run.stdout.split()[:2]
    assert verdict == "equal"
    assert int(reads) > 100


def test_a_folder_has_macros_black_boxes_and_a_list(tmp_path: Path) -> None:
    chip = chip_with(tmp_path)
    report = generate(chip, tmp_path / "core", wrap="none", bind=binding(chip))
    text = (tmp_path / "core/rtl/mem_18x16_1p.v").read_text()
    assert ".A_BIST_DIN(8'd0)" in text
    assert ".A_DLY(1'd1)" in text
    assert "module one_port (" in (tmp_path / "core/stubs/one_port.v").read_text()
    rows = json.loads((tmp_path / "core/report.json").read_text())["memories"]
    assert rows[0] == {"memory": "mho_mem_16x16_1p", "made_of": "2 x one_port", "instances": ["macro_0_0", "macro_1_0"]}
    plain = generate(replace(chip, memory=MemorySection(ports="one")), tmp_path / "plain", wrap="none")
    assert report.statistics.memory_bits == plain.statistics.memory_bits


@pytest.mark.parametrize(("memory", "sentence"), [
    ({"ports": "two"}, 'memory.ports must be "one" with memory.files, not "two"'),
    ({"pins": {"clk": "A_CLK"}}, "unknown key memory.pins.clk; a memory macro has clock, enable"),
    ({"pins": PINS | {"write": "W EN"}}, 'memory.pins.write must be the name of a pin, as "PIN" or "!PIN", not "W EN"'),
    ({"pins": {"clock": "A_CLK"}}, "memory.pins must have write beside memory.files"),
    ({"ties": {"A_DLY": -1}}, "memory.ties.A_DLY must be a pin with a value of 0 or more, not -1"),
])
def test_what_is_no_macro_of_memories(memory: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ChipError) as caught:
        chip_with(tmp_path, **memory)
    assert sentence in str(caught.value)


def test_a_pin_without_a_value_is_named(tmp_path: Path) -> None:
    shape = MemoryShape(16, 8, 8, True, False, True)
    texts = {"memory": write_memory(shape, "mho_")}
    with pytest.raises(InputError, match=r"memory\.ties must have the input A_DLY of one_port"):
        bind_memories(chip_with(tmp_path, ties={}), texts)
    with pytest.raises(InputError, match=r"memory\.pins must name inputs of one_port, not WE"):
        bind_memories(chip_with(tmp_path, pins=PINS | {"write": "WE"}, ties={"A_DLY": 1, "WEN": 0}), texts)

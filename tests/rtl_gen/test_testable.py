"""Design for test: one clock, resets from pins, gates that open, memories with a port, a ring around the macro."""

import re
import subprocess
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.rtl_gen import generate
from mho.rtl_gen.emit import module_texts
from mho.rtl_gen.verilog.memories import MemoryShape, write_memory
from mho.rtl_gen.verilog.netlist import PERMISSION

TESTED = {"verilog.test": True, "core.manual": True}
GATED = TESTED | {"verilog.clock_gate": "module", "verilog.reset": "async_low"}


@pytest.mark.slow
@pytest.mark.parametrize("reset", ["sync", "async_low"])
def test_every_flip_flop_can_be_in_a_chain(reset: str) -> None:
    """Each has the clock or a gated one at its rising edge, and no reset but the pin's, or one that is kept off."""
    texts = module_texts(load_chip("tnsa16-core", GATED | {"verilog.reset": reset}), "wishbone")
    pin = {"sync": (), "async_low": ("or negedge rst_n",)}[reset]
    clocks = set()
    for name, text in texts.items():
        for clock, event in re.findall(r"always @\(posedge (\w+)\s*([^)]*)\)", text):
            assert clock == "clk" or clock.startswith("gated_clk"), (name, clock)
            assert event in ("", *pin, *(["or negedge kept"] if name.endswith(PERMISSION) else [])), (name, event)
            clocks.add(clock)
        assert not re.search(r"negedge clk|initial\b", text), name
        gates = re.findall(r"  mho_clock_gate \w+ \((.*?)\);", text, re.DOTALL)
        assert all(".clk(clk)" in gate and ".test_mode(test_mode)" in gate for gate in gates)
    assert len(clocks) > 1
    assert "wire kept = enable | test_mode;" in texts[f"mho_{PERMISSION}"]
    assert "open = enable | test_mode;" in texts["mho_clock_gate"]
    plain = module_texts(load_chip("tnsa16-core"), "none")
    assert not any("test_mode" in text or "bist" in text for text in plain.values())


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog", "yosys")
@pytest.mark.parametrize("changes", [TESTED | {"programming.engine": False}, GATED], ids=["plain", "gated"])
def test_tools_accept_it(changes: dict[str, object], tmp_path: Path) -> None:
    top = generate(load_chip("tnsa16-core", changes), tmp_path, wrap="wishbone").top
    stub, rtl = "stubs/tnsa_macro.v", (tmp_path / f"{top}.f").read_text().split()
    lint = ["verilator", "--lint-only", "-Wall", "--quiet", f"{top}.vlt", "-F", f"{top}.f", stub, "--top-module", top]
    power = [*lint, "+define+USE_POWER_PINS"]
    script = f"read_verilog {' '.join([*rtl, stub])}; hierarchy -check -top {top}; proc; check -assert"
    check = ["yosys", "-q", "-p", script]
    for command in (lint, power, ["iverilog", "-g2005", "-Wall", "-o", "sim", *rtl, stub], check):
        done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), command[0]
    assert "set_case_analysis 0 [get_ports test_mode]" in (tmp_path / f"{top}.sdc").read_text()


MEMORY = """`timescale 1ns / 1ps
module bench;
  reg clk = 0, bist = 0, bist_write = 0;
  reg [{top}:0] address = 0;
  reg [{high}:0] data = 0;
  reg [{lane}:0] enable = 0;
  reg read = 1;
  wire [{high}:0] seen, found;
  reg [{high}:0] want;
  integer k, bad = 0;
  {name} memory (
    .clk(clk), .write_enable(enable), .write_address(address), .write_data(data),{read}
    .read_address(address), .read_data(seen), .bist_enable(bist), .bist_write(bist_write), .bist_address(~address),
    .bist_write_data(~data), .bist_read_data(found)
  );
  task tick; begin #5 clk = 1; #5 clk = 0; end endtask
  initial begin
    bist = 1; bist_write = 1; enable = ~0;             // the other port wants to write too
    for (k = 0; k < {depth}; k = k + 1) begin address = k; data = 3 * k + 1; tick; end
    bist_write = 0; enable = 0;
    for (k = 0; k < {depth}; k = k + 1) begin
      address = k; want = ~(3 * k + 1); tick; if (found !== want) bad = bad + 1;
    end
    bist = 0; bist_write = 1;                          // the test port is off
    for (k = 0; k < {depth}; k = k + 1) begin
      address = ~k; want = ~(3 * k + 1); tick; if (seen !== want) bad = bad + 1;
    end
    enable = ~0; address = 1; data = 9; tick; enable = 0;
    address = 2; tick; address = 1; tick; if (seen !== 9) bad = bad + 1;
    $display("bad %0d", bad);
    $finish;
  end
endmodule
"""


@pytest.mark.cosim("iverilog", "vvp")
@pytest.mark.parametrize("fault", [None, ("bist_enable ? bist_address : write_address", "write_address")])
@pytest.mark.parametrize("shape", [
    MemoryShape(8, 12, 12, True, False), MemoryShape(8, 16, 4, True, True), MemoryShape(8, 12, 12, False, False),
], ids=["synchronous", "lanes", "asynchronous"])
def test_a_self_test_owns_a_memory(shape: MemoryShape, fault: tuple[str, str] | None, tmp_path: Path) -> None:
    text = write_memory(shape, "mho_", test=True)
    if fault is not None:
        assert text.count(fault[0]) == 1
        text = text.replace(*fault)
    bench = MEMORY.format(
        top=shape.address_width - 1, high=shape.width - 1, lane=shape.lanes - 1, name=f"mho_{shape.suffix}",
        depth=shape.depth, read="\n    .read_enable(read)," if shape.registered else "",
    )
    (tmp_path / "bench.v").write_text(bench + text)
    subprocess.run(["iverilog", "-g2005", "-o", "sim", "bench.v"], cwd=tmp_path, check=True)
    run = subprocess.run(["vvp", "sim"], cwd=tmp_path, check=True, capture_output=True, text=True)
    match = re.search(r"bad (\d+)", run.stdout)
    assert match
    assert (int(match[1]) == 0) == (fault is None), run.stdout


@pytest.mark.slow
def test_ring_holds_the_macro_and_is_not_there_without_the_pin() -> None:
    """By text: each input of the macro is gated by the pin, each answer is chosen by it, each pin is in a flip-flop."""
    text = module_texts(load_chip("tnsa16-core", TESTED), "none")["mho_macro_bypass"]
    ports = re.findall(r"^  (input|output) +wire (?:\[\d+:0\] )?(\w+)", text, re.MULTILINE)
    control_pins = {"test_mode", "clk"}
    driven = {name for way, name in ports if way == "input"} - control_pins
    answers = {name for way, name in ports if way == "output"}
    assert len(driven) > 20
    instance = text[text.index("mho_macro_adapter adapter (") :]
    for name in driven:
        assert re.search(rf"\.{name}\({name} & (?:\{{\d+\{{)?~test_mode", instance), name
    for name in answers:
        assert re.search(rf"assign {name} = test_mode \? {name}_ring : macro_{name};", text), name
    registers = text[text.index("always @(posedge clk)") : text.index("assign cmp")]
    assert driven <= set(re.findall(r"\w+", registers))

"""Energy of a core's logic from its switching activity: of a trace that Icarus made of the generated Verilog."""

import re
import subprocess
from pathlib import Path

import pytest

from hw.config import Chip, load_chip
from hw.core import pack
from hw.kinds import core_blocks
from macro_models.errors import InputError
from macro_models.exact.operation import MvmOperation
from rtl_gen.emit import module_texts
from sim.silicon.activity import read_activity
from sim.silicon.energy import AVERAGE_ACTIVITY, chip_energy
from sim.silicon.modules import macro_stub, without_comments

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT.parent / "shared/data/ihp-sg13g2/sg13g2_stdcell_typ_1p20V_25C.lib.gz"

COUNTER = """module tb;
  reg clk = 0;
  reg [2:0] count = 0;
  always #5 clk = ~clk;
  always @(posedge clk) count <= count + 1;
  initial begin $dumpfile("trace.fst"); $dumpvars(0, tb); #161 $finish; end
endmodule
"""


def traced(folder: Path, text: str) -> Path:
    """The trace of a bench that writes ``trace.fst``."""
    (folder / "all.v").write_text(text)
    subprocess.run(["iverilog", "-g2012", "-o", "all.vvp", "all.v"], cwd=folder, check=True)
    subprocess.run(["vvp", "-n", "all.vvp", "-fst"], cwd=folder, check=True, capture_output=True)
    return folder / "trace.fst"


def bench(chip: Chip, busy: bool) -> str:
    """A core that rests, or runs one product after the other on inputs at random, for 200 cycles."""
    modules = without_comments(module_texts(chip, "none"))
    top = next(iter(modules))
    head = modules[top].partition(");")[0]
    inputs = re.findall(r"input +wire (?:\[(\d+):0\] )?(\w+)", head)
    stub = macro_stub(next(text for name, text in modules.items() if "adapter" in name)).partition("\n")[2]
    quiet = "".join(f"assign {name} = 0; " for name in re.findall(r"output +(?:\[\d+:0\])? *(\w+)", stub))
    stub = stub.replace("endmodule", f"{quiet}endmodule")
    lines = [f"  reg [{high or 0}:0] {name} = 0;" for high, name in inputs]
    lines += [f"  {top} core ({', '.join(f'.{name}({name})' for _, name in inputs)});", "  always #5 clk = ~clk;"]
    if busy:
        values = {"op_payload": pack(MvmOperation(in_bits=3, out_bits=3), 1), "trim": core_blocks(chip).trim or 0}
        values |= dict.fromkeys(("op_valid", "i_valid", "o_ready"), 1)
        lines += [f"  initial {name} = {value.bit_length() or 1}'d{value};" for name, value in values.items()]
        lines.append("  always @(negedge clk) i_payload <= $urandom;")
    lines.append('  initial begin $dumpfile("trace.fst"); $dumpvars(0, tb); rst = 1; #40 rst = 0; #1960 $finish; end')
    return "\n".join([*modules.values(), stub, "module tb;", *lines, "endmodule", ""])


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator")
def test_changes_of_each_bit_are_counted(tmp_path: Path) -> None:
    activity = read_activity(traced(tmp_path, COUNTER))
    assert activity.changes["tb.count"] == [16, 8, 4]
    assert activity.changes["tb.clk"] == [32]


def test_what_is_no_trace_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.fst: cannot be read as waveforms"):
        read_activity(tmp_path / "none.fst")


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "verilator", "yosys")
@pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY} is not there")
def test_a_core_that_works_takes_more_than_one_that_rests(tmp_path: Path) -> None:
    """Both take the clock of their flip-flops; blocks add up, and cycles are those of the trace."""
    chip = load_chip("tnsa16-core", {"programming.engine": False})
    found = {}
    for busy in (False, True):
        folder = tmp_path / str(busy)
        folder.mkdir()
        found[busy] = chip_energy(chip, LIBRARY, traced(folder, bench(chip, busy)), 2)
    rests, works = found[False], found[True]
    assert rests["cycles"] == works["cycles"] == 100
    # Without gates the clock of the flip-flops takes nearly all of it.
    assert rests["still_pJ"] <= rests["image_pJ"] < works["image_pJ"] < works["average_pJ"]
    assert works["still_pJ"] == pytest.approx(rests["still_pJ"])
    assert rests["image_pJ"] == pytest.approx(rests["still_pJ"], rel=0.05)
    assert rests["average_pJ"] == pytest.approx(works["average_pJ"])
    assert rests["average_activity"] == AVERAGE_ACTIVITY
    assert rests["image_pJ"] == pytest.approx(sum(block["image_pJ"] for block in rests["blocks"]))
    assert {"sequencer", "line_counters"} <= {block["block"] for block in rests["blocks"]}
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(InputError, match="the trace must be of a core with digital in it"):
        chip_energy(chip, LIBRARY, traced(other, COUNTER), 1)

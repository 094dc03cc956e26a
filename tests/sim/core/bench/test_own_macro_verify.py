"""``mho verify core`` through a user's own adapter, with the user's model behind it or ours."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.hw.config import MacroSection, load_chip
from mho.hw.kinds import core_blocks
from mho.macro_models.errors import InputError, ToolError
from mho.rtl_gen import check_macro_pins, generate
from mho.rtl_gen.emit import module_texts
from mho.rtl_gen.macro.contract import contract_signals
from mho.sim.core.bench.own_macro import require_programmed
from mho.sim.core.bench.verify import verify_core

EXAMPLES = Path(__file__).parents[4] / "examples" / "own-macro"
CODES = np.arange(64).reshape(8, 8)


@pytest.mark.parametrize("name", ["foundry", "command-port", "wrapper"])
def test_pins_of_the_examples_fit(name: str) -> None:
    assert check_macro_pins(load_chip(EXAMPLES / name / "chip.toml")) == []


@pytest.mark.parametrize("name", ["foundry", "command-port"])
def test_a_model_of_an_example_is_short(name: str) -> None:
    (model,) = load_chip(EXAMPLES / name / "chip.toml").macro.files  # pyright: ignore[reportOptionalMemberAccess]
    assert len((EXAMPLES / name / model).read_text().splitlines()) <= 45


@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["foundry", "command-port", pytest.param("wrapper", marks=pytest.mark.long)])
def test_an_example_is_verified_in_icarus(name: str) -> None:
    report = verify_core(load_chip(EXAMPLES / name / "chip.toml"), simulator="icarus", operations=12, seed=3)
    assert report.operations == 12
    assert "behind its pins; cells measured" in report.macro
    assert report.counts["codes"]["within the range"] > 0


@pytest.mark.cosim
@pytest.mark.long
def test_cells_of_the_users_model_are_programmed_through_the_pins() -> None:
    report = verify_core(load_chip(EXAMPLES / "foundry" / "chip.toml"), operations=40)
    assert "256 of 256 programmed: the verify codes are the codes that multiply" in report.macro
    assert report.operations == 40


def _copy(folder: Path, name: str, old: str, new: str, *, model: str = "") -> Path:
    shutil.copytree(EXAMPLES / name, folder / name)
    for path in (folder / name).glob("*.v"):
        text = path.read_text()
        if path.name == model or not model:
            path.write_text(text.replace(old, new))
    return folder / name / "chip.toml"


@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"), [
        ("(YN[y + 1] ? g : 0)", "(YN[16 - y] ? g : 0)"), ("2 * step) << SC", "2 * step) << 0"),
        ("8191 + step[14]", "8192"),  # halves up, not to the even one
    ],
)
def test_a_model_that_does_another_thing_is_noticed(old: str, new: str, tmp_path: Path) -> None:
    chip = load_chip(_copy(tmp_path, "foundry", old, new))
    with pytest.raises(ToolError, match=r"of the core of foundry in icarus \(pin level\) at .* must be as in the"):
        verify_core(chip, simulator="icarus", operations=12, seed=3)


def _ports_alone(tmp_path: Path) -> Path:
    path = _copy(tmp_path, "foundry", "", "")
    source = path.with_name("fnd_rram16.v")
    header = re.search(r"module FND_RRAM16 \(.*?\n\);\n", source.read_text(), re.DOTALL)
    assert header is not None
    source.write_text(f"{header[0]}endmodule\n")
    return path


@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.slow
def test_without_a_model_ours_stands_behind_the_users_pins(tmp_path: Path) -> None:
    report = verify_core(load_chip(_ports_alone(tmp_path)), simulator="icarus", operations=8, seed=4)
    assert report.macro == "through the adapter of its own macro, our model behind its pins"
    assert report.transposed == 4
    assert report.pin_level == 8


@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["tnsa_macro", "plain_macro"])
def test_module_and_pins_of_a_user_may_have_the_names_of_the_contract(name: str, tmp_path: Path) -> None:
    chip = load_chip("tnsa16-core")
    signals = contract_signals(core_blocks(chip).pins)
    ports = ", ".join(
        f"{'output' if driven else 'input'} [{width - 1}:0] {signal}" for signal, (width, driven) in signals.items()
    )
    (tmp_path / "ports.v").write_text(f"module {name} ({ports});\nendmodule\n")
    macro = MacroSection(module=name, files=("ports.v",), pins={signal: signal for signal in signals})
    report = verify_core(replace(chip, macro=macro, folder=tmp_path), simulator="icarus", operations=4)
    assert report.macro.endswith("our model behind its pins")


@pytest.mark.cosim
@pytest.mark.slow
def test_without_a_model_ours_is_programmed_through_the_users_pins(tmp_path: Path) -> None:
    path = _ports_alone(tmp_path)
    text = path.read_text().replace('"saturate(DAC)"', '"DAC"')
    path.write_text(text.replace("form_pulse = 0", 'form_pulse = "FORM"'))
    source = path.with_name("fnd_rram16.v")
    source.write_text(source.read_text().replace("input [5:0] DAC", "input FORM, input [7:0] DAC"))
    report = verify_core(load_chip(path), operations=20)
    assert report.runs == 3
    assert report.pulses > 0


def test_a_map_that_does_not_fit_is_not_verified(tmp_path: Path) -> None:
    path = _copy(tmp_path, "foundry", "", "")
    path.write_text(path.read_text().replace('"SMP"', '"SMPL"'))
    with pytest.raises(InputError, match=r"macro\.pins\.sample: FND_RRAM16 has no pin SMPL, did you mean SMP\?"):
        verify_core(load_chip(path), simulator="icarus")


@pytest.mark.parametrize(("name", "what"), [("command-port", "macro.commands"), ("wrapper", "cmd_wrapper")])
def test_what_takes_commands_is_not_verified_without_a_model(name: str, what: str, tmp_path: Path) -> None:
    _copy(tmp_path, "wrapper", "", "")
    source = _copy(tmp_path, "command-port", "", "").with_name("cmd_array16.v")
    source.write_text(source.read_text().split("  integer charge")[0] + "endmodule\n")
    with pytest.raises(InputError, match=rf"^macro\.files must hold a model of CMD_ARRAY16 to verify {what}$"):
        verify_core(load_chip(tmp_path / name / "chip.toml"), simulator="icarus")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"GO"', '"GOO"', "macro.pins.request: CMD_ARRAY16 has no pin GOO, did you mean GO?"),
        ('"GO"', "0", "macro.pins.request must be a pin, because commands are given by it, not 0"),
        ('"COMMAND"', '"COMMAND[1:0]"', "macro.pins.command must be 3 bits wide, not 2 (COMMAND[1:0])"),
        ('done = "DONE"\n', "", "macro.pins.done is missing: name its pin"),
        ('"DONE"', "0", "macro.pins.done must be a pin, or 1 where every command takes two cycles, not 0"),
        ('done = "DONE"', 'done = "DONE"\ncmp = "CODE"',
         "macro.pins.cmp: macro.commands drives it; the macro answers at done and code"),
        ('"6 line"', '"9 line"', "macro.pins.command: pin COMMAND must be 4 bits wide, not 3"),
        ('"2 pos"', '"2 pos[16:1]"', 'macro.commands.sample: pos has bits 0 to 15, not those of "2 pos[16:1]"'),
        ('"tnsa16-core"', '"tnsa64-core"', "macro.commands.sample: the data word must have at most 16 bits "
         '(macro.commands.data_bits), not the 64 of "2 pos"; a part is written as pos[15:0]'),
        ('"VSS"', '"request"', "macro.ground: request must be another name, which is a signal of the adapter already"),
    ],
)
def test_wrong_commands_are_refused(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    path = _copy(tmp_path, "command-port", "", "")
    path.write_text(path.read_text().replace(old, new))
    assert sentence in check_macro_pins(load_chip(path))


@pytest.mark.slow
@pytest.mark.parametrize("reset", ["sync", "async_low"])
def test_commands_are_made_by_a_module_of_their_own(reset: str, tmp_path: Path) -> None:
    texts = module_texts(load_chip(EXAMPLES / "command-port" / "chip.toml", {"verilog.reset": reset}), "none")
    port = "rst_n" if reset == "async_low" else "rst"
    assert f"mho_command_port commands (\n    .clk(clk),\n    .{port}({port}),\n" in texts["mho_macro_adapter"]
    assert f"input  wire {port}," in texts["mho_command_port"]
    assert "mho_converted_line" in texts


@pytest.mark.slow
@pytest.mark.parametrize("reset", ["sync", "async_low"])
def test_the_reset_reaches_the_wrapper_active_high(reset: str, tmp_path: Path) -> None:
    chip = load_chip(EXAMPLES / "wrapper" / "chip.toml", {"verilog.reset": reset})
    generate(chip, tmp_path / "out", wrap="none")
    port = "rst_n" if reset == "async_low" else "rst"
    adapter = (tmp_path / "out/rtl/macro_adapter.v").read_text()
    assert f"input  wire {port}," in adapter
    assert ("assign rst = ~rst_n;" in adapter) == (reset == "async_low")
    assert f"macro (\n    .{port}({port}),\n" in re.sub(
        r"`ifdef.*?`endif\n", "", (tmp_path / "out/rtl/core.v").read_text(), flags=re.DOTALL
    )


def test_what_is_programmed_must_be_what_multiplies() -> None:
    done = np.ones((8, 8), dtype=bool)
    assert "are the codes that multiply" in require_programmed(CODES, CODES, done, done)
    assert "a correlation of 1.000" in require_programmed(CODES, CODES // 2, done, done)
    with pytest.raises(ToolError, match="must be those that multiply: verify codes and products agree by 0"):
        require_programmed(CODES, CODES.T * 0 + 5, done, done)
    with pytest.raises(ToolError, match="must bring most cells to their targets, and it gave up 64 cells"):
        require_programmed(CODES, CODES, ~done, done)


def test_two_lines_of_many_that_are_swapped_are_seen() -> None:
    codes = np.random.default_rng(0).integers(4, 118, (64, 64))
    present = np.ones((64, 64), dtype=bool)
    for name, swapped in (("bit line", codes.copy()), ("source line", codes.T.copy())):
        swapped[[9, 40]] = swapped[[40, 9]]
        products = swapped if name == "bit line" else swapped.T
        assert np.corrcoef(codes.ravel(), products.ravel())[0, 1] > 0.95
        with pytest.raises(ToolError, match=rf"verify codes and products of {name} (9|40) agree by -?0\.[0-3]"):
            require_programmed(codes, products, present, present)
    assert "a correlation of" in require_programmed(codes, codes + codes % 5, present, present)


CLOCKED = """
module CLOCKED (
  input CK, DIR, PRE_B, SMP, input [0:2] CTL, input [2:0] SC, input [15:0] STEP, XP, XN, input [0:15] YP,
  input [1:16] YN, input [7:0] WLE_HI, input [0:7] WLE_LO, output reg [0:15] SIGN_B, input FAST
);
  wire [0:15] sign;
  reg [0:15] seen;
  always @(posedge FAST) {SIGN_B, seen} <= {seen, sign};
  FND_RRAM16 array (
    .CK(CK), .DIR(DIR), .PRE_B(PRE_B), .SMP(SMP), .CTL(CTL), .SC(SC), .STEP(STEP), .XP(XP), .XN(XN), .YP(YP), .YN(YN),
    .WLE_HI(WLE_HI), .WLE_LO(WLE_LO), .SIGN_B(sign), .PROG(1'b0), .ROW_EN(1'b0), .SETP(1'b0), .RST_B(1'b1), .RD(1'b0),
    .ROW(4'd0), .COL_HI(2'd0), .COL_LO(2'd0), .DAC(6'd0), .CODE(), .SCAN_IN(1'b0), .SCAN_EN(1'b0), .TRIM(4'd0),
    .SCAN_OUT(), .ATEST()
  );
endmodule
"""


def _clocked(tmp_path: Path, clocks: str) -> Path:
    """The foundry's array with comparators that a clock of its own brings out, and nothing that programs it."""
    path = _copy(tmp_path, "foundry", "", "")
    text = path.read_text()
    pins, _ = text.split("write_mode =")
    pins = pins.replace('"FND_RRAM16"', '"CLOCKED"').replace("[macro]\n", "[programming]\nengine = false\n[macro]\n")
    path.write_text(f'{pins}[macro.extra]\nFAST = "fast"\n{clocks}')
    source = path.with_name("fnd_rram16.v")
    source.write_text(source.read_text() + CLOCKED)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("simulator", [
    pytest.param("icarus", marks=pytest.mark.cosim("iverilog", "vvp", "cocotb")),
    pytest.param("verilator", marks=pytest.mark.cosim),
])
def test_a_macro_with_a_clock_of_its_own_is_verified(simulator: str, tmp_path: Path) -> None:
    chip = load_chip(_clocked(tmp_path, "[macro.clocks]\nFAST = 400\n"))
    assert verify_core(chip, simulator=simulator, operations=8).counts["codes"]["within the range"] > 0


@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.slow
def test_a_clock_that_nobody_names_stands_still(tmp_path: Path) -> None:
    with pytest.raises(ToolError):
        verify_core(load_chip(_clocked(tmp_path, "")), simulator="icarus", operations=4)


@pytest.mark.parametrize(("clocks", "sentence"), [
    ("SLOW = 400", "macro.clocks.SLOW must be a pin of macro.extra, which has no SLOW"),
    ("FAST = 0", "macro.clocks.FAST must be 0.001 to 5000 MHz, not 0"),
    ('FAST = "fast"', 'macro.clocks.FAST must be 0.001 to 5000 MHz, not "fast"'),
])
def test_a_clock_is_a_pin_with_a_rate(clocks: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        load_chip(_clocked(tmp_path, f"[macro.clocks]\n{clocks}\n"))

"""A user's own macro: what the check finds, and that the adapter joins the names."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mho.hw.config import Chip, load_chip
from mho.macro_models.errors import InputError
from mho.rtl_gen import check_macro_pins, emit_core, generate, macro_warnings
from mho.rtl_gen.kinds.tnsa import write_macro_model

# Another module with another face: active-low strobes, lines in one bus, no op_id, no hold.
WRAPPER = """
module MY_ARRAY (
  inout VDDA, VSSA,
  input CK, input DIR, input [31:0] BL, input [31:0] SL, input [15:0] WL,
  input PRE_B, SMP, input [2:0] PL, input CMP_EN, LAT, DEC, input [2:0] SC, input [19:0] STEP,
  output [15:0] SIGN_B
);
  wire [15:0] sign;
  assign SIGN_B = ~sign;
  tnsa_macro inner (
    .clk(CK), .backward(DIR), .bl_pos(BL[15:0]), .bl_neg(BL[31:16]), .sl_pos(SL[15:0]), .sl_neg(SL[31:16]),
    .wl_en(WL), .precharge(~PRE_B), .sample(SMP), .plane(PL), .compare(CMP_EN), .latch(LAT), .decrement(DEC),
    .dec_scale(SC), .step_code(STEP[17:2]), .op_id(64'd0), .cmp(sign), .hold()
  );
endmodule
"""

PINS = {
    "clk": "CK", "backward": "DIR", "bl_pos": "BL[15:0]", "bl_neg": "BL[31:16]", "sl_pos": "SL[15:0]",
    "sl_neg": "SL[31:16]", "wl_en": "WL", "precharge": "!PRE_B", "sample": "SMP", "plane": "PL", "compare": "CMP_EN",
    "latch": "LAT", "decrement": "DEC", "dec_scale": "SC", "step_code": "STEP[17:2]", "cmp": "!SIGN_B",
}


NOTHING = "is connected to nothing; a constant stands in macro.ties"
SUPPLIES = '[macro.power]\nVDDA = "VDD"\n[macro.ground]\nVSSA = "VSS"'


def _chip(folder: Path, changes: dict[str, str | int | None] | None = None, power: str = SUPPLIES) -> Chip:
    pins = {name: pin for name, pin in (PINS | (changes or {})).items() if pin is not None}
    listed = "\n".join(f"{name} = {pin}" if isinstance(pin, int) else f'{name} = "{pin}"' for name, pin in pins.items())
    (folder / "my_array.v").write_text(WRAPPER + write_macro_model("tnsa_macro", 16))
    (folder / "chip.toml").write_text(
        'schema = 1\nextends = "tnsa16-core"\nname = "mine"\n[macro]\nmodule = "MY_ARRAY"\nfiles = ["my_array.v"]\n'
        f'[macro.pins]\n{listed}\n[macro.ties]\n"STEP[19:18]" = 0\n"STEP[1:0]" = 0\n{power}\n'
    )
    return load_chip(folder / "chip.toml")


WRITE_PINS = {
    "write_mode": "PROG", "write_wl": "W_ROW", "write_bl": 0, "write_sl": "W_COL", "set_pulse": "SET_P",
    "reset_pulse": "!RST_P", "form_pulse": 0, "amplitude": "AMP", "verify": "VFY", "verify_code": "CODE[10:1]",
}
WRITE_PORTS = """
  input PROG, input [15:0] W_ROW, W_COL, input SET_P, RST_P, input [7:0] AMP, input VFY, output [11:0] CODE,
"""


def _programmable(folder: Path, changes: dict[str, str | int | None] | None = None) -> Chip:
    chip = _chip(folder, WRITE_PINS | (changes or {}))
    text = (folder / "my_array.v").read_text()
    (folder / "my_array.v").write_text(text.replace("  input CK,", f"{WRITE_PORTS}  input CK,", 1))
    return chip


@pytest.mark.slow
def test_pins_of_programming_go_through_the_adapter(tmp_path: Path) -> None:
    chip = _programmable(tmp_path)
    assert check_macro_pins(chip) == []
    assert macro_warnings(chip) == []
    text = emit_core(chip, tmp_path / "rtl", own_macro=True)[-1].read_text()
    for line in (".PROG(write_mode)", ".W_COL(write_sl)", ".RST_P(~reset_pulse)", ".CODE(pin_code)",
                 "assign verify_code = pin_code[10:1];", "assign verify_valid = 1'd1;",
                 "// Not connected: op_id, write_bl, form_pulse, write_pass."):
        assert line in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"write_sl": None}, "macro.pins.write_sl is missing: name its pin, or write 0 to leave it unconnected"),
        ({"verify_code": 0}, "macro.pins.verify_code must be a pin, because write-verify reads it, not 0"),
        ({"amplitude": "AMP[6:0]"}, "macro.pins.amplitude must be 8 bits wide, not 7 (AMP[6:0])"),
    ],
)
def test_pins_of_programming_that_do_not_fit(
    changes: dict[str, str | int | None], sentence: str, tmp_path: Path
) -> None:
    assert sentence in check_macro_pins(_programmable(tmp_path, changes))


@pytest.mark.slow
def test_a_macro_without_pins_of_programming_is_warned_of(tmp_path: Path) -> None:
    chip = _chip(tmp_path)
    assert check_macro_pins(chip) == []
    (warning,) = macro_warnings(chip)
    assert "so the write-verify engine of the core programs nothing" in warning
    text = emit_core(chip, tmp_path / "rtl", own_macro=True)[-1].read_text()
    assert "assign verify_code = 10'd0;" in text
    assert "assign verify_valid = 1'd1;" in text
    assert macro_warnings(load_chip(tmp_path / "chip.toml", {"programming.engine": False})) == []
    assert macro_warnings(load_chip("tnsa16-core")) == []


@pytest.mark.slow
def test_without_the_engine_there_are_no_pins_of_programming(tmp_path: Path) -> None:
    _programmable(tmp_path)
    chip = load_chip(tmp_path / "chip.toml", {"programming.engine": False})
    sentence = "macro.pins.verify: the core drives no such signal where programming.engine = false"
    assert sentence in check_macro_pins(chip)
    texts = {path.name: path.read_text() for path in emit_core(load_chip("tnsa16-core", {"programming.engine": False}),
                                                             tmp_path / "rtl", "wishbone")}
    assert "write_verify.v" not in texts
    code = [re.sub(r"//[^\n]*", "", text) for text in texts.values()]
    assert not any("verify" in text or "set_pulse" in text for text in code)


def test_good_map_has_no_problem(tmp_path: Path) -> None:
    assert check_macro_pins(_chip(tmp_path)) == []
    assert check_macro_pins(load_chip("tnsa16-core")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"sample": None}, [
            "macro.pins.sample is missing: name its pin, or write 0 to leave it unconnected",
            f"MY_ARRAY: input SMP {NOTHING}",
        ]),
        ({"sample": 0}, [f"MY_ARRAY: input SMP {NOTHING}"]),
        ({"smaple": "SMP", "sample": None}, [
            "macro.pins.smaple: the contract has no such signal, did you mean sample?",
            "macro.pins.sample is missing: name its pin, or write 0 to leave it unconnected",
            f"MY_ARRAY: input SMP {NOTHING}",
        ]),
        ({"wl_en": "WLX"}, [
            "macro.pins.wl_en: MY_ARRAY has no pin WLX, did you mean WL?", f"MY_ARRAY: input WL {NOTHING}",
        ]),
        ({"wl_en": "PL", "plane": 0}, [
            "macro.pins.wl_en: pin PL must be 16 bits wide, not 3", f"MY_ARRAY: input WL {NOTHING}",
        ]),
        ({"bl_neg": "BL[33:18]"}, ["macro.pins.bl_neg: pin BL has bits 31:0, not 33"]),
        ({"bl_neg": "BL[31:17]"}, ["macro.pins.bl_neg must be 16 bits wide, not 15 (BL[31:17])"]),
        ({"bl_neg": "BL[30:15]"}, ["macro.pins.bl_neg: bits of pin BL have another signal already"]),
        ({"cmp": "WL", "wl_en": 0}, ["macro.pins.cmp: pin WL must be an output, not an input"]),
        ({"cmp": 1}, ["macro.pins.cmp must be a pin, because the converters read it, not 1"]),
        ({"hold": 2}, ["macro.pins.hold must fit in 1 bits, not 2"]),
    ],
)
def test_problem_is_found(changes: dict[str, str | int | None], problems: list[str], tmp_path: Path) -> None:
    chip = _chip(tmp_path, changes)
    assert check_macro_pins(chip) == problems
    with pytest.raises(InputError, match=f"^{re.escape(problems[0])}"):
        generate(chip, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("power", "problems"),
    [
        ('[macro.power]\nVDDA = "VDD"\nVDD_IO = "VIO"\n[macro.ground]\nVSSX = "VSS"', [
            "MY_ARRAY: pin VSSA is connected to nothing; is it one for macro.power, macro.ground or macro.extra?",
            "macro.power.VDD_IO: MY_ARRAY has no pin VDD_IO",
            "macro.ground.VSSX: MY_ARRAY has no pin VSSX",
        ]),
        # The form of old: which is which was guessed from the name of the net.
        ('[macro.power]\nVDDA = "VDD"\nVSSA = "AGND"', [
            "macro.ground is missing: the ground pins stand in a table of their own, [macro.ground] VSSA = \"AGND\"",
        ]),
        ('[macro.ground]\nVDDA = "VDD"\nVSSA = "AGND"', [
            'macro.power is missing: name the power pins of the macro there, as VDD = "VDD"',
        ]),
        ('[macro.power]\nVDDA = "V"\nVSSA = "V"\n[macro.ground]\nVSSA = "V"', [
            "macro.ground.VSSA: pin VSSA is in macro.power already",
            "macro.ground: net V is one of macro.power already",
        ]),
        ('[macro.power]\nVDDA = "V"\n[macro.ground]\nVSSA = "V"', [
            "macro.ground: net V is one of macro.power already",
        ]),
        ('[macro.power]\nVDDA = "V"\n[macro.ground]\nVSSA = "G"\nWL = "G"', [
            "macro.pins.wl_en: pin WL is a supply, in macro.power or macro.ground",
            "macro.ground.WL: a supply must be 1 bit wide, not [15:0]",
        ]),
        ('[macro.power]\nVDDA = "clk"\n[macro.ground]\nVSSA = "wire"', [
            "macro.power: clk must be another name, which is a signal of the contract already",
            "macro.ground: wire must be a plain name in Verilog, no keyword and without __ or $",
        ]),
    ],
)
def test_supplies_are_checked(power: str, problems: list[str], tmp_path: Path) -> None:
    assert check_macro_pins(_chip(tmp_path, power=power)) == problems


@pytest.mark.slow
def test_any_net_is_what_its_table_says(tmp_path: Path) -> None:
    generate(_chip(tmp_path, power='[macro.power]\nVDDA = "VSS_UP"\n[macro.ground]\nVSSA = "AGND"'), tmp_path / "out")
    config = json.loads((tmp_path / "out/librelane/config.json").read_text())
    assert (config["VDD_NETS"], config["GND_NETS"]) == (["VSS_UP"], ["AGND"])
    assert config["PDN_MACRO_CONNECTIONS"] == ["core.macro.macro VSS_UP AGND VDDA VSSA"]
    for name in ("core_wb", "core", "macro_adapter"):
        text = (tmp_path / f"out/rtl/{name}.v").read_text()
        assert text.count("inout  wire VSS_UP,") == text.count("inout  wire AGND,") == 1


def test_files_are_checked(tmp_path: Path) -> None:
    chip = _chip(tmp_path)
    path = tmp_path / "my_array.v"
    path.write_text("module other(); endmodule")
    assert check_macro_pins(chip) == ["macro.module: no file in macro.files has a module MY_ARRAY"]
    path.write_bytes(b"\xff\xfe")
    assert check_macro_pins(chip) == [
        f"macro.files: {path}, line 1: a Verilog file must be UTF-8 text, not bytes such as 0xff"
    ]
    path.unlink()
    assert check_macro_pins(chip) == [
        f"macro.files: {path}: cannot be read as a Verilog file (No such file or directory)"
    ]


@pytest.mark.slow
def test_only_the_adapter_and_the_black_box_know_the_names(tmp_path: Path) -> None:
    generate(_chip(tmp_path), tmp_path / "out")
    texts = {path.name: path.read_text() for path in (tmp_path / "out/rtl").iterdir()}
    assert [path for path, text in texts.items() if "SIGN_B" in text or "MY_ARRAY" in text] == ["macro_adapter.v"]
    assert ".STEP({2'd0, step_code, 2'd0})" in texts["macro_adapter.v"]
    stub = (tmp_path / "out/stubs/MY_ARRAY.v").read_text()
    assert re.search(r"`ifdef USE_POWER_PINS\n  inout wire VDDA,\n  inout wire VSSA,\n`endif", stub)
    assert "input  wire [19:0] STEP" in stub


@pytest.mark.slow
def test_simulator_may_ask_for_the_contracts_macro(tmp_path: Path) -> None:
    chip = _chip(tmp_path)
    adapters = [
        next(
            path for path in emit_core(chip, tmp_path / str(own_macro), own_macro=own_macro)
            if path.name == "macro_adapter.v"
        )
        for own_macro in (False, True)
    ]
    assert ["tnsa_macro macro (" in path.read_text() for path in adapters] == [True, False]


@pytest.mark.cosim("iverilog", "cocotb")
@pytest.mark.slow
def test_own_macro_gives_the_results_of_its_cells(tmp_path: Path) -> None:
    chip = _chip(tmp_path)
    generate(chip, tmp_path / "out")
    bench = tmp_path / "out/tb/bench_mho_core_wb.py"
    bench.write_text(bench.read_text().replace("IDEAL_MACRO = False", "IDEAL_MACRO = True"))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COCOTB"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=bench.parent, env=environment, check=False, capture_output=True, text=True)
    assert "1 passed" in run.stdout, run.stdout


def test_names_of_others_are_in_no_script(tmp_path: Path) -> None:
    """A file of the macro may have any name; the makefile has none, and the files of the list are named by us."""
    chip = _chip(tmp_path)
    strange = "a $(touch pwned);`b`'.v"
    (tmp_path / "my_array.v").rename(tmp_path / strange)
    (tmp_path / "chip.toml").write_text((tmp_path / "chip.toml").read_text().replace("my_array.v", strange))
    chip = load_chip(tmp_path / "chip.toml")
    generate(chip, tmp_path / "out")
    named = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file() and "pwned" in path.read_text()}
    assert named == {"test_mho_core_wb.py"}
    listing = (tmp_path / "out" / "mho_core_wb.f").read_text().split("\n")
    assert all(re.fullmatch(r"[\w./+-]*", line) for line in listing)


@pytest.mark.parametrize(("old", "new", "key"), [
    ('VDDA = "VDD"', 'VDDA = "VDD$(x)"', "macro.power.VDDA"),
    ('VDDA = "VDD"', '"V];exec" = "VDD"', "macro.power.V];exec"),
    ('module = "MY_ARRAY"', 'module = "MY$ARRAY"', "macro.module"), ('"VSS"', '"VSS$x"', "macro.ground.VSSA"),
])
def test_names_that_reach_scripts_are_words(tmp_path: Path, old: str, new: str, key: str) -> None:
    _chip(tmp_path)
    text = (tmp_path / "chip.toml").read_text()
    assert old in text
    (tmp_path / "chip.toml").write_text(text.replace(old, new))
    with pytest.raises(InputError, match=re.escape(f"{key} must be")):
        load_chip(tmp_path / "chip.toml")

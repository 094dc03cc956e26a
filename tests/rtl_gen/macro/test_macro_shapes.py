"""Macros of other shapes: scan and test pins, three supplies, a wrapper; and maps that do not fit."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from mho.hw.config import Chip, load_chip
from mho.macro_models.errors import InputError
from mho.rtl_gen import check_macro_pins, emit_core, generate, macro_warnings
from tests.rtl_gen.macro.bitwise import Case
from tests.rtl_gen.macro.test_pin_bits import foundry_case

POWER = '[macro.power]\nVDDA = "AVDD"\nVPP = "VHIGH"\n[macro.ground]\nVSSA = "AGND"\n'
EXTRA = '[macro.extra]\nSCAN_IN = "scan_in"\nSCAN_OUT = "scan_out"\nATEST = "atest"\n'
MORE = [
    ("SCAN_IN", "input", None), ("SCAN_OUT", "output", (3, 0)), ("ATEST", "inout", (0, 3)), ("SCAN_EN", "input", None),
]
SUPPLIES = [("VDDA", "inout", None), ("VPP", "inout", None), ("VSSA", "inout", None)]


def _foundry(folder: Path, *, changes: dict[str, str | None] | None = None, others: str = "") -> Chip:
    """The foundry's macro with supplies, scan and test pins; ``changes`` replace lines of its pin map."""
    case: Case = foundry_case()
    case.ports += [*MORE, *SUPPLIES]
    text = case.model().replace("module USER (", "module USER (\n`ifdef USE_POWER_PINS")
    supplies = ",\n".join(f"  inout wire {name}" for name, _, _ in SUPPLIES)
    text = text.replace(",\n" + supplies, "").replace("USE_POWER_PINS", f"USE_POWER_PINS\n{supplies},\n`endif", 1)
    folder.mkdir(exist_ok=True)
    (folder / "user.v").write_text(text)
    pins = dict(line.split(" = ", 1) for line in case.pins)
    pins |= changes or {}
    listed = "\n".join(f"{name} = {pin}" for name, pin in pins.items() if pin is not None)
    (folder / "chip.toml").write_text(
        f'schema = 1\nextends = "tnsa16-core"\n[macro]\nmodule = "USER"\nfiles = ["user.v"]\n[macro.pins]\n{listed}\n'
        f"{case.others}SCAN_EN = 0\n{others}{'' if '[macro.extra]' in others else EXTRA}{POWER}"
    )
    return load_chip(folder / "chip.toml")


def test_a_foundrys_macro_fits(tmp_path: Path) -> None:
    chip = _foundry(tmp_path)
    assert check_macro_pins(chip) == []
    upwards = [sentence for sentence in macro_warnings(chip) if " counts upwards " in sentence]
    assert [re.search(r"pin (\w+) counts", sentence)[1] for sentence in upwards] == ["PL", "ROW", "COL_LO"]  # pyright: ignore
    assert [sentence for sentence in macro_warnings(chip) if sentence not in upwards] == [
        "macro.pins.amplitude: 2 of its bits reach no pin, so values that differ in them alone are one value for the "
        "macro"
    ]


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog", "yosys")
def test_tools_accept_supplies_and_extra_pins(tmp_path: Path) -> None:
    top = generate(_foundry(tmp_path / "chip"), tmp_path / "out", wrap="wishbone").top
    out = tmp_path / "out"
    rtl, stub = (out / f"{top}.f").read_text().split(), "stubs/USER.v"
    for name in ("core_wb", "core", "macro_adapter"):
        text = (out / "rtl" / f"{name}.v").read_text()
        ports = "input  wire scan_in", "output wire [3:0] scan_out", "inout  wire [0:3] atest", "inout  wire VHIGH,"
        for port in ports:
            assert text.count(port) == 1, (name, port)
    for power in ([], ["-DUSE_POWER_PINS"]):
        lint = ["verilator", "--lint-only", "-Wall", "--quiet", *power, f"{top}.vlt", "-F", f"{top}.f", stub,
                "--top-module", top]
        script = f"read_verilog {' '.join([*power, *rtl, stub])}; hierarchy -check -top {top}; proc; check -assert"
        icarus = ["iverilog", "-g2005", "-Wall", *power, "-o", "sim", *rtl]
        commands = (lint, [*icarus, stub], [*icarus, str(tmp_path / "chip/user.v")], ["yosys", "-q", "-p", script])
        for command in commands:
            run = subprocess.run(command, cwd=out, check=False, capture_output=True, text=True)
            assert (run.returncode, run.stderr) == (0, ""), command[0]
    config = json.loads((out / "librelane/config.json").read_text())
    assert config["VDD_NETS"] == ["AVDD", "VHIGH"]
    assert config["GND_NETS"] == ["AGND"]


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog")
def test_tools_accept_a_shipped_chip_with_its_supplies(tmp_path: Path) -> None:
    top = generate(load_chip("tnsa16-core"), tmp_path, wrap="axil").top
    rtl = (tmp_path / f"{top}.f").read_text().split()
    lint = ["verilator", "--lint-only", "-Wall", "--quiet", "-DUSE_POWER_PINS", f"{top}.vlt", "-F", f"{top}.f",
            "stubs/tnsa_macro.v", "--top-module", top]
    for command in (lint, ["iverilog", "-g2005", "-DUSE_POWER_PINS", "-o", "sim", *rtl, "tb/tnsa_macro.v"]):
        run = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert (run.returncode, run.stderr) == (0, ""), command[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "others", "sentence"),
    [
        ({"sl_pos": '"YP[15:0]"'}, "",
         "macro.pins.sl_pos: pin YP is declared [0:15], so write YP[0:15] (reverse() turns it round)"),
        ({"sl_neg": '"YN[0:15]"'}, "", "macro.pins.sl_neg: pin YN has bits 1:16, not 0"),
        ({"wl_en": '"{WLE_HI, WLE_HI}"'}, "", "macro.pins.wl_en: a bit of pin WLE_HI stands in it twice"),
        ({"wl_en": '"{WLE_HI, WLE_LO[0:6]}"'}, "",
         "macro.pins.wl_en must be 16 bits wide, not 15 ({WLE_HI, WLE_LO[0:6]})"),
        ({"wl_en": '"{WLE_HI, 8\'d0}"'}, "",
         "macro.pins.wl_en: a constant must not stand for a signal of the core; open(8) leaves bits open"),
        ({"wl_en": '"{WLE_HI, open(8)}"'}, "",
         "USER: input WLE_LO is connected to nothing; a constant stands in macro.ties"),
        ({"wl_en": '"binary(ROW)"'}, "",
         "macro.pins.wl_en: binary() must be one of write_bl, write_sl, write_wl, of which one line is selected at a "
         "time"),
        ({"write_wl": '"binary(COL_HI, !ROW_EN_B)"'}, "",
         "macro.pins.write_wl: binary() of 16 lines must have 4 bits, not 2"),
        ({"write_wl": '"binary(ROW, DAC)"'}, "", "macro.pins.write_wl: pin DAC must be 1 bit wide, not 6"),
        ({"amplitude": '"DAC"'}, "",
         "macro.pins.amplitude: pin DAC must be 8 bits wide, not 6: write saturate(DAC) for its lowest bits, or "
         "{DAC, open(2)} for its highest"),
        ({"amplitude": '"{open(2), DAC}"'}, "",
         "macro.pins.amplitude: open() above the bits of a number would wrap it; saturate(PIN) gives its lowest bits"),
        ({"plane": '"saturate(PL)"'}, "",
         "macro.pins.plane: saturate() must be one of amplitude, step_code, which are numbers"),
        ({"cmp": '"{CMPB[0:7], CMPB[0:7]}"'}, "", "macro.pins.cmp: a bit of a pin stands in it twice"),
        ({"cmp": '["CMPB", "CMPB"]'}, "", "macro.pins.cmp must be one pin, because the macro drives it, not a list"),
        ({"sample": '"RDY"'}, "", "macro.pins.sample: pin RDY must be an input, not an output"),
        ({"sample": '"SCAN_IN"'}, "", "macro.extra.SCAN_IN: pin SCAN_IN is in macro.pins already"),
        ({"sample": '"VPP"'}, "", "macro.pins.sample: pin VPP is a supply, in macro.power or macro.ground"),
        ({"sample": "1"}, "", "macro.pins.sample must be a pin, or 0 to leave it unconnected, not 1; see macro.ties"),
        ({}, "SMP = 1\n", "macro.ties.SMP: bits of pin SMP have macro.pins.sample already"),
        ({}, "RDY = 1\n", "macro.ties.RDY: pin RDY must be an input, not an output"),
        ({"sample": "0"}, "SMP = 2\n", "macro.ties.SMP must fit in 1 bits, not 2"),
        ({}, "NONE = 0\n", "macro.ties.NONE: USER has no pin NONE"),
        ({}, '"TRIM[6]" = 0\n', "macro.ties.TRIM[6]: pin TRIM has bits 0:5, not 6"),
        ({}, '[macro.extra]\nSCAN_IN = "x"\nSCAN_OUT = "x"\nATEST = "atest"\n',
         "macro.extra.SCAN_OUT must have a port of its own, not x, which is that of SCAN_IN"),
        ({}, '[macro.extra]\nSCAN_IN = "scan_in"\nSCAN_OUT = "scan_out"\n',
         "USER: pin ATEST is connected to nothing; is it one for macro.power, macro.ground or macro.extra?"),
        ({}, '[macro.extra]\nSCAN_IN = "wb_cyc_i"\nATEST = "a"\n',
         "macro.extra: wb_cyc_i must be another name, which is a port of the core (wishbone) already"),
        ({}, '[macro.extra]\nSCAN_IN = "VHIGH"\nATEST = "a"\n',
         "macro.extra: VHIGH must be another name, which is a supply already"),
        ({}, '[macro.extra]\nSCAN_INN = "x"\nATEST = "a"\n',
         "macro.extra.SCAN_INN: USER has no pin SCAN_INN, did you mean SCAN_IN?"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(
    changes: dict[str, str | None], others: str, sentence: str, tmp_path: Path
) -> None:
    problems = check_macro_pins(_foundry(tmp_path, changes=changes, others=others))
    assert sentence in problems
    assert all(len(problem) <= 200 for problem in problems)


@pytest.mark.parametrize("text", ["[WIDTH-1:0]", "[1:0][7:0]", "[$clog2(9):0]"])
def test_a_range_that_is_not_read_is_refused(text: str, tmp_path: Path) -> None:
    chip = _foundry(tmp_path)
    source = tmp_path / "user.v"
    source.write_text(source.read_text().replace("[0:5] TRIM", f"{text} TRIM"))
    sentence = "macro.ties.TRIM[0:3]: the range of pin TRIM of USER must be one of numbers, as [7:0]"
    assert sentence in check_macro_pins(chip)


@pytest.mark.slow
def test_names_that_a_module_uses_within_are_refused(tmp_path: Path) -> None:
    extra = '[macro.extra]\nSCAN_IN = "digital"\nSCAN_OUT = "scan_out"\nATEST = "atest"\n'
    sentence = r"^macro\.extra: digital must be another name, which module mho_core does not use"
    with pytest.raises(InputError, match=sentence):
        generate(_foundry(tmp_path, others=extra), tmp_path / "out", wrap="none")


@pytest.mark.parametrize(("said", "warned"), [("PL", True), ("PL[0:2]", False), ("reverse(PL)", False)])
def test_a_number_on_a_range_that_runs_upwards_is_asked_for_its_order(said: str, warned: bool, tmp_path: Path) -> None:
    chip = _foundry(tmp_path, changes={"plane": f'"{said}"'})
    assert not check_macro_pins(chip)
    sentences = [sentence for sentence in macro_warnings(chip) if sentence.startswith("macro.pins.plane: ")]
    assert bool(sentences) == warned
    assert all("reverse(PL)" in sentence and "PL[0:2]" in sentence for sentence in sentences)


def test_an_output_that_all_tiles_would_drive_is_refused(tmp_path: Path) -> None:
    chip = _foundry(tmp_path)
    text = (tmp_path / "chip.toml").read_text().replace('"tnsa16-core"', '"tnsa16-2x2"')
    (tmp_path / "chip.toml").write_text(text)
    tiles = load_chip(tmp_path / "chip.toml")
    sentence = "macro.extra.SCAN_OUT: output SCAN_OUT of 4 macros would drive one port, scan_out, of the chip"
    assert not check_macro_pins(tiles)  # one tile of it can be made
    assert any(sentence in warning for warning in macro_warnings(tiles))
    assert not any(sentence in warning for warning in macro_warnings(chip))
    with pytest.raises(InputError, match=sentence.replace(".", r"\.")):
        generate(tiles, tmp_path / "out", wrap="none")
    assert not (tmp_path / "out").exists()


WRAPPER = """
module my_wrapper (input CK, input GO, output [3:0] Q, inout VDDA, VSSA);
  HARD #(.N(4)) hard (.CLK(CK), .GO_B(~GO), .Q(Q)
`ifdef USE_POWER_PINS
    , .VDDA(VDDA), .VSSA(VSSA)
`endif
  );
endmodule
"""
HARD = """
module HARD #(parameter N = 4) (
`ifdef USE_POWER_PINS
  inout VDDA, VSSA,
`endif
  input CLK, GO_B, output [0:N-1] Q
);
  assign Q = 0;
endmodule
"""


def _wrapped(folder: Path, keys: str, *, rtl: str = WRAPPER, hard: str = HARD) -> Chip:
    (folder / "my_wrapper.v").write_text(rtl)
    (folder / "hard.v").write_text(hard)
    chip = folder / "chip.toml"
    chip.write_text(f'schema = 1\nextends = "tnsa16-core"\nname = "mine"\n[macro]\nmodule = "HARD"\n{keys}\n')
    return load_chip(chip)


@pytest.mark.slow
def test_a_wrapper_stays_verilog_and_the_macro_within_is_a_black_box(tmp_path: Path) -> None:
    unused = "backward bl_pos bl_neg sl_pos sl_neg wl_en plane sample compare latch"
    pins = ", ".join(f"{name} = 0" for name in unused.split())
    pins += ', decrement = 0, dec_scale = 0, step_code = 0, clk = "CK", precharge = "GO", cmp = "{12\'d0, Q}"'
    keys = 'files = ["hard.v"]\nwrapper = "my_wrapper"\nrtl = ["my_wrapper.v"]\npins = { ' + pins + " }\n"
    chip = _wrapped(tmp_path, keys + 'power = { VDDA = "VDD" }\nground = { VSSA = "VSS" }')
    assert check_macro_pins(chip) == []
    top = generate(chip, tmp_path / "out", wrap="none").top
    assert "rtl/macro/my_wrapper.v" in (tmp_path / f"out/{top}.f").read_text().split()
    assert (tmp_path / "out/rtl/macro/my_wrapper.v").read_text() == WRAPPER
    stub = (tmp_path / "out/stubs/HARD.v").read_text()
    assert re.search(r"`ifdef USE_POWER_PINS\n  inout wire VDDA,\n  inout wire VSSA,\n`endif", stub)
    assert "output wire [0:3] Q" in stub
    assert "  my_wrapper macro (" in (tmp_path / "out/rtl/macro_adapter.v").read_text()
    config = json.loads((tmp_path / "out/librelane/config.json").read_text())
    assert list(config["MACROS"]["HARD"]["instances"]) == ["macro.macro.hard"]
    assert emit_core(chip, tmp_path / "rtl", own_macro=True)


@pytest.mark.parametrize(
    ("keys", "rtl", "sentence"),
    [
        ('wrapper = "my_wrapper"', WRAPPER,
         "macro.wrapper needs macro.rtl, the files that hold my_wrapper and what it uses"),
        ('rtl = ["my_wrapper.v"]', WRAPPER, "macro.rtl needs macro.wrapper, the module in it that has the pins"),
        ('wrapper = "HARD"\nrtl = ["hard.v"]', WRAPPER,
         "macro.wrapper must be another module than macro.module, not HARD"),
        ('wrapper = "my_wrapper"\nrtl = ["my_wrapper.v"]', WRAPPER + HARD,
         "macro.rtl must not hold HARD, which is hardened: name its file in macro.files"),
        ('wrapper = "my_wrapper"\nrtl = ["my_wrapper.v"]', WRAPPER,
         "macro.files must hold the module HARD within the wrapper: a model, or its ports alone"),
        ('wrapper = "mine"\nrtl = ["my_wrapper.v"]\nfiles = ["hard.v"]', WRAPPER,
         "macro.wrapper: no file in macro.rtl has a module mine"),
    ],
)
def test_a_wrapper_that_does_not_fit_is_refused(keys: str, rtl: str, sentence: str, tmp_path: Path) -> None:
    assert sentence in check_macro_pins(_wrapped(tmp_path, keys, rtl=rtl))


def test_another_number_of_lines_is_refused_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "chip.toml").write_text('schema = 1\nextends = "tnsa16-core"\n[core]\nlines = 36\n')
    with pytest.raises(InputError, match=r"chip\.toml:4: core\.lines must be 16 to 256 in steps of 8, not 36"):
        load_chip(tmp_path / "chip.toml")

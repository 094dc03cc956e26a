"""The section of a user's own macro: its form, and its paths."""

import re

import pytest

from mho.hw.config import MacroSection, chip_from_dict, load_chip
from mho.hw.config.macros.pin_map import FORMS, PinConnection, PinPart, parse_pins
from mho.macro_models.errors import InputError

MACRO = """schema = 1
[macro]
module = "my_tnsa"
files = ["rtl/my_tnsa.v"]
[macro.pins]
precharge = "!RST_N"
wl_en = "WL[255:0]"
hold = 0
[macro.power]
VDD = "vccd1"
[macro.ground]
VSS = "vssd1"
[macro.ties]
"TRIM[1:0]" = 2
[macro.extra]
ATEST = "atest"
"""


def _parts(*parts, **more):
    return (PinConnection(parts=tuple(PinPart(**part) for part in parts), **more),)


@pytest.mark.parametrize(
    ("text", "connections"),
    [
        ("PIN", _parts({"name": "PIN"})),
        ("!RST_N", _parts({"name": "RST_N", "inverted": True})),
        ("WL[7:0]", _parts({"name": "WL", "left": 7, "right": 0})),
        ("WL[0:7]", _parts({"name": "WL", "left": 0, "right": 7})),
        ("!WL[3]", _parts({"name": "WL", "inverted": True, "left": 3, "right": 3})),
        ("{HI, LO[3:0]}", _parts({"name": "HI"}, {"name": "LO", "left": 3, "right": 0})),
        ("!{A, !B}", _parts({"name": "A", "inverted": True}, {"name": "B"})),
        ("{2'd1, A, open(3)}", _parts({"size": 2, "value": 1}, {"name": "A"}, {"size": 3})),
        ("reverse({A, B[0:3]})", _parts(
            {"name": "B", "left": 0, "right": 3, "reversed": True}, {"name": "A", "reversed": True})),
        ("binary({R1, R0})", _parts({"name": "R1"}, {"name": "R0"}, function="binary")),
        ("binary(ROW, !EN_B)", _parts(
            {"name": "ROW"}, function="binary", enable=PinPart(name="EN_B", inverted=True))),
        ("saturate(DAC)", _parts({"name": "DAC"}, function="saturate")),
        ("binary", _parts({"name": "binary"})),
        (["A", "!B"], (*_parts({"name": "A"}), *_parts({"name": "B", "inverted": True}))),
        (0, (PinConnection(constant=0),)),
    ],
)
def test_pins_are_read(text, connections):
    assert parse_pins(text, "macro.pins.x") == connections


@pytest.mark.parametrize(
    "text",
    ["", "!", "WL[", "WL[-1]", "1'b0", "a b", "!!A", "{A,}", "{A", "{}", "{4'd0}", "binary(A", "binary(A, B, C)",
     "binary({A, open(1)})", "2'd4", "{A, 2'd4}", "open(0)", "{A, open(0)}", "((A))", "A}", "A, B",
     "{" * 9 + "A" + "}" * 9],
)
def test_other_pins_are_refused(text):
    sentence = f'macro.pins.x must be {FORMS}, not "{text}"'
    with pytest.raises(InputError, match="^" + re.escape(sentence) + "$"):
        parse_pins(text, "macro.pins.x")


def test_section_is_loaded_and_survives_a_dictionary(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(MACRO)
    chip = load_chip(path)
    assert chip.macro == MacroSection(
        module="my_tnsa", files=("rtl/my_tnsa.v",), pins={"precharge": "!RST_N", "wl_en": "WL[255:0]", "hold": 0},
        power={"VDD": "vccd1"}, ground={"VSS": "vssd1"}, ties={"TRIM[1:0]": 2}, extra={"ATEST": "atest"},
    )
    assert chip.macro.connections["precharge"] == _parts({"name": "RST_N", "inverted": True})
    assert chip_from_dict(chip.to_dict()) == chip


def test_files_of_an_extended_chip_stay_where_they_are(tmp_path):
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor/base.toml").write_text(MACRO)
    path = tmp_path / "chip.toml"
    path.write_text('schema = 1\nextends = "vendor/base.toml"\n')
    chip = load_chip(path)
    assert chip.macro is not None
    assert chip.macro.files == ("vendor/rtl/my_tnsa.v",)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('module = "my_tnsa"\n', "", 'chip.toml:2: macro.module must be a Verilog module name, not ""'),
        ('["rtl/my_tnsa.v"]', '"m.v"', 'chip.toml:4: macro.files must be a list of file names, not "m.v"'),
        ('"!RST_N"', "-1", "chip.toml:6: macro.pins.precharge must be " + FORMS + ", not -1"),
        ('"!RST_N"', "[]", "chip.toml:6: macro.pins.precharge must be " + FORMS + ", not []"),
        ('"vssd1"', "0", "chip.toml:12: macro.ground.VSS must be the name of a net, not 0"),
        ("= 2", '= "2"', 'chip.toml:14: macro.ties.TRIM[1:0] must be an integer from 0, not "2"'),
        ("TRIM[1:0]", "1RIM", 'chip.toml:14: macro.ties.1RIM must be the name of a pin, as PIN or "PIN[7:0]"'),
        ('"atest"', '"a test"', 'chip.toml:16: macro.extra.ATEST must be the name of a port of the top, not "a test"'),
        ('"vccd1"', "1.8", "chip.toml:10: macro.power.VDD must be the name of a net, not 1.8"),
        ("[macro.power]", "[macro.powers]", "chip.toml:9: unknown key macro.powers; did you mean power?"),
    ],
)
def test_bad_section_is_refused_with_its_line(tmp_path, monkeypatch, old, new, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chip.toml").write_text(MACRO.replace(old, new))
    with pytest.raises(InputError, match="^" + re.escape(sentence) + "$"):
        load_chip("chip.toml")

"""The section of a user's own macro: its form, and its paths."""

import re

import pytest

from hw.config import MacroSection, chip_from_dict, load_chip
from hw.config.macro import PinConnection, parse_pin
from macro_models.errors import InputError

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
"""


@pytest.mark.parametrize(
    ("text", "connection"),
    [
        ("PIN", PinConnection(name="PIN")),
        ("!RST_N", PinConnection(name="RST_N", inverted=True)),
        ("WL[7:0]", PinConnection(name="WL", high=7, low=0)),
        ("!WL[3]", PinConnection(name="WL", inverted=True, high=3, low=3)),
        (0, PinConnection(constant=0)),
    ],
)
def test_pins_are_read(text, connection):
    assert parse_pin(text, "macro.pins.x") == connection


@pytest.mark.parametrize("text", ["", "!", "WL[", "WL[0:7]", "WL[-1]", "1'b0", "a b", "!!A"])
def test_other_pins_are_refused(text):
    sentence = f'macro.pins.x must be "PIN", "!PIN", "PIN[7:0]" or a constant, not "{text}"'
    with pytest.raises(InputError, match="^" + re.escape(sentence) + "$"):
        parse_pin(text, "macro.pins.x")


def test_section_is_loaded_and_survives_a_dictionary(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(MACRO)
    chip = load_chip(path)
    assert chip.macro == MacroSection(
        module="my_tnsa", files=("rtl/my_tnsa.v",), pins={"precharge": "!RST_N", "wl_en": "WL[255:0]", "hold": 0},
        power={"VDD": "vccd1"},
    )
    assert chip.macro.connections["precharge"] == PinConnection(name="RST_N", inverted=True)
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
        ('"!RST_N"', "-1", 'chip.toml:6: macro.pins.precharge must be "PIN", "!PIN", "PIN[7:0]" or a constant, not -1'),
        ('"vccd1"', "1.8", "chip.toml:10: macro.power.VDD must be the name of a net, not 1.8"),
        ("[macro.power]", "[macro.powers]", "chip.toml:9: unknown key macro.powers; did you mean power?"),
    ],
)
def test_bad_section_is_refused_with_its_line(tmp_path, monkeypatch, old, new, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chip.toml").write_text(MACRO.replace(old, new))
    with pytest.raises(InputError, match="^" + re.escape(sentence) + "$"):
        load_chip("chip.toml")

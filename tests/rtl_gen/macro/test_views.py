"""Templates of the macro's views: tools read them and find the pins of the macro."""

import re
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mho.hw.config import Chip, MacroSection, load_chip
from mho.macro_models.errors import InputError
from mho.rtl_gen.macro.adapter import hard_ports
from mho.rtl_gen.macro.outline import write_lef, write_outline
from mho.rtl_gen.macro.pin_check import macro_map
from mho.rtl_gen.macro.views import write_liberty, write_upf

EXAMPLE = Path(__file__).parents[3] / "examples/own-macro/foundry"
CHIPS = [load_chip("tnsa16-core"), *(load_chip(path) for path in sorted(EXAMPLE.glob("*.toml")))]


def _bits(chip: Chip) -> set[str]:
    supplies, ports = hard_ports(chip, macro_map(chip))
    listed = (
        name for port in ports
        for name in ([port.name] if port.limits is None else [f"{port.name}[{k}]" for k in port.numbers])
    )
    return {*supplies, *listed}


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_lef_has_every_pin_once_and_inside(chip: Chip) -> None:
    text = write_lef(chip, macro_map(chip))
    pins = re.findall(r"^  PIN (\S+)$", text, re.MULTILINE)
    assert len(pins) == len(set(pins))
    assert set(pins) == _bits(chip)
    size = re.search(r"SIZE (\S+) BY (\S+) ;", text)
    assert size is not None
    for box in re.findall(r"RECT (\S+) (\S+) (\S+) (\S+) ;", text):
        left, bottom, right, top = map(float, box)
        assert 0 <= left < right <= float(size[1])
        assert 0 <= bottom < top <= float(size[2])


def test_outline_is_as_the_description_says() -> None:
    """Edges and pitch by ``[macro]``; the page has the places of the LEF."""
    example = load_chip(EXAMPLE / "chip.toml")
    assert example.macro is not None
    pins = {port.name: port for port in hard_ports(example, macro_map(example))[1]}
    bus, scalar = [name for name, port in pins.items() if port.limits is not None][:2]
    sides = {bus: "top", scalar: "right"}
    chip = replace(example, macro=replace(
        example.macro, width_um=300.0, height_um=500.0, pin_pitch_um=0.84, sides=sides))
    text, page = write_lef(chip, macro_map(chip)), write_outline(chip, macro_map(chip))
    assert "SIZE 300.000 BY 500.000 ;" in text
    places = re.findall(r"PIN (\S+)\n(?:.*\n){3}      LAYER (\w+) ;\n        RECT (\S+) (\S+) (\S+) (\S+) ;", text)
    above = [(name, layer, float(left)) for name, layer, left, _, _, top in places if float(top) == 500.0]
    assert [name for name, *_ in above] == [f"{bus}[{number}]" for number in pins[bus].numbers]
    assert {layer for _, layer, _ in above} == {"Metal2"}
    steps = {round(b - a, 3) for (*_, a), (*_, b) in pairwise(above)}
    assert steps == {0.84}
    assert {name.partition("[")[0] for name, *_, right, _ in places if float(right) == 300.0} >= {scalar}
    assert f"| top | `{bus}[{pins[bus].numbers[0]}:{pins[bus].numbers[-1]}]` | " in page
    assert f"| {above[0][2] + 0.2:g} | {above[-1][2] + 0.2:g} | Metal2 |" in page


@pytest.mark.parametrize(("keys", "sentence"), [
    ({"sides": {"NO": "top"}}, r"macro\.sides\.NO: hard has no pin NO"),
    ({"height_um": 9.0}, r"macro\.height_um must be at least \d+ for the pins of an edge .*, not 9"),
])
def test_outline_without_room(keys: dict[str, Any], sentence: str) -> None:
    chip = _with_macro({"module": "hard", "pins": {"bl_pos": "XP"}, **keys})
    with pytest.raises(InputError, match=sentence):
        write_lef(chip, macro_map(chip))


def test_a_side_that_is_none() -> None:
    with pytest.raises(InputError, match=r"macro\.sides\.XP must be left, right, bottom or top, not \"up\""):
        _with_macro({"module": "hard", "sides": {"XP": "up"}})


@pytest.mark.cosim("yosys", "sta")
@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_tools_read_the_liberty(chip: Chip, tmp_path: Path) -> None:
    ports = macro_map(chip)
    (tmp_path / "macro.lib").write_text(write_liberty(chip, ports))
    command = ["yosys", "-q", "-p", "read_liberty -lib macro.lib; write_verilog -blackboxes macro.v"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    module = (tmp_path / "macro.v").read_text()
    names = set(re.findall(r"^ *(?:input|output|inout) (?:\[\d+:\d+\] )?(\w+)", module, re.MULTILINE))
    assert names == {port.name for port in hard_ports(chip, ports)[1]}
    script = "read_liberty macro.lib\nforeach cell [get_lib_cells */*] { puts [get_name $cell] }\n"
    (tmp_path / "read.tcl").write_text(script)
    command = ["sta", "-exit", "-no_splash", "read.tcl"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.split() == re.findall(r"cell \((\w+)\)", (tmp_path / "macro.lib").read_text())
    assert "Error" not in run.stdout + run.stderr
    assert "Warning" not in run.stdout + run.stderr


def _with_macro(macro: dict[str, Any]) -> Chip:
    return replace(load_chip("tnsa16-core"), macro=MacroSection(**macro))


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_power_intent_connects_every_supply(chip: Chip) -> None:
    text = write_upf(chip, "top", ("core.macro.macro",))
    if chip.macro is None or not chip.macro.wrapper:
        supplies, _ = hard_ports(chip, macro_map(chip))
        assert set(re.findall(r"-ports \{core/macro/macro/(\w+)\}", text)) == set(supplies)
    created = set(re.findall(r"create_supply_net (\w+) -domain PD_DIGITAL", text))
    assert set(re.findall(r"connect_supply_net (\w+)", text)) <= created


def test_power_intent_switches_tiles_off_by_their_pins() -> None:
    macro: dict[str, Any] = {"module": "hard", "power": {"VD": "vdd"}, "ground": {"G": "vss"}}
    text = write_upf(_with_macro(macro), "top", ["chip.tile_0_0.core.macro.macro", "chip.tile_1_0.core.macro.macro"])
    for number, tile in enumerate(("chip/tile_0_0", "chip/tile_1_0")):
        assert f"-domain PD_TILE_{number}" in text
        assert f"-elements {{{tile}/tile {tile}/core {tile}/core_access {tile}/split}}" in text
        assert f"-control_port {{off {tile}/power_off}}" in text
    assert "PD_TILE" not in write_upf(_with_macro(macro), "top", ["core.macro.macro"])


def test_power_intent_has_the_kinds_of_supplies() -> None:
    """Two array supplies, one of each other kind, two grounds: sets, the macro's primary supply, states once each."""
    macro: dict[str, Any] = {
        "module": "hard", "power": {"VA": "vdda", "VB": "vddb", "VP": "vddp", "VD": "vdd", "VH": "vpp"},
        "ground": {"GA": "agnd", "GD": "gnd"},
        "domains": {"VA": "array", "VB": "array", "GA": "array", "VD": "periphery", "VH": "programming"},
    }
    text = write_upf(_with_macro(macro), "top", ["macro.macro"])
    sets = dict(re.findall(r"create_supply_set (\w+) -function \{power (\w+)\}", text))
    assert sets == {"SS_ARRAY": "vdda", "SS_PERIPHERY": "vdd", "SS_PROGRAMMING": "vpp"}
    assert "create_supply_set SS_ARRAY -function {power vdda} -function {ground agnd}" in text
    assert "set_domain_supply_net PD_MACRO -primary_power_net vdd " in text
    states = dict(re.findall(r"add_power_state PD_MACRO -state \{(\w+) -logic_expr \{(.*)\}\}", text))
    assert states["PROGRAMS"] == "SS_ARRAY == ON && SS_PERIPHERY == ON && SS_PROGRAMMING == ON"
    assert states["MULTIPLIES"].endswith("SS_PROGRAMMING == OFF")
    assert states["RESTS"].startswith("SS_ARRAY == OFF && SS_PERIPHERY == ON")
    # Without programming two of them are one.
    del macro["domains"]["VH"]
    text = write_upf(_with_macro(macro), "top", ["macro.macro"])
    assert re.findall(r"add_power_state PD_MACRO -state \{(\w+)", text) == ["PROGRAMS", "RESTS"]


@pytest.mark.parametrize(("pin", "domain", "sentence"), [
    ("VD", "logic", r'macro\.domains\.VD must be array, periphery or programming, not "logic"$'),
    ("VX", "array", r"macro\.domains\.VX must be a pin of macro\.power or macro\.ground, which have no VX$"),
])
def test_kinds_of_supplies_are_checked(pin: str, domain: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        _with_macro({"module": "hard", "power": {"VD": "vdd"}, "ground": {"G": "gnd"}, "domains": {pin: domain}})

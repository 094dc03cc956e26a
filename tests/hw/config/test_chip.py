"""The dataclasses: checks in Python, dictionaries, hash, durations in cycles."""

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.hw.config import CellsSection, ChipError, ClockSection, chip_from_dict, load_chip, preset_names
from mho.hw.config.kinds.tnsa import AdcSection, TnsaChip, TnsaCoreSection
from mho.macro_models.errors import InputError


def test_wrong_values_are_refused_in_python_too():
    with pytest.raises(ChipError, match=r"^adc\.bits must be an integer 1 to 8, not 9$"):
        AdcSection(bits=9)
    with pytest.raises(ChipError, match=r"^cells\.g_min_uS must be below cells\.g_max_uS = 40, not 50$"):
        TnsaChip(cells=CellsSection(g_min_uS=50))


def test_whole_numbers_of_float_keys_become_floats():
    value = CellsSection(g_max_uS=30).g_max_uS
    assert (value, type(value)) == (30.0, float)


def test_chip_is_hashable_and_frozen():
    chip = load_chip("neurram-core")
    assert hash(chip) == hash(load_chip("neurram-core"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        chip.name = "other"


@pytest.mark.parametrize(("name", "changes", "tiled", "contexts"), [
    ("tnsa64-core", {}, False, 0), ("tnsa64-core", {"tile.programs": True}, True, 0), ("tnsa64-tile", {}, True, 0),
    ("tnsa64-2x2", {}, True, 2), ("tnsa64-2x2", {"tile.programs": False}, True, 2),
    ("tnsa64-2x2", {"mesh.columns": 1, "mesh.rows": 1}, True, 0),
])
def test_tiles_are_several_cores_or_one_that_runs_its_program(
    name: str, changes: dict[str, Any], tiled: bool, contexts: int
) -> None:
    chip = load_chip(name, changes)
    assert (chip.tiled, chip.contexts) == (tiled, contexts)


@pytest.mark.parametrize("name", preset_names())
def test_dictionary_round_trip_through_json(name):
    chip = load_chip(name)
    again = chip_from_dict(json.loads(json.dumps(chip.to_dict())))
    assert again == chip
    assert again.sha256 == chip.sha256


def test_dictionary_is_read_as_strictly_as_a_file():
    content = load_chip("neurram-core").to_dict()
    content["adc"]["bitz"] = 3
    with pytest.raises(InputError, match=r"^net\.mho: unknown key adc\.bitz; did you mean bits\?$"):
        chip_from_dict(content, origin="net.mho")
    with pytest.raises(InputError, match=r"^chip description: schema must be 1, not 7$"):
        chip_from_dict({"schema": 7})
    with pytest.raises(InputError, match=r'^chip description: extends must be resolved, not "neurram-core"$'):
        chip_from_dict({"schema": 1, "extends": "neurram-core"})


def test_hash_ignores_comments_order_and_extends(tmp_path):
    original = tmp_path / "one.toml"
    original.write_text('schema = 1\nname = "x"\n[adc]\nbits = 6\n[cells]\ng_max_uS = 30\n')
    reordered = tmp_path / "other.toml"
    reordered.write_text(
        'schema = 1 # c\nextends = "neurram-core"\ndescription = "d"\nname = "x"\n'
        "[cells]\ng_max_uS = 30.0\n[adc]\nbits=6\n"
    )
    assert load_chip(original).sha256 == load_chip(reordered).sha256
    assert load_chip(original).sha256 != load_chip(original, {"adc.bits": 5}).sha256


def test_hash_does_not_depend_on_the_folder(tmp_path):
    text = 'schema = 1\n[macro]\nmodule = "m"\nfiles = ["rtl/m.v"]\n'
    chips = []
    for folder in ("a", "b/c"):
        path = tmp_path / folder / "chip.toml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        chips.append(load_chip(path))
    assert chips[0] == chips[1]
    assert chips[0].sha256 == chips[1].sha256
    assert [chip.folder for chip in chips] == [tmp_path / "a", tmp_path / "b/c"]


@pytest.mark.slow
@given(
    corelet=st.sampled_from([4, 8, 16]),
    bits=st.integers(1, 8),
    g_max=st.floats(2, 49, allow_nan=False),
    v_read=st.floats(0.001, 5, allow_nan=False),
)
def test_any_legal_chip_survives_a_dictionary(corelet, bits, g_max, v_read):
    chip = TnsaChip(
        core=TnsaCoreSection(corelet=corelet), adc=AdcSection(bits=bits), cells=CellsSection(g_max_uS=g_max),
        read=load_chip("neurram-core", {"read.v_read_V": v_read}).read,
    )
    assert chip_from_dict(json.loads(json.dumps(chip.to_dict()))) == chip


@given(cycles=st.integers(1, 65_535), kilohertz=st.integers(1, 5_000_000))
def test_durations_of_whole_cycles_are_not_rounded_up(cycles, kilohertz):
    clock = ClockSection(f_clk_MHz=kilohertz / 1000)
    period_ns = 1e6 / kilohertz
    exact = float(f"{cycles * period_ns:.6f}")
    assert clock.cycles(exact) in (cycles, cycles + 1)
    assert clock.cycles(exact) >= math.floor(exact * kilohertz / 1e6)


@pytest.mark.parametrize(("f_clk", "t_ns", "cycles"), [(12.5, 2240, 28), (100, 20, 2), (100, 20.1, 3), (100, 0, 1)])
def test_durations_in_cycles(f_clk, t_ns, cycles):
    assert ClockSection(f_clk_MHz=f_clk).cycles(t_ns) == cycles


def test_comparisons_take_two_cycles_at_least():
    slow = load_chip("neurram-core", {"clock.f_clk_MHz": 1})
    assert slow.operation_cycles == {"reset": 1, "plane": 1, "sample": 1, "compare": 2, "decrement": 1}

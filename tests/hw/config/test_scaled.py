"""Energies and areas follow what a description changes, by rules, and say that they were extrapolated."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.hw.chip.rating import rate, rating_rows
from mho.hw.config import Chip, chip_from_dict, load_chip

CORELETS = (4, 8, 16)


def numbers(chip: Chip) -> dict[str, float]:
    """All energies and areas by dotted keys."""
    values = {}
    for name, section in (("energy", chip.energy), ("area", chip.area)):
        values |= {f"{name}.{key}": getattr(section, key) for key in section.known}
    return values


def test_a_word_line_takes_what_its_capacitance_does() -> None:
    for corelet in CORELETS:
        energy = load_chip("neurram", {"core.corelet": corelet}).to_dict()["energy"]
        lines_fF = 48.0 + 2.1 * corelet**2
        assert energy["word_line_pJ"] == pytest.approx(lines_fF * 1.8**2 / 1000, rel=1e-3)


def test_areas_are_those_of_their_parts() -> None:
    """12 % of the macro of 256 lines goes with the lines squared, the rest with the lines; registers with bits."""
    for corelet in CORELETS:
        part, area = corelet**2 / 256, load_chip("neurram", {"core.corelet": corelet}).area
        assert area.macro_mm2 == pytest.approx(1.161 * (0.12 * part**2 + 0.88 * part), rel=1e-5)
    four = load_chip("neurram", {"adc.bits": 4}).area
    assert four.macro_mm2 == pytest.approx(1.161 * (1 - 0.39 / 4), rel=1e-5)
    assert four.extrapolated == "adc.bits 8 to 4"
    assert load_chip("hermes", {"adc.bits": 5}).area.macro_mm2 == pytest.approx(0.636 * (1 - 0.2 / 4), rel=1e-5)


# What grows, what it makes grow, and what it leaves alone; each of a chip at the least value, and then larger ones.
DIRECTIONS: tuple[tuple[str, str, tuple[Any, ...], set[str], set[str]], ...] = (
    ("neurram", "core.corelet", CORELETS, {"energy.word_line_pJ", "energy.input_pulse_pJ", "area.macro_mm2"},
     {"energy.reset_pJ", "energy.sample_pJ", "energy.step_pJ"}),
    ("neurram", "adc.bits", (4, 6, 8), {"area.macro_mm2"}, {"energy.word_line_pJ", "energy.step_pJ"}),
    ("neurram-core", "read.v_read_V", (0.2, 0.5, 0.8), {"energy.input_pulse_pJ"},
     {"energy.word_line_pJ", "area.macro_mm2"}),
    ("neurram-core", "cells.g_max_uS", (10.0, 20.0, 40.0), {"energy.input_pulse_pJ"},
     {"energy.word_line_pJ", "area.macro_mm2"}),
    ("neurram-core", "wires.c_cell_fF", (1.0, 2.1, 5.0), {"energy.word_line_pJ", "energy.input_pulse_pJ"},
     {"energy.sample_pJ", "area.macro_mm2"}),
    ("tnsa64-2x2", "process.node_nm", (28, 65, 130), {
        "energy.word_line_pJ", "energy.input_pulse_pJ", "energy.reset_pJ", "energy.sample_pJ", "energy.step_pJ",
        "area.macro_mm2"}, set()),
    ("tnsa16-core", "process.vdd_V", (1.0, 1.8, 3.3), {
        "energy.word_line_pJ", "energy.reset_pJ", "energy.sample_pJ", "energy.step_pJ"},
     {"energy.input_pulse_pJ", "area.macro_mm2"}),
    ("hermes", "core.lines", (16, 64, 256), {"energy.row_pJ", "area.macro_mm2"},
     {"energy.oscillators_pJ", "energy.conversion_pJ"}),
    ("hermes", "core.devices", (1, 2), {"energy.row_pJ", "area.macro_mm2"}, {"energy.oscillators_pJ"}),
    ("hermes", "adc.bits", (4, 6, 8), {"energy.conversion_pJ", "area.macro_mm2"}, {"energy.row_pJ"}),
    ("pwm16-2x2", "read.v_read_V", (0.1, 0.2, 0.3), {"energy.row_pJ"}, {"energy.oscillators_pJ", "area.macro_mm2"}),
    ("hermes-core", "cells.g_max_uS", (5.0, 10.35, 12.0), {"energy.row_pJ"}, {"area.macro_mm2"}),
    ("hermes-core", "process.node_nm", (7, 14, 28), {
        "energy.row_pJ", "energy.oscillators_pJ", "energy.conversion_pJ", "area.macro_mm2"}, set()),
    ("pwm16-core", "adc.f_max_GHz", (1.0, 2.0, 3.3), {"energy.oscillators_pJ"}, {"energy.row_pJ", "area.macro_mm2"}),
)


@pytest.mark.parametrize(
    ("preset", "name", "values", "grows", "stays"), DIRECTIONS, ids=[f"{row[0]}-{row[1]}" for row in DIRECTIONS])
def test_numbers_move_in_the_right_direction(
    preset: str, name: str, values: tuple[Any, ...], grows: set[str], stays: set[str]
) -> None:
    figures = [numbers(load_chip(preset, {name: value})) for value in values]
    for less, more in pairwise(figures):
        assert all(less[key] < more[key] for key in grows), (less, more)
        assert all(less[key] == more[key] for key in stays), (less, more)


@settings(max_examples=30)
@given(
    first=st.sampled_from(CORELETS), last=st.sampled_from(CORELETS), node=st.sampled_from((28.0, 65.0, 130.0)),
    v_read=st.sampled_from((0.3, 0.5)), bits=st.integers(3, 8),
)
def test_a_number_does_not_depend_on_the_way(
    first: int, last: int, node: float, v_read: float, bits: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Changed at once, or by a file between: the rules are ratios of one function of a chip."""
    way = tmp_path_factory.mktemp("way") / "between.toml"
    way.write_text(
        f'schema = 1\nextends = "neurram-core"\nname = "c"\n[core]\ncorelet = {first}\n[process]\nnode_nm = {node}\n')
    rest = {"core.corelet": last, "read.v_read_V": v_read, "adc.bits": bits, "process.node_nm": 2 * node}
    assert numbers(load_chip(way, rest)) == pytest.approx(numbers(load_chip("neurram-core", rest)), rel=2e-5)


def test_a_file_has_the_numbers_that_it_states(tmp_path: Path) -> None:
    description = tmp_path / "own.toml"
    description.write_text(
        'schema = 1\nextends = "neurram-core"\n[core]\ncorelet = 8\n[energy]\nsource = "own"\nstep_pJ = 4.0\n'
        'word_line_pJ = 2.0\n[area]\nmacro_mm2 = 0.3\n')
    chip = load_chip(description)
    assert numbers(chip) == {"energy.step_pJ": 4.0, "energy.word_line_pJ": 2.0, "area.macro_mm2": 0.3}
    assert (chip.energy.source, chip.energy.extrapolated, chip.area.extrapolated) == ("own", "", "")
    assert chip.area.source.endswith("; macro_mm2 as changed since")
    smaller = load_chip(description, {"core.corelet": 4})
    assert smaller.energy.extrapolated == "core.corelet 8 to 4"
    ratio = (48 + 2.1 * 16) / (48 + 2.1 * 64)
    assert numbers(smaller)["energy.word_line_pJ"] == pytest.approx(2.0 * ratio, rel=1e-5)
    stated = load_chip(description, {"core.corelet": 4, "energy.word_line_pJ": 9})
    assert numbers(stated)["energy.word_line_pJ"] == 9
    assert chip_from_dict(smaller.to_dict()) == smaller


def test_what_is_extrapolated_is_said_beside_the_figures() -> None:
    rows = dict(rating_rows(load_chip("neurram", {"core.corelet": 8, "adc.bits": 6})))
    assert rows["energy, extrapolated"] == rows["area, extrapolated"] == "core.corelet 16 to 8, adc.bits 8 to 6"
    assert not [name for name in dict(rating_rows(load_chip("neurram"))) if "extrapolated" in name]


@pytest.mark.parametrize("preset", ["neurram-core", "neurram", "neurram-core-lab", "neurram-lab"])
def test_all_neurrams_have_the_same_macro(preset: str) -> None:
    assert numbers(load_chip(preset)) == numbers(load_chip("neurram-core"))


def test_a_smaller_array_is_less_efficient_and_more_tiles_are_faster() -> None:
    """Converters and word-line drivers do not become smaller with the array."""
    chips = [load_chip("neurram", {"core.corelet": corelet}) for corelet in CORELETS]
    rated = [rate(chip, "", dict(chip.rated_operations())["4-bit inputs, 6-bit outputs"]) for chip in chips]
    for less, more in pairwise(rated):
        assert less.tops_per_W is not None
        assert more.tops_per_W is not None
        assert less.tops_per_W < more.tops_per_W
        assert less.total_pJ < more.total_pJ
    half = load_chip("neurram", {"mesh.columns": 4})
    twice = rate(chips[-1], "", half.rated_operations()[0][1]), rate(half, "", half.rated_operations()[0][1])
    assert twice[0].tops == 2 * twice[1].tops
    assert twice[0].tops_per_mm2 == pytest.approx(twice[1].tops_per_mm2)

"""What mho check and mho preset print."""

from pathlib import Path

import pytest

from mho.hw.config import describe, load_chip, sizes, warnings
from tests.hw.config.chip_page import PAGE_FILE, reference_page


def test_every_key_has_a_row_and_changed_ones_are_marked():
    rows = {row.key: row for row in describe(load_chip("neurram-core", {"adc.bits": 6}))}
    assert rows["adc.bits"].value == "6"
    assert not rows["adc.bits"].default
    assert rows["adc.input_bits"].default
    assert rows["core.corelet"].legal == "4, 8 or 16"
    assert all(row.doc.endswith(".") for row in rows.values())
    assert "macro.module" not in rows


def test_sizes_of_the_chip_and_durations_in_cycles():
    table = dict(sizes(load_chip("neurram-core-lab")))
    assert table["cells"] == "65,536 (65,536 a core)"
    assert table["signed weights, forward"] == "128 x 256 a core"
    assert table["sample"] == "513 cycles = 41040 ns"


def test_presets_warn_of_nothing():
    assert warnings(load_chip("neurram-core")) == []


def test_durations_that_round_up_and_missing_headroom_are_warned_of():
    chip = load_chip("neurram-core", {"clock.f_clk_MHz": 10, "cells.g_full_scale_uS": 41})
    messages = warnings(chip)
    assert messages[0] == (
        "timing.t_plane_ns = 20 takes 100 ns, because an operation lasts whole cycles at clock.f_clk_MHz = 10"
    )
    assert messages[-1] == (
        "cells.g_full_scale_uS = 41 leaves less than 10 % above cells.g_max_uS = 40, so cells that relax upwards are "
        "clipped"
    )


def test_reference_page_is_the_generated_one():
    assert PAGE_FILE.read_text(encoding="utf-8") == reference_page(), "python -m tests.hw.config.chip_page writes it"


def test_every_pin_of_a_macro_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'schema = 1\nextends = "tnsa16-core"\n[macro]\nmodule = "m"\n[macro.pins]\nclk = "CK"\nprecharge = "!PRE"\n'
    )
    rows = {row.key: row.value for row in describe(load_chip(tmp_path / "own.toml"))}
    assert rows["macro.pins.clk"] == '"CK"'
    assert rows["macro.pins.precharge"] == '"!PRE"'
    assert "macro.pins" not in rows


def test_a_mesh_without_tiles_is_warned_of() -> None:
    assert warnings(load_chip("tnsa16-core", {"mesh.columns": 2})) == []
    (message,) = warnings(load_chip("tnsa16-core", {"mesh.columns": 2, "mesh.payload_bits": 128}))
    assert message.startswith("mesh.payload_bits = 128: tiles take 32 or 64")


def test_an_array_whose_lines_do_not_settle_is_warned_of() -> None:
    keys = {"wires.r_row_ohm": 20, "wires.r_column_ohm": 20, "read.r_clamp_ohm": 300, "read.t_sample_ns": 10}
    # A row: 128 cells of 2.1 fF behind 64 segments of 20 ohm; a column: behind 300 ohm more.
    assert load_chip("array-128", keys).settling_ns == pytest.approx(1e-6 * 128 * 2.1 * (2 * 64 * 20 + 300))
    assert warnings(load_chip("array-128", keys)) == []
    (sentence,) = warnings(load_chip("array-128", keys | {"wires.c_cell_fF": 10.0}))
    assert sentence.startswith("read.t_sample_ns = 10 takes 10 ns, 2.7 time constants of a row and a column (3.66 ns")
    (sentence,) = warnings(load_chip("array-128", {"read.t_sample_ns": 1}))
    assert sentence.startswith("read.t_sample_ns = 1 takes 10 ns, because an operation lasts whole cycles")

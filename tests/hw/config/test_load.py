"""Loading: presets, extends, overrides and the sentence for everything that is wrong."""

import re
from dataclasses import replace

import pytest

from mho.hw.config import AreaSection, Chip, ProcessSection, load_chip, parse_override, preset_names, preset_text
from mho.hw.config.chip import sections_of
from mho.hw.config.keys import keys_of
from mho.hw.config.kinds.tnsa import TnsaChip, TnsaEnergySection
from mho.hw.config.load import key_lines
from mho.macro_models.errors import InputError


def refused(call, sentence: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(sentence) + "$"):
        call()


def test_presets_load_under_their_own_names():
    assert {"neurram-core", "neurram-core-lab", "tnsa16-core", "tnsa64-core"} <= set(preset_names())
    for name in preset_names():
        chip = load_chip(name)
        assert chip.name == name
        assert chip.description


@pytest.mark.parametrize(("name", "lines"), [("tnsa16-core", 16), ("tnsa64-core", 64), ("neurram-core", 256)])
def test_lines_follow_from_the_corelet(name, lines):
    assert load_chip(name).lines == lines


def test_neurram_core_documents_every_key_with_its_default():

    chip = load_chip("neurram-core")
    # What it costs is its own: a chip that says nothing costs what is not known.
    costs = {"process": ProcessSection(), "energy": TnsaEnergySection(), "area": AreaSection()}
    assert replace(chip, **costs) == TnsaChip(name=chip.name, description=chip.description)
    documented, sections = set(key_lines(preset_text("neurram-core"))), sections_of(TnsaChip).items()
    expected = {f"{section}.{key}" for section, cls in sections if section != "macro" for key in keys_of(cls)}
    assert (expected | set(keys_of(Chip))) - documented == set()


def test_macro_example_of_the_preset_loads(chip_file):
    lines = preset_text("neurram-core").splitlines()
    start = lines.index("# [macro]")
    example = "\n".join(line.removeprefix("# ") for line in lines[start:])
    chip = load_chip(chip_file("schema = 1\n" + example))
    assert chip.macro is not None
    assert chip.macro.module == "my_tnsa"


def test_neurram_core_takes_2120_ns_for_4_bit_inputs_and_6_bit_outputs():
    t = load_chip("neurram-core").timing
    planes, decrements = 3, 31
    worst = (
        t.t_reset_ns + planes * t.t_plane_ns + (2**planes - 1) * t.t_sample_ns + t.t_compare_ns
        + decrements * (t.t_decrement_ns + t.t_compare_ns)
    )
    assert worst == 2120


def test_lab_timing_is_whole_cycles_of_the_bench():
    chip = load_chip("neurram-core-lab")
    t = chip.timing
    durations = (t.t_reset_ns, t.t_sample_ns, t.t_compare_ns, t.t_decrement_ns)
    assert [chip.clock.cycles(t_ns) for t_ns in durations] == [28, 513, 30, 23]


def test_file_takes_its_stem_as_name_and_defaults_for_the_rest(chip_file):
    chip = load_chip(chip_file("schema = 1\n[adc]\nbits = 6\n", "my-chip.toml"))
    assert (chip.name, chip.adc.bits, chip.lines) == ("my-chip", 6, 256)


def test_extends_a_preset_and_a_file_beside_it(chip_file):
    chip_file('schema = 1\nextends = "tnsa16-core"\nname = "base"\n[cells]\ng_max_uS = 30\n', "parts/base.toml")
    chip = load_chip(chip_file('schema = 1\nextends = "parts/base.toml"\n[adc]\nbits = 5\n'))
    assert (chip.name, chip.description) == ("chip", "")
    assert (chip.lines, chip.cells.g_max_uS, chip.adc.bits) == (16, 30.0, 5)


def test_extends_path_is_relative_to_the_file_that_says_so(chip_file):
    chip_file("schema = 1\n[adc]\nbits = 3\n", "a/base.toml")
    chip_file('schema = 1\nextends = "../a/base.toml"\n', "b/mid.toml")
    assert load_chip(chip_file('schema = 1\nextends = "b/mid.toml"\n')).adc.bits == 3


def test_extends_cycle_is_refused(chip_file):
    chip_file('schema = 1\nextends = "./a.toml"\n', "b.toml")
    path = chip_file('schema = 1\nextends = "./b.toml"\n', "a.toml")
    refused(lambda: load_chip(path), "a.toml: extends must not come back to itself, not a.toml -> b.toml -> a.toml")


def test_byte_order_mark_and_windows_line_ends_are_accepted(chip_file, tmp_path):
    (tmp_path / "chip.toml").write_bytes(b"\xef\xbb\xbfschema = 1\r\n[adc]\r\nbits = 4\r\n")
    assert load_chip("chip.toml").adc.bits == 4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "chip.toml: schema = 1 must be the first key, the file is empty"),
        ('name = "a"\nschema = 1\n', "chip.toml: schema = 1 must be the first key, not name"),
        ("[adc]\nbits = 6\n", "chip.toml: schema = 1 must be the first key, not adc"),
        ("schema = 2\n", "chip.toml:1: schema must be 1, not 2"),
        ("schema = true\n", "chip.toml:1: schema must be 1, not true"),
        ("schema = 1\nadc = \n", "chip.toml:2: not TOML: invalid value"),
        ("schema = 1\n[cells]\ng_max_us = 40\n", "chip.toml:3: unknown key cells.g_max_us; did you mean g_max_uS?"),
        ("schema = 1\n[timing]\nt_reset = 9\n", "chip.toml:3: unknown key timing.t_reset; did you mean t_reset_ns?"),
        ("schema = 1\nv_read_V = 0.4\n", "chip.toml:2: unknown key v_read_V; did you mean read.v_read_V?"),
        ("schema = 1\n\n[cell]\n", "chip.toml:3: unknown key cell; did you mean cells?"),
        ("schema = 1\n[read]\nwobble = 1\n", "chip.toml:3: unknown key read.wobble; [read] has mode, v_read_V"),
        ("schema = 1\nadc.bits = 9\n", "chip.toml:2: adc.bits must be an integer 1 to 8, not 9"),
        ("schema = 1\n[adc]\nbits = 8.0\n", "chip.toml:3: adc.bits must be an integer 1 to 8, not 8.0"),
        ("schema = 1\n[adc]\nbits = true\n", "chip.toml:3: adc.bits must be an integer 1 to 8, not true"),
        ("schema = 1\n[adc]\n# a\n\nbits = 'x'\n", 'chip.toml:5: adc.bits must be an integer 1 to 8, not "x"'),
        ("schema = 1\n[core]\ncorelet = 5\n", "chip.toml:3: core.corelet must be 4, 8 or 16, not 5"),
        ("schema = 1\n[core]\nkind = 'crossbar'\n",
         'chip.toml:3: core.kind must be "array", "pwm", "sram" or "tnsa", not "crossbar"'),
        ("schema = 1\n[adc]\nearly_stop = 1\n", "chip.toml:3: adc.early_stop must be true or false, not 1"),
        ("schema = 1\n[cells]\ng_max_uS = nan\n", "chip.toml:3: cells.g_max_uS must be 0.001 to 10000, not nan"),
        ("schema = 1\n[cells]\ng_max_uS = inf\n", "chip.toml:3: cells.g_max_uS must be 0.001 to 10000, not inf"),
        ("schema = 1\n[cells]\ng_min_uS = 40\n",
         "chip.toml:3: cells.g_min_uS must be below cells.g_max_uS = 40, not 40"),
        ("schema = 1\n[cells]\ng_max_uS = 60\n",
         "chip.toml:3: cells.g_max_uS must be at most cells.g_full_scale_uS = 50, not 60"),
        ("schema = 1\n[timing]\nt_plane_ns = 1e6\n",
         "chip.toml:3: timing.t_plane_ns must be at most 65,535 cycles at clock.f_clk_MHz = 100, not 1e+06 ns"),
        ("schema = 1\nadc = 3\n", "chip.toml:2: adc must be a table, not 3"),
        ("schema = 1\nname = '3 a'\n",
         'chip.toml:2: name must be a letter followed by letters, digits, - or _, not "3 a"'),
        ("schema = 1\nextends = 3\n", "chip.toml:2: extends must be the name of a preset or a path, not 3"),
        ("schema = 1\nextends = 'neuram-core'\n",
         'chip.toml:2: extends: chip "neuram-core" is neither a preset nor a .toml file; did you mean neurram-core?'),
        ("schema = 1\nextends = 'no.toml'\n",
         "no.toml: cannot be read as a chip description (No such file or directory)"),
    ],
)
def test_bad_file_is_refused_in_one_sentence(chip_file, text, sentence):
    path = chip_file(text)
    refused(lambda: load_chip(path), sentence)


def test_error_in_an_extended_file_names_that_file(chip_file):
    chip_file("schema = 1\n[cells]\ng_min_uS = 50\n", "base.toml")
    path = chip_file('schema = 1\nextends = "base.toml"\n[adc]\nbits = 5\n')
    refused(lambda: load_chip(path), "base.toml:3: cells.g_min_uS must be below cells.g_max_uS = 40, not 50")


def test_a_contradiction_names_the_line_that_was_changed(chip_file):
    chip_file("schema = 1\n[cells]\ng_min_uS = 20\n", "base.toml")
    path = chip_file('schema = 1\nextends = "base.toml"\n[cells]\ng_max_uS = 10\n')
    sentence = "cells.g_min_uS must be below cells.g_max_uS = 10, not 20"
    refused(lambda: load_chip(path), f"chip.toml:4: {sentence}")
    refused(lambda: load_chip("base.toml", ["cells.g_max_uS=10"]), f"overrides cells.g_max_uS=10: {sentence}")
    path = chip_file('schema = 1\nextends = "array-128"\n[core]\nrows = 8\ncolumns = 72\n')
    sentence = "adc.columns must be a divisor of the 36 columns of weights that core.columns = 72 has, not 8"
    refused(lambda: load_chip(path), f"chip.toml:5: {sentence}")


def test_unreadable_chips_are_refused(chip_file, tmp_path):
    sentence = "gone.toml: cannot be read as a chip description (No such file or directory)"
    refused(lambda: load_chip("gone.toml"), sentence)
    (tmp_path / "folder.toml").mkdir()
    refused(lambda: load_chip("folder.toml"), "folder.toml: cannot be read as a chip description (Is a directory)")
    (tmp_path / "bytes.toml").write_bytes(b"schema = 1\n\xff\xfe")
    sentence = "bytes.toml, line 2: a chip description must be UTF-8 text, not bytes such as 0xff"
    refused(lambda: load_chip("bytes.toml"), sentence)
    sentence = 'chip "zzz" is neither a preset nor a .toml file; presets are ' + ", ".join(preset_names())
    refused(lambda: load_chip("zzz"), sentence)


def test_overrides_as_mapping_and_as_assignments():
    by_mapping = load_chip("tnsa16-core", {"adc.bits": 6, "adc.converter": "binary", "cells.g_max_uS": 30})
    by_text = load_chip("tnsa16-core", ["adc.bits=6", "adc.converter = binary", "cells.g_max_uS=30"])
    assert by_mapping == by_text
    assert (by_text.adc.bits, by_text.adc.converter, by_text.cells.g_max_uS) == (6, "binary", 30.0)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("adc.bits=6", ("adc.bits", 6)),
        (" read.v_read_V = 0.25 ", ("read.v_read_V", 0.25)),
        ("adc.early_stop=false", ("adc.early_stop", False)),
        ("device=pcm-generic", ("device", "pcm-generic")),
        ('device="pcm-generic"', ("device", "pcm-generic")),
        ("device=a=b", ("device", "a=b")),
        ("device=1\nschema = 2", ("device", "1\nschema = 2")),
    ],
)
def test_override_values_are_toml_or_bare_strings(text, pair):
    assert parse_override(text) == pair


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("adc.bits", 'overrides must be KEY=VALUE such as adc.bits=6, not "adc.bits"'),
        ("=6", 'overrides must be KEY=VALUE such as adc.bits=6, not "=6"'),
        ("adc.bitz=6", "overrides adc.bitz=6: unknown key adc.bitz; did you mean bits?"),
        ("adc.bits=six", 'overrides adc.bits=six: adc.bits must be an integer 1 to 8, not "six"'),
        ("adc.bits.x=6", "overrides adc.bits.x=6: adc.bits must be an integer 1 to 8, not a table"),
        ("neuron.amplifier_gain=0.5",
         "overrides neuron.amplifier_gain=0.5: neuron.amplifier_gain must be above 1, or 0 for infinite, not 0.5"),
        ("cells.g_min_uS=45", "overrides cells.g_min_uS=45: cells.g_min_uS must be below cells.g_max_uS = 40, not 45"),
        ("extends=x", "overrides extends: extends must be written in the file"),
        ("adc={bits=3}", "overrides adc: takes a single value, not a table"),
    ],
)
def test_bad_override_is_refused_in_one_sentence(text, sentence):
    refused(lambda: load_chip("neurram-core", [text]), sentence)


def test_binary_search_needs_an_ideal_neuron():
    refused(
        lambda: load_chip("tnsa16-core", ["neuron.amplifier_gain=1000", "adc.converter=binary"]),
        'overrides adc.converter=binary: adc.converter must be "count" where [neuron] is not ideal, not "binary"',
    )
    assert load_chip("tnsa16-core", {"neuron.c_parasitic_fF": 9, "adc.converter": "binary"}).neuron.ideal


@pytest.mark.parametrize("name", ["tnsa16-2x2", "tnsa64-2x2"])
def test_a_mesh_has_the_core_of_its_preset(name: str) -> None:
    mesh, core = load_chip(name), load_chip(name.replace("2x2", "core"))
    assert (mesh.cores, mesh.mesh.columns, mesh.mesh.rows) == (4, 2, 2)
    assert mesh.macro_config() == core.macro_config()

"""What the macro models take from a chip, and the check of a chip against a device."""

import re
from pathlib import Path

import pytest

from mho.hw.config import check_device, default_device, load_chip, preset_names
from mho.macro_models import devices, load_device
from mho.macro_models.errors import InputError


@pytest.mark.parametrize("name", preset_names())
def test_default_device_of_every_preset_has_the_range_of_the_chip(name):
    chip = load_chip(name)
    device = default_device(chip)
    assert device.name == chip.device
    check_device(chip, device)


def test_device_file_lies_beside_the_file_of_the_chip(tmp_path, monkeypatch):
    shipped = Path(devices.__file__).with_name("rram-neurram.toml")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/my.toml").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "chip.toml").write_text('schema = 1\ndevice = "parts/my.toml"\n')
    monkeypatch.chdir("/")
    chip = load_chip(tmp_path / "chip.toml")
    assert default_device(chip).g_max_uS == 40


def test_device_without_a_range_fits_every_chip():
    check_device(load_chip("neurram-core", {"cells.g_max_uS": 33}), load_device("ideal"))


def test_other_range_is_refused_with_both_ranges():
    chip = load_chip("neurram-core", {"cells.g_max_uS": 30})
    sentence = (
        "chip neurram-core: cells.g_min_uS to cells.g_max_uS must be 1 to 40 uS as in device rram-neurram, "
        "not 1 to 30 uS"
    )
    with pytest.raises(InputError, match="^" + re.escape(sentence) + "$"):
        check_device(chip, load_device("rram-neurram"))


def test_macro_model_takes_its_numbers_from_the_chip():
    chip = load_chip("tnsa16-core", {"core.g_bits": 10, "read.v_read_V": 0.25, "adc.sigma_gain": 0.02})
    config = chip.macro_config()
    assert (config.lines, config.g_bits, config.v_read_V, config.sigma_gain) == (16, 10, 0.25, 0.02)
    assert (config.g_min_uS, config.g_max_uS, config.g_full_scale_uS) == (1.0, 40.0, 50.0)
    assert config.sigma_offset_mV == chip.adc.sigma_offset_mV


def test_rows_are_bit_lines():
    wires = load_chip("tnsa16-core", {"wires.r_row_ohm": 1, "wires.r_column_ohm": 2}).macro_config().wires
    assert (wires.r_row_ohm, wires.r_col_ohm, wires.r_driver_ohm, wires.r_sense_ohm) == (1.0, 2.0, 0.0, 0.0)


@pytest.mark.parametrize("name", preset_names())
def test_presets_have_perfect_wires(name):
    assert load_chip(name).slow_warnings() == []


def test_wires_that_cost_more_than_a_step_are_warned_of_with_the_number():
    wires = {"wires.r_row_ohm": 3, "wires.r_column_ohm": 3}
    (sentence,) = load_chip("tnsa64-core", wires).slow_warnings()
    match = re.fullmatch(
        r"wires change the outputs of a core by ([\d.]+) % of their rms, ([\d.]+) steps of a converter of "
        r"adc\.bits = 8 with a range of 4 times the rms \(random cells of 1 to 40 uS\)", sentence,
    )
    assert match is not None
    # Three times the 1.9 % of one ohm a segment, a bit less because it saturates.
    assert 4.5 < float(match[1]) < 5.7
    assert float(match[2]) == pytest.approx(float(match[1]) / 100 / 4 * 127, rel=0.05)
    assert load_chip("tnsa64-core", wires | {"adc.bits": 4}).slow_warnings() == []
    assert load_chip("tnsa16-core", wires).slow_warnings() == []


def test_neuron_of_the_model_is_that_of_the_chip():
    keys = {"neuron.amplifier_gain": 1000, "neuron.c_parasitic_fF": 10, "neuron.sampling_noise": True}
    neuron = load_chip("tnsa16-core", keys).macro_config().neuron
    assert (neuron.amplifier_gain, neuron.c_sample_fF, neuron.c_parasitic_fF) == (1000.0, 17.0, 10.0)
    assert neuron.sampling_noise
    assert load_chip("tnsa16-core").macro_config().neuron.ideal


def test_an_unknown_device_names_the_chip() -> None:
    with pytest.raises(InputError, match=r'^chip tnsa16-core: device must be one of .*, not "frob"$'):
        default_device(load_chip("tnsa16-core", {"device": "frob"}))

"""What the macro models take from a chip, and the check of a chip against a device."""

import re
from pathlib import Path

import pytest

import macro_models
from hw.config import check_device, default_device, load_chip, preset_names, tnsa_config
from macro_models import load_device
from macro_models.errors import InputError


@pytest.mark.parametrize("name", preset_names())
def test_default_device_of_every_preset_has_the_range_of_the_chip(name):
    chip = load_chip(name)
    device = default_device(chip)
    assert device.name == chip.device
    check_device(chip, device)


def test_device_file_lies_beside_the_file_of_the_chip(tmp_path, monkeypatch):
    shipped = Path(macro_models.__file__).parent / "devices" / "rram-neurram.toml"
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
    config = tnsa_config(chip)
    assert (config.lines, config.g_bits, config.v_read_V, config.sigma_gain) == (16, 10, 0.25, 0.02)
    assert (config.g_min_uS, config.g_max_uS, config.g_full_scale_uS) == (1.0, 40.0, 50.0)
    assert config.sigma_offset_mV == chip.adc.sigma_offset_mV

"""``[programming]``: what is refused and in which words, and what hardware and cells take from it."""

from dataclasses import replace
from typing import Any

import pytest

from mho.hw.config import ChipError, ProgrammingSection, PulseChip, load_chip, preset_names
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.macro_models.errors import InputError


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"guard_uS": 1.5}, "programming.guard_uS must be at most accept_uS = 1, not 1.5"),
        ({"set_start_V": 3.5}, "programming.set_start_V must be at most set_ceiling_V = 3.3, not 3.5"),
        ({"v_step_mV": 10.0},
         "programming.set_ceiling_V must be 0 to 2.55 V, which the pulse converter reaches (v_base_V, v_step_mV), "
         "not 3.3"),
        ({"passes": 0}, "programming.passes must be an integer 1 to 15, not 0"),
    ],
)
def test_wrong_section(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ChipError) as caught:
        ProgrammingSection(**values)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"programming.verify_bits": 8, "cells.g_full_scale_uS": 100},
         "programming.verify_bits must give steps of at most 0.25 uS over cells.g_full_scale_uS = 100, not 0.392 uS "
         "with 8 bits"),
        ({"programming.t_verify_ns": 1e6},
         "programming.t_verify_ns must be below 65,536 cycles at clock.f_clk_MHz = 100, not 1e+06 ns"),
        ({"programming.t_wait_s": 60},
         "programming.t_wait_s must be below 4,294,967,296 cycles at clock.f_clk_MHz = 100, not 60 s"),
    ],
)
def test_what_the_hardware_cannot_do(overrides: dict[str, Any], sentence: str) -> None:
    chip = load_chip("tnsa16-core", overrides)
    config_class = WriteVerifyParameters if "programming.t_wait_s" in overrides else WriteVerifyConfig
    with pytest.raises(InputError) as caught:
        config_class.from_chip(chip)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("name", [n for n in preset_names() if isinstance(load_chip(n), PulseChip)])
def test_presets_can_be_programmed(name: str) -> None:
    chip = load_chip(name)
    cfg, p, scales = WriteVerifyConfig.from_chip(chip), WriteVerifyParameters.from_chip(chip), chip.pulse_config()
    assert (cfg.lines, cfg.verify_bits) == (chip.lines, chip.programming.verify_bits)
    assert (cfg.lines, cfg.verify_bits) == (scales.lines, scales.verify_bits)
    assert scales.v_base_V + p.reset_start * scales.v_step_V == pytest.approx(chip.programming.reset_start_V)
    assert p.set_cycles * scales.cycle_s == pytest.approx(1e-6, rel=0.1)
    assert p.wait_cycles * scales.cycle_s == pytest.approx(scales.wait_s)
    assert (p.tolerance + 0.5) * scales.verify_step_uS < chip.programming.accept_uS


def test_defaults_of_hardware_and_description_are_the_same() -> None:
    chip = load_chip("neurram-core")
    assert WriteVerifyParameters.from_chip(chip) == WriteVerifyParameters()
    assert WriteVerifyConfig.from_chip(chip) == WriteVerifyConfig(trim=True)
    assert WriteVerifyParameters.from_chip(chip, form=True) == replace(WriteVerifyParameters(), form=True, passes=1)


def test_values_reach_the_registers() -> None:
    chip = load_chip("tnsa16-core", {
        "programming.v_base_V": 0.5, "programming.v_step_mV": 25, "programming.form_ceiling_V": 4.25,
        "programming.set_step_V": 0.2, "programming.t_wait_s": 0, "clock.f_clk_MHz": 12.5, "programming.accept_uS": 0.5,
    })
    p = WriteVerifyParameters.from_chip(chip)
    assert (p.set_start, p.set_step, p.form_ceiling, p.wait_cycles) == (28, 8, 150, 0)
    assert (p.set_cycles, p.form_cycles, p.tolerance) == (13, 12_500, 8)

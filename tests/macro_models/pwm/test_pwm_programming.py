"""Row-parallel write-verify: devices end near their targets, in integers that hardware has too."""

from dataclasses import replace

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.macro_models.devices import device_from_dict, load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pwm.programming import DeviceResponse, WriteParameters, write_rows
from mho.macro_models.pwm.config import PwmConfig
from mho.macro_models.pwm.model import PwmModel
from mho.macro_models.pwm.programming import ProgrammedRows, target_counts

P = WriteParameters()
DEVICE = load_device("pcm-hermes-1dev")


@pytest.fixture(scope="module")
def core() -> tuple[PwmConfig, np.ndarray, PwmModel]:
    cfg = PwmChip.of(load_chip("pwm16-core")).macro_config()
    cell_map, target = cfg.cell_map, np.zeros(cfg.cell_map.shape)
    weights = np.clip(np.random.default_rng(5).normal(0.0, 7.0, (16, 16)), -20.7, 20.7)
    cell_map.put(target, np.arange(16), np.arange(16), cell_map.split(weights, cfg.g_min_uS, cfg.g_max_uS))
    return cfg, target, PwmModel(cfg, np.zeros(cell_map.shape), device=DEVICE, seed=1, core=0)


def test_devices_converge(core: tuple[PwmConfig, np.ndarray, PwmModel]) -> None:
    cfg, target, model = core
    macro, targets = ProgrammedRows(model, P), target_counts(cfg, target, P)
    result = write_rows(macro, targets, P)
    assert result.done.mean() >= 0.99
    assert result.pulses.max() <= P.iterations == 30
    assert np.abs(result.counts - targets)[result.done].max() <= P.margin
    middle = result.done & (targets > 0)
    error = (macro.cells * cfg.lsb_uS - target)[middle]
    # Uniform in the margin, with what converters leave of their spread.
    assert abs(error.mean()) < 0.05 * cfg.g_max_uS
    assert error.std() < 0.08 * cfg.g_max_uS
    again = write_rows(ProgrammedRows(model, P), targets, P)
    assert np.array_equal(again.pulses, result.pulses)


def test_devices_that_are_left_out_stay(core: tuple[PwmConfig, np.ndarray, PwmModel]) -> None:
    cfg, target, model = core
    skip = np.random.default_rng(0).random(target.shape) < 0.5
    macro = ProgrammedRows(model, P)
    before = macro.cells.copy()
    result = write_rows(macro, target_counts(cfg, target, P), P, skip)
    assert np.array_equal(macro.cells[skip], before[skip])
    assert not result.pulses[skip].any()
    assert not result.done[skip].any()


def test_a_pulse_leaves_what_its_amplitude_says() -> None:
    shape = (1, 256)
    ones = np.ones(shape, dtype=np.int64)
    devices = DeviceResponse(low=10 * ones, high=2000 * ones, threshold=25600 * ones, slope=256 * 20 * ones, sigma=0)
    after = devices.after(0, np.arange(256), np.zeros(256, dtype=np.int64))
    assert after[:101].tolist() == [2000] * 101
    assert after[101:104].tolist() == [1980, 1960, 1940]
    assert after[-1] == 10
    noisy = replace(devices, sigma=1 << 10).after(0, np.full(256, 150), np.arange(256) * 32)
    assert (np.diff(noisy) <= 0).all()
    assert noisy[0] == 1000


def test_what_is_not_known_is_refused(core: tuple[PwmConfig, np.ndarray, PwmModel]) -> None:
    cfg, target, _ = core
    with pytest.raises(InputError, match=r"^iterations must be between 1 and 255, not 300$"):
        WriteParameters(iterations=300)
    tree = DEVICE.to_dict()
    tree["drift"] |= {"set_uS": 0.0}
    model = PwmModel(cfg, target, device=device_from_dict(tree), seed=0, core=0)
    with pytest.raises(InputError, match=r"^pcm-hermes-1dev: drift.set_uS, melt_from and melt_to must say"):
        ProgrammedRows(model, P)

"""Drift compensation: what the commands find, against least squares, and what it is good for."""

from dataclasses import replace

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.macro_models import Masks
from mho.macro_models.devices import load_device
from mho.macro_models.integer.pwm.calibration import PRODUCT_READS, Calibration, compensate, range_code, stored_vectors
from mho.macro_models.integer.pwm.operation import PwmOperation
from mho.macro_models.kinds import family
from mho.macro_models.pwm.model import PwmModel

YEAR = 31_557_600.0
COLUMNS = 16


def linear(gain: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences of counters as they were, and as a linear change of them made them."""
    stored = np.random.default_rng(0).normal(0.0, 300.0, (64, COLUMNS)).round().astype(np.int64)
    return stored, np.rint((stored - offset) / gain).astype(np.int64)


def test_registers_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(1)
    gain, offset = rng.uniform(0.9, 1.2, COLUMNS), rng.uniform(-80.0, 80.0, COLUMNS)
    stored, new = linear(gain, offset)
    reset = Calibration.reset(COLUMNS, 160)
    ratio = np.abs(new).sum() / np.abs(stored).sum()
    registers = compensate("global", stored, reset.digital, lambda _: new, reset)
    assert registers.range_code == range_code(stored, new, 1 << 15)
    assert registers.range_code / 2**15 == pytest.approx(ratio, abs=2.0**-16)
    assert registers.digital is reset.digital
    column = compensate("column", stored, reset.digital, lambda _: new, reset).digital
    assert column.gain / 160 == pytest.approx((stored * new).sum(axis=0) / (new * new).sum(axis=0), abs=0.5 / 160)
    assert not column.offset.any()
    affine = compensate("affine", stored, reset.digital, lambda _: new, reset).digital
    assert affine.gain / 160 == pytest.approx(gain, abs=0.6 / 160)
    assert affine.offset == pytest.approx(offset / PRODUCT_READS * 160 / 256, abs=1.0)
    assert compensate("none", stored, reset.digital, lambda _: new, reset) is reset


def test_a_column_that_carries_nothing_keeps_its_registers() -> None:
    stored, new = linear(np.ones(COLUMNS), np.zeros(COLUMNS))
    stored[:, 3] = new[:, 3] = 0
    reset = Calibration.reset(COLUMNS, 192)
    registers = compensate("affine", stored, reset.digital, lambda _: new, reset)
    assert (registers.digital.gain == 192).all()
    assert not registers.digital.offset.any()


def test_stored_vectors_are_even() -> None:
    vectors = stored_vectors(256)
    assert (vectors.min(), vectors.max()) == (-127, 127)
    assert abs(vectors.mean()) < 5 * 73.3 / np.sqrt(vectors.size)


def test_products_come_back_after_a_year() -> None:
    chip = PwmChip.of(load_chip("hermes-core", {"core.lines": 64}))
    cfg, device, rng = chip.macro_config(), load_device("pcm-hermes-1dev"), np.random.default_rng(5)
    cell_map, target = cfg.cell_map, np.zeros(cfg.cell_map.shape)
    weights = np.clip(rng.normal(0.0, 7.0, (64, 64)), -20.7, 20.7)
    cell_map.put(target, np.arange(64), np.arange(64), cell_map.split(weights, cfg.g_min_uS, cfg.g_max_uS))
    fresh = PwmModel(cfg, target, device=device, seed=2, core=0)
    old = PwmModel(cfg, target, device=device, seed=2, core=0, time_s=YEAR)
    exact = PwmModel(cfg, target, device=load_device("ideal"), seed=2, core=0)
    (driven, converted), x = cell_map.shape, rng.integers(-127, 128, (400, 64))
    masks = Masks(np.ones(driven, bool), np.ones(converted, bool), np.zeros(driven, bool), np.zeros(converted, bool))
    op = PwmOperation(in_bits=8)
    op = replace(op, step_code=round(1.2 * fresh.full_scale(op, masks, x)))
    expected = 2.0 * (x @ weights) / cfg.lsb_uS / cfg.step(op.step_code)
    errors = {}
    for how in family("pwm").compensations:
        old.compensate(fresh, exact, how, np.ones(64, bool))
        codes = old.mvm(op, masks, x, np.arange(400)).codes
        errors[how] = float(np.sqrt(((codes - expected) ** 2).mean()) / 255)
    print(errors)
    assert errors["none"] > 1.4 * errors["global"]
    assert errors["column"] < 1.02 * errors["global"]
    assert errors["affine"] < errors["column"]

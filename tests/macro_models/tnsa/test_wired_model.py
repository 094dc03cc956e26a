"""A core with resistive wires: effective conductances of each key, in everything that is computed from them."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.macro_models import CAUSES, Masks, load_device
from mho.macro_models.array import Wires, effective_codes, effective_matrix
from mho.macro_models.devices import Device
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel
from mho.macro_models.tnsa.sensing import INPUT_TOP, SINGLE_EXACT

IDEAL = load_device("ideal")
WIRES = Wires(r_row_ohm=20.0, r_col_ohm=5.0, r_driver_ohm=300.0, r_sense_ohm=100.0)
SEEDS = st.integers(0, 2**32 - 1)


def cells(lines: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 40, (lines, lines))


def wired(lines: int = 16, wires: Wires = WIRES, **options: Any) -> TnsaModel:
    config = TnsaConfig(lines=lines, wires=wires)
    return TnsaModel(config, cells(lines), **{"device": IDEAL, "seed": 1, "core": 0} | options)


@pytest.mark.parametrize("backward", [False, True])
def test_lines_settle_where_the_network_of_resistors_says(backward: bool) -> None:
    model = wired(64)
    wl = np.random.default_rng(1).random(64) < 0.8
    x = np.random.default_rng(2).integers(-7, 8, (20, 64))
    key = model.key(backward, wl)
    e = effective_matrix(model.cells * model.config.lsb_uS * 1e-6, WIRES, mode="voltage", wl=wl, backward=backward)
    volts = (model.charge(key, x, 0) - 1) / 2 * key.inverse
    # What is left is the rounding of conductances to codes, half a code for each input.
    live = key.sum_g > 0
    limit = 0.5 * np.abs(x).sum(axis=1, keepdims=True) / key.sum_g[live]
    assert (np.abs(volts - x @ e)[:, live] <= limit).all()
    assert np.abs(volts - x @ e).max() > 0.0
    ideal = wired(64, Wires())
    assert np.abs((ideal.charge(ideal.key(backward, wl), x, 0) - 1) / 2 * key.inverse - x @ e).max() > 10 * limit.max()


@pytest.mark.parametrize("backward", [False, True])
def test_rows_are_bit_lines(backward: bool) -> None:
    # A bit line of high resistance leaves to far source lines only what others lend them; source lines are perfect.
    model = wired(16, Wires(r_row_ohm=1e5))
    wl = np.ones(16, dtype=bool)
    k = model.key(backward, wl).k
    expected = effective_codes(
        model.cells, model.config.lsb_uS * 1e-6, Wires(r_row_ohm=1e5), mode="voltage", wl=wl, backward=backward
    )
    assert np.array_equal(k, expected)
    if backward:  # bit lines are read at source line 0, open: no current, and a mean that favours near cells
        assert k[:4].sum() > 1.5 * k[-4:].sum()
    else:
        assert np.allclose(k.sum(axis=0), model.key(backward, wl).sum_g, rtol=0.01)


def test_the_cause_switches_them_off() -> None:
    wl = np.ones(16, dtype=bool)
    off = wired(causes=frozenset(CAUSES) - {"wire"}).key(False, wl).k
    assert np.array_equal(off, wired(wires=Wires()).key(False, wl).k)
    assert not np.array_equal(wired(causes=frozenset({"wire"})).key(False, wl).k, off)


def test_steps_and_offsets_are_those_of_the_cells(noisy_device: Device) -> None:
    wl = np.arange(16) != 3
    with_wires, without = (wired(device=noisy_device, wires=w) for w in (WIRES, Wires()))
    wired_key, ideal_key = with_wires.key(False, wl), without.key(False, wl)
    assert not np.array_equal(wired_key.k, ideal_key.k)
    assert np.array_equal(wired_key.sum_g, ideal_key.sum_g)
    assert np.array_equal(wired_key.offset, ideal_key.offset)
    assert np.array_equal(with_wires.steps(wired_key, 300).pos, without.steps(ideal_key, 300).pos)


def test_each_mask_has_its_own_matrix() -> None:
    model = wired()
    full, half = np.ones(16, dtype=bool), np.arange(16) < 8
    assert not np.array_equal(model.key(False, full).k[:8], model.key(False, half).k[:8])
    assert (model.key(False, half).k[8:] == 0).all()
    assert (model.key(True, half).k[:, 8:] == 0).all()


def test_state_keeps_the_wires() -> None:
    model = wired(64)
    state = model.state()
    array = state.pop("cells")
    again = TnsaModel.from_state({**json.loads(json.dumps(state)), "cells": array.copy()})
    assert again.config == model.config
    x = np.random.default_rng(0).integers(-7, 8, (5, 32))
    op, masks = TnsaOperation(), Masks.reset(64)
    assert np.array_equal(again.mvm(op, masks, x, 0).codes, model.mvm(op, masks, x, 0).codes)


@settings(max_examples=60)
@given(seed=SEEDS)
def test_charges_are_exact_sums(random_case: Callable[..., Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(rng, noisy=False, batch=4)
    scale = 10.0 ** rng.uniform(-1, 5)
    config = replace(case.model.config, wires=Wires(r_row_ohm=scale, r_col_ohm=scale, r_driver_ohm=10 * scale))
    model = TnsaModel(config, cells(16, seed), device=IDEAL, seed=0, core=0)
    backward = case.op.direction is Direction.BACKWARD
    key = model.key(backward, case.masks.word_lines(case.op))
    x = rng.integers(-INPUT_TOP, INPUT_TOP + 1, (4, 16))
    assert np.array_equal(model.charge(key, x, 0), 2 * (x @ key.k.astype(np.int64)) + 1)
    for product in (key.lines, key.pairs):
        if product is not None and product.matrix.dtype == np.float32:
            assert np.abs(product.matrix.astype(np.float64)).sum(axis=0).max() * INPUT_TOP < SINGLE_EXACT


def test_bounds_hold_where_rounding_counts_most(noisy_device: Device) -> None:
    # Few cells of few codes: the codes of a line add up to more than those of its cells.
    config = TnsaConfig(lines=16, g_bits=4, wires=Wires(r_row_ohm=1e5, r_driver_ohm=1e5))
    target = np.where(np.random.default_rng(3).random((16, 16)) < 0.3, 6.6, 0.0)
    model = TnsaModel.from_measured(config, target, device=noisy_device, seed=0, core=0)
    key = model.key(False, np.ones(16, dtype=bool))
    assert key.reach > 1.0
    x = np.random.default_rng(0).choice([-INPUT_TOP, INPUT_TOP], (2000, 16))
    assert np.abs(model.charge(key, x, np.arange(2000))).max() <= key.bound(key.lines, INPUT_TOP)

"""The macro model against integers written out, whatever the batch."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mho.macro_models import CAUSES, Masks, load_device
from mho.macro_models.array import Wires
from mho.macro_models.devices import Device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.converter import combine_segments, convert
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel

SEEDS = st.integers(0, 2**32 - 1)
IDEAL = load_device("ideal")


def physical(op: TnsaOperation, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Inputs on the driven lines: forward the pair (code, negative)."""
    return x if op.direction is Direction.BACKWARD else np.stack([x, -x], axis=-1).reshape(len(x), -1)


def segments(op: TnsaOperation, x: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    if op.segments == 1:
        return [x]
    return [np.sign(x) * (np.abs(x) >> 4), np.sign(x) * (np.abs(x) & 15)]


def ideal_by_hand(case: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes and steps of an ideal device in Python integers wide enough for everything."""
    op, masks, cells = case.op, case.masks, case.model.cells.astype(np.int64)
    on = masks.wl[op.wl_select] & ~masks.bl_skip
    k = np.where(on[:, None], cells, 0)
    enabled = masks.lines[op.line_select]
    if op.direction is Direction.BACKWARD:
        k, enabled, live = k.T, enabled & on, ~masks.sl_skip
    else:
        enabled, live = enabled & ~masks.sl_skip, on
    sum_g = k.sum(axis=0)
    s = np.array([2 * max(1, round(op.step_code * int(g) / 2**14)) for g in sum_g])
    codes, steps = np.zeros((len(case.x), len(cells)), dtype=np.int64), []
    for part in segments(op, physical(op, case.x)):
        charge = 2 * (np.where(live, part, 0) @ k) + 1
        segment_codes, decrements = convert(op, charge, s, s, enabled)
        codes = combine_segments(codes, segment_codes)
        steps.append(decrements)
    return codes, np.stack(steps, axis=-1)


@settings(max_examples=150)
@given(seed=SEEDS)
def test_ideal_device_is_integer_arithmetic(random_case: Callable[..., Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(rng, noisy=False, lines=int(rng.choice([16, 64])))
    result = case.model.mvm(case.op, case.masks, case.x, case.op_ids)
    codes, steps = ideal_by_hand(case)
    assert np.array_equal(result.codes, codes)
    assert np.array_equal(result.steps, steps)
    assert result.codes.dtype == np.int16


@settings(max_examples=10)
@given(seed=SEEDS)
def test_ideal_device_with_256_lines(random_case: Callable[..., Any], seed: int) -> None:
    case = random_case(np.random.default_rng(seed), noisy=False, lines=256, batch=2)
    result = case.model.mvm(case.op, case.masks, case.x, case.op_ids)
    codes, steps = ideal_by_hand(case)
    assert np.array_equal(result.codes, codes)
    assert np.array_equal(result.steps, steps)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("in_bits", [4, 8])
@pytest.mark.parametrize("g_bits", [12, 16])
def test_largest_sums_are_exact(direction: Direction, in_bits: int, g_bits: int) -> None:
    # Every cell at full scale and every input at its end: the widest accumulators that a core can hold.
    config = TnsaConfig(lines=256, g_bits=g_bits)
    target = np.full((256, 256), 50.0)
    target[1::2, ::3] = 0.0
    model = TnsaModel(config, target, device=IDEAL, seed=0, core=0)
    op = TnsaOperation(direction=direction, in_bits=in_bits, in_signed=False, step_code=16384)
    width = 256 if direction is Direction.BACKWARD else 128
    x = np.full((2, width), 2**in_bits - 1)
    x[1, ::5] = 3
    wl = np.ones(256, dtype=bool)
    k = model.key(direction is Direction.BACKWARD, wl).k.astype(np.int64)
    for part in segments(op, physical(op, x)):
        charge = model.charge(model.key(direction is Direction.BACKWARD, wl), part, 0)
        assert np.array_equal(charge, 2 * (part @ k) + 1)


@settings(max_examples=60)
@given(seed=SEEDS)
def test_a_result_does_not_depend_on_the_batch(random_case: Callable[..., Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(rng, noisy=True, batch=int(rng.integers(1, 300)))
    whole = case.model.mvm(case.op, case.masks, case.x, case.op_ids)
    order = rng.permutation(len(case.x))
    shuffled = case.model.mvm(case.op, case.masks, case.x[order], case.op_ids[order])
    assert np.array_equal(shuffled.codes, whole.codes[order])
    assert np.array_equal(shuffled.steps, whole.steps[order])
    image = int(rng.integers(len(case.x)))
    single = case.model.mvm(case.op, case.masks, case.x[image : image + 1], int(case.op_ids[image]))
    assert np.array_equal(single.codes[0], whole.codes[image])
    assert np.array_equal(single.steps[0], whole.steps[image])


@settings(max_examples=100)
@given(seed=SEEDS, noisy=st.booleans())
def test_single_conversions_equal_the_batch(random_case: Callable[..., Any], seed: int, noisy: bool) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(rng, noisy=noisy, batch=6)
    op, model = case.op, case.model
    key = model.key(op.direction is Direction.BACKWARD, case.masks.word_lines(op))
    driven = np.where(case.masks.driven(op), physical(op, case.x), 0)
    enabled = case.masks.enabled(op)
    codes, steps = np.zeros_like(driven), []
    for segment, part in enumerate(segments(op, driven)):
        ids = case.op_ids + np.uint64(segment)
        charge = model.charge(key, part, ids)
        for k in range(len(part)):
            alone, pos, neg = model.conversion(key, part[k], int(ids[k]), op.step_code)
            assert np.array_equal(alone, charge[k])
        segment_codes, decrements = convert(op, charge, pos, neg, enabled)
        codes = combine_segments(codes, segment_codes)
        steps.append(decrements)
    result = model.mvm(op, case.masks, case.x, case.op_ids)
    assert np.array_equal(result.codes, codes)
    assert np.array_equal(result.steps, np.stack(steps, axis=-1))


@settings(max_examples=30)
@given(seed=SEEDS)
def test_forward_and_backward_are_transposes(random_case: Callable[..., Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_case(rng, noisy=False).model
    n = model.config.lines
    wl = rng.random(n) < 0.8
    x, y = rng.integers(-15, 16, n) * wl, rng.integers(-15, 16, n)
    a = (model.charge(model.key(False, wl), x[None], 0)[0] - 1) // 2
    b = (model.charge(model.key(True, wl), y[None], 0)[0] - 1) // 2
    assert a @ y == b @ x


def test_only_equal_arguments_give_equal_noise(noisy_device: Device) -> None:
    config = TnsaConfig(lines=64)
    target = np.full((64, 64), 20.0)
    model = TnsaModel(config, target, device=noisy_device, seed=1, core=2)
    key = model.key(False, np.ones(64, dtype=bool))
    x = np.tile(np.array([7, -7]), 32)[None]
    first = model.charge(key, x, 5)
    assert np.array_equal(first, model.charge(key, x, 5))
    assert not np.array_equal(first, model.charge(key, x, 6))
    assert not np.array_equal(first, model.charge(key, x, 5 + (1 << 32)))


@pytest.mark.parametrize("cause", [None, "read-noise", "adc"])
def test_each_cause_of_a_conversion_alone(noisy_device: Device, cause: str | None) -> None:
    causes = frozenset() if cause is None else frozenset({cause})
    config = TnsaConfig(lines=64, sigma_offset_mV=2.0, sigma_gain=0.05)
    model = TnsaModel(config, np.full((64, 64), 20.0), device=noisy_device, seed=1, core=2, time_s=1.0, causes=causes)
    assert (model.cells == round(20.0 / config.lsb_uS)).all()
    key = model.key(False, np.ones(64, dtype=bool))
    steps = model.steps(key, 256)
    charge = model.charge(key, np.tile(np.array([[7, 0]]), (4, 32)), np.arange(4))
    same = bool((charge == charge[0]).all())
    assert same == (cause is None)
    assert (key.offset != 1).any() == (cause == "adc")
    assert steps.equal == (cause != "adc")


def test_ideal_device_switches_the_spread_of_the_converters_off() -> None:
    config = TnsaConfig(lines=16, sigma_offset_mV=5.0, sigma_gain=0.1)
    model = TnsaModel(config, np.full((16, 16), 20.0), device=IDEAL, seed=1, core=0)
    key = model.key(False, np.ones(16, dtype=bool))
    assert (key.offset == 1).all()
    assert model.steps(key, 256).equal


def test_offsets_and_gains_have_their_spread(noisy_device: Device) -> None:
    config = TnsaConfig(lines=1024, sigma_offset_mV=3.0, sigma_gain=0.02, v_read_V=0.3)
    model = TnsaModel(config, np.full((1024, 1024), 20.0), device=noisy_device, seed=1, core=0)
    key = model.key(False, np.ones(1024, dtype=bool))
    relative = (key.offset - 1) / 2 / key.sum_g * 0.3
    assert relative.std() == pytest.approx(3e-3, rel=5 / np.sqrt(2048))
    assert abs(relative.mean()) < 5 * 3e-3 / np.sqrt(1024)
    steps = model.steps(key, 1000)
    assert ((steps.pos % 2 == 0) & (steps.pos > 0)).all()
    gains = [s / (2 * 1000 / 2**14 * key.sum_g) - 1 for s in (steps.pos, steps.neg)]
    for gain in gains:
        assert gain.std() == pytest.approx(0.02, rel=5 / np.sqrt(2048))
    assert abs(np.corrcoef(*gains)[0, 1]) < 5 / np.sqrt(1024)


def test_state_rebuilds_the_model(random_case: Callable[..., Any]) -> None:
    case = random_case(np.random.default_rng(4), noisy=True)
    state = case.model.state()
    cells = state.pop("cells")
    again = TnsaModel.from_state({**json.loads(json.dumps(state)), "cells": cells.copy()})
    assert np.array_equal(again.cells, case.model.cells)
    before, after = (m.mvm(case.op, case.masks, case.x, case.op_ids) for m in (case.model, again))
    assert np.array_equal(before.codes, after.codes)
    assert np.array_equal(before.steps, after.steps)


def test_measured_cells_are_taken_as_they_are(noisy_device: Device) -> None:
    config = TnsaConfig(lines=16)
    measured = np.random.default_rng(0).uniform(0, 60, (16, 16))
    measured[3, 4] = np.nan
    model = TnsaModel.from_measured(config, measured, device=noisy_device, seed=0, core=0)
    assert model.cells[3, 4] == 0
    expected = np.minimum(np.rint(np.nan_to_num(measured) / config.lsb_uS), 4095)
    assert np.array_equal(model.cells, expected)


def test_a_line_without_conductance_reads_one(noisy_device: Device) -> None:
    measured = np.full((16, 16), 20.0)
    measured[:, 3] = np.nan
    config = TnsaConfig(lines=16, sigma_offset_mV=5.0)
    model = TnsaModel.from_measured(config, measured, device=noisy_device, seed=0, core=0)
    x = np.random.default_rng(0).integers(-7, 8, (50, 8))
    result = model.mvm(TnsaOperation(step_code=1), Masks.reset(16), x, np.arange(50))
    assert (result.codes[:, 3] == 1).all()
    assert not (result.codes[:, 4] == 1).any()


def test_keys_are_cached_and_bounded() -> None:
    model = TnsaModel(TnsaConfig(lines=16), np.full((16, 16), 20.0), device=IDEAL, seed=0, core=0)
    wl = np.ones(16, dtype=bool)
    assert model.key(False, wl) is model.key(False, wl.copy())
    assert model.key(True, wl) is not model.key(False, wl)
    rng = np.random.default_rng(0)
    for _ in range(200):
        key = model.key(False, rng.random(16) < 0.5)
        assert np.array_equal(model.steps(key, 300).pos, np.maximum(2, 2 * np.rint(300 / 2**14 * key.sum_g)))
    assert len(model._keys) <= 64


def test_an_empty_batch_is_legal() -> None:
    model = TnsaModel(TnsaConfig(lines=16), np.full((16, 16), 20.0), device=IDEAL, seed=0, core=0)
    result = model.mvm(TnsaOperation(), Masks.reset(16), np.zeros((0, 8), dtype=int), 0)
    assert result.codes.shape == (0, 16)
    assert result.steps.shape == (0, 1)


def build(**changes: Any) -> TnsaModel:
    arguments = {"device": IDEAL, "seed": 0, "core": 0, "target": np.full((4, 4), 20.0), **changes}
    return TnsaModel(TnsaConfig(lines=4), arguments.pop("target"), **arguments)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"target": np.zeros((4, 5))}, "target_uS must have shape (4, 4), not (4, 5)"),
        ({"target": np.full((4, 4), -1.0)},
         "target_uS must be at least 0 uS and finite, or NaN for a dead cell, not -1"),
        ({"target": np.full((4, 4), np.inf)},
         "target_uS must be at least 0 uS and finite, or NaN for a dead cell, not inf"),
        ({"seed": -1}, "seed must be between 0 and 2**32 - 1, not -1"),
        ({"core": 2**24}, "core must be between 0 and 2**24 - 1, not 16777216"),
        ({"time_s": -1.0}, "time_s must be at least 0, not -1.0"),
        ({"time_s": float("nan")}, "time_s must be at least 0, not nan"),
        ({"causes": frozenset({"noise"})}, f"causes must be of {', '.join(CAUSES)}, not noise"),
    ],
)
def test_wrong_arguments_of_a_model(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as failure:
        build(**changes)
    assert str(failure.value) == sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lines": 15}, "lines must be even and between 2 and 1024, not 15"),
        ({"g_bits": 1}, "g_bits must be between 2 and 16, not 1"),
        ({"g_max_uS": 60.0},
         "g_min_uS, g_max_uS and g_full_scale_uS must be at least 0 and in this order, not 1, 60 and 50"),
        ({"v_read_V": 0.0}, "v_read_V must be a finite number above 0, not 0.0"),
        ({"sigma_gain": float("nan")}, "sigma_gain must be a finite number of at least 0, not nan"),
    ],
)
def test_wrong_configuration(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as failure:
        replace(TnsaConfig(), **change)
    assert str(failure.value) == sentence


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (np.zeros((2, 4), dtype=int), "inputs must be integers of shape (batch, 2), not int64 of (2, 4)"),
        (np.zeros((2, 2)), "inputs must be integers of shape (batch, 2), not float64 of (2, 2)"),
        (np.array([[0, 8]]), "inputs must be between -7 and 7, not 0 to 8"),
    ],
)
def test_wrong_inputs(x: NDArray[Any], sentence: str) -> None:
    with pytest.raises(InputError) as failure:
        build().mvm(TnsaOperation(), Masks.reset(4), x, 0)
    assert str(failure.value) == sentence


def test_wrong_masks_and_charges() -> None:
    with pytest.raises(InputError, match=r"^masks must be for \(4, 4\) lines, not \(8, 8\)$"):
        build().mvm(TnsaOperation(), Masks.reset(8), np.zeros((1, 2), dtype=int), 0)
    model = build()
    with pytest.raises(InputError, match=r"magnitudes up to 15, not shape \(1, 4\) and magnitude 16$"):
        model.charge(model.key(False, np.ones(4, dtype=bool)), np.full((1, 4), -16), 0)


def test_configuration_is_json() -> None:
    config = TnsaConfig(lines=64, wires=Wires(r_row_ohm=1.0, r_driver_ohm=200.0))
    assert TnsaConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config

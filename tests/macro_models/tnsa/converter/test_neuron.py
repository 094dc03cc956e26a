"""A neuron that is not ideal: against the discrete equations in volts, batches against single conversions, strobes."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mho.macro_models import Masks, load_device
from mho.macro_models.array import Wires
from mho.macro_models.devices import Device, device_from_dict
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.random import NORMAL_ONE, Purpose, normal_codes
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.converter.neuron import COUNT_TOP, Neuron
from mho.macro_models.tnsa.model import TnsaModel
from mho.macro_models.tnsa.pin_level.macro import PinLevelNeuron, pin_level_macro
from tests.macro_models.tnsa.pin_level.test_pin_level_macro import drive_conversion
from tests.macro_models.tnsa.test_tnsa_model import physical, segments

SEEDS = st.integers(0, 2**32 - 1)
V_READ = 0.5
CORNERS = [
    Neuron(amplifier_gain=1000.0, c_parasitic_fF=10.0),
    Neuron(amplifier_gain=100.0, c_parasitic_fF=10.0),
    Neuron(amplifier_gain=1000.0, c_parasitic_fF=10.0, sigma_amplifier_offset_mV=2.0, injection_mV=0.5),
    Neuron(sigma_amplifier_offset_mV=1.0),
    Neuron(amplifier_gain=20.0, c_sample_fF=50.0, injection_mV=-1.0),
    Neuron(amplifier_gain=1e7),
]


@pytest.fixture(scope="session")
def perfect_cells() -> Device:
    """Perfect cells and quiet lines; the converters are those of the chip."""
    tree = load_device("ideal").to_dict()
    tree["converter"]["spread"] = True
    return device_from_dict(tree)


def model_of(device: Device, neuron: Neuron, lines: int = 64, **config: Any) -> TnsaModel:
    target = np.random.default_rng(0).uniform(1, 40, (lines, lines))
    chip = TnsaConfig(lines=lines, v_read_V=V_READ, neuron=neuron, **config)
    return TnsaModel(chip, target, device=device, seed=3, core=1)


def integrate(model: TnsaModel, key: Any, x: NDArray[np.int64], planes: int) -> NDArray[np.float64]:
    """Volts at the integrators after all samples, written out: den, alpha, beta and one cycle after another."""
    n = model.config.neuron
    a = n.amplifier_gain or 1e30
    c_s, c_i, c_p = n.c_sample_fF, n.c_integrate_fF, n.c_parasitic_fF
    den = c_i * (1 + 1 / a) + (c_p + c_s) / a
    alpha, beta = c_s / den, (c_i * (1 + 1 / a) + c_p / a) / den
    v_os = model.amplifier_offset_V
    v = np.tile(v_os * a / (1 + a), (len(x), 1))
    for plane in reversed(range(planes)):
        driven = np.sign(x) * (np.abs(x) >> plane & 1) * V_READ
        v_in = driven @ key.k / key.sum_g
        for _ in range(2**plane):
            v = beta * v + alpha * (v_in + v_os + n.injection_mV * 1e-3)
    return v


def count_down(model: TnsaModel, key: Any, v: NDArray[np.float64], step_code: int) -> tuple[NDArray, NDArray]:
    """Signs and counts by decrements of V_dec, written out."""
    n = model.config.neuron
    a = n.amplifier_gain or 1e30
    den = n.c_integrate_fF * (1 + 1 / a) + (n.c_parasitic_fF + n.c_sample_fF) / a
    alpha, beta = n.c_sample_fF / den, (n.c_integrate_fF * (1 + 1 / a) + n.c_parasitic_fF / a) / den
    steps = model.steps(key, step_code)
    v_cmp = alpha * V_READ / 2 * key.offset / key.sum_g
    negative = v + v_cmp < 0
    v_dec = np.where(negative, -steps.neg, steps.pos) / 2 / key.sum_g * V_READ
    count, alive = np.zeros(v.shape, dtype=np.int64), np.ones(v.shape, dtype=bool)
    for _ in range(COUNT_TOP):
        v = beta * v + alpha * (-v_dec + model.amplifier_offset_V + n.injection_mV * 1e-3)
        alive &= (v + v_cmp < 0) == negative
        count += alive
    return negative, count


@pytest.mark.parametrize("neuron", CORNERS)
@pytest.mark.parametrize("planes", [1, 3, 4])
@pytest.mark.parametrize("backward", [False, True])
def test_integrated_volts_are_the_discrete_equations(
    perfect_cells: Device, neuron: Neuron, planes: int, backward: bool
) -> None:
    model = model_of(perfect_cells, neuron, wires=Wires(r_row_ohm=5.0))
    key = model.key(backward, np.arange(64) != 7)
    x = np.random.default_rng(planes).integers(-(2**planes) + 1, 2**planes, (40, 64))
    integrator = model.counter(key, 100).integrator
    ids = np.arange(40, dtype=np.uint64)
    charge = integrator.compute(key.lines, x.astype(np.float32), 2**planes - 1, None, None, None, ids)
    live = key.sum_g > 0
    volts = charge[:, live] * (neuron.alpha * V_READ / 2 / key.sum_g[live])
    expected = integrate(model, key, x, planes) if live.all() else integrate_live(model, key, x, planes, live)
    assert np.abs(expected).max() > 0.01
    assert np.abs(volts - expected).max() < 1e-7


def integrate_live(model: TnsaModel, key: Any, x: NDArray, planes: int, live: NDArray) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return integrate(model, key, x, planes)[:, live]


@pytest.mark.parametrize("neuron", CORNERS)
def test_counts_are_those_of_the_discrete_equations(perfect_cells: Device, neuron: Neuron) -> None:
    model = model_of(perfect_cells, neuron, sigma_offset_mV=2.0, sigma_gain=0.02)
    x = np.random.default_rng(1).integers(-7, 8, (200, 32))
    masks, all_codes = Masks.reset(64), []
    key = model.key(False, np.ones(64, dtype=bool))
    lines = np.stack([x, -x], axis=-1).reshape(len(x), -1)
    for step_code in (40, 300):
        op = TnsaOperation(in_bits=4, out_bits=8, step_code=step_code)
        codes = model.mvm(op, masks, x, 0).codes
        negative, count = count_down(model, key, integrate(model, key, lines, 3), step_code)
        assert np.array_equal(codes, np.where(negative, -1, 1) * (2 * count + 1))
        all_codes.append(codes)
        ideal = with_neuron(model, Neuron())
        if 0 < neuron.amplifier_gain < 1e6:
            assert not np.array_equal(codes, ideal.mvm(op, masks, x, 0).codes)
    assert len(np.unique(all_codes)) > 100


def test_an_offset_of_the_amplifier_makes_steps_differ_by_sign(perfect_cells: Device) -> None:
    model = model_of(perfect_cells, Neuron(injection_mV=2.0))
    x = np.random.default_rng(1).integers(-7, 8, (500, 32))
    codes = model.mvm(TnsaOperation(in_bits=4, out_bits=8, step_code=300), Masks.reset(64), x, 0).codes
    mirrored = model.mvm(TnsaOperation(in_bits=4, out_bits=8, step_code=300), Masks.reset(64), -x, 0).codes
    # 7 cycles of 2 mV shift all lines up; a decrement of 9.2 mV is 7.2 mV from above and 11.2 mV from below.
    assert codes.mean() > 1.0
    assert np.abs(codes[codes > 0]).mean() > 1.3 * np.abs(codes[codes < 0]).mean()
    assert not np.array_equal(mirrored, -codes)


@pytest.fixture(scope="session")
def odd_neuron() -> Callable[[np.random.Generator], Neuron]:
    """Random errors, each there or not."""

    def make(rng: np.random.Generator) -> Neuron:
        on = rng.random(6) < 0.5
        return Neuron(
            amplifier_gain=float(on[0] * 10.0 ** rng.uniform(1, 5)),
            c_parasitic_fF=float(on[1] * 20.0),
            sigma_amplifier_offset_mV=float(on[2] * 3.0),
            injection_mV=float(on[3] * rng.normal()),
            sampling_noise=bool(on[4]),
            comparator_noise_mV=float(on[5] * 0.4) if on[0] or on[3] else 0.3,
        )

    return make


def with_neuron(model: TnsaModel, neuron: Neuron) -> TnsaModel:
    return TnsaModel.from_state({**model.state(), "config": replace(model.config, neuron=neuron).to_dict()})


@settings(max_examples=12)
@given(seed=SEEDS)
def test_batches_and_single_conversions_agree(
    random_case: Callable[..., Any], odd_neuron: Callable[..., Neuron], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(rng, noisy=True, lines=int(rng.choice([4, 16, 64])), batch=int(rng.integers(1, 40)))
    model, op = with_neuron(case.model, odd_neuron(rng)), replace(case.op, converter=Converter.COUNT)
    whole = model.mvm(op, case.masks, case.x, case.op_ids)
    order = rng.permutation(len(case.x))
    shuffled = model.mvm(op, case.masks, case.x[order], case.op_ids[order])
    assert np.array_equal(shuffled.codes, whole.codes[order])
    assert np.array_equal(shuffled.steps, whole.steps[order])
    key = model.key(op.direction is Direction.BACKWARD, case.masks.word_lines(op))
    driven = np.where(case.masks.driven(op), physical(op, case.x), 0)
    image, codes = int(rng.integers(len(case.x))), np.zeros(driven.shape[1], dtype=np.int64)
    for segment, (planes, part) in enumerate(zip(op.segment_planes, segments(op, driven), strict=True)):
        number = (int(case.op_ids[image]) + segment) % 2**64
        charge, pos, neg = model.conversion(key, part[image], number, op.step_code, 2**planes - 1)
        count = np.minimum(np.abs(charge) // np.where(charge < 0, neg, pos), op.max_steps)
        code = np.where(charge < 0, 0 if op.relu else -(2 * count + 1), 2 * count + 1)
        codes = codes * 16 + np.where(case.masks.enabled(op), code, 0)
    assert np.array_equal(codes, whole.codes[image])


@pytest.mark.slow
@settings(max_examples=60)
@given(seed=SEEDS)
def test_strobes_give_what_the_model_gives(
    random_case: Callable[..., Any], odd_neuron: Callable[..., Neuron], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(rng, noisy=True, batch=1)
    model, op = with_neuron(case.model, odd_neuron(rng)), replace(case.op, converter=Converter.COUNT)
    case = replace(case, model=model, op=op)
    result = model.mvm(op, case.masks, case.x, case.op_ids)
    macro = pin_level_macro(model)
    assert isinstance(macro, PinLevelNeuron)
    driven, codes = np.where(case.masks.driven(op), physical(op, case.x), 0), np.zeros(16, dtype=np.int64)
    for segment, (planes, part) in enumerate(zip(op.segment_planes, segments(op, driven), strict=True)):
        number = (int(case.op_ids[0]) + segment) % 2**64
        segment_codes, decrements = drive_conversion(macro, case, part[0], planes, number, case.masks.enabled(op))
        codes = codes * 16 + segment_codes
        assert decrements == result.steps[0, segment]
    assert np.array_equal(codes, result.codes[0])


def test_noise_of_samples_has_the_size_of_the_cycles(perfect_cells: Device) -> None:
    neuron = Neuron(amplifier_gain=30.0, c_parasitic_fF=10.0, sampling_noise=True)
    assert neuron.sampling_V == pytest.approx(math.sqrt(1.380649e-23 * 300 / 17e-15))
    assert neuron.sampling_at(25.0) == neuron.sampling_V
    assert neuron.sampling_at(125.0) == pytest.approx(math.sqrt(1.380649e-23 * 400 / 17e-15))
    model = model_of(perfect_cells, neuron)
    integrator = model.counter(model.key(False, np.ones(64, dtype=bool)), 1).integrator
    rng = np.random.default_rng(0)
    v = np.zeros(200_000)
    for _ in range(15):
        v = neuron.beta * v + neuron.alpha * rng.normal(0.0, neuron.sampling_V, v.shape)
    deviation = integrator.held(15)[1]
    assert deviation is not None
    volts = deviation * NORMAL_ONE * neuron.alpha * V_READ / 2 / integrator.key.sum_g
    assert volts == pytest.approx(v.std(), rel=5 / math.sqrt(2 * v.size))


def test_every_cycle_and_comparison_has_its_own_draw(perfect_cells: Device) -> None:
    """The decrements again in volts, with the draws of the model put into the equations."""
    neuron = Neuron(amplifier_gain=1000.0, c_parasitic_fF=10.0, sampling_noise=True, comparator_noise_mV=0.5)
    model = model_of(perfect_cells, neuron)
    key, x, ids = model.key(False, np.ones(64, dtype=bool)), np.zeros((30, 64), dtype=np.int64), np.arange(30)
    x[:, ::2] = np.random.default_rng(2).integers(-7, 8, (30, 32))
    x[:, 1::2] = -x[:, ::2]

    def z(purpose: Purpose, step: int) -> NDArray[np.float64]:
        return normal_codes(purpose, seed=3, core=1, items=64, op_id=ids, step=step) / NORMAL_ONE

    total = math.sqrt(sum(neuron.beta ** (2 * k) for k in range(7)))
    v = integrate(model, key, x, 3) + neuron.alpha * neuron.sampling_V * total * z(Purpose.SAMPLING, 0)
    half = neuron.alpha * V_READ / 2 / key.sum_g  # the comparator's offset of half an accumulator
    negative = v + half + 5e-4 * z(Purpose.COMPARATOR, 0) < 0
    v_dec = np.where(negative, -1, 1) * model.steps(key, 200).pos / 2 / key.sum_g * V_READ
    count, alive = np.zeros(v.shape, dtype=np.int64), np.ones(v.shape, dtype=bool)
    for n in range(1, COUNT_TOP + 1):
        v = neuron.beta * v + neuron.alpha * (neuron.sampling_V * z(Purpose.SAMPLING, n) - v_dec)
        alive &= (v + half + 5e-4 * z(Purpose.COMPARATOR, n) < 0) == negative
        count += alive
    op = TnsaOperation(in_bits=4, out_bits=8, step_code=200)
    codes = model.mvm(op, Masks.reset(64), x[:, ::2], ids).codes
    assert np.array_equal(codes, np.where(negative, -1, 1) * (2 * count + 1))
    quiet = with_neuron(model, replace(neuron, sampling_noise=False, comparator_noise_mV=0.0))
    assert not np.array_equal(codes, quiet.mvm(op, Masks.reset(64), x[:, ::2], ids).codes)


def test_ideal_neurons_count_integers(noisy_device: Device) -> None:
    assert Neuron(c_parasitic_fF=30.0, c_sample_fF=1.0).ideal
    assert model_of(noisy_device, Neuron(c_parasitic_fF=30.0)).neuron is None
    assert model_of(load_device("ideal"), Neuron(amplifier_gain=100.0)).neuron is None
    model = model_of(noisy_device, Neuron(amplifier_gain=100.0))
    off = TnsaModel.from_state({**model.state(), "causes": ["read-noise"]})
    assert model.neuron is not None
    assert off.neuron is None


def test_state_keeps_the_neuron(noisy_device: Device) -> None:
    model = model_of(noisy_device, CORNERS[2])
    state = model.state()
    cells = state.pop("cells")
    again = TnsaModel.from_state({**json.loads(json.dumps(state)), "cells": cells})
    assert again.config == model.config
    assert np.array_equal(again.amplifier_offset_V, model.amplifier_offset_V)
    assert model.amplifier_offset_V.std() == pytest.approx(2e-3, rel=0.4)


def test_binary_search_is_refused(noisy_device: Device) -> None:
    model, op = model_of(noisy_device, CORNERS[0]), TnsaOperation(converter=Converter.BINARY)
    with pytest.raises(InputError, match=r"^converter must be count where the neuron is not ideal, not binary$"):
        model.mvm(op, Masks.reset(64), np.zeros((1, 32), dtype=int), 0)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"amplifier_gain": -1.0}, "amplifier_gain must be a finite number of at least 0, not -1.0"),
        ({"amplifier_gain": 0.5}, "amplifier_gain must be above 1, or 0 for infinite, not 0.5"),
        ({"c_sample_fF": 0.0}, "c_sample_fF must be a finite number above 0, not 0.0"),
        ({"injection_mV": math.nan}, "injection_mV must be finite, not nan"),
        ({"comparator_noise_mV": math.inf}, "comparator_noise_mV must be a finite number of at least 0, not inf"),
    ],
)
def test_impossible_neurons_are_refused(values: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(sentence) + "$"):
        Neuron(**values)  # type: ignore[arg-type]

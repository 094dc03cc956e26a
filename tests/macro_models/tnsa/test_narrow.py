"""Conversions of few lines: only their blocks are computed, and nothing else changes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.macro_models.integer.random import LANES
from mho.macro_models.integer.tnsa.operation import Converter
from mho.macro_models.tnsa.converter.neuron import Neuron
from mho.macro_models.tnsa.model import TnsaModel


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_lines_that_are_converted_do_not_depend_on_others(random_case: Callable[..., Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(rng, noisy=True, lines=int(rng.choice([16, 64])), batch=int(rng.integers(1, 30)))
    if rng.random() < 0.5:
        # A neuron that is not ideal, with or without noise in every cycle.
        neuron = Neuron(
            amplifier_gain=100.0, sigma_amplifier_offset_mV=2.0, sampling_noise=bool(rng.integers(2)),
            comparator_noise_mV=float(rng.integers(2)),
        )
        config = replace(case.model.config, neuron=neuron)
        model = TnsaModel.from_state({**case.model.state(), "config": config.to_dict()})
        case = replace(case, model=model, op=replace(case.op, converter=Converter.COUNT))
    lines = case.model.config.lines
    all_lines = replace(case.masks, lines=np.ones((8, lines), dtype=bool))
    enabled_lines = rng.random((8, lines)) < rng.choice([0.02, 0.3])
    few = replace(case.masks, lines=enabled_lines)
    op = replace(case.op, early_stop=False, relu=False)
    expected = case.model.mvm(op, all_lines, case.x, case.op_ids).codes
    codes = case.model.mvm(op, few, case.x, case.op_ids).codes
    assert np.array_equal(codes, np.where(few.enabled(op), expected, 0))


def test_a_key_holds_the_blocks_that_are_enabled(random_case: Callable[..., Any]) -> None:
    model = random_case(np.random.default_rng(0), noisy=True, lines=64, batch=1).model
    key, enabled = model.key(False, np.ones(64, dtype=bool)), np.zeros(64, dtype=bool)
    enabled[[3, 17, 18]] = True
    narrow = key.narrow(enabled)
    assert narrow is key.narrow(enabled)
    assert np.array_equal(np.arange(64)[narrow.columns], [*range(8), *range(16, 24)])
    assert narrow.k.shape == (64, 2 * LANES)
    assert key.narrow(np.ones(64, dtype=bool)) is key
    assert np.array_equal(np.arange(64)[key.columns], np.arange(64))

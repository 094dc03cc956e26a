"""A product that is bound gives the codes of the whole core, whatever rows its inputs share and columns it takes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.macro_models import Masks, load_device
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.macro_models.integer.vector import LeafSum, largest_code, scale_leaf, sum_leaves
from mho.macro_models.macro import constant_input
from mho.macro_models.macro import model as macro_model
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.converter.neuron import Neuron
from mho.macro_models.tnsa.model import TnsaModel


def _draw_model(model: TnsaModel, rng: np.random.Generator) -> TnsaModel:
    """The same cells with another neuron, or with the noise of a shift register."""
    state, choice = model.state(), rng.integers(5)
    if choice == 0:
        neuron = Neuron(amplifier_gain=100.0, sampling_noise=bool(rng.integers(2)), comparator_noise_mV=1.0)
        state["config"] = replace(model.config, neuron=neuron).to_dict()
    elif choice == 1:
        state["device"] = load_device("lfsr").to_dict()
    elif choice == 2:
        # Read noise of the cells and nothing else: alike in all of them, or not.
        state["device"]["converter"]["sigma_output_mV"] = 0.0
        state["device"]["read_noise"] = load_device("rram-neurram").to_dict()["read_noise"]
        state["device"]["read_noise"]["sigma_uS"] = [0.4] if rng.integers(2) else [0.1, 0.9]
    return TnsaModel.from_state(state)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.slow
def test_a_bound_product_is_that_of_the_core(random_case: Callable[..., Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines = int(rng.choice([16, 64]))
    case = random_case(rng, noisy=bool(rng.integers(2)), lines=lines, batch=int(rng.integers(1, 30)))
    model = _draw_model(case.model, rng)
    op: TnsaOperation = replace(case.op, direction=Direction.FORWARD)
    if not model.supports(op):
        op = replace(op, converter=Converter.COUNT)
    rows = rng.permutation(lines // 2)[: rng.integers(1, lines // 2 + 1)]
    inputs = int(rng.integers(1, len(rows) + 1))
    inputs_of_rows = rng.integers(0, inputs + 1, len(rows))  # the last is the constant
    low, high = op.input_range
    x = np.full((len(case.op_ids), inputs + 1), min(constant_input(op), high))
    x[:, :-1] = rng.integers(low, high + 1, (len(x), inputs))
    columns = rng.permutation(np.flatnonzero(case.masks.enabled(op)))
    product = model.bind(op, case.masks, rows, inputs_of_rows, inputs + 1, columns)
    assert not isinstance(product, macro_model._Whole)
    result = product.compute(x.astype(np.int16 if rng.integers(2) else np.float32), case.op_ids)
    for expected in (
        macro_model._Whole(model, op, case.masks, rows, inputs_of_rows, columns).compute(x, case.op_ids),
        _whole_core(model, op, case.masks, rows, x[:, inputs_of_rows], case.op_ids, columns),
    ):
        assert np.array_equal(result.codes, expected.codes)
        assert np.array_equal(result.steps, expected.steps)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), in_bits=st.sampled_from([4, 8]), relu=st.booleans(), distinct=st.integers(1, 12))
def test_lines_that_are_alike_are_converted_once(seed: int, in_bits: int, relu: bool, distinct: int) -> None:
    rng = np.random.default_rng(seed)
    which = rng.integers(0, distinct, 16)
    target = rng.uniform(1, 40, (16, distinct))[:, which]
    model = TnsaModel(TnsaConfig(lines=16, v_read_V=0.3), target, device=load_device("ideal"), seed=0, core=0)
    op, masks = TnsaOperation(in_bits=in_bits, relu=relu and in_bits == 4, step_code=6000), Masks.reset(16)
    low, high = op.input_range
    x = np.full((9, 9), min(constant_input(op), high))
    x[:, :-1] = rng.integers(low, high + 1, (9, 8))
    rows, columns, numbers = np.arange(8), rng.permutation(16), np.arange(9, dtype=np.uint64)
    result = model.bind(op, masks, rows, rows, 9, columns).compute(x, numbers)
    expected = macro_model._Whole(model, op, masks, rows, rows, columns).compute(x, numbers)
    assert np.array_equal(result.codes, expected.codes)
    assert np.array_equal(result.steps, expected.steps)


def _whole_core(
    model: TnsaModel, op: TnsaOperation, masks: Any, rows: Any, x: Any, op_ids: Any, columns: Any
) -> Any:
    vector = np.zeros((len(x), model.config.lines // 2), dtype=np.int64)
    vector[:, rows] = x
    result = model.mvm(op, masks, vector, op_ids)
    return replace(result, codes=result.codes[:, columns])


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1), shift=st.integers(0, 31), copies=st.integers(1, 9), outputs=st.integers(1, 9),
    tiled=st.booleans(),
)
def test_leaves_are_summed_as_one_by_one(seed: int, shift: int, copies: int, outputs: int, tiled: bool) -> None:
    rng = np.random.default_rng(seed)
    target = np.tile(np.arange(2, 2 + outputs), copies)
    target = target if tiled else rng.permutation(target)
    op = TnsaOperation(in_bits=int(rng.choice([4, 8])))
    top = largest_code(op)
    codes = rng.integers(-top, top + 1, (7, len(target))).astype(np.int16)
    multiplier = rng.integers(0, 2**15, len(target)).astype(np.int32)
    total = rng.integers(-(2**15), 2**15, (7, outputs + 3)).astype(np.int16)
    expected = total + sum_leaves([(scale_leaf(codes, multiplier, shift), target)], outputs + 3)
    LeafSum(multiplier, target, shift).add(total, codes)
    assert np.array_equal(total, expected)


@pytest.mark.parametrize("bits", [4, 5, 6, 8])
def test_the_constant_is_one_in_each_segment(bits: int) -> None:
    op = TnsaOperation(in_bits=bits)
    assert constant_input(op) == (1 if op.segments == 1 else 17)

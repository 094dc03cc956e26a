"""The converter on floating point against the integer one, where quotients are hardest to round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.macro_models.integer.tnsa.converter import convert
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.macro_models.tnsa.converter.conversion import convert_charge
from mho.macro_models.tnsa.sensing import Steps


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1),
    out_bits=st.integers(1, 8), binary=st.booleans(), relu=st.booleans(), early_stop=st.booleans(), equal=st.booleans(),
    kind=st.sampled_from([np.float32, np.float64]),
)
def test_floating_point_gives_what_integers_give(
    seed: int, out_bits: int, binary: bool, relu: bool, early_stop: bool, equal: bool, kind: type
) -> None:
    rng = np.random.default_rng(seed)
    op = TnsaOperation(out_bits=out_bits, converter=Converter(int(binary)), relu=relu, early_stop=early_stop)
    limit = 2**24 if kind is np.float32 else 2**40
    lines = 32
    pos = 2 * np.rint(np.exp(rng.uniform(0, np.log(limit), lines))).astype(np.int64)
    neg = pos if equal else 2 * np.rint(np.exp(rng.uniform(0, np.log(limit), lines))).astype(np.int64)
    # Charges just below and above multiples of the step, where a quotient that is rounded up would count one too many.
    sign = rng.choice([-1, 1], (8, lines))
    n = rng.integers(0, 140, (8, lines))
    charge = sign * (n * np.where(sign > 0, pos, neg) + rng.choice([-1, 1, 3], (8, lines)))
    charge = np.where(np.abs(charge) < limit, charge, sign * (limit - 1 - 2 * n))
    enabled = rng.random(lines) < 0.9
    codes, decrements = convert_charge(op, charge.astype(kind), Steps(pos, neg), enabled)
    expected, steps = convert(op, charge, pos, neg, enabled)
    assert np.array_equal(codes, expected)
    assert np.array_equal(decrements, steps)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_charges_just_below_a_multiple_of_the_step(kind: type) -> None:
    # The quotients closest to an integer that the type must still tell apart from it.
    top = 2**24 if kind is np.float32 else 2**53
    n = np.arange(1, 128)
    step = top // n // 2 * 2
    step[n * step == top] -= 2
    charge = np.stack([n * step - 1, -(n * step - 1), n * step + 1])
    charge = np.where(np.abs(charge) < top, charge, 1)
    steps, enabled = Steps(step, step), np.ones(127, dtype=bool)
    codes, _ = convert_charge(TnsaOperation(), charge.astype(kind), steps, enabled)
    assert np.array_equal(codes, convert(TnsaOperation(), charge, step, step, enabled)[0])
    assert codes[0].tolist() == (2 * n - 1).tolist()

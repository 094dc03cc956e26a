"""What numba compiles gives the codes of numpy: conversions without noise, and leaves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from macro_models.exact.operation import MvmOperation
from macro_models.exact.vector import LeafSum, compiled_leaves, largest_code, scale_leaf, sum_leaves
from macro_models.tnsa.bound import compiled_count
from macro_models.tnsa.conversion import count_steps
from macro_models.tnsa.sensing import Steps

pytestmark = pytest.mark.skipif(compiled_count() is None, reason="numba is not installed")


@given(bits=st.integers(2, 8), relu=st.booleans(), seed=st.integers(0, 999))
def test_counts(bits: int, relu: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    op = MvmOperation(out_bits=bits, relu=relu)
    steps = 2 * rng.integers(1, 2 ** int(rng.integers(1, 18)), 40)
    reach = int(steps.max()) * op.max_steps
    charge = (2 * rng.integers(-reach, reach, (9, 40)) + 1).clip(-(2**24) + 1, 2**24 - 1).astype(np.float32)
    codes, top = np.empty(charge.shape, dtype=np.int16), np.empty(9, dtype=np.int16)
    loops = compiled_count()
    assert loops is not None
    decrements, none = steps.astype(np.float32), np.zeros(0, dtype=np.uint32)
    loops(charge, decrements, none, op.max_steps, op.relu, codes, top)
    wanted, _ = count_steps(op, charge.copy(), Steps(steps, steps))
    np.testing.assert_array_equal(codes, wanted)
    np.testing.assert_array_equal(top, np.abs(wanted).max(axis=1))
    # Lines that have what others have, in turn and in any order.
    for alike in (np.tile(np.arange(40, dtype=np.uint32), 3), rng.integers(0, 40, 77).astype(np.uint32)):
        many = np.empty((9, len(alike)), dtype=np.int16)
        loops(charge, decrements, alike, op.max_steps, op.relu, many, top)
        np.testing.assert_array_equal(many, wanted[:, alike])
        np.testing.assert_array_equal(top, np.abs(wanted).max(axis=1))


@given(count=st.integers(1, 20), turns=st.integers(1, 5), shift=st.integers(0, 31), seed=st.integers(0, 999))
def test_leaves(count: int, turns: int, shift: int, seed: int) -> None:
    """Of any codes and multipliers, whose sums wrap around."""
    assert compiled_leaves() is not None
    rng = np.random.default_rng(seed)
    top = largest_code(MvmOperation(in_bits=8))
    codes = rng.integers(-top, top + 1, (7, count * turns)).astype(np.int16)
    multiplier = rng.integers(0, 2**15, count * turns)
    first = int(rng.integers(0, 3))
    outputs = np.tile(np.arange(first, first + count), turns)
    total = rng.integers(-(2**15), 2**15, (7, first + count + 1)).astype(np.int16)
    wanted = total + sum_leaves([(scale_leaf(codes, multiplier, shift), outputs)], total.shape[1])
    LeafSum(multiplier, outputs, shift, top).add(total, codes)
    np.testing.assert_array_equal(total, wanted)

"""Conversions without noise in compiled loops give the codes of numpy; leaves of many columns at once those of each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.macro_models.integer.converter import combine_segments
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.integer.vector import LeafSum, largest_code, scale_leaf, sum_leaves
from mho.macro_models.tnsa.bound.product import compiled_taken
from mho.macro_models.tnsa.converter.conversion import count_steps, segment_inputs
from mho.macro_models.tnsa.sensing import Steps

pytestmark = pytest.mark.skipif(compiled_taken() is None, reason="numba is not installed")


@given(
    bits=st.integers(2, 8), in_bits=st.integers(1, 8), relu=st.booleans(), early=st.booleans(),
    seed=st.integers(0, 999),
)
def test_codes(bits: int, in_bits: int, relu: bool, early: bool, seed: int) -> None:
    """Of elements by their index, in one segment and in two, of more vectors than are computed at once and of few."""
    loops = compiled_taken()
    assert loops is not None
    rng = np.random.default_rng(seed)
    relu = relu and MvmOperation(in_bits=in_bits).segments == 1
    op = MvmOperation(in_bits=in_bits, out_bits=bits, relu=relu, early_stop=early)
    batch, places, elements, inputs, columns = (int(n) for n in rng.integers(1, [5, 40, 30, 40, 50]))
    values = rng.integers(op.input_range[0], op.input_range[1] + 1, (batch, elements)).astype(np.float32)
    index = rng.integers(0, elements, (places, inputs)).astype(np.uint32)
    matrix = rng.integers(-300, 300, (inputs, columns)).astype(np.float32)
    steps = 2 * rng.integers(1, 2 ** int(rng.integers(1, 15)), columns)
    for lines in (np.tile(np.arange(columns, dtype=np.uint32), 3), rng.integers(0, columns, 77).astype(np.uint32)):
        codes = np.empty((batch * places, len(lines)), dtype=np.int16)
        taken, ends = np.empty((len(codes), op.segments), dtype=np.int64), np.empty(2, dtype=np.int64)
        decrements = steps.astype(np.float32)
        loops(
            values, index, matrix, decrements, lines, op.segments, 16, op.max_steps, op.relu, op.early_stop, codes,
            taken, ends,
        )
        wanted = np.zeros((), dtype=np.int16)
        for k, part in enumerate(segment_inputs(op, values[:, index].reshape(-1, inputs))):
            made, wanted_steps = count_steps(op, part @ matrix, Steps(steps, steps))
            np.testing.assert_array_equal(taken[:, k], wanted_steps)
            wanted = combine_segments(wanted, made)
        np.testing.assert_array_equal(codes, wanted[:, lines])
        assert ends.tolist() == [codes.min(), codes.max()]


@given(count=st.integers(1, 20), turns=st.integers(1, 5), shift=st.integers(0, 31), seed=st.integers(0, 999))
def test_leaves(count: int, turns: int, shift: int, seed: int) -> None:
    """Of any codes and multipliers, whose sums wrap around."""
    rng = np.random.default_rng(seed)
    top = largest_code(MvmOperation(in_bits=8))
    codes = rng.integers(-top, top + 1, (7, count * turns)).astype(np.int16)
    multiplier = rng.integers(0, 2**15, count * turns)
    first = int(rng.integers(0, 3))
    outputs = np.tile(np.arange(first, first + count), turns)
    total = rng.integers(-(2**15), 2**15, (7, first + count + 1)).astype(np.int16)
    wanted = total + sum_leaves([(scale_leaf(codes, multiplier, shift), outputs)], total.shape[1])
    LeafSum(multiplier, outputs, shift).add(total, codes)
    np.testing.assert_array_equal(total, wanted)

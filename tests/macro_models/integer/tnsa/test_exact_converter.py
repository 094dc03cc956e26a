"""The integer converter against one decrement at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.macro_models.integer.tnsa.converter import combine_segments, convert, count_decrements, search_binary
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation

CHARGE = st.integers(-(2**40), 2**40).map(lambda n: 2 * n + 1)
SMALL = st.integers(-5000, 5000).map(lambda n: 2 * n + 1)
STEP = st.integers(1, 2**12).map(lambda n: 2 * n)


def column(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def count_one_at_a_time(a: int, s_pos: int, s_neg: int, cap: int) -> int:
    negative, steps = a < 0, 0
    while steps < cap:
        a += s_neg if negative else -s_pos
        if (a < 0) != negative:
            break
        steps += 1
    return steps


@given(SMALL, STEP, STEP, st.integers(0, 127))
def test_counting_is_the_number_of_decrements_that_do_not_flip(a: int, s_pos: int, s_neg: int, cap: int) -> None:
    n = count_decrements(column(a), column(s_pos), column(s_neg), cap)
    assert n.tolist() == [count_one_at_a_time(a, s_pos, s_neg, cap)]


@given(CHARGE, st.integers(1, 2**40).map(lambda n: 2 * n), st.integers(1, 8))
def test_binary_search_is_counting_when_both_steps_are_equal(a: int, s: int, out_bits: int) -> None:
    steps = column(s)
    counted = count_decrements(column(a), steps, steps, 2 ** (out_bits - 1) - 1)
    assert search_binary(column(a), steps, steps, out_bits - 1).tolist() == counted.tolist()


@given(SMALL, STEP, STEP, st.integers(0, 7))
def test_binary_search_follows_the_charge(a: int, s_pos: int, s_neg: int, bits: int) -> None:
    # Each decrement opposes the latched sign of the charge; a bit is 1 where the sign is the first one afterwards.
    first, residual, bits_found = a < 0, a, ""
    for bit in reversed(range(bits)):
        residual += s_neg * 2**bit if residual < 0 else -s_pos * 2**bit
        bits_found += "1" if (residual < 0) == first else "0"
    assert search_binary(column(a), column(s_pos), column(s_neg), bits).tolist() == [int(bits_found or "0", 2)]


@given(
    st.lists(st.tuples(SMALL, STEP, STEP, st.booleans()), min_size=1, max_size=8),
    st.integers(1, 8), st.booleans(), st.booleans(),
)
def test_counting_takes_as_many_decrements_as_the_slowest_enabled_line(
    lines: list[tuple[int, int, int, bool]], out_bits: int, relu: bool, early_stop: bool
) -> None:
    op = TnsaOperation(out_bits=out_bits, relu=relu, early_stop=early_stop)
    a, s_pos, s_neg, enabled = (np.array(values) for values in zip(*lines, strict=True))
    codes, steps = convert(op, a[None], s_pos, s_neg, enabled)
    residual, decrements = a.copy(), 0
    negative = a < 0
    waiting = enabled & ~negative if relu else enabled.copy()
    counts = np.zeros(len(a), dtype=int)
    counting = np.ones(len(a), dtype=bool)
    while decrements < op.max_steps and (waiting.any() or not early_stop):
        residual = residual + np.where(negative, s_neg, -s_pos)
        decrements += 1
        counting &= (residual < 0) == negative
        counts += counting
        waiting &= (residual < 0) == negative
    assert steps.tolist() == [decrements]
    expected = np.where(negative, 0 if relu else -(2 * counts + 1), 2 * counts + 1)
    assert codes[0].tolist() == np.where(enabled, expected, 0).tolist()


@pytest.mark.parametrize("relu", [False, True])
def test_no_decrement_is_made_without_an_enabled_line(relu: bool) -> None:
    op = TnsaOperation(relu=relu)
    codes, steps = convert(op, column(101, -101)[None], column(2, 2), column(2, 2), np.zeros(2, dtype=bool))
    assert codes.tolist() == [[0, 0]]
    assert steps.tolist() == [0]


def test_binary_search_takes_one_decrement_for_each_magnitude_bit() -> None:
    op = TnsaOperation(converter=Converter.BINARY, out_bits=6)
    assert convert(op, column(9)[None], column(2), column(2), np.ones(1, dtype=bool))[1].tolist() == [5]


def test_segments_combine_to_sixteen_times_the_high_code_plus_the_low() -> None:
    assert combine_segments(column(-3, 5), column(15, -1)).tolist() == [-33, 79]
